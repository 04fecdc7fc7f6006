#ifndef GRU4REC_MODEL_CHOICES_HPP
#define GRU4REC_MODEL_CHOICES_HPP

#include "gru4rec/data/session_source.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

// Hyper-parameters that choose one of several names.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The losses of nn/loss.hpp, without their parameters.
enum class LossKind { cross_entropy, bpr, top1, bpr_max, top1_max };

/// Two different cells are called GRU: see nn/gru.hpp.
enum class GruVariant { reset_before, reset_after };

/// The part of a session that is the input of a step (arXiv 1511.06939, section 3.1).
enum class InputContent {
    last,    ///< the current item
    history  ///< the last items, weighted by age
};

/// The rules of optim/rules.hpp, without their parameters.
enum class Adapt { sgd, adagrad, rmsprop, adadelta, adam };

namespace detail {

template <class Enum>
struct Choice {
    std::string_view name;
    Enum value;
};

[[nodiscard]] constexpr auto choices_of(LossKind) noexcept {
    return std::to_array<Choice<LossKind>>({{"cross-entropy", LossKind::cross_entropy},
                                            {"bpr", LossKind::bpr},
                                            {"top1", LossKind::top1},
                                            {"bpr-max", LossKind::bpr_max},
                                            {"top1-max", LossKind::top1_max}});
}
[[nodiscard]] constexpr auto choices_of(GruVariant) noexcept {
    return std::to_array<Choice<GruVariant>>(
        {{"reset_before", GruVariant::reset_before}, {"reset_after", GruVariant::reset_after}});
}
[[nodiscard]] constexpr auto choices_of(InputContent) noexcept {
    return std::to_array<Choice<InputContent>>({{"last", InputContent::last}, {"history", InputContent::history}});
}
[[nodiscard]] constexpr auto choices_of(Adapt) noexcept {
    return std::to_array<Choice<Adapt>>({{"sgd", Adapt::sgd},
                                         {"adagrad", Adapt::adagrad},
                                         {"rmsprop", Adapt::rmsprop},
                                         {"adadelta", Adapt::adadelta},
                                         {"adam", Adapt::adam}});
}
[[nodiscard]] constexpr auto choices_of(SessionOrder) noexcept {
    return std::to_array<Choice<SessionOrder>>(
        {{"time", SessionOrder::time}, {"file", SessionOrder::file}, {"random", SessionOrder::random}});
}

template <class Enum>
concept NamedChoice = std::is_enum_v<Enum> && requires(Enum value) {
    choices_of(value);
};

template <NamedChoice Enum>
[[nodiscard]] constexpr std::string_view name_of(Enum value) noexcept {
    for (const auto& choice : choices_of(value)) {
        if (choice.value == value) {
            return choice.name;
        }
    }
    return "?";
}

/// `time, file or random`
template <NamedChoice Enum>
[[nodiscard]] std::string joined_names(std::string_view last_separator) {
    const auto choices = choices_of(Enum{});
    std::string text;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        text += i == 0 ? "" : i + 1 < choices.size() ? ", " : last_separator;
        text += choices[i].name;
    }
    return text;
}

}  // namespace detail

/// @{
/// The name that Hyperparameters and model files use: `bpr-max`, `reset_before`, `adagrad`.
[[nodiscard]] inline std::string to_string(LossKind loss) { return std::string(detail::name_of(loss)); }
[[nodiscard]] inline std::string to_string(GruVariant variant) { return std::string(detail::name_of(variant)); }
[[nodiscard]] inline std::string to_string(Adapt adapt) { return std::string(detail::name_of(adapt)); }
/// @}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
