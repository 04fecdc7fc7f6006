#ifndef GRU4REC_OPTIM_RULES_HPP
#define GRU4REC_OPTIM_RULES_HPP

#include "gru4rec/core/simd.hpp"

#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <variant>

// An optimiser rule turns a gradient into a step, element by element:
//   n_state                     numbers it keeps per weight, 0 at the start
//   counts_updates              whether it needs to know how often a weight was updated; if so also
//   factors(n)                  two numbers for the n-th update, n from 1
//   step(g, state, factors)     the step for a vector of gradients; reads and writes n_state vectors, and reads the two
//                               factors if it counts updates
// Learning rate, momentum and weight decay are the same for all rules: StepSize.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What is the same for every rule: v = momentum v - learning_rate (step + lmbd p); p += v.
template <class Scalar>
struct StepSize {
    Scalar learning_rate = Scalar(0.05);  ///< > 0
    Scalar momentum = 0;                  ///< in [0, 1); 0: no velocities are kept
    Scalar lmbd = 0;                      ///< weight decay, >= 0
};

namespace detail {

template <class Rule, class Scalar>
concept RuleWithFactors = requires(const Rule& rule, std::uint32_t n) {
    { rule.factors(n) } -> std::same_as<std::array<Scalar, 2>>;
};

}  // namespace detail

/// What an optimiser accepts, built in or the user's own; the shape is described above. `V` is a SIMD vector with
/// + - * / and the functions of SimdVector (core/simd.hpp). A rule keeps at most two numbers per weight.
template <class Rule, class Scalar>
concept OptimizerRule = requires(const Rule& rule, detail::Register<Scalar> g, detail::Register<Scalar>* state) {
    requires Rule::n_state >= 0 && Rule::n_state <= 2;
    requires !Rule::counts_updates || detail::RuleWithFactors<Rule, Scalar>;
    {
        rule.step(g, state, static_cast<const detail::Register<Scalar>*>(state))
        } -> std::same_as<detail::Register<Scalar>>;
};

/// step = g
template <class Scalar>
struct Sgd {
    static constexpr int n_state = 0;              ///< numbers kept per weight
    static constexpr bool counts_updates = false;  ///< whether step() gets factors(n)

    /// The gradient itself.
    template <class V>
    [[nodiscard]] V step(V g, V*, const V*) const noexcept {
        return g;
    }
};

/// a += g^2; step = g / sqrt(a + 1e-6). Duchi, Hazan, Singer, JMLR 2011; accumulators start at 0, epsilon inside the
/// root.
template <class Scalar>
struct Adagrad {
    static constexpr int n_state = 1;              ///< numbers kept per weight
    static constexpr bool counts_updates = false;  ///< whether step() gets factors(n)

    /// The step for a vector of gradients; updates the state.
    template <class V>
    [[nodiscard]] V step(V g, V* state, const V*) const noexcept {
        V& a = state[0];
        a = multiply_add(g, g, a);
        return over_root(g, a + V(Scalar(1e-6)));
    }
};

/// a = d a + (1 - d) g^2; step = g / sqrt(a + 1e-6).
template <class Scalar>
struct RmsProp {
    static constexpr int n_state = 1;              ///< numbers kept per weight
    static constexpr bool counts_updates = false;  ///< whether step() gets factors(n)
    Scalar decay = Scalar(0.9);                    ///< d, in [0, 1)

    /// The step for a vector of gradients; updates the state.
    template <class V>
    [[nodiscard]] V step(V g, V* state, const V*) const noexcept {
        V& a = state[0];
        a = multiply_add(V(decay), a, V(Scalar(1) - decay) * (g * g));
        return over_root(g, a + V(Scalar(1e-6)));
    }
};

/// a as in RmsProp; step = g sqrt((u + 1e-6) / (a + 1e-6)); u = d u + (1 - d) step^2. Zeiler, arXiv 1212.5701.
template <class Scalar>
struct Adadelta {
    static constexpr int n_state = 2;              ///< numbers kept per weight
    static constexpr bool counts_updates = false;  ///< whether step() gets factors(n)
    Scalar decay = Scalar(0.95);                   ///< d, in [0, 1)

    /// The step for a vector of gradients; updates the state.
    template <class V>
    [[nodiscard]] V step(V g, V* state, const V*) const noexcept {
        const V d(decay);
        const V rest(Scalar(1) - decay);
        const V epsilon(Scalar(1e-6));
        V& a = state[0];
        V& u = state[1];
        a = multiply_add(d, a, rest * (g * g));
        const V result = g * sqrt((u + epsilon) / (a + epsilon));
        u = multiply_add(d, u, rest * (result * result));
        return result;
    }
};

/// m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; step = m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + 1e-8) at the n-th
/// update. Kingma, Ba, arXiv 1412.6980. A row of a table counts its own updates, so it equals dense Adam run on the
/// steps that touch it.
template <class Scalar>
struct Adam {
    static constexpr int n_state = 2;             ///< numbers kept per weight
    static constexpr bool counts_updates = true;  ///< whether step() gets factors(n)
    double b1 = 0.9;                              ///< in [0, 1)
    double b2 = 0.999;                            ///< in [0, 1)

    /// 1 / (1 - b1^n) and 1 / (1 - b2^n). @pre n >= 1
    [[nodiscard]] std::array<Scalar, 2> factors(std::uint32_t n) const noexcept {
        return {static_cast<Scalar>(1 / (1 - std::pow(b1, n))), static_cast<Scalar>(1 / (1 - std::pow(b2, n)))};
    }

    /// The step for a vector of gradients; updates the state.
    template <class V>
    [[nodiscard]] V step(V g, V* state, const V* factors) const noexcept {
        V& m = state[0];
        V& v = state[1];
        m = multiply_add(V(static_cast<Scalar>(b1)), m, V(static_cast<Scalar>(1 - b1)) * g);
        v = multiply_add(V(static_cast<Scalar>(b2)), v, V(static_cast<Scalar>(1 - b2)) * (g * g));
        return m * factors[0] / (sqrt(v * factors[1]) + V(Scalar(1e-8)));
    }
};

/// The built-in rules, for code that chooses one at run time.
template <class Scalar>
using AnyRule = std::variant<Sgd<Scalar>, Adagrad<Scalar>, RmsProp<Scalar>, Adadelta<Scalar>, Adam<Scalar>>;

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
