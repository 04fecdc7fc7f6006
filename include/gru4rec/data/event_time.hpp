#ifndef GRU4REC_DATA_EVENT_TIME_HPP
#define GRU4REC_DATA_EVENT_TIME_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A moment: `whole` seconds (or whatever a file counts in), rounded down, and the rest in 1e-9. Integers of 64 bits
/// and decimals sort exactly, which they would not as double.
struct EventTime {
    std::int64_t whole = 0;
    std::uint32_t nanoseconds = 0;

    [[nodiscard]] friend constexpr auto operator<=>(const EventTime&, const EventTime&) = default;
};

/// Times one behind the other; fractions of seconds take memory from the first one on.
struct TimeColumn {
    std::vector<std::int64_t> whole;
    std::vector<std::uint32_t> nanoseconds;  ///< empty as long as no time has a fraction

    [[nodiscard]] std::size_t size() const noexcept { return whole.size(); }

    [[nodiscard]] EventTime operator[](std::size_t at) const noexcept {
        return {whole[at], nanoseconds.empty() ? 0U : nanoseconds[at]};
    }

    void set(std::size_t at, EventTime when) {
        reach(when);
        whole[at] = when.whole;
        if (!nanoseconds.empty()) {
            nanoseconds[at] = when.nanoseconds;
        }
    }

    void push_back(EventTime when) {
        reach(when);
        const bool with_fraction = when.nanoseconds != 0 || !nanoseconds.empty();
        whole.push_back(when.whole);
        if (with_fraction) {
            nanoseconds.push_back(when.nanoseconds);
        }
    }

    void append(const TimeColumn& more) {
        const bool with_fractions = !nanoseconds.empty() || !more.nanoseconds.empty();
        if (with_fractions) {
            start_fractions();
            nanoseconds.insert(nanoseconds.end(), more.nanoseconds.begin(), more.nanoseconds.end());
        }
        whole.insert(whole.end(), more.whole.begin(), more.whole.end());
        if (with_fractions) {
            nanoseconds.resize(whole.size());
        }
    }

    void reserve(std::size_t n_times) { whole.reserve(n_times); }

    void clear() noexcept {
        whole.clear();
        nanoseconds.clear();
    }

  private:
    void reach(EventTime when) {
        if (when.nanoseconds != 0 && nanoseconds.empty()) {
            start_fractions();
        }
    }

    void start_fractions() {
        nanoseconds.reserve(whole.capacity());
        nanoseconds.resize(whole.size());
    }
};

