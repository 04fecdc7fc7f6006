#ifndef GRU4REC_DATA_FILES_HPP
#define GRU4REC_DATA_FILES_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/text_source.hpp"
#endif

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Reads the events of a table, in the order of its rows.
///
/// A table is text with a row per line: fields separated by TAB, comma, semicolon or |, quoted or not, with a header
/// line or without. The reader finds out which; ReadOptions has a setting for everything that it may get wrong, and
/// ReadReport says what it found. Session ids are any text, item ids any UTF-8 text, times numbers or dates
/// (see TimeUnit and docs/data.md). Rows without a session or time are skipped and counted. A byte-order mark, CR LF,
/// empty lines and a missing line end at the end are accepted; blanks at the ends of a value are dropped, even in
/// quotes.
///
/// @throws IoError for a file that cannot be read, FormatError for invalid content, ConfigError for options
///         that contradict each other
[[nodiscard]] GRU4REC_INLINE Events read_events(const std::filesystem::path& path, const ReadOptions& options = {});

/// Reads a table of events, as read_events, and groups them into sessions. A table without events makes an empty
/// Dataset.
///
/// If the events of every session are consecutive in the file, no memory is needed for the times of events.
[[nodiscard]] GRU4REC_INLINE Dataset read_sessions(const std::filesystem::path& path, const ReadOptions& options = {});

/// Reads several files as if they were one: a session goes on in the next file, and items are numbered by their first
/// appearance in any. The times of all must be of one kind: seconds or dates, plain numbers, or none.
[[nodiscard]] GRU4REC_INLINE Events read_events(std::span<const std::filesystem::path> paths,
                                                const ReadOptions& options = {});

/// The same, grouped into sessions.
[[nodiscard]] GRU4REC_INLINE Dataset read_sessions(std::span<const std::filesystem::path> paths,
                                                   const ReadOptions& options = {});

/// Hands out one table after another; nullopt after the last. A table has been read when the next is asked for.
using TableInputs = std::function<std::optional<TableInput>()>;

/// Reads tables of any kind as if they were one file.
[[nodiscard]] GRU4REC_INLINE Events read_events(const TableInputs& next, const ReadOptions& options = {});

/// The same, grouped into sessions. Keeps the times of all events until they are.
[[nodiscard]] GRU4REC_INLINE Dataset read_sessions(const TableInputs& next, const ReadOptions& options = {});

/// Writes a TAB-separated file, a batch of events at a time, that read_events reads back: with ReadOptions as they are,
/// blanks at the ends of ids are dropped, and session ids that stand for missing ones are skipped. Without commit(),
/// the file is not created or replaced.
///
/// @throws IoError if the file cannot be written; an existing file is then untouched
/// @throws ConfigError for a session id or a column name that contains a TAB or a line break
class EventWriter {
  public:
    /// Creates a temporary file beside `path` and writes the header line.
    GRU4REC_INLINE explicit EventWriter(const std::filesystem::path& path, const ColumnNames& columns = {});

    /// Appends the events in their order, one line each.
    GRU4REC_INLINE void write(const Events& events);

    /// Brings what was written to the disk, so that only replacing the file can fail: for several files of which all
    /// or none shall be replaced. write() must not be called afterwards.
    void complete() { file_.complete(); }

    /// Replaces the file at `path` by what was written, atomically.
    void commit() { file_.commit(); }

  private:
    GRU4REC_INLINE static void check(std::string_view what, std::string_view value);

    detail::AtomicFile file_;
    std::string line_;
};

/// Writes a whole file of events, as EventWriter.
GRU4REC_INLINE void write_events(const Events& events, const std::filesystem::path& path,
                                 const ColumnNames& columns = {});

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE Events read_events(const TableInputs& next, const ReadOptions& options) {
    detail::EventAppender events;
    detail::TableReader reader(options, {}, events);
    while (std::optional<TableInput> input = next()) {
        detail::read_table(*input, reader);
    }
    events.session_ids.build_index();
    return std::move(static_cast<Events&>(events));
}

GRU4REC_INLINE Dataset read_sessions(const TableInputs& next, const ReadOptions& options) {
    return Dataset(read_events(next, options), options.keep_session_ids);
}

GRU4REC_INLINE Events read_events(std::span<const std::filesystem::path> paths, const ReadOptions& options) {
    const TableInputs next = [&]() -> std::optional<TableInput> {
        if (paths.empty()) {
            return std::nullopt;
        }
        const std::filesystem::path& path = paths.front();
        paths = paths.subspan(1);
        return path;
    };
    return read_events(next, options);
}

GRU4REC_INLINE Dataset read_sessions(std::span<const std::filesystem::path> paths, const ReadOptions& options) {
    // A pipe cannot be read again if its sessions turn out not to be consecutive.
    bool is_grouped = std::all_of(paths.begin(), paths.end(), [](const std::filesystem::path& path) {
        std::error_code ignored;  // the reader says why
        return std::filesystem::is_regular_file(path, ignored);
    });
    detail::SessionAppender sessions;
    detail::TableReader reader(options, {}, sessions);
    for (std::size_t i = 0; is_grouped && i < paths.size(); ++i) {
        is_grouped = detail::read_file(paths[i], reader);
    }
    if (!is_grouped) {
        return Dataset(read_events(paths, options), options.keep_session_ids);
    }
    sessions.finish_session();
    if (options.keep_session_ids == KeepSessionIds::no) {
        sessions.session_ids = {};
    }
    return Dataset(std::move(static_cast<detail::GroupedEvents&>(sessions)));
}

GRU4REC_INLINE Events read_events(const std::filesystem::path& path, const ReadOptions& options) {
    return read_events(std::span(&path, 1), options);
}

GRU4REC_INLINE Dataset read_sessions(const std::filesystem::path& path, const ReadOptions& options) {
    return read_sessions(std::span(&path, 1), options);
}

GRU4REC_INLINE EventWriter::EventWriter(const std::filesystem::path& path, const ColumnNames& columns) : file_(path) {
    check("column name", columns.session_key);
    check("column name", columns.item_key);
    check("column name", columns.time_key);
    append_field(line_, columns.session_key);
    append_field(line_ += '\t', columns.item_key);
    append_field(line_ += '\t', columns.time_key);
    file_.write(line_ += '\n');
}

GRU4REC_INLINE void EventWriter::write(const Events& events) {
    for (Index s = 0; s < events.n_sessions(); ++s) {
        check("session id", events.session_ids.text(s));
    }
    for (Index e = 0; e < events.size(); ++e) {
        line_.clear();
        append_field(line_, events.session_ids.text(to_index(detail::at(events.sessions, e))));
        append_field(line_ += '\t', events.item_map.id(detail::at(events.items, e)));
        line_.append("\t").append(detail::format_time(events.time(e))).append("\n");
        file_.write(line_);
    }
}

GRU4REC_INLINE void EventWriter::check(std::string_view what, std::string_view value) {
    if (value.empty() || value.find_first_of("\t\r\n") != std::string_view::npos) {
        detail::throw_invalid(std::string(what) + " " + detail::quote(value) +
                              " cannot be written to a TAB-separated file: it must not be empty or contain a TAB "
                              "or a line break");
    }
}

GRU4REC_INLINE void write_events(const Events& events, const std::filesystem::path& path, const ColumnNames& columns) {
    EventWriter writer(path, columns);
    writer.write(events);
    writer.commit();
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
