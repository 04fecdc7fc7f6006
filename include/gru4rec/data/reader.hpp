#ifndef GRU4REC_DATA_READER_HPP
#define GRU4REC_DATA_READER_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file_bytes.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/grouping.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// From the rows of tables to columns of events.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// How tables are read; the chunks do not change the result.
struct ReadSettings {
    std::size_t chunk_bytes = std::size_t{64} << 10U;  ///< a chunk ends at the first line end after this many bytes
    std::size_t n_chunks = 32;                         ///< of a wave, parsed in parallel; as many wait to be appended
    Index max_ids = IdTable::max_size;                 ///< more sessions than this, or more items, are an error
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

    SizeEstimate(std::size_t all_bytes, std::size_t first_bytes)
        : chunks(1.05 * static_cast<double>(all_bytes) / static_cast<double>(first_bytes)) {}

    [[nodiscard]] std::size_t operator()(std::size_t size) const noexcept {
        return static_cast<std::size_t>(chunks * static_cast<double>(size));
    }
};

/// What a collection of events offers to the reader. Refers to the collection, which must outlive it.
struct EventSink {
    ItemMap* item_map;
    IdTable* session_ids;
    Index* n_unknown;  ///< events of items that are not among the known ones
    /// Allocates for about as many events and sessions in all.
    std::function<void(std::size_t n_events, std::size_t n_sessions)> reserve;
    /// Takes a chunk and the sessions of its runs; returns false to stop reading.
    std::function<bool(const EventChunk& chunk, const std::vector<Index>& run_sessions)> append;

    template <class Collection>
        requires(!std::is_same_v<std::remove_const_t<Collection>, EventSink>)
    EventSink(Collection& events)  // NOLINT(google-explicit-constructor): stands for a function argument
        : item_map(&events.item_map),
          session_ids(&events.session_ids),
          n_unknown(&events.n_unknown),
          reserve([&events](std::size_t n_events, std::size_t n_sessions) { events.reserve(n_events, n_sessions); }),
          append([&events](const EventChunk& chunk, const std::vector<Index>& run_sessions) {
              return events.append(chunk, run_sessions);
          }) {}
};

/// Numbers the new items of chunks, and appends the chunks to `events`, both in the order of the file.
class ChunkCollector {
  public:
    ChunkCollector(Index max_ids, EventSink events) : max_ids_(max_ids), events_(std::move(events)) {}

    [[nodiscard]] const ItemMap& items() const noexcept { return *events_.item_map; }

    void reserve(const EventChunk& first, const SizeEstimate& estimate) {
        std::size_t n_characters = 0;
        for (const std::string_view id : first.run_ids()) {
            n_characters += id.size();
        }
        const std::size_t n_runs = first.run_ids().size();
        events_.session_ids->reserve(estimate(n_runs), estimate(n_characters));
        events_.reserve(estimate(first.items().size()), estimate(n_runs));
    }

    /// Gives the new items of a chunk their indices; to be called before append().
    /// @returns false if there are too many items
    [[nodiscard]] bool number_items(EventChunk& chunk) {
        ItemMap& items = *events_.item_map;
        auto item = chunk.items().begin();
        for (const std::string_view id : chunk.new_ids()) {
            item = std::find(item, chunk.items().end(), EventChunk::unnumbered);
            if (items.size() >= max_ids_ && !items.find(id)) {
                return false;
            }
            *item = items.insert(id);
        }
        return true;
    }

    [[noreturn]] void fail_with_items(const std::string& table) const {
        throw_format(table, "more than " + format_number(max_ids_) + " items; drop the rare ones");
    }

    /// Does not touch the items: while it runs, others may look them up.
    ///
    /// @returns false if events.append() did
    /// @throws FormatError with the name of the table if there are too many sessions
    [[nodiscard]] bool append(const std::string& table, const EventChunk& chunk) {
        *events_.n_unknown += chunk.n_unknown();
        number_sessions(table, chunk.run_ids());
        return events_.append(chunk, sessions_);
    }

