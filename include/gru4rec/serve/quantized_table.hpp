#ifndef GRU4REC_SERVE_QUANTIZED_TABLE_HPP
#define GRU4REC_SERVE_QUANTIZED_TABLE_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A model's output table in one byte per weight. A Recommender that is made from it returns the same items and scores
/// in less time: it computes exact scores only for items whose quantised scores could be among the best (QuantizedScan
/// in serve/scan.hpp states the bound).
///
/// Memory: about H + 8 bytes per item, in addition to the model.
/// @threads const: any number of recommenders may share a table
template <class Scalar>
class QuantizedTable {
  public:
    /// Reads the output table once, in parallel.
    ///
    /// @param model  must outlive the table. If its weights change, make a new table
    /// @complexity O(V H)
    explicit QuantizedTable(const Model<Scalar>& model);
    explicit QuantizedTable(const Model<Scalar>&& model) = delete;  // the table would refer to a dead model

    /// @{
    /// A copy refers to the same model. Moving a table leaves the recommenders that use it dangling.
    QuantizedTable(const QuantizedTable& other);
    QuantizedTable& operator=(const QuantizedTable& other);
    QuantizedTable(QuantizedTable&& other) noexcept;
    QuantizedTable& operator=(QuantizedTable&& other) noexcept;
    ~QuantizedTable();
    /// @}

    /// The model whose table this is.
    [[nodiscard]] const Model<Scalar>& model() const noexcept { return *model_; }

    /// Bytes that a scan reads.
    [[nodiscard]] Index bytes() const noexcept {
        return values_.size() + (scales_.size() + biases_.size()) * static_cast<Index>(sizeof(float));
    }

    // The rest is the layout, which the scan reads. Row i is w_i = s_i q_i + e_i with integers q in -127 .. 127 and one
    // scale s_i per row. Two features of each item are adjacent, then come the next two:
    //
    //     block of 16 items     | q00 q01 | q10 q11 | ... | q15,0 q15,1 |
    //                           | q02 q03 | q12 q13 | ... | q15,2 q15,3 |

    /// Items of a block.
    static constexpr Index block_items = 16;

    /// Pairs of features, an even number; zeros follow the last feature.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }
    /// V / block_items, rounded up; rows after the last item are padding.
    [[nodiscard]] Index n_blocks() const noexcept { return n_blocks_; }
    /// (n_pairs, 16, 2)
    [[nodiscard]] const std::int8_t* block(Index i) const noexcept { return values_.data() + i * block_bytes(); }
    /// (16) of a block
    [[nodiscard]] const float* scales(Index i) const noexcept { return scales_.data() + i * block_items; }
    /// (16) of a block: b_i + relative_rounding() |b_i|, rounded up; infinite for a row that is always scored exactly
    [[nodiscard]] const float* upper_biases(Index i) const noexcept { return biases_.data() + i * block_items; }

    /// The largest |q_i|, Euclidean.
    [[nodiscard]] double largest_norm() const noexcept { return norms_.quantized; }
    /// The largest |e_i| / s_i, Euclidean.
    [[nodiscard]] double largest_error() const noexcept { return norms_.error; }

    /// Bounds the rounding error of a row's sum of products, in any order, and of the bound's own arithmetic: less than
    /// this share of the sum of the magnitudes.
    [[nodiscard]] double relative_rounding() const noexcept {
        return static_cast<double>(detail::padded<Scalar>(model_->network().output_width() + 1) + 16) * 0x1p-24;
    }

    /// @{
    /// Rows and states with larger sums of magnitudes are scored exactly, so that no product or sum overflows.
    static constexpr double largest_row = 1e19;
    static constexpr double largest_state = 1e18;
    /// @}

  private:
    struct Norms {
        double quantized = 0;
        double error = 0;

        void raise_to(const Norms& other) noexcept {
            quantized = (std::max)(quantized, other.quantized);
            error = (std::max)(error, other.error);
        }
    };

    [[nodiscard]] Index block_bytes() const noexcept { return n_pairs_ * 2 * block_items; }
    void quantize(Index item, Norms& norms) noexcept;

    const Model<Scalar>* model_;
    Index n_pairs_;
    Index n_blocks_;
    detail::AlignedBuffer<std::int8_t> values_;
    detail::AlignedBuffer<float> scales_, biases_;
    Norms norms_;
};

template <class Scalar>
QuantizedTable<Scalar>::QuantizedTable(const Model<Scalar>& model)
    : model_(&model),
      n_pairs_((model.network().output_width() + 3) / 4 * 2),
      n_blocks_((model.n_items() + block_items - 1) / block_items),
      values_(n_blocks_ * block_bytes()),
      scales_(n_blocks_ * block_items),
      biases_(n_blocks_ * block_items) {
    const detail::Chunks chunks{n_blocks_, 256};
    std::vector<Norms> norms(static_cast<std::size_t>(chunks.count()));
    detail::parallel_chunks(chunks.count(), [&](Index chunk) {
        for (Index item = chunks.begin(chunk) * block_items; item < chunks.end(chunk) * block_items; ++item) {
            quantize(item, detail::at(norms, chunk));
        }
    });
    for (const Norms& of_chunk : norms) {
        norms_.raise_to(of_chunk);
    }
}

