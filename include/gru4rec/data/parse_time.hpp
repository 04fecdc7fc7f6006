#ifndef GRU4REC_DATA_PARSE_TIME_HPP
#define GRU4REC_DATA_PARSE_TIME_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Parses eight decimal digits, the first one in the lowest byte, by joining pairs, fours and eights of digits within
/// one word. @returns false if any character is not a digit
[[nodiscard]] GRU4REC_ALWAYS_INLINE constexpr bool eight_digits(std::uint64_t word, std::uint64_t& value) noexcept {
    if ((((word + 0x4646464646464646ULL) | (word - 0x3030303030303030ULL)) & 0x8080808080808080ULL) != 0) {
        return false;
    }
    word -= 0x3030303030303030ULL;
    word = (word * 10 + (word >> 8U)) & 0x00ff00ff00ff00ffULL;
    word = (word * 100 + (word >> 16U)) & 0x0000ffff0000ffffULL;
    value = (word * 10'000 + (word >> 32U)) & 0xffffffffU;
    return true;
}

/// Fast path for the times of nearly all files: 8 to 18 digits, optionally a point and 1 to 7 more.
/// @returns false for any other text, which parse_time() may still accept
///
/// Writes to `time` instead of returning std::optional: that would be written in parts and read back as a whole, which
/// defeats store forwarding.
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
        // The last eight bytes, with zeros in place of what precedes the fraction.
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

/// The decimal digits of a number: 0.d1 d2 d3 ... * 10^point with d1 != 0, or no digits for zero.
struct Decimal {
    std::array<unsigned char, 32> digits{};  // of a time, 19 before the point and 10 after it matter
    std::size_t n_digits = 0;
    std::int64_t point = 0;

    void append(unsigned char digit, bool in_fraction) noexcept {
        if (n_digits == 0 && digit == 0) {
            point -= in_fraction ? 1 : 0;
            return;
        }
        if (n_digits < digits.size()) {
            digits[n_digits] = digit;
        }
        ++n_digits;
        point += in_fraction ? 0 : 1;
    }

    [[nodiscard]] unsigned digit(std::int64_t place) const noexcept {
        return place >= 0 && place < std::ssize(digits) ? at(digits, place) : 0U;
    }
};

/// `12`, `.5`, `1.4e9`, without a sign; nullopt for any other text.
[[nodiscard]] inline std::optional<Decimal> parse_decimal(std::string_view text) noexcept {
    Decimal decimal;
    bool any_digit = false;
    bool in_fraction = false;
    for (; !text.empty(); text.remove_prefix(1)) {
        const char c = text.front();
        if (c == '.' && !in_fraction) {
            in_fraction = true;
        } else if (c >= '0' && c <= '9') {
            any_digit = true;
            decimal.append(static_cast<unsigned char>(c - '0'), in_fraction);
        } else {
            break;
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
        decimal.point += *exponent;
    }
    return decimal;
}

/// `12`, `-12.5`, `1.4e9`: an integer or a decimal, exact to 1e-9; nullopt for any other text and beyond 64 bits.
[[nodiscard]] inline std::optional<EventTime> parse_time(std::string_view text) noexcept {
    if (const auto whole = parse_number<std::int64_t>(text)) {
        return EventTime{*whole, 0};
    }
    const bool negative = text.starts_with('-');
    const auto decimal = parse_decimal(text.substr(negative ? 1 : 0));
    if (!decimal) {
        return std::nullopt;
    }
    if (decimal->n_digits == 0) {
        return EventTime{};
    }
    const std::int64_t point = decimal->point;
    if (point > 19) {
        return std::nullopt;
    }
    std::uint64_t whole = 0;
    for (std::int64_t place = 0; place < point; ++place) {
        whole = whole * 10 + decimal->digit(place);
    }
    std::uint32_t nanoseconds = 0;
    for (std::int64_t place = point; place < point + 9; ++place) {
        nanoseconds = nanoseconds * 10 + decimal->digit(place);
    }
    nanoseconds += decimal->digit(point + 9) >= 5 ? 1U : 0U;
    return make_event_time(negative, whole, nanoseconds);
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
