#ifndef GRU4REC_TESTS_SUPPORT_COMPUTES_SCORES_HPP
#define GRU4REC_TESTS_SUPPORT_COMPUTES_SCORES_HPP

#include "support/naive/matrix.hpp"

#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <cfenv>
#include <limits>

/// Weights that are infinite, but those of item 0, which are 0 after the first. A product with a vector that has a zero
/// is invalid, and a flag of the processor tells.
inline void fill_tell_tale(naive::Engine&, gru4rec::Index item, double* row, gru4rec::Index width) {
    if (item == 0) {
        row[0] = 1;
    } else {
        std::fill_n(row, width, std::numeric_limits<double>::infinity());
    }
}

/// Whether a call computes scores of a model with such weights, on this thread.
template <class Call>
[[nodiscard]] bool computes_scores(const Call& call) {
    std::feclearexcept(FE_INVALID);
    call();
    return std::fetestexcept(FE_INVALID) != 0;
}

#endif
