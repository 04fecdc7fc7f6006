#ifndef GRU4REC_TRAIN_GRADIENT_CAP_HPP
#define GRU4REC_TRAIN_GRADIENT_CAP_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/optim/gradient_norm.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/learned_network.hpp"

#include <cmath>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// values[0 .. n) *= scale
template <class Scalar>
void scale_values(Scalar* values, Index n, Scalar scale) {
    parallel_ranges(chunks_by_work(n, scalars_per_line<Scalar>, 1, 16e3), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
            values[i] *= scale;
        }
    });
}

}  // namespace detail

/// Scales all gradients of an update by cap / |g| where |g|, the norm over dense blocks and merged rows together, is
/// larger than the cap.
template <class Scalar>
class GradientCap {
  public:
    /// @param cap       0: none
    /// @param max_rows  of one block of gradients
    GradientCap(double cap, Index max_rows) : cap_(cap), squared_norm_(cap > 0 ? max_rows : 0) {}

    /// @param gradients  shows all of them by `visit(learned, visitor)`, takes a factor by `scale(factor)`
    template <class Gradients>
    void apply(LearnedNetwork<Scalar>& learned, Gradients& gradients) {
        if (cap_ == 0) {
            return;
        }
        squared_norm_.start();
        gradients.visit(learned, [&](Learned<Scalar>& of, const auto& block) { add(of, block); });
        const double norm = std::sqrt(squared_norm_.value());
        if (norm > cap_) {
            gradients.scale(static_cast<Scalar>(cap_ / norm));
        }
    }

  private:
    void add(const Learned<Scalar>& learned, const OuterGradients<Scalar>& block) {
        squared_norm_.add(block, learned.parameter().cols());
    }
    void add(const Learned<Scalar>&, const RowGradients<Scalar>& block) { squared_norm_.add(block); }

    double cap_;
    SquaredNorm<Scalar> squared_norm_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
