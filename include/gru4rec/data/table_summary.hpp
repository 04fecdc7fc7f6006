#ifndef GRU4REC_DATA_TABLE_SUMMARY_HPP
#define GRU4REC_DATA_TABLE_SUMMARY_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/time_column.hpp"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What tables of events hold.
struct TableSummary {
    std::int64_t n_events = 0;           ///< rows that were read as events
    std::int64_t n_repeats = 0;          ///< events of the item of the session's event before, in the order of the rows
    std::vector<std::int64_t> lengths;   ///< events of each session, ascending
    std::vector<std::int64_t> supports;  ///< events of each item, ascending
    std::string first_time;              ///< a date if the times are seconds, else a number; empty without events
    std::string last_time;               ///< likewise
    ReadReport report;                   ///< what the reader found
};

/// Reads tables of events once, without keeping the events.
///
/// @throws as read_events
/// @complexity O(events); memory for the distinct ids of sessions and items   @threads safe for distinct inputs
[[nodiscard]] GRU4REC_INLINE TableSummary summarize(const TableInputs& next, const ReadOptions& options = {});

#if GRU4REC_DEFINITIONS

namespace detail {

/// Counts events, as TableReader collects them.
struct EventCounter {
    struct Session {
        std::int64_t n_events = 0;
        ItemIndex last_item{-1};
    };

    ItemMap item_map;
    IdTable session_ids;
    Index n_unknown = 0;
    std::int64_t n_events = 0;
    std::int64_t n_repeats = 0;
    EventTime first;
    EventTime last;
    std::vector<Session> sessions;
    std::vector<std::int64_t> supports;  ///< by item

    void reserve(std::size_t, std::size_t) {}

    /// @returns true
    [[nodiscard]] bool append(const EventChunk& chunk, const std::vector<Index>& run_sessions) {
        sessions.resize(static_cast<std::size_t>(session_ids.size()));
        supports.resize(static_cast<std::size_t>(item_map.size()));
        std::size_t e = 0;
        for (std::size_t r = 0; r < run_sessions.size(); ++r) {
            for (; e < chunk.run_ends()[r]; ++e) {
                add(at(sessions, run_sessions[r]), chunk.items()[e], chunk.times()[e]);
            }
        }
        return true;
    }

  private:
    void add(Session& session, ItemIndex item, EventTime time) {
        first = n_events == 0 ? time : (std::min)(first, time);
        last = n_events == 0 ? time : (std::max)(last, time);
        n_repeats += session.n_events > 0 && session.last_item == item ? 1 : 0;
        ++at(supports, item);
        ++n_events;
        ++session.n_events;
        session.last_item = item;
    }
};

}  // namespace detail

GRU4REC_INLINE TableSummary summarize(const TableInputs& next, const ReadOptions& options) {
    TableSummary summary;
    ReadOptions reading = options;
    reading.report = &summary.report;
    detail::EventCounter events;
    detail::TableReader reader(reading, {}, events);
    while (std::optional<TableInput> input = next()) {
        detail::read_table(*input, reader);
    }
    summary.n_events = events.n_events;
    summary.n_repeats = events.n_repeats;
    for (const detail::EventCounter::Session& session : events.sessions) {
        if (session.n_events > 0) {
            summary.lengths.push_back(session.n_events);
        }
    }
    summary.supports = std::move(events.supports);
    std::sort(summary.lengths.begin(), summary.lengths.end());
    std::sort(summary.supports.begin(), summary.supports.end());
    if (events.n_events > 0) {
        const bool seconds = summary.report.time_unit == TimeUnit::seconds;
        summary.first_time = seconds ? detail::format_date(events.first) : detail::format_time(events.first);
        summary.last_time = seconds ? detail::format_date(events.last) : detail::format_time(events.last);
    }
    if (options.report != nullptr) {
        *options.report = summary.report;
    }
    return summary;
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
