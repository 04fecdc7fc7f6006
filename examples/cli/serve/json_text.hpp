#ifndef GRU4REC_CLI_SERVE_JSON_TEXT_HPP
#define GRU4REC_CLI_SERVE_JSON_TEXT_HPP

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <string_view>
#include <version>

// Writes the JSON of answers: a list of twenty items costs a microsecond, a tenth of what a tree of values costs.
namespace cli::server {

/// Appends a text in quotes. @pre it is valid UTF-8
inline void append_string(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20U && byte != '"' && byte != '\\') {
            continue;
        }
        out.append(text, begin, i - begin);
        begin = i + 1;
        if (byte < 0x20U) {
            out.append("\\u00").append({digits[byte >> 4U], digits[byte & 0xfU]});
        } else {
            out.append({'\\', text[i]});
        }
    }
    out.append(text, begin, std::string_view::npos);
    out += '"';
}

/// A text in quotes, for messages: of a long one the beginning.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
    constexpr std::size_t most = 100;
    std::string out;
    append_string(out, text);
    if (out.size() > most) {
        std::size_t end = most;
        while ((static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U) {  // within a character
            --end;
        }
        out = out.substr(0, end) + "...\"";
    }
    return out;
}

template <std::integral Number>
void append_number(std::string& out, Number number) {
    std::array<char, 24> digits;
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), end);
}

/// Appends the shortest decimal number that reads back as `number`, null for infinity and NaN, which JSON lacks.
template <std::floating_point Number>
void append_number(std::string& out, Number number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 64> digits;
#if defined(__cpp_lib_to_chars)
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), end);
#else
    const int length = std::snprintf(digits.data(), digits.size(), "%.*g", std::numeric_limits<Number>::max_digits10,
                                     static_cast<double>(number));
    out.append(digits.data(), static_cast<std::size_t>(length));
#endif
}

}  // namespace cli::server

#endif
