#ifndef GRU4REC_DATA_TABLE_HPP
#define GRU4REC_DATA_TABLE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/event_time.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI::detail {

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
    static constexpr std::uint8_t no_role = n_roles;

    char separator = '\t';
    std::array<std::string, n_roles> keys;  ///< column names by role
    std::vector<std::uint8_t> roles;        ///< by column
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
    for (Fields fields(line, format.separator); !fields.done();) {
        std::string unescaped;
        const auto name = fields.next(unescaped);
        if (!name) {
            throw_format(text.where(start), broken_quotes);
        }
        if (format.roles.size() < 20) {
            names += (names.empty() ? "" : ", ") + quote(*name);
        } else if (format.roles.size() == 20) {
            names += ", ...";
        }
        format.roles.push_back(TableFormat::no_role);
        for (std::uint8_t role = 0; role < TableFormat::n_roles; ++role) {
            if (*name == format.keys[role]) {
                format.roles.back() = role;
                ++found[role];
            }
        }
    }
    for (std::size_t role = 0; role < TableFormat::n_roles; ++role) {
        const std::string which = "column " + quote(format.keys[role]);
        if (found[role] == 0) {
            constexpr std::array<std::string_view, TableFormat::n_roles> setting{"session_key", "item_key", "time_key"};
            constexpr std::array<std::string_view, TableFormat::n_roles> option{"session-key", "item-key", "time-key"};
            const bool semicolons = format.roles.size() == 1 && line.find(';') != std::string_view::npos;
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

/// The texts of one line by role; behind them room for columns that nobody asked for.
using RowValues = std::array<std::string_view, TableFormat::n_roles + 1>;

/// 0x80 in every byte of `word` that equals the byte of `pattern` at its place, 0 elsewhere.
[[nodiscard]] constexpr std::uint64_t equal_bytes(std::uint64_t word, std::uint64_t pattern) noexcept {
    constexpr std::uint64_t low_bits = 0x7f7f7f7f7f7f7f7fULL;
    const std::uint64_t difference = word ^ pattern;
    return ~(((difference & low_bits) + low_bits) | difference | low_bits);
}

/// The first separator or LF in [from, end), else `end`. Fields are short: eight bytes at a time beat a call of memchr.
[[nodiscard]] inline const char* field_end(const char* from, const char* end, char separator) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101ULL;
    const std::uint64_t separators = ones * static_cast<unsigned char>(separator);
    for (; end - from >= 8; from += 8) {
        const auto word = load_word<std::uint64_t>(from);
        if (const std::uint64_t found = equal_bytes(word, separators) | equal_bytes(word, ones * '\n')) {
            const int bit =
                std::endian::native == std::endian::little ? std::countr_zero(found) : std::countl_zero(found);
            return from + bit / 8;
        }
    }
    while (from != end && *from != separator && *from != '\n') {
        ++from;
    }
    return from;
}

/// Splits a line that has as many fields as the header and no quotes, as nearly all lines do, and moves `at` behind it.
/// @returns false, and leaves `at`, for any other line
[[nodiscard]] inline bool split_plain_line(const TableFormat& format, const char*& at, const char* end,
                                           RowValues& values) noexcept {
    const char* from = at;
    const std::size_t last = format.roles.size() - 1;
    for (std::size_t column = 0;; ++column) {
        const char* to = field_end(from, end, format.separator);
        const bool line_ends = to == end || *to == '\n';
        if (line_ends != (column == last) || (format.separator == ',' && from != to && *from == '"')) {
            return false;
        }
        const char* const next = to == end ? to : to + 1;
        if (line_ends && from != to && to[-1] == '\r') {
            --to;
        }
        values[format.roles[column]] = {from, static_cast<std::size_t>(to - from)};
        if (line_ends) {
            at = next;
            return true;
        }
        from = next;
    }
}

/// What is wrong with a line that starts at `at`; its text is complete but for the place.
struct LineProblem {
    const char* at = nullptr;
    std::string text{};
};

/// Splits any line. @returns what is wrong with it, or an empty text
[[nodiscard]] inline std::string split_line(const TableFormat& format, std::string_view line, RowValues& values,
                                            std::array<std::string, TableFormat::n_roles + 1>& unescaped) {
    std::size_t column = 0;
    for (Fields fields(line, format.separator); !fields.done(); ++column) {
        const std::size_t role = column < format.roles.size() ? format.roles[column] : TableFormat::no_role;
        const auto field = fields.next(unescaped[role]);
        if (!field) {
            return std::string(broken_quotes);
        }
        values[role] = *field;
    }
    if (column == format.roles.size()) {
        return {};
    }
    return "the line has " + std::to_string(column) + " fields, the header " + std::to_string(format.roles.size()) +
           ": " + quote(line) + "; look for a missing or an additional " +
           (format.separator == '\t' ? "TAB" : "comma");
}

/// Gives the events of whole lines to `events.add(session_id, item_id, time)`, up to the first problem. A function of
/// these bytes alone, so that a file may be cut at line ends.
///
/// @param lines  wholly empty ones are passed over
template <class Collector>
[[nodiscard]] std::optional<LineProblem> collect_lines(const TableFormat& format, std::string_view lines,
                                                       Collector& events) {
    using enum TableFormat::Role;
    const auto in_column = [&](const char* at, TableFormat::Role role, const std::string& text) {
        return LineProblem{at, "column " + quote(format.keys[role]) + ": " + text};
    };
    RowValues values;
    std::array<std::string, TableFormat::n_roles + 1> unescaped;
    const char* at = lines.data();
    const char* const end = at + lines.size();
    while (at != end) {
        const char* const start = at;
        if (!split_plain_line(format, at, end, values)) {
            std::string_view rest(at, static_cast<std::size_t>(end - at));
            const std::string_view line = take_line(rest);
            at = end - rest.size();
            if (line.empty()) {
                continue;
            }
            if (std::string problem = split_line(format, line, values, unescaped); !problem.empty()) {
                return LineProblem{start, std::move(problem)};
            }
        }
        const auto when = parse_time(values[time]);
        if (!when) {
            return in_column(
                start, time,
                quote(values[time]) +
                    " is no time; expected an integer or a decimal number within 64 bits, such as 1396310400 or "
                    "1396310400.25; convert dates to seconds");
        }
        if (const EventProblem problem = events.add(values[session], values[item], *when)) {
            return in_column(start, problem.in_session_id ? session : item, problem.text);
        }
    }
    return std::nullopt;
}

/// Gives the events of whole lines, a piece of text.bytes, to `events`.
/// @throws FormatError naming file, line, column and value
inline void parse_lines(const TableText& text, const TableFormat& format, std::string_view lines,
                        EventCollector& events) {
    if (const auto problem = collect_lines(format, lines, events)) {
        throw_format(text.where(problem->at), problem->text);
    }
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
