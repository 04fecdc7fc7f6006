#ifndef GRU4REC_TRAIN_WINDOW_GRADIENTS_HPP
#define GRU4REC_TRAIN_WINDOW_GRADIENTS_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/item_numbers.hpp"
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
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Rows of sums of gradients. Those that are not in use are zero.
template <class Scalar>
class GradientSums {
  public:
    GRU4REC_NOINLINE GradientSums(Index max_rows, Index width)
        : width_(width), stride_(row_stride<Scalar>(width)), values_(max_rows * stride_), rows_(max_rows) {
        for (Index i = 0; i < max_rows; ++i) {
            rows_[i] = values_.data() + i * stride_;
        }
    }

    [[nodiscard]] Index width() const noexcept { return width_; }
    [[nodiscard]] Index max_rows() const noexcept { return rows_.size(); }
    [[nodiscard]] Scalar* row(Index i) noexcept { return rows_[i]; }
    [[nodiscard]] Scalar* const* rows() noexcept { return rows_.data(); }

    /// to[j] += sum_lane d[lane, j] x[lane, :]. @pre the rows differ   @complexity O(n_lanes count width)
    void add(const OuterGradients<Scalar>& gradients, Scalar* const* to) {
        const LoopWork loop = outer_work("sums of a window", gradients, width_, 2);
        parallel_ranges(outer_chunks(gradients, width_), loop, [&](Index begin, Index end) {
            for_each_outer_block<Scalar>(gradients.factors, {begin, end}, width_, {.start = to},
                                         [&](const OuterBlock<Scalar>& block) {
                                             for (Index j = block.first; j < block.first + block.count; ++j) {
                                                 std::copy_n(block.row(j), block.width, to[j] + block.offset);
                                             }
                                         });
        });
    }

    void set_zero(Index n_rows) {
        parallel_ranges(row_chunks(n_rows), pass_work<Scalar>("zeros of a window", n_rows, stride_, 1),
                        [&](Index begin, Index end) { std::fill_n(rows_[begin], (end - begin) * stride_, Scalar(0)); });
    }

  private:
    [[nodiscard]] Chunks row_chunks(Index n_rows) const {
        return chunks_by_work(n_rows, 1, static_cast<double>(stride_), numbers_per_chunk);
    }

    Index width_;
    Index stride_;
    AlignedBuffer<Scalar> values_;
    AlignedBuffer<Scalar*> rows_;
};

/// The rows of a table that take part in a window: a row of sums for each item, numbered as the items come.
template <class Scalar>
class TableSums {
  public:
    /// @param max_items  of a window, each counted once
    GRU4REC_NOINLINE TableSums(Index max_items, Index width)
        : row_of_item_(max_items), sums_(max_items, width), items_(max_items), of_step_(max_items) {}

    [[nodiscard]] Index size() const noexcept { return size_; }
    [[nodiscard]] Index max_rows() const noexcept { return sums_.max_rows(); }

    /// Adds gradients of rows of the table. @pre their items differ
    void add(const OuterGradients<Scalar>& gradients) {
        for (Index j = 0; j < gradients.count; ++j) {
            of_step_[j] = row_of(gradients.items[j]);
        }
        sums_.add(gradients, of_step_.data());
    }

    /// Adds the gradients of the step's inputs to the first `width` columns.
    void add_inputs(RecordedStep<Scalar>& step, Index t, Index width) {
        const Index n = step.inputs.size();
        for (Index i = 0; i < n; ++i) {
            of_step_[i] = row_of(step.inputs.items()[static_cast<std::size_t>(i)]);
        }
        const Chunks chunks = chunks_by_work(n, 1, 2.0 * static_cast<double>(width), 0.1e6);
        const LoopWork loop = pass_work<Scalar>("inputs of a window", n, width, 3);
        parallel_ranges(chunks, loop, [&](Index begin, Index end) {
            for (Index i = begin; i < end; ++i) {
                add_input_gradient(step, i, t, width, of_step_[i]);
            }
        });
    }

    /// Items begin .. end - 1 with the first `width` columns of their sums.
    [[nodiscard]] RowGradients<Scalar> gradients(Index begin, Index end, Index width) noexcept {
        return {end - begin, width, items_.data() + begin, sums_.rows() + begin};
    }

    void clear() {
        sums_.set_zero(size_);
        row_of_item_.clear();
        size_ = 0;
    }

  private:
    [[nodiscard]] Scalar* row_of(ItemIndex item) noexcept {
        const std::int32_t number = row_of_item_.find_or_insert(item, static_cast<std::int32_t>(size_));
        if (number == size_) {
            items_[size_++] = item;
        }
        return sums_.row(number);
    }

    ItemNumbers row_of_item_;
    GradientSums<Scalar> sums_;
    AlignedBuffer<ItemIndex> items_;
    AlignedBuffer<Scalar*> of_step_;  // the rows of a step's gradients, in their order
    Index size_ = 0;
};

