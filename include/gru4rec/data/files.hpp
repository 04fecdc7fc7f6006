#ifndef GRU4REC_DATA_FILES_HPP
#define GRU4REC_DATA_FILES_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/delimited_text.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/reader.hpp"
#endif

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Reads the events of a TAB- or comma-separated file with a header line, in the order of the file.
///
/// The separator is the TAB if the header line contains one, else the comma. Columns are found by name, in any order,
/// among any others. Session ids are any text, item ids any UTF-8 text, times integers or decimals. A byte-order mark,
/// CR LF, empty lines and a missing line end at the end are accepted; comma-separated fields may be quoted.
///
/// @throws IoError for a file that cannot be read, FormatError for invalid content
[[nodiscard]] GRU4REC_INLINE Events read_events(const std::filesystem::path& path, const ReadOptions& options = {});

/// Reads a file of events, as read_events, and groups them into sessions. A file without events makes an empty Dataset.
///
/// If the events of every session are consecutive in the file, no memory is needed for the times of events.
[[nodiscard]] GRU4REC_INLINE Dataset read_sessions(const std::filesystem::path& path, const ReadOptions& options = {});

/// Writes a TAB-separated file, a batch of events at a time, that read_events reads back unchanged. Without commit(),
/// the file is not created or replaced.
///
/// @throws IoError if the file cannot be written; an existing file is then untouched
/// @throws std::invalid_argument for a session id or a column name that contains a TAB or a line break
class EventWriter {
  public:
    /// Creates a temporary file beside `path` and writes the header line.
    GRU4REC_INLINE explicit EventWriter(const std::filesystem::path& path, const ColumnNames& columns = {});

    /// Appends the events in their order, one line each.
    GRU4REC_INLINE void write(const Events& events);

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

GRU4REC_INLINE Events read_events(const std::filesystem::path& path, const ReadOptions& options) {
    const detail::FileBytes file(path);
    const detail::DelimitedText text(path.string(), file.view(), options.columns);
    return detail::read_events(text, options.known_items, {.file = &file});
}

GRU4REC_INLINE Dataset read_sessions(const std::filesystem::path& path, const ReadOptions& options) {
    const detail::FileBytes file(path);
    const detail::DelimitedText text(path.string(), file.view(), options.columns);
    const detail::ReadSettings settings{.file = &file};
    if (auto sessions = detail::read_grouped(text, options.known_items, settings)) {
        if (options.keep_session_ids == KeepSessionIds::no) {
            sessions->session_ids = {};
        }
        return Dataset(std::move(*sessions));
    }
    return Dataset(detail::read_events(text, options.known_items, settings), options.keep_session_ids);
}

GRU4REC_INLINE EventWriter::EventWriter(const std::filesystem::path& path, const ColumnNames& columns) : file_(path) {
    check("column name", columns.session_key);
    check("column name", columns.item_key);
    check("column name", columns.time_key);
    file_.write(columns.session_key + "\t" + columns.item_key + "\t" + columns.time_key + "\n");
}

GRU4REC_INLINE void EventWriter::write(const Events& events) {
    for (Index s = 0; s < events.n_sessions(); ++s) {
        check("session id", events.session_ids.text(s));
    }
    for (Index e = 0; e < events.size(); ++e) {
        line_.assign(events.session_ids.text(to_index(detail::at(events.sessions, e)))).append("\t");
        line_.append(events.item_map.id(detail::at(events.items, e))).append("\t");
        line_.append(detail::format_time(events.time(e))).append("\n");
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
