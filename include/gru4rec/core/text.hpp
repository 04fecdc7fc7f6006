#ifndef GRU4REC_CORE_TEXT_HPP
#define GRU4REC_CORE_TEXT_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000
#include <locale.h>
#include <stdlib.h>

#include <cerrno>
#include <cmath>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

// libc++ before version 20 has no std::from_chars for floating-point numbers.
#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000
template <class Number>
[[nodiscard]] std::optional<Number> parse_floating(std::string_view text) {
    const auto is_blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    if (text.empty() || text.front() == '+' || is_blank(text.front()) ||
        text.find_first_of("xX") != std::string_view::npos) {  // strtod would take these
        return std::nullopt;
    }
    const std::string terminated(text);
    char* end = nullptr;
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", locale_t{});
    errno = 0;
    const double wide = sizeof(Number) == sizeof(float)
                            ? static_cast<double>(strtof_l(terminated.c_str(), &end, c_locale))
                            : strtod_l(terminated.c_str(), &end, c_locale);
    const bool out_of_range = errno == ERANGE && (wide == 0 || std::isinf(wide));
    freelocale(c_locale);
    if (out_of_range || end != terminated.c_str() + terminated.size()) {
        return std::nullopt;
    }
    return static_cast<Number>(wide);
}
#endif

/// The whole text as a number, or nullopt. A leading `+` and blanks are not accepted.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) noexcept {
#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000
    if constexpr (std::is_floating_point_v<Number>) {
        return parse_floating<Number>(text);
    } else
#endif
    {
        Number value{};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) {
            return std::nullopt;
        }
        return value;
    }
}

/// The first bytes at `from` as an integer of type Word.
template <class Word>
[[nodiscard]] inline std::uint64_t load_word(const char* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

/// Shortest text that reads back as the same number, independent of the locale.
template <class Number>
[[nodiscard]] std::string format_number(Number value) {
    std::array<char, 64> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), result.ptr};
}

/// Whether a byte is a control character of ASCII.
[[nodiscard]] constexpr bool is_control(unsigned char byte) noexcept { return byte < 0x20U || byte == 0x7fU; }

/// A byte as \xHH.
[[nodiscard]] GRU4REC_INLINE std::string escaped(unsigned char byte);

