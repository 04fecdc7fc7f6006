#ifndef GRU4REC_TRAIN_RECORDED_STEP_HPP
#define GRU4REC_TRAIN_RECORDED_STEP_HPP

#include "gru4rec/batch/input_items.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/train/gradient_rows.hpp"

#include <cstddef>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// Weighted items that the lanes of a step feed, at most.
[[nodiscard]] inline Index max_weighted_inputs(const Hyperparameters& p) {
    return p.batch_size * p.input_history().max_events();
}

}  // namespace detail

/// What a step leaves for its backward pass.
template <class Scalar>
struct RecordedStep {
    RecordedStep(const Network<Scalar>& network, const Hyperparameters& p)
        : tape(network, p.batch_size), inputs(detail::max_weighted_inputs(p)) {
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

namespace detail {

/// row[0 .. width) += the gradient of the step's input item i in table t, the sum over its shares.
template <class Scalar>
void add_input_gradient(RecordedStep<Scalar>& step, Index i, Index t, Index width, Scalar* row) noexcept {
    for (const InputItems::Share& share : step.inputs.shares(i)) {
        add_row(static_cast<Scalar>(share.weight), step.tape.d_x_rows(t)(share.lane), width, row);
    }
}

}  // namespace detail

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
