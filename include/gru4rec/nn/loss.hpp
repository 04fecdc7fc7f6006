#ifndef GRU4REC_NN_LOSS_HPP
#define GRU4REC_NN_LOSS_HPP

#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/nn/activation.hpp"
#include "gru4rec/nn/score_block.hpp"

#include <numbers>

// Each loss is a RankingLoss, and a detail::LossInParts: score_block.hpp says what its functions do. A lane's target is
// not summed up with its negatives; those equal to it, which share its column, are added by `finish`.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// log sum_j exp(y_j) - y_t with the softmax taken over all candidates; arXiv 1706.03847, section 3.1. With smoothing e
/// the target has weight 1 - e and each negative e / n.
template <class Scalar>
struct CrossEntropy {
    /// @cond
    using Lanes = SimdVector<Scalar>;
    using Line = detail::LossLine<Scalar>;
    using Result = detail::LaneLosses<Scalar>;
    using Columns = detail::CandidateColumns;
    static constexpr bool in_place = true;
    static constexpr bool needs_target = false;

    struct Sums {
        Lanes highest;   ///< of the scores
        Lanes total;     ///< sum_j exp(y_j - highest)
        Lanes weighted;  ///< sum_j y_j, with smoothing
    };
    /// @endcond

    Scalar smoothing = 0;  ///< e, in [0, 1)

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept { return detail::rank_whole(*this, block); }

    /// @cond
    void prepare(const Line& line, const Columns& columns) const noexcept {
        if (line.masks_duplicates()) {
            line.exclude_targets(columns);
        }
    }

    [[nodiscard]] Sums reduce(const Line& line, const Columns& columns) const noexcept {
        Lanes highest(detail::lowest_score<Scalar>);
        for (const Index j : columns) {
            highest = maximum(highest, line.corrected(j));
        }
        Lanes total(0);
        Lanes weighted(0);
        for (const Index j : columns) {
            const Lanes y = line.corrected(j);
            const Lanes e = exp(y - highest);
            total = multiply_add(line.weight(j), e, total);
            if (smoothing != 0) {
                const Lanes counted = select(Lanes(detail::lowest_score<Scalar>) < y, y, Lanes(0));
                weighted = multiply_add(line.weight(j), counted, weighted);
            }
            e.store(line.d_score(j));
        }
        return {highest, total, weighted};
    }

    [[nodiscard]] Sums combine(const Sums& a, const Sums& b) const noexcept {
        const Lanes highest = maximum(a.highest, b.highest);
        return {highest,
                a.total * detail::called_exp(a.highest - highest) + b.total * detail::called_exp(b.highest - highest),
                a.weighted + b.weighted};
    }

    [[nodiscard]] Result finish(const Line& line, Sums& sums) const noexcept {
        const Lanes y_target = line.corrected_target();
        if (line.masks_duplicates()) {  // the target is counted outside its column, with weight 1
            sums = combine(sums, {y_target, Lanes(1), Lanes(0)});
        } else {
            sums.weighted -= y_target;  // it is no negative
        }
        const Lanes target_share = Lanes(1) - Lanes(smoothing);
        const Lanes loss = sums.highest + log(sums.total) - target_share * y_target;
        const Lanes own = line.own_negatives();
        const Lanes p_target = detail::called_exp(y_target - sums.highest) * line.active() / sums.total;
        return {smoothing != 0 ? loss - share(line) * sums.weighted : loss,
                (own + Lanes(1)) * p_target - target_share * line.active() - own * share(line)};
    }

    void gradient(const Line& line, const Columns& columns, const Sums& part, const Sums& all) const noexcept {
        const Lanes each = share(line);
        const Lanes scale = line.active() / all.total * detail::called_exp(part.highest - all.highest);
        for (const Index j : columns) {
            const Lanes p = Lanes::load(line.d_score(j)) * scale;
            (line.weight(j) * (p - each)).store(line.d_score(j));
        }
    }
    /// @endcond

  private:
    /// Of a negative, if the target's is 1 - smoothing.
    [[nodiscard]] Lanes share(const Line& line) const noexcept {
        return Lanes(smoothing) * line.active() / maximum(line.n_negatives(), Lanes(1));
    }
};

/// How Bpr joins the negatives of a lane.
enum class Pairwise { sum, mean };

/// sum_j -log s(y_t - y_j) over the negatives, or their mean as in arXiv 1511.06939, section 3.1.3.
template <class Scalar>
struct Bpr {
    /// @cond
    using Lanes = SimdVector<Scalar>;
    using Line = detail::LossLine<Scalar>;
    using Result = detail::LaneLosses<Scalar>;
    using Columns = detail::CandidateColumns;
    static constexpr bool in_place = true;
    static constexpr bool needs_target = true;

