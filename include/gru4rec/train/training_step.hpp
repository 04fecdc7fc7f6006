#ifndef GRU4REC_TRAIN_TRAINING_STEP_HPP
#define GRU4REC_TRAIN_TRAINING_STEP_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/input_items.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/choices.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/optim/gradient_norm.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// Everything that happens to a network in one step:
///
///     inputs -> x -> gru layers -> h -> R = h W_y[candidates]^T + b_y -> loss -> dR
///     dR -> dh (from the old rows) -> gru layers backward -> dx, then all updates
///
/// Scratch memory is allocated by the constructor, none by `run`. A step costs O(M K H + M H^2), never O(V).
template <class Scalar>
class TrainingStep {
  public:
    /// @param loss  any RankingLoss
    TrainingStep(Network<Scalar>& network, std::span<const std::int64_t> supports, const Hyperparameters& p,
                 AnyLoss<Scalar> loss)
        : network_(network),
          loss_(std::move(loss)),
          optimizer_(make_optimizer<Scalar>(p)),
          duplicates_(p.mask_duplicates ? Duplicates::mask : Duplicates::keep),
          batch_size_(p.batch_size),
          grad_cap_(p.grad_cap),
          tape_(network, p.batch_size),
          candidates_(supports, p.batch_size, p.n_sample, p.sample_alpha, p.logq),
          input_items_(p.batch_size * p.input_history().max_events()),
          output_(optimizer_.learn(network.output_table(), LastColumn::bias)),
          stride_(row_stride<Scalar>(p.batch_size)),
          scores_(stride_ * (p.batch_size + p.n_sample)),
          d_scores_(stride_ * (p.batch_size + p.n_sample)),
          d_h_parts_(stride_ * padded<Scalar>(network.output_width()) * n_parts),
          h_rows_(padded<Scalar>(p.batch_size) * network.output_table().stride()),
          lane_losses_(p.batch_size),
          extra_rows_((p.batch_size + max_scored_inputs(p)) * network.output_table().stride()),
          extra_(p.batch_size + p.n_sample),
          scored_inputs_(static_cast<std::size_t>(max_scored_inputs(p))),
          other_inputs_(static_cast<std::size_t>(p.batch_size * p.input_history().max_events())),
          merged_items_(p.batch_size),
          merged_rows_(p.batch_size) {
        Index widest_row = 0;
        for (Index t = 0; t < network.n_input_tables(); ++t) {
            widest_row = (std::max)(widest_row, row_stride<Scalar>(network.input_row_width(t)));
            if (network.input_mode() != InputMode::shared) {
                inputs_.push_back(optimizer_.learn(network.input_table(t)));
            }
        }
        sums_ = AlignedBuffer<Scalar>(p.batch_size * widest_row);
        network.visit_layer_parameters(
            [&](Parameter<Scalar>& parameter, Index) { dense_.push_back(optimizer_.learn(parameter)); });
        const Index most_rows = (std::max)(Index{p.batch_size} + p.n_sample, 3 * widest_layer());
        optimizer_.reserve(most_rows);
        squared_norm_ = SquaredNorm<Scalar>(grad_cap_ > 0 ? most_rows : 0);
        bias_gradient_ = AlignedBuffer<Scalar>(padded<Scalar>(3 * widest_layer()));
    }

    [[nodiscard]] Optimizer<Scalar>& optimizer() noexcept { return optimizer_; }
    [[nodiscard]] NetworkTape<Scalar>& tape() noexcept { return tape_; }

    /// Calls `visit(name, Learned&)` for every parameter with what the optimiser remembers of it, in a fixed order. The
    /// rows of those called "output" and "input..." belong to items.
    template <class Visit>
    void visit_learned(Visit&& visit) {
        visit(std::string("output"), output_);
        for (std::size_t t = 0; t < inputs_.size(); ++t) {
            visit("input." + std::to_string(t), inputs_[t]);
        }
        for (std::size_t i = 0; i < dense_.size(); ++i) {
            visit("dense." + std::to_string(i), dense_[i]);
        }
    }

