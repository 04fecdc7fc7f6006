#ifndef GRU4REC_BATCH_CANDIDATES_HPP
#define GRU4REC_BATCH_CANDIDATES_HPP

#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

struct TargetOfLane {
    ItemIndex item{};
    std::int32_t lane = 0;
};

/// @complexity O(M log M), no allocation
GRU4REC_INLINE void sort_by_item(std::span<TargetOfLane> targets) noexcept;

#if GRU4REC_DEFINITIONS
GRU4REC_INLINE void sort_by_item(std::span<TargetOfLane> targets) noexcept {
    std::sort(targets.begin(), targets.end(),
              [](const TargetOfLane& a, const TargetOfLane& b) { return a.item < b.item; });
}
#endif

/// The candidates of a step: the targets of all lanes and the drawn items. Equal candidates share a column, except that
/// a target that was also drawn has a second column, its twin, because its logQ correction differs.
///
///     columns   [ distinct items, ascending | twins, ascending ]
///                 0 .. n_distinct-1           .. n_columns-1
template <class Scalar>
class Candidates {
  public:
    /// @param max_lanes  B
    /// @param alpha      items are drawn ~ support^alpha
    /// @param logq       strength of the logQ correction; 0: no log_q()
    GRU4REC_NOINLINE Candidates(std::span<const std::int64_t> supports, Index max_lanes, Index n_sample, double alpha,
                                double logq)
        : alpha_(static_cast<Scalar>(alpha)) {
        const auto lanes = static_cast<std::size_t>(max_lanes);
        const auto n = static_cast<std::size_t>(max_lanes + n_sample);
        items_.resize(n);
        weight_.resize(n);
        sorted_targets_.resize(lanes);
        target_column_.resize(lanes);
        drawn_column_.resize(lanes);
        twins_.resize(lanes);
        if (logq > 0) {
            log_q_.resize(n);
            // Items of support 0 keep 0: they can only be drawn if alpha is 0, with q = 0^0 = 1, and are never targets.
            log_support_ = AlignedBuffer<Scalar>(static_cast<Index>(supports.size()));
            for (std::size_t i = 0; i < supports.size(); ++i) {
                if (supports[i] > 0) {
                    log_support_[static_cast<Index>(i)] =
                        static_cast<Scalar>(logq * std::log(static_cast<double>(supports[i])));
                }
            }
        }
    }

    /// @complexity O(M log M + n_sample), no allocation
    void build(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
        const auto n_lanes = static_cast<Index>(targets.size());
        const auto n_drawn = static_cast<Index>(drawn.items.size());
        sort_targets(targets);
        n_distinct_ = 0;
        n_twins_ = 0;
        n_candidates_ = 0;
        Index next_drawn = 0;
        for (Index t = 0; t < n_lanes;) {
            const ItemIndex item = at(sorted_targets_, t).item;
            const auto found = std::lower_bound(drawn.items.begin() + next_drawn, drawn.items.end(), item);
            const Index before = found - drawn.items.begin();
            append_drawn(drawn, next_drawn, before);
            const bool is_drawn = before < n_drawn && at(drawn.items, before) == item;
            t = append_target(t, n_lanes, is_drawn ? before : Index{-1});
            next_drawn = before + (is_drawn ? 1 : 0);
        }
        append_drawn(drawn, next_drawn, n_drawn);
        n_columns_ = n_distinct_;
        for (Index twin = 0; twin < n_twins_; ++twin) {
            const Index i = at(twins_, twin).drawn;
            append(n_columns_++, at(drawn.items, i), at(drawn.counts, i), alpha_);
        }
        for (Index lane = 0; lane < n_lanes; ++lane) {
            std::int32_t& column = at(drawn_column_, lane);
            column += column >= 0 ? static_cast<std::int32_t>(n_distinct_) : 0;
        }
    }

    [[nodiscard]] std::span<const ItemIndex> items() const noexcept {
        return {items_.data(), static_cast<std::size_t>(n_columns_)};
    }
    [[nodiscard]] Index n_columns() const noexcept { return n_columns_; }
    /// Number of columns of distinct items; each column after them repeats a target.
    [[nodiscard]] Index n_distinct() const noexcept { return n_distinct_; }
    [[nodiscard]] Scalar n_candidates() const noexcept { return n_candidates_; }
    [[nodiscard]] const Scalar* weight() const noexcept { return weight_.data(); }
    [[nodiscard]] const Scalar* log_q() const noexcept { return log_q_.empty() ? nullptr : log_q_.data(); }
    [[nodiscard]] const std::int32_t* target_column() const noexcept { return target_column_.data(); }
    [[nodiscard]] const std::int32_t* drawn_column() const noexcept { return drawn_column_.data(); }