    struct Sums {
        Lanes loss;  ///< sum_j -log s(y_t - y_j)
        Lanes tau;   ///< sum_j s(y_j - y_t), without negatives equal to the target: their gradients cancel
    };
    /// @endcond

    Activation act = {ActivationKind::linear};  ///< of the scores
    Pairwise pairwise = Pairwise::sum;          ///< over the negatives

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept { return detail::rank_whole(*this, block); }

    /// @cond
    void prepare(const Line& line, const Columns& columns) const noexcept {
        detail::activate_negatives(line, columns, act);
    }

    [[nodiscard]] Sums reduce(const Line& line, const Columns& columns) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes factor = scale(line);
        Lanes loss(0);
        Lanes tau_sum(0);
        for (const Index j : columns) {
            const Lanes y = Lanes::load(line.score(j));
            const Lanes tau = line.weight(j) * sigmoid(y - y_target);
            loss = multiply_add(line.weight(j), softplus(y - y_target), loss);
            tau_sum += tau;
            (factor * tau * f.derivative(y)).store(line.d_score(j));
        }
        return {loss, tau_sum};
    }

    [[nodiscard]] Sums combine(const Sums& a, const Sums& b) const noexcept { return {a.loss + b.loss, a.tau + b.tau}; }

    [[nodiscard]] Result finish(const Line& line, Sums& sums) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes factor = scale(line);
        sums.loss += line.own_negatives() * Lanes(std::numbers::ln2_v<Scalar>);  // -log s(0)
        return {factor * sums.loss, -factor * sums.tau * f.derivative(detail::activated_target(line, act))};
    }

    // `reduce` wrote it.
    void gradient(const Line&, const Columns&, const Sums&, const Sums&) const noexcept {}
    /// @endcond

  private:
    [[nodiscard]] Lanes scale(const Line& line) const noexcept {
        return pairwise == Pairwise::mean ? line.active() / maximum(line.n_negatives(), Lanes(1)) : line.active();
    }
};

/// mean_j [s(y_j - y_t) + s(y_j^2)] - s(y_t^2) / K over all candidates; arXiv 1511.06939, section 3.1.3.
template <class Scalar>
struct Top1 {
    /// @cond
    using Lanes = SimdVector<Scalar>;
    using Line = detail::LossLine<Scalar>;
    using Result = detail::LaneLosses<Scalar>;
    using Columns = detail::CandidateColumns;
    static constexpr bool in_place = true;
    static constexpr bool needs_target = true;

    struct Sums {
        Lanes loss;   ///< sum_j s(y_j - y_t) + s(y_j^2)
        Lanes slope;  ///< sum_j s'(y_j - y_t), without negatives equal to the target: their gradients cancel
    };
    /// @endcond

    Activation act = {ActivationKind::linear};  ///< of the scores

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept { return detail::rank_whole(*this, block); }

    /// @cond
    void prepare(const Line& line, const Columns& columns) const noexcept {
        detail::activate_negatives(line, columns, act);
    }

    [[nodiscard]] Sums reduce(const Line& line, const Columns& columns) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes factor = scale(line);
        Lanes loss(0);
        Lanes slope_sum(0);
        for (const Index j : columns) {
            const Lanes y = Lanes::load(line.score(j));
            const Lanes w = line.weight(j);
            const Lanes tau = sigmoid(y - y_target);
            const Lanes square = sigmoid(y * y);
            const Lanes slope = tau * (Lanes(1) - tau);
            loss = multiply_add(w, tau + square, loss);
            slope_sum = multiply_add(w, slope, slope_sum);
            (factor * w * (slope + Lanes(2) * y * square * (Lanes(1) - square)) * f.derivative(y))
                .store(line.d_score(j));
        }
        return {loss, slope_sum};
    }

    [[nodiscard]] Sums combine(const Sums& a, const Sums& b) const noexcept {
        return {a.loss + b.loss, a.slope + b.slope};
    }

    [[nodiscard]] Result finish(const Line& line, Sums& sums) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes y = detail::activated_target(line, act);
        const Lanes own = line.own_negatives();
        const Lanes square = detail::called_sigmoid(y * y);
        const Lanes half(Scalar(0.5));
        // The target's own term is s(0) = 1/2; an excluded candidate added s(y^2) = 1, taken back here.
        sums.loss += half - line.excluded_weight() + own * (half + square);
        const Lanes own_slope = own * Lanes(2) * y * square * (Lanes(1) - square);
        return {scale(line) * sums.loss, scale(line) * (own_slope - sums.slope) * f.derivative(y)};
    }

    // `reduce` wrote it.
    void gradient(const Line&, const Columns&, const Sums&, const Sums&) const noexcept {}
    /// @endcond

  private:
    [[nodiscard]] static Lanes scale(const Line& line) noexcept {
        return line.active() / (line.n_negatives() + Lanes(1));
    }
};

