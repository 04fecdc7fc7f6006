#ifndef GRU4REC_DATA_FIELD_ENDS_HPP
#define GRU4REC_DATA_FIELD_ENDS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__) || defined(__AVX512BW__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Bytes that are searched at a time.
inline constexpr std::size_t block_bytes = 64;

/// A bit for each byte of a block, the first byte's the lowest: set if the byte is the separator or LF. For any
/// processor, eight bytes at a time.
[[nodiscard]] inline std::uint64_t find_ends_portably(const char* block, char separator) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101ULL;
    const std::uint64_t separators = ones * static_cast<unsigned char>(separator);
    // Times this, the lowest bits of eight bytes come to stand side by side in the highest byte.
    constexpr std::uint64_t gather =
        std::endian::native == std::endian::little ? 0x0102040810204080ULL : 0x8040201008040201ULL;
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < block_bytes; i += 8) {
        const auto word = load_word<std::uint64_t>(block + i);
        const std::uint64_t found = equal_bytes(word, separators) | equal_bytes(word, ones * '\n');
        bits |= ((found >> 7U) * gather >> 56U) << i;
    }
    return bits;
}

/// The same with the vectors that there are.
[[nodiscard]] GRU4REC_ALWAYS_INLINE std::uint64_t find_ends(const char* block, char separator) noexcept {
#if defined(__AVX512BW__)
    const __m512i bytes = _mm512_loadu_si512(block);
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(separator)) |
           _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n'));
#elif defined(__AVX2__)
    const auto half = [&](const char* from) {
        const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        const __m256i found = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(separator)),
                                              _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\n')));
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(found)));
    };
    return half(block) | half(block + 32) << 32U;
#elif defined(__SSE2__)
    const auto quarter = [&](std::size_t i) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
        const __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(separator)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(found))) << i;
    };
    return quarter(0) | quarter(16) | quarter(32) | quarter(48);
#else
    return find_ends_portably(block, separator);
#endif
}

/// Walks over the separators and LFs of a text. They are found some blocks ahead of the walk: a loop that only collects
/// them has no branch that depends on the lengths of the fields.
class FieldEnds {
  public:
    FieldEnds(const char* begin, const char* end, char separator) noexcept
        : base_(begin), searched_(begin), end_(end), separator_(separator) {}

    /// The next separator or LF, at last the end of the text, again and again.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE const char* next() noexcept {
        if (next_ == n_found_) {
            find_more();
        }
        return base_ + found_[next_++];
    }

    /// Goes on at `from`. @pre nothing at or after it has been returned
    void skip_to(const char* from) noexcept {
        while (next_ < n_found_ && base_ + found_[next_] < from) {
            ++next_;
        }
        searched_ = (std::max)(searched_, from);
    }

  private:
    static constexpr std::size_t n_blocks = 32;
    static constexpr std::size_t n_at_once = 8;

    GRU4REC_NOINLINE void find_more() noexcept {
        next_ = 0;
        n_found_ = 0;
        while (n_found_ == 0 && searched_ != end_) {
            base_ = searched_;
            for (std::size_t i = 0; i < n_blocks && searched_ != end_; ++i) {
                search_block();
            }
        }
        if (n_found_ == 0) {
            base_ = end_;
            found_[n_found_++] = 0;
        }
    }

    GRU4REC_ALWAYS_INLINE void search_block() noexcept {
        const std::size_t size = (std::min)(block_bytes, static_cast<std::size_t>(end_ - searched_));
        std::uint64_t bits = 0;
        if (size == block_bytes) {
            bits = find_ends(searched_, separator_);
        } else {
            std::array<char, block_bytes> rest{};
            std::memcpy(rest.data(), searched_, size);
            bits = find_ends(rest.data(), separator_) & ((std::uint64_t{1} << size) - 1);
        }
        const auto first = static_cast<std::size_t>(searched_ - base_);
        std::uint16_t* const found = found_.data() + n_found_;
        const auto n = static_cast<std::size_t>(std::popcount(bits));
        // Most blocks have no more than this: then there is no branch.
        GRU4REC_UNROLL
        for (std::size_t i = 0; i < n_at_once; ++i, bits &= bits - 1) {
            found[i] = static_cast<std::uint16_t>(first + static_cast<std::size_t>(std::countr_zero(bits)));
        }
        for (std::size_t i = n_at_once; i < n; ++i, bits &= bits - 1) {
            found[i] = static_cast<std::uint16_t>(first + static_cast<std::size_t>(std::countr_zero(bits)));
        }
        n_found_ += n;
        searched_ += size;
    }

    const char* base_;      // that found_ counts from
    const char* searched_;  // up to here
    const char* end_;
    std::size_t next_ = 0;
    std::size_t n_found_ = 0;
    char separator_;
    std::array<std::uint16_t, n_blocks * block_bytes + n_at_once> found_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
