#ifndef GRU4REC_CLI_PERCENT_DECODING_HPP
#define GRU4REC_CLI_PERCENT_DECODING_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

namespace detail {

/// @returns -1 for what is not a digit
[[nodiscard]] constexpr int hexadecimal(char c) noexcept {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

}  // namespace detail

/// The text with each %HH as the byte that it stands for; nullopt if a % is not followed by two hexadecimal digits.
[[nodiscard]] inline std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? detail::hexadecimal(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? detail::hexadecimal(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

}  // namespace cli

#endif
