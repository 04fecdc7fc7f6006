#ifndef GRU4REC_TESTS_SUPPORT_TWIN_OF_MODEL_HPP
#define GRU4REC_TESTS_SUPPORT_TWIN_OF_MODEL_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "support/naive/network.hpp"
#include "support/naive/settings.hpp"

#include <cstddef>

/// The naive network with the model's settings and weights.
template <class Scalar>
[[nodiscard]] naive::Network twin_of(const gru4rec::Model<Scalar>& model) {
    naive::Network twin{
        naive::settings_from_text(model.hyperparameters().entries()), static_cast<std::size_t>(model.n_items()), {}};
    twin.weights = twin.zeros();
    for (const auto& view : model.tensors()) {
        naive::Matrix& matrix = twin.weights.at(view.name);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            matrix.values[i] = static_cast<double>(
                view(static_cast<gru4rec::Index>(i) / view.cols, static_cast<gru4rec::Index>(i) % view.cols));
        }
    }
    return twin;
}

#endif
