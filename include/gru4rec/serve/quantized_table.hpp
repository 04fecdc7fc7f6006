#ifndef GRU4REC_SERVE_QUANTIZED_TABLE_HPP
#define GRU4REC_SERVE_QUANTIZED_TABLE_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/quantized_dots.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Of the magnitudes of some numbers.
struct Magnitudes {
    double largest = 0;  ///< NaN left aside
    double sum = 0;      ///< NaN or infinite if a number is
};

template <class Scalar>
[[nodiscard]] Magnitudes magnitudes(const Scalar* numbers, Index n) noexcept {
    Magnitudes result;
    for (Index k = 0; k < n; ++k) {
        const double magnitude = std::abs(static_cast<double>(numbers[k]));
        result.largest = (std::max)(result.largest, magnitude);
        result.sum += magnitude;
    }
    return result;
}

}  // namespace detail

/// A model's output table in one byte per weight. A Recommender that is made from it returns the same items and scores
/// in less time: it computes exact scores only for items whose quantised scores could be among the best (QuantizedScan
/// in serve/quantized_scan.hpp states the bound).
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

    // The rest is for the scan. Row i is w_i = s_i q_i + e_i with integers q in -127 .. 127 and one scale s_i per row;
    // serve/quantized_dots.hpp shows how they lie in memory.

    /// Four features each; zeros follow the last feature.
    [[nodiscard]] Index n_quads() const noexcept { return n_quads_; }
    /// V / quantized_chunk_items, rounded up; rows after the last item are padding.
    [[nodiscard]] Index n_chunks() const noexcept { return n_chunks_; }
    /// The rows of a chunk.
    [[nodiscard]] const std::uint8_t* chunk(Index i) const noexcept { return values_.data() + i * chunk_bytes(); }
    /// By item, in whole chunks.
    [[nodiscard]] const float* scales() const noexcept { return scales_.data(); }
    /// By item, in whole chunks: b_i + relative_rounding() |b_i|, rounded up; infinite for a row that is always scored
    /// exactly.
    [[nodiscard]] const float* upper_biases() const noexcept { return biases_.data(); }

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

    static constexpr Index chunk_items = detail::quantized_chunk_items;

    [[nodiscard]] Index chunk_bytes() const noexcept { return n_quads_ * detail::quad_features * chunk_items; }
    void quantize(Index item, Norms& norms) noexcept;

    const Model<Scalar>* model_;
    Index n_quads_;
    Index n_chunks_;
    detail::AlignedBuffer<std::uint8_t> values_;
    detail::AlignedBuffer<float> scales_, biases_;
    Norms norms_;
};

template <class Scalar>
QuantizedTable<Scalar>::QuantizedTable(const Model<Scalar>& model)
    : model_(&model),
      n_quads_((model.network().output_width() + detail::quad_features - 1) / detail::quad_features),
      n_chunks_(detail::Chunks{model.n_items(), chunk_items}.count()),
      values_(n_chunks_ * chunk_bytes()),
      scales_(n_chunks_ * chunk_items),
      biases_(n_chunks_ * chunk_items) {
    const detail::Chunks chunks{n_chunks_ * chunk_items, 32 * chunk_items};
    std::vector<Norms> norms(static_cast<std::size_t>(chunks.count()));
    detail::parallel_chunks(chunks.count(), [&](Index chunk) {
        for (Index item = chunks.begin(chunk); item < chunks.end(chunk); ++item) {
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
    if (item >= table.rows()) {  // fills the last chunk
        biases_[item] = -infinity;
        return;
    }
    const Index width = model_->network().output_width();
    const Scalar* const row = table.row(item);
    const auto bias = static_cast<double>(row[width]);
    const auto [largest, sum] = detail::magnitudes(row, width);
    if (!(sum + std::abs(bias) <= largest_row)) {  // true for NaN and infinity as well
        biases_[item] = infinity;
        return;
    }
    // At least the smallest normal number: a denormal scale would have too few digits.
    const float scale = (std::max)((std::numeric_limits<float>::min)(), static_cast<float>(largest / 127));
    scales_[item] = scale;
    biases_[item] = std::nextafter(static_cast<float>(bias + relative_rounding() * std::abs(bias)), infinity);
    double quantized = 0;
    double error = 0;
    for (Index k = 0; k < width; ++k) {
        const double value = static_cast<double>(row[k]) / static_cast<double>(scale);
        const double q = std::nearbyint(value);
        values_[detail::quantized_position<detail::TargetDots>(item, k, n_quads_)] = static_cast<std::uint8_t>(q + 128);
        quantized += q * q;
        error += (value - q) * (value - q);
    }
    norms.raise_to({std::sqrt(quantized), std::sqrt(error)});
}

#if defined(GRU4REC_COMPILED)
extern template class QuantizedTable<float>;
extern template class QuantizedTable<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