    /// Trains on one mini-batch and returns the sum over the lanes of the loss, divided by batch_size.
    double run(const MiniBatch& batch, const DrawnItems& drawn, const DropoutStep& dropout) {
        const double loss = compute_gradients(batch, drawn, dropout);
        update(batch);
        return loss;
    }

    /// The first half of `run`: all but the updates.
    double compute_gradients(const MiniBatch& batch, const DrawnItems& drawn, const DropoutStep& dropout) {
        GRU4REC_ASSERT(batch.n_lanes() <= batch_size_ && batch.inputs.n_lanes() == batch.n_lanes());
        candidates_.build(batch.targets, drawn);
        tape_.enter_step(batch.previous_lane);
        forward(network_, batch.inputs, dropout, tape_);
        score(batch.n_lanes());
        const double loss = rank(batch.n_lanes());
        back_to_hidden(batch.n_lanes());
        backward(network_, batch.n_lanes(), dropout, tape_);
        return loss / static_cast<double>(batch_size_);
    }

    /// The second half: every parameter and every row of the step is updated once.
    void update(const MiniBatch& batch) {
        merge_table_gradients(batch);
        if (grad_cap_ > 0) {
            cap_gradients(batch.n_lanes());
        }
        update_tables(batch.n_lanes());
        std::size_t next = 0;
        visit_layer_gradients(network_, batch.n_lanes(), tape_, [&](const DenseGradient<Scalar>& gradient) {
            Learned<Scalar>& learned = dense_[next++];
            GRU4REC_ASSERT(&learned.parameter() == gradient.weights);
            if (gradient.x.base != nullptr) {
                optimizer_.update(learned, matrix_gradient(gradient, batch.n_lanes()));
            } else {
                sum_lanes(gradient.d, gradient.weights->cols(), batch.n_lanes());
                const Scalar* const row = bias_gradient_.data();
                optimizer_.update(learned, RowGradients<Scalar>{1, gradient.weights->cols(), nullptr, &row});
            }
        });
    }

  private:
    /// An input item that is a candidate, and the extra row of its column.
    struct ScoredInput {
        Index input = 0;
        Scalar* row = nullptr;
    };

    /// Parts that the gradient of the hidden state is summed in, each over a range of candidates.
    static constexpr Index n_parts = 8;

    /// Inputs of a step that are candidates as well, at most.
    [[nodiscard]] static Index max_scored_inputs(const Hyperparameters& p) {
        return (std::min)(p.batch_size * p.input_history().max_events(), Index{p.batch_size} + p.n_sample);
    }

    [[nodiscard]] Index widest_layer() {
        Index widest = 0;
        for (GruTape<Scalar>& layer : tape_.layers()) {
            widest = (std::max)(widest, layer.units());
        }
        return widest;
    }

    [[nodiscard]] Rows<const Scalar> candidate_rows() const noexcept {
        const Parameter<Scalar>& table = network_.output_table();
        return {table.data(), table.stride(), candidates_.items().data()};
    }

    /// R[lane, j] = h W_y[item_j]^T + b_y[item_j]; the bias is the rows' last column, h's is 1.
    void score(Index n_lanes) {
        const Index width = network_.output_table().cols();
        const Index lanes = padded<Scalar>(n_lanes);
        const Chunks chunks = chunks_by_work(candidates_.n_columns(), detail::tile_multiple,
                                             2.0 * static_cast<double>(lanes * width), detail::flops_per_chunk);
        parallel_ranges(chunks, [&](Index begin, Index end) {
            multiply_rows(candidate_rows(), begin, end, width, tape_.top().out(), lanes, scores());
        });
    }

