#ifndef GRU4REC_DATA_TABLE_FORMAT_HPP
#define GRU4REC_DATA_TABLE_FORMAT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/missing_values.hpp"
#include "gru4rec/data/not_a_table.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Columns that filters may read, beyond those of the events.
inline constexpr std::size_t max_filter_columns = 8;

/// The fields of a row that are read, each in its slot: by EventField, the time's offset, those of filters, and one
/// for all others.
using Record = std::array<std::string_view, n_event_fields + 2 + max_filter_columns>;
inline constexpr std::uint8_t offset_slot = n_event_fields;
inline constexpr std::uint8_t first_filter_slot = n_event_fields + 1;
inline constexpr std::uint8_t unused_slot = first_filter_slot + max_filter_columns;

/// A RowFilter whose column has been found.
struct FilterSlot {
    std::uint8_t slot = unused_slot;
    std::vector<std::string> values{};

    [[nodiscard]] bool accepts(const Record& record) const noexcept {
        return std::find(values.begin(), values.end(), trimmed(at(record, slot))) != values.end();
    }
};

/// How a table is written: its separator, the slot of each column, the format of its times.
struct TableFormat {
    char separator = '\t';
    Quotes quotes = Quotes::enclose;
    std::string_view header{};                            ///< the first line, if it names the columns
    std::vector<std::uint8_t> slots{};                    ///< by column
    std::array<std::string, n_event_fields + 1> names{};  ///< of the columns by slot, for messages
    TimeFormat times{};
    std::vector<FilterSlot> filters{};
    MissingValues missing{};
    bool has_session_column = true;  ///< else all events belong to one session
    bool has_offset = false;         ///< milliseconds that are added to the time

    [[nodiscard]] std::size_t n_columns() const noexcept { return slots.size(); }

    [[nodiscard]] std::string_view separator_name() const noexcept {
        switch (separator) {
            case '\t': return "TAB";
            case ',': return "comma";
            case ';': return "semicolon";
            default: return "|";
        }
    }
};

/// Finds the format of a table from its first lines and the options.
class TableFormatFinder {
  public:
    /// @param body  starts as the first piece of `source`; what precedes the first row of events is cut off
    /// @throws FormatError for what is not a table, or one that lacks the columns asked for
    TableFormatFinder(const TextSource& source, const ReadOptions& options, std::string_view& body)
        : source_(&source), options_(&options), report_(options.report == nullptr ? &unused_ : options.report) {
        check_options();
        check_is_table(source.name(), body);
        skip_byte_order_mark(body);
        first_line_ = body;
        std::string_view rest = body;
        const std::string_view line = take_line(rest);
        check_first_line(line);
        format_.quotes = options.layout.quotes;
        format_.missing = MissingValues(options.missing, options.missing_rows);
        format_.separator = options.layout.separator != '\0' ? options.layout.separator : separator_of(line);
        std::vector<std::string> fields = read_fields(body, rest);
        const bool has_header = is_header(fields);
        if (has_header) {
            strip_types(fields);
            format_.header = line;
            body = rest;
        }
        columns_.emplace(std::move(fields), has_header);
        report_layout(has_header);
        format_.slots.assign(columns_->names().size(), unused_slot);
        find_columns();
        find_filters();
        find_times(body);
        report_roles();
    }

    void report_layout(bool has_header) {
        is_first_ = report_->columns.empty();
        if (is_first_) {
            report_->separator = format_.separator;
            report_->has_header = has_header;
            for (const std::string& name : columns_->names()) {
                report_->columns.push_back({name});
            }
        }
    }

    void report_roles() {
        for (std::size_t i = 0; is_first_ && i < format_.slots.size(); ++i) {
            report_->columns[i].role = role_of(format_.slots[i]);
        }
        if (is_first_) {
            report_->written_unit = format_.times.unit;
            report_->has_dates = format_.times.dates;
        }
    }

    [[nodiscard]] static ColumnRole role_of(std::uint8_t slot) noexcept {
        constexpr std::array<ColumnRole, n_event_fields> fields{ColumnRole::session, ColumnRole::item,
                                                                ColumnRole::time};
        if (slot < n_event_fields) {
            return fields[slot];
        }
        return slot == offset_slot   ? ColumnRole::time_offset
               : slot == unused_slot ? ColumnRole::unused
                                     : ColumnRole::filter;
    }

    [[nodiscard]] TableFormat take() && { return std::move(format_); }

