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

/// The candidates of a step: the targets of all lanes and the drawn items. Equal candidates share a column, except that
/// a target that was also drawn has a second column, because its logQ correction differs.
///
///     columns   [ distinct targets | drawn items that are not targets | drawn items that are ]
///                 0 .. n_targets-1                                    n_distinct .. n_columns-1
template <class Scalar>
class Candidates {
  public:
    /// @param max_lanes  B
    /// @param alpha      items are drawn ~ support^alpha
    /// @param logq       strength of the logQ correction; 0: no log_q()
    GRU4REC_NOINLINE Candidates(std::span<const std::int64_t> supports, Index max_lanes, Index n_sample, double alpha,
                                double logq)
        : alpha_(static_cast<Scalar>(alpha)), column_of_target_(max_lanes) {
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
                // An item of support 0 can only be drawn if alpha is 0, with q = 0^0 = 1; it is never a target.
                log_support_.push_back(support > 0 ? static_cast<Scalar>(logq * std::log(static_cast<double>(support)))
                                                   : Scalar(0));
            }
        }
    }

    /// @complexity O(M + n_sample), no allocation
    void build(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
        column_of_target_.clear();
        drawn_ = drawn.items;
        n_targets_ = 0;
        n_candidates_ = static_cast<Scalar>(targets.size());
        for (std::size_t lane = 0; lane < targets.size(); ++lane) {
            const auto column = column_of_target_.find_or_insert(targets[lane], static_cast<std::int32_t>(n_targets_));
            if (column == n_targets_) {
                append(n_targets_++, targets[lane], 0, Scalar(1));
            }
            at(weight_, column) += Scalar(1);
            target_column_[lane] = column;
        }
        place_drawn(drawn);
        for (std::size_t lane = 0; lane < targets.size(); ++lane) {
            drawn_column_[lane] = at(twin_, target_column_[lane]);
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

    /// The first column of an item, or -1.
    [[nodiscard]] Index column_of(ItemIndex item) const noexcept {
        if (const std::int32_t column = column_of_target_.find(item); column >= 0) {
            return column;
        }
        const auto found = std::lower_bound(drawn_.begin(), drawn_.end(), item);
        return found != drawn_.end() && *found == item ? at(drawn_start_, found - drawn_.begin()) : Index{-1};
    }

    /// The target's column that column `j` >= n_distinct repeats.
    [[nodiscard]] Index repeated_target(Index j) const noexcept { return column_of(at(items_, j)); }

  private:
    void append(Index column, ItemIndex item, Index weight, Scalar q_exponent) {
        at(items_, column) = item;
        at(weight_, column) = static_cast<Scalar>(weight);
        if (!log_q_.empty()) {
            at(log_q_, column) = q_exponent * at(log_support_, item);
        }
    }

    void place_drawn(const DrawnItems& drawn) {
        std::fill_n(twin_.begin(), n_targets_, -1);
        n_distinct_ = n_targets_;
        Index n_twins = 0;
        for (std::size_t i = 0; i < drawn.items.size(); ++i) {
            if (const std::int32_t target = column_of_target_.find(drawn.items[i]); target >= 0) {
                at(twin_, target) = static_cast<std::int32_t>(i);
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
            std::int32_t& twin = at(twin_, target);
            if (twin >= 0) {
                append(n_columns_, at(drawn.items, twin), at(drawn.counts, twin), alpha_);
                twin = static_cast<std::int32_t>(n_columns_++);
            }
        }
    }

    Scalar alpha_;
    ItemNumbers column_of_target_;
    std::vector<ItemIndex> items_;
    std::vector<Scalar> weight_;
    std::vector<Scalar> log_q_;
    std::vector<Scalar> log_support_;  // by item: logq log(support)
    std::vector<std::int32_t> target_column_;
    std::vector<std::int32_t> drawn_column_;
    std::vector<std::int32_t> twin_;         // by target column: its second column, or -1
    std::vector<std::int32_t> drawn_start_;  // by drawn item: its first column
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
