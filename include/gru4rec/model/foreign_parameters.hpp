#ifndef GRU4REC_MODEL_FOREIGN_PARAMETERS_HPP
#define GRU4REC_MODEL_FOREIGN_PARAMETERS_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

// Parameters as the published implementations write them, and what to write here.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// What to write instead of a parameter that only other implementations have.
struct ForeignParameter {
    std::string_view name;
    std::string_view advice;
    std::string_view advice_if_false = {};  ///< for True / False; empty: the same advice
};

inline constexpr auto foreign_parameters = std::to_array<ForeignParameter>({
    {"sample_store", "leave it out: negatives are drawn when a step needs them"},
    {"sample_cache_max_size", "leave it out: negatives are drawn when a step needs them"},
    {"store_type", "leave it out: negatives are drawn when a step needs them"},
    {"decay", "write adapt_params: one decay for rmsprop and adadelta, b1/b2 for adam"},
    {"train_random_order", "write session_order=random", "leave it out, or write session_order=time"},
    {"time_sort", "leave it out, or write session_order=time", "write session_order=file"},
    {"reset_after_session", "leave it out: the hidden state of a lane is always reset when its session ends"},
    {"device", "leave it out: training runs on the CPU"},
    {"session_key", "leave it out: columns belong to the data, not to the model"},
    {"item_key", "leave it out: columns belong to the data, not to the model"},
    {"time_key", "leave it out: columns belong to the data, not to the model"},
});

[[nodiscard]] inline bool is_false(std::string_view value) noexcept {
    return value == "False" || value == "false" || value == "0";
}

/// What to write instead of a name that only other implementations know; empty if they do not know it either.
[[nodiscard]] inline std::string_view advice_on_name(std::string_view name, std::string_view value) noexcept {
    const auto found = std::find_if(foreign_parameters.begin(), foreign_parameters.end(),
                                    [&](const ForeignParameter& known) { return known.name == name; });
    return found == foreign_parameters.end()                    ? std::string_view()
           : is_false(value) && !found->advice_if_false.empty() ? found->advice_if_false
                                                                : found->advice;
}

/// The same for the names of losses: `xe_logit`, `bpr_max`, `bpr-max-0.5`.
[[nodiscard]] inline std::string advice_on_loss(std::string_view value) {
    constexpr auto cross_entropy = std::to_array<std::string_view>(
        {"xe", "xe_logit", "xe-logit", "xent", "ce", "cross_entropy", "crossentropy", "softmax"});
    if (std::find(cross_entropy.begin(), cross_entropy.end(), value) != cross_entropy.end()) {
        return "write loss=cross-entropy";
    }
    if (value == "bpr_max" || value == "bprmax") {
        return "write loss=bpr-max";
    }
    if (value == "top1_max" || value == "top1max") {
        return "write loss=top1-max";
    }
    constexpr std::string_view with_number = "bpr-max-";
    if (value.starts_with(with_number) && parse_number<double>(value.substr(with_number.size()))) {
        return "write loss=bpr-max and bpreg=" + std::string(value.substr(with_number.size()));
    }
    return {};
}

/// What to write instead of a value that only other implementations know; empty if they do not know it either.
[[nodiscard]] inline std::string advice_on_value(std::string_view name, std::string_view value) {
    const bool none = value.empty() || value == "None" || value == "none" || value == "null" || value == "[]";
    if (name == "loss") {
        return advice_on_loss(value);
    }
    if (name == "final_act" && (value == "softmax" || value == "softmax_logit")) {
        return "leave final_act out: loss=cross-entropy contains its softmax";
    }
    if (name == "adapt" && none) {
        return "write adapt=sgd";
    }
    if ((name == "final_act" || name == "learning_rate" || name == "adapt_params") && none) {
        return "leave " + std::string(name) + " out for its default";
    }
    if (value.starts_with('[') && (name == "layers" || name == "adapt_params")) {
        return "write lists as a/b/c, without brackets";
    }
    return {};
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
