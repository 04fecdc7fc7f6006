#ifndef GRU4REC_BASELINES_ITEM_KNN_HPP
#define GRU4REC_BASELINES_ITEM_KNN_HPP

#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/session_sets.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Settings of ItemKnn.
struct ItemKnnOptions {
    Index n_neighbours = 100;    ///< similar items kept for each item, >= 1
    double regularisation = 20;  ///< lowers the similarity of rare items, >= 0; 0: plain cosine

    /// @throws ConfigError naming the option, its value and what is allowed
    void validate() const {
        if (n_neighbours < 1) {
            detail::throw_invalid("n_neighbours", n_neighbours, "n_neighbours >= 1");
        }
        if (!(regularisation >= 0 && std::isfinite(regularisation))) {
            detail::throw_invalid("regularisation", regularisation, "0 <= regularisation, finite");
        }
    }
};

/// Recommends items similar to the session's last item: "others who viewed this item also viewed these" (Item-KNN of
/// arXiv 1511.06939, section 4). All other items follow by popularity.
///
///     similarity(a, b) = n(a, b) / (sqrt(n(a) n(b)) + regularisation)
///
/// n(a) is the number of training sessions that contain a, n(a, b) of those that contain both. Repeated events of a
/// session count once. An item is not similar to itself. Copies share the lists and have independent sessions.
class ItemKnn : public detail::LastItemScorer {
  public:
    /// @throws ConfigError for options out of range
    /// @complexity O(sum over sessions of (distinct items)^2) time; 8 bytes per item and neighbour
    explicit ItemKnn(const Dataset& train, const ItemKnnOptions& options = {})
        : LastItemScorer(detail::small_popularity_order(train), similar_items(train, options)) {}

  private:
    [[nodiscard]] static detail::WeightedItemLists similar_items(const Dataset& train, const ItemKnnOptions& options) {
        options.validate();
        const detail::SessionSets sets(train);
        const auto n_sessions = [&](ItemIndex item) { return static_cast<double>(sets.sessions_of(item).size()); };
        detail::WeightedItemLists lists;
        detail::SparseSums together(train.n_items());
        std::vector<detail::WeightedItem> list;
        for (Index i = 0; i < train.n_items(); ++i) {
            const ItemIndex item = to_item(i);
            for (const std::int32_t session : sets.sessions_of(item)) {
                for (const ItemIndex other : sets.items_of(session)) {
                    together.add(other, 1);
                }
            }
            list.clear();
            together.drain([&](ItemIndex other, double count) {
                if (other != item) {
                    const double cosine_scale = std::sqrt(n_sessions(item) * n_sessions(other));
                    list.push_back({other, static_cast<float>(count / (cosine_scale + options.regularisation))});
                }
            });
            keep_largest(list, options.n_neighbours, train);
            lists.push_back(list);
        }
        return lists;
    }

    /// Keeps the n entries of largest weight; of entries with equal weight, the more popular items. Leaves them ordered
    /// by item index.
    static void keep_largest(std::vector<detail::WeightedItem>& list, Index n, const Dataset& train) {
        using detail::WeightedItem;
        if (static_cast<Index>(list.size()) <= n) {
            return;
        }
        const auto support = [&](ItemIndex item) { return detail::at(train.supports(), item); };
        std::nth_element(list.begin(), list.begin() + n, list.end(), [&](const WeightedItem& a, const WeightedItem& b) {
            return a.weight != b.weight                 ? a.weight > b.weight
                   : support(a.item) != support(b.item) ? support(a.item) > support(b.item)
                                                        : a.item < b.item;
        });
        list.resize(static_cast<std::size_t>(n));
        std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.item < b.item; });
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