  private:
    using Setting = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Setting, n_event_fields> settings{
        {{"session_key", "session-key"}, {"item_key", "item-key"}, {"time_key", "time-key"}}};

    [[nodiscard]] std::array<const std::string*, n_event_fields> keys() const noexcept {
        const ColumnNames& columns = options_->columns;
        return {&columns.session_key, &columns.item_key, &columns.time_key};
    }

    void note(const std::string& text) { report_->notes.push_back(source_->name() + ": " + text); }

    [[noreturn]] void fail(const std::string& problem) const {
        throw_format(source_->where(first_line_.data()), problem);
    }

    void check_options() const {
        const auto [session, item, time] = keys();
        const bool no_times = options_->layout.time_unit == TimeUnit::none;
        if (*session == *item || (!no_times && (*session == *time || *item == *time))) {
            throw_invalid("session_key, item_key and time_key must name three columns, found " + quote(*session) +
                          ", " + quote(*item) + ", " + quote(*time));
        }
        const char separator = options_->layout.separator;
        if (std::string_view("\0\t,;|", 5).find(separator) == std::string_view::npos) {
            throw_invalid("separator", quote(std::string_view(&separator, 1)), "TAB, comma, semicolon or |");
        }
    }

    static void skip_byte_order_mark(std::string_view& body) noexcept {
        if (body.starts_with("\xef\xbb\xbf")) {
            body.remove_prefix(3);
        }
    }

    void check_first_line(std::string_view line) const {
        if (line.empty()) {
            fail("found no header line; the first line must name the columns, among them " + quote(*keys()[0]) + ", " +
                 quote(*keys()[1]) + " and " + quote(*keys()[2]));
        }
        if (line.find('\r') != std::string_view::npos) {
            fail("found CR within the line; lines must end with LF or CR LF, not CR alone");
        }
    }

    /// The separator that occurs most outside of quotes; a TAB before all others.
    [[nodiscard]] char separator_of(std::string_view line) const noexcept {
        constexpr std::string_view candidates = "\t,;|";
        std::array<std::size_t, candidates.size()> n{};
        bool quoted = false;
        for (const char c : line) {
            quoted ^= c == '"' && format_.quotes == Quotes::enclose;
            const std::size_t i = candidates.find(c);
            if (!quoted && i != std::string_view::npos) {
                ++n[i];
            }
        }
        std::size_t best = 1;
        for (std::size_t i = 2; i < n.size(); ++i) {
            best = n[i] > n[best] ? i : best;
        }
        return candidates[n[0] > 0 ? 0 : best];
    }

    /// The fields of the first row; moves `rest` behind it if it has line breaks in quotes.
    [[nodiscard]] std::vector<std::string> read_fields(std::string_view body, std::string_view& rest) const {
        using Found = FieldReader::Found;
        std::vector<std::string> fields;
        std::string unescaped;
        FieldReader reader(body, format_.separator, format_.quotes);
        for (Found found = Found::field; found == Found::field;) {
            std::string_view value;
            unescaped.clear();
            found = reader.next(unescaped, value);
            if (found == Found::open_quote || found == Found::bad_quote) {
                fail(std::string(broken_quotes));
            }
            fields.emplace_back(value);
        }
        rest = reader.rest();
        return fields;
    }

    [[nodiscard]] static bool looks_like_data(std::string_view field) {
        EventTime time;
        return read_number(field, time) || parse_date(field);
    }

