#ifndef GRU4REC_CORE_SIMD_HPP
#define GRU4REC_CORE_SIMD_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // register types as template arguments: meant, as in Eigen
#endif

// SIMD registers with operators. This is the only header that names Eigen's internals: everything else is written in
// terms of Vector.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

namespace eigen = Eigen::internal;

/// The widest register type that Eigen has for the scalar on this target, or the scalar itself.
template <class Scalar>
using Packet = typename eigen::packet_traits<Scalar>::type;

template <class Scalar>
inline constexpr Index packet_size = eigen::unpacket_traits<Packet<Scalar>>::size;

#if defined(EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS)
inline constexpr bool many_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
#else
inline constexpr bool many_registers = false;
#endif

/// Bit i is set if element i of a mask is.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE std::uint64_t register_bits(const Packet<Scalar>& mask) noexcept {
    [[maybe_unused]] constexpr bool is_float = std::is_same_v<Scalar, float>;
    [[maybe_unused]] constexpr Index bytes = packet_size<Scalar> * static_cast<Index>(sizeof(Scalar));
#if defined(__AVX512DQ__)
    if constexpr (bytes == 64 && is_float) {
        return _mm512_movepi32_mask(_mm512_castps_si512(mask));
    } else if constexpr (bytes == 64) {
        return _mm512_movepi64_mask(_mm512_castpd_si512(mask));
    } else
#endif
#if defined(__AVX__)
        if constexpr (bytes == 32 && is_float) {
        return static_cast<unsigned>(_mm256_movemask_ps(mask));
    } else if constexpr (bytes == 32) {
        return static_cast<unsigned>(_mm256_movemask_pd(mask));
    } else
#endif
#if defined(__SSE2__)
        if constexpr (bytes == 16 && is_float) {
        return static_cast<unsigned>(_mm_movemask_ps(mask));
    } else if constexpr (bytes == 16) {
        return static_cast<unsigned>(_mm_movemask_pd(mask));
    } else
#endif
    {
        alignas(cache_line) Scalar set[static_cast<std::size_t>(packet_size<Scalar>)];
        eigen::pstore(set, eigen::pand(mask, eigen::pset1<Packet<Scalar>>(Scalar(1))));
        std::uint64_t result = 0;
        for (Index i = 0; i < packet_size<Scalar>; ++i) {
            result |= static_cast<std::uint64_t>(set[i] > 0) << i;
        }
        return result;
    }
}

/// `n_registers` SIMD registers side by side. Arithmetic is element by element; comparisons return masks for `select`.
template <class Scalar, int n_registers>
class Vector {
  public:
    using Register = Packet<Scalar>;
    /// Scalars in the vector.
    static constexpr Index size = n_registers * packet_size<Scalar>;

    Vector() = default;

    GRU4REC_ALWAYS_INLINE explicit Vector(Scalar value) noexcept {
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            registers[i] = eigen::pset1<Register>(value);
        }
    }

    GRU4REC_ALWAYS_INLINE explicit Vector(int value) noexcept : Vector(static_cast<Scalar>(value)) {}

    /// @pre aligned to the size of the vector, at most a cache line
    [[nodiscard]] GRU4REC_ALWAYS_INLINE static Vector load(const Scalar* from) noexcept {
        Vector result;
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            result.registers[i] = eigen::pload<Register>(from + i * packet_size<Scalar>);
        }
        return result;
    }

    /// From any address.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE static Vector load_unaligned(const Scalar* from) noexcept {
        Vector result;
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            result.registers[i] = eigen::ploadu<Register>(from + i * packet_size<Scalar>);
        }
        return result;
    }

    /// @pre aligned as for `load`
    GRU4REC_ALWAYS_INLINE void store(Scalar* to) const noexcept {
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            eigen::pstore(to + i * packet_size<Scalar>, registers[i]);
        }
    }

    // The operators, register by register.
#define GRU4REC_BINARY(name, operation)                                                   \
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector name(Vector a, Vector b) noexcept { \
        GRU4REC_UNROLL                                                                    \
        for (int i = 0; i < n_registers; ++i) {                                           \
            a.registers[i] = eigen::operation(a.registers[i], b.registers[i]);            \
        }                                                                                 \
        return a;                                                                         \
    }