/// Calls `use(part)` for each part of the text between separators; there is at least one.
template <class Use>
void for_each_part(std::string_view text, char separator, Use&& use) {
    for (std::size_t end = 0; end != std::string_view::npos;) {
        end = text.find(separator);
        use(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for_each_part(text, separator, [&](std::string_view part) { parts.push_back(part); });
    return parts;
}

/// The length of the UTF-8 sequence at the start of `text`, or 0 if it is invalid (including overlong forms, surrogates
/// and code points above U+10FFFF). @pre !text.empty()
[[nodiscard]] GRU4REC_INLINE std::size_t utf8_sequence(std::string_view text) noexcept;

[[nodiscard]] GRU4REC_INLINE bool is_utf8(std::string_view text) noexcept;

/// @pre code_point <= 0x10ffff
GRU4REC_INLINE void append_utf8(std::string& text, std::uint32_t code_point);

/// The text with control characters and bytes that are not UTF-8 as \xHH: on one line, and harmless to a terminal,
/// which also takes U+0080 to U+009F as commands.
[[nodiscard]] GRU4REC_INLINE std::string printable(std::string_view text);

[[nodiscard]] GRU4REC_INLINE std::string quote_whole(std::string_view text);

/// The position of the first character that begins at `position` or up to three bytes after it.
[[nodiscard]] GRU4REC_INLINE std::size_t next_character(std::string_view text, std::size_t position) noexcept;

/// A text of unknown origin for a message: printable, in quotation marks. A long text is shortened to its beginning and
/// its end, since ids often share their beginning.
[[nodiscard]] GRU4REC_INLINE std::string quote(std::string_view text);

/// Levenshtein distance: insertions, deletions and substitutions of letters from `a` to `b`. @complexity O(|a| |b|)
[[nodiscard]] GRU4REC_INLINE std::size_t edit_distance(std::string_view a, std::string_view b);

/// `learning_rate`: "lr"
[[nodiscard]] GRU4REC_INLINE std::string initials(std::string_view name);

/// Suggests the known name closest to a misspelt one: one whose initials are `name`, else one that starts or ends with
/// it, else one at an edit distance of at most 2. Empty if there is none.
[[nodiscard]] GRU4REC_INLINE std::string_view near_miss(std::string_view name, std::span<const std::string_view> known);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string escaped(unsigned char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    return {'\\', 'x', digits[byte >> 4U], digits[byte & 0xfU]};
}

GRU4REC_INLINE std::size_t utf8_sequence(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80U) {
        return 1;
    }
    if (first >= 0xc2U && first <= 0xdfU) {
        return follows(1) ? 2 : 0;
    }
    if (first >= 0xe0U && first <= 0xefU) {
        const bool overlong = first == 0xe0U && byte(1) < 0xa0U;
        const bool surrogate = first == 0xedU && byte(1) > 0x9fU;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0U && first <= 0xf4U) {
        const bool overlong = first == 0xf0U && byte(1) < 0x90U;
        const bool beyond = first == 0xf4U && byte(1) > 0x8fU;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

GRU4REC_INLINE bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

GRU4REC_INLINE void append_utf8(std::string& text, std::uint32_t code_point) {
    constexpr std::array<std::uint32_t, 4> marks = {0, 0xc0, 0xe0, 0xf0};  // of the first byte, by the bytes after it
    const unsigned n_more = code_point < 0x80U ? 0 : code_point < 0x800U ? 1 : code_point < 0x10000U ? 2 : 3;
    text += static_cast<char>(marks[n_more] | code_point >> (6U * n_more));
    for (unsigned shift = 6U * n_more; shift > 0;) {
        shift -= 6U;
        text += static_cast<char>(0x80U | (code_point >> shift & 0x3fU));
    }
}

GRU4REC_INLINE std::string printable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const std::string_view character = text.substr(0, (std::max)(length, std::size_t{1}));
        const auto last = static_cast<unsigned char>(character.back());
        const bool is_c1 = length == 2 && character.front() == '\xc2' && last < 0xa0U;
        if (length == 0 || is_c1 || is_control(last)) {
            for (const char c : character) {
                result += escaped(static_cast<unsigned char>(c));
            }
        } else {
            result += character;
        }
        text.remove_prefix(character.size());
    }
    return result;
}

GRU4REC_INLINE std::string quote_whole(std::string_view text) { return "\"" + printable(text) + "\""; }

GRU4REC_INLINE std::size_t next_character(std::string_view text, std::size_t position) noexcept {
    const std::size_t end = (std::min)(text.size(), position + 3);
    while (position < end && (static_cast<unsigned char>(text[position]) & 0xc0U) == 0x80U) {
        ++position;
    }
    return position;
}

GRU4REC_INLINE std::string quote(std::string_view text) {
    constexpr std::size_t longest = 80;
    constexpr std::size_t begin = 60;
    constexpr std::size_t end = 15;
    if (text.size() <= longest) {
        return quote_whole(text);
    }
    return quote_whole(text.substr(0, next_character(text, begin))) + "..." +
           quote_whole(text.substr(next_character(text, text.size() - end)));
}

GRU4REC_INLINE std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = (std::min)({substituted, diagonal + 1, row[j] + 1});
        }
    }
    return row.back();
}

GRU4REC_INLINE std::string initials(std::string_view name) {
    std::string letters;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '_' && (i == 0 || name[i - 1] == '_')) {
            letters += name[i];
        }
    }
    return letters;
}

GRU4REC_INLINE std::string_view near_miss(std::string_view name, std::span<const std::string_view> known) {
    constexpr std::size_t longest = 40;
    const auto first = [&](const auto& fits) {
        const auto found = std::find_if(known.begin(), known.end(), fits);
        return found == known.end() ? std::string_view() : *found;
    };
    if (name.size() < 2 || name.size() > longest) {
        return {};
    }
    if (const auto found = first([&](std::string_view k) { return initials(k) == name; }); !found.empty()) {
        return found;
    }
    const auto is_part = [&](std::string_view k) {
        return name.size() > 2 && (k.starts_with(name) || k.ends_with(name));
    };
    if (const auto found = first(is_part); !found.empty()) {
        return found;
    }
    return first([&](std::string_view k) { return name.size() > 3 && edit_distance(name, k) <= 2; });
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
