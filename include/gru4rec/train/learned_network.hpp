#ifndef GRU4REC_TRAIN_LEARNED_NETWORK_HPP
#define GRU4REC_TRAIN_LEARNED_NETWORK_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/optim/update.hpp"

#include <cstddef>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

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

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
