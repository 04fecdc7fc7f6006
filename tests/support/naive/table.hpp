#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_TABLE_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_TABLE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/not_a_table.hpp"
#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_column.hpp"
#include "support/naive/table_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A reader of tables as data/read_options.hpp and data/files.hpp describe it: whole tables in memory, character by
// character, one row after another. With the reader it shares the lists of names and signatures, and the parsers of
// single numbers and dates.

namespace naive {

using gru4rec::HeaderLine;
using gru4rec::TimeUnit;
using gru4rec::detail::EventTime;

/// A number of units as seconds, and whether it can be one of a file whose first times have that unit.
class Units {
  public:
    /// By the size of a number; nullopt for plain numbers.
    static TimeUnit of(std::int64_t number) {
        const auto is_recent = [](std::int64_t seconds) { return seconds >= 100'000'000 && seconds < 4'102'444'800; };
        if (number < 0) {
            return TimeUnit::number;
        }
        return is_recent(number)                   ? TimeUnit::seconds
               : is_recent(number / 1000)          ? TimeUnit::milliseconds
               : is_recent(number / 1'000'000)     ? TimeUnit::microseconds
               : is_recent(number / 1'000'000'000) ? TimeUnit::nanoseconds
                                                   : TimeUnit::number;
    }

    static std::int64_t per_second(TimeUnit unit) {
        return unit == TimeUnit::milliseconds   ? 1'000
               : unit == TimeUnit::microseconds ? 1'000'000
               : unit == TimeUnit::nanoseconds  ? 1'000'000'000
                                                : 1;
    }

    static EventTime to_seconds(EventTime time, TimeUnit unit) {
        const std::int64_t units = per_second(unit);
        std::int64_t whole = time.whole / units;
        std::int64_t rest = time.whole % units;
        if (rest < 0) {
            --whole;
            rest += units;
        }
        return {whole, static_cast<std::uint32_t>((rest * 1'000'000'000 + time.nanoseconds) / units)};
    }

    /// 10'000'000'000 seconds after 1970 is the year 2286.
    static bool fits(EventTime time, TimeUnit unit) {
        const std::uint64_t most = std::uint64_t{10'000'000'000} * static_cast<std::uint64_t>(per_second(unit));
        const bool is_small = time.whole < 0 || static_cast<std::uint64_t>(time.whole) <= most;
        return unit == TimeUnit::number ||
               (is_small && (unit == TimeUnit::seconds || time.whole >= static_cast<std::int64_t>(most / 1000)));
    }
};

/// Reads tables one after another.
class TableReader {
  public:
    explicit TableReader(const gru4rec::ReadOptions& options) : options_(&options), events_(options.known_items) {}

    /// @throws FormatError `NAME:LINE: ` or `NAME: `
    void read(const std::string& name, std::string_view bytes) {
        name_ = name;
        gru4rec::detail::check_is_table(name, bytes);
        std::string text(bytes);
        if (text.starts_with("\xef\xbb\xbf")) {
            text.erase(0, 3);
        }
        std::string first_line = text.substr(0, text.find('\n'));
        if (first_line.ends_with('\r')) {
            first_line.pop_back();
        }
        require(!first_line.empty() && first_line.find('\r') == std::string::npos, 1);
        const auto& layout = options_->layout;
        separator_ = layout.separator == '\0' ? most_frequent_separator(first_line, layout.quotes) : layout.separator;
        Rows rows(text, separator_, layout.quotes);
        Rows rows_after_header = rows;
        const Row first = rows_after_header.next();
        require(!first.is_broken, 1);
        find_columns(first);
        find_times(header_.empty() ? rows : rows_after_header);
        read_rows(header_.empty() ? rows : rows_after_header);
    }

    [[nodiscard]] gru4rec::Events take() && { return std::move(events_).take(); }

    /// As far as it does not consist of sentences; of first_skipped, the place.
    [[nodiscard]] const gru4rec::ReadReport& report() const { return report_; }

  private:
    void require(bool ok, std::size_t line) const {
        if (!ok) {
            throw gru4rec::FormatError(name_ + ":" + std::to_string(line) + ": ");
        }
    }

    static std::optional<EventTime> number(const std::string& text) { return gru4rec::detail::parse_time(text); }
    static bool is_time(const std::string& text) { return number(text) || gru4rec::detail::parse_date(text); }

    static bool is_key_number(const std::string& key) {
        return !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
    }

    static std::string plain(const std::string& name) {
        std::string result;
        for (const char c : name) {
            if (std::string_view(" _-.").find(c) == std::string_view::npos) {
                result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
            }
        }
        return result;
    }

    static std::vector<std::string> without_types(std::vector<std::string> names) {
        for (std::string& name : names) {
            const std::size_t colon = name.rfind(':');
            if (colon == std::string::npos ||
                !contains(std::vector<std::string>{"token", "token_seq", "float", "float_seq"},
                          name.substr(colon + 1))) {
                return {};
            }
            name.resize(colon);
        }
        return names;
    }

    struct Key {
        std::string name;
        std::string usual;
        std::span<const std::string_view> known;
    };

    [[nodiscard]] std::vector<Key> keys() const {
        const auto& columns = options_->columns;
        return {{columns.session_key, "SessionId", gru4rec::detail::session_names},
                {columns.item_key, "ItemId", gru4rec::detail::item_names},
                {columns.time_key, "Time", gru4rec::detail::time_names}};
    }

    [[nodiscard]] bool is_header(const std::vector<std::string>& fields) const {
        if (options_->layout.header != HeaderLine::automatic) {
            return options_->layout.header == HeaderLine::present;
        }
        const auto typed = without_types(fields);
        bool by_number = false;
        for (const Key& key : keys()) {
            by_number = by_number || is_key_number(key.name);
            const bool is_name = !key.name.empty() && !is_key_number(key.name);
            if (is_name && (contains(fields, key.name) || contains(typed, key.name))) {
                return true;
            }
            for (const std::string& field : typed.empty() ? fields : typed) {
                if (contains(key.known, plain(field))) {
                    return true;
                }
            }
        }
        const bool any_data = std::any_of(fields.begin(), fields.end(), is_time);
        require(!any_data || by_number, 1);
        return !any_data;
    }

    /// The column of this name, or number; n_columns_ if there is none.
    [[nodiscard]] std::size_t find(const std::string& key) const {
        const auto n = std::count(names_.begin(), names_.end(), key);
        require(header_.empty() || n <= 1, 1);
        if (!header_.empty() && n == 1) {
            return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), key) - names_.begin());
        }
        const bool is_number = is_key_number(key) && key.size() < 10 && std::stoul(key) >= 1;
        return is_number && std::stoul(key) <= n_columns_ ? std::stoul(key) - 1 : n_columns_;
    }

    [[nodiscard]] std::size_t find(const Key& key) const {
        const bool by_name = !header_.empty() && contains(names_, key.name);
        std::vector<std::size_t> known;
        for (std::size_t i = 0; i < n_columns_ && !header_.empty() && !by_name && key.name == key.usual; ++i) {
            if (contains(key.known, plain(names_[i]))) {
                known.push_back(i);
            }
        }
        require(known.size() <= 1, 1);
        return known.empty() ? find(key.name) : known[0];
    }

    void find_columns(const Row& first) {
        names_ = first.fields;
        for (std::string& name : names_) {
            name = trimmed(name);
        }
        n_columns_ = names_.size();
        header_ = is_header(names_) ? first.text : "";
        const auto typed = without_types(names_);
        names_ = header_.empty() || typed.empty() ? names_ : typed;
        session_ = options_->columns.session_key.empty() ? n_columns_ : find(keys()[0]);
        require(options_->columns.session_key.empty() || session_ < n_columns_, 1);
        item_ = find(keys()[1]);
        require(item_ < n_columns_ && item_ != session_, 1);
        unit_ = options_->layout.time_unit;
        time_ = unit_ == TimeUnit::none ? n_columns_ : find(keys()[2]);
        const std::size_t n_used = session_ < n_columns_ ? 2 : 1;
        if (time_ == n_columns_ && unit_ != TimeUnit::none) {
            require(options_->columns.time_key == "Time" && n_used == n_columns_, 1);
            unit_ = TimeUnit::none;
        }
        require(unit_ == TimeUnit::none || (time_ != session_ && time_ != item_), 1);
        find_offset();
        filters_.clear();
        for (const auto& filter : options_->where) {
            filters_.push_back(find(filter.column));
            require(filters_.back() < n_columns_, 1);
        }
    }

    void find_offset() {
        offset_ = n_columns_;
        if (unit_ == TimeUnit::none) {
            return;
        }
        const std::string& key = options_->columns.time_offset_key;
        if (!key.empty()) {
            offset_ = find(key);
            require(offset_ < n_columns_, 1);
        } else if (!header_.empty() && plain(names_[time_]) == "eventdate" &&
                   std::count(names_.begin(), names_.end(), "timeframe") == 1) {
            offset_ = find(std::string("timeframe"));
        }
        require(offset_ == n_columns_ || (offset_ != time_ && offset_ != session_ && offset_ != item_), 1);
    }

    /// Judges by the first hundred times.
    void find_times(Rows rows) {
        dates_ = false;
        is_found_ = options_->layout.time_unit != TimeUnit::automatic;
        std::optional<TimeUnit> unit;  // none: dates
        std::size_t odd_line = 0;
        for (int n = 0; unit_ == TimeUnit::automatic && n < 100 && !rows.done();) {
            const Row row = rows.next();
            if (row.is_broken || row.text.empty() || row.fields.size() <= time_) {
                continue;
            }
            const std::string text = trimmed(row.fields[time_]);
            if (contains(options_->missing, text)) {
                continue;
            }
            ++n;
            if (!is_time(text)) {
                continue;
            }
            const TimeUnit seen = number(text) ? Units::of(number(text)->whole) : TimeUnit::none;
            const auto is_low = [](TimeUnit u) { return u == TimeUnit::seconds || u == TimeUnit::number; };
            if (unit && is_low(*unit) && is_low(seen)) {
                unit = *unit == TimeUnit::seconds ? *unit : seen;
            } else if (unit && *unit != seen && odd_line == 0) {
                odd_line = row.line;
            }
            unit = unit.value_or(seen);
        }
        require(odd_line == 0, odd_line);
        if (unit) {
            is_found_ = true;
            dates_ = *unit == TimeUnit::none;
            unit_ = dates_ ? TimeUnit::seconds : *unit;
        }
        unit_ = unit_ == TimeUnit::automatic ? TimeUnit::number : unit_;
        check_kind();
    }

    void check_kind() {
        if (!is_found_ && unit_ != TimeUnit::none) {
            return;
        }
        const TimeUnit kind = unit_ == TimeUnit::number || unit_ == TimeUnit::none ? unit_ : TimeUnit::seconds;
        if (report_.time_unit != TimeUnit::automatic && report_.time_unit != kind) {
            throw gru4rec::FormatError(name_ + ": ");
        }
        report_.time_unit = kind;
    }

    void read_rows(Rows rows) {
        while (!rows.done()) {
            const Row row = rows.next();
            if (row.text.empty()) {
                continue;
            }
            require(!row.is_broken && row.fields.size() == n_columns_, row.line);
            require(!encloses_a_row(row), row.line);
            read_row(row);
        }
    }

    /// Whether a line within a quoted field has all fields and a time.
    [[nodiscard]] bool encloses_a_row(const Row& row) const {
        std::size_t begin = row.text.find('\n');
        while (unit_ != TimeUnit::none && begin != std::string::npos) {
            const std::size_t end = row.text.find('\n', begin + 1);
            if (end == std::string::npos) {
                return false;
            }
            const Row line =
                Rows(row.text.substr(begin + 1, end - begin - 1), separator_, gru4rec::Quotes::literal).next();
            if (line.fields.size() == n_columns_ && is_time_of_table(line.fields[time_])) {
                return true;
            }
            begin = end;
        }
        return false;
    }

    [[nodiscard]] bool is_time_of_table(const std::string& text) const {
        const auto time = dates_ ? gru4rec::detail::parse_date(text) : number(text);
        const bool is_told_by_size = options_->layout.time_unit == TimeUnit::automatic;
        return time && (dates_ || !is_told_by_size || Units::fits(*time, unit_));
    }

    [[nodiscard]] bool has_time(const Row& row) const {
        if (unit_ == TimeUnit::none) {
            return false;
        }
        const std::string text = trimmed(row.fields[time_]);
        return !contains(options_->missing, text) && is_time_of_table(text);
    }

    void read_row(const Row& row) {
        const bool is_header_again = !header_.empty() && (row.text == header_ || row.text == "\xef\xbb\xbf" + header_);
        for (std::size_t i = 0; i < filters_.size(); ++i) {
            if (!contains(options_->where[i].values, trimmed(row.fields[filters_[i]]))) {
                return is_header_again ? skip(row) : static_cast<void>(++report_.n_filtered);
            }
        }
        if (is_header_again && !has_time(row)) {
            return skip(row);
        }
        EventTime time{++n_rows_, 0};
        if (unit_ != TimeUnit::none) {
            const auto found = read_time(row);
            if (!found) {
                return skip(row);
            }
            time = *found;
        }
        const std::string session = session_ < n_columns_ ? trimmed(row.fields[session_]) : "1";
        if (contains(options_->missing, session)) {
            --n_rows_;
            return skip(row);
        }
        add(row, session, trimmed(row.fields[item_]), time);
    }

    void add(const Row& row, const std::string& session, const std::string& item, EventTime time) {
        require(!events_.add(session, item, time), row.line);
        if (options_->known_items != nullptr && !options_->known_items->find(item)) {
            --n_rows_;  // only events have a place in the order
            report_.first_unknown_item = report_.first_unknown_item.empty() ? item : report_.first_unknown_item;
        }
    }

    /// nullopt: it is missing
    [[nodiscard]] std::optional<EventTime> read_time(const Row& row) const {
        const std::string text = trimmed(row.fields[time_]);
        if (contains(options_->missing, text)) {
            return std::nullopt;
        }
        auto time = dates_ ? gru4rec::detail::parse_date(text) : number(text);
        const bool is_told_by_size = options_->layout.time_unit == TimeUnit::automatic;
        require(time && (dates_ || !is_told_by_size || Units::fits(*time, unit_)), row.line);
        *time = Units::to_seconds(*time, unit_);
        if (offset_ < n_columns_) {
            const std::string more = trimmed(row.fields[offset_]);
            if (contains(options_->missing, more)) {
                return std::nullopt;
            }
            require(number(more).has_value(), row.line);
            const EventTime offset = Units::to_seconds(*number(more), TimeUnit::milliseconds);
            const std::uint64_t billionths = std::uint64_t{time->nanoseconds} + offset.nanoseconds;
            time = EventTime{time->whole + offset.whole + static_cast<std::int64_t>(billionths / 1'000'000'000),
                             static_cast<std::uint32_t>(billionths % 1'000'000'000)};
        }
        return time;
    }

    void skip(const Row& row) {
        require(options_->missing_rows == gru4rec::MissingRows::skip, row.line);
        if (++report_.n_skipped == 1) {
            report_.first_skipped = name_ + ":" + std::to_string(row.line) + ": ";
        }
    }

    const gru4rec::ReadOptions* options_;
    char separator_ = 0;
    gru4rec::detail::EventCollector events_;
    gru4rec::ReadReport report_;
    std::string name_;
    std::string header_;
    std::vector<std::string> names_;
    std::size_t n_columns_ = 0;
    std::size_t session_ = 0;  // columns; n_columns_: there is none
    std::size_t item_ = 0;
    std::size_t time_ = 0;
    std::size_t offset_ = 0;
    std::vector<std::size_t> filters_;
    TimeUnit unit_ = TimeUnit::number;
    bool dates_ = false;
    bool is_found_ = false;
    std::int64_t n_rows_ = 0;  // that became events
};

}  // namespace naive

#endif
