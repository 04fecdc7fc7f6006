#ifndef GRU4REC_TESTS_SUPPORT_GRADIENT_SCENES_HPP
#define GRU4REC_TESTS_SUPPORT_GRADIENT_SCENES_HPP

#include "support/test_settings.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// What tests of gradients are done with.
namespace gradient_scenes {

using test_settings::cells;
using test_settings::described;
using test_settings::Entries;

/// Errors that rounding alone explains, of max(1, |a|, |n|): half of the digits are lost in a central difference,
/// none but the last few in the twin's formulas.
inline constexpr double allowed_of_differences = 1e-6;
inline constexpr double allowed_of_twin = 1e-11;

/// Of the items.
inline const std::vector<std::int64_t> supports = {5, 1, 3, 2, 7, 4, 9, 2, 6, 1, 3, 8, 5};

[[nodiscard]] inline Entries joined(Entries first, const Entries& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

[[nodiscard]] inline Entries input_settings(int input, const std::string& embedding) {
    switch (input) {
        case 0: return {{"constrained_embedding", "false"}};
        case 1: return {{"constrained_embedding", "false"}, {"embedding", embedding}, {"dropout_p_embed", "0.25"}};
        default: return {{"constrained_embedding", "true"}, {"dropout_p_embed", "0.25"}};
    }
}

/// Every cell, input and number of layers, with dropout in all places where it may be.
[[nodiscard]] inline std::vector<Entries> all_networks() {
    std::vector<Entries> result;
    for (const std::string& cell : cells) {
        for (int input = 0; input < 3; ++input) {
            for (const auto& [layers, embedding] :
                 std::vector<std::pair<std::string, std::string>>{{"5", "3"}, {"7/3", "layersize"}, {"3/9/4", "11"}}) {
                result.push_back(joined(input_settings(input, embedding),
                                        {{"gru_variant", cell}, {"layers", layers}, {"dropout_p_hidden", "0.3"}}));
            }
        }
    }
    return result;
}

}  // namespace gradient_scenes

#endif
