#include "gru4rec/baselines/vector_session_knn.hpp"

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/baselines.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::to_item;
using gru4rec::VectorSessionKnn;

// Sessions, oldest first: a b | b c | a c d | d e; a=0 b=1 c=2 d=3 e=4.
const Dataset small = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 2, 2, 3, 3, 3, 4, 4},
                                            std::vector<std::string>{"a", "b", "b", "c", "a", "c", "d", "d", "e"},
                                            std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});

TEST_CASE("neighbours vote with their similarity, items count by their rarity") {
    VectorSessionKnn scorer(small);
    // After a, b, a: b weighs 2/3, a 3/3. Similar are a b (5/3), b c (2/3), a c d (1).
    const std::vector<double> scores = scores_after(scorer, {0, 1, 0});
    const double half = std::log(4.0 / 2);  // a, b, c, d are in two of four sessions
    CHECK(scores[0] == doctest::Approx((5.0 / 3 + 1) * half).epsilon(1e-5));
    CHECK(scores[1] == doctest::Approx((5.0 / 3 + 2.0 / 3) * half).epsilon(1e-5));
    CHECK(scores[2] == doctest::Approx((2.0 / 3 + 1) * half).epsilon(1e-5));
    CHECK(scores[3] == doctest::Approx(1 * half).epsilon(1e-5));
    CHECK(scores[4] < 1e-6);
}

TEST_CASE("only the k most similar of the sample_size most recent sessions vote") {
    VectorSessionKnn one(small, {.k = 1});
    CHECK(ranking(scores_after(one, {0, 1, 0})) == std::vector<std::size_t>{0, 1, 2, 3, 4});
    CHECK(scores_after(one, {0, 1, 0})[2] < 1e-6);               // only a b votes
    VectorSessionKnn recent(small, {.k = 1, .sample_size = 2});  // b c and a c d remain
    const std::vector<double> scores = scores_after(recent, {0, 1, 0});
    CHECK(scores[1] < 1e-6);
    CHECK(scores[3] == doctest::Approx(std::log(2.0)).epsilon(1e-5));
}

TEST_CASE("of equally similar sessions the more recent is the neighbour") {
    VectorSessionKnn scorer(small, {.k = 1});
    const std::vector<double> scores = scores_after(scorer, {3});  // a c d, and the newer d e
    CHECK(scores[4] == doctest::Approx(std::log(4.0)).epsilon(1e-5));
    CHECK(scores[2] < 1e-6);
}

TEST_CASE("without events, or with items that no session holds, popularity decides") {
    VectorSessionKnn scorer(small);
    CHECK(ranking(scores_after(scorer, {})) == std::vector<std::size_t>{0, 1, 2, 3, 4});
    const Dataset none = gru4rec::make_dataset(std::vector<std::int64_t>{1}, std::vector<std::string>{"x"},
                                               std::vector<std::int64_t>{1}, {.known_items = &small.items()});
    VectorSessionKnn untrained(none);
    CHECK(ranking(scores_after(untrained, {4})) == std::vector<std::size_t>{0, 1, 2, 3, 4});
    VectorSessionKnn empty{Dataset()};
    CHECK(scores_after(empty, {}).empty());
}

TEST_CASE("scores of random sessions are those of comparing with every session") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        const Dataset data = random_sessions(120, 20, seed);
        const std::vector<naive::Session> sessions = sessions_by_time(data);
        const auto n_items = static_cast<std::size_t>(data.n_items());
        const std::size_t k = 1 + 6 * seed;
        const std::size_t m = 10 * seed + k;
        VectorSessionKnn scorer(data, {.k = static_cast<Index>(k), .sample_size = static_cast<Index>(m)});
        for (const naive::Session& history : sessions_by_time(random_sessions(30, n_items, seed + 100))) {
            const std::vector<double> expected = naive::vector_session_knn(sessions, history, n_items, k, m);
            const std::vector<double> scores = scores_after(scorer, history);
            for (std::size_t i = 0; i < n_items; ++i) {
                CHECK(scores[i] > expected[i] - 1e-9);
                CHECK(scores[i] < expected[i] + 1e-6 + 1e-9);
            }
        }
    }
}

TEST_CASE("copies have a session of their own, and scores do not depend on those asked for before") {
    const Dataset data = random_sessions(120, 20, 9);
    VectorSessionKnn first(data);
    const std::vector<double> expected = scores_after(first, {3, 4, 5});
    VectorSessionKnn second = first;
    CHECK(scores_after(second, {1}) != expected);
    CHECK(scores_after(second, {3, 4, 5}) == expected);
    std::vector<double> scores(expected.size());
    first.scores(scores);
    CHECK(scores == expected);
}

TEST_CASE("options out of range are refused by name") {
    CHECK_THROWS_WITH_AS(VectorSessionKnn(small, {.k = 0}), doctest::Contains("k = 0"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(VectorSessionKnn(small, {.k = 10, .sample_size = 9}),
                         doctest::Contains("sample_size = 9, must satisfy sample_size >= k = 10"),
                         std::invalid_argument);
}

}  // namespace
