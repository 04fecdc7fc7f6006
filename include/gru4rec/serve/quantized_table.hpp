#ifndef GRU4REC_SERVE_QUANTIZED_TABLE_HPP
#define GRU4REC_SERVE_QUANTIZED_TABLE_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// A model's output table in one byte per weight, for a Recommender that finds the same items with the same scores in
/// less time: what could be among the best by the quantised scores is scored again exactly (see QuantizedScan for the
/// bound). Rows are w_i = s_i q_i + e_i with whole q in -127 .. 127 and one scale s_i per row.
///
///     block of 16 items     | q00 q01 | q10 q11 | ... | q15,0 q15,1 |      two features of each item lie together,
///                           | q02 q03 | q12 q13 | ... | q15,2 q15,3 |      then the next two
///
/// Memory: about H + 8 bytes per item beside the model.
/// @threads const: any number of recommenders over one table
template <class Scalar>
class QuantizedTable {
  public:
    static constexpr Index block_items = 16;

    /// Reads the output table once, in parallel.
    ///
    /// @param model  must outlive the table; a table of weights that have changed since is wrong
    /// @complexity O(V H)
    explicit QuantizedTable(const Model<Scalar>& model)
        : model_(&model),
          n_pairs_((model.network().output_width() + 3) / 4 * 2),
          n_blocks_((model.n_items() + block_items - 1) / block_items),
          values_(n_blocks_ * block_bytes()),
          scales_(n_blocks_ * block_items),
          biases_(n_blocks_ * block_items) {
        const Chunks chunks{n_blocks_, 256};
        std::vector<Norms> norms(static_cast<std::size_t>(chunks.count()));
        parallel_chunks(chunks.count(), [&](Index chunk) {
            Norms& of_chunk = norms[static_cast<std::size_t>(chunk)];
            for (Index item = chunks.begin(chunk) * block_items; item < chunks.end(chunk) * block_items; ++item) {
                quantize(item, of_chunk);
            }
        });
        for (const Norms& of_chunk : norms) {
            norms_.take(of_chunk);
        }
    }

    [[nodiscard]] const Model<Scalar>& model() const noexcept { return *model_; }

    /// Bytes that a scan reads.
    [[nodiscard]] Index bytes() const noexcept {
        return values_.size() + (scales_.size() + biases_.size()) * static_cast<Index>(sizeof(float));
    }

    /// Pairs of features, an even number of them: zeros stand behind the last feature.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }
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

    /// A sum of the row's products in any order, and the bound's own arithmetic, are wrong by less than this share of
    /// the sum of the magnitudes.
    [[nodiscard]] double relative_rounding() const noexcept {
        return static_cast<double>(padded<Scalar>(model_->network().output_width() + 1) + 16) * 0x1p-24;
    }

    /// Rows and states beyond these sums of magnitudes are scored exactly, so that no product or sum overflows.
    static constexpr double largest_row = 1e19;
    static constexpr double largest_state = 1e18;

  private:
    struct Norms {
        double quantized = 0;
        double error = 0;

        void take(const Norms& other) noexcept {
            quantized = (std::max)(quantized, other.quantized);
            error = (std::max)(error, other.error);
        }
    };

    [[nodiscard]] Index block_bytes() const noexcept { return n_pairs_ * 2 * block_items; }

    void quantize(Index item, Norms& norms) noexcept {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        const Parameter<Scalar>& table = model_->network().output_table();
        if (item >= table.rows()) {
            biases_[item] = -infinity;
            return;
        }
        const Index width = model_->network().output_width();
        const Scalar* const row = table.row(item);
        const auto bias = static_cast<double>(row[width]);
        double largest = 0;
        double sum = std::abs(bias);
        for (Index k = 0; k < width; ++k) {
            const double size = std::abs(static_cast<double>(row[k]));
            largest = (std::max)(largest, size);
            sum += size;
        }
        if (!(sum <= largest_row)) {  // NaN and infinity too
            biases_[item] = infinity;
            return;
        }
        // At least the smallest normal number: below it a scale would have too few digits.
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
        norms.take({std::sqrt(quantized), std::sqrt(error)});
    }

    const Model<Scalar>* model_;
    Index n_pairs_;
    Index n_blocks_;
    AlignedBuffer<std::int8_t> values_;
    AlignedBuffer<float> scales_, biases_;
    Norms norms_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
