#ifndef GRU4REC_DATA_READER_HPP
#define GRU4REC_DATA_READER_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/delimited_text.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/grouping.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// From the text of a file to columns of events. A format is a type like DelimitedText: body() is the text of the
// events, parse() turns any part of it that ends at a line end into an EventChunk, fail() reports the problem of a
// line.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// How a file is read. Neither the chunks nor the release of memory changes the result.
struct ReadSettings {
    std::size_t chunk_bytes = std::size_t{256} << 10U;  ///< a chunk ends at the first line end after so many bytes
    std::size_t n_chunks = 32;                          ///< parsed in parallel before their events are collected
    Index max_ids = IdTable::max_size;                  ///< more sessions than this, or more items, are an error
    const FileBytes* file = nullptr;                    ///< if set, its memory is released as it is read
};

/// Cuts about `size` bytes of whole lines off `text`.
[[nodiscard]] inline std::string_view take_lines(std::string_view& text, std::size_t size) noexcept {
    const std::size_t line_end = size < text.size() ? text.find('\n', size) : std::string_view::npos;
    const std::string_view lines = text.substr(0, line_end == std::string_view::npos ? text.size() : line_end + 1);
    text.remove_prefix(lines.size());
    return lines;
}

/// The size that a column of the whole file will have, a little rounded up, judged by the file's first chunk.
/// Overestimates are harmless: pages that are never touched are not allocated.
struct SizeEstimate {
    double chunks = 0;

    SizeEstimate(std::string_view body, std::string_view first_lines)
        : chunks(1.05 * static_cast<double>(body.size()) / static_cast<double>(first_lines.size())) {}

    [[nodiscard]] std::size_t operator()(std::size_t size) const noexcept {
        return static_cast<std::size_t>(chunks * static_cast<double>(size));
    }
};

/// Appends chunks to `events` in the order of the file, and so numbers their sessions and new items.
///
/// `events.append(session, chunk, begin, end)` takes a run; it returns false to stop reading.
template <class Collection>
class ChunkCollector {
  public:
    ChunkCollector(std::string file, Index max_ids, Collection& events)
        : file_(std::move(file)), max_ids_(max_ids), events_(&events) {}

    void reserve(const EventChunk& first, const SizeEstimate& estimate) {
        std::size_t n_characters = 0;
        for (const EventChunk::Run& run : first.runs()) {
            n_characters += run.session_id.size();
        }
        events_->session_ids.reserve(estimate(first.runs().size()), estimate(n_characters));
        events_->reserve(estimate(first.items().size()), estimate(first.runs().size()));
    }

    /// @returns false if events.append() did
    /// @throws FormatError if there are too many ids
    [[nodiscard]] bool add(EventChunk& chunk) {
        number_items(chunk);
        events_->n_unknown += chunk.n_unknown();
        std::size_t begin = 0;
        for (std::size_t r = 0; r < chunk.runs().size(); ++r) {
            const std::size_t end = chunk.runs()[r].end;
            if (!events_->append(number_session(chunk.runs(), r), chunk, begin, end)) {
                return false;
            }
            begin = end;
        }
        return true;
    }

  private:
    void number_items(EventChunk& chunk) {
        ItemMap& items = events_->item_map;
        auto item = chunk.items().begin();
        for (const std::string_view id : chunk.new_ids()) {
            item = std::find(item, chunk.items().end(), EventChunk::unnumbered);
            if (items.size() >= max_ids_ && !items.find(id)) {
                throw_format(file_, "more than " + format_number(max_ids_) + " items; drop the rare ones");
            }
            *item = items.insert(id);
        }
    }

    [[nodiscard]] Index number_session(const std::vector<EventChunk::Run>& runs, std::size_t r) {
        constexpr std::size_t ahead = 8;
        IdTable& ids = events_->session_ids;
        if (ids.is_indexed()) {
            ids.prefetch(ids.hash(runs[(std::min)(r + ahead, runs.size() - 1)].session_id));
        }
        const std::string_view id = runs[r].session_id;
        if (ids.size() >= max_ids_ && ids.find(id) == IdTable::none) {
            throw_format(file_, "more than " + format_number(max_ids_) + " sessions; split the data");
        }
        return ids.insert_ascending(id);
    }

    std::string file_;
    Index max_ids_;
    Collection* events_;
};

