#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_WEIGHTS_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_WEIGHTS_HPP

#include "gru4rec/model/model.hpp"
#include "support/naive/matrix.hpp"

#include <cstdint>

/// Every weight and every bias uniform in -1 .. 1.
template <class Scalar>
void randomise_weights(gru4rec::Model<Scalar>& model, std::uint64_t seed) {
    naive::Engine engine(seed);
    for (const auto& view : model.tensors()) {
        for (gru4rec::Index r = 0; r < view.rows; ++r) {
            for (gru4rec::Index c = 0; c < view.cols; ++c) {
                view(r, c) = static_cast<Scalar>(2 * naive::uniform(engine) - 1);
            }
        }
    }
}

#endif
