#ifndef GRU4REC_NN_SCORE_BLOCK_HPP
#define GRU4REC_NN_SCORE_BLOCK_HPP

#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/activation.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Whether a negative that is the target of its lane counts.
enum class Duplicates {
    keep,  ///< a negative that equals the lane's target counts like any other (the reference behaviour)
    mask   ///< it does not count
};

/// The scores of some lanes against the step's candidates, as a loss gets them. Equal candidates stand in one column,
/// whose weight counts them; an item that is target of one lane and was drawn as well has two columns, as
/// the logQ correction treats them differently. Distinct items come first, in ascending order.
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

/// Less than any score that counts. Where maxima start, so that exp(excluded_score - maximum) is 0 even if no other
/// score is there.
template <class Scalar>
inline constexpr Scalar lowest_score = Scalar(-5e17);

/// All columns of a block as one part of a sum.
template <class Scalar>
[[nodiscard]] CandidateColumns all_columns(const ScoreBlock<Scalar>& block) noexcept {
    return {{0, block.n_columns}, {block.n_columns, block.n_columns}};
}

/// The losses of a cache line of lanes, and their gradients with respect to the raw scores of the lanes' targets.
template <class Scalar>
struct LaneLosses {
    SimdVector<Scalar> loss;
    SimdVector<Scalar> target_gradient;
};

/// One cache line of lanes of a score block. Functions with a parameter `columns` do their work for these columns
/// alone. Lanes beyond the live ones are not active; their numbers are of no meaning.
template <class Scalar>
class LossLine {
  public:
    using Lanes = SimdVector<Scalar>;
    static constexpr Index width = scalars_per_line<Scalar>;
    static constexpr std::size_t n_lanes = static_cast<std::size_t>(width);

    GRU4REC_NOINLINE LossLine(const ScoreBlock<Scalar>& block, Index first) noexcept
        : scores_(block.scores.from(first)),
          d_scores_(block.d_scores.from(first)),
          weight_(block.weight),
          log_q_(block.log_q),
          masks_duplicates_(block.duplicates == Duplicates::mask) {
        for (Index i = 0; i < width; ++i) {
            const Index lane = first + i;
            const bool live = lane < block.n_lanes;
            const std::int32_t target = live ? block.target_column[lane] : 0;
            const std::int32_t drawn = live ? block.drawn_column[lane] : -1;
            const bool mask = masks_duplicates_;
            const Scalar excluded = block.weight[target] + (mask && drawn >= 0 ? block.weight[drawn] : Scalar(0));
            target_[i] = target;
            drawn_[i] = mask ? drawn : -1;
            excluded_[i] = excluded;
            own_[i] = mask ? Scalar(0) : block.weight[target] - Scalar(1);
            negatives_[i] = block.n_candidates - (mask ? excluded : Scalar(1));
            active_[i] = live && negatives_[i] > 0 ? Scalar(1) : Scalar(0);
        }
    }

    [[nodiscard]] bool masks_duplicates() const noexcept { return masks_duplicates_; }
    [[nodiscard]] bool corrects() const noexcept { return log_q_ != nullptr; }
    [[nodiscard]] Scalar* score(Index column) const noexcept { return scores_.column(column); }
    [[nodiscard]] Scalar* d_score(Index column) const noexcept { return d_scores_.column(column); }
    [[nodiscard]] Lanes weight(Index column) const noexcept { return Lanes(weight_[column]); }
    /// The scores of a column, less its logQ correction if there is one.
    [[nodiscard]] Lanes corrected(Index column) const noexcept {
        const Lanes y = Lanes::load(score(column));
        return corrects() ? y - Lanes(log_q_[column]) : y;
    }

