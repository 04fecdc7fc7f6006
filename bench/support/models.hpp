#ifndef GRU4REC_BENCH_SUPPORT_MODELS_HPP
#define GRU4REC_BENCH_SUPPORT_MODELS_HPP

#include "support/data.hpp"
#include "support/naive/network.hpp"
#include "support/twin.hpp"

#include "gru4rec/model/model.hpp"

namespace bench {

/// One layer, shared embedding, initial weights.
[[nodiscard]] inline gru4rec::Model<float> make_model(Index n_items, Index units) {
    gru4rec::Hyperparameters p;
    p.layers = {static_cast<int>(units)};
    return {p, item_map(n_items), zipf_supports(n_items), 42};
}

/// The whole model, for the twin.
[[nodiscard]] inline naive::Network twin_of(const gru4rec::Model<float>& model) {
    naive::Network network;
    network.settings.layers = {static_cast<std::size_t>(model.hyperparameters().layers.front())};
    network.n_items = static_cast<std::size_t>(model.n_items());
    for (const auto& view : model.tensors()) {
        naive::Matrix matrix(static_cast<std::size_t>(view.rows), static_cast<std::size_t>(view.cols));
        for (std::size_t r = 0; r < matrix.rows; ++r) {
            for (std::size_t c = 0; c < matrix.cols; ++c) {
                matrix(r, c) = static_cast<double>(view(static_cast<Index>(r), static_cast<Index>(c)));
            }
        }
        network.weights[view.name] = view.is_vector ? transposed(matrix) : matrix;
    }
    return network;
}

}  // namespace bench

#endif
