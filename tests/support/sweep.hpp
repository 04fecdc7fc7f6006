#ifndef GRU4REC_TESTS_SUPPORT_SWEEP_HPP
#define GRU4REC_TESTS_SUPPORT_SWEEP_HPP

#include "support/sanitizers.hpp"

#include <cstdint>

/// How many cases of a long sweep are done: all of them, but a fifth with AddressSanitizer or ThreadSanitizer, where
/// each takes ten to sixty times as long. Values are compared in the build without; what a sanitizer finds, it finds in
/// a fifth.
namespace sweep {

inline constexpr bool is_thin = sanitizers::address || sanitizers::thread;
inline constexpr int one_in = is_thin ? 5 : 1;

/// Of `n` random rounds, or of the size of a case.
template <class Integer>
[[nodiscard]] constexpr Integer part_of(Integer n) {
    return n / static_cast<Integer>(one_in);
}

/// Whether case n is done. The cases follow the golden ratio, so that every value of each loop of a sweep is among
/// them.
[[nodiscard]] constexpr bool visits(std::uint64_t n) {
    return n * 0x9e3779b97f4a7c15 <= ~std::uint64_t{0} / static_cast<std::uint64_t>(one_in);
}

}  // namespace sweep

#endif
