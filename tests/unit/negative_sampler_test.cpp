#include "gru4rec/batch/negative_sampler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using gru4rec::DrawnItems;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::NegativeSampler;
using gru4rec::StepNegatives;
using gru4rec::detail::Random;
using Supports = std::vector<std::int64_t>;

std::vector<std::int64_t> draws(const NegativeSampler& sampler, std::size_t n_items, std::uint64_t n,
                                std::uint64_t seed) {
    std::vector<std::int64_t> counts(n_items, 0);
    const Random random(seed, Random::Stream::test);
    for (std::uint64_t i = 0; i < n; ++i) {
        ++counts.at(static_cast<std::size_t>(sampler.draw(random.bits(i))));
    }
    return counts;
}

/// (chi-square - degrees) / sqrt(2 degrees): about standard normal. Items expected less than 8 times are put together.
double chi_square(const std::vector<std::int64_t>& counts, const std::vector<double>& weights) {
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    const double n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    double sum = 0, rare = 0, rare_expected = 0;
    double degrees = -1;
    const auto add = [&](double count, double expected) {
        sum += (count - expected) * (count - expected) / expected;
        degrees += 1;
    };
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double expected = n * weights[i] / total;
        if (expected < 8) {
            rare += static_cast<double>(counts[i]);
            rare_expected += expected;
        } else {
            add(static_cast<double>(counts[i]), expected);
        }
    }
    if (rare_expected > 1) {
        add(rare, rare_expected);
    }
    return degrees < 1 ? 0 : (sum - degrees) / std::sqrt(2 * degrees);
}

std::vector<double> weights(const Supports& supports, double alpha) {
    std::vector<double> result;
    for (const std::int64_t support : supports) {
        result.push_back(alpha == 0 ? 1 : std::pow(static_cast<double>(support), alpha));
    }
    return result;
}