#define GRU4REC_UNARY(name, operation)                                          \
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector name(Vector a) noexcept { \
        GRU4REC_UNROLL                                                          \
        for (int i = 0; i < n_registers; ++i) {                                 \
            a.registers[i] = eigen::operation(a.registers[i]);                  \
        }                                                                       \
        return a;                                                               \
    }
    GRU4REC_BINARY(operator+, padd)
    GRU4REC_BINARY(operator-, psub)
    GRU4REC_BINARY(operator*, pmul)
    GRU4REC_BINARY(operator/, pdiv)
    GRU4REC_UNARY(operator-, pnegate)
    GRU4REC_UNARY(abs, pabs)
    /// Within 4 ulp: with AVX-512 Eigen computes it from an estimate of the reciprocal root.
    GRU4REC_UNARY(sqrt, psqrt)
    /// All bits of an element set if true.
    GRU4REC_BINARY(operator<, pcmp_lt)
    GRU4REC_BINARY(operator<=, pcmp_le)
    GRU4REC_BINARY(operator==, pcmp_eq)
    /// The smaller. A NaN of `a` is kept; if only `b` is NaN, the result is `a` or NaN, depending on the target.
    GRU4REC_BINARY(minimum, pmin)
    /// The larger; NaN as for `minimum`.
    GRU4REC_BINARY(maximum, pmax)
#undef GRU4REC_BINARY
#undef GRU4REC_UNARY

    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector operator>(Vector a, Vector b) noexcept { return b < a; }
    GRU4REC_ALWAYS_INLINE Vector& operator+=(Vector other) noexcept { return *this = *this + other; }
    GRU4REC_ALWAYS_INLINE Vector& operator-=(Vector other) noexcept { return *this = *this - other; }
    GRU4REC_ALWAYS_INLINE Vector& operator*=(Vector other) noexcept { return *this = *this * other; }

    /// a * b + c, fused if the target can.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector multiply_add(Vector a, Vector b, Vector c) noexcept {
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            a.registers[i] = eigen::pmadd(a.registers[i], b.registers[i], c.registers[i]);
        }
        return a;
    }

    /// `yes` for elements whose mask is set, else `no`.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector select(Vector mask, Vector yes, Vector no) noexcept {
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            mask.registers[i] = eigen::pselect(mask.registers[i], yes.registers[i], no.registers[i]);
        }
        return mask;
    }

    /// 1 for elements whose mask is set, else 0.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector ones(Vector mask) noexcept {
        const Vector one(1);
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            mask.registers[i] = eigen::pand(mask.registers[i], one.registers[i]);
        }
        return mask;
    }

    /// Bit i is set if the mask of element i is. At most 64 elements.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE std::uint64_t bits(Vector mask) noexcept {
        std::uint64_t result = 0;
        GRU4REC_UNROLL
        for (int i = 0; i < n_registers; ++i) {
            result |= register_bits<Scalar>(mask.registers[i]) << (i * static_cast<int>(packet_size<Scalar>));
        }
        return result;
    }

    /// Whether the mask of every element is set.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE bool all(Vector mask) noexcept {
        return bits(mask) == ~std::uint64_t{0} >> (64 - size);
    }

    /// g / sqrt(a) for a > 0. Floats use the estimate of the reciprocal root and one Newton step if the target has one:
    /// within 5 ulp, twice as fast as root and division. The estimate, and so the last bits, depend on the processor.
    [[nodiscard]] friend GRU4REC_ALWAYS_INLINE Vector over_root(Vector g, Vector a) noexcept {
        if constexpr (std::is_same_v<Scalar, float>) {
            GRU4REC_UNROLL
            for (int i = 0; i < n_registers; ++i) {
                g.registers[i] = eigen::pmul(g.registers[i], eigen::prsqrt(a.registers[i]));
            }
            return g;
        } else {
            return g / sqrt(a);
        }
    }

    // A C array: std::array drops the attributes of a register type.
    Register registers[static_cast<std::size_t>(n_registers)];
};

/// One SIMD register.
template <class Scalar>
using Register = Vector<Scalar, 1>;

/// A C array of signed size: std::array drops the attributes of a register type.
template <class Value, int n>
using CArray = Value[static_cast<std::size_t>(n)];

}  // namespace detail

/// A cache line of scalars, 16 floats or 8 doubles, in one or more SIMD registers: what activations, losses, GRU cells
/// and optimiser rules compute with. Has + - * / < > <= ==, `select(mask, yes, no)`, `multiply_add`, `minimum`,
/// `maximum`, `abs`, `sqrt`, `over_root`, `exp`, `log`, `tanh`, `sigmoid` and `softplus`.
template <class Scalar>
using SimdVector =
    detail::Vector<Scalar, static_cast<int>(detail::scalars_per_line<Scalar> / detail::packet_size<Scalar>)>;

