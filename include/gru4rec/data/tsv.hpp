#ifndef GRU4REC_DATA_TSV_HPP
#define GRU4REC_DATA_TSV_HPP

#include "gru4rec/core/atomic_file.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/event_time.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/file_bytes.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// The text of a file and what is needed to point into it.
struct TableText {
    std::string name;
    std::string_view bytes;

    /// `path:line`; counts the lines before `at`, for only errors need the number
    [[nodiscard]] std::string where(const char* at) const {
        return name + ":" + std::to_string(1 + std::count(bytes.data(), at, '\n'));
    }
};

/// What the header line says.
struct TableFormat {
    enum Role : std::size_t { session, item, time };
    static constexpr std::size_t n_roles = 3;

    char separator = '\t';
    std::size_t n_columns = 0;
    std::array<std::string, n_roles> keys;       ///< column names by role
    std::array<std::size_t, n_roles> columns{};  ///< column numbers by role
};

/// Cuts the next line off `text`, without its LF or CR LF.
[[nodiscard]] inline std::string_view take_line(std::string_view& text) noexcept {
    const void* const found = text.empty() ? nullptr : std::memchr(text.data(), '\n', text.size());
    const std::size_t length =
        found == nullptr ? text.size() : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    std::string_view line = text.substr(0, length);
    text.remove_prefix(found == nullptr ? length : length + 1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// Walks over the fields of one line. In comma-separated files a field may stand in quotes, "" meaning one quote.
class Fields {
  public:
    Fields(std::string_view line, char separator) noexcept : rest_(line), separator_(separator) {}

    [[nodiscard]] bool done() const noexcept { return done_; }

    /// @param unescaped  holds the field's text where it cannot be a piece of the line
    /// @returns the field, or nothing where its quotes do not match. @pre !done()
    [[nodiscard]] std::optional<std::string_view> next(std::string& unescaped) {
        if (separator_ == ',' && rest_.starts_with('"')) {
            return next_quoted(unescaped);
        }
        const std::size_t length = rest_.find(separator_);
        const std::string_view field = rest_.substr(0, length);
        advance(field.size());
        return field;
    }

  private:
    [[nodiscard]] std::optional<std::string_view> next_quoted(std::string& unescaped) {
        unescaped.clear();
        for (std::size_t at = 1; at < rest_.size(); ++at) {
            if (rest_[at] != '"') {
                unescaped += rest_[at];
            } else if (at + 1 < rest_.size() && rest_[at + 1] == '"') {
                unescaped += rest_[at++];
            } else if (at + 1 == rest_.size() || rest_[at + 1] == separator_) {
                advance(at + 1);
                return unescaped;
            } else {
                break;
            }
        }
        done_ = true;
        return std::nullopt;
    }

    void advance(std::size_t length) noexcept {
        done_ = length == rest_.size();
        rest_.remove_prefix(done_ ? length : length + 1);
    }

    std::string_view rest_;
    char separator_;
    bool done_ = false;
};

inline constexpr std::string_view broken_quotes =
    "the quotes of a field do not match; a quoted field must end on its line, directly before a comma, with \"\" for a "
    "quote inside it";

/// Reads the header line and cuts it off `body`.
/// @throws FormatError for a file without one, or without the columns asked for
[[nodiscard]] inline TableFormat read_header(const TableText& text, const Columns& columns, std::string_view& body) {
    TableFormat format;
    format.keys = {columns.session_key, columns.item_key, columns.time_key};
    if (body.starts_with("\xef\xbb\xbf")) {
        body.remove_prefix(3);
    }
    if (body.starts_with("\xff\xfe") || body.starts_with("\xfe\xff")) {
        throw_format(text.name, "looks like UTF-16; save the file as UTF-8");
    }
    if (body.starts_with("\x1f\x8b")) {
        throw_format(text.name, "looks like a gzip file; unpack it first");
    }
    const auto& keys = format.keys;
    if (keys[0] == keys[1] || keys[0] == keys[2] || keys[1] == keys[2]) {
        throw_invalid("session_key, item_key and time_key must name three columns, found " + quote(keys[0]) + ", " +
                      quote(keys[1]) + ", " + quote(keys[2]));
    }
    const std::string wanted = quote(keys[0]) + ", " + quote(keys[1]) + " and " + quote(keys[2]);
    const char* const start = body.data();
    const std::string_view line = take_line(body);
    if (line.empty()) {
        throw_format(text.where(start),
                     "found no header line; the first line must name the columns, among them " + wanted);
    }
    if (line.find('\r') != std::string_view::npos) {
        throw_format(text.where(start), "found CR within the line; lines must end with LF or CR LF, not CR alone");
    }
    format.separator = line.find('\t') != std::string_view::npos ? '\t' : ',';

    std::array<std::size_t, TableFormat::n_roles> found{};
    std::string names;
    for (Fields fields(line, format.separator); !fields.done(); ++format.n_columns) {
        std::string unescaped;
        const auto name = fields.next(unescaped);
        if (!name) {
            throw_format(text.where(start), broken_quotes);
        }
        if (format.n_columns < 20) {
            names += (names.empty() ? "" : ", ") + quote(*name);
        } else if (format.n_columns == 20) {
            names += ", ...";
        }
        for (std::size_t role = 0; role < TableFormat::n_roles; ++role) {
            if (*name == format.keys[role]) {
                format.columns[role] = format.n_columns;
                ++found[role];
            }
        }
    }
    for (std::size_t role = 0; role < TableFormat::n_roles; ++role) {
        const std::string which = "column " + quote(format.keys[role]);
        if (found[role] == 0) {
            constexpr std::array<std::string_view, TableFormat::n_roles> setting{"session_key", "item_key", "time_key"};
            constexpr std::array<std::string_view, TableFormat::n_roles> option{"session-key", "item-key", "time-key"};
            const bool semicolons = format.n_columns == 1 && line.find(';') != std::string_view::npos;
            throw_format(text.where(start),
                         which + " is missing; the header line, separated by " +
                             (format.separator == '\t' ? "TABs" : "commas") + ", names " + names + "; " +
                             (semicolons ? "use commas instead of semicolons"
                                         : "correct the header or set " + std::string(setting[role]) + " (option --" +
                                               std::string(option[role]) + " of the program)"));
        }
        if (found[role] > 1) {
            throw_format(text.where(start), which + " occurs more than once; rename all but one");
        }
    }
    return format;
}

/// Gives the events of whole lines to `events`. A function of these bytes alone, so that a file may be cut at line
/// ends.
///
/// @param lines  a piece of text.bytes; wholly empty lines are passed over
/// @throws FormatError naming file, line, column and value
inline void parse_lines(const TableText& text, const TableFormat& format, std::string_view lines,
                        EventCollector& events) {
    using enum TableFormat::Role;
    const auto fail = [&](const char* at, std::optional<std::size_t> role, const std::string& problem) {
        throw_format(text.where(at), (role ? "column " + quote(format.keys[*role]) + ": " : "") + problem);
    };
    std::array<std::string_view, TableFormat::n_roles> values;
    std::array<std::string, TableFormat::n_roles> unescaped;
    std::string ignored;
    while (!lines.empty()) {
        const char* const start = lines.data();
        const std::string_view line = take_line(lines);
        if (line.empty()) {
            continue;
        }
        std::size_t column = 0;
        for (Fields fields(line, format.separator); !fields.done(); ++column) {
            const auto role =
                static_cast<std::size_t>(std::ranges::find(format.columns, column) - format.columns.begin());
            const auto field = fields.next(role < TableFormat::n_roles ? unescaped[role] : ignored);
            if (!field) {
                fail(start, std::nullopt, std::string(broken_quotes));
            }
            if (role < TableFormat::n_roles) {
                values[role] = *field;
            }
        }
        if (column != format.n_columns) {
            fail(start, std::nullopt,
                 "the line has " + std::to_string(column) + " fields, the header " + std::to_string(format.n_columns) +
                     ": " + quote(line) + "; look for a missing or an additional " +
                     (format.separator == '\t' ? "TAB" : "comma"));
        }
        const auto when = parse_time(values[time]);
        if (!when) {
            fail(start, time,
                 quote(values[time]) +
                     " is no time; expected an integer or a decimal number within 64 bits, such as 1396310400 or "
                     "1396310400.25; convert dates to seconds");
        }
        if (const EventProblem problem = events.add(values[session], values[item], *when)) {
            fail(start, problem.in_session_id ? session : item, problem.text);
        }
    }
}

}  // namespace detail

/// Reads the events of a TAB- or comma-separated file with a header line, in the order of the file.
///
/// The separator is the TAB if the header line holds one, else the comma. Columns are found by name, in any order,
/// among any others. Session ids are any text, item ids any UTF-8 text, times integers or decimals. A byte-order mark,
/// CR LF, empty lines and a missing line end at the end are fine; comma-separated fields may stand in quotes.
///
/// @throws IoError for a file that cannot be read, FormatError for content that is not understood
[[nodiscard]] inline Events read_events(const std::filesystem::path& path, const ReadOptions& options = {}) {
    const detail::FileBytes file(path);
    const detail::TableText text{path.string(), file.view()};
    std::string_view body = text.bytes;
    const detail::TableFormat format = detail::read_header(text, options.columns, body);
    EventCollector events(options.known_items);
    events.reserve(static_cast<Index>(std::count(body.begin(), body.end(), '\n')) + 1);
    detail::parse_lines(text, format, body, events);
    return std::move(events).take();
}

/// Reads a file of events, as read_events, and makes sessions of them. A file without events gives an empty Dataset.
[[nodiscard]] inline Dataset read_sessions(const std::filesystem::path& path, const ReadOptions& options = {}) {
    return Dataset(read_events(path, options), options.keep_session_ids);
}

/// Writes events as a TAB-separated file that read_events reads back as they are.
///
/// @throws IoError where the file cannot be written; a file of that name is then as it was
/// @throws std::invalid_argument for a session id or a column name with a TAB or a line break
inline void write_events(const Events& events, const std::filesystem::path& path, const Columns& columns = {}) {
    const auto check = [](std::string_view what, std::string_view value) {
        if (value.empty() || value.find_first_of("\t\r\n") != std::string_view::npos) {
            detail::throw_invalid(std::string(what) + " " + detail::quote(value) +
                                  " cannot be written to a TAB-separated file: it must not be empty and not hold a TAB "
                                  "or a line break");
        }
    };
    check("column name", columns.session_key);
    check("column name", columns.item_key);
    check("column name", columns.time_key);
    for (Index s = 0; s < events.n_sessions(); ++s) {
        check("session id", events.session_ids.text(s));
    }
    AtomicFile file(path);
    std::string line = columns.session_key + "\t" + columns.item_key + "\t" + columns.time_key + "\n";
    file.write(line);
    for (Index e = 0; e < events.size(); ++e) {
        const auto at = static_cast<std::size_t>(e);
        line.assign(events.session_ids.text(to_index(events.sessions[at]))).append("\t");
        line.append(events.item_map.id(events.items[at])).append("\t");
        line.append(detail::format_time(events.time(e))).append("\n");
        file.write(line);
    }
    file.commit();
}

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
