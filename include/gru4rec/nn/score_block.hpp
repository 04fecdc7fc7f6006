#ifndef GRU4REC_NN_SCORE_BLOCK_HPP
#define GRU4REC_NN_SCORE_BLOCK_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/activation.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Whether a negative that is the target of its lane counts.
enum class Duplicates {
    keep,  ///< a negative that equals the lane's target counts like any other (the reference behaviour)
    mask   ///< it does not count
};

/// The scores of some lanes against the step's candidates, as a loss gets them. Equal candidates stand in one column,
/// whose weight counts them; an item that is target of one lane and was drawn as well has two columns, as
/// the logQ correction treats them differently.
template <class Scalar>
struct ScoreBlock {
    LaneMatrix<Scalar> scores;    ///< (lanes, n_columns) raw scores; a loss may use them up
    LaneMatrix<Scalar> d_scores;  ///< (lanes, n_columns) to be written: gradient with respect to the raw scores, summed
                                  ///< over the candidates of the column
    Index n_lanes = 0;            ///< live lanes; memory is there up to a whole cache line
    Index n_columns = 0;          ///< distinct candidates, except for drawn targets
    Scalar n_candidates = 0;      ///< K: the sum of the weights
    const std::int32_t* target_column = nullptr;  ///< per lane: the column of its target
    const std::int32_t* drawn_column = nullptr;   ///< per lane: its target's column among the drawn items, or -1
    const Scalar* weight = nullptr;               ///< per column: how many candidates it stands for
    const Scalar* log_q = nullptr;                ///< per column: logq log q; null without the correction
    Duplicates duplicates = Duplicates::keep;     ///< mask: negative_weight() is 0 for the lane's own target

    /// `scores` as an Eigen matrix, (n_lanes, n_columns).
    [[nodiscard]] MatrixMap<Scalar> scores_map() const noexcept { return scores.map(n_lanes, n_columns); }
    /// `d_scores` as an Eigen matrix, (n_lanes, n_columns).
    [[nodiscard]] MatrixMap<Scalar> d_scores_map() const noexcept { return d_scores.map(n_lanes, n_columns); }

    /// How many negatives the column holds for the lane.
    [[nodiscard]] Scalar negative_weight(Index lane, Index column) const noexcept {
        const bool is_target = column == target_column[lane];
        if (duplicates == Duplicates::mask && (is_target || column == drawn_column[lane])) {
            return 0;
        }
        return weight[column] - (is_target ? Scalar(1) : Scalar(0));
    }
};

/// Called with the scores of some lanes, writes d_scores and returns the loss summed over the lanes. Lanes must not
/// influence each other: the trainer calls the loss for groups of lanes, from several threads at once.
template <class Loss, class Scalar>
concept RankingLoss = requires(const Loss& loss, ScoreBlock<Scalar> block) {
    { loss(block) } -> std::same_as<Scalar>;
};

namespace detail {

/// Stands for the score of a candidate that does not count: its exp is 0, its square is finite.
template <class Scalar>
inline constexpr Scalar excluded_score = Scalar(-1e18);

/// One cache line of lanes of a score block.
template <class Scalar>
class LossLine {
  public:
    using Lanes = SimdVector<Scalar>;
    static constexpr Index width = scalars_per_line<Scalar>;
    static constexpr std::size_t n_lanes = static_cast<std::size_t>(width);

    LossLine(const ScoreBlock<Scalar>& block, Index first) noexcept : block_(block), first_(first) {
        for (Index i = 0; i < width; ++i) {
            const Index lane = first + i;
            const bool live = lane < block.n_lanes;
            const Index target = live ? block.target_column[lane] : 0;
            const Index drawn = live ? block.drawn_column[lane] : -1;
            Scalar masked = 0;
            if (block.duplicates == Duplicates::mask) {
                masked = block.weight[target] - Scalar(1) + (drawn >= 0 ? block.weight[drawn] : Scalar(0));
            }
            target_[i] = target;
            drawn_[i] = block.duplicates == Duplicates::mask ? drawn : -1;
            own_[i] = block.duplicates == Duplicates::mask ? Scalar(0) : block.weight[target] - Scalar(1);
            negatives_[i] = block.n_candidates - Scalar(1) - masked;
            active_[i] = live && negatives_[i] > 0 ? Scalar(1) : Scalar(0);
        }
    }

