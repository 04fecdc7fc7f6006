#include "gru4rec/baselines/bpr_mf.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/baselines.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace {

using gru4rec::BprMf;
using gru4rec::BprMfOptions;
using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::detail::Factors;

TEST_CASE("a step goes down the gradient of the BPR loss, which finite differences confirm") {
    constexpr double regularisation = 0.3;
    constexpr float learning_rate = 1e-2F;
    std::vector<std::vector<double>> vectors{{0.3, -0.7, 0.2}, {-0.4, 0.1, 0.9}, {0.8, 0.5, -0.6}};
    std::vector<std::vector<float>> stepped;
    for (const auto& vector : vectors) {
        stepped.emplace_back(vector.begin(), vector.end());
    }
    gru4rec::detail::bpr_step(Factors(stepped[0].data(), 3), Factors(stepped[1].data(), 3),
                              Factors(stepped[2].data(), 3), learning_rate, static_cast<float>(regularisation));
    for (std::size_t v = 0; v < 3; ++v) {
        for (std::size_t f = 0; f < 3; ++f) {
            CAPTURE(v);
            CAPTURE(f);
            constexpr double h = 1e-5;
            const double value = vectors[v][f];
            vectors[v][f] = value + h;
            const double above = naive::bpr_loss(vectors[0], vectors[1], vectors[2], regularisation);
            vectors[v][f] = value - h;
            const double below = naive::bpr_loss(vectors[0], vectors[1], vectors[2], regularisation);
            vectors[v][f] = value;
            const double gradient = (value - double{stepped[v][f]}) / double{learning_rate};
            // float: 6e-8 of a value below 1, divided by the learning rate.
            CHECK(gradient == doctest::Approx((above - below) / (2 * h)).epsilon(0).scale(1).epsilon(2e-5));
        }
    }
}

TEST_CASE("differences of scores beyond the range of exp give finite factors") {
    std::vector<float> p{1e3F};
    std::vector<float> good{1e3F};
    std::vector<float> bad{-1e3F};
    gru4rec::detail::bpr_step(Factors(p.data(), 1), Factors(good.data(), 1), Factors(bad.data(), 1), 0.1F, 0);
    CHECK(p[0] == 1e3F);
    gru4rec::detail::bpr_step(Factors(p.data(), 1), Factors(bad.data(), 1), Factors(good.data(), 1), 0.1F, 0);
    CHECK(std::isfinite(p[0]));
    CHECK(p[0] < 1e3F);
}

TEST_CASE("training gives the factors of a plain implementation in double") {
    constexpr std::uint64_t seed = 11;
    CAPTURE(seed);
    const Dataset data = random_sessions(60, 15, seed);
    const auto n_items = static_cast<std::size_t>(data.n_items());
    const naive::Vectors expected = naive::bpr_mf(sessions_by_time(data), n_items, {5, 4, 0.1, 0.02, seed});
    const BprMf trained(data,
                        {.n_factors = 5, .n_epochs = 4, .learning_rate = 0.1, .regularisation = 0.02, .seed = seed});
    for (std::size_t item = 0; item < n_items; ++item) {
        for (std::size_t f = 0; f < 5; ++f) {
            const float factor = trained.item_factors()(static_cast<Index>(item), static_cast<Index>(f));
            CHECK(std::abs(double{factor} - expected[item][f]) < 1e-5);  // about 1,000 steps of 6e-8 each
        }
    }
}

