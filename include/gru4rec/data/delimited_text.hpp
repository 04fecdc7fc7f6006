#ifndef GRU4REC_DATA_DELIMITED_TEXT_HPP
#define GRU4REC_DATA_DELIMITED_TEXT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The text of a file, and its name for messages.
struct SourceText {
    std::string name;
    std::string_view bytes;

    /// `path:line`. Counts the lines before `at`: only errors need the line number.
    [[nodiscard]] std::string where(const char* at) const {
        return name + ":" + std::to_string(1 + std::count(bytes.data(), at, '\n'));
    }
};

/// Cuts the next line off `text`, without its LF or CR LF.
[[nodiscard]] inline std::string_view take_line(std::string_view& text) noexcept {
    const std::size_t length = (std::min)(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix((std::min)(length + 1, text.size()));
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// Walks over the fields of one line. In comma-separated files a field may be quoted, with "" for a quote.
class Fields {
  public:
    Fields(std::string_view line, char separator) noexcept : rest_(line), separator_(separator) {}

    [[nodiscard]] bool done() const noexcept { return done_; }

    /// @param unescaped  a quoted field is appended to it and viewed there; its capacity must suffice
    /// @returns the field, or nullopt if its quotes do not match
    /// @pre !done()
    [[nodiscard]] std::optional<std::string_view> next(std::string& unescaped) {
        if (separator_ == ',' && rest_.starts_with('"')) {
            return next_quoted(unescaped);
        }
        const std::string_view field = rest_.substr(0, rest_.find(separator_));
        advance(field.size());
        return field;
    }

  private:
    [[nodiscard]] std::optional<std::string_view> next_quoted(std::string& unescaped) {
        const std::size_t begin = unescaped.size();
        for (std::size_t i = 1; i < rest_.size(); ++i) {
            if (rest_[i] != '"') {
                unescaped += rest_[i];
            } else if (i + 1 < rest_.size() && rest_[i + 1] == '"') {
                unescaped += rest_[i++];
            } else if (i + 1 == rest_.size() || rest_[i + 1] == separator_) {
                advance(i + 1);
                return std::string_view(unescaped).substr(begin);
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

/// The columns of a delimited file, as its header line defines them.
class DelimitedFormat {
  public:
    /// The fields of a line by EventField, and one more place for all columns that are not read.
    using Record = std::array<std::string_view, n_event_fields + 1>;

    static constexpr std::uint8_t unused = n_event_fields;

    /// Reads the header line and cuts it off `body`, which starts as the whole text.
    /// @throws FormatError for a file without a header, or without the columns asked for
    DelimitedFormat(const SourceText& text, const ColumnNames& columns, std::string_view& body)
        : names_{columns.session_key, columns.item_key, columns.time_key} {
        check_names();
        skip_byte_order_mark(text, body);
        const std::string where = text.where(body.data());
        const std::string_view line = take_line(body);
        if (line.empty()) {
            throw_format(where, "found no header line; the first line must name the columns, among them " +
                                    quote(names_[0]) + ", " + quote(names_[1]) + " and " + quote(names_[2]));
        }
        if (line.find('\r') != std::string_view::npos) {
            throw_format(where, "found CR within the line; lines must end with LF or CR LF, not CR alone");
        }
        separator_ = line.find('\t') != std::string_view::npos ? '\t' : ',';
        find_columns(where, line);
    }

    [[nodiscard]] char separator() const noexcept { return separator_; }
    [[nodiscard]] std::size_t n_columns() const noexcept { return fields_.size(); }

    /// The place of a column's value in a Record.
    [[nodiscard]] std::size_t field(std::size_t column) const noexcept { return fields_[column]; }

    [[nodiscard]] const std::string& name(EventField field) const noexcept { return at(names_, field); }

    /// True if there is no column of session ids: all events belong to one session.
    [[nodiscard]] bool one_session() const noexcept { return name(EventField::session).empty(); }

    [[nodiscard]] std::string_view separator_name() const noexcept { return separator_ == '\t' ? "TAB" : "comma"; }

  private:
    void check_names() const {
        if (names_[0] == names_[1] || names_[0] == names_[2] || names_[1] == names_[2]) {
            throw_invalid("session_key, item_key and time_key must name three columns, found " + quote(names_[0]) +
                          ", " + quote(names_[1]) + ", " + quote(names_[2]));
        }
    }

    static void skip_byte_order_mark(const SourceText& text, std::string_view& body) {
        if (body.starts_with("\xef\xbb\xbf")) {
            body.remove_prefix(3);
        }
        if (body.starts_with("\xff\xfe") || body.starts_with("\xfe\xff")) {
            throw_format(text.name, "looks like UTF-16; save the file as UTF-8");
        }
        if (body.starts_with("\x1f\x8b")) {
            throw_format(text.name, "looks like a gzip file; unpack it first");
        }
    }

    void find_columns(const std::string& where, std::string_view line) {
        std::array<std::size_t, n_event_fields> n_found{};
        std::string found;
        std::string unescaped;
        unescaped.reserve(line.size());
        for (Fields columns(line, separator_); !columns.done();) {
            const auto column = columns.next(unescaped);
            if (!column) {
                throw_format(where, broken_quotes);
            }
            constexpr std::size_t most_listed = 20;
            if (n_columns() < most_listed) {
                found += (found.empty() ? "" : ", ") + quote(*column);
            } else if (n_columns() == most_listed) {
                found += ", ...";
            }
            const auto name = std::find(names_.begin(), names_.end(), *column);
            const auto field = static_cast<std::uint8_t>(name - names_.begin());
            fields_.push_back(column->empty() ? unused : field);
            if (fields_.back() != unused) {
                ++n_found[field];
            }
        }
        for (std::size_t field = 0; field < n_event_fields; ++field) {
            const std::string which = "column " + quote(names_[field]);
            if (n_found[field] == 0 && !(field == 0 && one_session())) {
                throw_format(where, which + " is missing; the header line, separated by " +
                                        std::string(separator_name()) + "s, names " + found + "; " +
                                        header_hint(field, line));
            }
            if (n_found[field] > 1) {
                throw_format(where, which + " occurs more than once; rename all but one");
            }
        }
    }

    [[nodiscard]] std::string header_hint(std::size_t field, std::string_view line) const {
        constexpr std::array<std::string_view, n_event_fields> setting{"session_key", "item_key", "time_key"};
        constexpr std::array<std::string_view, n_event_fields> option{"session-key", "item-key", "time-key"};
        if (n_columns() == 1 && line.find(';') != std::string_view::npos) {
            return "use commas instead of semicolons";
        }
        if (n_columns() == 1 && line.find(' ') != std::string_view::npos) {
            return "use TABs or commas instead of blanks";
        }
        return "correct the header or set " + std::string(setting[field]) + " (option --" + std::string(option[field]) +
               " of the program)";
    }

    char separator_ = '\t';
    std::array<std::string, n_event_fields> names_;
    std::vector<std::uint8_t> fields_;  // by column: its EventField or `unused`
};

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

/// Splits a line that has as many fields as the header and no quotes, as nearly all lines do, and moves `position` to
/// the next line.
/// @returns false, and leaves `position`, for any other line
[[nodiscard]] inline bool split_plain_line(const DelimitedFormat& format, const char*& position, const char* end,
                                           DelimitedFormat::Record& record) noexcept {
    const char* from = position;
    const std::size_t last = format.n_columns() - 1;
    for (std::size_t column = 0;; ++column) {
        const char* to = field_end(from, end, format.separator());
        const bool line_ends = to == end || *to == '\n';
        if (line_ends != (column == last) || (format.separator() == ',' && from != to && *from == '"')) {
            return false;
        }
        const char* const next = to == end ? to : to + 1;
        if (line_ends && from != to && to[-1] == '\r') {
            --to;
        }
        record[format.field(column)] = {from, static_cast<std::size_t>(to - from)};
        if (line_ends) {
            position = next;
            return true;
        }
        from = next;
    }
}

/// Splits any line, without its line end. @returns what is wrong with it, or an empty text
[[nodiscard]] inline std::string split_line(const DelimitedFormat& format, std::string_view line,
                                            DelimitedFormat::Record& record, std::string& unescaped) {
    std::size_t column = 0;
    for (Fields fields(line, format.separator()); !fields.done(); ++column) {
        const auto field = fields.next(unescaped);
        if (!field) {
            return std::string(broken_quotes);
        }
        record[column < format.n_columns() ? format.field(column) : DelimitedFormat::unused] = *field;
    }
    if (column == format.n_columns()) {
        return {};
    }
    return "the line has " + std::to_string(column) + " fields, the header " + std::to_string(format.n_columns()) +
           ": " + quote(line) + "; look for a missing or an additional " + std::string(format.separator_name());
}

[[nodiscard]] inline std::string bad_time(std::string_view text) {
    return quote(text) +
           " is not a valid time; expected an integer or a decimal number within 64 bits, such as 1396310400 or "
           "1396310400.25; convert dates to seconds";
}

/// @returns false if the text is not a valid time
[[nodiscard]] GRU4REC_ALWAYS_INLINE bool read_time(std::string_view text, EventTime& time) noexcept {
    if (parse_plain_time(text, time)) {
        return true;
    }
    const auto parsed = parse_time(text);
    time = parsed.value_or(EventTime{});
    return parsed.has_value();
}

/// Parses whole lines into events, up to the first problem. Skips empty lines.
inline void parse_lines(const DelimitedFormat& format, std::string_view lines, EventChunk& chunk) {
    DelimitedFormat::Record record;
    at(record, EventField::session) = "1";  // stays if there is no such column
    EventTime time;
    const char* position = lines.data();
    const char* const end = position + lines.size();
    while (position != end) {
        const char* const start = position;
        if (!split_plain_line(format, position, end, record)) {
            std::string_view rest(position, static_cast<std::size_t>(end - position));
            const std::string_view line = take_line(rest);
            position = end - rest.size();
            if (line.empty()) {
                continue;
            }
            std::string& unescaped = chunk.unescaped(lines.size());  // a field is longer in its quotes
            if (std::string problem = split_line(format, line, record, unescaped); !problem.empty()) {
                return chunk.finish(LineProblem{start, {EventField::none, std::move(problem)}});
            }
        }
        if (!read_time(at(record, EventField::time), time)) {
            return chunk.finish(LineProblem{start, {EventField::time, bad_time(at(record, EventField::time))}});
        }
        if (!chunk.add({start, at(record, EventField::session), at(record, EventField::item), time})) {
            return;
        }
    }
    chunk.finish();
}

/// A file of delimited text with a header line.
class DelimitedText {
  public:
    /// @param bytes  must outlive this object
    /// @throws FormatError for a file without a header, or without the columns asked for
    DelimitedText(const std::string& name, std::string_view bytes, const ColumnNames& columns)
        : source_{name, bytes}, body_(bytes), format_(source_, columns, body_) {}

    [[nodiscard]] const std::string& name() const noexcept { return source_.name; }

    /// The lines of events.
    [[nodiscard]] std::string_view body() const noexcept { return body_; }

    /// Parses a part of body() that ends at a line end. @threads safe for distinct chunks
    void parse(std::string_view lines, EventChunk& chunk) const { parse_lines(format_, lines, chunk); }

    [[noreturn]] void fail(const LineProblem& problem) const {
        const auto& [field, text] = problem.event;
        throw_format(source_.where(problem.line),
                     field == EventField::none ? text : "column " + quote(format_.name(field)) + ": " + text);
    }

  private:
    SourceText source_;
    std::string_view body_;
    DelimitedFormat format_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
