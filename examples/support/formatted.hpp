#ifndef GRU4REC_EXAMPLES_SUPPORT_FORMATTED_HPP
#define GRU4REC_EXAMPLES_SUPPORT_FORMATTED_HPP

#include <array>
#include <cstdio>
#include <string>

/// @param format  of printf, for one double: "%.4f"
[[nodiscard]] inline std::string formatted(const char* format, double value) {
    std::array<char, 400> text{};  // enough for the largest double in full
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

/// The value with `digits` digits after the point.
[[nodiscard]] inline std::string formatted(double value, int digits) {
    return formatted(("%." + std::to_string(digits) + "f").c_str(), value);
}

#endif
