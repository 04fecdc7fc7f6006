#ifndef GRU4REC_BLOCKS_IN_BATCH_LOSS_HPP
#define GRU4REC_BLOCKS_IN_BATCH_LOSS_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/blocks/matrices.hpp"
#include "gru4rec/blocks/one_hot_input.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/gru.hpp"
#include "gru4rec/nn/loss.hpp"
#include "gru4rec/nn/score_block.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

// The loss over in-batch negatives: every lane should score its own target above the targets of the other lanes and
// above items that were drawn for the step. The losses themselves are in nn/loss.hpp; any other RankingLoss works, too.
//
// Compile time (g++ 12, -O3): including this header takes about as long as including Eigen and TBB; using it for one
// loss takes 3.5 times as long.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// How a CandidateList counts and corrects its candidates.
struct CandidateOptions {
    Duplicates duplicates = Duplicates::keep;  ///< whether a negative that equals its lane's target counts
    /// Strength of the logQ correction; 0: none. Only CrossEntropy uses it.
    double logq = 0;
    /// Used if logq > 0: the exponent with which the negatives were drawn.
    double sample_alpha = 0.5;
    /// Required if logq > 0: training events of each item, (V).
    std::span<const std::int64_t> supports = {};
};

/// The candidates of a step: the targets of its lanes, and the drawn negatives. Equal candidates share a column of the
/// scores, and the weight of the column counts them. Only a target that was also drawn has two columns, because the
/// logQ correction of targets and of drawn items differs.
///
///     columns   [ distinct items, ascending | drawn items that are targets, ascending ]
template <class Scalar>
class CandidateList {
  public:
    /// @param max_lanes      the most lanes of a step, B
    /// @param max_negatives  the most drawn negatives of a step, such as n_sample; 0 for none
    /// @throws ConfigError for max_lanes or max_negatives outside 0 .. 2^30 - 1, options that are not finite,
    ///         logq < 0, or logq > 0 without supports
    CandidateList(Index max_lanes, Index max_negatives, const CandidateOptions& options = {})
        : max_lanes_(checked("max_lanes", max_lanes)),
          max_negatives_(checked("max_negatives", max_negatives)),
          n_known_(options.logq > 0 ? static_cast<Index>(options.supports.size()) : 0),
          duplicates_(options.duplicates),
          candidates_(options.supports, max_lanes, max_negatives, options.sample_alpha, options.logq) {
        if (!(options.logq >= 0 && std::isfinite(options.logq))) {
            detail::throw_invalid("logq", options.logq, "logq >= 0, finite");
        }
        if (!std::isfinite(options.sample_alpha)) {
            detail::throw_invalid("sample_alpha", options.sample_alpha, "a finite number");
        }
        if (options.logq > 0 && options.supports.empty()) {
            detail::throw_invalid("logq > 0 needs CandidateOptions::supports, the events of each item");
        }
    }

    /// Replaces the candidates by those of a step.
    ///
    /// @param targets  MiniBatch::targets, (M)
    /// @param drawn    the negatives, from StepNegatives::of_step; none by default
    /// @throws ConfigError for more lanes or negatives than the list was made for; an item below 0 or, with
    ///         logq > 0, beyond the supports; drawn items that are not distinct and ascending, with a count >= 1 each
    /// @complexity O(M + n_sample), no allocation
    void build(std::span<const ItemIndex> targets, const DrawnItems& drawn = {});

    /// The same for negatives in any order, which may repeat. Allocates.
    void build(std::span<const ItemIndex> targets, std::span<const ItemIndex> negatives);

    [[nodiscard]] Index n_lanes() const noexcept { return n_lanes_; }                   ///< M
    [[nodiscard]] Index n_columns() const noexcept { return candidates_.n_columns(); }  ///< at most M + max_negatives
    /// The item of each column.
    [[nodiscard]] std::span<const ItemIndex> items() const noexcept { return candidates_.items(); }
    /// The number of distinct items, in the first columns; each later column repeats a target.
    [[nodiscard]] Index n_distinct() const noexcept { return candidates_.n_distinct(); }
    /// The first column of the item of column j.
    [[nodiscard]] Index first_column(Index j) const noexcept {
        return j < n_distinct() ? j : candidates_.repeated_target(j);
    }
    /// Per lane: the column of its target.
    [[nodiscard]] std::span<const std::int32_t> target_columns() const noexcept {
        return {candidates_.target_column(), static_cast<std::size_t>(n_lanes_)};
    }
    /// Per lane: the column, of all columns, in which its target stands as a drawn item; -1 if it was not drawn.
    [[nodiscard]] std::span<const std::int32_t> drawn_columns() const noexcept {
        return {candidates_.drawn_column(), static_cast<std::size_t>(n_lanes_)};
    }
    /// Per column: how many candidates it stands for.
    [[nodiscard]] std::span<const Scalar> weights() const noexcept { return per_column(candidates_.weight()); }
    /// Per column: `logq` * log(q), where q is the support of a target and support^sample_alpha of a drawn item. Empty
    /// if logq = 0.
    [[nodiscard]] std::span<const Scalar> log_q() const noexcept { return per_column(candidates_.log_q()); }
    /// CandidateOptions::duplicates.
    [[nodiscard]] Duplicates duplicates() const noexcept { return duplicates_; }