    /// The targets' raw scores, once they were set or read.
    [[nodiscard]] Lanes target_score() const noexcept { return Lanes::load(y_target_); }
    void set_target_score(Index i, Scalar value) noexcept { y_target_[i] = value; }
    /// Reads them from the columns, where a loss may use them up.
    void read_target_scores(const CandidateColumns& columns) noexcept {
        for (Index i = 0; i < width; ++i) {
            if (has(columns, i)) {
                y_target_[i] = score(target_[i])[i];
            }
        }
    }
    /// target_score(), less the logQ correction.
    [[nodiscard]] Lanes corrected_target() const noexcept {
        alignas(cache_line) Scalar values[n_lanes];
        for (Index i = 0; i < width; ++i) {
            values[i] = y_target_[i] - (corrects() ? log_q_[target_[i]] : Scalar(0));
        }
        return Lanes::load(values);
    }

    /// Sets the scores of the targets, and of their drawn twins if duplicates are masked, to `excluded_score`.
    void exclude_targets(const CandidateColumns& columns) const noexcept {
        for (Index i = 0; i < width; ++i) {
            if (has(columns, i)) {
                score(target_[i])[i] = excluded_score<Scalar>;
                if (drawn_[i] >= 0) {
                    score(drawn_[i])[i] = excluded_score<Scalar>;
                }
            }
        }
    }

    /// Weight of the columns that exclude_targets takes out.
    [[nodiscard]] Lanes excluded_weight() const noexcept { return Lanes::load(excluded_); }

    /// After `finish`: writes the targets' gradients to their columns, and 0 to a masked twin.
    void store_target_gradient(const CandidateColumns& columns) const noexcept {
        for (Index i = 0; i < width; ++i) {
            if (has(columns, i)) {
                d_score(target_[i])[i] = d_target_[i];
                if (drawn_[i] >= 0) {
                    d_score(drawn_[i])[i] = 0;
                }
            }
        }
    }

    /// 1 for lanes that have a target and a negative, else 0.
    [[nodiscard]] Lanes active() const noexcept { return Lanes::load(active_); }
    /// Negatives of each lane.
    [[nodiscard]] Lanes n_negatives() const noexcept { return Lanes::load(negatives_); }
    /// Negatives equal to the target, which share its column.
    [[nodiscard]] Lanes own_negatives() const noexcept { return Lanes::load(own_); }

    /// Keeps the targets' gradients for `store_target_gradient`. Returns the sum of the losses over the active lanes,
    /// in their order.
    Scalar finish(const LaneLosses<Scalar>& losses) noexcept {
        losses.target_gradient.store(d_target_);
        alignas(cache_line) Scalar values[n_lanes];
        losses.loss.store(values);
        Scalar total = 0;
        for (Index i = 0; i < width; ++i) {
            total += active_[i] > 0 ? values[i] : Scalar(0);
        }
        return total;
    }

  private:
    /// Whether the target of lane i is in the columns; then its twin is, too.
    [[nodiscard]] bool has(const CandidateColumns& columns, Index i) const noexcept {
        return target_[i] >= columns.items.begin && target_[i] < columns.items.end;
    }

    LaneMatrix<Scalar> scores_;
    LaneMatrix<Scalar> d_scores_;
    const Scalar* weight_;
    const Scalar* log_q_;
    bool masks_duplicates_;
    std::int32_t target_[n_lanes];
    std::int32_t drawn_[n_lanes];
    alignas(cache_line) Scalar y_target_[n_lanes] = {};  // nobody sets those of lanes beyond the live ones
    alignas(cache_line) Scalar d_target_[n_lanes];
    alignas(cache_line) Scalar excluded_[n_lanes];
    alignas(cache_line) Scalar own_[n_lanes];
    alignas(cache_line) Scalar negatives_[n_lanes];
    alignas(cache_line) Scalar active_[n_lanes];
};

