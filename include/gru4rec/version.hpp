#ifndef GRU4REC_VERSION_HPP
#define GRU4REC_VERSION_HPP

// Every header includes this one first, so these are the first errors that such a program meets.
#if defined(_MSVC_LANG)
#define GRU4REC_CPLUSPLUS _MSVC_LANG
#else
#define GRU4REC_CPLUSPLUS __cplusplus
#endif
#if GRU4REC_CPLUSPLUS < 202002L
#error "gru4rec needs C++20: compile with -std=c++20 (MSVC: /std:c++20)"
#endif
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "gru4rec needs NaN and infinity: compile without -ffast-math (or add -fno-finite-math-only)"
#endif

// The version lives here; CMake reads it from these lines.
#define GRU4REC_VERSION_MAJOR 0
#define GRU4REC_VERSION_MINOR 1
#define GRU4REC_VERSION_PATCH 0
#define GRU4REC_VERSION_STRING "0.1.0"

// Translation units that were compiled for different vector instructions must not share inline functions: the linker
// would keep one copy for both. The inline namespace carries them, so that their functions have different names. A
// program with timers in its loops (core/timeline.hpp) is compiled with one set of instructions.
#if defined(GRU4REC_TIMELINE)
#define GRU4REC_ABI v0_1_timeline
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define GRU4REC_ABI v0_1_avx512_vnni
#elif defined(__AVX512F__) && defined(__AVX512BW__)
#define GRU4REC_ABI v0_1_avx512
#elif defined(__AVX512F__)
#define GRU4REC_ABI v0_1_avx512f
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
#define GRU4REC_ABI v0_1_avx2_fma_vnni
#elif defined(__AVX2__) && defined(__FMA__)
#define GRU4REC_ABI v0_1_avx2_fma
#elif defined(__AVX2__)
#define GRU4REC_ABI v0_1_avx2
#elif defined(__AVX__)
#define GRU4REC_ABI v0_1_avx
#elif defined(__ARM_FEATURE_DOTPROD)
#define GRU4REC_ABI v0_1_dotprod
#else
#define GRU4REC_ABI v0_1_base
#endif

#endif
