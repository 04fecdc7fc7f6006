#ifndef GRU4REC_CORE_RANDOM_HPP
#define GRU4REC_CORE_RANDOM_HPP

#include "gru4rec/version.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <span>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// SplitMix64's finaliser: a bijection of 64-bit words whose output looks random (Steele, Lea, Flood, OOPSLA 2014).
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/// Counter-based random numbers: number n of a stream depends only on the stream's key and on n. Work can be split over
/// threads, skipped or resumed without changing a bit, and integers are the same on every platform.
class Random {
  public:
    /// The purpose of a stream; streams of different purposes are independent.
    enum class Stream : std::uint64_t { initialise = 1, dropout, sample, session_order, synthetic, test, bootstrap };

    constexpr Random(std::uint64_t seed, Stream stream, std::initializer_list<std::uint64_t> position = {}) noexcept
        : key_(mix64(seed + 0x9e3779b97f4a7c15ULL)) {
        fold(static_cast<std::uint64_t>(stream));
        for (const std::uint64_t part : position) {
            fold(part);
        }
    }

    /// The n-th 64 bits of the stream.
    [[nodiscard]] constexpr std::uint64_t bits(std::uint64_t n) const noexcept {
        return mix64(key_ + (n + 1) * 0x9e3779b97f4a7c15ULL);
    }

    /// The next 64 bits.
    constexpr std::uint64_t next() noexcept { return bits(counter_++); }

    /// Uniform in [0, 1), 53 bits.
    constexpr double uniform() noexcept { return uniform(counter_++); }

    /// The n-th uniform number of the stream.
    [[nodiscard]] constexpr double uniform(std::uint64_t n) const noexcept {
        return static_cast<double>(bits(n) >> 11) * 0x1.0p-53;
    }

    /// The n-th number of N(0, 1), from bits 2 n and 2 n + 1 (Box, Muller, Ann. Math. Stat. 1958). Platforms may differ
    /// in the last bits, as their std::log and std::cos do.
    [[nodiscard]] double normal(std::uint64_t n) const noexcept {
        const double radius = std::sqrt(-2 * std::log(1 - uniform(2 * n)));
        return radius * std::cos(2 * std::numbers::pi * uniform(2 * n + 1));
    }

    /// Uniform in 0 .. bound-1 without bias (Lemire's rejection). @pre bound > 0
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        const std::uint64_t reject = (std::uint64_t{0} - bound) % bound;
        while (true) {
            const std::uint64_t x = next();
            const auto [high, low] = multiply(x, bound);
            if (low >= reject) {
                return high;
            }
        }
    }

    /// Fisher-Yates.
    template <class Value>
    constexpr void shuffle(std::span<Value> values) noexcept {
        for (std::size_t last = values.size(); last > 1; --last) {
            std::swap(values[last - 1], values[static_cast<std::size_t>(below(last))]);
        }
    }

  private:
    constexpr void fold(std::uint64_t part) noexcept {
        key_ = mix64(key_ ^ (part + 0x9e3779b97f4a7c15ULL + (key_ << 6) + (key_ >> 2)));
    }

    /// 64 x 64 -> 128 bit, high and low word.
    static constexpr std::pair<std::uint64_t, std::uint64_t> multiply(std::uint64_t a, std::uint64_t b) noexcept {
        constexpr std::uint64_t low_half = 0xffffffffULL;
        const std::uint64_t ll = (a & low_half) * (b & low_half);
        const std::uint64_t lh = (a & low_half) * (b >> 32);
        const std::uint64_t hl = (a >> 32) * (b & low_half);
        const std::uint64_t hh = (a >> 32) * (b >> 32);
        const std::uint64_t middle = (ll >> 32) + (lh & low_half) + (hl & low_half);
        return {hh + (lh >> 32) + (hl >> 32) + (middle >> 32), (middle << 32) | (ll & low_half)};
    }

    std::uint64_t key_;
    std::uint64_t counter_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
