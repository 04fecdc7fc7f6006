#include "settings.hpp"

#include <algorithm>

namespace findings {

std::vector<Setting> different_settings(const std::vector<Comparison>& comparisons) {
    std::vector<Setting> result;
    for (const Comparison& comparison : comparisons) {
        for (const Setting& setting : comparison.settings) {
            if (std::none_of(result.begin(), result.end(),
                             [&](const Setting& each) { return each.parameters == setting.parameters; })) {
                result.push_back(setting);
            }
        }
    }
    return result;
}

}  // namespace findings
