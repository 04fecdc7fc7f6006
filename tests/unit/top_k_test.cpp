#include "gru4rec/core/top_k.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::Recommendation;
using gru4rec::to_item;
using gru4rec::detail::TopK;

constexpr double no = std::numeric_limits<double>::quiet_NaN();

std::vector<int> items_of(std::span<const Recommendation<double>> list) {
    std::vector<int> result;
    for (const Recommendation<double>& entry : list) {
        result.push_back(static_cast<int>(entry.item));
    }
    return result;
}

std::vector<int> best(TopK<double>& top, Index n, const std::vector<double>& scores) {
    top.start(n);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        top.offer(to_item(static_cast<Index>(i)), scores[i]);
    }
    std::vector<int> result;
    for (const Recommendation<double>& entry : top.finish()) {
        result.push_back(static_cast<int>(entry.item));
        const double wanted = scores[static_cast<std::size_t>(entry.item)];
        CHECK((entry.score == wanted || (std::isnan(entry.score) && std::isnan(wanted))));
    }
    return result;
}

}  // namespace

TEST_CASE("the best come first, equal scores by lower item, NaN last of all") {
    TopK<double> top;
    CHECK(best(top, 3, {0.5, 2, -1, 2, 1}) == std::vector{1, 3, 4});
    CHECK(best(top, 9, {0.5, 2, -1, 2, 1}) == std::vector{1, 3, 4, 0, 2});
    CHECK(best(top, 5, {no, -1e300, no, 7, -std::numeric_limits<double>::infinity()}) == std::vector{3, 1, 4, 0, 2});
    CHECK(best(top, 2, {no, no, no}) == std::vector{0, 1});
    CHECK(best(top, 2, {0.0, -0.0, 0.0}) == std::vector{0, 1});
    CHECK(best(top, 1, {no, 3}) == std::vector{1});
}

TEST_CASE("lists of length zero, streams shorter than the list, and reuse for a second stream") {
    TopK<double> top;
    CHECK(best(top, 0, {1, 2}).empty());
    CHECK(best(top, -3, {1, 2}).empty());
    CHECK(best(top, 4, {}).empty());
    CHECK(best(top, 4, {3, 1}) == std::vector{0, 1});
    CHECK(best(top, 2, {1, 0, -5}) == std::vector{0, 1});
}

TEST_CASE("the order in which items are offered makes no difference") {
    naive::Engine engine(3);
    for (int round = 0; round < 50; ++round) {
        std::vector<Recommendation<float>> items;
        for (Index i = 0; i < 60; ++i) {
            const double u = naive::uniform(engine);
            items.push_back({to_item(i), u < 0.1 ? std::numeric_limits<float>::quiet_NaN()
                                                 : static_cast<float>(naive::uniform_index(engine, 12))});
        }
        auto sorted = items;
        std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
            const bool a_is_none = std::isnan(a.score);
            const bool b_is_none = std::isnan(b.score);
            if (a_is_none || b_is_none) {
                return a_is_none == b_is_none ? a.item < b.item : b_is_none;
            }
            return a.score != b.score ? a.score > b.score : a.item < b.item;
        });
        for (std::size_t i = items.size(); i > 1; --i) {
            std::swap(items[i - 1], items[naive::uniform_index(engine, i)]);
        }
        TopK<float> top;
        top.start(25);
        for (const auto& entry : items) {
            top.offer(entry.item, entry.score);
        }
        const auto result = top.finish();
        REQUIRE(result.size() == 25);
        for (std::size_t i = 0; i < 25; ++i) {
            CHECK(result[i].item == sorted[i].item);
        }
    }
}

TEST_CASE("a range or an array of items is the same as one item after another") {
    naive::Engine engine(4);
    for (const std::size_t n_scores : std::vector<std::size_t>{0, 1, 15, 16, 17, 50, 160}) {
        for (const Index n : {0, 1, 5, 16, 200}) {
            std::vector<double> scores;
            for (std::size_t i = 0; i < n_scores; ++i) {
                scores.push_back(naive::uniform(engine) < 0.2 ? no
                                                              : static_cast<double>(naive::uniform_index(engine, 9)));
            }
            TopK<double> one_by_one;
            const std::vector<int> wanted = best(one_by_one, n, scores);
            TopK<double> ranged;
            ranged.start(n);
            const std::size_t cut = n_scores / 3;
            ranged.offer_range(to_item(0), std::span(scores).first(cut));
            ranged.offer_range(to_item(static_cast<Index>(cut)), std::span(scores).subspan(cut));
            CHECK(items_of(ranged.finish()) == wanted);
            TopK<double> listed;
            listed.start(n);
            std::vector<gru4rec::ItemIndex> items;
            for (std::size_t i = n_scores; i-- > 0;) {
                items.push_back(to_item(static_cast<Index>(i)));
            }
            const std::vector<double> backwards(scores.rbegin(), scores.rend());
            listed.offer_items(items, backwards);
            CHECK(items_of(listed.finish()) == wanted);
        }
    }
}

TEST_CASE("lists of the parts of a stream make the list of all of it") {
    naive::Engine engine(6);
    for (const std::size_t n_scores : std::vector<std::size_t>{0, 1, 15, 50, 160}) {
        for (const Index n : {0, 1, 5, 16, 200}) {
            std::vector<double> scores;
            for (std::size_t i = 0; i < n_scores; ++i) {
                scores.push_back(naive::uniform(engine) < 0.2 ? no
                                                              : static_cast<double>(naive::uniform_index(engine, 9)));
            }
            TopK<double> all;
            TopK<double> parts[2];
            for (TopK<double>& part : parts) {
                part.start(n);
            }
            for (std::size_t i = 0; i < n_scores; ++i) {
                parts[3 * i / (n_scores + 1) == 0 ? 0 : 1].offer(to_item(static_cast<Index>(i)), scores[i]);
            }
            parts[1].offer_all(parts[0]);  // the lower indices come last
            CHECK(items_of(parts[1].finish()) == best(all, n, scores));
        }
    }
}

TEST_CASE("of a range, the items enter the list whose bit is set") {
    naive::Engine engine(5);
    for (const std::size_t n_scores : std::vector<std::size_t>{0, 1, 15, 16, 17, 50, 64}) {
        for (const Index n : {0, 1, 5, 16, 200}) {
            TopK<double> one_by_one;
            TopK<double> ranged;
            one_by_one.start(n);
            ranged.start(n);
            for (int block = 0; block < 4; ++block) {
                const double share = static_cast<double>(block) / 3;
                std::vector<double> scores;
                std::uint64_t allowed = 0;
                for (std::size_t i = 0; i < n_scores; ++i) {
                    scores.push_back(
                        naive::uniform(engine) < 0.2 ? no : static_cast<double>(naive::uniform_index(engine, 9)));
                    if (naive::uniform(engine) < share) {
                        allowed |= std::uint64_t{1} << i;
                        one_by_one.offer(to_item(static_cast<Index>(i) + 64 * block), scores[i]);
                    }
                }
                ranged.offer_range(to_item(64 * block), scores, allowed);
            }
            CHECK(items_of(ranged.finish()) == items_of(one_by_one.finish()));
        }
    }
}

TEST_CASE("the worst score in the list is the threshold for others, once the list is full") {
    TopK<double> top;
    top.start(2);
    CHECK(std::isnan(top.worst()));
    top.offer(to_item(0), 3);
    CHECK(std::isnan(top.worst()));
    top.offer(to_item(1), 5);
    CHECK(top.worst() == 3);
    top.offer(to_item(2), 4);
    CHECK(top.worst() == 4);
}