namespace detail {

inline constexpr std::uint32_t nanoseconds_per_second = 1'000'000'000;

/// (-1)^negative * (whole + nanoseconds / 1e9), or nothing where that does not fit.
[[nodiscard]] constexpr std::optional<EventTime> make_event_time(bool negative, std::uint64_t whole,
                                                                 std::uint32_t nanoseconds) noexcept {
    constexpr std::uint64_t largest = (std::numeric_limits<std::int64_t>::max)();
    if (nanoseconds == nanoseconds_per_second) {
        ++whole;
        nanoseconds = 0;
    }
    if (negative && nanoseconds > 0) {  // -1.25 is -2 + 0.75
        ++whole;
        nanoseconds = nanoseconds_per_second - nanoseconds;
    }
    if (whole > largest + (negative ? 1 : 0)) {
        return std::nullopt;
    }
    return EventTime{static_cast<std::int64_t>(negative ? std::uint64_t{0} - whole : whole), nanoseconds};
}

/// The number that eight decimal digits make, the first one in the lowest byte: pairs, fours and eights of digits are
/// joined within one word. @returns false where other characters are among them
[[nodiscard]] constexpr bool eight_digits(std::uint64_t word, std::uint64_t& value) noexcept {
    if ((((word + 0x4646464646464646ULL) | (word - 0x3030303030303030ULL)) & 0x8080808080808080ULL) != 0) {
        return false;
    }
    word -= 0x3030303030303030ULL;
    word = (word * 10 + (word >> 8U)) & 0x00ff00ff00ff00ffULL;
    word = (word * 100 + (word >> 16U)) & 0x0000ffff0000ffffULL;
    value = (word * 10'000 + (word >> 32U)) & 0xffffffffU;
    return true;
}

/// Times as nearly all files hold them: 8 to 18 digits, and 1 to 7 behind a point. @returns false for any other text
///
/// The time goes straight to its place: as std::optional it would be written in parts and read as a whole, and the
/// processor waits for that.
[[nodiscard]] GRU4REC_ALWAYS_INLINE bool parse_plain_time(std::string_view text, EventTime& time) noexcept {
    constexpr std::array<std::uint32_t, 8> units{0, 100'000'000, 10'000'000, 1'000'000, 100'000, 10'000, 1'000, 100};
    if (std::endian::native != std::endian::little || text.size() < 8 || text.size() > 26) {
        return false;
    }
    std::uint64_t whole = 0;
    if (!eight_digits(load_word<std::uint64_t>(text.data()), whole)) {
        return false;
    }
    std::size_t n = 8;
    for (; n < text.size() && text[n] >= '0' && text[n] <= '9'; ++n) {
        whole = whole * 10 + static_cast<std::uint64_t>(text[n] - '0');
    }
    std::uint64_t fraction = 0;
    std::uint32_t unit = 0;
    if (n < text.size()) {
        const std::size_t n_fraction = text.size() - n - 1;
        if (text[n] != '.' || n_fraction < 1 || n_fraction > 7) {
            return false;
        }
        // The last eight bytes, zeros in place of what stands before the fraction.
        auto word = load_word<std::uint64_t>(text.data() + text.size() - 8);
        const unsigned before = 64U - 8U * static_cast<unsigned>(n_fraction);
        word = (word >> before << before) | (0x3030303030303030ULL & ((std::uint64_t{1} << before) - 1));
        if (!eight_digits(word, fraction)) {
            return false;
        }
        unit = units[n_fraction];
    }
    time.whole = static_cast<std::int64_t>(whole);
    time.nanoseconds = static_cast<std::uint32_t>(fraction) * unit;
    return n <= 18;
}

/// `12`, `-12.5`, `1.4e9`: an integer or a decimal, exact to 1e-9; nothing for any other text and beyond 64 bits.
[[nodiscard]] inline std::optional<EventTime> parse_time(std::string_view text) noexcept {
    if (const auto whole = parse_number<std::int64_t>(text)) {
        return EventTime{*whole, 0};
    }
    const bool negative = text.starts_with('-');
    text.remove_prefix(negative ? 1 : 0);

    // The value is 0.d1 d2 d3 ... * 10^point, d1 != 0: 19 digits before the point and 10 behind it are all that counts.
    std::array<unsigned char, 32> digits{};
    std::size_t n_digits = 0;
    std::int64_t point = 0;
    bool any_digit = false;
    bool in_fraction = false;
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text.front();
        if (c == '.' && !in_fraction) {
            in_fraction = true;
            continue;
        }
        if (c < '0' || c > '9') {
            break;
        }
        any_digit = true;
        if (n_digits > 0 || c != '0') {
            if (n_digits < digits.size()) {
                digits[n_digits] = static_cast<unsigned char>(c - '0');
            }
            ++n_digits;
            point += in_fraction ? 0 : 1;
        } else {
            point -= in_fraction ? 1 : 0;
        }
    }
    if (!any_digit) {
        return std::nullopt;
    }
    if (!text.empty()) {
        if (text.front() != 'e' && text.front() != 'E') {
            return std::nullopt;
        }
        text.remove_prefix(1);
        if (text.size() > 1 && text.front() == '+' && text[1] != '-') {
            text.remove_prefix(1);
        }
        const auto exponent = parse_number<std::int32_t>(text);
        if (!exponent) {
            return std::nullopt;
        }
        point += *exponent;
    }
    if (n_digits == 0) {
        return EventTime{};
    }
    if (point > 19) {
        return std::nullopt;
    }
    const auto digit = [&](std::int64_t place) -> unsigned {
        return place >= 0 && place < static_cast<std::int64_t>(digits.size()) ? digits[static_cast<std::size_t>(place)]
                                                                              : 0U;
    };
    std::uint64_t whole = 0;
    for (std::int64_t place = 0; place < point; ++place) {
        whole = whole * 10 + digit(place);
    }
    std::uint32_t nanoseconds = 0;
    for (std::int64_t place = point; place < point + 9; ++place) {
        nanoseconds = nanoseconds * 10 + digit(place);
    }
    nanoseconds += digit(point + 9) >= 5 ? 1U : 0U;
    return make_event_time(negative, whole, nanoseconds);
}

/// Floating-point seconds to the nearest 1e-9; nothing for NaN and beyond 64 bits.
[[nodiscard]] inline std::optional<EventTime> to_event_time(double seconds) noexcept {
    const double magnitude = std::abs(seconds);
    if (!(magnitude <= 0x1p63)) {  // also NaN
        return std::nullopt;
    }
    const double whole = std::floor(magnitude);
    return make_event_time(seconds < 0, static_cast<std::uint64_t>(whole),
                           static_cast<std::uint32_t>(std::round((magnitude - whole) * 1e9)));
}

/// The shortest decimal that reads back as the same time.
[[nodiscard]] inline std::string format_time(EventTime time) {
    if (time.nanoseconds == 0) {
        return format_number(time.whole);
    }
    const bool negative = time.whole < 0;
    const std::uint32_t nanoseconds = negative ? nanoseconds_per_second - time.nanoseconds : time.nanoseconds;
    const std::string fraction = format_number(nanoseconds + nanoseconds_per_second).substr(1);
    return (negative ? "-" : "") + format_number(negative ? -(time.whole + 1) : time.whole) + "." +
           fraction.substr(0, fraction.find_last_not_of('0') + 1);
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
