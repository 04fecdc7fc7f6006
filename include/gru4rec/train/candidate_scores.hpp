#ifndef GRU4REC_TRAIN_CANDIDATE_SCORES_HPP
#define GRU4REC_TRAIN_CANDIDATE_SCORES_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/lane_vector.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/choices.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/nn/gru_tape.hpp"
#include "gru4rec/nn/score_block.hpp"
#include "gru4rec/optim/update.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

namespace gru4rec::inline GRU4REC_ABI {

/// The part of a step between the top layer and its candidates:
///
///     R = h W_y[candidates]^T + b_y[candidates] -> loss -> dR -> dh = dR W_y[candidates] / batch_size
template <class Scalar>
class CandidateScores {
  public:
    CandidateScores(const Network<Scalar>& network, std::span<const std::int64_t> supports, const Hyperparameters& p,
                    AnyLoss<Scalar> loss)
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

    /// From top.out the loss, summed over the lanes, and top.d_out.
    ///
    /// @complexity O(M K H), no allocation
    double run(std::span<const ItemIndex> targets, const DrawnItems& drawn, GruTape<Scalar>& top) {
        candidates_.build(targets, drawn);
        n_lanes_ = static_cast<Index>(targets.size());
        score(top);
        const double loss = rank();
        back_to_hidden(top);
        return loss;
    }

    [[nodiscard]] const Candidates<Scalar>& candidates() const noexcept { return candidates_; }
    [[nodiscard]] LaneMatrix<Scalar> d_scores() noexcept { return {d_scores_.data(), stride_}; }
    /// Lane by lane [h | 1] / batch_size.
    [[nodiscard]] Rows<Scalar> h_rows() noexcept { return {h_rows_.data(), table_.stride()}; }
    [[nodiscard]] Index n_lanes() const noexcept { return n_lanes_; }

    /// Those of columns begin .. end; a column's item may also have a row of `extra`.
    [[nodiscard]] OuterGradients<Scalar> gradients(Index begin, Index end, const Scalar* const* extra = nullptr) {
        return {
            end - begin, candidates_.items().data() + begin, {d_scores().column(begin), stride_}, h_rows(), n_lanes_,
            extra};
    }

  private:
    /// Parts that the gradient of the hidden state is summed in, each over a range of candidates.
    static constexpr Index n_parts = 8;

    [[nodiscard]] Index width() const noexcept { return table_.cols() - 1; }
    [[nodiscard]] LaneMatrix<Scalar> scores() noexcept { return {scores_.data(), stride_}; }
    [[nodiscard]] Rows<const Scalar> candidate_rows() const noexcept {
        return {table_.data(), table_.stride(), candidates_.items().data()};
    }

    /// R[lane, j] = h W_y[item_j]^T + b_y[item_j]; the bias is the rows' last column, h's is 1.
    void score(GruTape<Scalar>& top) {
        const Index lanes = padded<Scalar>(n_lanes_);
        const Chunks chunks = chunks_by_work(candidates_.n_columns(), detail::tile_multiple,
                                             2.0 * static_cast<double>(lanes * table_.cols()), detail::flops_per_chunk);
        parallel_ranges(chunks, [&](Index begin, Index end) {
            multiply_rows(candidate_rows(), begin, end, table_.cols(), top.out(), lanes, scores());
        });
    }

    /// Calls the loss for groups of lanes that fill a cache line. What it leaves in lanes beyond the live ones stays
    /// there.
    double rank() {
        const Chunks groups{n_lanes_, scalars_per_line<Scalar>};
        parallel_ranges(groups, [&](Index begin, Index end) {
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
        double total = 0;
        for (Index group = 0; group < groups.count(); ++group) {
            total += static_cast<double>(lane_losses_[groups.begin(group)]);
        }
        return total;
    }

    /// dh = dR W_y[candidates] / batch_size, into the tape; and the rows of h / batch_size for the update of W_y.
    void back_to_hidden(GruTape<Scalar>& top) {
        const Index lanes = padded<Scalar>(n_lanes_);
        const Index n_columns = candidates_.n_columns();
        const Index grain = (n_columns + n_parts - 1) / n_parts;
        const Chunks parts{n_columns, (std::max)(grain, Index{64})};
        const Index part_size = stride_ * padded<Scalar>(width());
        parallel_chunks(parts.count(), [&](Index part) {
            const LaneMatrix<Scalar> d_h{d_h_parts_.data() + part * part_size, stride_};
            std::fill_n(d_h.data, stride_ * width(), Scalar(0));
            multiply_by_rows<Scalar>(d_scores(), candidate_rows(), parts.begin(part), parts.end(part), 0, width(),
                                     lanes, d_h);
        });
        using Lanes = LaneVector<Scalar>;
        const Scalar scale = Scalar(1) / static_cast<Scalar>(batch_size_);
        parallel_ranges(column_chunks(padded<Scalar>(width() + 1), 4 * lanes), [&](Index begin, Index end) {
            const Index n = (std::min)(end, width()) - begin;
            for_each_line<Scalar>(lanes, n, stride_, [&](Index line) {
                const Index at = begin * stride_ + line;
                Lanes sum = Lanes::load(d_h_parts_.data() + at);
                for (Index part = 1; part < parts.count(); ++part) {
                    sum += Lanes::load(d_h_parts_.data() + part * part_size + at);
                }
                (sum * Lanes(scale)).store(top.d_out().data + at);
            });
            columns_to_rows<Scalar>(top.out(), lanes, begin, end, h_rows());
            for (Index m = 0; m < n_lanes_; ++m) {
                for (Index k = begin; k < end; ++k) {
                    h_rows()(m)[k] *= scale;
                }
            }
        });
    }

    const Parameter<Scalar>& table_;
    AnyLoss<Scalar> loss_;
    Duplicates duplicates_;
    Index batch_size_;
    Candidates<Scalar> candidates_;
    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    AlignedBuffer<Scalar> d_h_parts_;    // n_parts matrices (lanes, H)
    AlignedBuffer<Scalar> h_rows_;       // lane by lane [h | 1] / batch_size
    AlignedBuffer<Scalar> lane_losses_;  // of a group, at its first lane
    Index n_lanes_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
