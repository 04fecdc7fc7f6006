#ifndef GRU4REC_OPTIM_GRADIENT_CLIPPING_HPP
#define GRU4REC_OPTIM_GRADIENT_CLIPPING_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/optim/update.hpp"

#include <algorithm>
#include <cmath>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Scalar>
[[nodiscard]] double sum_of_squares(const Scalar* values, Index n) noexcept {
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
        sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    return sum;
}

/// Adds up squares of gradients in double: row by row in parallel, then the rows in their order, so that the sum has
/// the same bits for any number of threads.
template <class Scalar>
class GradientSquares {
  public:
    /// @param max_rows  rows of one block of gradients; no call allocates
    explicit GradientSquares(Index max_rows) : of_rows_(max_rows) {}

    /// @complexity O(n_lanes count width)
    void add_to(double& sum, const OptimizedParameter<Scalar>& parameter, const OuterGradients<Scalar>& gradients);

    /// @complexity O(count width)
    void add_to(double& sum, const OptimizedParameter<Scalar>& parameter, const RowGradients<Scalar>& gradients);

  private:
    void add_rows(Index count, double& sum) const noexcept {
        for (Index j = 0; j < count; ++j) {
            sum += of_rows_[j];
        }
    }

    AlignedBuffer<double> of_rows_;
};

/// The norm of all gradients of an update, dense blocks and merged rows together, and the factor that caps it.
template <class Scalar>
class GradientCap {
  public:
    /// @param cap       0: none
    /// @param max_rows  rows of one block of gradients; no call allocates
    GradientCap(double cap, Index max_rows) : cap_(cap), squares_(cap > 0 ? max_rows : 0) {}

    [[nodiscard]] bool is_active() const noexcept { return cap_ > 0; }

    void start() noexcept { sum_ = 0; }

    /// @param gradients  as GradientSquares takes them
    template <class Gradients>
    void add(const OptimizedParameter<Scalar>& parameter, const Gradients& gradients) {
        squares_.add_to(sum_, parameter, gradients);
    }

    /// cap / |g| if the norm |g| of what was added since `start` is larger than the cap, else 1.
    [[nodiscard]] Scalar scale() const noexcept {
        const double norm = std::sqrt(sum_);
        return norm > cap_ ? static_cast<Scalar>(cap_ / norm) : Scalar(1);
    }

  private:
    double cap_;
    GradientSquares<Scalar> squares_;
    double sum_ = 0;
};

template <class Scalar>
void GradientSquares<Scalar>::add_to(double& sum, const OptimizedParameter<Scalar>& parameter,
                                     const OuterGradients<Scalar>& gradients) {
    const Index width = parameter.parameter().cols();
    std::fill_n(of_rows_.data(), gradients.count, 0.0);
    const LoopWork loop = outer_work("norm of outer gradients", gradients, width, 0);
    parallel_ranges(outer_chunks(gradients, width), loop, [&](Index begin, Index end) {
        for_each_outer_block<Scalar>(gradients.factors, {begin, end}, width, {.start = gradients.extra},
                                     [&](const OuterBlock<Scalar>& block) {
                                         for (Index j = block.first; j < block.first + block.count; ++j) {
                                             of_rows_[j] += sum_of_squares(block.row(j), block.width);
                                         }
                                     });
    });
    add_rows(gradients.count, sum);
}

template <class Scalar>
void GradientSquares<Scalar>::add_to(double& sum, const OptimizedParameter<Scalar>&,
                                     const RowGradients<Scalar>& gradients) {
    const LoopWork loop = pass_work<Scalar>("norm of ready gradients", gradients.count, gradients.width, 1);
    parallel_ranges(row_chunks(gradients), loop, [&](Index begin, Index end) {
        for (Index j = begin; j < end; ++j) {
            of_rows_[j] = sum_of_squares(gradients.gradient[j], padded<Scalar>(gradients.width));
        }
    });
    add_rows(gradients.count, sum);
}

#if defined(GRU4REC_COMPILED)
extern template class GradientSquares<float>;
extern template class GradientSquares<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
