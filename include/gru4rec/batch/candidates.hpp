#ifndef GRU4REC_BATCH_CANDIDATES_HPP
#define GRU4REC_BATCH_CANDIDATES_HPP

#include "gru4rec/batch/item_numbers.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/config.hpp"
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

/// The candidates of a step: the targets of all lanes and the drawn items. Equal candidates share a column, with two
/// exceptions in one: a target that was drawn as well keeps a second column, since the logQ correction differs.
///
///     columns   [ distinct targets | drawn items that are no target | drawn items that are one ]
///                 0 .. n_targets-1                                    n_distinct .. n_columns-1
template <class Scalar>
class Candidates {
  public:
    /// @param max_lanes  B
    /// @param logq       strength of the logQ correction; 0: no log_q
    /// @param alpha      drawn items are drawn ~ support^alpha
    GRU4REC_NOINLINE Candidates(std::span<const std::int64_t> supports, Index max_lanes, Index n_sample, double alpha,
                                double logq)
        : alpha_(static_cast<Scalar>(alpha)), target_slots_(max_lanes) {
        const auto n = static_cast<std::size_t>(max_lanes + n_sample);
        items_.resize(n);
        weight_.resize(n);
        target_column_.resize(static_cast<std::size_t>(max_lanes));
        drawn_column_.resize(static_cast<std::size_t>(max_lanes));
        twin_.resize(static_cast<std::size_t>(max_lanes));
        drawn_start_.resize(static_cast<std::size_t>(n_sample));
        if (logq > 0) {
            log_q_.resize(n);
            log_support_.reserve(supports.size());
            for (const std::int64_t support : supports) {
                // An item of support 0 is drawn where alpha is 0, with q = 0^0 = 1; it is never a target.
                log_support_.push_back(support > 0 ? static_cast<Scalar>(logq * std::log(static_cast<double>(support)))
                                                   : Scalar(0));
            }
        }
    }

    /// @complexity O(M + n_sample), no allocation
    void build(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
        target_slots_.clear();
        drawn_ = drawn.items;
        n_targets_ = 0;
        n_candidates_ = static_cast<Scalar>(targets.size());
        for (std::size_t lane = 0; lane < targets.size(); ++lane) {
            const auto column = target_slots_.find_or_insert(targets[lane], static_cast<std::int32_t>(n_targets_));
            if (column == n_targets_) {
                append(n_targets_++, targets[lane], 0, Scalar(1));
            }
            weight_[at(column)] += Scalar(1);
            target_column_[lane] = column;
        }
        place_drawn(drawn);
        for (std::size_t lane = 0; lane < targets.size(); ++lane) {
            drawn_column_[lane] = twin_[at(target_column_[lane])];
        }
    }

    [[nodiscard]] std::span<const ItemIndex> items() const noexcept { return {items_.data(), at(n_columns_)}; }
    [[nodiscard]] Index n_columns() const noexcept { return n_columns_; }
    /// Columns of distinct items; those behind them repeat a target.
    [[nodiscard]] Index n_distinct() const noexcept { return n_distinct_; }
    [[nodiscard]] Scalar n_candidates() const noexcept { return n_candidates_; }
    [[nodiscard]] const Scalar* weight() const noexcept { return weight_.data(); }
    [[nodiscard]] const Scalar* log_q() const noexcept { return log_q_.empty() ? nullptr : log_q_.data(); }
    [[nodiscard]] const std::int32_t* target_column() const noexcept { return target_column_.data(); }
    [[nodiscard]] const std::int32_t* drawn_column() const noexcept { return drawn_column_.data(); }

    /// The first column of an item, or -1.
    [[nodiscard]] Index column_of(ItemIndex item) const noexcept {
        if (const std::int32_t column = target_slots_.find(item); column >= 0) {
            return column;
        }
        const auto found = std::lower_bound(drawn_.begin(), drawn_.end(), item);
        return found != drawn_.end() && *found == item ? drawn_start_[static_cast<std::size_t>(found - drawn_.begin())]
                                                       : Index{-1};
    }

    /// The target's column that column `j` >= n_distinct repeats.
    [[nodiscard]] Index repeated_target(Index j) const noexcept { return column_of(items_[at(j)]); }

  private:
    [[nodiscard]] static std::size_t at(Index i) noexcept { return static_cast<std::size_t>(i); }
    [[nodiscard]] static std::size_t at(std::int32_t i) noexcept { return static_cast<std::size_t>(i); }

    void append(Index column, ItemIndex item, Index weight, Scalar q_exponent) {
        items_[at(column)] = item;
        weight_[at(column)] = static_cast<Scalar>(weight);
        if (!log_q_.empty()) {
            log_q_[at(column)] = q_exponent * log_support_[static_cast<std::size_t>(to_index(item))];
        }
    }

    void place_drawn(const DrawnItems& drawn) {
        std::fill_n(twin_.begin(), n_targets_, -1);
        n_distinct_ = n_targets_;
        Index n_twins = 0;
        for (std::size_t i = 0; i < drawn.items.size(); ++i) {
            if (const std::int32_t target = target_slots_.find(drawn.items[i]); target >= 0) {
                twin_[at(target)] = static_cast<std::int32_t>(i);
                ++n_twins;
                drawn_start_[i] = target;
            } else {
                drawn_start_[i] = static_cast<std::int32_t>(n_distinct_);
                append(n_distinct_++, drawn.items[i], drawn.counts[i], alpha_);
            }
            n_candidates_ += static_cast<Scalar>(drawn.counts[i]);
        }
        n_columns_ = n_distinct_;
        for (Index target = 0; n_twins > 0 && target < n_targets_; ++target) {
            std::int32_t& twin = twin_[at(target)];
            if (twin >= 0) {
                const auto i = at(twin);
                append(n_columns_, drawn.items[i], drawn.counts[i], alpha_);
                twin = static_cast<std::int32_t>(n_columns_++);
            }
        }
    }

    Scalar alpha_;
    ItemSlots target_slots_;
    std::vector<ItemIndex> items_;
    std::vector<Scalar> weight_;
    std::vector<Scalar> log_q_;
    std::vector<Scalar> log_support_;  // logq log support, per item
    std::vector<std::int32_t> target_column_;
    std::vector<std::int32_t> drawn_column_;
    std::vector<std::int32_t> twin_;         // per target column: its second column, or -1
    std::vector<std::int32_t> drawn_start_;  // per drawn item: its first column
    std::span<const ItemIndex> drawn_;
    Index n_targets_ = 0;
    Index n_distinct_ = 0;
    Index n_columns_ = 0;
    Scalar n_candidates_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
