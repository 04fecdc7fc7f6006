#ifndef GRU4REC_DATA_FORMAT_DATE_HPP
#define GRU4REC_DATA_FORMAT_DATE_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A number >= 0, filled with zeros on the left to `width` digits.
[[nodiscard]] inline std::string padded_number(std::int64_t number, std::size_t width) {
    const std::string digits = format_number(number);
    return std::string(digits.size() < width ? width - digits.size() : 0, '0') + digits;
}

/// Seconds since 1970 as a date: `2015-05-10 05:29:32 UTC`, without the fraction. Times outside the years 0
/// to 9999 are written as the number of seconds.
[[nodiscard]] inline std::string format_date(EventTime time) {
    constexpr std::int64_t day = 86'400;
    constexpr std::int64_t first = -62'167'219'200;  // 0000-01-01
    constexpr std::int64_t last = 253'402'300'799;   // 9999-12-31
    if (time.whole < first || time.whole > last) {
        return format_number(time.whole);
    }
    const std::int64_t days = (time.whole - (time.whole < 0 ? day - 1 : 0)) / day;
    const std::int64_t seconds = time.whole - days * day;
    const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
    return padded_number(int{date.year()}, 4) + "-" + padded_number(unsigned{date.month()}, 2) + "-" +
           padded_number(unsigned{date.day()}, 2) + " " + padded_number(seconds / 3600, 2) + ":" +
           padded_number(seconds / 60 % 60, 2) + ":" + padded_number(seconds % 60, 2) + " UTC";
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
