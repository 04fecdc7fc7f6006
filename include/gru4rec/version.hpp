#ifndef GRU4REC_VERSION_HPP
#define GRU4REC_VERSION_HPP

// The version lives here; CMake reads it from these lines.
#define GRU4REC_VERSION_MAJOR 0
#define GRU4REC_VERSION_MINOR 1
#define GRU4REC_VERSION_PATCH 0
#define GRU4REC_VERSION_STRING "0.1.0"

// Translation units that were compiled for different vector instructions must not share inline functions: the linker
// would keep one copy for both. The inline namespace carries them, so that their functions have different names.
#if defined(__AVX512F__) && defined(__AVX512BW__)
#define GRU4REC_ABI v0_1_avx512
#elif defined(__AVX512F__)
#define GRU4REC_ABI v0_1_avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define GRU4REC_ABI v0_1_avx2_fma
#elif defined(__AVX2__)
#define GRU4REC_ABI v0_1_avx2
#elif defined(__AVX__)
#define GRU4REC_ABI v0_1_avx
#else
#define GRU4REC_ABI v0_1_base
#endif

#endif
