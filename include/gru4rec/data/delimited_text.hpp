#ifndef GRU4REC_DATA_DELIMITED_TEXT_HPP
#define GRU4REC_DATA_DELIMITED_TEXT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/event_time.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
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
    static constexpr std::uint8_t no_role = n_roles;

    char separator = '\t';
    std::array<std::string, n_roles> keys;  ///< column names by role
    std::vector<std::uint8_t> roles;        ///< by column

    /// No column of sessions: all events are of one.
    [[nodiscard]] bool one_session() const noexcept { return keys[session].empty(); }
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
            if (*name == format.keys[role] && !format.keys[role].empty()) {
                format.roles.back() = role;
                ++found[role];
            }
        }
    }
    for (std::size_t role = 0; role < TableFormat::n_roles; ++role) {
        const std::string which = "column " + quote(format.keys[role]);
        if (found[role] == 0 && !(role == TableFormat::session && format.one_session())) {
            constexpr std::array<std::string_view, TableFormat::n_roles> setting{"session_key", "item_key", "time_key"};
            constexpr std::array<std::string_view, TableFormat::n_roles> option{"session-key", "item-key", "time-key"};
            const bool semicolons = format.roles.size() == 1 && line.find(';') != std::string_view::npos;
            const bool blanks = format.roles.size() == 1 && line.find(' ') != std::string_view::npos;
            throw_format(text.where(start),
                         which + " is missing; the header line, separated by " +
                             (format.separator == '\t' ? "TABs" : "commas") + ", names " + names + "; " +
                             (semicolons ? "use commas instead of semicolons"
                              : blanks   ? "use TABs or commas instead of blanks"
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

/// What is wrong with the line that starts at `at`.
struct LineProblem {
    const char* at = nullptr;
    std::string text{};
};

/// One event as the file has it.
struct Row {
    const char* at = nullptr;  ///< the start of its line
    RowValues values;
    EventTime when;
    std::uint32_t item_tag = 0;  ///< ItemMap::hash

    [[nodiscard]] std::string_view session_id() const noexcept { return values[TableFormat::session]; }
    [[nodiscard]] std::string_view item_id() const noexcept { return values[TableFormat::item]; }
    [[nodiscard]] std::string_view time() const noexcept { return values[TableFormat::time]; }
};

/// Walks over lines, up to the first that cannot be read.
class RowReader {
  public:
    /// @param format  must outlive the reader
    /// @param lines   whole lines; wholly empty ones are passed over
    RowReader(const TableFormat& format, std::string_view lines) noexcept
        : format_(&format), at_(lines.data()), end_(lines.data() + lines.size()) {}

    /// @returns false at the end and at a problem. @param row  valid until forget()
    [[nodiscard]] bool next(Row& row) {
        while (at_ != end_ && !problem_) {
            row.at = at_;
            if (!split_plain_line(*format_, at_, end_, row.values) && !split_any_line(row.values)) {
                continue;
            }
            return read_time(row);
        }
        return false;
    }

    /// Lets go of the texts of all rows so far.
    void forget() noexcept { unescaped_.clear(); }

    [[nodiscard]] std::optional<LineProblem>& problem() noexcept { return problem_; }

    [[nodiscard]] LineProblem in_column(const char* at, TableFormat::Role role, const std::string& text) const {
        return {at, "column " + quote(format_->keys[role]) + ": " + text};
    }

  private:
    [[nodiscard]] bool read_time(Row& row) {
        if (parse_plain_time(row.time(), row.when)) {
            return true;
        }
        const auto when = parse_time(row.time());
        if (!when) {
            problem_ = in_column(
                row.at, TableFormat::time,
                quote(row.time()) +
                    " is no time; expected an integer or a decimal number within 64 bits, such as 1396310400 or "
                    "1396310400.25; convert dates to seconds");
            return false;
        }
        row.when = *when;
        return true;
    }

    /// @returns false for an empty line and for one with a problem
    [[nodiscard]] bool split_any_line(RowValues& values) {
        const char* const start = at_;
        std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
        const std::string_view line = take_line(rest);
        at_ = end_ - rest.size();
        if (line.empty()) {
            return false;
        }
        std::size_t column = 0;
        for (Fields fields(line, format_->separator); !fields.done(); ++column) {
            const auto field = fields.next(unescaped_.emplace_back());
            if (!field) {
                problem_ = LineProblem{start, std::string(broken_quotes)};
                return false;
            }
            values[column < format_->roles.size() ? format_->roles[column] : TableFormat::no_role] = *field;
        }
        if (column != format_->roles.size()) {
            problem_ = LineProblem{start, "the line has " + std::to_string(column) + " fields, the header " +
                                              std::to_string(format_->roles.size()) + ": " + quote(line) +
                                              "; look for a missing or an additional " +
                                              (format_->separator == '\t' ? "TAB" : "comma")};
            return false;
        }
        return true;
    }

    const TableFormat* format_;
    const char* at_;
    const char* end_;
    std::deque<std::string> unescaped_;
    std::optional<LineProblem> problem_;
};

/// Gives the events of whole lines to `events`, up to the first problem. A function of these bytes alone, so that a
/// file may be cut at line ends.
///
/// Rows go through two loops, a block at a time, so that the cache misses of a block's items overlap: `announce(row)`
/// may ask for memory that `add(row)` reads. Where add() returns false, `problem()` says why.
template <class Collector>
[[nodiscard]] std::optional<LineProblem> collect_lines(const TableFormat& format, std::string_view lines,
                                                       Collector&& events) {
    RowReader reader(format, lines);
    std::array<Row, 64> rows;
    if (format.one_session()) {
        for (Row& row : rows) {
            row.values[TableFormat::session] = "1";
        }
    }
    for (std::size_t n = rows.size(); n == rows.size();) {
        reader.forget();
        for (n = 0; n < rows.size() && reader.next(rows[n]); ++n) {
            events.announce(rows[n]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            if (!events.add(rows[i])) {
                const EventProblem& problem = events.problem();
                return reader.in_column(rows[i].at, problem.in_session_id ? TableFormat::session : TableFormat::item,
                                        problem.text);
            }
        }
    }
    return std::move(reader.problem());
}

/// Feeds an EventCollector with rows.
class RowCollector {
  public:
    explicit RowCollector(EventCollector& events) noexcept : events_(&events) {}

    void announce(Row&) const noexcept {}

    [[nodiscard]] bool add(const Row& row) {
        problem_ = events_->add(row.session_id(), row.item_id(), row.when);
        return !problem_;
    }

    [[nodiscard]] const EventProblem& problem() const noexcept { return problem_; }

  private:
    EventCollector* events_;
    EventProblem problem_;
};

/// Gives the events of whole lines, a piece of text.bytes, to `events`.
/// @throws FormatError naming file, line, column and value
inline void parse_lines(const TableText& text, const TableFormat& format, std::string_view lines,
                        EventCollector& events) {
    if (const auto problem = collect_lines(format, lines, RowCollector(events))) {
        throw_format(text.where(problem->at), problem->text);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
