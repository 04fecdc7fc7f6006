#ifndef GRU4REC_SERVE_QUANTIZED_DOTS_HPP
#define GRU4REC_SERVE_QUANTIZED_DOTS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // register types as template arguments: meant, as in simd.hpp
#endif

// Dot products of quantised rows, integers q of -127 .. 127, with quantised vectors, integers x. Integers are exact, so
// every target gets the same from the same x. A row is stored as q + 128, four features of an item side by side:
//
//     block of items     | item 0: 0 1 2 3 | item 1: 0 1 2 3 | ... |      a quad
//                        | item 0: 4 5 6 7 | item 1: 4 5 6 7 | ... |      the next quad
//
// x has 8 bits if the target multiplies bytes (VNNI, NEON's dot product), and 16 if it multiplies words. Sums wrap
// around at 32 bits; the result does not, as it fits.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Features of an item that lie side by side.
inline constexpr Index quad_features = 4;

/// The operations that quantized_dots is made of, in plain C++: the twin of all others.
///
/// @tparam T  std::int8_t or std::int16_t
template <class T>
struct PlainDots {
    using Feature = T;                 ///< of x
    static constexpr int n_items = 1;  ///< whose sums lie in a Sum

    using Items = const std::uint8_t*;
    using Features = const Feature*;
    using Sum = std::uint32_t;

    static Items items(const std::uint8_t* from) noexcept { return from; }
    static Features features(const Feature* quad) noexcept { return quad; }
    static void add(Sum& sum, Items items, Features features) noexcept {
        for (Index k = 0; k < quad_features; ++k) {
            sum += static_cast<std::uint32_t>(std::int32_t{items[k]} * features[k]);
        }
    }
    /// to[i] = the sum of item i, plus the offset.
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        *to = static_cast<std::int32_t>(sum + static_cast<std::uint32_t>(offset));
    }
};

/// The bytes of a quad of x, to be repeated in a register.
template <class Word, class Feature>
[[nodiscard]] Word quad_bytes(const Feature* quad) noexcept {
    static_assert(sizeof(Word) == quad_features * sizeof(Feature));
    Word word;
    std::memcpy(&word, quad, sizeof(word));
    return word;
}

#if defined(__AVX512VNNI__)
struct TargetDots {
    using Feature = std::int8_t;
    static constexpr int n_items = 16;

    using Items = __m512i;
    using Features = __m512i;
    using Sum = __m512i;

    static Items items(const std::uint8_t* from) noexcept { return _mm512_load_si512(from); }
    static Features features(const Feature* quad) noexcept { return _mm512_set1_epi32(quad_bytes<std::int32_t>(quad)); }
    static void add(Sum& sum, Items items, Features features) noexcept {
        sum = _mm512_dpbusd_epi32(sum, items, features);
    }
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        _mm512_storeu_si512(to, _mm512_add_epi32(sum, _mm512_set1_epi32(offset)));
    }
};
#elif defined(__AVXVNNI__)
struct TargetDots {
    using Feature = std::int8_t;
    static constexpr int n_items = 8;

    using Items = __m256i;
    using Features = __m256i;
    using Sum = __m256i;

    static Items items(const std::uint8_t* from) noexcept {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    }
    static Features features(const Feature* quad) noexcept { return _mm256_set1_epi32(quad_bytes<std::int32_t>(quad)); }
    static void add(Sum& sum, Items items, Features features) noexcept {
        sum = _mm256_dpbusd_avx_epi32(sum, items, features);
    }
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_add_epi32(sum, _mm256_set1_epi32(offset)));
    }
};
#elif defined(__AVX512BW__)
struct TargetDots {
    using Feature = std::int16_t;
    static constexpr int n_items = 8;

    using Items = __m512i;
    using Features = __m512i;
    using Sum = __m512i;  // two sums per item

    static Items items(const std::uint8_t* from) noexcept {
        return _mm512_cvtepu8_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
    }
    static Features features(const Feature* quad) noexcept { return _mm512_set1_epi64(quad_bytes<long long>(quad)); }
    static void add(Sum& sum, Items items, Features features) noexcept {
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(items, features));
    }
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        const __m512i both = _mm512_add_epi32(sum, _mm512_srli_epi64(sum, 32));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                            _mm256_add_epi32(_mm512_cvtepi64_epi32(both), _mm256_set1_epi32(offset)));
    }
};
#elif defined(__AVX2__)
struct TargetDots {
    using Feature = std::int16_t;
    static constexpr int n_items = 4;

    using Items = __m256i;
    using Features = __m256i;
    using Sum = __m256i;  // two sums per item

    static Items items(const std::uint8_t* from) noexcept {
        return _mm256_cvtepu8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
    }
    static Features features(const Feature* quad) noexcept { return _mm256_set1_epi64x(quad_bytes<long long>(quad)); }
    static void add(Sum& sum, Items items, Features features) noexcept {
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(items, features));
    }
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        const __m256i both = _mm256_add_epi32(sum, _mm256_srli_epi64(sum, 32));
        const __m256i first = _mm256_permutevar8x32_epi32(both, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                         _mm_add_epi32(_mm256_castsi256_si128(first), _mm_set1_epi32(offset)));
    }
};
#elif defined(__SSE2__)
struct TargetDots {
    using Feature = std::int16_t;
    static constexpr int n_items = 2;