/// A loss that sums over the candidates part by part. Per cache line of lanes:
///
///     prepare(line, columns)              the scores of the columns made ready for `reduce`, those of targets excluded
///     reduce(line, columns)               what the columns contribute to the sums; may overwrite scores and d_scores
///     combine(a, b)                       the sums of two parts together
///     finish(line, sums)                  adds what no column contributes; returns LaneLosses
///     gradient(line, columns, part, all)  d_scores of the columns, but those of targets, from what `reduce` returned
///                                         for them and the sums that `finish` left
///
/// `in_place`: d_scores may be the memory of the scores. `needs_target`: `reduce` asks for target_score().
template <class Loss, class Scalar>
concept LossInParts = requires(const Loss& loss, const LossLine<Scalar>& line, const CandidateColumns& columns,
                               typename Loss::Sums& sums) {
    loss.prepare(line, columns);
    { loss.reduce(line, columns) } -> std::same_as<typename Loss::Sums>;
    { loss.combine(sums, sums) } -> std::same_as<typename Loss::Sums>;
    { loss.finish(line, sums) } -> std::same_as<LaneLosses<Scalar>>;
    loss.gradient(line, columns, sums, sums);
    { Loss::in_place } -> std::convertible_to<bool>;
    { Loss::needs_target } -> std::convertible_to<bool>;
};

/// A loss in parts, called with all columns as a single part.
template <class Scalar, class Loss>
[[nodiscard]] Scalar rank_whole(const Loss& loss, const ScoreBlock<Scalar>& block) noexcept {
    const CandidateColumns columns = all_columns(block);
    Scalar total = 0;
    for (Index first = 0; first < block.n_lanes; first += scalars_per_line<Scalar>) {
        LossLine<Scalar> line(block, first);
        line.read_target_scores(columns);
        loss.prepare(line, columns);
        const auto part = loss.reduce(line, columns);
        auto all = part;
        total += line.finish(loss.finish(line, all));
        loss.gradient(line, columns, part, all);
        line.store_target_gradient(columns);
    }
    return total;
}

/// Replaces the scores by their activations, and excludes those of targets.
template <class Scalar>
void activate_negatives(const LossLine<Scalar>& line, const CandidateColumns& columns,
                        const Activation& activation) noexcept {
    if (const ActivationFunction<Scalar> act(activation); !act.is_identity()) {
        for (const Index j : columns) {
            act(SimdVector<Scalar>::load(line.score(j))).store(line.score(j));
        }
    }
    line.exclude_targets(columns);
}

/// The activations of the targets' scores. Not inlined: an activation is long, and this is called seldom.
template <class Scalar>
[[nodiscard]] GRU4REC_NOINLINE SimdVector<Scalar> activated_target(const LossLine<Scalar>& line,
                                                                   const Activation& act) noexcept {
    return ActivationFunction<Scalar>(act)(line.target_score());
}

/// The largest score of each lane's negatives outside the target's column.
template <class Scalar>
[[nodiscard]] SimdVector<Scalar> max_negative(const LossLine<Scalar>& line, const CandidateColumns& columns) noexcept {
    using Lanes = SimdVector<Scalar>;
    Lanes highest(lowest_score<Scalar>);
    for (const Index j : columns) {
        highest = maximum(highest, Lanes::load(line.score(j)));
    }
    return highest;
}

/// exp and sigmoid as calls: for what is needed once for some columns, not for each column. They are long.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_NOINLINE Vector<Scalar, n> called_exp(const Vector<Scalar, n>& x) noexcept {
    return exp(x);
}
template <class Scalar, int n>
[[nodiscard]] GRU4REC_NOINLINE Vector<Scalar, n> called_sigmoid(const Vector<Scalar, n>& x) noexcept {
    return sigmoid(x);
}

/// 1 / total for a sum of positive terms, or a finite number if it is 0.
template <class Scalar, int n>
[[nodiscard]] GRU4REC_ALWAYS_INLINE Vector<Scalar, n> inverse_of_total(Vector<Scalar, n> total) noexcept {
    using Lanes = Vector<Scalar, n>;
    return Lanes(1) / maximum(total, Lanes((std::numeric_limits<Scalar>::min)()));
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