namespace detail {

/// Applies a scalar function to every element: the fallback for registers without a vectorised one.
template <class Packet, class F>
[[nodiscard]] Packet each_element(const Packet& x, F&& f) noexcept {
    if constexpr (std::is_arithmetic_v<Packet>) {
        return f(x);
    } else {
        using Scalar = typename eigen::unpacket_traits<Packet>::type;
        alignas(cache_line) Scalar values[static_cast<std::size_t>(eigen::unpacket_traits<Packet>::size)];
        eigen::pstore(values, x);
        for (Scalar& value : values) {
            value = f(value);
        }
        return eigen::pload<Packet>(values);
    }
}

/// 2^n for whole n in -126 .. 127, by writing the exponent's bits.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Packet power_of_two(const Packet& n) noexcept {
    using Integers = typename eigen::unpacket_traits<Packet>::integer_packet;
    const Integers exponent = eigen::padd(eigen::pcast<Packet, Integers>(n), eigen::pset1<Integers>(127));
    return eigen::preinterpret<Packet>(eigen::plogical_shift_left<23>(exponent));
}

/// exp for registers of floats. exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, with the series to degree 7
/// for exp(r). Exactly 0 below -87.33, where the result would be denormal; saturates at 2.4e38 above 88.37.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Packet exp_float(const Packet& argument) noexcept {
    using namespace eigen;  // NOLINT(google-build-using-namespace): a function's scope
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

/// ln of a register of floats, by the polynomial of Cephes; the error of Eigen 5's plog is twice as large.
/// x = 2^n (1 + f), 1 + f from sqrt(1/2) to sqrt(2), ln(1 + f) = f - f^2 / 2 + f^3 p(f). Denormals count as the
/// smallest normal number.
template <class Packet>
[[nodiscard]] Packet log_float(const Packet& x) noexcept {
    using namespace eigen;  // NOLINT(google-build-using-namespace): a function's scope
    using Limits = std::numeric_limits<float>;
    const Packet one = pset1<Packet>(1.0F);
    Packet n;
    const Packet m = pfrexp(pmax(x, pset1<Packet>((Limits::min)())), n);  // from 1/2 to 1
    const Packet is_small = pcmp_lt(m, pset1<Packet>(0.707106781186547524F));
    n = psub(n, pand(one, is_small));
    const Packet f = padd(psub(m, one), pand(m, is_small));
    const Packet f2 = pmul(f, f);
    const Packet f3 = pmul(f2, f);
    // p in three parts, which do not wait for each other.
    Packet high = pmadd(pset1<Packet>(7.0376836292e-2F), f, pset1<Packet>(-1.1514610310e-1F));
    Packet middle = pmadd(pset1<Packet>(-1.2420140846e-1F), f, pset1<Packet>(1.4249322787e-1F));
    Packet low = pmadd(pset1<Packet>(2.0000714765e-1F), f, pset1<Packet>(-2.4999993993e-1F));
    high = pmadd(high, f, pset1<Packet>(1.1676998740e-1F));
    middle = pmadd(middle, f, pset1<Packet>(-1.6668057665e-1F));
    low = pmadd(low, f, pset1<Packet>(3.3333331174e-1F));
    const Packet p = pmadd(pmadd(high, f3, middle), f3, low);
    const Packet y = padd(f, pmadd(pset1<Packet>(-0.5F), f2, pmul(p, f3)));
    const Packet infinity = pset1<Packet>(Limits::infinity());
    const Packet result = pselect(pcmp_eq(x, infinity), infinity, pmadd(n, pset1<Packet>(0.693147180559945309F), y));
    return pselect(pcmp_eq(x, pzero(x)), pnegate(infinity), por(result, pcmp_lt_or_nan(x, pzero(x))));
}

template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Packet<Scalar> exp_register(const Packet<Scalar>& x) noexcept {
    using Packet = detail::Packet<Scalar>;
    if constexpr (std::is_arithmetic_v<Packet>) {
        constexpr Packet lowest = std::is_same_v<Packet, float> ? Packet(-87.33) : Packet(-708.3);
        constexpr Packet highest = std::is_same_v<Packet, float> ? Packet(88.37) : Packet(709.7);
        return x < lowest ? Packet(0) : std::exp(x > highest ? highest : x);
    } else if constexpr (std::is_same_v<Scalar, float>) {
        return exp_float(x);
    } else if constexpr (eigen::packet_traits<Scalar>::HasExp) {
        const Packet lowest = eigen::pset1<Packet>(Scalar(-708.3));
        return eigen::pselect(eigen::pcmp_lt(x, lowest), eigen::pzero(x), eigen::pexp(x));
    } else {
        return each_element(x, [](Scalar v) { return v < Scalar(-708.3) ? Scalar(0) : std::exp(v); });
    }
}