/// Reads a text in waves of chunks, which are parsed in parallel and appended to `events` in the order of the file:
/// the result depends neither on the cuts nor on the number of threads.
///
/// @returns false if events.append() did
/// @throws FormatError for the first problem of the file
template <class Text, class Collection>
bool read_chunks(const Text& text, const ItemMap* known_items, const ReadSettings& settings, Collection& events) {
    const NewItems new_items = known_items == nullptr ? NewItems::keep : NewItems::leave_out;
    events.item_map = known_items == nullptr ? ItemMap() : *known_items;
    ChunkCollector<Collection> collector(text.name(), settings.max_ids, events);
    std::vector<EventChunk> chunks(settings.n_chunks);
    std::vector<std::string_view> lines;
    // The first waves are short, so that most items are known to the next.
    std::size_t wave = 1;
    for (std::string_view rest = text.body(); !rest.empty(); wave = (std::min)(2 * wave, chunks.size())) {
        const bool is_first = rest.size() == text.body().size();
        const char* const begin = rest.data();
        lines.clear();
        while (lines.size() < wave && !rest.empty()) {
            lines.push_back(take_lines(rest, settings.chunk_bytes));
        }
        parallel_chunks(static_cast<Index>(lines.size()), [&](Index i) {
            at(chunks, i).start(events.item_map, new_items);
            text.parse(at(lines, i), at(chunks, i));
        });
        if (is_first) {
            collector.reserve(chunks[0], SizeEstimate(text.body(), lines[0]));
        }
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (const auto& problem = chunks[i].problem()) {
                text.fail(*problem);
            }
            if (!collector.add(chunks[i])) {
                return false;
            }
        }
        if (settings.file != nullptr) {
            settings.file->release({begin, static_cast<std::size_t>(rest.data() - begin)});
        }
    }
    return true;
}

/// Keeps all columns.
struct EventAppender : Events {
    void reserve(std::size_t n_events, std::size_t) { Events::reserve(static_cast<Index>(n_events)); }

    [[nodiscard]] bool append(Index session, const EventChunk& chunk, std::size_t begin, std::size_t end) {
        sessions.insert(sessions.end(), end - begin, to_session(session));
        items.insert(items.end(), chunk.items().begin() + static_cast<Index>(begin),
                     chunk.items().begin() + static_cast<Index>(end));
        times.append(chunk.times(), begin, end);
        return true;
    }
};

/// Makes sessions while events come in, as long as the events of every session are consecutive: then times need memory
/// for one session only.
struct SessionAppender : GroupedEvents {
    void reserve(std::size_t n_events, std::size_t n_sessions) {
        items.reserve(n_events);
        offsets.reserve(n_sessions + 1);
        first_times.reserve(n_sessions);
    }

    /// @returns false if a session continues after another one
    [[nodiscard]] bool append(Index session, const EventChunk& chunk, std::size_t begin, std::size_t end) {
        if (session == n_sessions()) {
            finish_session();
            offsets.push_back(offsets.back());
        } else if (session + 1 != n_sessions()) {
            return false;
        }
        items.insert(items.end(), chunk.items().begin() + static_cast<Index>(begin),
                     chunk.items().begin() + static_cast<Index>(end));
        times.append(chunk.times(), begin, end);
        offsets.back() = static_cast<Index>(items.size());
        return true;
    }

    /// Call it after the last event, too.
    void finish_session() {
        if (n_sessions() > 0) {
            sort_by_time(std::span(items).last(times.size()), times, 0);
            first_times.push_back(times.size() > 0 ? times[0] : EventTime{});
            times.clear();
        }
    }

    TimeColumn times;  ///< of the last session
};

[[nodiscard]] inline Events read_events(const DelimitedText& text, const ItemMap* known_items,
                                        const ReadSettings& settings = {}) {
    EventAppender events;
    read_chunks(text, known_items, settings, events);
    events.session_ids.build_index();
    return events;
}

/// The sessions of a file in which the events of every session are consecutive; nullopt for any other file.
[[nodiscard]] inline std::optional<GroupedEvents> read_grouped(const DelimitedText& text, const ItemMap* known_items,
                                                               const ReadSettings& settings = {}) {
    SessionAppender sessions;
    if (!read_chunks(text, known_items, settings, sessions)) {
        return std::nullopt;
    }
    sessions.finish_session();
    return std::move(static_cast<GroupedEvents&>(sessions));
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
