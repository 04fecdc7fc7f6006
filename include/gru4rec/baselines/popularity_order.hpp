#ifndef GRU4REC_BASELINES_POPULARITY_ORDER_HPP
#define GRU4REC_BASELINES_POPULARITY_ORDER_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI::detail {

/// A number in (0, 1) for every item, (V), all different: the higher, the more popular; equal popularity is ordered by
/// item index. Added to whole counts, it orders the items that tie.
[[nodiscard]] inline std::vector<double> popularity_order(const Dataset& train) {
    std::vector<std::size_t> order(static_cast<std::size_t>(train.n_items()));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order,
                             [&](std::size_t a, std::size_t b) { return train.supports()[a] > train.supports()[b]; });
    std::vector<double> numbers(order.size());
    for (std::size_t place = 0; place < order.size(); ++place) {
        numbers[order[place]] = static_cast<double>(order.size() - place) / static_cast<double>(order.size() + 1);
    }
    return numbers;
}

/// Among scores that are no counts, popularity decides where they differ by less than this.
inline constexpr double popularity_share = 1e-6;

/// The same scaled to (0, popularity_share).
[[nodiscard]] inline std::vector<double> small_popularity_order(const Dataset& train) {
    std::vector<double> numbers = popularity_order(train);
    for (double& number : numbers) {
        number *= popularity_share;
    }
    return numbers;
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
