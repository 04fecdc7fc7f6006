#ifndef GRU4REC_NN_INITIAL_WEIGHTS_HPP
#define GRU4REC_NN_INITIAL_WEIGHTS_HPP

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"

#include <cmath>
#include <cstdint>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The distribution of initial weights: U(-s, s) or N(0, s^2).
enum class InitialValues { uniform, normal };

/// s = sqrt(6 / (rows + cols)); Glorot, Bengio, AISTATS 2010.
[[nodiscard]] inline double glorot(Index rows, Index cols) noexcept {
    return std::sqrt(6.0 / static_cast<double>(rows + cols));
}

/// Draws the first `cols` columns of all rows; element (r, c) depends on `random` and on r cols + c.
template <class Scalar>
void draw_weights(PaddedMatrix<Scalar>& weights, Index cols, double s, InitialValues values, const Random& random) {
    for (Index r = 0; r < weights.rows(); ++r) {
        for (Index c = 0; c < cols; ++c) {
            const auto n = static_cast<std::uint64_t>(r * cols + c);
            const double unit = values == InitialValues::normal ? random.normal(n) : 2 * random.uniform(n) - 1;
            weights.row(r)[c] = static_cast<Scalar>(unit * s);
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
