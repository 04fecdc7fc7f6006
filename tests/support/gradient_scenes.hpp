#ifndef GRU4REC_TESTS_SUPPORT_GRADIENT_SCENES_HPP
#define GRU4REC_TESTS_SUPPORT_GRADIENT_SCENES_HPP

#include "support/library_step.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// What tests of gradients are done with.
namespace gradient_scenes {

using library_step::Entries;

inline const std::vector<std::string> cells = {"reset_before", "reset_after"};
/// Of the items.
inline const std::vector<std::int64_t> supports = {5, 1, 3, 2, 7, 4, 9, 2, 6, 1, 3, 8, 5};

[[nodiscard]] inline Entries joined(Entries first, const Entries& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

[[nodiscard]] inline std::string described(const Entries& settings) {
    std::string text;
    for (const auto& [name, value] : settings) {
        text += name + "=" + value + " ";
    }
    return text;
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
