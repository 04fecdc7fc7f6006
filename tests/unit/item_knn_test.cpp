#include "gru4rec/baselines/item_knn.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/baselines.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::ItemKnn;
using gru4rec::to_item;
using gru4rec::detail::WeightedItem;

// Sessions a b a | a b c | c d, so that a=0 b=1 c=2 d=3 are in 2, 2, 2 and 1 sessions.
const Dataset small = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1, 2, 2, 2, 3, 3},
                                            std::vector<std::string>{"a", "b", "a", "a", "b", "c", "c", "d"},
                                            std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8});

TEST_CASE("similarity is the regularised cosine of the sessions, whatever the order and the number of events") {
    ItemKnn scorer(small, {.regularisation = 3});
    const auto similar = scorer.weighted_items(to_item(2));
    REQUIRE(similar.size() == 3);
    CHECK(to_index(similar[0].item) == 0);
    CHECK(similar[0].weight == doctest::Approx(1 / (2.0 + 3)));
    CHECK(to_index(similar[1].item) == 1);
    CHECK(similar[1].weight == doctest::Approx(1 / (2.0 + 3)));
    CHECK(to_index(similar[2].item) == 3);
    CHECK(similar[2].weight == doctest::Approx(1 / (std::sqrt(2.0) + 3)));
    CHECK(scorer.weighted_items(to_item(0))[0].weight == doctest::Approx(2 / (2.0 + 3)));
}

TEST_CASE("the last item alone decides; equal similarity and the rest are ordered by popularity") {
    ItemKnn scorer(small);
    CHECK(ranking(scores_after(scorer, {})) == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(ranking(scores_after(scorer, {1, 0, 2})) == std::vector<std::size_t>{3, 0, 1, 2});
    CHECK(ranking(scores_after(scorer, {3})) == std::vector<std::size_t>{2, 0, 1, 3});
}

TEST_CASE("regularisation turns a coincidence behind what occurred together often") {
    // x is in ten sessions, in eight of them with y; rare occurs once, with x.
    std::vector<std::int64_t> sessions;
    std::vector<std::string> items;
    for (std::int64_t s = 0; s < 10; ++s) {
        for (const std::string item : {"x", s < 8 ? "y" : "z", s == 9 ? "rare" : "x"}) {
            sessions.push_back(s);
            items.push_back(item);
        }
    }
    for (std::int64_t s = 10; s < 100; ++s) {  // y is in many others
        sessions.push_back(s);
        items.push_back("y");
    }
    const Dataset data = gru4rec::make_dataset(sessions, items, std::vector<std::int64_t>(sessions.size(), 0));
    const std::size_t x = 0;
    const std::size_t y = 1;
    const auto rare = static_cast<std::size_t>(*data.items().find("rare"));
    ItemKnn plain(data, {.regularisation = 0});
    CHECK(scores_after(plain, {x})[rare] > scores_after(plain, {x})[y]);
    ItemKnn regularised(data);
    CHECK(scores_after(regularised, {x})[rare] < scores_after(regularised, {x})[y]);
}

TEST_CASE("scores of random sessions are those of counting all pairs") {
    for (const double regularisation : {0.0, 20.0}) {
        constexpr std::uint64_t seed = 5;
        CAPTURE(seed);
        CAPTURE(regularisation);
        const Dataset data = random_sessions(150, 25, seed);
        const std::vector<naive::Session> sessions = sessions_by_time(data);
        const auto n_items = static_cast<std::size_t>(data.n_items());
        ItemKnn scorer(data, {.regularisation = regularisation});
        for (std::size_t item = 0; item < n_items; ++item) {
            const std::vector<double> expected = naive::item_knn(sessions, item, n_items, regularisation);
            const std::vector<double> scores = scores_after(scorer, {item});
            for (std::size_t i = 0; i < n_items; ++i) {
                // A weight in float, and a popularity in (0, 1e-6).
                CHECK(scores[i] > expected[i] * (1 - 1e-7));
                CHECK(scores[i] < expected[i] * (1 + 1e-7) + 1e-6);
            }
        }
    }
}

TEST_CASE("only the most similar items are kept, of equal ones the popular") {
    const Dataset data = random_sessions(150, 25, 6);
    const ItemKnn all(data);
    const ItemKnn few(data, {.n_neighbours = 4});
    for (Index i = 0; i < data.n_items(); ++i) {
        const auto whole = all.weighted_items(to_item(i));
        std::vector<WeightedItem> expected(whole.begin(), whole.end());
        std::stable_sort(expected.begin(), expected.end(), [&](const WeightedItem& a, const WeightedItem& b) {
            const auto support = [&](const WeightedItem& entry) {
                return data.supports()[static_cast<std::size_t>(entry.item)];
            };
            return a.weight != b.weight ? a.weight > b.weight : support(a) > support(b);
        });
        expected.resize(std::min(expected.size(), std::size_t{4}));
        const auto by_item = [](const WeightedItem& a, const WeightedItem& b) { return a.item < b.item; };
        std::sort(expected.begin(), expected.end(), by_item);
        const auto kept = few.weighted_items(to_item(i));
        CHECK(std::equal(kept.begin(), kept.end(), expected.begin(), expected.end(),
                         [](const WeightedItem& a, const WeightedItem& b) { return a.item == b.item; }));
    }
}

TEST_CASE("of equally similar items those with more events are kept, then those of lower index") {
    // One session of x and 40 others, which are all equally similar to x; the last of them occurs twice.
    std::vector<std::string> items{"x"};
    for (int i = 0; i < 40; ++i) {
        items.push_back(std::to_string(i));
    }
    items.push_back("39");
    std::vector<std::int64_t> times(items.size());
    std::iota(times.begin(), times.end(), std::int64_t{0});
    const ItemKnn scorer(gru4rec::make_dataset(std::vector<std::int64_t>(items.size(), 1), items, times),
                         {.n_neighbours = 10});
    std::vector<Index> kept;
    for (const WeightedItem& entry : scorer.weighted_items(to_item(0))) {
        kept.push_back(to_index(entry.item));
    }
    CHECK(kept == std::vector<Index>{1, 2, 3, 4, 5, 6, 7, 8, 9, 40});
}

TEST_CASE("options out of range are refused by name") {
    CHECK_THROWS_WITH_AS(ItemKnn(small, {.n_neighbours = 0}), doctest::Contains("n_neighbours = 0"),
                         std::invalid_argument);
    for (const double wrong :
         {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS_WITH_AS(ItemKnn(small, {.regularisation = wrong}), doctest::Contains("regularisation = "),
                             std::invalid_argument);
    }
}

TEST_CASE("an empty data set makes a scorer without items") {
    ItemKnn scorer{Dataset()};
    CHECK(scores_after(scorer, {}).empty());
}

}  // namespace
