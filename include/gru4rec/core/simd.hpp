#ifndef GRU4REC_CORE_SIMD_HPP
#define GRU4REC_CORE_SIMD_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/storage.hpp"

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <type_traits>

namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

namespace simd = Eigen::internal;

/// The widest register type that Eigen offers for the scalar on this target; the scalar itself where it has none.
template <class Scalar>
using Packet = typename simd::packet_traits<Scalar>::type;

template <class Scalar>
inline constexpr Index packet_size = simd::unpacket_traits<Packet<Scalar>>::size;

}  // namespace detail

/// One cache line of lanes: 16 floats or 8 doubles, as one or several SIMD registers. Element-wise arithmetic;
/// comparisons give masks of bits for `select`.
template <class Scalar>
class SimdVector {
  public:
    using Packet = detail::Packet<Scalar>;
    static constexpr Index lanes = detail::scalars_per_line<Scalar>;
    static constexpr Index n_packets = lanes / detail::packet_size<Scalar>;

    SimdVector() = default;

    explicit SimdVector(Scalar value) noexcept {
        each([&](Index i) { packets_[i] = detail::simd::pset1<Packet>(value); });
    }

    explicit SimdVector(int value) noexcept : SimdVector(static_cast<Scalar>(value)) {}

    /// @pre aligned to a cache line
    [[nodiscard]] static SimdVector load(const Scalar* from) noexcept {
        SimdVector result;
        each(
            [&](Index i) { result.packets_[i] = detail::simd::pload<Packet>(from + i * detail::packet_size<Scalar>); });
        return result;
    }

    /// @pre aligned to a cache line
    void store(Scalar* to) const noexcept {
        each([&](Index i) { detail::simd::pstore(to + i * detail::packet_size<Scalar>, packets_[i]); });
    }

    /// Applies `f` to each register of the operands.
    template <class F, class... Others>
    [[nodiscard]] static SimdVector apply(F&& f, const Others&... operands) noexcept {
        SimdVector result;
        each([&](Index i) { result.packets_[i] = f(operands.packets_[i]...); });
        return result;
    }

    friend SimdVector operator+(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::padd(x, y); }, a, b);
    }
    friend SimdVector operator-(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::psub(x, y); }, a, b);
    }
    friend SimdVector operator*(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmul(x, y); }, a, b);
    }
    friend SimdVector operator/(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pdiv(x, y); }, a, b);
    }
    friend SimdVector operator-(SimdVector a) noexcept {
        return apply([](Packet x) { return detail::simd::pnegate(x); }, a);
    }
    SimdVector& operator+=(SimdVector other) noexcept { return *this = *this + other; }
    SimdVector& operator-=(SimdVector other) noexcept { return *this = *this - other; }

    /// All bits set where true.
    friend SimdVector operator<(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pcmp_lt(x, y); }, a, b);
    }
    friend SimdVector operator>(SimdVector a, SimdVector b) noexcept { return b < a; }
    friend SimdVector operator==(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pcmp_eq(x, y); }, a, b);
    }

    /// `yes` where the mask is set, else `no`.
    friend SimdVector select(SimdVector mask, SimdVector yes, SimdVector no) noexcept {
        return apply([](Packet m, Packet y, Packet n) { return detail::simd::pselect(m, y, n); }, mask, yes, no);
    }

    /// a * b + c, fused where the target can.
    friend SimdVector multiply_add(SimdVector a, SimdVector b, SimdVector c) noexcept {
        return apply([](Packet x, Packet y, Packet z) { return detail::simd::pmadd(x, y, z); }, a, b, c);
    }

    /// The smaller. A NaN of `a` is kept; where only `b` is NaN the result is `a` or NaN, as the target has it.
    friend SimdVector minimum(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmin(x, y); }, a, b);
    }

    /// The larger; NaN as with minimum.
    friend SimdVector maximum(SimdVector a, SimdVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmax(x, y); }, a, b);
    }

    friend SimdVector abs(SimdVector a) noexcept {
        return apply([](Packet x) { return detail::simd::pabs(x); }, a);
    }

  private:
    template <class F>
    static void each(F&& f) noexcept {
        GRU4REC_UNROLL
        for (Index i = 0; i < n_packets; ++i) {
            f(i);
        }
    }

    // A C array: std::array drops the attributes of a register type.
    Packet packets_[static_cast<std::size_t>(n_packets)];
};

namespace detail {

/// Calls `body(offset)` for every cache line of the first `lanes` lanes of each of `columns` columns that lie `stride`
/// scalars apart.
template <class Scalar, class Body>
void for_each_line(Index lanes, Index columns, Index stride, const Body& body) {
    for (Index column = 0; column < columns; ++column) {
        for (Index lane = 0; lane < lanes; lane += scalars_per_line<Scalar>) {
            body(column * stride + lane);
        }
    }
}

/// Applies a scalar function to every element of a packet: the road for packets that lack a vectorised one.
template <class Packet, class F>
[[nodiscard]] Packet each_element(const Packet& x, F&& f) noexcept {
    if constexpr (std::is_arithmetic_v<Packet>) {
        return f(x);
    } else {
        using Scalar = typename simd::unpacket_traits<Packet>::type;
        constexpr auto size = static_cast<std::size_t>(simd::unpacket_traits<Packet>::size);
        alignas(cache_line) Scalar values[size];
        simd::pstore(values, x);
        for (Scalar& value : values) {
            value = f(value);
        }
        return simd::pload<Packet>(values);
    }
}

/// 2^n for whole n in -126 .. 127, by writing the exponent's bits.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Packet power_of_two(const Packet& n) noexcept {
    using Integers = typename simd::unpacket_traits<Packet>::integer_packet;
    const Integers exponent = simd::padd(simd::pcast<Packet, Integers>(n), simd::pset1<Integers>(127));
    return simd::preinterpret<Packet>(simd::plogical_shift_left<23>(exponent));
}