    using Items = __m128i;
    using Features = __m128i;
    using Sum = __m128i;  // two sums per item

    static Items items(const std::uint8_t* from) noexcept {
        return _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)), _mm_setzero_si128());
    }
    static Features features(const Feature* quad) noexcept {
        const __m128i words = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(quad));
        return _mm_unpacklo_epi64(words, words);
    }
    static void add(Sum& sum, Items items, Features features) noexcept {
        sum = _mm_add_epi32(sum, _mm_madd_epi16(items, features));
    }
    static void store(Sum sum, std::int32_t offset, std::int32_t* to) noexcept {
        const __m128i both = _mm_add_epi32(sum, _mm_srli_epi64(sum, 32));
        const __m128i first = _mm_shuffle_epi32(both, _MM_SHUFFLE(2, 0, 2, 0));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_add_epi32(first, _mm_set1_epi32(offset)));
    }
};
#elif defined(__ARM_FEATURE_DOTPROD)
struct TargetDots {
    using Feature = std::int8_t;
    static constexpr int n_items = 4;

    using Items = int8x16_t;
    using Features = int8x16_t;
    using Sum = int32x4_t;

    /// q itself, as this product takes signed bytes only; so `store` adds no offset.
    static Items items(const std::uint8_t* from) noexcept {
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(from), vdupq_n_u8(0x80)));
    }
    static Features features(const Feature* quad) noexcept {
        return vreinterpretq_s8_s32(vdupq_n_s32(quad_bytes<std::int32_t>(quad)));
    }
    static void add(Sum& sum, Items items, Features features) noexcept { sum = vdotq_s32(sum, items, features); }
    static void store(Sum sum, std::int32_t, std::int32_t* to) noexcept { vst1q_s32(to, sum); }
};
#else
using TargetDots = PlainDots<std::int16_t>;
#endif

/// A number of a quantised vector.
using QuantizedFeature = TargetDots::Feature;

/// Items that quantized_dots works through in a call.
inline constexpr Index quantized_chunk_items = 128;

/// Groups of Dots::n_items items whose sums are made together: they fill half of the registers at most, and eight
/// suffice, as a product takes five cycles or less.
template <int n_vectors>
inline constexpr int quantized_groups = std::clamp((many_registers ? 16 : 8) / n_vectors, 1, 8);

/// Items of a block: those whose sums with one vector are made together, so that one vector reads the table from the
/// first byte to the last.
template <class Dots>
inline constexpr Index quantized_block_items = quantized_groups<1>* Dots::n_items;

/// Where feature k of an item lies.
template <class Dots>
[[nodiscard]] Index quantized_position(Index item, Index k, Index n_quads) noexcept {
    constexpr Index block = quantized_block_items<Dots>;
    return ((item / block * n_quads + k / quad_features) * block + item % block) * quad_features + k % quad_features;
}

/// A quantised vector.
template <class Feature>
struct QuantizedVector {
    const Feature* x = nullptr;  ///< n_quads times 4 numbers
    std::int32_t offset = 0;     ///< -128 sum_k x_k: rows are stored as q + 128
};

/// dots(v)[i] = sum_k q_ik x_vk for the items i of a chunk.
///
/// @tparam Dots   PlainDots or TargetDots; x has numbers of its type
/// @tparam ahead  fetches rows so many bytes before they are used, if not 0: a quarter less time for one vector if rows
///                come from memory, but a fifth more if they are in a cache
/// @param rows    of the chunk, as quantized_position says; aligned to a cache line
/// @param x       n_vectors
/// @complexity O(n_vectors n_quads), no allocation
template <class Dots, int n_vectors, Index ahead = 0>
void quantized_dots(const std::uint8_t* rows, Index n_quads, const QuantizedVector<typename Dots::Feature>* x,
                    Rows<std::int32_t> dots) noexcept {
    constexpr int n_groups = quantized_groups<n_vectors>;
    constexpr Index block = quantized_block_items<Dots>;
    static_assert(quantized_chunk_items % block == 0 && block % (n_groups * Dots::n_items) == 0);
    for (Index first = 0; first < quantized_chunk_items; first += n_groups * Dots::n_items) {
        const std::uint8_t* from = rows + quantized_position<Dots>(first, 0, n_quads);
        CArray<CArray<typename Dots::Sum, n_groups>, n_vectors> sum = {};
        for (Index quad = 0; quad < n_quads; ++quad, from += block * quad_features) {
            CArray<typename Dots::Items, n_groups> items;
            GRU4REC_UNROLL
            for (int g = 0; g < n_groups; ++g) {
                const std::uint8_t* const group = from + g * Dots::n_items * quad_features;
                items[g] = Dots::items(group);
                if constexpr (ahead > 0) {
                    prefetch<Access::read_later>(group + ahead);
                }
            }
            GRU4REC_UNROLL
            for (int v = 0; v < n_vectors; ++v) {
                const typename Dots::Features features = Dots::features(x[v].x + quad * quad_features);
                GRU4REC_UNROLL
                for (int g = 0; g < n_groups; ++g) {
                    Dots::add(sum[v][g], items[g], features);
                }
            }
        }
        GRU4REC_UNROLL
        for (int v = 0; v < n_vectors; ++v) {
            GRU4REC_UNROLL
            for (int g = 0; g < n_groups; ++g) {
                Dots::store(sum[v][g], x[v].offset, dots(v) + first + g * Dots::n_items);
            }
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
