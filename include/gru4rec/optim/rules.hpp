#ifndef GRU4REC_OPTIM_RULES_HPP
#define GRU4REC_OPTIM_RULES_HPP

#include "gru4rec/core/simd.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace gru4rec {
inline namespace GRU4REC_ABI {

// An optimiser rule turns a gradient into a step, element by element:
//   n_state                     numbers it keeps per weight, 0 at the start
//   counts_updates              whether it wants to know how often a weight was updated; if so also
//   factors(n)                  two numbers for the n-th update, n from 1
//   step(g, state, factors)     works on registers: the gradient, n_state numbers, and two factors where it counts
// Learning rate, momentum and weight decay are the same for all rules and live in optim/update.hpp.

namespace detail {

/// g / sqrt(a) for a > 0. In float by the reciprocal root's estimate and one Newton step, where the target has one:
/// within 4 ulp, twice as fast as root and division.
template <class Scalar, class Packet>
[[nodiscard]] Packet over_root(Packet g, Packet a) noexcept {
    if constexpr (std::is_same_v<Scalar, float>) {
        return simd::pmul(g, simd::prsqrt(a));
    } else {
        return simd::pdiv(g, simd::psqrt(a));
    }
}

}  // namespace detail

template <class Scalar>
struct Sgd {
    static constexpr int n_state = 0;
    static constexpr bool counts_updates = false;

    template <class Packet>
    [[nodiscard]] Packet step(Packet g, Packet*, const Packet*) const noexcept {
        return g;
    }
};

/// a += g^2; g / sqrt(a + 1e-6). Duchi, Hazan, Singer, JMLR 2011; accumulators start at 0, epsilon inside the root.
template <class Scalar>
struct Adagrad {
    static constexpr int n_state = 1;
    static constexpr bool counts_updates = false;

    template <class Packet>
    [[nodiscard]] Packet step(Packet g, Packet* state, const Packet*) const noexcept {
        namespace simd = detail::simd;
        state[0] = simd::pmadd(g, g, state[0]);
        return detail::over_root<Scalar>(g, simd::padd(state[0], simd::pset1<Packet>(Scalar(1e-6))));
    }
};

/// a = d a + (1 - d) g^2; g / sqrt(a + 1e-6).
template <class Scalar>
struct RmsProp {
    static constexpr int n_state = 1;
    static constexpr bool counts_updates = false;
    Scalar decay = Scalar(0.9);

    template <class Packet>
    [[nodiscard]] Packet step(Packet g, Packet* state, const Packet*) const noexcept {
        namespace simd = detail::simd;
        const Packet fresh = simd::pmul(simd::pset1<Packet>(Scalar(1) - decay), simd::pmul(g, g));
        state[0] = simd::pmadd(simd::pset1<Packet>(decay), state[0], fresh);
        return detail::over_root<Scalar>(g, simd::padd(state[0], simd::pset1<Packet>(Scalar(1e-6))));
    }
};

/// a as RmsProp; step = g sqrt((u + 1e-6) / (a + 1e-6)); u = d u + (1 - d) step^2. Zeiler, arXiv 1212.5701.
template <class Scalar>
struct Adadelta {
    static constexpr int n_state = 2;
    static constexpr bool counts_updates = false;
    Scalar decay = Scalar(0.95);

    template <class Packet>
    [[nodiscard]] Packet step(Packet g, Packet* state, const Packet*) const noexcept {
        namespace simd = detail::simd;
        const Packet d = simd::pset1<Packet>(decay);
        const Packet rest = simd::pset1<Packet>(Scalar(1) - decay);
        const Packet epsilon = simd::pset1<Packet>(Scalar(1e-6));
        state[0] = simd::pmadd(d, state[0], simd::pmul(rest, simd::pmul(g, g)));
        const Packet ratio = simd::pdiv(simd::padd(state[1], epsilon), simd::padd(state[0], epsilon));
        const Packet result = simd::pmul(g, simd::psqrt(ratio));
        state[1] = simd::pmadd(d, state[1], simd::pmul(rest, simd::pmul(result, result)));
        return result;
    }
};

/// Moments with bias correction, epsilon 1e-8 outside the root. Kingma, Ba, arXiv 1412.6980. A row of a table counts
/// its own updates, so it equals dense Adam run on the steps that touch it.
template <class Scalar>
struct Adam {
    static constexpr int n_state = 2;
    static constexpr bool counts_updates = true;
    double b1 = 0.9;
    double b2 = 0.999;

    [[nodiscard]] std::array<Scalar, 2> factors(std::uint32_t n) const noexcept {
        return {static_cast<Scalar>(1 / (1 - std::pow(b1, n))), static_cast<Scalar>(1 / (1 - std::pow(b2, n)))};
    }

    template <class Packet>
    [[nodiscard]] Packet step(Packet g, Packet* state, const Packet* factors) const noexcept {
        namespace simd = detail::simd;
        const auto mix = [&](double decay, Packet old, Packet fresh) {
            return simd::pmadd(simd::pset1<Packet>(static_cast<Scalar>(decay)), old,
                               simd::pmul(simd::pset1<Packet>(static_cast<Scalar>(1 - decay)), fresh));
        };
        state[0] = mix(b1, state[0], g);
        state[1] = mix(b2, state[1], simd::pmul(g, g));
        const Packet root = simd::psqrt(simd::pmul(state[1], factors[1]));
        return simd::pdiv(simd::pmul(state[0], factors[0]), simd::padd(root, simd::pset1<Packet>(Scalar(1e-8))));
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