    /// The first column of an item, or -1. @complexity O(log n_distinct)
    [[nodiscard]] Index column_of(ItemIndex item) const noexcept {
        const Index column = first_column_from(item);
        return column < n_distinct_ && at(items_, column) == item ? column : Index{-1};
    }

    /// The target's column that column `j` >= n_distinct repeats.
    [[nodiscard]] Index repeated_target(Index j) const noexcept { return at(twins_, j - n_distinct_).column; }

    /// The columns of items begin .. end - 1. @complexity O(log n_columns)
    [[nodiscard]] CandidateColumns columns_of(Index begin, Index end) const noexcept {
        const Range items{first_column_from(to_item(begin)), first_column_from(to_item(end))};
        return {items, {first_twin_from(items.begin), first_twin_from(items.end)}};
    }

  private:
    struct Twin {
        std::int32_t column = 0;  ///< of the target
        std::int32_t drawn = 0;   ///< its place among the drawn items
    };

    void sort_targets(std::span<const ItemIndex> targets) noexcept {
        for (std::size_t lane = 0; lane < targets.size(); ++lane) {
            sorted_targets_[lane] = {targets[lane], static_cast<std::int32_t>(lane)};
        }
        sort_by_item(std::span(sorted_targets_).first(targets.size()));
    }

    void append(Index column, ItemIndex item, Index weight, Scalar q_exponent) {
        at(items_, column) = item;
        at(weight_, column) = static_cast<Scalar>(weight);
        n_candidates_ += static_cast<Scalar>(weight);
        if (!log_q_.empty()) {
            at(log_q_, column) = q_exponent * log_support_[to_index(item)];
        }
    }

    /// Drawn items begin .. end - 1, none of which is a target.
    GRU4REC_NOINLINE void append_drawn(const DrawnItems& drawn, Index begin, Index end) {
        constexpr Index ahead = 32;  // supports of a large catalogue come from memory
        const Index last = static_cast<Index>(drawn.items.size()) - 1;
        for (Index i = begin; i < end; ++i) {
            if (!log_q_.empty()) {
                prefetch<Access::read>(log_support_.data() + to_index(at(drawn.items, (std::min)(i + ahead, last))));
            }
            append(n_distinct_++, at(drawn.items, i), at(drawn.counts, i), alpha_);
        }
    }

    /// The target of sorted lane `begin` and of all that have the same, which is drawn item number `drawn` or -1.
    /// Returns the sorted lane after them.
    GRU4REC_NOINLINE Index append_target(Index begin, Index n_lanes, Index drawn) {
        const ItemIndex item = at(sorted_targets_, begin).item;
        Index t = begin;
        for (; t < n_lanes && at(sorted_targets_, t).item == item; ++t) {
            const std::int32_t lane = at(sorted_targets_, t).lane;
            at(target_column_, lane) = static_cast<std::int32_t>(n_distinct_);
            at(drawn_column_, lane) = drawn >= 0 ? static_cast<std::int32_t>(n_twins_) : -1;  // for now a twin's number
        }
        if (drawn >= 0) {
            at(twins_, n_twins_++) = {static_cast<std::int32_t>(n_distinct_), static_cast<std::int32_t>(drawn)};
        }
        append(n_distinct_++, item, t - begin, Scalar(1));
        return t;
    }

    [[nodiscard]] Index first_column_from(ItemIndex item) const noexcept {
        return std::lower_bound(items_.begin(), items_.begin() + n_distinct_, item) - items_.begin();
    }

    /// The first twin of a target in column `column` or after it.
    [[nodiscard]] Index first_twin_from(Index column) const noexcept {
        const auto found = std::lower_bound(twins_.begin(), twins_.begin() + n_twins_, column,
                                            [](const Twin& twin, Index wanted) { return twin.column < wanted; });
        return n_distinct_ + (found - twins_.begin());
    }

    Scalar alpha_;
    std::vector<ItemIndex> items_;
    std::vector<Scalar> weight_;
    std::vector<Scalar> log_q_;
    AlignedBuffer<Scalar> log_support_;  // by item: logq log(support)
    std::vector<TargetOfLane> sorted_targets_;
    std::vector<std::int32_t> target_column_;
    std::vector<std::int32_t> drawn_column_;
    std::vector<Twin> twins_;
    Index n_distinct_ = 0;
    Index n_twins_ = 0;
    Index n_columns_ = 0;
    Scalar n_candidates_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
