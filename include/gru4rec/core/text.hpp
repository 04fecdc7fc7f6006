#ifndef GRU4REC_CORE_TEXT_HPP
#define GRU4REC_CORE_TEXT_HPP

#include "gru4rec/version.hpp"

#include <array>
#include <charconv>
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

/// Shortest text that reads back as the same number, independent of the locale.
template <class Number>
[[nodiscard]] std::string format_number(Number value) {
    std::array<char, 64> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), result.ptr};
}

[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
