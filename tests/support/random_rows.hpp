#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_ROWS_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_ROWS_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "support/naive/matrix.hpp"

/// Uniform in -1 .. 1.
template <class Scalar>
gru4rec::detail::PaddedMatrix<Scalar> random_rows(gru4rec::Index rows, gru4rec::Index cols, naive::Engine& engine) {
    gru4rec::detail::PaddedMatrix<Scalar> result(rows, cols);
    for (gru4rec::Index r = 0; r < rows; ++r) {
        for (gru4rec::Index c = 0; c < cols; ++c) {
            result.row(r)[c] = static_cast<Scalar>(2 * naive::uniform(engine) - 1);
        }
    }
    return result;
}

#endif