    [[nodiscard]] Scalar* score(Index column) const noexcept { return block_.scores.column(column) + first_; }
    [[nodiscard]] Scalar* d_score(Index column) const noexcept { return block_.d_scores.column(column) + first_; }
    [[nodiscard]] Index n_columns() const noexcept { return block_.n_columns; }
    [[nodiscard]] Lanes weight(Index column) const noexcept { return Lanes(block_.weight[column]); }

    /// The targets' scores as they stand.
    [[nodiscard]] Lanes target_score() const noexcept {
        alignas(cache_line) Scalar values[n_lanes];
        for (Index i = 0; i < width; ++i) {
            values[i] = score(target_[i])[i];
        }
        return Lanes::load(values);
    }

    /// Sets the scores of the targets, and of their drawn twins if duplicates are masked, to `excluded_score`.
    void exclude_targets() const noexcept {
        for (Index i = 0; i < width; ++i) {
            score(target_[i])[i] = excluded_score<Scalar>;
            if (drawn_[i] >= 0) {
                score(drawn_[i])[i] = excluded_score<Scalar>;
            }
        }
    }

    /// Weight of the columns that exclude_targets has taken out.
    [[nodiscard]] Lanes excluded_weight() const noexcept {
        alignas(cache_line) Scalar values[n_lanes];
        for (Index i = 0; i < width; ++i) {
            values[i] = block_.weight[target_[i]] + (drawn_[i] >= 0 ? block_.weight[drawn_[i]] : Scalar(0));
        }
        return Lanes::load(values);
    }

    /// Writes the gradient of the targets' columns, and 0 to a masked twin.
    void store_target_gradient(Lanes gradient) const noexcept {
        alignas(cache_line) Scalar values[n_lanes];
        gradient.store(values);
        for (Index i = 0; i < width; ++i) {
            d_score(target_[i])[i] = values[i];
            if (drawn_[i] >= 0) {
                d_score(drawn_[i])[i] = 0;
            }
        }
    }

    /// 1 for lanes that have a target and a negative, else 0.
    [[nodiscard]] Lanes active() const noexcept { return Lanes::load(active_); }
    /// Negatives of each lane.
    [[nodiscard]] Lanes n_negatives() const noexcept { return Lanes::load(negatives_); }
    /// Negatives equal to the target, which share its column.
    [[nodiscard]] Lanes own_negatives() const noexcept { return Lanes::load(own_); }

    /// Sum over the active lanes, in their order.
    [[nodiscard]] Scalar sum(Lanes loss) const noexcept {
        alignas(cache_line) Scalar values[n_lanes];
        loss.store(values);
        Scalar total = 0;
        for (Index i = 0; i < width; ++i) {
            total += active_[i] > 0 ? values[i] : Scalar(0);
        }
        return total;
    }

  private:
    const ScoreBlock<Scalar>& block_;
    Index first_;
    Index target_[n_lanes];
    Index drawn_[n_lanes];
    alignas(cache_line) Scalar own_[n_lanes];
    alignas(cache_line) Scalar negatives_[n_lanes];
    alignas(cache_line) Scalar active_[n_lanes];
};

template <class Scalar, class Body>
[[nodiscard]] Scalar sum_over_lines(const ScoreBlock<Scalar>& block, const Body& body) noexcept {
    Scalar total = 0;
    for (Index first = 0; first < block.n_lanes; first += scalars_per_line<Scalar>) {
        total += body(LossLine<Scalar>(block, first));
    }
    return total;
}

/// Replaces the scores by their activations.
template <class Scalar>
void activate(const LossLine<Scalar>& line, const ActivationFunction<Scalar>& act) noexcept {
    if (!act.is_identity()) {
        for (Index j = 0; j < line.n_columns(); ++j) {
            act(SimdVector<Scalar>::load(line.score(j))).store(line.score(j));
        }
    }
}

/// The largest score of each lane's negatives.
template <class Scalar>
[[nodiscard]] SimdVector<Scalar> max_negative(const LossLine<Scalar>& line, SimdVector<Scalar> y_target) noexcept {
    using Lanes = SimdVector<Scalar>;
    Lanes highest = select(Lanes(0) < line.own_negatives(), y_target, Lanes(excluded_score<Scalar>));
    for (Index j = 0; j < line.n_columns(); ++j) {
        highest = maximum(highest, Lanes::load(line.score(j)));
    }
    return highest;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
