#ifndef GRU4REC_DATA_FIRST_ROW_HPP
#define GRU4REC_DATA_FIRST_ROW_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/not_a_table.hpp"
#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Says what was found in the first row of a table, or why the table cannot be read.
class FirstRowNotes {
  public:
    FirstRowNotes(const TextSource& source, const ReadOptions& options)
        : name_(source.name()), report_(options.report) {}

    /// The first row is in the source's piece. @param row  its first character
    void set_place(const TextSource& source, const char* row) { place_ = source.where(row); }

    void note(const std::string& text) const {
        if (report_ != nullptr) {
            report_->notes.push_back(name_ + ": " + text);
        }
    }

    [[noreturn]] void fail(const std::string& problem) const { throw_format(place_, problem); }

  private:
    std::string name_;
    ReadReport* report_;
    std::string place_;
};

[[nodiscard]] inline std::array<const std::string*, n_event_fields> event_keys(const ColumnNames& columns) noexcept {
    return {&columns.session_key, &columns.item_key, &columns.time_key};
}

/// Drops the types of a RecBole header, in which all columns have one.
inline void strip_types(std::vector<std::string>& names) {
    const auto has_type = [](const std::string& name) { return without_type(name).size() < name.size(); };
    if (std::all_of(names.begin(), names.end(), has_type)) {
        for (std::string& name : names) {
            name = std::string(without_type(name));
        }
    }
}

/// The first row of a table: its separator, its fields, and whether they name the columns.
class FirstRow {
  public:
    /// More columns than this are an error: a file without line ends must not make millions of names.
    static constexpr std::size_t max_columns = std::size_t{1} << 16U;