Supports zipf(std::size_t n) {
    Supports result;
    for (std::size_t i = 0; i < n; ++i) {
        result.push_back(static_cast<std::int64_t>(1 + 100'000 / (i + 1)));
    }
    return result;
}

std::pair<std::vector<ItemIndex>, std::vector<std::int32_t>> copied(const DrawnItems& drawn) {
    return {{drawn.items.begin(), drawn.items.end()}, {drawn.counts.begin(), drawn.counts.end()}};
}

}  // namespace

TEST_CASE("items are drawn in proportion to support to the power alpha") {
    for (const double alpha : {0.0, 0.25, 0.5, 1.0}) {
        for (const std::size_t n_items : {std::size_t{2}, std::size_t{3}, std::size_t{100}, std::size_t{5000}}) {
            CAPTURE(alpha);
            CAPTURE(n_items);
            const Supports supports = zipf(n_items);
            const auto counts = draws(NegativeSampler(supports, alpha), n_items, 1'000'000, n_items);
            CHECK(std::abs(chi_square(counts, weights(supports, alpha))) < 4.5);
        }
    }
    // The measure itself tells a wrong power.
    const auto counts = draws(NegativeSampler(zipf(100), 0.5), 100, 100'000, 1);
    CHECK(chi_square(counts, weights(zipf(100), 0.55)) > 10);
}

TEST_CASE("an item of probability 1e-8 is drawn as often as it should") {
    const Supports supports = {1, 99'999'999};
    const NegativeSampler sampler(supports, 1);
    // Slot 0 is item 0 for the first 2e-8 of it; the draw is a function of 64 bits, so its edge can be looked at.
    const double edge = 2e-8 * 0x1.0p63;
    CHECK(sampler.draw(0) == gru4rec::to_item(0));
    CHECK(sampler.draw(static_cast<std::uint64_t>(edge * 0.999)) == gru4rec::to_item(0));
    CHECK(sampler.draw(static_cast<std::uint64_t>(edge * 1.001)) == gru4rec::to_item(1));
    CHECK(sampler.draw(~std::uint64_t{0}) == gru4rec::to_item(1));
}

TEST_CASE("every item has its probability to ten digits, rare ones after frequent ones included") {
    constexpr int bits_of_slot = 64 - 15;
    constexpr std::uint64_t n_items = std::uint64_t{1} << 15;
    const Supports supports = zipf(n_items);
    const NegativeSampler sampler(supports, 1);
    // The low bits of a slot draw its own item, the others another one; where that changes is found by halving.
    std::vector<double> probabilities(n_items, 0.0);
    for (std::uint64_t slot = 0; slot < n_items; ++slot) {
        const std::uint64_t begin = slot << bits_of_slot;
        std::uint64_t own = 0;
        for (int bit = bits_of_slot - 1; bit >= 0; --bit) {
            const std::uint64_t more = own + (std::uint64_t{1} << bit);
            own = sampler.draw(begin + more - 1) == gru4rec::to_item(static_cast<Index>(slot)) ? more : own;
        }
        const std::uint64_t last = begin + (std::uint64_t{1} << bits_of_slot) - 1;
        probabilities[slot] += static_cast<double>(own) * 0x1.0p-64;
        probabilities.at(static_cast<std::size_t>(sampler.draw(last))) +=
            static_cast<double>(last + 1 - begin - own) * 0x1.0p-64;
    }
    const double total = static_cast<double>(std::accumulate(supports.begin(), supports.end(), std::int64_t{0}));
    double largest = 0;
    for (std::size_t i = 0; i < n_items; ++i) {
        largest = std::max(largest, std::abs(probabilities[i] / (static_cast<double>(supports[i]) / total) - 1));
    }
    CHECK(largest < 1e-10);
}

TEST_CASE("an item of support 0 is never drawn unless alpha is 0, and then like any other") {
    Supports supports(997, 0);
    supports[3] = 1;
    supports[500] = 7;
    supports[501] = 2;
    const auto counts = draws(NegativeSampler(supports, 0.5), supports.size(), 300'000, 1);
    CHECK(counts[3] + counts[500] + counts[501] == 300'000);
    CHECK(std::abs(chi_square({counts[3], counts[500], counts[501]}, weights({1, 7, 2}, 0.5))) < 4.5);
    // The ends of every slot, where rounding would show.
    const NegativeSampler sampler(supports, 0.5);
    for (std::uint64_t slot = 0; slot < 997; ++slot) {
        const auto begin = static_cast<std::uint64_t>(static_cast<long double>(slot) * 0x1.0p64L / 997) + 20;
        const auto end = static_cast<std::uint64_t>(static_cast<long double>(slot + 1) * 0x1.0p64L / 997 - 20);
        CHECK(supports[static_cast<std::size_t>(sampler.draw(begin))] > 0);
        CHECK(supports[static_cast<std::size_t>(sampler.draw(end))] > 0);
    }
    CHECK(std::abs(chi_square(draws(NegativeSampler(supports, 0), supports.size(), 300'000, 2),
                              std::vector<double>(997, 1.0))) < 4.5);
}

TEST_CASE("equal supports are drawn alike, a single item always") {
    const Supports equal(333, 12);
    for (const double alpha : {0.3, 1.0}) {
        const auto counts = draws(NegativeSampler(equal, alpha), equal.size(), 300'000, 9);
        CHECK(std::abs(chi_square(counts, std::vector<double>(333, 1.0))) < 4.5);
    }
    const NegativeSampler one(Supports{5}, 0.5);
    CHECK(one.draw(0) == gru4rec::to_item(0));
    CHECK(one.draw(~std::uint64_t{0}) == gru4rec::to_item(0));
}

TEST_CASE("nothing to draw and negative supports are refused") {
    CHECK_THROWS_AS(NegativeSampler(Supports{0, 0, 0}, 0.5), std::invalid_argument);
    CHECK_THROWS_AS(NegativeSampler(Supports{}, 0), std::invalid_argument);
    CHECK_THROWS_WITH_AS(NegativeSampler(Supports{3, -2}, 1), doctest::Contains("item 1 = -2"), std::invalid_argument);
    CHECK_THROWS_AS(NegativeSampler(Supports{3, -2}, 0), std::invalid_argument);
}

TEST_CASE("an exponent without finite weights is refused: all items would be drawn alike") {
    for (const double alpha : {1000.0, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_WITH_AS(NegativeSampler(Supports{3, 2}, alpha), doctest::Contains("alpha = "),
                             std::invalid_argument);
    }
    CHECK_THROWS_WITH_AS(NegativeSampler(Supports{3, 0}, -1), doctest::Contains("alpha = -1"), std::invalid_argument);
    CHECK_NOTHROW(NegativeSampler(Supports{3, 2}, -1));
}

TEST_CASE("a negative number of draws is refused") {
    CHECK_THROWS_WITH_AS(gru4rec::StepNegatives(Supports{3, 2}, 0.5, -1, 42), doctest::Contains("n_sample = -1"),
                         std::invalid_argument);
}

TEST_CASE("a step gets n_sample draws, each item once, in ascending order") {
    for (const std::size_t n_items :
         {std::size_t{1}, std::size_t{2}, std::size_t{255}, std::size_t{256}, std::size_t{257}, std::size_t{65'536},
          std::size_t{65'537}, std::size_t{70'000}}) {
        CAPTURE(n_items);
        StepNegatives negatives(Supports(n_items, 3), 0.5, 700, 1);
        for (std::uint64_t step = 0; step < 3; ++step) {
            const DrawnItems drawn = negatives.of_step(0, step);
            REQUIRE(drawn.items.size() == drawn.counts.size());
            CHECK(std::accumulate(drawn.counts.begin(), drawn.counts.end(), 0) == 700);
            CHECK(std::all_of(drawn.counts.begin(), drawn.counts.end(), [](std::int32_t count) { return count > 0; }));
            CHECK(std::adjacent_find(drawn.items.begin(), drawn.items.end(),
                                     [](ItemIndex a, ItemIndex b) { return a >= b; }) == drawn.items.end());
            CHECK(static_cast<std::size_t>(drawn.items.back()) < n_items);
            CHECK((n_items < 65'536 || static_cast<std::size_t>(drawn.items.back()) > 60'000));
            CHECK(drawn.items.size() <= std::min<std::size_t>(n_items, 700));
        }
    }
}

TEST_CASE("the draws of many steps have the sampler's distribution") {
    const Supports supports = zipf(300);
    StepNegatives negatives(supports, 0.75, 500, 11);
    std::vector<std::int64_t> counts(300, 0);
    for (std::uint64_t step = 0; step < 600; ++step) {
        const DrawnItems drawn = negatives.of_step(2, step);
        for (std::size_t i = 0; i < drawn.items.size(); ++i) {
            counts[static_cast<std::size_t>(drawn.items[i])] += drawn.counts[i];
        }
    }
    CHECK(std::abs(chi_square(counts, weights(supports, 0.75))) < 4.5);
}

TEST_CASE("what a step draws depends only on seed, epoch and step, not on threads or earlier steps") {
    const Supports supports = zipf(400);
    const auto of = [&](std::uint64_t seed, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& asked,
                        int threads) {
        StepNegatives negatives(supports, 0.5, 60, seed);
        std::vector<std::pair<std::vector<ItemIndex>, std::vector<std::int32_t>>> result;
        gru4rec::with_threads(threads, [&] {
            for (const auto& [epoch, step] : asked) {
                result.push_back(copied(negatives.of_step(epoch, step)));
            }
        });
        return result;
    };
    std::vector<std::pair<std::uint64_t, std::uint64_t>> in_turn;
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
        for (std::uint64_t step = 0; step < 40; ++step) {
            in_turn.emplace_back(epoch, step);
        }
    }
    const auto expected = of(1, in_turn, 1);
    CHECK(of(1, in_turn, 2) == expected);
    CHECK(of(1, in_turn, 0) == expected);
    const auto jumping = of(1, {{1, 39}, {0, 15}, {0, 16}, {0, 0}, {1, 15}}, 1);
    CHECK(jumping == std::vector{expected[79], expected[15], expected[16], expected[0], expected[55]});
    CHECK(of(2, {{0, 0}}, 1)[0] != expected[0]);
    auto different = expected;
    std::sort(different.begin(), different.end());
    CHECK(std::adjacent_find(different.begin(), different.end()) == different.end());
}

TEST_CASE("without samples a step draws nothing") {
    StepNegatives negatives(Supports{1, 2}, 0.5, 0, 1);
    CHECK(negatives.of_step(0, 0).items.empty());
}
