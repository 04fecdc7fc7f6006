#ifndef GRU4REC_BASELINES_POPULARITY_HPP
#define GRU4REC_BASELINES_POPULARITY_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A different value in (0, 1) for every item, (V): higher for more events, and among equal ones for the lower item
/// index. Added to whole counts, it breaks their ties.
[[nodiscard]] inline std::vector<double> popularity_order(const Dataset& train) {
    const std::span<const std::int64_t> supports = train.supports();
    std::vector<Index> order(supports.size());
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return at(supports, a) > at(supports, b); });
    std::vector<double> values(order.size());
    for (std::size_t place = 0; place < order.size(); ++place) {
        at(values, order[place]) = static_cast<double>(order.size() - place) / static_cast<double>(order.size() + 1);
    }
    return values;
}

/// Popularity is scaled to less than this before it is added to scores that are not whole numbers. It orders equal
/// scores, and may order scores that are closer than this.
inline constexpr double popularity_share = 1e-6;

/// popularity_order scaled to (0, popularity_share).
[[nodiscard]] inline std::vector<double> small_popularity_order(const Dataset& train) {
    std::vector<double> values = popularity_order(train);
    for (double& value : values) {
        value *= popularity_share;
    }
    return values;
}

}  // namespace detail

/// Recommends popular items, whatever the session contains: an item's score is its number of training events, and equal
/// numbers tie (POP of arXiv 1511.06939, section 4).
///
/// Copies share the numbers of events.
class Popularity {
  public:
    /// Copies the number of events of each item; does not refer to `train` afterwards.
    explicit Popularity(const Dataset& train)
        : supports_(std::make_shared<const std::vector<double>>(train.supports().begin(), train.supports().end())) {}

    /// Starts a new session.
    void reset() noexcept {}

    /// Does nothing: the scores do not depend on the session.
    void observe(ItemIndex) noexcept {}

    /// A score for every item, higher is better. @pre out.size() == n_items()
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == supports_->size());
        std::copy(supports_->begin(), supports_->end(), out.begin());
    }

    /// V of the training data.
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(supports_->size()); }

  private:
    std::shared_ptr<const std::vector<double>> supports_;
};

/// Recommends the most frequent items of the session itself (S-POP of arXiv 1511.06939, section 4). Ties, and all items
/// that the session does not contain, are ordered by popularity in training, then the lower item index first.
///
/// Copies share the order of the items and have independent sessions.
class SessionPopularity {
  public:
    /// Copies the order of the items by popularity; does not refer to `train` afterwards.
    /// @complexity O(V log V)
    explicit SessionPopularity(const Dataset& train)
        : popularity_(std::make_shared<const std::vector<double>>(detail::popularity_order(train))) {}

    /// Starts a new session.
    void reset() noexcept { session_.clear(); }

    /// Adds an event to the session. @pre item < n_items()
    void observe(ItemIndex item) { session_.push_back(item); }

    /// A score for every item: its count in the session plus a popularity below 1. @pre out.size() == n_items()
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == popularity_->size());
        std::copy(popularity_->begin(), popularity_->end(), out.begin());
        for (const ItemIndex item : session_) {
            detail::at(out, item) += 1;
        }
    }

    /// V of the training data.
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(popularity_->size()); }

  private:
    std::shared_ptr<const std::vector<double>> popularity_;
    std::vector<ItemIndex> session_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
