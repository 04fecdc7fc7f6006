#ifndef GRU4REC_DATA_DATASET_HPP
#define GRU4REC_DATA_DATASET_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/grouping.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Sessions of items, one after another (CSR). Immutable: a const Dataset may be read from any number of threads.
///
/// Sessions are numbered by first appearance; inside one, events are sorted by time, equal times in the order given.
/// 4 bytes per event, 12 per session, plus the item map.
class Dataset {
  public:
    Dataset() = default;

    /// @complexity O(events + sessions); what the order of the events leaves to sort is sorted, and only that.
    explicit Dataset(Events events, KeepSessionIds keep_session_ids = KeepSessionIds::no)
        : Dataset(detail::group_by_session(std::move(events), keep_session_ids)) {}

    /// From events that lie together by session already.
    explicit Dataset(detail::GroupedEvents sessions)
        : events_(std::move(sessions.items)),
          offsets_(std::move(sessions.offsets)),
          time_order_(detail::order_by_time(offsets_, std::move(sessions.first_times))),
          supports_(detail::count_items(events_, sessions.item_map.size())),
          items_(std::move(sessions.item_map)),
          session_ids_(std::move(sessions.session_ids)),
          n_unknown_events_(sessions.n_unknown) {
        for (Index s = 0; s < n_sessions(); ++s) {
            n_pairs_ += (std::max)(Index{0}, offset(s + 1) - offset(s) - 1);
        }
    }

    /// The same sessions, counted by a catalogue that holds all of their items, and maybe more: what trains a model
    /// that was extended by them.
    ///
    /// @throws std::invalid_argument naming an item that is not in it
    /// @complexity O(events + items)
    [[nodiscard]] Dataset with_items(const ItemMap& items) const {
        std::vector<ItemIndex> new_index;
        for (Index i = 0; i < n_items(); ++i) {
            const auto found = items.find(items_.id(to_item(i)));
            if (!found) {
                detail::throw_invalid("item " + detail::quote(items_.id(to_item(i))) +
                                      " of the data is not in the catalogue");
            }
            new_index.push_back(*found);
        }
        Dataset result = *this;
        for (ItemIndex& item : result.events_) {
            item = new_index[static_cast<std::size_t>(to_index(item))];
        }
        result.supports_ = detail::count_items(result.events_, items.size());
        result.items_ = items;
        return result;
    }

    [[nodiscard]] Index n_sessions() const noexcept { return static_cast<Index>(time_order_.size()); }
    [[nodiscard]] Index n_events() const noexcept { return static_cast<Index>(events_.size()); }
    [[nodiscard]] Index n_items() const noexcept { return items_.size(); }

    /// (input, target) pairs: a session of n events gives n - 1.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }

    /// The items of a session; empty where none of them was known. @pre session < n_sessions()
    [[nodiscard]] std::span<const ItemIndex> session(SessionIndex session) const noexcept {
        const Index s = to_index(session);
        GRU4REC_ASSERT(s >= 0 && s < n_sessions());
        return std::span(events_).subspan(static_cast<std::size_t>(offset(s)),
                                          static_cast<std::size_t>(offset(s + 1) - offset(s)));
    }

    /// All sessions by the time of their first event, ties by number; empty ones last.
    [[nodiscard]] std::span<const SessionIndex> time_order() const noexcept { return time_order_; }

    [[nodiscard]] const ItemMap& items() const noexcept { return items_; }

    /// Events of each item, (V).
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }

    /// Events left out because ReadOptions::known_items lacks their item.
    [[nodiscard]] Index n_unknown_events() const noexcept { return n_unknown_events_; }

    [[nodiscard]] bool has_session_ids() const noexcept { return session_ids_.size() == n_sessions(); }

    /// @pre read with KeepSessionIds::yes
    [[nodiscard]] std::string_view session_id(SessionIndex session) const noexcept {
        GRU4REC_ASSERT(has_session_ids() && "read with KeepSessionIds::yes to have session ids");
        return session_ids_.text(to_index(session));
    }

  private:
    [[nodiscard]] Index offset(Index session) const noexcept { return offsets_[static_cast<std::size_t>(session)]; }

    std::vector<ItemIndex> events_;
    std::vector<Index> offsets_{0};
    std::vector<SessionIndex> time_order_;
    std::vector<std::int64_t> supports_;
    ItemMap items_;
    detail::IdTable session_ids_;
    Index n_pairs_ = 0;
    Index n_unknown_events_ = 0;
};

