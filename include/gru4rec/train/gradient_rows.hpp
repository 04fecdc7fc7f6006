#ifndef GRU4REC_TRAIN_GRADIENT_ROWS_HPP
#define GRU4REC_TRAIN_GRADIENT_ROWS_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"

// What is done with gradients between the backward pass and the update: scaled, and added up to rows.
namespace gru4rec::inline GRU4REC_ABI::detail {

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

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
