#ifndef GRU4REC_DATA_FIRST_TIMES_HPP
#define GRU4REC_DATA_FIRST_TIMES_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table_format.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Finds the format of times from examples, the first ones of a file.
class TimeFormatFinder {
  public:
    /// @param row  that holds the example, in the source's piece
    void add(std::string_view text, const TextSource& source, const char* row) {
        EventTime number;
        const bool is_number = read_number(text, number);
        if (!is_number && !parse_date(text)) {
            return;  // the reader will say so
        }
        const TimeUnit unit = is_number ? unit_of_size(number.whole) : TimeUnit::none;
        if (!first_) {
            first_ = Seen{unit, std::string(text), source.where(row)};
        } else if (!problem_ && unit != first_->unit && !agree(unit, first_->unit)) {
            problem_ = Seen{unit, std::string(text), source.where(row)};
        } else if (first_->unit == TimeUnit::number && unit == TimeUnit::seconds) {
            first_->unit = TimeUnit::seconds;
        }
    }

    /// @throws FormatError if the examples are in different units
    [[nodiscard]] TimeFormat format() const {
        if (!first_) {
            return {};
        }
        if (problem_) {
            throw_format(
                problem_->place,
                "the time " + quote(problem_->text) + " looks like " + kind(problem_->unit) + ", but " +
                    quote(first_->text) + " (" + first_->place + ") like " + kind(first_->unit) +
                    "; set the unit (TableLayout::time_unit, option --time-unit of the program), or add a "
                    "value that stands for a missing one to the list (ReadOptions::missing, option --missing)");
        }
        TimeFormat format{.unit = first_->unit, .example = first_->text};
        if (first_->unit == TimeUnit::none) {
            format.unit = TimeUnit::seconds;
            format.dates = true;
        } else if (first_->unit != TimeUnit::number) {
            constexpr std::int64_t most = 10'000'000'000;  // seconds: the year 2286
            const std::int64_t per_second = units_per_second(first_->unit);
            const std::int64_t largest = (std::numeric_limits<std::int64_t>::max)();
            format.largest = most > largest / per_second ? largest : most * per_second;
            format.smallest = first_->unit == TimeUnit::seconds ? format.smallest : most / 1000 * per_second;
        }
        return format;
    }

  private:
    struct Seen {
        TimeUnit unit;  // none: a date
        std::string text;
        std::string place;
    };

    /// Whether numbers of both units can be in one column: seconds soon after 1970 look like plain numbers.
    [[nodiscard]] static bool agree(TimeUnit a, TimeUnit b) noexcept {
        return (a == TimeUnit::seconds || a == TimeUnit::number) && (b == TimeUnit::seconds || b == TimeUnit::number);
    }

    [[nodiscard]] static std::string kind(TimeUnit unit) {
        return unit == TimeUnit::none ? "a date" : std::string(name_of(unit));
    }

    std::optional<Seen> first_;
    std::optional<Seen> problem_;
};

/// Looks at the times of the first rows of a table. Rows that cannot be split are left to the parser.
class FirstTimes {
  public:
    /// @param format  its columns are known
    FirstTimes(TextSource& source, const TableFormat& format) : source_(&source), format_(&format) {}

    /// The format of the first times, as many as it takes to tell those of the whole file.
    ///
    /// @param body  the rows in the last piece of the source; more are read if there are too few, as long as they are
    ///              no longer than a line may be
    /// @throws FormatError if they are in different units
    [[nodiscard]] TimeFormat find(std::string_view& body) {
        for (std::size_t n_read = 0;;) {
            std::string_view rest = body.substr(n_read);
            add_rows(rest);
            n_read = body.size() - rest.size();
            if (n_times_ == n_wanted || source_->is_last()) {
                return finder_.format();
            }
            if (body.size() > TextSource::longest_line) {
                return enough(body);
            }
            body = source_->next(body);
        }
    }

  private:
    static constexpr int n_wanted = 100;

    [[nodiscard]] TimeFormat enough(std::string_view rows) const {
        if (n_times_ == 0) {
            throw_format(source_->where(rows.data()),
                         "no time was found in the first 64 MiB; set the unit (TableLayout::time_unit, option "
                         "--time-unit of the program)");
        }
        return finder_.format();
    }

    void add_rows(std::string_view& rows) {
        while (n_times_ < n_wanted && !rows.empty()) {
            const char* const row = rows.data();
            if (!take_time(rows)) {
                return;
            }
            if (time_ && !format_->missing.contains(*time_)) {
                finder_.add(*time_, *source_, row);
                ++n_times_;
            }
        }
    }

    /// Cuts a row off and sets `time_`. @returns false, and cuts nothing off, if the row goes on in the next piece
    [[nodiscard]] bool take_time(std::string_view& rows) {
        using Found = FieldReader::Found;
        FieldReader reader(rows, format_->separator, format_->quotes);
        std::string_view after_line = rows;
        time_.reset();
        Found found = take_line(after_line).empty() ? Found::bad_quote : Found::field;
        for (std::size_t column = 0; found == Found::field; ++column) {
            std::string_view value;
            unescaped_.clear();
            found = reader.next(unescaped_, value);
            if (column < format_->n_columns() &&
                format_->column_slots[column] == static_cast<std::uint8_t>(EventField::time)) {
                time_ = std::string(trimmed(value));
            }
        }
        if (found == Found::open_quote && !source_->is_last()) {
            return false;
        }
        if (found != Found::last_field) {
            time_.reset();
        }
        rows = found == Found::last_field ? reader.rest() : after_line;
        return true;
    }

    TextSource* source_;
    const TableFormat* format_;
    TimeFormatFinder finder_;
    int n_times_ = 0;
    std::optional<std::string> time_;  // of the last row
    std::string unescaped_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
