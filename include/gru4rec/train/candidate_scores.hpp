#ifndef GRU4REC_TRAIN_CANDIDATE_SCORES_HPP
#define GRU4REC_TRAIN_CANDIDATE_SCORES_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/nn/gru_tape.hpp"
#include "gru4rec/nn/score_block.hpp"
#include "gru4rec/optim/update.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The part of a step between the top layer and its candidates:
///
///     R = h W_y[candidates]^T + b_y[candidates] -> loss -> dR -> dh = dR W_y[candidates] / batch_size
template <class Scalar>
class CandidateScores {
  public:
    GRU4REC_NOINLINE CandidateScores(const Network<Scalar>& network, std::span<const std::int64_t> supports,
                                     const Hyperparameters& p, AnyLoss<Scalar> loss)
        : table_(network.output_table()),
          loss_(std::move(loss)),
          duplicates_(p.mask_duplicates ? Duplicates::mask : Duplicates::keep),
          batch_size_(p.batch_size),
          candidates_(supports, p.batch_size, p.n_sample, p.sample_alpha, p.logq),
          stride_(row_stride<Scalar>(p.batch_size)),
          scores_(stride_ * (p.batch_size + p.n_sample)),
          d_scores_(stride_ * (p.batch_size + p.n_sample)),
          d_h_parts_(stride_ * padded<Scalar>(width()) * n_parts),
          h_rows_(padded<Scalar>(p.batch_size) * table_.stride()),
          lane_losses_(p.batch_size) {}

    /// Begins a step. @complexity O(M + n_sample), no allocation
    void take(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
        candidates_.build(targets, drawn);
        n_lanes_ = static_cast<Index>(targets.size());
    }

    /// From top.out the losses of the lanes, and top.d_out. @complexity O(M K H), no allocation
    void run(GruTape<Scalar>& top) {
        score(top);
        rank();
        back_to_hidden(top);
    }

    /// The loss summed over the lanes, after `run`.
    [[nodiscard]] double loss() const noexcept {
        double total = 0;
        for (Index line = 0; line < n_lanes_; line += scalars_per_line<Scalar>) {
            total += static_cast<double>(lane_losses_[line]);
        }
        return total;
    }

    [[nodiscard]] const Candidates<Scalar>& candidates() const noexcept { return candidates_; }
    [[nodiscard]] LaneMatrix<Scalar> d_scores() noexcept { return {d_scores_.data(), stride_}; }
    /// Lane by lane [h | 1] / batch_size.
    [[nodiscard]] Rows<Scalar> h_rows() noexcept { return {h_rows_.data(), table_.stride()}; }
    [[nodiscard]] Index n_lanes() const noexcept { return n_lanes_; }

    /// The gradients of columns begin .. end - 1; a column's item may also have a row of `extra`.
    [[nodiscard]] OuterGradients<Scalar> gradients(Index begin, Index end, const Scalar* const* extra = nullptr) {
        return {.count = end - begin,
                .items = candidates_.items().data() + begin,
                .factors = {{d_scores().column(begin), stride_}, h_rows(), n_lanes_},
                .extra = extra};
    }

  private:
    /// Parts that the gradient of the hidden state is summed in, each over a range of candidates.
    static constexpr Index n_parts = 8;

    [[nodiscard]] Index width() const noexcept { return table_.cols() - 1; }
    [[nodiscard]] LaneMatrix<Scalar> scores() noexcept { return {scores_.data(), stride_}; }
    [[nodiscard]] Rows<const Scalar> candidate_rows() const noexcept {
        return {table_.data(), table_.stride(), candidates_.items().data()};
    }

    void score(GruTape<Scalar>& top);
    void rank();
    void back_to_hidden(GruTape<Scalar>& top);

    const PaddedMatrix<Scalar>& table_;
    AnyLoss<Scalar> loss_;
    Duplicates duplicates_;
    Index batch_size_;
    Candidates<Scalar> candidates_;
    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    AlignedBuffer<Scalar> d_h_parts_;    // n_parts matrices (lanes, H)
    AlignedBuffer<Scalar> h_rows_;       // lane by lane [h | 1] / batch_size
    AlignedBuffer<Scalar> lane_losses_;  // of a cache line of lanes, at its first one
    Index n_lanes_ = 0;
};

