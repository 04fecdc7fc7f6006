#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_OPTIONS_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_OPTIONS_HPP

#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/serve/recommend_options.hpp"
#include "support/naive/matrix.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

/// What a request leaves out, with the memory that RecommendOptions refers to.
struct DrawnOptions {
    gru4rec::Index n = 0;
    std::shared_ptr<const gru4rec::ItemFilter> filter = {};
    std::vector<gru4rec::ItemIndex> exclude = {};
    std::optional<std::vector<gru4rec::ItemIndex>> only = {};

    [[nodiscard]] gru4rec::RecommendOptions options() const {
        gru4rec::RecommendOptions result{.n = n, .filter = filter.get(), .exclude = exclude};
        if (only) {
            result.only = *only;
        }
        return result;
    }
};

/// Draws a number below n.
[[nodiscard]] inline gru4rec::Index drawn_below(naive::Engine& engine, gru4rec::Index n) {
    return static_cast<gru4rec::Index>(naive::uniform_index(engine, static_cast<std::size_t>(n)));
}

/// A filter that leaves out from nothing to everything: single items, or stretches of neighbours.
[[nodiscard]] inline std::shared_ptr<const gru4rec::ItemFilter> drawn_filter(naive::Engine& engine,
                                                                             gru4rec::Index n_items) {
    constexpr double shares[] = {0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    const double share = shares[naive::uniform_index(engine, std::size(shares))];
    const gru4rec::Index stretch = naive::uniform(engine) < 0.5 ? 1 : 1 + drawn_below(engine, 300);
    gru4rec::ItemFilter filter(n_items);
    for (gru4rec::Index first = 0; first < n_items; first += stretch) {
        if (naive::uniform(engine) < share) {
            for (gru4rec::Index i = first; i < (std::min)(first + stretch, n_items); ++i) {
                filter.forbid(gru4rec::to_item(i));
            }
        }
    }
    return std::make_shared<const gru4rec::ItemFilter>(std::move(filter));
}

/// Items in any order, some of them several times.
[[nodiscard]] inline std::vector<gru4rec::ItemIndex> drawn_items(naive::Engine& engine, gru4rec::Index n_items,
                                                                 gru4rec::Index count) {
    std::vector<gru4rec::ItemIndex> items;
    for (gru4rec::Index i = 0; i < count; ++i) {
        const bool again = !items.empty() && naive::uniform(engine) < 0.2;
        items.push_back(again ? items[naive::uniform_index(engine, items.size())]
                              : gru4rec::to_item(drawn_below(engine, n_items)));
    }
    return items;
}

/// Every combination of filter and lists, from nothing to everything left out; lists from empty to the whole catalogue.
///
/// @param filters  one of which is taken
[[nodiscard]] inline DrawnOptions drawn_options(naive::Engine& engine, gru4rec::Index n_items,
                                                std::span<const std::shared_ptr<const gru4rec::ItemFilter>> filters) {
    const auto one_in = [&](int n) { return naive::uniform_index(engine, static_cast<std::size_t>(n)) == 0; };
    constexpr gru4rec::Index lengths[] = {0, 1, 5, 20, 20, 100};
    DrawnOptions drawn{.n = one_in(50) ? n_items + 3 : lengths[naive::uniform_index(engine, std::size(lengths))]};
    if (!one_in(4)) {
        drawn.filter = filters[naive::uniform_index(engine, filters.size())];
    }
    if (!one_in(3)) {
        const gru4rec::Index most = one_in(20) ? (std::min)(2 * n_items, gru4rec::Index{5000}) : 30;
        drawn.exclude = drawn_items(engine, n_items, drawn_below(engine, most + 1));
    }
    if (one_in(4)) {
        const gru4rec::Index most = one_in(10) ? (std::min)(2 * n_items, gru4rec::Index{5000}) : 100;
        drawn.only = drawn_items(engine, n_items, drawn_below(engine, most + 1));
    }
    return drawn;
}

/// What the options leave of a ranking of the whole catalogue.
template <class Scalar>
[[nodiscard]] std::vector<gru4rec::Recommendation<Scalar>> filtered(
    std::span<const gru4rec::Recommendation<Scalar>> ranking, const DrawnOptions& drawn) {
    const std::set<gru4rec::ItemIndex> excluded(drawn.exclude.begin(), drawn.exclude.end());
    std::set<gru4rec::ItemIndex> only;
    if (drawn.only) {
        only.insert(drawn.only->begin(), drawn.only->end());
    }
    std::vector<gru4rec::Recommendation<Scalar>> left;
    for (const auto& entry : ranking) {
        if (static_cast<gru4rec::Index>(left.size()) == drawn.n) {
            break;
        }
        if ((drawn.filter == nullptr || drawn.filter->allows(entry.item)) && excluded.count(entry.item) == 0 &&
            (!drawn.only || only.count(entry.item) != 0)) {
            left.push_back(entry);
        }
    }
    return left;
}

#endif