/// -log(sum_j s_j s(y_t - y_j) + 1e-24) + bpreg sum_j s_j y_j^2, s_j the softmax over the negatives only;
/// arXiv 1706.03847, section 3.3. The 1e-24 is the reference's.
template <class Scalar>
struct BprMax {
    /// @cond
    using Lanes = SimdVector<Scalar>;
    using Line = detail::LossLine<Scalar>;
    using Result = detail::LaneLosses<Scalar>;
    using Columns = detail::CandidateColumns;
    static constexpr bool in_place = false;
    static constexpr bool needs_target = true;

    /// With e_j = exp(y_j - highest); after `finish`, all but the first two are divided by `total`.
    struct Sums {
        Lanes highest;  ///< of the negatives' scores
        Lanes total;    ///< sum_j e_j
        Lanes win;      ///< sum_j e_j s(y_t - y_j)
        Lanes slope;    ///< sum_j e_j s'(y_t - y_j)
        Lanes squares;  ///< sum_j e_j y_j^2
    };
    /// @endcond

    Activation act = {ActivationKind::linear};  ///< of the scores
    Scalar bpreg = 1;                           ///< strength of the score regularisation, >= 0

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept { return detail::rank_whole(*this, block); }

    /// @cond
    void prepare(const Line& line, const Columns& columns) const noexcept {
        detail::activate_negatives(line, columns, act);
    }

    [[nodiscard]] Sums reduce(const Line& line, const Columns& columns) const noexcept {
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes highest = detail::max_negative(line, columns);
        Lanes total(0);
        Lanes win(0);
        Lanes slope(0);
        Lanes squares(0);
        for (const Index j : columns) {
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
        return {highest, total, win, slope, squares};
    }

    [[nodiscard]] Sums combine(const Sums& a, const Sums& b) const noexcept {
        const Lanes highest = maximum(a.highest, b.highest);
        const Lanes p = detail::called_exp(a.highest - highest);
        const Lanes q = detail::called_exp(b.highest - highest);
        return {highest, p * a.total + q * b.total, p * a.win + q * b.win, p * a.slope + q * b.slope,
                p * a.squares + q * b.squares};
    }

    [[nodiscard]] Result finish(const Line& line, Sums& sums) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes y = detail::activated_target(line, act);
        const Lanes own = line.own_negatives();
        const Lanes half(Scalar(0.5));
        const Lanes highest = select(Lanes(0) < own, y, Lanes(detail::lowest_score<Scalar>));
        sums = combine(sums, {highest, own, own * half, own * half * half, own * y * y});
        const Lanes inverse = detail::inverse_of_total(sums.total);
        sums.win *= inverse;
        sums.slope *= inverse;
        sums.squares *= inverse;
        const Lanes s_own = own * detail::called_exp(minimum(y - sums.highest, Lanes(0))) * scale(line, sums);
        const Lanes to_win = line.active() * sums.slope / (sums.win + tiny()) * f.derivative(y);
        return {multiply_add(Lanes(bpreg), sums.squares, -log(sums.win + tiny())),
                negative(sums)(s_own, y, half) - to_win};
    }

    void gradient(const Line& line, const Columns& columns, const Sums& part, const Sums& all) const noexcept {
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes factor = scale(line, all) * detail::called_exp(part.highest - all.highest);
        const Negative at_negative = negative(all);
        for (const Index j : columns) {
            const Lanes y = Lanes::load(line.score(j));
            const Lanes e = Lanes::load(line.d_score(j));
            at_negative(e * factor, y, sigmoid(y_target - y)).store(line.d_score(j));
        }
    }
    /// @endcond

  private:
    [[nodiscard]] static Lanes tiny() noexcept { return Lanes(Scalar(1e-24)); }
    [[nodiscard]] static Lanes scale(const Line& line, const Sums& all) noexcept {
        return line.active() * detail::inverse_of_total(all.total);
    }
    /// The gradient at a negative with weight s and s(y_t - y) = sig.
    struct Negative {
        Lanes win, over_win, squares;
        Lanes bpreg;
        detail::ActivationFunction<Scalar> f;

        GRU4REC_ALWAYS_INLINE Lanes operator()(Lanes s, Lanes y, Lanes sig) const noexcept {
            const Lanes ranking = (sig * (Lanes(1) - sig) - (sig - win)) * over_win;
            const Lanes regular = bpreg * (multiply_add(y, y, -squares) + Lanes(2) * y);
            return s * (ranking + regular) * f.derivative(y);
        }
    };
    [[nodiscard]] Negative negative(const Sums& all) const noexcept {
        return {all.win, Lanes(1) / (all.win + tiny()), all.squares, Lanes(bpreg),
                detail::ActivationFunction<Scalar>(act)};
    }
};

