#ifndef GRU4REC_CLI_ANY_CASE_HPP
#define GRU4REC_CLI_ANY_CASE_HPP

#include <algorithm>
#include <string_view>

// The case of letters of ASCII, whatever the locale: that of words of HTTP and of endings of file names.
namespace cli {

[[nodiscard]] constexpr char small_letter(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool equals_in_any_case(std::string_view text, std::string_view small_letters) noexcept {
    return std::equal(text.begin(), text.end(), small_letters.begin(), small_letters.end(),
                      [](char a, char b) { return small_letter(a) == b; });
}

[[nodiscard]] constexpr bool ends_in_any_case(std::string_view text, std::string_view small_letters) noexcept {
    return text.size() >= small_letters.size() &&
           equals_in_any_case(text.substr(text.size() - small_letters.size()), small_letters);
}

}  // namespace cli

#endif
