#ifndef GRU4REC_CORE_LANE_VECTOR_HPP
#define GRU4REC_CORE_LANE_VECTOR_HPP

#include "gru4rec/core/storage.hpp"

#include <Eigen/Core>

#include <cstddef>

#if defined(__GNUC__) && !defined(__clang__)
#define GRU4REC_UNROLL _Pragma("GCC unroll 32")
#elif defined(__clang__)
#define GRU4REC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GRU4REC_UNROLL
#endif

namespace gru4rec::inline GRU4REC_ABI {

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
class LaneVector {
  public:
    using Packet = detail::Packet<Scalar>;
    static constexpr Index lanes = scalars_per_line<Scalar>;
    static constexpr Index n_packets = lanes / detail::packet_size<Scalar>;

    LaneVector() = default;

    explicit LaneVector(Scalar value) noexcept {
        each([&](Index i) { packets_[i] = detail::simd::pset1<Packet>(value); });
    }

    explicit LaneVector(int value) noexcept : LaneVector(static_cast<Scalar>(value)) {}

    /// @pre aligned to a cache line
    [[nodiscard]] static LaneVector load(const Scalar* from) noexcept {
        LaneVector result;
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
    [[nodiscard]] static LaneVector apply(F&& f, const Others&... operands) noexcept {
        LaneVector result;
        each([&](Index i) { result.packets_[i] = f(operands.packets_[i]...); });
        return result;
    }

    friend LaneVector operator+(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::padd(x, y); }, a, b);
    }
    friend LaneVector operator-(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::psub(x, y); }, a, b);
    }
    friend LaneVector operator*(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmul(x, y); }, a, b);
    }
    friend LaneVector operator/(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pdiv(x, y); }, a, b);
    }
    friend LaneVector operator-(LaneVector a) noexcept {
        return apply([](Packet x) { return detail::simd::pnegate(x); }, a);
    }
    LaneVector& operator+=(LaneVector other) noexcept { return *this = *this + other; }
    LaneVector& operator-=(LaneVector other) noexcept { return *this = *this - other; }

    /// All bits set where true.
    friend LaneVector operator<(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pcmp_lt(x, y); }, a, b);
    }
    friend LaneVector operator>(LaneVector a, LaneVector b) noexcept { return b < a; }
    friend LaneVector operator==(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pcmp_eq(x, y); }, a, b);
    }

    /// `yes` where the mask is set, else `no`.
    friend LaneVector select(LaneVector mask, LaneVector yes, LaneVector no) noexcept {
        return apply([](Packet m, Packet y, Packet n) { return detail::simd::pselect(m, y, n); }, mask, yes, no);
    }

    /// a * b + c, fused where the target can.
    friend LaneVector multiply_add(LaneVector a, LaneVector b, LaneVector c) noexcept {
        return apply([](Packet x, Packet y, Packet z) { return detail::simd::pmadd(x, y, z); }, a, b, c);
    }

    /// The smaller. A NaN of `a` is kept; where only `b` is NaN the result is `a` or NaN, as the target has it.
    friend LaneVector minimum(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmin(x, y); }, a, b);
    }

    /// The larger; NaN as with minimum.
    friend LaneVector maximum(LaneVector a, LaneVector b) noexcept {
        return apply([](Packet x, Packet y) { return detail::simd::pmax(x, y); }, a, b);
    }

    friend LaneVector abs(LaneVector a) noexcept {
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

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
