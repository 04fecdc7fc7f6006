#ifndef GRU4REC_MODEL_PARAMETER_RANGE_HPP
#define GRU4REC_MODEL_PARAMETER_RANGE_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The values that a numeric parameter, or each element of a list, may have.
struct ParameterRange {
    enum class Ends { included, low_excluded, high_excluded };
    static constexpr int unlimited = (std::numeric_limits<int>::max)();

    int low = 0;
    int high = unlimited;
    Ends ends = Ends::included;
    std::string_view note = {};     ///< for error messages
    std::string_view element = {};  ///< what the elements of a list are called

    /// False for infinity and NaN.
    [[nodiscard]] bool contains(double value) const noexcept {
        const bool above = ends == Ends::low_excluded ? value > low : value >= low;
        const bool below = high == unlimited || (ends == Ends::high_excluded ? value < high : value <= high);
        return above && below && std::isfinite(value);
    }

    /// `0 < name <= 1` or `name >= 0, finite`, and then the note in parentheses
    [[nodiscard]] std::string condition(std::string_view name) const {
        const std::string middle(name);
        const std::string text =
            high == unlimited ? middle + (ends == Ends::low_excluded ? " > " : " >= ") + format_number(low) + ", finite"
                              : format_number(low) + (ends == Ends::low_excluded ? " < " : " <= ") + middle +
                                    (ends == Ends::high_excluded ? " < " : " <= ") + format_number(high);
        return note.empty() ? text : text + " (" + std::string(note) + ")";
    }

    /// `1 .. 10` for integers, `(0, 1]` for others
    [[nodiscard]] std::string interval(bool is_integer) const {
        const std::string text = high == unlimited ? (ends == Ends::low_excluded ? "> " : ">= ") + format_number(low)
                                 : is_integer      ? format_number(low) + " .. " + format_number(high)
                                              : (ends == Ends::low_excluded ? "(" : "[") + format_number(low) + ", " +
                                                    format_number(high) + (ends == Ends::high_excluded ? ")" : "]");
        return element.empty() ? text : "each " + text;
    }
};

/// low <= value <= high
[[nodiscard]] constexpr ParameterRange between(int low, int high, std::string_view note = {}) noexcept {
    return {.low = low, .high = high, .note = note};
}
/// value >= low
[[nodiscard]] constexpr ParameterRange at_least(int low, std::string_view note = {}) noexcept {
    return {.low = low, .note = note};
}
/// value > low
[[nodiscard]] constexpr ParameterRange above(int low) noexcept {
    return {.low = low, .ends = ParameterRange::Ends::low_excluded};
}
/// [0, 1)
[[nodiscard]] constexpr ParameterRange share() noexcept {
    return {.high = 1, .ends = ParameterRange::Ends::high_excluded};
}
/// (0, 1]
[[nodiscard]] constexpr ParameterRange factor() noexcept {
    return {.high = 1, .ends = ParameterRange::Ends::low_excluded};
}
/// For the elements of a list.
[[nodiscard]] constexpr ParameterRange each(std::string_view element, ParameterRange range) noexcept {
    range.element = element;
    return range;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