  private:
    [[nodiscard]] static Index checked(const char* name, Index value) {
        constexpr Index too_many = Index{1} << 30;  // columns of lanes and negatives are numbered in 32 bits
        if (value < 0) {
            detail::throw_invalid(name, value, std::string(name) + " >= 0");
        }
        if (value >= too_many) {
            detail::throw_invalid(name, value, std::string(name) + " < " + std::to_string(too_many));
        }
        return value;
    }

    [[nodiscard]] std::span<const Scalar> per_column(const Scalar* values) const noexcept {
        return {values, values == nullptr ? 0 : static_cast<std::size_t>(n_columns())};
    }

    void check(std::span<const ItemIndex> items) const;

    Index max_lanes_;
    Index max_negatives_;
    Index n_known_;
    Duplicates duplicates_;
    detail::Candidates<Scalar> candidates_;
    Index n_lanes_ = 0;
    std::vector<ItemIndex> sorted_;     // a plain list of negatives: its distinct items, ascending
    std::vector<std::int32_t> counts_;  // and how often each occurs
};

template <class Scalar>
void CandidateList<Scalar>::check(std::span<const ItemIndex> items) const {
    for (const ItemIndex item : items) {
        if (to_index(item) < 0 || (n_known_ > 0 && to_index(item) >= n_known_)) {
            detail::throw_invalid("item", to_index(item),
                                  n_known_ > 0 ? "0 <= item < " + std::to_string(n_known_) + ", the supports given"
                                               : std::string("item >= 0"));
        }
    }
}

template <class Scalar>
void CandidateList<Scalar>::build(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
    const auto n_lanes = static_cast<Index>(targets.size());
    const auto n_drawn = static_cast<Index>(drawn.items.size());
    if (n_lanes > max_lanes_ || n_drawn > max_negatives_) {
        detail::throw_invalid(std::to_string(n_lanes) + " targets and " + std::to_string(n_drawn) +
                              " negatives; the CandidateList was made for " + std::to_string(max_lanes_) + " and " +
                              std::to_string(max_negatives_));
    }
    if (drawn.counts.size() != drawn.items.size() ||
        std::adjacent_find(drawn.items.begin(), drawn.items.end(), std::greater_equal<>()) != drawn.items.end() ||
        std::any_of(drawn.counts.begin(), drawn.counts.end(), [](std::int32_t count) { return count < 1; })) {
        detail::throw_invalid(
            "DrawnItems must be distinct, ascending and have a count >= 1 each; pass a plain list of "
            "negatives as a span");
    }
    check(targets);
    check(drawn.items);
    candidates_.build(targets, drawn);
    n_lanes_ = n_lanes;
}

template <class Scalar>
void CandidateList<Scalar>::build(std::span<const ItemIndex> targets, std::span<const ItemIndex> negatives) {
    std::vector<ItemIndex> all(negatives.begin(), negatives.end());
    std::sort(all.begin(), all.end());
    sorted_.clear();
    counts_.clear();
    for (const ItemIndex item : all) {
        if (sorted_.empty() || sorted_.back() != item) {
            sorted_.push_back(item);
            counts_.push_back(0);
        }
        ++counts_.back();
    }
    build(targets, DrawnItems{sorted_, counts_});
}

/// What the columns of a matrix of scores stand for. By default column m is the target of lane m, and every column
/// stands for one candidate.
template <class Scalar>
struct ScoreColumns {
    std::span<const std::int32_t> targets = {};  ///< (M) per lane: the column of its target; empty: column m
    std::span<const Scalar> weights = {};        ///< per column: how many equal candidates; empty: 1 each
    std::span<const Scalar> log_q = {};          ///< per column: subtracted from the scores by CrossEntropy
    /// (M) per lane: the column, of all columns, in which its target stands as a drawn item, or -1; empty: all -1
    std::span<const std::int32_t> drawn = {};
    Duplicates duplicates = Duplicates::keep;  ///< whether a negative that equals its lane's target counts
};

/// A loss and its gradient with respect to the scores.
template <class Scalar>
struct LossOfScores {
    Scalar loss = 0;          ///< summed over the lanes
    Matrix<Scalar> d_scores;  ///< (M, columns)
};