/// e^x. Exactly 0 if the result would be denormal or less; above the largest exponent a huge number or infinity; keeps
/// NaN.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> exp(Vector<Scalar, n> x) noexcept {
    GRU4REC_UNROLL
    for (auto& packet : x.registers) {
        packet = exp_register<Scalar>(packet);
    }
    return x;
}

/// ln x for x > 0.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> log(Vector<Scalar, n> x) noexcept {
    GRU4REC_UNROLL
    for (auto& packet : x.registers) {
        if constexpr (eigen::packet_traits<Scalar>::HasLog && std::is_same_v<Scalar, float>) {
            packet = log_float(packet);
        } else if constexpr (eigen::packet_traits<Scalar>::HasLog) {
            packet = eigen::plog(packet);
        } else {
            packet = each_element(packet, [](Scalar v) { return std::log(v); });
        }
    }
    return x;
}

/// For doubles, std::tanh: Eigen 3.4 has no vectorised tanh of doubles, and that of Eigen 5 is off by 6 ulp.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> tanh(Vector<Scalar, n> x) noexcept {
    GRU4REC_UNROLL
    for (auto& packet : x.registers) {
        if constexpr (eigen::packet_traits<Scalar>::HasTanh && std::is_same_v<Scalar, float>) {
            packet = eigen::ptanh(packet);
        } else {
            packet = each_element(packet, [](Scalar v) { return std::tanh(v); });
        }
    }
    return x;
}

/// 1 / (1 + e^-x); exactly 0 and 1 at the ends, no overflow.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> sigmoid(Vector<Scalar, n> x) noexcept {
    using V = Vector<Scalar, n>;
    const V e = exp(-abs(x));
    return select(x < V(0), e, V(1)) / (V(1) + e);
}

/// ln(1 + e^x) = -ln sigmoid(-x), without overflow.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> softplus(Vector<Scalar, n> x) noexcept {
    using V = Vector<Scalar, n>;
    return maximum(x, V(0)) + log(V(1) + exp(-abs(x)));
}

/// Transposes a square block: element i of register j becomes element j of register i.
template <class Scalar>
GRU4REC_ALWAYS_INLINE void transpose(
    Register<Scalar> (&block)[static_cast<std::size_t>(packet_size<Scalar>)]) noexcept {
    constexpr int size = static_cast<int>(packet_size<Scalar>);
    if constexpr (size > 1) {
        eigen::PacketBlock<Packet<Scalar>, size> packets;
        GRU4REC_UNROLL
        for (int i = 0; i < size; ++i) {
            packets.packet[i] = block[i].registers[0];
        }
        eigen::ptranspose(packets);
        GRU4REC_UNROLL
        for (int i = 0; i < size; ++i) {
            block[i].registers[0] = packets.packet[i];
        }
    }
}

/// Half the register: element i plus element i + size / 2. Eigen after 5.0 has another name for it.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE auto add_halves(const Packet& x) noexcept {
    using namespace eigen;  // NOLINT(google-build-using-namespace): a function's scope
    if constexpr (requires { predux_half_dowto4(x); }) {
        return predux_half_dowto4(x);
    } else {
        return predux_half(x);
    }
}

/// Adds halves until four elements are left.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE auto fold_to_four(const Packet& x) noexcept {
    if constexpr (eigen::unpacket_traits<Packet>::size <= 4) {
        return x;
    } else {
        return fold_to_four(add_halves(x));
    }
}

/// Whether a result overwrites its destination or is added to it.
enum class Output { overwrite, accumulate };

/// Sums the elements of each x[i] in a fixed tree (halves, their halves, ... four, two, one), and writes the sums to
/// `sums` or adds them to it.
///
/// @param sums  4 numbers, of any alignment
template <class Scalar>
GRU4REC_ALWAYS_INLINE void sum_elements(const Register<Scalar> (&x)[4], Output output, Scalar* sums) noexcept {
    if constexpr (packet_size<Scalar> >= 4) {
        using Four = decltype(fold_to_four(x[0].registers[0]));
        eigen::PacketBlock<Four, 4> block;
        GRU4REC_UNROLL
        for (int i = 0; i < 4; ++i) {
            block.packet[i] = fold_to_four(x[i].registers[0]);
        }
        eigen::ptranspose(block);
        const Four four =
            eigen::padd(eigen::padd(block.packet[0], block.packet[1]), eigen::padd(block.packet[2], block.packet[3]));
        eigen::pstoreu(sums, output == Output::accumulate ? eigen::padd(eigen::ploadu<Four>(sums), four) : four);
    } else {
        for (int i = 0; i < 4; ++i) {
            const Scalar sum = eigen::predux(x[i].registers[0]);
            sums[i] = output == Output::accumulate ? sums[i] + sum : sum;
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
