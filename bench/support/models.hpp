#ifndef GRU4REC_BENCH_SUPPORT_MODELS_HPP
#define GRU4REC_BENCH_SUPPORT_MODELS_HPP

#include "support/data.hpp"

#include "gru4rec/model/model.hpp"

namespace bench {

/// One layer, shared embedding, initial weights.
[[nodiscard]] inline gru4rec::Model<float> make_model(Index n_items, Index units) {
    gru4rec::Hyperparameters p;
    p.layers = {static_cast<int>(units)};
    return {p, item_map(n_items), zipf_supports(n_items), 42};
}

}  // namespace bench

#endif
