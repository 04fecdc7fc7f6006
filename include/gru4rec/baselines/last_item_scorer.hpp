#ifndef GRU4REC_BASELINES_LAST_ITEM_SCORER_HPP
#define GRU4REC_BASELINES_LAST_ITEM_SCORER_HPP

#include "gru4rec/baselines/popularity_order.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// An item that speaks for another, and how loudly.
struct WeightedItem {
    ItemIndex item;
    float weight;  ///< > 0
};

namespace detail {

using WeightedItemLists = PackedLists<WeightedItem>;  // list i: of the item numbered i

/// Sums by item, most of which are zero.
class SparseSums {
  public:
    explicit SparseSums(Index n_items) : sums_(static_cast<std::size_t>(n_items), 0) {}

    /// @pre value > 0
    void add(ItemIndex item, double value) {
        double& sum = sums_[static_cast<std::size_t>(item)];
        if (sum == 0) {
            touched_.push_back(item);
        }
        sum += value;
    }

    /// Calls `use(item, sum)` for every item with a sum, by index, and forgets them.
    template <class Use>
    void drain(const Use& use) {
        std::ranges::sort(touched_);
        for (const ItemIndex item : touched_) {
            use(item, std::exchange(sums_[static_cast<std::size_t>(item)], 0));
        }
        touched_.clear();
    }

  private:
    std::vector<double> sums_;
    std::vector<ItemIndex> touched_;
};

}  // namespace detail

/// Ranks items by their weight in the list of the session's last item, all others behind them by popularity.
///
/// Copies share the lists and have a session of their own.
class LastItemScorer {
  public:
    /// Starts a new session.
    void reset() noexcept { last_ = no_item; }

    void observe(ItemIndex item) noexcept { last_ = item; }

    /// A score for every item, higher is better, (V): the weight, plus a popularity below 1e-6. Before the first event
    /// of a session, and after an item without a list, popularity alone.
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == tables_->popularity.size());
        std::copy(tables_->popularity.begin(), tables_->popularity.end(), out.begin());
        if (last_ != no_item) {
            for (const WeightedItem& entry : weighted_items(last_)) {
                out[static_cast<std::size_t>(entry.item)] += double{entry.weight};
            }
        }
    }

    /// The list of `item`, by item index.
    [[nodiscard]] std::span<const WeightedItem> weighted_items(ItemIndex item) const noexcept {
        return tables_->lists[to_index(item)];
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(tables_->popularity.size()); }

  protected:
    LastItemScorer(const Dataset& train, detail::WeightedItemLists lists)
        : tables_(std::make_shared<const Tables>(Tables{detail::small_popularity_order(train), std::move(lists)})) {}

  private:
    static constexpr ItemIndex no_item{-1};

    struct Tables {
        std::vector<double> popularity;
        detail::WeightedItemLists lists;
    };

    std::shared_ptr<const Tables> tables_;
    ItemIndex last_ = no_item;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
