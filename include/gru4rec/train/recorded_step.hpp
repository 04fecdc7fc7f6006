#ifndef GRU4REC_TRAIN_RECORDED_STEP_HPP
#define GRU4REC_TRAIN_RECORDED_STEP_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/optim/update.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

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
    const LoopWork loop = pass_work<Scalar>("gradient of a bias", n_lanes, width, 1);
    parallel_ranges(column_chunks(padded<Scalar>(width), n_lanes), loop, [&](Index begin, Index end) {
        add_lanes_to_row(d, n_lanes, {begin, end}, row);
    });
}

/// The parameters of a network with their optimiser state.
template <class Scalar>
struct OptimizedNetwork {
    /// By position in the layer's parameters(); none for an empty parameter.
    using Layer = std::array<std::optional<OptimizedParameter<Scalar>>, n_layer_parameters>;

    GRU4REC_NOINLINE OptimizedNetwork(Network<Scalar>& network, const RowOptimizer<Scalar>& optimizer)
        : output(optimizer.add(network.output_table(), LastColumn::bias)) {
        for (Index t = 0; t < network.n_input_tables() && network.input_mode() != InputMode::shared; ++t) {
            inputs.push_back(optimizer.add(network.input_table(t)));
        }
        for (AnyGru<Scalar>& layer : network.layers()) {
            const auto parameters = std::visit([](auto& gru) { return gru.parameters(); }, layer);
            Layer& optimized = layers.emplace_back();
            for (std::size_t i = 0; i < parameters.size(); ++i) {
                if (!parameters[i].matrix->empty()) {
                    optimized[i].emplace(optimizer.add(*parameters[i].matrix));
                }
            }
        }
    }

    /// Input table t; the output table if it is shared.
    [[nodiscard]] OptimizedParameter<Scalar>& input(Index t) noexcept {
        return inputs.empty() ? output : at(inputs, t);
    }

    OptimizedParameter<Scalar> output;
    std::vector<OptimizedParameter<Scalar>> inputs;  ///< none if the output table is the input
    std::vector<Layer> layers;
};

/// The most weighted items that the lanes of a step feed.
[[nodiscard]] inline Index max_weighted_inputs(const Hyperparameters& p) {
    return p.batch_size * p.input_history().max_events();
}

/// What the backward pass of a step needs.
template <class Scalar>
struct RecordedStep {
    GRU4REC_NOINLINE RecordedStep(const Network<Scalar>& network, const Hyperparameters& p)
        : tape(network, p.batch_size), inputs(max_weighted_inputs(p)) {
        previous_lane.reserve(static_cast<std::size_t>(p.batch_size));
    }

    /// Copies from the batch what the next one overwrites. @complexity O(weighted items), no allocation
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

/// The gradients of layer l's parameters. @pre the backward pass of the step is done
template <class Scalar>
[[nodiscard]] std::array<OuterFactors<Scalar>, n_layer_parameters> layer_gradients(const Network<Scalar>& network,
                                                                                   RecordedStep<Scalar>& step,
                                                                                   std::size_t l) {
    return std::visit(
        [&](const auto& gru) { return gru.gradients(step.n_lanes, step.tape.input_rows(l), step.tape.layers()[l]); },
        network.layers()[l]);
}

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
