#ifndef GRU4REC_CORE_CONFIG_HPP
#define GRU4REC_CORE_CONFIG_HPP

#include "gru4rec/version.hpp"

#include <chrono>

/// Before functions that are not templates and take long to compile. They are `inline` in a header-only program. With
/// the target gru4rec::compiled, which defines GRU4REC_COMPILED, programs see their declarations only, and the
/// definitions are compiled once, in src/.
#if defined(GRU4REC_COMPILED)
#define GRU4REC_INLINE
#else
#define GRU4REC_INLINE inline
#endif

/// Functions that must not become calls: element-wise ones stay in registers (g++ calls the longer ones through memory,
/// which makes the losses two to three times slower), and those that only fetch ahead are not dropped.
#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_ALWAYS_INLINE __attribute__((always_inline)) inline
#else
#define GRU4REC_ALWAYS_INLINE inline
#endif

#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_COLD __attribute__((cold, noinline))
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

enum class Access { read, write };

/// Asks for a cache line that is needed soon. A line that is to be written is asked for exclusively, which would take
/// it from other threads that read it. Inlined always, as whatever calls it and does nothing else must be: g++ takes a
/// function that only fetches ahead for one without effect, and drops its calls.
template <Access access>
GRU4REC_ALWAYS_INLINE void prefetch(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(address, access == Access::write ? 1 : 0, 3);
#else
    static_cast<void>(address);
#endif
}

/// Tells the processor that the thread waits for another one.
GRU4REC_ALWAYS_INLINE void pause() noexcept {
#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__aarch64__)
    asm volatile("yield");
#endif
}

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
