#ifndef GRU4REC_BENCH_SUPPORT_TWIN_HPP
#define GRU4REC_BENCH_SUPPORT_TWIN_HPP

#include "support/data.hpp"
#include "support/naive/matrix.hpp"

#include "gru4rec/core/views.hpp"

#include <cmath>
#include <limits>
#include <sstream>
#include <string>

namespace bench {

/// (lanes, n)
[[nodiscard]] inline naive::Matrix to_matrix(LaneMatrix<const float> columns, Index lanes, Index n) {
    naive::Matrix result(static_cast<std::size_t>(lanes), static_cast<std::size_t>(n));
    for (std::size_t lane = 0; lane < result.rows; ++lane) {
        for (std::size_t j = 0; j < result.cols; ++j) {
            result(lane, j) = static_cast<double>(columns.column(static_cast<Index>(j))[lane]);
        }
    }
    return result;
}

[[nodiscard]] inline naive::Matrix to_matrix(const PaddedMatrix<float>& parameter) {
    naive::Matrix result(static_cast<std::size_t>(parameter.rows()), static_cast<std::size_t>(parameter.cols()));
    for (std::size_t i = 0; i < result.rows; ++i) {
        for (std::size_t j = 0; j < result.cols; ++j) {
            result(i, j) = static_cast<double>(parameter.row(static_cast<Index>(i))[j]);
        }
    }
    return result;
}

[[nodiscard]] inline naive::Matrix transposed(const naive::Matrix& a) {
    naive::Matrix result(a.cols, a.rows);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < a.cols; ++j) {
            result(j, i) = a(i, j);
        }
    }
    return result;
}

[[nodiscard]] inline naive::Matrix negated(naive::Matrix a) {
    for (double& value : a.values) {
        value = -value;
    }
    return a;
}

/// Rounding of a sum of `n` products of random sign, each about `scale`: the partial sums grow like sqrt(n), and their
/// n roundings add up like sqrt(n) again.
[[nodiscard]] inline double rounding(Index n, double scale) {
    return static_cast<double>(n) * scale * static_cast<double>(std::numeric_limits<float>::epsilon());
}

/// What is wrong with `got`, or nothing: |got - wanted| <= tolerance (1 + |wanted|), NaN never.
[[nodiscard]] inline std::string difference(const std::string& what, const naive::Matrix& got,
                                            const naive::Matrix& wanted, double tolerance) {
    std::ostringstream text;
    if (got.rows != wanted.rows || got.cols != wanted.cols) {
        text << what << " is " << got.rows << " x " << got.cols << ", wanted " << wanted.rows << " x " << wanted.cols;
        return text.str();
    }
    for (std::size_t i = 0; i < got.rows; ++i) {
        for (std::size_t j = 0; j < got.cols; ++j) {
            if (!(std::abs(got(i, j) - wanted(i, j)) <= tolerance * (1 + std::abs(wanted(i, j))))) {
                text << what << "(" << i << ", " << j << ") = " << got(i, j) << ", the twin has " << wanted(i, j)
                     << " (tolerance " << tolerance << ")";
                return text.str();
            }
        }
    }
    return {};
}

[[nodiscard]] inline std::string difference(const std::string& what, double got, double wanted, double tolerance) {
    return difference(what, naive::Matrix(1, 1, got), naive::Matrix(1, 1, wanted), tolerance);
}

}  // namespace bench

#endif