/// The gradients of several steps, summed: dense blocks, and each table row that takes part in any of the steps once.
///
/// Candidates of all steps come before the inputs of any, so that the rows of a shared table whose bias has a gradient
/// are the first ones.
template <class Scalar>
class WindowGradients {
  public:
    GRU4REC_NOINLINE WindowGradients(Network<Scalar>& network, CandidateScores<Scalar>& candidates,
                                     const Hyperparameters& p)
        : network_(network),
          candidates_(candidates),
          output_(max_items(network, p,
                            Index{p.batch_size} + p.n_sample +
                                (network.input_mode() == InputMode::shared ? max_weighted_inputs(p) : 0)),
                  network.output_table().cols()) {
        for (Index t = 0; t < network.n_input_tables() && network.input_mode() != InputMode::shared; ++t) {
            inputs_.emplace_back(max_items(network, p, max_weighted_inputs(p)), network.input_row_width(t));
        }
        for (AnyGru<Scalar>& layer : network.layers()) {
            const auto parameters = std::visit([](auto& gru) { return gru.parameters(); }, layer);
            LayerSums& sums = layers_.emplace_back();
            for (std::size_t i = 0; i < parameters.size(); ++i) {
                if (const PaddedMatrix<Scalar>& weights = *parameters[i].matrix; !weights.empty()) {
                    sums[i].emplace(weights.rows(), weights.cols());
                }
            }
        }
    }

    /// Of a block that `visit` shows, at most.
    [[nodiscard]] Index max_rows() const noexcept {
        Index rows = output_.max_rows();
        for (const TableSums<Scalar>& table : inputs_) {
            rows = (std::max)(rows, table.max_rows());
        }
        for (const LayerSums& layer : layers_) {
            for (const auto& sums : layer) {
                rows = (std::max)(rows, sums ? sums->max_rows() : 0);
            }
        }
        return rows;
    }

    /// Adds the gradients of the candidates whose scores were computed last.
    void add_candidates() {
        output_.add(candidates_.gradients());
        n_scored_ = output_.size();
    }

    /// Adds what the backward pass of a step has found.
    void add_backward_pass(RecordedStep<Scalar>& step) {
        for (Index t = 0; t < network_.n_input_tables(); ++t) {
            TableSums<Scalar>& table = inputs_.empty() ? output_ : inputs_[static_cast<std::size_t>(t)];
            table.add_inputs(step, t, network_.input_row_width(t));
        }
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            const auto gradients = layer_gradients(network_, step, l);
            for (std::size_t i = 0; i < gradients.size(); ++i) {
                if (layers_[l][i]) {
                    add_layer_parameter(gradients[i], *layers_[l][i]);
                }
            }
        }
    }

    /// Calls `visit(OptimizedParameter, RowGradients)` until each row of the window was shown.
    template <class Visit>
    void visit(OptimizedNetwork<Scalar>& network, const Visit& visit) {
        visit(network.output, output_.gradients(0, n_scored_, network_.output_table().cols()));
        if (inputs_.empty()) {
            visit(network.output, output_.gradients(n_scored_, output_.size(), network_.output_width()));
        }
        for (std::size_t t = 0; t < inputs_.size(); ++t) {
            const Index width = network_.input_row_width(static_cast<Index>(t));
            visit(network.inputs[t], inputs_[t].gradients(0, inputs_[t].size(), width));
        }
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            for (std::size_t i = 0; i < n_layer_parameters; ++i) {
                if (layers_[l][i]) {
                    GradientSums<Scalar>& sums = *layers_[l][i];
                    visit(*network.layers[l][i],
                          RowGradients<Scalar>{sums.max_rows(), sums.width(), nullptr, sums.rows()});
                }
            }
        }
    }

    /// Ready for the next window. @complexity O(rows of this one), no allocation
    void clear() {
        output_.clear();
        for (TableSums<Scalar>& table : inputs_) {
            table.clear();
        }
        for (LayerSums& layer : layers_) {
            for (auto& sums : layer) {
                if (sums) {
                    sums->set_zero(sums->max_rows());
                }
            }
        }
        n_scored_ = 0;
    }

  private:
    using LayerSums = std::array<std::optional<GradientSums<Scalar>>, n_layer_parameters>;

    static void add_layer_parameter(const OuterFactors<Scalar>& factors, GradientSums<Scalar>& sums) {
        if (factors.x.base != nullptr) {
            sums.add({.count = sums.max_rows(), .factors = factors}, sums.rows());
        } else {
            add_lanes(factors.d, factors.n_lanes, sums.width(), sums.row(0));
        }
    }

    [[nodiscard]] static Index max_items(const Network<Scalar>& network, const Hyperparameters& p, Index of_step) {
        return (std::min)(network.n_items(), p.bptt * of_step);
    }

    Network<Scalar>& network_;
    CandidateScores<Scalar>& candidates_;
    TableSums<Scalar> output_;
    std::vector<TableSums<Scalar>> inputs_;  // none if the output table is the input
    std::vector<LayerSums> layers_;          // by layer and position in its parameters()
    Index n_scored_ = 0;                     // rows of the output table that were candidates
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