  private:
    /// Hashes some ids before it looks up the first one, so that the cache misses of their slots overlap.
    void number_sessions(const std::string& table, const std::vector<std::string_view>& run_ids) {
        IdTable& ids = *events_.session_ids;
        std::array<std::uint32_t, 64> tags{};
        sessions_.clear();
        for (std::size_t begin = 0; begin < run_ids.size(); begin += tags.size()) {
            const std::size_t n = (std::min)(tags.size(), run_ids.size() - begin);
            const bool is_indexed = ids.is_indexed();
            for (std::size_t i = 0; is_indexed && i < n; ++i) {
                tags[i] = ids.hash(run_ids[begin + i]);
                ids.prefetch(tags[i]);
            }
            for (std::size_t i = 0; i < n; ++i) {
                const std::string_view id = run_ids[begin + i];
                if (ids.size() >= max_ids_ && ids.find(id) == IdTable::none) {
                    throw_format(table, "more than " + format_number(max_ids_) + " sessions; split the data");
                }
                sessions_.push_back(is_indexed ? ids.insert(id, tags[i]) : ids.insert_ascending(id));
            }
        }
    }

    Index max_ids_;
    EventSink events_;
    std::vector<Index> sessions_;  // of the runs of a chunk
};

/// Reads tables one after another into one collection of events, in waves of chunks. The chunks of a wave are parsed in
/// parallel; meanwhile those of the wave before are appended in the order of the rows. So the result depends neither on
/// the cuts nor on the number of threads.
class TableReader {
  public:
    /// @param events  refers to a collection that outlives this object; its items are set to the known ones
    TableReader(const ReadOptions& options, const ReadSettings& settings, const EventSink& events)
        : options_(&options),
          settings_(settings),
          report_(options.report == nullptr ? &unused_ : options.report),
          collector_(settings.max_ids, events),
          chunks_(settings.n_chunks),
          settled_(settings.n_chunks) {
        *report_ = {};
        *events.item_map = options.known_items == nullptr ? ItemMap() : *options.known_items;
    }

    /// @returns false if EventSink::append did
    /// @throws FormatError for the first problem of the table
    [[nodiscard]] bool read(TextSource& source) {
        const Table table(source, *options_);
        check_unit(table);
        std::string_view rest = table.first_rows();
        n_open_ = 0;
        // The first waves are short, so that most items are known to the next.
        for (std::size_t wave = 1;; wave = (std::min)(2 * wave, chunks_.size())) {
            if (rest.size() <= n_open_ + settings_.chunk_bytes && !source.is_last()) {
                if (!append_settled(table)) {
                    return false;
                }
                rest = source.next(rest);
            }
            if (rest.empty()) {
                return append_settled(table);
            }
            if (rest.size() == n_open_) {
                return fail_after(0, table, {rest.data(), {EventField::none, std::string(broken_quotes)}});
            }
            const char* const begin = rest.data();
            if (!parse_wave(table, wave, rest)) {
                return false;
            }
            if (wave == 1 && source.size() > 0) {
                collector_.reserve(chunks_[0], SizeEstimate(source.size(), rows_[0].size()));
            }
            if (!settle_wave(table, rest)) {
                return false;
            }
            settled_text_ = {begin, static_cast<std::size_t>(rest.data() - begin)};
        }
    }

  private:
    void check_unit(const Table& table) {
        const TimeFormat& times = table.format().times;
        const TimeUnit unit = times.unit_of_events();
        if (unit == TimeUnit::number && times.example.empty() && options_->layout.time_unit == TimeUnit::automatic) {
            return;  // there are no rows
        }
        if (report_->time_unit != TimeUnit::automatic && report_->time_unit != unit) {
            throw_format(table.source().name(),
                         "its times are " + std::string(name_of(unit)) + ", those of the files before " +
                             std::string(name_of(report_->time_unit)) + "; give files with times of one kind");
        }
        report_->time_unit = unit;
    }