/// exp for packets of floats. exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, with the series to degree 7
/// for exp(r). Below -87.33, where the result would be denormal, exactly 0; above 88.37 saturates at 2.4e38.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Packet exp_float(const Packet& argument) noexcept {
    using namespace simd;  // NOLINT(google-build-using-namespace): a function's scope
    const Packet x = pmax(pmin(argument, pset1<Packet>(88.37F)), pset1<Packet>(-87.33F));
    const Packet n = pfloor(pmadd(x, pset1<Packet>(1.44269504088896341F), pset1<Packet>(0.5F)));
    // ln 2 in two parts, the first exact in few bits, so that n * part is exact without fused operations.
    Packet r = pmadd(n, pset1<Packet>(-0.693359375F), x);
    r = pmadd(n, pset1<Packet>(2.12194440e-4F), r);
    Packet y = pset1<Packet>(1.9841270e-4F);
    y = pmadd(y, r, pset1<Packet>(1.3888889e-3F));
    y = pmadd(y, r, pset1<Packet>(8.3333333e-3F));
    y = pmadd(y, r, pset1<Packet>(4.1666667e-2F));
    y = pmadd(y, r, pset1<Packet>(1.6666667e-1F));
    y = pmadd(y, r, pset1<Packet>(0.5F));
    y = pmadd(y, pmul(r, r), padd(r, pset1<Packet>(1.0F)));
    const Packet result = pmul(y, power_of_two(n));
    return pselect(pcmp_lt(argument, pset1<Packet>(-87.33F)), pzero(result), result);
}

}  // namespace detail

/// e^x. Exactly 0 where the result would be denormal or less; above the largest exponent a huge number or infinity;
/// keeps NaN.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE SimdVector<Scalar> exp(SimdVector<Scalar> x) noexcept {
    return SimdVector<Scalar>::apply(
        [](const auto& packet) {
            using Packet = std::decay_t<decltype(packet)>;
            if constexpr (std::is_arithmetic_v<Packet>) {
                constexpr Packet lowest = std::is_same_v<Packet, float> ? Packet(-87.33) : Packet(-708.3);
                constexpr Packet highest = std::is_same_v<Packet, float> ? Packet(88.37) : Packet(709.7);
                return packet < lowest ? Packet(0) : std::exp(packet > highest ? highest : packet);
            } else if constexpr (std::is_same_v<Scalar, float>) {
                return detail::exp_float(packet);
            } else if constexpr (detail::simd::packet_traits<Scalar>::HasExp) {
                const Packet lowest = detail::simd::pset1<Packet>(Scalar(-708.3));
                return detail::simd::pselect(detail::simd::pcmp_lt(packet, lowest), detail::simd::pzero(packet),
                                             detail::simd::pexp(packet));
            } else {
                return detail::each_element(packet,
                                            [](Scalar v) { return v < Scalar(-708.3) ? Scalar(0) : std::exp(v); });
            }
        },
        x);
}

/// ln x for x > 0.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE SimdVector<Scalar> log(SimdVector<Scalar> x) noexcept {
    return SimdVector<Scalar>::apply(
        [](const auto& packet) {
            if constexpr (detail::simd::packet_traits<Scalar>::HasLog) {
                return detail::simd::plog(packet);
            } else {
                return detail::each_element(packet, [](Scalar v) { return std::log(v); });
            }
        },
        x);
}

template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE SimdVector<Scalar> tanh(SimdVector<Scalar> x) noexcept {
    return SimdVector<Scalar>::apply(
        [](const auto& packet) {
            if constexpr (detail::simd::packet_traits<Scalar>::HasTanh) {
                return detail::simd::ptanh(packet);
            } else {
                return detail::each_element(packet, [](Scalar v) { return std::tanh(v); });
            }
        },
        x);
}

/// 1 / (1 + e^-x); exact 0 and 1 at the ends, no overflow.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE SimdVector<Scalar> sigmoid(SimdVector<Scalar> x) noexcept {
    using Lanes = SimdVector<Scalar>;
    const Lanes e = exp(-abs(x));
    return select(x < Lanes(0), e, Lanes(1)) / (Lanes(1) + e);
}

/// ln(1 + e^x) = -ln sigmoid(-x), without overflow.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE SimdVector<Scalar> softplus(SimdVector<Scalar> x) noexcept {
    using Lanes = SimdVector<Scalar>;
    return maximum(x, Lanes(0)) + log(Lanes(1) + exp(-abs(x)));
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