/// R[lane, j] = h W_y[item_j]^T + b_y[item_j]; the bias is the rows' last column, h's is 1.
template <class Scalar>
void CandidateScores<Scalar>::score(GruTape<Scalar>& top) {
    const Index lanes = padded<Scalar>(n_lanes_);
    const double work = 2.0 * static_cast<double>(lanes * table_.cols());
    const Chunks chunks = chunks_by_work(candidates_.n_columns(), tile_multiple, work, flops_per_chunk);
    const LoopWork loop = product_work<Scalar>("scores", lanes, candidates_.n_columns(), table_.cols());
    parallel_ranges(chunks, loop, [&](Index begin, Index end) {
        multiply_rows<Scalar>({candidate_rows(), {begin, end}, {0, table_.cols()}}, top.out(), lanes, scores());
    });
}

/// Calls the loss for one cache line of lanes at a time. What it leaves in lanes beyond the live ones is never read.
template <class Scalar>
void CandidateScores<Scalar>::rank() {
    const LoopWork loop = pass_work<Scalar>("loss", padded<Scalar>(n_lanes_), candidates_.n_columns(), 2);
    parallel_ranges(Chunks{n_lanes_, scalars_per_line<Scalar>}, loop, [&](Index begin, Index end) {
        ScoreBlock<Scalar> block;
        block.scores = {scores_.data() + begin, stride_};
        block.d_scores = {d_scores_.data() + begin, stride_};
        block.n_lanes = end - begin;
        block.n_columns = candidates_.n_columns();
        block.n_candidates = candidates_.n_candidates();
        block.target_column = candidates_.target_column() + begin;
        block.drawn_column = candidates_.drawn_column() + begin;
        block.weight = candidates_.weight();
        block.log_q = candidates_.log_q();
        block.duplicates = duplicates_;
        lane_losses_[begin] = loss_(block);
    });
}

/// dh = dR W_y[candidates] / batch_size, into the tape; and the rows of h / batch_size for the update of W_y.
template <class Scalar>
void CandidateScores<Scalar>::back_to_hidden(GruTape<Scalar>& top) {
    using Lanes = SimdVector<Scalar>;
    const Index lanes = padded<Scalar>(n_lanes_);
    const Index n_columns = candidates_.n_columns();
    const Index grain = (n_columns + n_parts - 1) / n_parts;
    const Chunks parts{n_columns, (std::max)(grain, Index{64})};
    const Index part_size = stride_ * padded<Scalar>(width());
    const LoopWork products = product_work<Scalar>("scores back", lanes, n_columns, width());
    parallel_chunks(parts.count(), products, [&](Index part) {
        const LaneMatrix<Scalar> d_h{d_h_parts_.data() + part * part_size, stride_};
        for_each_line<Scalar>(lanes, width(), stride_, [&](Index at) { Lanes(0).store(d_h.data + at); });
        multiply_by_rows<Scalar>(d_scores(), {candidate_rows(), {parts.begin(part), parts.end(part)}, {0, width()}},
                                 lanes, d_h);
    });
    const Scalar scale = Scalar(1) / static_cast<Scalar>(batch_size_);
    const Rows<Scalar> rows = h_rows();
    const LoopWork sums = pass_work<Scalar>("scores back, sums", lanes, width(), parts.count() + 3);
    parallel_ranges(column_chunks(padded<Scalar>(width() + 1), 4 * lanes), sums, [&](Index begin, Index end) {
        const Index n = (std::min)(end, width()) - begin;
        for_each_line<Scalar>(lanes, n, stride_, [&](Index line) {
            const Index at = begin * stride_ + line;
            Lanes sum = Lanes::load(d_h_parts_.data() + at);
            for (Index part = 1; part < parts.count(); ++part) {
                sum += Lanes::load(d_h_parts_.data() + part * part_size + at);
            }
            (sum * Lanes(scale)).store(top.d_out().data + at);
        });
        columns_to_rows<Scalar>(top.out(), lanes, {begin, end}, rows);
        for (Index m = 0; m < n_lanes_; ++m) {
            for (Index k = begin; k < end; ++k) {
                rows(m)[k] *= scale;
            }
        }
    });
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
