#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_ACTIVATIONS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_ACTIVATIONS_HPP

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace naive {

/// 1 / (1 + exp(-x)), without overflow on either side.
[[nodiscard]] inline double sigmoid(double x) {
    if (x >= 0) {
        return 1 / (1 + std::exp(-x));
    }
    const double e = std::exp(x);
    return e / (1 + e);
}

/// d sigmoid / dx
[[nodiscard]] inline double sigmoid_slope(double x) { return sigmoid(x) * sigmoid(-x); }

/// log(1 + exp(x)) = -log sigmoid(-x)
[[nodiscard]] inline double softplus(double x) {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

struct Activation {
    enum class Kind { linear, relu, tanh, leaky, elu, selu };

    Kind kind = Kind::tanh;
    double a = 1;       ///< leaky: slope below 0; elu, selu: alpha
    double lambda = 1;  ///< selu: the outer factor

    [[nodiscard]] double value(double x) const {
        switch (kind) {
            case Kind::linear: return x;
            case Kind::relu: return x > 0 ? x : 0;
            case Kind::tanh: return std::tanh(x);
            case Kind::leaky: return x > 0 ? x : a * x;
            case Kind::elu: return x > 0 ? x : a * std::expm1(x);
            case Kind::selu: return lambda * (x > 0 ? x : a * std::expm1(x));
        }
        throw std::logic_error("naive: no such activation");
    }

    /// The derivative at the *input* x.
    [[nodiscard]] double slope(double x) const {
        switch (kind) {
            case Kind::linear: return 1;
            case Kind::relu: return x > 0 ? 1 : 0;
            case Kind::tanh: return 1 - std::tanh(x) * std::tanh(x);
            case Kind::leaky: return x > 0 ? 1 : a;
            case Kind::elu: return x > 0 ? 1 : a * std::exp(x);
            case Kind::selu: return lambda * (x > 0 ? 1 : a * std::exp(x));
        }
        throw std::logic_error("naive: no such activation");
    }

    friend bool operator==(const Activation&, const Activation&) = default;
};

/// linear, relu, tanh, leaky-a, elu-a, selu-l-a
[[nodiscard]] inline Activation activation_from_text(const std::string& text) {
    using Kind = Activation::Kind;
    const std::size_t dash = text.find('-');
    const std::string name = text.substr(0, dash);
    if (dash == std::string::npos) {
        if (name == "linear") {
            return {Kind::linear};
        }
        if (name == "relu") {
            return {Kind::relu};
        }
        if (name == "tanh") {
            return {Kind::tanh};
        }
    } else {
        std::size_t used = 0;
        const std::string numbers = text.substr(dash + 1);
        const double first = std::stod(numbers, &used);
        if (name == "leaky" && used == numbers.size()) {
            return {Kind::leaky, first};
        }
        if (name == "elu" && used == numbers.size()) {
            return {Kind::elu, first};
        }
        if (name == "selu" && used < numbers.size() && numbers[used] == '-') {
            return {Kind::selu, std::stod(numbers.substr(used + 1)), first};
        }
    }
    throw std::invalid_argument("naive: no such activation: " + text);
}

}  // namespace naive

#endif
