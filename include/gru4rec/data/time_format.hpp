#ifndef GRU4REC_DATA_TIME_FORMAT_HPP
#define GRU4REC_DATA_TIME_FORMAT_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/parse_date.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Units of a number of this size, if it counts time since 1970 for dates from 1973-03-03 to 2100; else plain numbers.
[[nodiscard]] constexpr TimeUnit unit_of_size(std::int64_t whole) noexcept {
    constexpr std::int64_t first = 100'000'000;
    constexpr std::int64_t last = 4'102'444'800;
    std::int64_t scale = 1;
    for (const TimeUnit unit :
         {TimeUnit::seconds, TimeUnit::milliseconds, TimeUnit::microseconds, TimeUnit::nanoseconds}) {
        if (whole >= first * scale && whole < last * scale) {
            return unit;
        }
        scale *= 1000;
    }
    return TimeUnit::number;
}

[[nodiscard]] constexpr std::int64_t units_per_second(TimeUnit unit) noexcept {
    switch (unit) {
        case TimeUnit::milliseconds: return 1'000;
        case TimeUnit::microseconds: return 1'000'000;
        case TimeUnit::nanoseconds: return 1'000'000'000;
        default: return 1;
    }
}

[[nodiscard]] constexpr std::string_view name_of(TimeUnit unit) noexcept {
    constexpr std::array<std::string_view, 7> names{"automatic",   "seconds",       "milliseconds", "microseconds",
                                                    "nanoseconds", "plain numbers", "none"};
    return names[static_cast<std::size_t>(unit)];
}

/// A number of units as seconds, rounded down to 1e-9. A template, as divisions by a constant are multiplications.
template <std::int64_t per_second>
[[nodiscard]] constexpr EventTime to_seconds(EventTime number) noexcept {
    std::int64_t whole = number.whole / per_second;
    std::int64_t rest = number.whole % per_second;
    if (rest < 0) {
        rest += per_second;
        --whole;
    }
    return {whole, static_cast<std::uint32_t>(rest * (1'000'000'000 / per_second)) +
                       number.nanoseconds / static_cast<std::uint32_t>(per_second)};
}

[[nodiscard]] constexpr EventTime to_seconds(EventTime number, TimeUnit unit) noexcept {
    switch (unit) {
        case TimeUnit::milliseconds: return to_seconds<1'000>(number);
        case TimeUnit::microseconds: return to_seconds<1'000'000>(number);
        case TimeUnit::nanoseconds: return to_seconds<1'000'000'000>(number);
        default: return number;
    }
}

/// Reads an integer or a decimal. @returns false if the text is neither
[[nodiscard]] GRU4REC_ALWAYS_INLINE bool read_number(std::string_view text, EventTime& time) noexcept {
    if (parse_plain_time(text, time)) {
        return true;
    }
    const auto parsed = parse_time(text);
    time = parsed.value_or(EventTime{});
    return parsed.has_value();
}

/// Whether the text is a date, or a number that can be a time since 1970.
[[nodiscard]] inline bool looks_like_time(std::string_view text) noexcept {
    EventTime time;
    return parse_date(text) || (read_number(text, time) && unit_of_size(time.whole) != TimeUnit::number);
}

/// How the times of a table are written.
struct TimeFormat {
    TimeUnit unit = TimeUnit::number;  ///< of numbers; `seconds` for dates
    bool dates = false;
    /// Numbers beyond this belong to a finer unit than the first ones of the file. Only for units found by size.
    std::int64_t largest = (std::numeric_limits<std::int64_t>::max)();
    std::int64_t smallest = (std::numeric_limits<std::int64_t>::min)();  ///< likewise, of a coarser unit
    std::string example{};                                               ///< the first time of the file, for messages

    /// What the events will have.
    [[nodiscard]] TimeUnit unit_of_events() const noexcept {
        return unit == TimeUnit::number || unit == TimeUnit::none ? unit : TimeUnit::seconds;
    }
};

/// Reads times in one format; remembers the last date, as most rows are of the same day as the row before.
class TimeReader {
  public:
    explicit TimeReader(const TimeFormat& format) noexcept
        : format_(&format), plain_(!format.dates && units_per_second(format.unit) == 1) {}

    /// @returns false if `text` is not a time in this format
    [[nodiscard]] GRU4REC_ALWAYS_INLINE bool read(std::string_view text, EventTime& time) noexcept {
        if (plain_) {
            return read_number(text, time) && time.whole <= format_->largest;
        }
        return read_other(text, time);
    }

  private:
    [[nodiscard]] bool read_other(std::string_view text, EventTime& time) noexcept {
        if (format_->dates) {
            return date_.read(text, time);
        }
        if (!read_number(text, time) || time.whole > format_->largest || time.whole < format_->smallest) {
            return false;
        }
        time = to_seconds(time, format_->unit);
        return true;
    }

    const TimeFormat* format_;
    DateReader date_;
    bool plain_;
};

/// Why a time of the file cannot be read in its format.
[[nodiscard]] inline std::string bad_time(std::string_view text, const TimeFormat& format) {
    EventTime number;
    if (!format.dates && read_number(text, number)) {
        const TimeUnit unit = unit_of_size(number.whole);
        return quote(text) + " looks like " + std::string(name_of(unit)) + ", but the first time of the file, " +
               quote(format.example) + ", like " + std::string(name_of(format.unit)) +
               "; correct the row or set the unit (TableLayout::time_unit, option --time-unit of the program)";
    }
    const std::string expected = format.dates ? "a date, such as 2015-05-10T05:29:32Z or 2015-05-10"
                                              : "an integer or a decimal number within 64 bits, such as 1396310400 or "
                                                "1396310400.25";
    if (format.dates || !parse_date(text)) {
        return quote(text) + " is not a valid time; expected " + expected;
    }
    return quote(text) + " is a date; expected, as " +
           (format.example.empty()
                ? "the unit of times (TableLayout::time_unit, option --time-unit of the program) says"
                : "in the first rows") +
           ", " + expected;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
