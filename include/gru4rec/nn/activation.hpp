#ifndef GRU4REC_NN_ACTIVATION_HPP
#define GRU4REC_NN_ACTIVATION_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/text.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {

enum class ActivationKind { linear, relu, tanh, leaky, elu, selu };

/// An activation by name: `linear`, `relu`, `tanh`, `leaky-a`, `elu-a`, `selu-l-a` with the numbers a and l.
struct Activation {
    ActivationKind kind = ActivationKind::tanh;
    double alpha = 0;   ///< leaky: slope below 0; elu, selu: minus the limit at -infinity (selu: over lambda); >= 0
    double lambda = 1;  ///< selu: slope above 0; > 0

    friend bool operator==(const Activation&, const Activation&) = default;
};

/// Element-wise policies on SimdVector: `y = f(x)` and the derivative as a function of the output, `f.derivative(y)`.
namespace activations {

struct Linear {
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes x) const noexcept {
        return x;
    }
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes derivative(Lanes) const noexcept {
        return Lanes(1);
    }
};

struct Relu {
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes x) const noexcept {
        return select(x > Lanes(0), x, x * Lanes(0));  // x * 0 keeps a NaN
    }
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes derivative(Lanes y) const noexcept {
        return select(y > Lanes(0), Lanes(1), Lanes(0));
    }
};

struct Tanh {
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes x) const noexcept {
        return tanh(x);
    }
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes derivative(Lanes y) const noexcept {
        return Lanes(1) - y * y;
    }
};

template <class Scalar>
struct Leaky {
    Scalar alpha;
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes x) const noexcept {
        return select(x > Lanes(0), x, Lanes(alpha) * x);
    }
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes derivative(Lanes y) const noexcept {
        return select(y > Lanes(0), Lanes(1), Lanes(alpha));
    }
};

/// lambda x above 0, lambda alpha (exp(x) - 1) below; ELU is lambda = 1.
template <class Scalar>
struct Selu {
    Scalar lambda;
    Scalar alpha;
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes x) const noexcept {
        const Lanes below = Lanes(lambda * alpha) * (exp(minimum(x, Lanes(0))) - Lanes(1));
        return select(x > Lanes(0), Lanes(lambda) * x, below);
    }
    template <class Lanes>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes derivative(Lanes y) const noexcept {
        return select(y > Lanes(0), Lanes(lambda), y + Lanes(lambda * alpha));
    }
};

}  // namespace activations

namespace detail {

/// Calls `use` with the policy type of `activation`: the choice is made once, outside the loops.
template <class Scalar, class Use>
decltype(auto) with_activation(const Activation& activation, Use&& use) {
    const auto alpha = static_cast<Scalar>(activation.alpha);
    switch (activation.kind) {
        case ActivationKind::linear: return use(activations::Linear{});
        case ActivationKind::relu: return use(activations::Relu{});
        case ActivationKind::leaky: return use(activations::Leaky<Scalar>{alpha});
        case ActivationKind::elu: return use(activations::Selu<Scalar>{1, alpha});
        case ActivationKind::selu: return use(activations::Selu<Scalar>{static_cast<Scalar>(activation.lambda), alpha});
        case ActivationKind::tanh: break;
    }
    return use(activations::Tanh{});
}

}  // namespace detail

[[nodiscard]] inline std::string to_string(const Activation& activation) {
    switch (activation.kind) {
        case ActivationKind::linear: return "linear";
        case ActivationKind::relu: return "relu";
        case ActivationKind::tanh: return "tanh";
        case ActivationKind::leaky: return "leaky-" + detail::format_number(activation.alpha);
        case ActivationKind::elu: return "elu-" + detail::format_number(activation.alpha);
        case ActivationKind::selu: break;
    }
    return "selu-" + detail::format_number(activation.lambda) + "-" + detail::format_number(activation.alpha);
}

/// The inverse of `to_string`; nothing for any other text or a number out of range.
[[nodiscard]] inline std::optional<Activation> parse_activation(std::string_view text) {
    if (text == "linear") {
        return Activation{ActivationKind::linear};
    }
    if (text == "relu") {
        return Activation{ActivationKind::relu};
    }
    if (text == "tanh") {
        return Activation{ActivationKind::tanh};
    }
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view name = text.substr(0, dash);
    const std::string_view numbers = text.substr(dash + 1);
    const auto number = [](std::string_view digits) -> std::optional<double> {
        const auto value = detail::parse_number<double>(digits);
        return value && !digits.starts_with('-') && std::isfinite(*value) ? value : std::nullopt;
    };
    if (name == "leaky" || name == "elu") {
        const auto alpha = number(numbers);
        if (!alpha) {
            return std::nullopt;
        }
        return Activation{name == "elu" ? ActivationKind::elu : ActivationKind::leaky, *alpha};
    }
    if (name == "selu") {
        std::size_t middle = numbers.find('-');
        while (middle != std::string_view::npos && middle > 0 && numbers[middle - 1] == 'e') {
            middle = numbers.find('-', middle + 1);  // the dash of an exponent, 1e-05, separates nothing
        }
        if (middle == std::string_view::npos) {
            return std::nullopt;
        }
        const auto lambda = number(numbers.substr(0, middle));
        const auto alpha = number(numbers.substr(middle + 1));
        if (!lambda || !alpha || *lambda == 0) {
            return std::nullopt;
        }
        return Activation{ActivationKind::selu, *alpha, *lambda};
    }
    return std::nullopt;
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
