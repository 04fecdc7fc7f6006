#ifndef GRU4REC_CORE_CONFIG_HPP
#define GRU4REC_CORE_CONFIG_HPP

#include "gru4rec/version.hpp"

#include <chrono>

/// Functions that are not templates and take long to compile are declared GRU4REC_INLINE and defined between
/// `#if GRU4REC_DEFINITIONS` and `#endif`. In a header-only program they are `inline`. A program that links the target
/// gru4rec::compiled, which defines GRU4REC_COMPILED, sees their declarations only; the definitions are compiled once,
/// in src/, by the file that defines GRU4REC_SOURCE.
#if defined(GRU4REC_COMPILED)
#define GRU4REC_INLINE
#else
#define GRU4REC_INLINE inline
#endif

#if !defined(GRU4REC_COMPILED) || defined(GRU4REC_SOURCE)
#define GRU4REC_DEFINITIONS 1
#else
#define GRU4REC_DEFINITIONS 0
#endif

/// Functions that must not become calls: element-wise ones stay in registers (g++ passes the longer ones through
/// memory, which makes the losses two to three times slower), and those that only prefetch are not dropped.
#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_ALWAYS_INLINE __attribute__((always_inline)) inline
#else
#define GRU4REC_ALWAYS_INLINE inline
#endif

/// Functions that throw: kept apart from the hot code. Not noinline, which g++ refuses beside `inline`.
#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_COLD __attribute__((cold))
#else
#define GRU4REC_COLD
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define GRU4REC_UNROLL _Pragma("GCC unroll 32")
#elif defined(__clang__)
#define GRU4REC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GRU4REC_UNROLL
#endif

#if defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER)
#define GRU4REC_RESTRICT __restrict
#else
#define GRU4REC_RESTRICT
#endif

/// Functions that are worth a call: code that runs seldom and would make every caller larger.
#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_NOINLINE __attribute__((noinline))
#else
#define GRU4REC_NOINLINE
#endif

/// `try` and `catch (...)`, also for files that are compiled without exceptions.
#if defined(__cpp_exceptions)
#define GRU4REC_TRY try
#define GRU4REC_CATCH_ALL catch (...)
#else
#define GRU4REC_TRY if constexpr (true)
#define GRU4REC_CATCH_ALL else
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

enum class Access { read, write, read_later };

/// Prefetches a cache line. `write` requests exclusive ownership and so evicts the line from other cores; `read_later`
/// fetches it into the second-level cache alone, which waits for more lines at a time than the first. Always
/// inlined, as a caller that does nothing else must be: g++ considers a function that only prefetches to have no effect
/// and drops its calls.
template <Access access>
GRU4REC_ALWAYS_INLINE void prefetch(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address, access == Access::write ? 1 : 0, access == Access::read_later ? 2 : 3);
#else
    static_cast<void>(address);
#endif
}

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