template <class Scalar>
QuantizedTable<Scalar>::QuantizedTable(const QuantizedTable& other) = default;
template <class Scalar>
QuantizedTable<Scalar>& QuantizedTable<Scalar>::operator=(const QuantizedTable& other) = default;
template <class Scalar>
QuantizedTable<Scalar>::QuantizedTable(QuantizedTable&& other) noexcept = default;
template <class Scalar>
QuantizedTable<Scalar>& QuantizedTable<Scalar>::operator=(QuantizedTable&& other) noexcept = default;
template <class Scalar>
QuantizedTable<Scalar>::~QuantizedTable() = default;

template <class Scalar>
void QuantizedTable<Scalar>::quantize(Index item, Norms& norms) noexcept {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const detail::PaddedMatrix<Scalar>& table = model_->network().output_table();
    if (item >= table.rows()) {  // fills the last block
        biases_[item] = -infinity;
        return;
    }
    const Index width = model_->network().output_width();
    const Scalar* const row = table.row(item);
    const auto bias = static_cast<double>(row[width]);
    double largest = 0;
    double sum = std::abs(bias);
    for (Index k = 0; k < width; ++k) {
        const double magnitude = std::abs(static_cast<double>(row[k]));
        largest = (std::max)(largest, magnitude);
        sum += magnitude;
    }
    if (!(sum <= largest_row)) {  // true for NaN and infinity as well
        biases_[item] = infinity;
        return;
    }
    // At least the smallest normal number: a denormal scale would have too few digits.
    const float scale = (std::max)((std::numeric_limits<float>::min)(), static_cast<float>(largest / 127));
    scales_[item] = scale;
    biases_[item] = std::nextafter(static_cast<float>(bias + relative_rounding() * std::abs(bias)), infinity);
    std::int8_t* const to = values_.data() + item / block_items * block_bytes() + item % block_items * 2;
    double quantized = 0;
    double error = 0;
    for (Index k = 0; k < width; ++k) {
        const double value = static_cast<double>(row[k]) / static_cast<double>(scale);
        const double q = std::nearbyint(value);
        to[k / 2 * 2 * block_items + k % 2] = static_cast<std::int8_t>(q);
        quantized += q * q;
        error += (value - q) * (value - q);
    }
    norms.raise_to({std::sqrt(quantized), std::sqrt(error)});
}

namespace detail {

/// dots[i] = sum over the pairs p of q_ip0 x_p0 + q_ip1 x_p1 for a block of 16 items. Integers: exact on every code
/// path.
///
/// @param block  (n_pairs, 16, 2), n_pairs even     @param x  (n_pairs, 2)     @param dots  16, aligned to a cache line
inline void quantized_dots(const std::int8_t* block, const std::int16_t* x, Index n_pairs,
                           std::int32_t* dots) noexcept {
#if defined(__AVX2__)
    const auto pair = [x](Index p) {
        std::int32_t both = 0;
        std::memcpy(&both, x + 2 * p, sizeof(both));
        return both;
    };
#endif
#if defined(__AVX512BW__)
    const auto products = [&](Index p) {
        const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(block + 32 * p));
        return _mm512_madd_epi16(_mm512_cvtepi8_epi16(bytes), _mm512_set1_epi32(pair(p)));
    };
    __m512i even = _mm512_setzero_si512();
    __m512i odd = _mm512_setzero_si512();
    for (Index p = 0; p < n_pairs; p += 2) {
        even = _mm512_add_epi32(even, products(p));
        odd = _mm512_add_epi32(odd, products(p + 1));
    }
    _mm512_store_si512(dots, _mm512_add_epi32(even, odd));
#elif defined(__AVX2__)
    const auto words = [block](Index at) {
        return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(block + at)));
    };
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (Index p = 0; p < n_pairs; ++p) {
        const __m256i both = _mm256_set1_epi32(pair(p));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(words(32 * p), both));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(words(32 * p + 16), both));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(dots), low);
    _mm256_store_si256(reinterpret_cast<__m256i*>(dots + 8), high);
#else
    std::fill_n(dots, 16, 0);
    for (Index p = 0; p < n_pairs; ++p) {
        for (Index i = 0; i < 16; ++i) {
            dots[i] += block[32 * p + 2 * i] * x[2 * p] + block[32 * p + 2 * i + 1] * x[2 * p + 1];
        }
    }
#endif
}

}  // namespace detail
#if defined(GRU4REC_COMPILED)
extern template class QuantizedTable<float>;
extern template class QuantizedTable<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
