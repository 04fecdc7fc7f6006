#ifndef GRU4REC_TRAIN_STEP_GRADIENTS_HPP
#define GRU4REC_TRAIN_STEP_GRADIENTS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/nn/gru_tape.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/candidate_scores.hpp"
#include "gru4rec/train/recorded_step.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The gradients of one step. Those of weight matrices and of candidates stay outer products until they are consumed;
/// the gradients of a table row as candidate and as input are merged.
template <class Scalar>
class StepGradients {
  public:
    GRU4REC_NOINLINE StepGradients(Network<Scalar>& network, CandidateScores<Scalar>& candidates,
                                   const Hyperparameters& p)
        : network_(network),
          candidates_(candidates),
          batch_size_(p.batch_size),
          max_rows_(Index{p.batch_size} + p.n_sample),
          extra_rows_(max_scored_inputs(p) * network.output_table().stride()),
          extra_(max_rows_),
          scored_inputs_(static_cast<std::size_t>(max_scored_inputs(p))),
          other_inputs_(static_cast<std::size_t>(max_weighted_inputs(p))),
          merged_items_(p.batch_size),
          merged_rows_(p.batch_size) {
        Index widest_row = 0;
        for (Index t = 0; t < network.n_input_tables(); ++t) {
            widest_row = (std::max)(widest_row, row_stride<Scalar>(network.input_row_width(t)));
        }
        sums_ = AlignedBuffer<Scalar>(p.batch_size * widest_row);
        network.visit_layer_parameters(
            [&](PaddedMatrix<Scalar>& weights, Index) { max_rows_ = (std::max)(max_rows_, weights.rows()); });
        bias_gradient_ = AlignedBuffer<Scalar>(padded<Scalar>(3 * *std::max_element(p.layers.begin(), p.layers.end())));
    }

    /// Of a block that `visit` shows, at most.
    [[nodiscard]] Index max_rows() const noexcept { return max_rows_; }

    /// Starts with the gradients of a step whose backward pass is done. The step must outlive the calls of `visit`.
    void take(RecordedStep<Scalar>& step) {
        step_ = &step;
        std::fill_n(extra_.begin(), candidates_.candidates().n_distinct(), nullptr);
        n_extra_ = 0;
        merge_inputs();
    }

    /// Calls `visit(OptimizedParameter, OuterGradients)` or `visit(OptimizedParameter, RowGradients)` until each row of
    /// the step was shown.
    template <class Visit>
    void visit(OptimizedNetwork<Scalar>& network, const Visit& visit) {
        visit(network.output, candidates_.gradients(extra_.data()));
        for (Index t = 0; t < network_.n_input_tables(); ++t) {
            visit_other_inputs(t, [&](const RowGradients<Scalar>& rows) { visit(network.input(t), rows); });
        }
        for (std::size_t l = 0; l < network.layers.size(); ++l) {
            const auto gradients = layer_gradients(network_, *step_, l);
            for (std::size_t i = 0; i < gradients.size(); ++i) {
                if (network.layers[l][i]) {
                    visit_layer_parameter(*network.layers[l][i], gradients[i], visit);
                }
            }
        }
    }

  private:
    /// An input item that is a candidate, and the extra row of its column.
    struct ScoredInput {
        Index input = 0;
        Scalar* row = nullptr;
    };

    template <class Visit>
    void visit_layer_parameter(OptimizedParameter<Scalar>& parameter, const OuterFactors<Scalar>& factors,
                               const Visit& visit) {
        const PaddedMatrix<Scalar>& weights = parameter.parameter();
        if (factors.x.base != nullptr) {
            visit(parameter, OuterGradients<Scalar>{.count = weights.rows(), .factors = factors});
            return;
        }
        bias_gradient_.set_zero();
        add_lanes(factors.d, factors.n_lanes, weights.cols(), bias_gradient_.data());
        const Scalar* const row = bias_gradient_.data();
        visit(parameter, RowGradients<Scalar>{1, weights.cols(), nullptr, &row});
    }

    /// Inputs of a step that are candidates as well, at most.
    [[nodiscard]] static Index max_scored_inputs(const Hyperparameters& p) {
        return (std::min)(max_weighted_inputs(p), Index{p.batch_size} + p.n_sample);
    }

