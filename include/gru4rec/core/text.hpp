#ifndef GRU4REC_CORE_TEXT_HPP
#define GRU4REC_CORE_TEXT_HPP

#include "gru4rec/version.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI::detail {

/// The whole text as a number, or nothing. A leading `+` is no number, nor are blanks.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) noexcept {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// The first bytes of a text as a number.
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

[[nodiscard]] constexpr bool is_control(unsigned char byte) noexcept { return byte < 0x20U || byte == 0x7fU; }

/// A byte as \xHH.
[[nodiscard]] inline std::string escaped(unsigned char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    return {'\\', 'x', digits[byte >> 4U], digits[byte & 0xfU]};
}

/// Shows the parts of the text between separators, at least one, to `use(part)`.
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

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
