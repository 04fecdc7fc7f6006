#ifndef GRU4REC_NN_LOSS_HPP
#define GRU4REC_NN_LOSS_HPP

#include "gru4rec/core/simd.hpp"
#include "gru4rec/nn/score_block.hpp"

#include <limits>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// log sum_j exp(y_j) - y_t with the softmax taken over all candidates; arXiv 1706.03847, section 3.1. With smoothing e
/// the target has weight 1 - e and each negative e / n.
template <class Scalar>
struct CrossEntropy {
    Scalar smoothing = 0;  ///< e, in [0, 1)

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept {
        using Lanes = SimdVector<Scalar>;
        const bool mask = block.duplicates == Duplicates::mask;
        return detail::sum_over_lines<Scalar>(block, [&](const detail::LossLine<Scalar>& line) {
            if (block.log_q != nullptr) {
                for (Index j = 0; j < line.n_columns(); ++j) {
                    (Lanes::load(line.score(j)) - Lanes(block.log_q[j])).store(line.score(j));
                }
            }
            const Lanes y_target = line.target_score();
            if (mask) {
                line.exclude_targets();
            }
            const Lanes share = Lanes(smoothing) * line.active() / maximum(line.n_negatives(), Lanes(1));
            Lanes highest = y_target;
            for (Index j = 0; j < line.n_columns(); ++j) {
                highest = maximum(highest, Lanes::load(line.score(j)));
            }
            // A masked target is counted outside its column, with weight 1.
            const Lanes e_target = exp(y_target - highest);
            Lanes total = mask ? e_target : Lanes(0);
            Lanes weighted = mask ? Lanes(0) : -y_target;  // sum of the negatives' scores
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                const Lanes e = exp(y - highest);
                total = multiply_add(line.weight(j), e, total);
                if (smoothing != 0) {
                    weighted += line.weight(j) * select(y == Lanes(detail::excluded_score<Scalar>), Lanes(0), y);
                }
                e.store(line.d_score(j));
            }
            const Lanes inverse = line.active() / total;
            for (Index j = 0; j < line.n_columns(); ++j) {
                (line.weight(j) * (Lanes::load(line.d_score(j)) * inverse - share)).store(line.d_score(j));
            }
            const Lanes wanted = (Lanes(1) - Lanes(smoothing)) * line.active();
            const Lanes copies = mask ? Lanes(1) : line.own_negatives() + Lanes(1);
            line.store_target_gradient(copies * e_target * inverse - wanted - (copies - Lanes(1)) * share);
            const Lanes loss = highest + log(total) - (Lanes(1) - Lanes(smoothing)) * y_target;
            return line.sum(smoothing != 0 ? loss - share * weighted : loss);
        });
    }
};

/// How Bpr joins the negatives of a lane.
enum class Pairwise { sum, mean };

/// sum_j -log s(y_t - y_j) over the negatives, or their mean as in arXiv 1511.06939, section 3.1.3.
template <class Scalar>
struct Bpr {
    Activation act = {ActivationKind::linear};  ///< of the scores
    Pairwise pairwise = Pairwise::sum;          ///< over the negatives

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept {
        using Lanes = SimdVector<Scalar>;
        const detail::ActivationFunction<Scalar> f(act);
        return detail::sum_over_lines<Scalar>(block, [&](const detail::LossLine<Scalar>& line) {
            detail::activate(line, f);
            const Lanes y_target = line.target_score();
            line.exclude_targets();
            const Lanes scale =
                pairwise == Pairwise::mean ? line.active() / maximum(line.n_negatives(), Lanes(1)) : line.active();
            Lanes loss = line.own_negatives() * softplus(Lanes(0));
            Lanes tau_sum(0);
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                const Lanes tau = line.weight(j) * sigmoid(y - y_target);
                loss = multiply_add(line.weight(j), softplus(y - y_target), loss);
                tau_sum += tau;
                (scale * tau * f.derivative(y)).store(line.d_score(j));
            }
            line.store_target_gradient(-scale * tau_sum * f.derivative(y_target));
            return line.sum(scale * loss);
        });
    }
};

/// mean_j [s(y_j - y_t) + s(y_j^2)] - s(y_t^2) / K over all candidates; arXiv 1511.06939, section 3.1.3.
template <class Scalar>
struct Top1 {
    Activation act = {ActivationKind::linear};  ///< of the scores

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept {
        using Lanes = SimdVector<Scalar>;
        const detail::ActivationFunction<Scalar> f(act);
        return detail::sum_over_lines<Scalar>(block, [&](const detail::LossLine<Scalar>& line) {
            detail::activate(line, f);
            const Lanes y_target = line.target_score();
            line.exclude_targets();
            const Lanes scale = line.active() / (line.n_negatives() + Lanes(1));
            const Lanes own = line.own_negatives();
            const Lanes square_target = sigmoid(y_target * y_target);
            // The target's own term is s(0) = 1/2; an excluded candidate adds s(y^2) = 1, taken back here.
            Lanes loss = Lanes(Scalar(0.5)) + own * (Lanes(Scalar(0.5)) + square_target) - line.excluded_weight();
            Lanes slope_sum(0);
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                const Lanes w = line.weight(j);
                const Lanes tau = sigmoid(y - y_target);
                const Lanes square = sigmoid(y * y);
                const Lanes slope = tau * (Lanes(1) - tau);
                loss = multiply_add(w, tau + square, loss);
                slope_sum = multiply_add(w, slope, slope_sum);
                (scale * w * (slope + Lanes(2) * y * square * (Lanes(1) - square)) * f.derivative(y))
                    .store(line.d_score(j));
            }
            const Lanes own_gradient = own * Lanes(2) * y_target * square_target * (Lanes(1) - square_target);
            line.store_target_gradient(scale * (own_gradient - slope_sum) * f.derivative(y_target));
            return line.sum(scale * loss);
        });
    }
};