/// sum_j s_j (s(y_j - y_t) + s(y_j^2)), s_j the softmax over the negatives only; arXiv 1706.03847, section 3.2.
template <class Scalar>
struct Top1Max {
    /// @cond
    using Lanes = SimdVector<Scalar>;
    using Line = detail::LossLine<Scalar>;
    using Result = detail::LaneLosses<Scalar>;
    using Columns = detail::CandidateColumns;
    static constexpr bool in_place = false;
    static constexpr bool needs_target = true;

    /// With e_j = exp(y_j - highest); after `finish`, all but the first two are divided by `total`.
    struct Sums {
        Lanes highest;  ///< of the negatives' scores
        Lanes total;    ///< sum_j e_j
        Lanes loss;     ///< sum_j e_j (s(y_j - y_t) + s(y_j^2))
        Lanes slope;    ///< sum_j e_j s'(y_j - y_t)
    };
    /// @endcond

    Activation act = {ActivationKind::linear};  ///< of the scores

    /// Writes block.d_scores, uses up block.scores; returns the sum over the lanes.
    Scalar operator()(const ScoreBlock<Scalar>& block) const noexcept { return detail::rank_whole(*this, block); }

    /// @cond
    void prepare(const Line& line, const Columns& columns) const noexcept {
        detail::activate_negatives(line, columns, act);
    }

    [[nodiscard]] Sums reduce(const Line& line, const Columns& columns) const noexcept {
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes highest = detail::max_negative(line, columns);
        Lanes total(0);
        Lanes loss(0);
        Lanes slope(0);
        for (const Index j : columns) {
            const Lanes y = Lanes::load(line.score(j));
            const Lanes e = line.weight(j) * exp(y - highest);
            const Lanes tau = sigmoid(y - y_target);
            total += e;
            loss = multiply_add(e, tau + sigmoid(y * y), loss);
            slope = multiply_add(e * tau, Lanes(1) - tau, slope);
            e.store(line.d_score(j));
        }
        return {highest, total, loss, slope};
    }

    [[nodiscard]] Sums combine(const Sums& a, const Sums& b) const noexcept {
        const Lanes highest = maximum(a.highest, b.highest);
        const Lanes p = detail::called_exp(a.highest - highest);
        const Lanes q = detail::called_exp(b.highest - highest);
        return {highest, p * a.total + q * b.total, p * a.loss + q * b.loss, p * a.slope + q * b.slope};
    }

    [[nodiscard]] Result finish(const Line& line, Sums& sums) const noexcept {
        const detail::ActivationFunction<Scalar> f(act);
        const Lanes y = detail::activated_target(line, act);
        const Lanes own = line.own_negatives();
        const Lanes half(Scalar(0.5));
        const Lanes highest = select(Lanes(0) < own, y, Lanes(detail::lowest_score<Scalar>));
        sums = combine(sums, {highest, own, own * (half + detail::called_sigmoid(y * y)), own * half * half});
        const Lanes inverse = detail::inverse_of_total(sums.total);
        sums.loss *= inverse;
        sums.slope *= inverse;
        const Lanes s_own = own * detail::called_exp(minimum(y - sums.highest, Lanes(0))) * scale(line, sums);
        const Lanes to_slope = line.active() * sums.slope * f.derivative(y);
        return {sums.loss, negative(s_own, y, half, sums.loss) - to_slope};
    }

    void gradient(const Line& line, const Columns& columns, const Sums& part, const Sums& all) const noexcept {
        const Lanes y_target = detail::activated_target(line, act);
        const Lanes factor = scale(line, all) * detail::called_exp(part.highest - all.highest);
        const Lanes loss = all.loss;
        for (const Index j : columns) {
            const Lanes y = Lanes::load(line.score(j));
            const Lanes e = Lanes::load(line.d_score(j));
            negative(e * factor, y, sigmoid(y - y_target), loss).store(line.d_score(j));
        }
    }
    /// @endcond

  private:
    [[nodiscard]] static Lanes scale(const Line& line, const Sums& all) noexcept {
        return line.active() * detail::inverse_of_total(all.total);
    }
    /// The gradient at a negative with weight s and s(y - y_t) = tau.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Lanes negative(Lanes s, Lanes y, Lanes tau, Lanes loss) const noexcept {
        const Lanes square = sigmoid(y * y);
        const Lanes slope = tau * (Lanes(1) - tau) + Lanes(2) * y * square * (Lanes(1) - square);
        return s * (tau + square - loss + slope) * detail::ActivationFunction<Scalar>(act).derivative(y);
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
