#ifndef GRU4REC_TRAIN_RECORDED_STEP_HPP
#define GRU4REC_TRAIN_RECORDED_STEP_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/optim/update.hpp"

#include <cstddef>
#include <vector>

// What is done with gradients between the backward pass and the update: scaled, and added up to rows.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// values[0 .. n) *= factor, in parallel.
template <class Scalar>
void scale_values(Scalar* values, Index n, Scalar factor) {
    parallel_ranges(chunks_by_work(n, scalars_per_line<Scalar>, 1, numbers_per_chunk), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
            values[i] *= factor;
        }
    });
}

/// row[0 .. width) += factor * from[0 .. width)
template <class Scalar>
void add_row(Scalar factor, const Scalar* from, Index width, Scalar* row) noexcept {
    for (Index k = 0; k < width; ++k) {
        row[k] += factor * from[k];
    }
}

/// Adds the lanes of `d`, (lanes, width), to a row, in parallel. Both have zeros up to a whole cache line.
template <class Scalar>
void add_lanes(LaneMatrix<const Scalar> d, Index n_lanes, Index width, Scalar* row) {
    parallel_ranges(column_chunks(padded<Scalar>(width), n_lanes),
                    [&](Index begin, Index end) { add_lanes_to_row(d, n_lanes, begin, end, row); });
}

/// The parameters of a network with what the optimiser remembers of them.
template <class Scalar>
struct LearnedNetwork {
    LearnedNetwork(Network<Scalar>& network, const Optimizer<Scalar>& optimizer)
        : output(optimizer.learn(network.output_table(), LastColumn::bias)) {
        for (Index t = 0; t < network.n_input_tables() && network.input_mode() != InputMode::shared; ++t) {
            inputs.push_back(optimizer.learn(network.input_table(t)));
        }
        network.visit_layer_parameters(
            [&](Parameter<Scalar>& parameter, Index) { layers.push_back(optimizer.learn(parameter)); });
    }

    /// Input table t; the output table where it is shared.
    [[nodiscard]] Learned<Scalar>& input(Index t) noexcept {
        return inputs.empty() ? output : inputs[static_cast<std::size_t>(t)];
    }

    Learned<Scalar> output;
    std::vector<Learned<Scalar>> inputs;  ///< none where the output table is the input
    std::vector<Learned<Scalar>> layers;  ///< as Network::visit_layer_parameters
};

/// Weighted items that the lanes of a step feed, at most.
[[nodiscard]] inline Index max_weighted_inputs(const Hyperparameters& p) {
    return p.batch_size * p.input_history().max_events();
}

/// What a step leaves for its backward pass.
template <class Scalar>
struct RecordedStep {
    RecordedStep(const Network<Scalar>& network, const Hyperparameters& p)
        : tape(network, p.batch_size), inputs(max_weighted_inputs(p)) {
        previous_lane.reserve(static_cast<std::size_t>(p.batch_size));
    }

    /// Keeps what the batch will not. @complexity O(weighted items), no allocation
    void take(const MiniBatch& batch) {
        n_lanes = batch.n_lanes();
        inputs.build(batch.inputs);
        previous_lane.assign(batch.previous_lane.begin(), batch.previous_lane.end());
    }

    NetworkTape<Scalar> tape;
    InputItems inputs;
    std::vector<Index> previous_lane;
    Index n_lanes = 0;
};

/// row[0 .. width) += the gradient of the step's input item i in table t, the sum over its shares.
template <class Scalar>
void add_input_gradient(RecordedStep<Scalar>& step, Index i, Index t, Index width, Scalar* row) noexcept {
    for (const InputItems::Share& share : step.inputs.shares(i)) {
        add_row(static_cast<Scalar>(share.weight), step.tape.d_x_rows(t)(share.lane), width, row);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
