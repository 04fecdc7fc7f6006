#ifndef GRU4REC_NN_ACTIVATION_HPP
#define GRU4REC_NN_ACTIVATION_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/text.hpp"

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The kinds of activation. leaky: x > 0 ? x : alpha x; elu: x > 0 ? x : alpha (exp(x) - 1); selu: lambda times elu.
enum class ActivationKind { linear, relu, tanh, leaky, elu, selu };

/// An activation and its numbers. By name: `linear`, `relu`, `tanh`, `leaky-a`, `elu-a`, `selu-l-a` with a for alpha
/// and l for lambda. parse_activation() checks the numbers; those of an Activation made by hand are not checked.
struct Activation {
    ActivationKind kind = ActivationKind::tanh;  ///< kinds without alpha or lambda ignore them
    double alpha = 0;                            ///< of leaky, elu and selu, >= 0; leaky and elu with 0 are relu
    double lambda = 1;                           ///< of selu, > 0

    friend bool operator==(const Activation&, const Activation&) = default;
};

namespace detail {

/// An activation as a function of vectors, and its derivative as a function of the output. Every vector tests which
/// kind it is: the branch is always predicted and costs less than the code that a template per kind would add.
template <class Scalar>
class ActivationFunction {
  public:
    explicit ActivationFunction(const Activation& activation) noexcept
        : kind_(activation.kind),
          alpha_(static_cast<Scalar>(activation.alpha)),
          // ELU is SELU with lambda = 1
          lambda_(activation.kind == ActivationKind::selu ? static_cast<Scalar>(activation.lambda) : Scalar(1)) {}

    [[nodiscard]] bool is_identity() const noexcept { return kind_ == ActivationKind::linear; }

    /// y = f(x)
    template <class V>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE V operator()(V x) const noexcept {
        switch (kind_) {
            case ActivationKind::linear: return x;
            case ActivationKind::relu: return select(x > V(0), x, x * V(0));  // x * 0 keeps a NaN
            case ActivationKind::leaky: return select(x > V(0), x, V(alpha_) * x);
            case ActivationKind::elu:
            case ActivationKind::selu: break;
            case ActivationKind::tanh: return tanh(x);
        }
        const V below = V(lambda_ * alpha_) * (exp(minimum(x, V(0))) - V(1));
        return select(x > V(0), V(lambda_) * x, below);
    }

    /// f'(x) for y = f(x)
    template <class V>
    [[nodiscard]] GRU4REC_ALWAYS_INLINE V derivative(V y) const noexcept {
        switch (kind_) {
            case ActivationKind::linear: return V(1);
            case ActivationKind::relu: return select(y > V(0), V(1), V(0));
            case ActivationKind::leaky: return select(y > V(0), V(1), V(alpha_));
            case ActivationKind::elu:
            case ActivationKind::selu: break;
            case ActivationKind::tanh: return V(1) - y * y;
        }
        return select(y > V(0), V(lambda_), y + V(lambda_ * alpha_));
    }

  private:
    ActivationKind kind_;
    Scalar alpha_;
    Scalar lambda_;
};

}  // namespace detail

/// The name that parse_activation() reads: `elu-0.5`.
[[nodiscard]] GRU4REC_INLINE std::string to_string(const Activation& activation);

/// The inverse of `to_string`; std::nullopt for any other text or a number out of range.
[[nodiscard]] GRU4REC_INLINE std::optional<Activation> parse_activation(std::string_view text);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string to_string(const Activation& activation) {
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

GRU4REC_INLINE std::optional<Activation> parse_activation(std::string_view text) {
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
            middle = numbers.find('-', middle + 1);  // the dash of an exponent, 1e-05, is not the separator
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

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