    /// Calls the loss for groups of lanes that fill a cache line. What it leaves in lanes beyond the live ones stays
    /// there.
    double rank(Index n_lanes) {
        const Chunks groups{n_lanes, scalars_per_line<Scalar>};
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
    void back_to_hidden(Index n_lanes) {
        const Index width = network_.output_width();
        const Index lanes = padded<Scalar>(n_lanes);
        const Index n_columns = candidates_.n_columns();
        const Index grain = (n_columns + n_parts - 1) / n_parts;
        const Chunks parts{n_columns, (std::max)(grain, Index{64})};
        const Index part_size = stride_ * padded<Scalar>(width);
        parallel_chunks(parts.count(), [&](Index part) {
            const LaneMatrix<Scalar> d_h{d_h_parts_.data() + part * part_size, stride_};
            std::fill_n(d_h.data, stride_ * width, Scalar(0));
            multiply_by_rows<Scalar>(d_scores(), candidate_rows(), parts.begin(part), parts.end(part), 0, width, lanes,
                                     d_h);
        });
        using Lanes = LaneVector<Scalar>;
        const Scalar scale = Scalar(1) / static_cast<Scalar>(batch_size_);
        parallel_ranges(column_chunks(padded<Scalar>(width + 1), 4 * lanes), [&](Index begin, Index end) {
            const Index n = (std::min)(end, width) - begin;
            for_each_line<Scalar>(lanes, n, stride_, [&](Index line) {
                const Index at = begin * stride_ + line;
                Lanes sum = Lanes::load(d_h_parts_.data() + at);
                for (Index part = 1; part < parts.count(); ++part) {
                    sum += Lanes::load(d_h_parts_.data() + part * part_size + at);
                }
                (sum * Lanes(scale)).store(tape_.top().d_out().data + at);
            });
            columns_to_rows<Scalar>(tape_.top().out(), lanes, begin, end, h_rows());
            for (Index m = 0; m < n_lanes; ++m) {
                for (Index k = begin; k < end; ++k) {
                    h_rows()(m)[k] *= scale;
                }
            }
        });
    }

    /// Merges all gradients of each table row: as candidate, as drawn twin of a target, as input.
    void merge_table_gradients(const MiniBatch& batch) {
        std::fill_n(extra_.begin(), candidates_.n_distinct(), nullptr);
        n_extra_ = 0;
        add_repeated_targets(batch.n_lanes());
        merge_inputs(batch);
    }

    /// Every row of the step is updated once.
    void update_tables(Index n_lanes) {
        optimizer_.update(output_, candidate_gradients(n_lanes));
        for (Index t = 0; t < network_.n_input_tables(); ++t) {
            Learned<Scalar>& input = inputs_.empty() ? output_ : inputs_[static_cast<std::size_t>(t)];
            visit_input_gradients(t, [&](const RowGradients<Scalar>& rows) { optimizer_.update(input, rows); });
        }
    }

    [[nodiscard]] OuterGradients<Scalar> candidate_gradients(Index n_lanes) noexcept {
        return {candidates_.n_distinct(), candidates_.items().data(), d_scores(), h_rows(), n_lanes, extra_.data()};
    }

    [[nodiscard]] static OuterGradients<Scalar> matrix_gradient(const DenseGradient<Scalar>& gradient, Index n_lanes) {
        return {gradient.weights->rows(), nullptr, gradient.d, gradient.x, n_lanes};
    }

    /// Scales all gradients by grad_cap / |g| where |g|, the norm over dense blocks and merged rows together, is
    /// larger. Every gradient is linear in what is scaled: the lanes' hidden states behind the scores, the gradients of
    /// the lanes' inputs, what was added to the candidates', and the gradients of the layers' sums. @pre
    /// merge_table_gradients
    void cap_gradients(Index n_lanes) {
        const double norm = gradient_norm(n_lanes);
        if (!(norm > grad_cap_)) {
            return;
        }
        const auto scale = static_cast<Scalar>(grad_cap_ / norm);
        const Index stride = h_rows().stride;
        scale_values(h_rows_.data(), n_lanes * stride, scale);
        scale_values(extra_rows_.data(), n_extra_ * stride, scale);
        for (Index t = 0; t < network_.n_input_tables(); ++t) {
            const Rows<Scalar> rows = tape_.d_x_rows(t);
            scale_values(rows.base, n_lanes * rows.stride, scale);
        }
        for (GruTape<Scalar>& layer : tape_.layers()) {
            scale_values(layer.d_pre().data, 3 * layer.units() * layer.stride(), scale);
            scale_values(layer.d_hidden().data, 3 * layer.units() * layer.stride(), scale);
        }
    }

    [[nodiscard]] double gradient_norm(Index n_lanes) {
        squared_norm_.start();
        squared_norm_.add(candidate_gradients(n_lanes), network_.output_table().cols());
        for (Index t = 0; t < network_.n_input_tables(); ++t) {
            visit_input_gradients(t, [&](const RowGradients<Scalar>& rows) { squared_norm_.add(rows); });
        }
        visit_layer_gradients(network_, n_lanes, tape_, [&](const DenseGradient<Scalar>& gradient) {
            if (gradient.x.base != nullptr) {
                squared_norm_.add(matrix_gradient(gradient, n_lanes), gradient.weights->cols());
            } else {
                sum_lanes(gradient.d, gradient.weights->cols(), n_lanes);
                const Scalar* const row = bias_gradient_.data();
                squared_norm_.add(RowGradients<Scalar>{1, gradient.weights->cols(), nullptr, &row});
            }
        });
        return std::sqrt(squared_norm_.value());
    }

    static void scale_values(Scalar* values, Index n, Scalar scale) noexcept {
        for (Index i = 0; i < n; ++i) {
            values[i] *= scale;
        }
    }

    /// The gradients of the columns that repeat a target, into the targets' extra rows: the first ones in use.
    void add_repeated_targets(Index n_lanes) {
        const Index n_distinct = candidates_.n_distinct();
        const Index n_repeated = candidates_.n_columns() - n_distinct;
        const Index width = network_.output_table().cols();
        for (Index i = 0; i < n_repeated; ++i) {
            static_cast<void>(extra_row(candidates_.repeated_target(n_distinct + i)));  // row i, as none was in use
        }
        const double work = 2.0 * static_cast<double>(n_lanes * width);
        parallel_ranges(chunks_by_work(n_repeated, 1, work, 0.1e6), [&](Index begin, Index end) {
            for (Index i = begin; i < end; ++i) {
                Scalar* const row = extra_rows_.data() + i * network_.output_table().stride();
                for (Index m = 0; m < n_lanes; ++m) {
                    add_row(d_scores().column(n_distinct + i)[m], h_rows()(m), width, row);
                }
            }
        });
    }

    /// Adds the gradients of the items that are inputs of a shared table and candidates to the candidates' extra rows;
    /// the others are left for visit_input_gradients.
    void merge_inputs(const MiniBatch& batch) {
        const bool shared = network_.input_mode() == InputMode::shared;
        input_items_.build(batch.inputs);
        n_other_ = 0;
        Index n_scored = 0;
        for (Index i = 0; i < input_items_.size(); ++i) {
            const ItemIndex item = input_items_.items()[static_cast<std::size_t>(i)];
            if (const Index column = shared ? candidates_.column_of(item) : Index{-1}; column >= 0) {
                scored_inputs_[static_cast<std::size_t>(n_scored++)] = {i, extra_row(column)};
            } else {
                other_inputs_[static_cast<std::size_t>(n_other_++)] = i;
            }
        }
        parallel_ranges(input_chunks(n_scored, 0), [&](Index begin, Index end) {
            for (Index k = begin; k < end; ++k) {
                const ScoredInput& scored = scored_inputs_[static_cast<std::size_t>(k)];
                add_shares(scored.input, 0, scored.row);
            }
        });
    }

    /// Calls `visit(RowGradients)` for the rows of input table t that are not updated as candidates; some at a time, so
    /// that memory for sums of gradients does not depend on how many events a lane feeds.
    template <class Visit>
    void visit_input_gradients(Index t, const Visit& visit) {
        const Index width = network_.input_row_width(t);
        const Index stride = row_stride<Scalar>(width);
        for (Index first = 0; first < n_other_; first += batch_size_) {
            const Index n = (std::min)(n_other_ - first, batch_size_);
            parallel_ranges(input_chunks(n, t), [&](Index begin, Index end) {
                for (Index k = begin; k < end; ++k) {
                    const Index i = other_inputs_[static_cast<std::size_t>(first + k)];
                    const auto shares = input_items_.shares(i);
                    merged_items_[k] = input_items_.items()[static_cast<std::size_t>(i)];
                    merged_rows_[k] = tape_.d_x_rows(t)(shares.front().lane);
                    if (shares.size() > 1 || shares.front().weight != 1) {
                        merged_rows_[k] = sums_.data() + k * stride;
                        std::fill_n(merged_rows_[k], stride, Scalar(0));
                        add_shares(i, t, merged_rows_[k]);
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

    /// row += the gradient of input i in table t.
    void add_shares(Index i, Index t, Scalar* row) noexcept {
        for (const InputItems::Share& share : input_items_.shares(i)) {
            add_row(static_cast<Scalar>(share.weight), tape_.d_x_rows(t)(share.lane), network_.input_row_width(t), row);
        }
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

    static void add_row(Scalar factor, const Scalar* from, Index width, Scalar* to) noexcept {
        for (Index k = 0; k < width; ++k) {
            to[k] += factor * from[k];
        }
    }

    /// Gradient of a bias: the sum over the lanes, into bias_gradient_. Lane by lane, so that no addition waits for the
    /// one before it.
    void sum_lanes(LaneMatrix<const Scalar> d, Index width, Index n_lanes) {
        bias_gradient_.set_zero();
        parallel_ranges(column_chunks(width, n_lanes), [&](Index begin, Index end) {
            for (Index m = 0; m < n_lanes; ++m) {
                for (Index j = begin; j < end; ++j) {
                    bias_gradient_[j] += d.column(j)[m];
                }
            }
        });
    }

    [[nodiscard]] LaneMatrix<Scalar> scores() noexcept { return {scores_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<Scalar> d_scores() noexcept { return {d_scores_.data(), stride_}; }
    [[nodiscard]] Rows<Scalar> h_rows() noexcept {
        return {h_rows_.data(), row_stride<Scalar>(network_.output_table().cols())};
    }

    Network<Scalar>& network_;
    AnyLoss<Scalar> loss_;
    Optimizer<Scalar> optimizer_;
    Duplicates duplicates_;
    Index batch_size_;
    double grad_cap_;
    NetworkTape<Scalar> tape_;
    Candidates<Scalar> candidates_;
    InputItems input_items_;
    Learned<Scalar> output_;
    std::vector<Learned<Scalar>> inputs_;  // none where the output table is the input
    std::vector<Learned<Scalar>> dense_;   // as Network::visit_layer_parameters
    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    AlignedBuffer<Scalar> d_h_parts_;    // n_parts matrices (lanes, H)
    AlignedBuffer<Scalar> h_rows_;       // lane by lane [h | 1] / batch_size
    AlignedBuffer<Scalar> lane_losses_;  // of a group, at its first lane
    AlignedBuffer<Scalar> extra_rows_;
    AlignedBuffer<Scalar*> extra_;  // per column: the row that is added to its gradient, or null
    std::vector<ScoredInput> scored_inputs_;
    std::vector<Index> other_inputs_;  // numbers of the input items that are not updated as candidates
    AlignedBuffer<ItemIndex> merged_items_;
    AlignedBuffer<Scalar*> merged_rows_;
    AlignedBuffer<Scalar> sums_;
    AlignedBuffer<Scalar> bias_gradient_;
    SquaredNorm<Scalar> squared_norm_;
    Index n_extra_ = 0;
    Index n_other_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
