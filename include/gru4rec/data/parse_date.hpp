#ifndef GRU4REC_DATA_PARSE_DATE_HPP
#define GRU4REC_DATA_PARSE_DATE_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Reads a date and time of day from the front of a text, piece by piece. After a failure, all that follows fails.
class DateScanner {
  public:
    explicit DateScanner(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool done() const noexcept { return rest_.empty(); }

    /// A number of exactly `n` digits from `low` to `high`.
    int number(std::size_t n, int low, int high) noexcept {
        int value = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const int digit = i < rest_.size() ? rest_[i] - '0' : -1;
            ok_ = ok_ && digit >= 0 && digit <= 9;
            value = ok_ ? value * 10 + digit : 0;
        }
        ok_ = ok_ && value >= low && value <= high;
        rest_.remove_prefix(ok_ ? n : 0);
        return value;
    }

    [[nodiscard]] bool take(char c) noexcept {
        const bool found = ok_ && rest_.starts_with(c);
        rest_.remove_prefix(found ? 1 : 0);
        return found;
    }
    [[nodiscard]] bool take(std::string_view word) noexcept {
        const bool found = ok_ && rest_.starts_with(word);
        rest_.remove_prefix(found ? word.size() : 0);
        return found;
    }
    void require(char c) noexcept { ok_ = take(c); }
    void skip_blanks() noexcept {
        while (take(' ')) {
        }
    }

    /// Digits after the decimal point as nanoseconds; those from the tenth on are cut off.
    [[nodiscard]] std::uint32_t fraction() noexcept {
        std::uint32_t nanoseconds = 0;
        std::uint32_t unit = nanoseconds_per_second / 10;
        std::size_t n = 0;
        for (; n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9'; ++n) {
            nanoseconds += unit * static_cast<std::uint32_t>(rest_[n] - '0');
            unit /= 10;
        }
        ok_ = ok_ && n > 0;
        rest_.remove_prefix(ok_ ? n : 0);
        return nanoseconds;
    }

    /// The next character, NUL at the end.
    [[nodiscard]] char peek() const noexcept { return rest_.empty() ? '\0' : rest_.front(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

/// Seconds east of UTC of what follows a time of day: nothing, `Z`, `UTC`, `GMT`, `+02`, `+0200`, `+02:00`.
[[nodiscard]] inline std::int64_t scan_offset(DateScanner& text) noexcept {
    text.skip_blanks();
    if (text.done() || text.take('Z') || text.take('z')) {
        return 0;
    }
    if (text.take("UTC") || text.take("GMT")) {
        if (text.done()) {
            return 0;
        }
    }
    const bool west = text.peek() == '-';
    if (!text.take('-')) {
        text.require('+');
    }
    const std::int64_t hours = text.number(2, 0, 23);
    const bool has_minutes = text.take(':') || !text.done();
    const std::int64_t seconds = 3600 * hours + (has_minutes ? 60 * text.number(2, 0, 59) : 0);
    return west ? -seconds : seconds;
}

/// A date as seconds since 1970-01-01 UTC: `2015-05-10T05:29:32.404Z`, and its common forms: a blank for the T, `/` for
/// the hyphens, a time without seconds or fraction or none at all, an offset or UTC after it or neither (then UTC is
/// meant).
///
/// @returns nullopt for any other text, and for days and times of day that do not exist; a second 60 counts as the
///          first of the next minute
/// @source ISO 8601; RFC 3339
[[nodiscard]] inline std::optional<EventTime> parse_date(std::string_view input) noexcept {
    DateScanner text(input);
    const int y = text.number(4, 1, 9999);
    const char separator = text.peek() == '/' ? '/' : '-';
    text.require(separator);
    const auto m = static_cast<unsigned>(text.number(2, 1, 12));
    text.require(separator);
    const auto d = static_cast<unsigned>(text.number(2, 1, 31));
    const std::chrono::year_month_day date{std::chrono::year(y), std::chrono::month(m), std::chrono::day(d)};
    if (!text.ok() || !date.ok()) {
        return std::nullopt;
    }
    EventTime time{std::int64_t{86'400} * std::chrono::sys_days(date).time_since_epoch().count(), 0};
    if (text.done()) {
        return time;
    }
    if (!text.take('T') && !text.take('t')) {
        text.require(' ');
        text.skip_blanks();
    }
    const int hours = text.number(2, 0, 23);
    text.require(':');
    const int minutes = text.number(2, 0, 59);
    int seconds = 0;
    if (text.take(':')) {
        seconds = text.number(2, 0, 60);
        if (text.take('.') || text.take(',')) {
            time.nanoseconds = text.fraction();
        }
    }
    time.whole += 3600 * hours + 60 * minutes + seconds - scan_offset(text);
    return text.ok() && text.done() ? std::optional(time) : std::nullopt;
}

/// Reads dates one after another, fast if their form is `2015-05-10T05:29:32` with an optional suffix and they are of
/// the same day as the one before.
class DateReader {
  public:
    /// @returns false if `text` is not a date
    [[nodiscard]] bool read(std::string_view text, EventTime& time) noexcept {
        if (text.size() >= 19 && is_of_day(text.substr(0, 10)) && read_time_of_day(text, time)) {
            return true;
        }
        const auto parsed = parse_date(text);
        time = parsed.value_or(EventTime{});
        return parsed.has_value();
    }

  private:
    /// Whether `day` is the last day, or another one, which then is the last.
    [[nodiscard]] bool is_of_day(std::string_view day) noexcept {
        if (day == std::string_view(day_.data(), day_.size())) {
            return true;
        }
        const auto start = parse_date(day);
        if (start) {
            std::copy_n(day.begin(), day_.size(), day_.begin());
            start_ = start->whole;
        }
        return start.has_value();
    }

    /// `T05:29:32` with nothing, a fraction, `Z` or ` UTC` after it; false for all else.
    [[nodiscard]] bool read_time_of_day(std::string_view text, EventTime& time) const noexcept {
        const auto two = [&](std::size_t i) {
            const unsigned tens = static_cast<unsigned char>(text[i]) - unsigned{'0'};
            const unsigned ones = static_cast<unsigned char>(text[i + 1]) - unsigned{'0'};
            return tens > 9 || ones > 9 ? 99U : tens * 10 + ones;
        };
        const unsigned hours = two(11);
        const unsigned minutes = two(14);
        const unsigned seconds = two(17);
        if ((text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':' || hours > 23 || minutes > 59 ||
            seconds > 59) {
            return false;
        }
        time = {start_ + static_cast<std::int64_t>(3600 * hours + 60 * minutes + seconds), 0};
        std::string_view suffix = text.substr(19);
        if (suffix.starts_with('.')) {
            std::uint32_t unit = nanoseconds_per_second / 10;
            std::size_t n = 1;
            for (; n < suffix.size() && suffix[n] >= '0' && suffix[n] <= '9'; ++n, unit /= 10) {
                time.nanoseconds += unit * static_cast<std::uint32_t>(suffix[n] - '0');
            }
            if (n == 1) {
                return false;
            }
            suffix.remove_prefix(n);
        }
        return suffix.empty() || suffix == "Z" || suffix == " UTC";
    }

    std::array<char, 10> day_{'1', '9', '7', '0', '-', '0', '1', '-', '0', '1'};  // of the last date
    std::int64_t start_ = 0;                                                      // of that day
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