    /// Parses the next chunks, and appends those of the wave before.
    /// @returns false if EventSink::append did
    [[nodiscard]] bool parse_wave(const Table& table, std::size_t n_chunks, std::string_view& rest) {
        rows_.clear();
        while (rows_.size() < n_chunks && !rest.empty()) {
            rows_.push_back(take_lines(rest, settings_.chunk_bytes + std::exchange(n_open_, 0)));
        }
        bool goes_on = true;
        parallel_chunks(1 + static_cast<Index>(rows_.size()), [&](Index i) {
            if (i == 0) {
                goes_on = append_settled(table);
            } else {
                parse(table, i - 1);
            }
        });
        return goes_on;
    }

    [[nodiscard]] bool append_settled(const Table& table) {
        for (std::size_t i = 0; i < n_settled_; ++i) {
            if (!collector_.append(table.source().name(), settled_[i])) {
                return false;
            }
        }
        n_settled_ = 0;
        if (!settled_text_.empty()) {
            table.source().release(std::exchange(settled_text_, {}));
        }
        return true;
    }

    /// Makes the first `n` chunks of the wave the settled ones.
    void set_settled(std::size_t n) noexcept {
        chunks_.swap(settled_);
        n_settled_ = n;
    }

    void parse(const Table& table, Index i) {
        const NewItems new_items = options_->known_items == nullptr ? NewItems::keep : NewItems::leave_out;
        at(chunks_, i).start(collector_.items(), new_items, table.format().missing);
        table.parse(at(rows_, i), at(chunks_, i));
    }

    /// Numbers the items of the wave, so that the next one knows them. A chunk that ends inside a quoted field hands
    /// its last row on to the next chunk, which is parsed again; the last chunk of the wave hands it back to `rest`.
    ///
    /// @returns false if EventSink::append did
    [[nodiscard]] bool settle_wave(const Table& table, std::string_view& rest) {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            if (const auto& problem = chunks_[i].problem()) {
                return fail_after(i, table, LineProblem(*problem));
            }
            if (!collector_.number_items(chunks_[i])) {
                set_settled(i);
                if (!append_settled(table)) {
                    return false;
                }
                collector_.fail_with_items(table.source().name());
            }
            count(table, chunks_[i]);
            const char* const open = chunks_[i].open_row();
            if (open != nullptr && i + 1 < rows_.size()) {
                rows_[i + 1] = {open, static_cast<std::size_t>(rows_[i + 1].data() + rows_[i + 1].size() - open)};
                parse(table, static_cast<Index>(i + 1));
            } else if (open != nullptr) {
                n_open_ = static_cast<std::size_t>(rest.data() - open);
                rest = {open, n_open_ + rest.size()};
            }
        }
        set_settled(rows_.size());
        return true;
    }

    /// Appends what comes before the problem, which may have an earlier one.
    /// @returns false if EventSink::append did
    [[nodiscard]] bool fail_after(std::size_t n_chunks, const Table& table, const LineProblem& problem) {
        if (n_chunks > 0) {
            set_settled(n_chunks);
        }
        if (!append_settled(table)) {
            return false;
        }
        table.fail(problem);
    }

    void count(const Table& table, EventChunk& chunk) {
        report_->n_filtered += chunk.n_filtered();
        if (chunk.skipped().n > 0 && report_->n_skipped == 0) {
            report_->first_skipped = table.message(chunk.skipped().first);
        }
        report_->n_skipped += chunk.skipped().n;
        if (chunk.n_unknown() > 0 && report_->first_unknown_item.empty()) {
            report_->first_unknown_item = std::string(chunk.first_unknown());
        }
        if (table.format().times.unit == TimeUnit::none) {
            chunk.number_times(n_events_ + 1);
        }
        n_events_ += static_cast<std::int64_t>(chunk.items().size());
    }

    const ReadOptions* options_;
    ReadSettings settings_;
    ReadReport unused_;
    ReadReport* report_;
    ChunkCollector collector_;
    std::vector<EventChunk> chunks_;
    std::vector<EventChunk> settled_;  // of the wave before: to be appended
    std::size_t n_settled_ = 0;
    std::string_view settled_text_;
    std::vector<std::string_view> rows_;  // of the wave, a part for each chunk
    std::size_t n_open_ = 0;              // bytes of the row that the last wave ended in
    std::int64_t n_events_ = 0;
};

