#ifndef GRU4REC_TESTS_SUPPORT_TEST_SETTINGS_HPP
#define GRU4REC_TESTS_SUPPORT_TEST_SETTINGS_HPP

#include <string>
#include <utility>
#include <vector>

/// Hyper-parameters as tests list them.
namespace test_settings {

/// Names and values, as Hyperparameters::set takes them.
using Entries = std::vector<std::pair<std::string, std::string>>;

/// Every gru_variant.
inline const std::vector<std::string> cells = {"reset_before", "reset_after"};

/// "name=value name=value", for messages.
[[nodiscard]] inline std::string described(const Entries& settings) {
    std::string text;
    for (const auto& [name, value] : settings) {
        text += (text.empty() ? "" : " ") + name + "=" + value;
    }
    return text;
}

}  // namespace test_settings

#endif