TEST_CASE("a score is the mean product with the items of the session so far") {
    const Dataset data = random_sessions(60, 300, 12);  // more items than a block of products
    BprMf scorer(data, {.n_factors = 7, .n_epochs = 2});
    const auto factors = scorer.item_factors();
    const auto product = [&](std::size_t a, std::size_t b) {
        double sum = 0;
        for (Index f = 0; f < 7; ++f) {
            sum += double{factors(static_cast<Index>(a), f)} * double{factors(static_cast<Index>(b), f)};
        }
        return sum;
    };
    const std::vector<double> scores = scores_after(scorer, {3, 1, 3});
    for (std::size_t item = 0; item < scores.size(); ++item) {
        CHECK(scores[item] == doctest::Approx((2 * product(3, item) + product(1, item)) / 3).epsilon(1e-5).scale(0.1));
    }
    CHECK(scores_after(scorer, {}) == std::vector<double>(scores.size(), 0));
    BprMf copy = scorer;
    CHECK(scores_after(copy, {3, 1, 3}) == scores);
}

TEST_CASE("a seed gives the same factors again, another seed others; every option changes them") {
    const Dataset data = random_sessions(60, 15, 13);
    const auto scores = [&](const BprMfOptions& options) {
        BprMf scorer(data, options);
        return scores_after(scorer, {1, 2});
    };
    const std::vector<double> usual = scores({});
    CHECK(scores({}) == usual);
    CHECK(scores({.seed = 43}) != usual);
    CHECK(scores({.n_factors = 99}) != usual);
    CHECK(scores({.n_epochs = 29}) != usual);
    CHECK(scores({.learning_rate = 0.09}) != usual);
    CHECK(scores({.regularisation = 0.02}) != usual);
}

TEST_CASE("items of the same sessions are learnt to be alike") {
    // Items 0 .. 4 occur together, and 5 .. 9.
    std::vector<std::int64_t> sessions;
    std::vector<std::int64_t> items;
    for (std::int64_t s = 0; s < 200; ++s) {
        for (std::int64_t e = 0; e < 3; ++e) {
            sessions.push_back(s);
            items.push_back(s % 2 * 5 + (s / 2 + e) % 5);
        }
    }
    const Dataset data = gru4rec::make_dataset(sessions, items, std::vector<std::int64_t>(items.size(), 0));
    BprMf scorer(data);
    const auto item = [&](std::int64_t id) { return static_cast<std::size_t>(*data.items().find(id)); };
    const std::vector<double> scores = scores_after(scorer, {item(0)});
    for (std::int64_t near = 0; near < 5; ++near) {
        for (std::int64_t far = 5; far < 10; ++far) {
            CHECK(scores[item(near)] > scores[item(far)]);
        }
    }
}

TEST_CASE("sessions that hold every item teach nothing and do no harm") {
    const Dataset data =
        gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 2, 2}, std::vector<std::int64_t>{1, 2, 2, 1},
                              std::vector<std::int64_t>{1, 2, 3, 4});
    const BprMf once(data, {.n_epochs = 1});
    const BprMf often(data, {.n_epochs = 9});
    CHECK(once.item_factors() == often.item_factors());
    BprMf empty{Dataset()};
    CHECK(scores_after(empty, {}).empty());
}

TEST_CASE("options out of range are refused by name; divergence is an error") {
    const Dataset data = random_sessions(60, 15, 14);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const auto refused = [&](const BprMfOptions& options, const char* text) {
        CHECK_THROWS_WITH_AS(BprMf(data, options), doctest::Contains(text), std::invalid_argument);
    };
    refused({.n_factors = 0}, "n_factors = 0");
    refused({.n_factors = 65537}, "n_factors = 65537");
    refused({.n_factors = -1}, "n_factors = -1");
    refused({.n_epochs = 0}, "n_epochs = 0");
    refused({.learning_rate = 0}, "learning_rate = 0");
    refused({.learning_rate = nan}, "learning_rate = nan");
    refused({.regularisation = -1}, "regularisation = -1");
    for (const Index n_factors : {1, 65536}) {
        CHECK_NOTHROW(BprMfOptions{.n_factors = n_factors, .n_epochs = 1, .regularisation = 0}.validate());
    }
    CHECK_THROWS_WITH_AS(BprMf(data, {.learning_rate = 1e30}), doctest::Contains("learning_rate"),
                         gru4rec::NonFiniteError);
}

}  // namespace
