#ifndef GRU4REC_DATA_GROUPING_HPP
#define GRU4REC_DATA_GROUPING_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/parallel.hpp"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sessions of items, each in the order of time. Of the times, only the first of each session is kept.
struct GroupedEvents {
    std::vector<ItemIndex> items;
    std::vector<Index> offsets{0};  ///< begin of each session, and the end of the last
    TimeColumn first_times;         ///< by session; meaningless for one without events
    ItemMap item_map;
    IdTable session_ids;  ///< empty if they are not needed
    Index n_unknown = 0;

    [[nodiscard]] Index n_sessions() const noexcept { return static_cast<Index>(offsets.size()) - 1; }
};

/// Sorts the events of one session by time, equal times in the order given. The time of items[i] is
/// times[first_time + i].
inline void sort_by_time(std::span<ItemIndex> items, TimeColumn& times, std::size_t first_time) {
    bool sorted = true;
    for (std::size_t i = 1; i < items.size() && sorted; ++i) {
        sorted = !(times[first_time + i] < times[first_time + i - 1]);
    }
    if (sorted) {
        return;
    }
    struct Event {
        EventTime time;
        ItemIndex item;
    };
    std::vector<Event> events;
    events.reserve(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
        events.push_back({times[first_time + i], items[i]});
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.time < b.time; });
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i] = events[i].item;
        times.set(first_time + i, events[i].time);
    }
}

/// Groups events by session and sorts each session by time.
[[nodiscard]] GRU4REC_INLINE GroupedEvents group_by_session(Events events, KeepSessionIds keep_session_ids);

/// Number of events of each item, (V).
[[nodiscard]] GRU4REC_INLINE std::vector<std::int64_t> count_items(const std::vector<ItemIndex>& items, Index n_items);

#if GRU4REC_DEFINITIONS

/// A stable counting sort of a column by session.
template <class Value>
void group_column(std::vector<Value>& column, const std::vector<SessionIndex>& sessions,
                  const std::vector<Index>& offsets) {
    std::vector<Index> next(offsets.begin(), offsets.end() - 1);
    std::vector<Value> result(column.size());
    for (std::size_t e = 0; e < column.size(); ++e) {
        at(result, at(next, sessions[e])++) = column[e];
    }
    column = std::move(result);
}

/// The first time of each session, or nullopt if the events of a session are not in the order of time.
[[nodiscard]] inline std::optional<TimeColumn> first_times_if_ordered(const TimeColumn& times,
                                                                      const std::vector<SessionIndex>& sessions,
                                                                      std::size_t n_sessions) {
    constexpr EventTime never{(std::numeric_limits<std::int64_t>::min)(), 0};
    std::vector<bool> has_events(n_sessions);
    TimeColumn first;
    first.whole.resize(n_sessions);
    std::vector<EventTime> last(n_sessions, never);
    for (std::size_t e = 0; e < sessions.size(); ++e) {
        const auto session = static_cast<std::size_t>(sessions[e]);
        if (times[e] < last[session]) {
            return std::nullopt;
        }
        last[session] = times[e];
        if (!has_events[session]) {
            has_events[session] = true;
            first.set(session, times[e]);
        }
    }
    return first;
}

GRU4REC_INLINE GroupedEvents group_by_session(Events events, KeepSessionIds keep_session_ids) {
    const auto n_sessions = static_cast<std::size_t>(events.n_sessions());
    GroupedEvents result;
    result.item_map = std::move(events.item_map);
    result.n_unknown = events.n_unknown;
    if (keep_session_ids == KeepSessionIds::yes) {
        result.session_ids = std::move(events.session_ids);
    }
    events.session_ids = {};
    result.offsets.assign(n_sessions + 1, 0);
    for (const SessionIndex session : events.sessions) {
        ++at(result.offsets, to_index(session) + 1);
    }
    for (std::size_t s = 0; s < n_sessions; ++s) {
        result.offsets[s + 1] += result.offsets[s];
    }
    TimeColumn times = std::move(events.times);
    const bool grouped = std::is_sorted(events.sessions.begin(), events.sessions.end());
    if (auto first = first_times_if_ordered(times, events.sessions, n_sessions)) {
        result.first_times = std::move(*first);
        times = {};
        if (!grouped) {
            group_column(events.items, events.sessions, result.offsets);
        }
        result.items = std::move(events.items);
        return result;
    }
    if (!grouped) {
        group_column(events.items, events.sessions, result.offsets);
        group_column(times.whole, events.sessions, result.offsets);
        group_column(times.nanoseconds, events.sessions, result.offsets);
    }
    events.sessions = {};
    result.items = std::move(events.items);
    for (std::size_t s = 0; s < n_sessions; ++s) {
        const auto begin = static_cast<std::size_t>(result.offsets[s]);
        const auto end = static_cast<std::size_t>(result.offsets[s + 1]);
        sort_by_time(std::span(result.items).subspan(begin, end - begin), times, begin);
        result.first_times.push_back(begin < end ? times[begin] : EventTime{});
    }
    return result;
}

GRU4REC_INLINE std::vector<std::int64_t> count_items(const std::vector<ItemIndex>& items, Index n_items) {
    const auto size = static_cast<Index>(items.size());
    constexpr Index most_chunks = 8;
    const Chunks chunks{size, (std::max)({Index{1} << 16, 8 * n_items, (size + most_chunks - 1) / most_chunks})};
    std::vector<std::vector<std::int64_t>> counts(static_cast<std::size_t>((std::max)(Index{1}, chunks.count())),
                                                  std::vector<std::int64_t>(static_cast<std::size_t>(n_items)));
    parallel_chunks(chunks.count(), [&](Index chunk) {
        std::vector<std::int64_t>& count = at(counts, chunk);
        for (Index e = chunks.begin(chunk); e < chunks.end(chunk); ++e) {
            ++at(count, at(items, e));
        }
    });
    for (std::size_t chunk = 1; chunk < counts.size(); ++chunk) {
        for (std::size_t item = 0; item < counts[chunk].size(); ++item) {
            counts[0][item] += counts[chunk][item];
        }
    }
    return std::move(counts[0]);
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