/// -log(sum_j s_j s(y_t - y_j) + 1e-24) + bpreg sum_j s_j y_j^2, s_j the softmax over the negatives only;
/// arXiv 1706.03847, section 3.3. The 1e-24 is the reference's.
template <class Scalar>
struct BprMax {
    Activation act = {ActivationKind::linear};  ///< of the scores
    Scalar bpreg = 1;                           ///< strength of the score regularisation, >= 0

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept {
        using Lanes = SimdVector<Scalar>;
        const Lanes half(Scalar(0.5));
        const detail::ActivationFunction<Scalar> f(act);
        return detail::sum_over_lines<Scalar>(block, [&](const detail::LossLine<Scalar>& line) {
            detail::activate(line, f);
            const Lanes y_target = line.target_score();
            line.exclude_targets();
            const Lanes highest = detail::max_negative(line, y_target);
            const Lanes own = line.own_negatives() * exp(minimum(y_target - highest, Lanes(0)));
            Lanes total = own;
            Lanes win = own * half;                     // sum_j s_j s(y_t - y_j)
            Lanes slope = own * half * half;            // sum_j s_j s'(y_t - y_j)
            Lanes squares = own * y_target * y_target;  // sum_j s_j y_j^2
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                const Lanes e = line.weight(j) * exp(y - highest);
                const Lanes sig = sigmoid(y_target - y);
                const Lanes e_sig = e * sig;
                total += e;
                win += e_sig;
                slope = multiply_add(e_sig, Lanes(1) - sig, slope);
                squares = multiply_add(e * y, y, squares);
                e.store(line.d_score(j));
            }
            const Lanes inverse = Lanes(1) / maximum(total, Lanes((std::numeric_limits<Scalar>::min)()));
            win = win * inverse;
            slope = slope * inverse;
            squares = select(Lanes(0) < line.active(), squares * inverse, Lanes(0));  // else a sum of excluded scores
            const Lanes over_win = Lanes(1) / (win + Lanes(Scalar(1e-24)));
            const Lanes scale = line.active() * inverse;
            const auto negative = [&](Lanes e, Lanes y, Lanes sig) {
                const Lanes ranking = (sig * (Lanes(1) - sig) - (sig - win)) * over_win;
                const Lanes regular = Lanes(bpreg) * (multiply_add(y, y, -squares) + Lanes(2) * y);
                return scale * e * (ranking + regular) * f.derivative(y);
            };
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                negative(Lanes::load(line.d_score(j)), y, sigmoid(y_target - y)).store(line.d_score(j));
            }
            line.store_target_gradient(negative(own, y_target, half) -
                                       line.active() * slope * over_win * f.derivative(y_target));
            return line.sum(multiply_add(Lanes(bpreg), squares, -log(win + Lanes(Scalar(1e-24)))));
        });
    }
};

/// sum_j s_j (s(y_j - y_t) + s(y_j^2)), s_j the softmax over the negatives only; arXiv 1706.03847, section 3.2.
template <class Scalar>
struct Top1Max {
    Activation act = {ActivationKind::linear};  ///< of the scores

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept {
        using Lanes = SimdVector<Scalar>;
        const Lanes half(Scalar(0.5));
        const detail::ActivationFunction<Scalar> f(act);
        return detail::sum_over_lines<Scalar>(block, [&](const detail::LossLine<Scalar>& line) {
            detail::activate(line, f);
            const Lanes y_target = line.target_score();
            line.exclude_targets();
            const Lanes highest = detail::max_negative(line, y_target);
            const Lanes own = line.own_negatives() * exp(minimum(y_target - highest, Lanes(0)));
            const Lanes square_target = sigmoid(y_target * y_target);
            Lanes total = own;
            Lanes loss = own * (half + square_target);
            Lanes slope_sum = own * half * half;
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                const Lanes e = line.weight(j) * exp(y - highest);
                const Lanes tau = sigmoid(y - y_target);
                total += e;
                loss = multiply_add(e, tau + sigmoid(y * y), loss);
                slope_sum = multiply_add(e * tau, Lanes(1) - tau, slope_sum);
                e.store(line.d_score(j));
            }
            const Lanes inverse = Lanes(1) / maximum(total, Lanes((std::numeric_limits<Scalar>::min)()));
            loss = loss * inverse;
            const Lanes scale = line.active() * inverse;
            const auto negative = [&](Lanes e, Lanes y, Lanes tau, Lanes square) {
                const Lanes slope = tau * (Lanes(1) - tau) + Lanes(2) * y * square * (Lanes(1) - square);
                return scale * e * (tau + square - loss + slope) * f.derivative(y);
            };
            for (Index j = 0; j < line.n_columns(); ++j) {
                const Lanes y = Lanes::load(line.score(j));
                negative(Lanes::load(line.d_score(j)), y, sigmoid(y - y_target), sigmoid(y * y)).store(line.d_score(j));
            }
            line.store_target_gradient(negative(own, y_target, half, square_target) -
                                       scale * slope_sum * f.derivative(y_target));
            return line.sum(loss);
        });
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
