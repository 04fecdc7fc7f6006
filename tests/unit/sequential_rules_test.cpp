#include "gru4rec/baselines/last_item.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/baselines.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Markov;
using gru4rec::SequentialRules;
using gru4rec::to_item;

// Sessions a b c a d | c, so that a=0 b=1 c=2 d=3.
const Dataset small = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1, 1, 1, 2},
                                            std::vector<std::string>{"a", "b", "c", "a", "d", "c"},
                                            std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});

TEST_CASE("a rule weighs one over the distance, summed over all pairs of a session") {
    const SequentialRules scorer(small);
    const auto rules = scorer.weighted_items(to_item(0));  // a: b after 1, c after 2, a after 3, d after 4 and 1
    REQUIRE(rules.size() == 4);
    CHECK(rules[0].weight == doctest::Approx(1.0 / 3));
    CHECK(rules[1].weight == doctest::Approx(1.0));
    CHECK(rules[2].weight == doctest::Approx(1.0 / 2));
    CHECK(rules[3].weight == doctest::Approx(1.0 / 4 + 1));
    CHECK(scorer.weighted_items(to_item(3)).empty());
}

TEST_CASE("no rule reaches farther than max_steps") {
    const SequentialRules scorer(small, {.max_steps = 2});
    const auto rules = scorer.weighted_items(to_item(0));  // b 1, c 1/2, d 1
    REQUIRE(rules.size() == 3);
    CHECK(to_index(rules[0].item) == 1);
    CHECK(to_index(rules[1].item) == 2);
    CHECK(to_index(rules[2].item) == 3);
    CHECK(rules[2].weight == doctest::Approx(1.0));
}

TEST_CASE("items without a rule follow by popularity, which also orders equal weights") {
    SequentialRules scorer(small, {.max_steps = 2});
    CHECK(ranking(scores_after(scorer, {})) == std::vector<std::size_t>{0, 2, 1, 3});
    CHECK(ranking(scores_after(scorer, {1, 0})) == std::vector<std::size_t>{1, 3, 2, 0});
    CHECK(ranking(scores_after(scorer, {0, 3})) == std::vector<std::size_t>{0, 2, 1, 3});
    scorer.observe(to_item(1));
    SequentialRules copy = scorer;
    copy.reset();
    std::vector<double> scores(4);
    scorer.scores(scores);
    CHECK(ranking(scores) == std::vector<std::size_t>{2, 0, 1, 3});
    copy.scores(scores);
    CHECK(ranking(scores) == std::vector<std::size_t>{0, 2, 1, 3});
}

TEST_CASE("scores of random sessions are those of going through all pairs") {
    constexpr std::uint64_t seed = 7;
    CAPTURE(seed);
    const Dataset data = random_sessions(200, 25, seed);
    const std::vector<naive::Session> sessions = sessions_by_time(data);
    const auto n_items = static_cast<std::size_t>(data.n_items());
    for (const std::size_t max_steps : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
        CAPTURE(max_steps);
        SequentialRules scorer(data, {.max_steps = static_cast<gru4rec::Index>(max_steps)});
        for (std::size_t item = 0; item < n_items; ++item) {
            const std::vector<double> expected = naive::sequential_rules(sessions, item, n_items, max_steps);
            const std::vector<double> scores = scores_after(scorer, {item});
            for (std::size_t i = 0; i < n_items; ++i) {
                // A weight in float, and a popularity in (0, 1e-6).
                CHECK(scores[i] > expected[i] * (1 - 1e-7));
                CHECK(scores[i] < expected[i] * (1 + 1e-7) + 1e-6);
            }
        }
    }
}

TEST_CASE("one step is the Markov chain") {
    const Dataset data = random_sessions(300, 40, 8);
    SequentialRules rules(data, {.max_steps = 1});
    Markov markov(data);
    for (std::size_t item = 0; item < static_cast<std::size_t>(data.n_items()); ++item) {
        CHECK(ranking(scores_after(rules, {item})) == ranking(scores_after(markov, {item})));
    }
}

TEST_CASE("options out of range are refused by name") {
    CHECK_THROWS_WITH_AS(SequentialRules(small, {.max_steps = 0}), doctest::Contains("max_steps = 0"),
                         std::invalid_argument);
}

TEST_CASE("an empty data set makes a scorer without items") {
    SequentialRules scorer{Dataset()};
    CHECK(scores_after(scorer, {}).empty());
}

}  // namespace