namespace detail {

template <class Id>
concept IntegerId = std::integral<Id> && !std::same_as<Id, bool>;

/// An array of session or item ids: integers or texts.
template <class Range>
concept IdArray = std::ranges::random_access_range<Range> && std::ranges::sized_range<Range> &&
    (IntegerId<std::ranges::range_value_t<Range>> ||
     std::convertible_to<std::ranges::range_reference_t<Range>, std::string_view>);

/// An array of times: integers or floating-point seconds.
template <class Range>
concept TimeArray = std::ranges::random_access_range<Range> && std::ranges::sized_range<Range> &&
    (IntegerId<std::ranges::range_value_t<Range>> || std::floating_point<std::ranges::range_value_t<Range>>);

/// An id as text; integers are written into `buffer`.
template <class Id>
[[nodiscard]] std::string_view id_text(const Id& id, std::string& buffer) {
    if constexpr (IntegerId<Id>) {
        buffer = format_number(id);
        return buffer;
    } else {
        return id;
    }
}

/// The time of row `at`. @throws std::invalid_argument where it does not fit
template <class Time>
[[nodiscard]] EventTime array_time(Time time, std::size_t at) {
    if constexpr (std::floating_point<Time>) {
        if (const auto when = to_event_time(static_cast<double>(time))) {
            return *when;
        }
    } else if (std::in_range<std::int64_t>(time)) {
        return {static_cast<std::int64_t>(time), 0};
    }
    throw_invalid("times[" + std::to_string(at) + "]", time, "a finite number within 64 bits");
}

}  // namespace detail

/// A data set from arrays that the caller has; row e of the three arrays is one event, in any order.
///
/// @param session_ids  integers or texts
/// @param item_ids     integers (stored as decimal text) or texts
/// @param times        integers or floating-point seconds, told apart to 1e-9
/// @param options      `columns` has no meaning here
/// @throws std::invalid_argument naming the row: arrays of unequal length, an id or a time that cannot be stored.
template <detail::IdArray Sessions, detail::IdArray Items, detail::TimeArray Times>
[[nodiscard]] Dataset make_dataset(const Sessions& session_ids, const Items& item_ids, const Times& times,
                                   const ReadOptions& options = {}) {
    const auto n = static_cast<std::size_t>(std::ranges::size(session_ids));
    const auto n_item_ids = static_cast<std::size_t>(std::ranges::size(item_ids));
    const auto n_times = static_cast<std::size_t>(std::ranges::size(times));
    if (n_item_ids != n || n_times != n) {
        detail::throw_invalid("make_dataset got " + std::to_string(n) + " session ids, " + std::to_string(n_item_ids) +
                              " item ids and " + std::to_string(n_times) +
                              " times; the arrays must be of equal length");
    }
    detail::EventCollector collector(options.known_items);
    collector.reserve(static_cast<Index>(n));
    std::string session_buffer;
    std::string item_buffer;
    auto session = std::ranges::begin(session_ids);
    auto item = std::ranges::begin(item_ids);
    auto time = std::ranges::begin(times);
    for (std::size_t e = 0; e < n; ++e, ++session, ++item, ++time) {
        const detail::EventProblem problem =
            collector.add(detail::id_text(*session, session_buffer), detail::id_text(*item, item_buffer),
                          detail::array_time(*time, e));
        if (problem) {
            detail::throw_invalid("row " + std::to_string(e) + " of the arrays: " + problem.text);
        }
    }
    return Dataset(std::move(collector).take(), options.keep_session_ids);
}

/// A Dataset as a source of training sessions. Sessions without events are passed over.
class OrderedSessions {
  public:
    /// @param dataset  must outlive this object
    /// @param seed     for SessionOrder::random only: the permutation is a function of seed and epoch
    explicit OrderedSessions(const Dataset& dataset, SessionOrder order = SessionOrder::time, std::uint64_t seed = 42)
        : dataset_(&dataset), order_(order), seed_(seed) {
        if (order_ != SessionOrder::time) {
            sequence_.resize(static_cast<std::size_t>(dataset.n_sessions()));
        }
        start_epoch(0);
    }

    void start_epoch(std::uint64_t epoch) {
        next_ = 0;
        if (order_ == SessionOrder::time) {
            return;
        }
        for (std::size_t s = 0; s < sequence_.size(); ++s) {
            sequence_[s] = to_session(static_cast<Index>(s));
        }
        if (order_ == SessionOrder::random) {
            detail::Random(seed_, detail::Random::Stream::session_order, {epoch}).shuffle(std::span(sequence_));
        }
    }

    /// The next session that has events; an empty span at the end of the epoch.
    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        const std::span<const SessionIndex> sequence =
            order_ == SessionOrder::time ? dataset_->time_order() : std::span<const SessionIndex>(sequence_);
        while (next_ < sequence.size()) {
            const std::span<const ItemIndex> session = dataset_->session(sequence[next_++]);
            if (!session.empty()) {
                return session;
            }
        }
        return {};
    }

    [[nodiscard]] Index n_items() const noexcept { return dataset_->n_items(); }
    [[nodiscard]] Index n_pairs() const noexcept { return dataset_->n_pairs(); }

  private:
    const Dataset* dataset_;
    SessionOrder order_;
    std::uint64_t seed_;
    std::vector<SessionIndex> sequence_;
    std::size_t next_ = 0;
};

static_assert(SessionSource<OrderedSessions>);

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