namespace detail {

/// Scores of a step in padded lanes, and what a loss needs to know about them.
template <class Scalar>
class PaddedScores {
  public:
    PaddedScores(Index n_lanes, Index n_columns)
        : n_lanes_(n_lanes),
          n_columns_(n_columns),
          stride_(row_stride<Scalar>(n_lanes)),
          scores_(stride_ * n_columns),
          d_scores_(stride_ * n_columns),
          targets_(static_cast<std::size_t>(n_lanes)),
          drawn_(static_cast<std::size_t>(n_lanes), -1),
          weights_(static_cast<std::size_t>(n_columns), Scalar(1)) {
        std::iota(targets_.begin(), targets_.end(), 0);
    }

    [[nodiscard]] LaneMatrix<Scalar> scores() noexcept { return {scores_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<Scalar> d_scores() noexcept { return {d_scores_.data(), stride_}; }
    [[nodiscard]] Index lanes() const noexcept { return padded<Scalar>(n_lanes_); }

    /// @throws ConfigError for spans of the wrong length, or columns out of range
    void set(const ScoreColumns<Scalar>& columns) {
        copy("targets", columns.targets, targets_);
        copy("drawn", columns.drawn, drawn_);
        copy("weights", columns.weights, weights_);
        log_q_.resize(columns.log_q.empty() ? 0 : weights_.size());
        copy("log_q", columns.log_q, log_q_);
        duplicates_ = columns.duplicates;
        require_columns("targets", targets_, 0);
        require_columns("drawn", drawn_, -1);
    }

    /// Returns the loss and writes d_scores. The scores are overwritten.
    template <class Loss>
    [[nodiscard]] Scalar run(const Loss& loss) {
        ScoreBlock<Scalar> block;
        block.scores = scores();
        block.d_scores = d_scores();
        block.n_lanes = n_lanes_;
        block.n_columns = n_columns_;
        block.n_candidates = std::accumulate(weights_.begin(), weights_.end(), Scalar(0));
        block.target_column = targets_.data();
        block.drawn_column = drawn_.data();
        block.weight = weights_.data();
        block.log_q = log_q_.empty() ? nullptr : log_q_.data();
        block.duplicates = duplicates_;
        return loss(block);
    }

  private:
    template <class Value>
    static void copy(const char* name, std::span<const Value> from, std::vector<Value>& to) {
        if (!from.empty() && from.size() != to.size()) {
            throw_invalid("ScoreColumns::" + std::string(name) + " has " + std::to_string(from.size()) +
                          " values, must have " + std::to_string(to.size()));
        }
        std::copy(from.begin(), from.end(), to.begin());
    }

    void require_columns(const char* name, const std::vector<std::int32_t>& columns, std::int32_t least) const {
        for (const std::int32_t column : columns) {
            if (column < least || column >= n_columns_) {
                throw_invalid("ScoreColumns::" + std::string(name), column,
                              std::to_string(least) + " <= column < " + std::to_string(n_columns_));
            }
        }
    }

    Index n_lanes_;
    Index n_columns_;
    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    std::vector<std::int32_t> targets_, drawn_;
    std::vector<Scalar> weights_, log_q_;
    Duplicates duplicates_ = Duplicates::keep;
};

/// Hidden states as padded lanes and as rows. If the table has a last column of biases, each state ends with a 1.
template <class Scalar>
class PaddedStates {
  public:
    /// @param width  columns of the table: H, or H + 1 with biases
    template <class Derived>
    PaddedStates(const Eigen::MatrixBase<Derived>& h, Index width)
        : stride_(row_stride<Scalar>(h.rows())), lanes_(stride_ * width), rows_(h.rows(), width) {
        rows_.map().leftCols(h.cols()) = h;
        rows_.map().rightCols(width - h.cols()).setOnes();
        lanes().map(h.rows(), width) = rows_.map();
    }

    [[nodiscard]] LaneMatrix<Scalar> lanes() noexcept { return {lanes_.data(), stride_}; }
    [[nodiscard]] Rows<const Scalar> rows() const noexcept { return {rows_.data(), rows_.stride()}; }

  private:
    Index stride_;
    AlignedBuffer<Scalar> lanes_;
    PaddedMatrix<Scalar> rows_;
};

/// @throws ConfigError unless h, table and candidates belong together
template <class Scalar>
void check_candidates(const Shape& h, const Shape& table, const CandidateList<Scalar>& candidates) {
    if (h.rows != candidates.n_lanes()) {
        throw_shape("h", h, "(M, H)", {candidates.n_lanes(), h.cols});
    }
    if (table.cols != h.cols && table.cols != h.cols + 1) {
        throw_shape("table", table, "(V, H) or (V, H + 1)", {table.rows, h.cols});
    }
    for (const ItemIndex item : candidates.items()) {
        require_row(item, table.rows);
    }
}

template <class Loss, class Scalar>
constexpr void require_ranking_loss() noexcept {
    static_assert(RankingLoss<Loss, Scalar>,
                  "gru4rec: Loss must be callable as Scalar(const ScoreBlock<Scalar>&) const, with the Scalar of the "
                  "matrices (docs/extend.md)");
}

}  // namespace detail

/// The loss of given scores, and its gradient.
///
/// @param loss     any RankingLoss: CrossEntropy, Bpr, Top1, BprMax, Top1Max or the user's own
/// @param scores   (M, columns); not changed
/// @param columns  what the columns stand for; by default column m is the target of lane m
/// @throws ConfigError for spans of the wrong length or columns out of range
/// @complexity O(M columns)
template <class Loss, class Derived>
[[nodiscard]] LossOfScores<typename Derived::Scalar> in_batch_loss(
    const Loss& loss, const Eigen::MatrixBase<Derived>& scores,
    const ScoreColumns<typename Derived::Scalar>& columns = {}) {
    using Scalar = typename Derived::Scalar;
    detail::require_ranking_loss<Loss, Scalar>();
    detail::PaddedScores<Scalar> block(scores.rows(), scores.cols());
    block.set(columns);
    block.scores().map(scores.rows(), scores.cols()) = scores;
    LossOfScores<Scalar> result;
    result.loss = block.run(loss);
    result.d_scores = block.d_scores().map(scores.rows(), scores.cols());
    return result;
}

/// A loss and its gradients with respect to the hidden states and the item table.
template <class Scalar>
struct InBatchGradients {
    Scalar loss = 0;                 ///< summed over the lanes
    Matrix<Scalar> d_h;              ///< (M, H)
    SparseGradient<Scalar> d_table;  ///< of the candidates' rows, as wide as the table
};

/// The loss of hidden states, and its gradients. W and b are the rows of the candidates in the table. The scores are
/// R = h W^T + b; the loss gives dR; then d_h = dR W and d_table = dR^T [h | 1].
///
/// @param h           (M, H)
/// @param table       the output weights of the items, row-major: (V, H), or (V, H + 1) with biases in the last column
/// @param candidates  built for the same M lanes
/// @throws ConfigError for wrong shapes, or a candidate that has no row in the table
/// @complexity O(M K H), never O(V)
template <class Loss, class DerivedH, class DerivedTable>
[[nodiscard]] InBatchGradients<typename DerivedH::Scalar> in_batch_loss(
    const Loss& loss, const Eigen::MatrixBase<DerivedH>& h, const Eigen::MatrixBase<DerivedTable>& table,
    const CandidateList<typename DerivedH::Scalar>& candidates) {
    using Scalar = typename DerivedH::Scalar;
    detail::require_ranking_loss<Loss, Scalar>();
    detail::check_candidates(detail::shape_of(h), detail::shape_of(table), candidates);
    const auto values = detail::table_ref(table);
    const Index n_lanes = h.rows();
    const Index width = values.cols();
    const detail::Range columns{0, candidates.n_columns()};
    const detail::Rows<const Scalar> rows{values.data(), values.outerStride(), candidates.items().data()};
    detail::PaddedStates<Scalar> states(h, width);
    detail::PaddedScores<Scalar> block(n_lanes, columns.end);
    block.set({candidates.target_columns(), candidates.weights(), candidates.log_q(), candidates.drawn_columns(),
               candidates.duplicates()});

    detail::parallel_ranges(detail::unit_chunks(columns.end, block.lanes(), width), [&](Index begin, Index end) {
        detail::multiply_rows<Scalar>({rows, {begin, end}, {0, width}}, states.lanes(), block.lanes(), block.scores());
    });
    InBatchGradients<Scalar> result;
    result.loss = block.run(loss);
    detail::multiply_back<Scalar>(block.d_scores(), {rows, columns, {0, h.cols()}}, block.lanes(), states.lanes());
    result.d_h = states.lanes().map(n_lanes, h.cols());

    const Index n_distinct = candidates.n_distinct();
    RowMatrix<Scalar> d_rows =
        detail::outer_product<Scalar>({block.d_scores(), states.rows(), n_lanes}, columns.end, width);
    for (Index j = n_distinct; j < columns.end; ++j) {
        d_rows.row(candidates.first_column(j)) += d_rows.row(j);
    }
    result.d_table.items.assign(candidates.items().begin(), candidates.items().begin() + n_distinct);
    result.d_table.rows = d_rows.topRows(n_distinct);
    return result;
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