    /// Whether one of the keys names a field, by a name and not by a number.
    [[nodiscard]] bool names_a_column(const std::vector<std::string>& fields) const {
        const ColumnFinder columns(fields, true);
        std::vector<std::string> plain(fields);
        strip_types(plain);
        const ColumnFinder typed(std::move(plain), true);
        const std::array known{std::span<const std::string_view>(session_names),
                               std::span<const std::string_view>(item_names),
                               std::span<const std::string_view>(time_names)};
        for (std::size_t i = 0; i < n_event_fields; ++i) {
            const bool is_number = parse_number<std::size_t>(*keys()[i]).has_value();
            const bool named = !columns.named(*keys()[i]).empty() || !typed.named(*keys()[i]).empty();
            if ((named && !is_number) || !typed.known_as(known[i]).empty()) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] bool is_header(const std::vector<std::string>& fields) const {
        if (options_->layout.header != HeaderLine::automatic) {
            return options_->layout.header == HeaderLine::present;
        }
        if (names_a_column(fields) || std::none_of(fields.begin(), fields.end(), looks_like_data)) {
            return true;
        }
        const auto is_number = [](const std::string* key) { return parse_number<std::size_t>(*key).has_value(); };
        const auto all = keys();
        if (std::none_of(all.begin(), all.end(), is_number)) {
            fail("found no header line: the first line is " + quote(first_row(fields)) +
                 "; name the columns by number (session_key, item_key, time_key; options --session-key, --item-key, "
                 "--time-key of the program), for example --session-key 1 --item-key 2 --time-key " +
                 std::to_string(guessed_time_column(fields)));
        }
        return false;
    }

    [[nodiscard]] static std::string first_row(const std::vector<std::string>& fields) {
        std::string row;
        for (const std::string& field : fields) {
            row += (row.empty() ? "" : " ") + field;
        }
        return row;
    }

    /// The number of the first column that holds a date or a time since 1970.
    [[nodiscard]] static std::size_t guessed_time_column(const std::vector<std::string>& fields) {
        const auto found = std::find_if(fields.begin(), fields.end(), looks_like_time);
        return found == fields.end() ? 3 : static_cast<std::size_t>(found - fields.begin()) + 1;
    }

    /// Drops the types of a header whose columns all have one.
    static void strip_types(std::vector<std::string>& names) {
        const auto has_type = [](const std::string& name) { return without_type(name).size() < name.size(); };
        if (std::all_of(names.begin(), names.end(), has_type)) {
            for (std::string& name : names) {
                name = std::string(without_type(name));
            }
        }
    }

    void use(std::size_t column, std::uint8_t slot) {
        if (format_.slots[column] != unused_slot) {
            fail("column " + quote(columns_->names()[column]) +
                 " is asked for twice, for two of session, item and time");
        }
        format_.slots[column] = slot;
        at(format_.names, slot) = columns_->names()[column];
    }

    void find_columns() {
        const ColumnNames usual;
        format_.has_session_column = !options_->columns.session_key.empty();
        if (format_.has_session_column) {
            find_column(EventField::session, usual.session_key, session_names);
        }
        find_column(EventField::item, usual.item_key, item_names);
        if (options_->layout.time_unit == TimeUnit::none) {
            format_.times.unit = TimeUnit::none;
            return;
        }
        find_column(EventField::time, usual.time_key, time_names);
        find_offset();
    }

    void find_column(EventField field, std::string_view usual_key, std::span<const std::string_view> known) {
        const auto i = static_cast<std::size_t>(field);
        const std::string& key = *keys()[i];
        std::vector<std::size_t> found = columns_->named(key);
        if (found.size() > 1) {
            fail("column " + quote(key) + " occurs more than once; rename all but one");
        }
        if (found.empty() && key == usual_key) {
            found = columns_->known_as(known);
            if (found.size() > 1) {
                fail("both " + quote(columns_->names()[found[0]]) + " and " + quote(columns_->names()[found[1]]) +
                     " could be column " + quote(key) + "; set " + setting(i));
            }
            if (!found.empty()) {
                note("column " + quote(columns_->names()[found[0]]) + " is read as " + std::string(usual_key));
            }
        }
        if (found.empty()) {
            if (const auto numbered = columns_->numbered(key)) {
                found.push_back(*numbered);
            }
        }
        if (!found.empty()) {
            return use(found[0], static_cast<std::uint8_t>(i));
        }
        if (field == EventField::time && key == usual_key && n_other_columns() == 0) {
            format_.times.unit = TimeUnit::none;
            return note("there is no column of times; events are taken in the order of the rows");
        }
        fail_missing(i);
    }

    [[nodiscard]] std::size_t n_other_columns() const noexcept {
        return static_cast<std::size_t>(std::count(format_.slots.begin(), format_.slots.end(), unused_slot));
    }

    [[nodiscard]] static std::string setting(std::size_t field) {
        return std::string(settings[field].first) + " (option --" + std::string(settings[field].second) +
               " of the program)";
    }

    [[noreturn]] void fail_missing(std::size_t field) const {
        const bool has_header = !format_.header.empty();
        std::string hint = "correct the header or set " + setting(field);
        if (columns_->names().size() == 1 && format_.header.find(' ') != std::string_view::npos) {
            hint =
                "use TABs or commas instead of blanks; if each line holds the items of a session: gru4rec --format "
                "sessions";
        } else if (field == 0 && !columns_->known_as(visitor_names).empty()) {
            hint += "; to cut the events of each visitor into sessions: gru4rec preprocess --visitor-key " +
                    columns_->names()[columns_->known_as(visitor_names)[0]];
        } else if (field == 2) {
            hint += "; if the rows are in the order of time: TimeUnit::none (--time-unit none)";
        }
        fail("column " + quote(*keys()[field]) + " is missing; the " + (has_header ? "header line" : "first line") +
             ", separated by " + std::string(format_.separator_name()) + "s, " + (has_header ? "names " : "holds ") +
             columns_->listed() + "; " + hint);
    }

    void find_offset() {
        if (format_.times.unit == TimeUnit::none) {
            return;
        }
        const std::string& key = options_->columns.time_offset_key;
        std::vector<std::size_t> found = columns_->named(key.empty() ? "timeframe" : key);
        if (key.empty() && (found.size() != 1 || plain_name(at(format_.names, EventField::time)) != "eventdate")) {
            return;
        }
        if (found.empty()) {
            if (const auto numbered = columns_->numbered(key)) {
                found.push_back(*numbered);
            }
        }
        if (found.size() != 1) {
            fail("column " + quote(key) + (found.empty() ? " is missing" : " occurs more than once") +
                 "; the table has " + columns_->listed() +
                 "; set time_offset_key (option --time-offset-key of the program)");
        }
        use(found[0], offset_slot);
        format_.has_offset = true;
        if (key.empty()) {
            note("column \"timeframe\" is added to the date as milliseconds");
        }
    }

    void find_filters() {
        std::uint8_t next = first_filter_slot;
        for (const RowFilter& filter : options_->where) {
            std::vector<std::size_t> found = columns_->named(filter.column);
            if (found.empty()) {
                if (const auto numbered = columns_->numbered(filter.column)) {
                    found.push_back(*numbered);
                }
            }
            if (found.size() != 1) {
                fail("the filter's column " + quote(filter.column) +
                     (found.empty() ? " is missing" : " occurs more than once") + "; the table has " +
                     columns_->listed());
            }
            std::uint8_t& slot = format_.slots[found[0]];
            if (slot == unused_slot) {
                if (next == unused_slot) {
                    throw_invalid("where: at most " + std::to_string(max_filter_columns) + " columns");
                }
                slot = next++;
            }
            format_.filters.push_back({slot, filter.values});
        }
    }

    /// Judges by the first rows; those that cannot be split are left to the parser.
    void find_times(std::string_view body) {
        TimeFormat& times = format_.times;
        if (times.unit == TimeUnit::none) {
            return;
        }
        const TimeUnit asked = options_->layout.time_unit;
        TimeFormatFinder finder;
        constexpr int n_rows = 100;
        for (int row = 0; row < n_rows && !body.empty();) {
            const char* const start = body.data();
            const auto time = time_of_row(body);
            if (time && !format_.missing.contains(*time)) {
                finder.add(*time, source_->where(start));
                ++row;
            }
        }
        if (asked != TimeUnit::automatic) {
            times.unit = asked;
            return;
        }
        times = finder.format();
        if (times.unit != TimeUnit::number && times.unit != TimeUnit::seconds) {
            note("times are " + std::string(name_of(times.unit)) + ", such as " + times.example);
        }
    }

    /// Cuts a row off `body`. @returns its time, unless it has none
    [[nodiscard]] std::optional<std::string> time_of_row(std::string_view& body) const {
        using Found = FieldReader::Found;
        std::string unescaped;
        std::optional<std::string> time;
        const std::string_view before = body;
        const std::string_view line = take_line(body);
        if (line.empty()) {
            return std::nullopt;
        }
        unescaped.reserve(before.size() < FieldReader::longest_quoted ? before.size() : FieldReader::longest_quoted);
        FieldReader reader(before, format_.separator, format_.quotes);
        Found found = Found::field;
        for (std::size_t column = 0; found == Found::field; ++column) {
            std::string_view value;
            unescaped.clear();
            found = reader.next(unescaped, value);
            if (column < format_.n_columns() && format_.slots[column] == static_cast<std::uint8_t>(EventField::time)) {
                time = std::string(value);
            }
        }
        if (found != Found::last_field) {
            return std::nullopt;
        }
        body = reader.rest();
        return time;
    }

    const TextSource* source_;
    const ReadOptions* options_;
    ReadReport unused_;
    ReadReport* report_;
    std::string_view first_line_;
    TableFormat format_;
    std::optional<ColumnFinder> columns_;
    bool is_first_ = false;  // of the tables in the report
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