/// Keeps all columns.
struct EventAppender : Events {
    void reserve(std::size_t n_events, std::size_t) { Events::reserve(static_cast<Index>(n_events)); }

    [[nodiscard]] bool append(const EventChunk& chunk, const std::vector<Index>& run_sessions) {
        items.insert(items.end(), chunk.items().begin(), chunk.items().end());
        times.append(chunk.times(), 0, chunk.times().size());
        for (std::size_t r = 0; r < run_sessions.size(); ++r) {
            const std::size_t n = chunk.run_ends()[r] - (r == 0 ? 0 : chunk.run_ends()[r - 1]);
            sessions.insert(sessions.end(), n, to_session(run_sessions[r]));
        }
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
    [[nodiscard]] bool append(const EventChunk& chunk, const std::vector<Index>& run_sessions) {
        const auto first = static_cast<Index>(items.size());
        items.insert(items.end(), chunk.items().begin(), chunk.items().end());
        std::size_t begin = 0;
        for (std::size_t r = 0; r < run_sessions.size(); ++r) {
            const Index session = run_sessions[r];
            const std::size_t end = chunk.run_ends()[r];
            if (session == n_sessions()) {
                finish_session();
                offsets.push_back(offsets.back());
            } else if (session + 1 != n_sessions()) {
                return false;
            }
            times.append(chunk.times(), begin, end);
            offsets.back() = first + static_cast<Index>(end);
            begin = end;
        }
        return true;
    }

    /// Call it after the last event, too.
    void finish_session() {
        if (n_sessions() > 0) {
            const auto begin = static_cast<std::size_t>(offsets[offsets.size() - 2]);
            sort_by_time(std::span(items).subspan(begin, times.size()), times, 0);
            first_times.push_back(times.size() > 0 ? times[0] : EventTime{});
            times.clear();
        }
    }

    TimeColumn times;  ///< of the last session
};

/// The events of a table.
[[nodiscard]] inline Events read_events(TextSource& source, const ReadOptions& options = {},
                                        const ReadSettings& settings = {}) {
    EventAppender events;
    TableReader reader(options, settings, events);
    static_cast<void>(reader.read(source));
    events.session_ids.build_index();
    return events;
}

/// The sessions of a table in which the events of every session are consecutive; nullopt for any other table.
[[nodiscard]] inline std::optional<GroupedEvents> read_grouped(TextSource& source, const ReadOptions& options = {},
                                                               const ReadSettings& settings = {}) {
    SessionAppender sessions;
    TableReader reader(options, settings, sessions);
    if (!reader.read(source)) {
        return std::nullopt;
    }
    sessions.finish_session();
    return std::move(static_cast<GroupedEvents&>(sessions));
}

/// @returns false if the collection did not take all of the file
[[nodiscard]] inline bool read_file(const std::filesystem::path& path, TableReader& reader) {
    const FileBytes file(path);
    TextSource source(path.string(), file);
    return reader.read(source);
}

/// Reads a table into a collection that takes all of it.
inline void read_table(TableInput& input, TableReader& reader) {
    if (auto* const stream = std::get_if<TextStream>(&input)) {
        TextSource source(*stream);
        static_cast<void>(reader.read(source));
    } else {
        static_cast<void>(read_file(std::get<std::filesystem::path>(input), reader));
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
