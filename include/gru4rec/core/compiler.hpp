#ifndef GRU4REC_CORE_COMPILER_HPP
#define GRU4REC_CORE_COMPILER_HPP

#include "gru4rec/version.hpp"

/// Functions that must not become calls: element-wise ones stay in registers (g++ calls the longer ones through memory,
/// which makes the losses two to three times slower), and those that only fetch ahead are not dropped.
#if defined(__GNUC__) || defined(__clang__)
#define GRU4REC_ALWAYS_INLINE __attribute__((always_inline)) inline
#else
#define GRU4REC_ALWAYS_INLINE inline
#endif

/// `try` and `catch (...)`, also for files that are compiled without exceptions.
#if defined(__cpp_exceptions)
#define GRU4REC_TRY try
#define GRU4REC_CATCH_ALL catch (...)
#else
#define GRU4REC_TRY if constexpr (true)
#define GRU4REC_CATCH_ALL else
#endif

namespace gru4rec::inline GRU4REC_ABI::detail {

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

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