    /// Adds the gradients of the items that are inputs of a shared table and candidates to the candidates' extra rows;
    /// the others are left for visit_other_inputs.
    void merge_inputs() {
        const bool shared = network_.input_mode() == InputMode::shared;
        n_other_ = 0;
        Index n_scored = 0;
        for (Index i = 0; i < step_->inputs.size(); ++i) {
            const ItemIndex item = step_->inputs.items()[static_cast<std::size_t>(i)];
            const Index column = shared ? candidates_.candidates().column_of(item) : Index{-1};
            if (column >= 0) {
                scored_inputs_[static_cast<std::size_t>(n_scored++)] = {i, extra_row(column)};
            } else {
                other_inputs_[static_cast<std::size_t>(n_other_++)] = i;
            }
        }
        const LoopWork loop = pass_work<Scalar>("inputs that are candidates", n_scored, network_.input_row_width(), 3);
        parallel_ranges(input_chunks(n_scored, 0), loop, [&](Index begin, Index end) {
            for (Index k = begin; k < end; ++k) {
                const ScoredInput& scored = scored_inputs_[static_cast<std::size_t>(k)];
                add_input_gradient(*step_, scored.input, 0, network_.input_row_width(), scored.row);
            }
        });
    }

    /// Calls `visit(RowGradients)` for the rows of input table t that are not updated as candidates; some at a time, so
    /// that memory for sums of gradients does not depend on how many events a lane feeds.
    template <class Visit>
    void visit_other_inputs(Index t, const Visit& visit) {
        const Index width = network_.input_row_width(t);
        const Index stride = row_stride<Scalar>(width);
        for (Index first = 0; first < n_other_; first += batch_size_) {
            const Index n = (std::min)(n_other_ - first, batch_size_);
            parallel_ranges(input_chunks(n, t), pass_work<Scalar>("other inputs", n, width, 2),
                            [&](Index begin, Index end) {
                                for (Index k = begin; k < end; ++k) {
                                    const Index i = other_inputs_[static_cast<std::size_t>(first + k)];
                                    const auto shares = step_->inputs.shares(i);
                                    merged_items_[k] = step_->inputs.items()[static_cast<std::size_t>(i)];
                                    merged_rows_[k] = step_->tape.d_x_rows(t)(shares.front().lane);
                                    if (shares.size() > 1 || shares.front().weight != 1) {
                                        merged_rows_[k] = sums_.data() + k * stride;
                                        std::fill_n(merged_rows_[k], stride, Scalar(0));
                                        add_input_gradient(*step_, i, t, width, merged_rows_[k]);
                                    }
                                }
                            });
            visit(RowGradients<Scalar>{n, width, merged_items_.data(), merged_rows_.data()});
        }
    }

    /// Cuts up sums of gradients of `n` of the step's input items.
    [[nodiscard]] Chunks input_chunks(Index n, Index t) const {
        return chunks_by_work(n, 1, 2.0 * static_cast<double>(network_.input_row_width(t)), 0.1e6);
    }

    /// The row of gradients that is added to a candidate's own, zero at first.
    [[nodiscard]] Scalar* extra_row(Index column) noexcept {
        if (extra_[column] == nullptr) {
            const Index size = network_.output_table().stride();
            extra_[column] = extra_rows_.data() + n_extra_++ * size;
            std::fill_n(extra_[column], size, Scalar(0));
        }
        return extra_[column];
    }

    Network<Scalar>& network_;
    CandidateScores<Scalar>& candidates_;
    Index batch_size_;
    Index max_rows_;
    RecordedStep<Scalar>* step_ = nullptr;
    AlignedBuffer<Scalar> extra_rows_;
    AlignedBuffer<Scalar*> extra_;  // per column: the row that is added to its gradient, or null
    std::vector<ScoredInput> scored_inputs_;
    std::vector<Index> other_inputs_;  // numbers of the input items that are not updated as candidates
    AlignedBuffer<ItemIndex> merged_items_;
    AlignedBuffer<Scalar*> merged_rows_;
    AlignedBuffer<Scalar> sums_;
    AlignedBuffer<Scalar> bias_gradient_;
    Index n_extra_ = 0;
    Index n_other_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