    /// @param body  starts as the first piece of `source`; what precedes the first row of events is cut off
    FirstRow(TextSource& source, const ReadOptions& options, FirstRowNotes& notes, std::string_view& body)
        : options_(&options), notes_(&notes) {
        while (body.size() < longest_signature && !source.is_last()) {
            body = source.next(body);
        }
        check_is_table(source.name(), body);
        body.remove_prefix(body.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
        notes.set_place(source, body.data());
        std::string_view rest = body;
        const std::string_view line = take_line(rest);
        check_line(line);
        const char asked = options.layout.separator;
        separator_ = asked != '\0' ? asked : separator_of(line, options.layout.quotes);
        while (!read_fields(body, rest)) {
            if (source.is_last()) {
                notes.fail(std::string(broken_quotes));
            }
            body = source.next(body);
        }
        if (is_header()) {
            header_ = without_line_end(body.substr(0, body.size() - rest.size()));
            strip_types(fields_);
            body = rest;
        }
    }

    [[nodiscard]] char separator() const noexcept { return separator_; }

    /// The names of the columns, or the first values.
    [[nodiscard]] const std::vector<std::string>& fields() const noexcept { return fields_; }

    /// The row as it is written, if it names the columns, else empty.
    [[nodiscard]] const std::string& header() const noexcept { return header_; }

  private:
    static constexpr std::size_t longest_signature = 256;  // and blanks before it

    [[nodiscard]] static std::string without_line_end(std::string_view row) {
        row.remove_suffix(row.ends_with('\n') ? 1 : 0);
        row.remove_suffix(row.ends_with('\r') ? 1 : 0);
        return std::string(row);
    }

    void check_line(std::string_view line) const {
        if (line.size() > TextSource::longest_line) {
            notes_->fail("the line is longer than 64 MiB; look for a missing line end");
        }
        const auto keys = event_keys(options_->columns);
        if (line.empty()) {
            notes_->fail("found no header line; the first line must name the columns, among them " + quote(*keys[0]) +
                         ", " + quote(*keys[1]) + " and " + quote(*keys[2]));
        }
        if (line.find('\r') != std::string_view::npos) {
            notes_->fail("found CR within the line; lines must end with LF or CR LF, not CR alone");
        }
    }

    /// @param rest  what follows the row
    /// @returns false if the text ends inside of quotes
    [[nodiscard]] bool read_fields(std::string_view body, std::string_view& rest) {
        using Found = FieldReader::Found;
        fields_.clear();
        std::string unescaped;
        FieldReader reader(body, separator_, options_->layout.quotes);
        for (Found found = Found::field; found == Found::field;) {
            std::string_view value;
            unescaped.clear();
            found = reader.next(unescaped, value);
            if (found == Found::open_quote) {
                return false;
            }
            if (found == Found::bad_quote) {
                notes_->fail(std::string(broken_quotes));
            }
            if (fields_.size() == max_columns) {
                notes_->fail("the first line has more than " + std::to_string(max_columns) +
                             " fields; expected one per column; look for a missing line end");
            }
            fields_.emplace_back(trimmed(value));
        }
        rest = reader.rest();
        return true;
    }

    [[nodiscard]] static bool looks_like_data(std::string_view field) {
        EventTime time;
        return read_number(field, time) || parse_date(field);
    }

    /// Whether one of the keys names a field, by a name and not by a number.
    [[nodiscard]] bool names_a_column() const {
        const ColumnFinder columns(fields_, true);
        std::vector<std::string> plain(fields_);
        strip_types(plain);
        const ColumnFinder typed(std::move(plain), true);
        const std::array known{std::span<const std::string_view>(session_names),
                               std::span<const std::string_view>(item_names),
                               std::span<const std::string_view>(time_names)};
        const auto keys = event_keys(options_->columns);
        for (std::size_t i = 0; i < n_event_fields; ++i) {
            const bool is_name = !keys[i]->empty() && !is_number(*keys[i]);
            const bool named = !columns.named(*keys[i]).empty() || !typed.named(*keys[i]).empty();
            if ((is_name && named) || !typed.known_as(known[i]).empty()) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] static bool is_number(const std::string& key) { return parse_number<std::size_t>(key).has_value(); }

    [[nodiscard]] bool is_header() const {
        if (options_->layout.header != HeaderLine::automatic) {
            return options_->layout.header == HeaderLine::present;
        }
        if (names_a_column()) {
            return true;
        }
        const auto keys = event_keys(options_->columns);
        const bool by_number = std::any_of(keys.begin(), keys.end(), [](auto* key) { return is_number(*key); });
        if (std::none_of(fields_.begin(), fields_.end(), looks_like_data)) {
            if (by_number) {
                notes_->note("the first line, " + quote(first_row()) +
                             ", is taken for the names of the columns; if it is data, set TableLayout::header (option "
                             "--header no of the program)");
            }
            return true;
        }
        if (!by_number) {
            fail_without_header();
        }
        return false;
    }

    [[noreturn]] void fail_without_header() const {
        const std::size_t time = guessed_time_column();
        const std::size_t session = time == 1 ? 2 : 1;
        const std::size_t item = session + (time == session + 1 ? 2 : 1);
        notes_->fail("found no header line: the first line is " + quote(first_row()) +
                     "; name the columns by number (session_key, item_key, time_key; options --session-key, "
                     "--item-key, --time-key of the program), for example --session-key " +
                     std::to_string(session) + " --item-key " + std::to_string(item) + " --time-key " +
                     std::to_string(time));
    }

    [[nodiscard]] std::string first_row() const {
        std::string row;
        for (const std::string& field : fields_) {
            row += (row.empty() ? "" : " ") + field;
        }
        return row;
    }

    /// The number of the first column that holds a date or a time since 1970.
    [[nodiscard]] std::size_t guessed_time_column() const {
        const auto found = std::find_if(fields_.begin(), fields_.end(), looks_like_time);
        return found == fields_.end() ? 3 : static_cast<std::size_t>(found - fields_.begin()) + 1;
    }

    const ReadOptions* options_;
    FirstRowNotes* notes_;
    char separator_ = '\t';
    std::vector<std::string> fields_;
    std::string header_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
