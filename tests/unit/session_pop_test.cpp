#include "gru4rec/baselines/popularity.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using gru4rec::SessionPopularity;
using gru4rec::to_item;

// a=0 b=1 c=2 d=3 with 1, 3, 1 and 2 events.
const gru4rec::Dataset train = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1, 1, 2, 2, 2},
                                                     std::vector<std::string>{"a", "b", "b", "c", "d", "d", "b"},
                                                     std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7});
using Order = std::vector<std::size_t>;

TEST_CASE("what the session holds most often comes first, then what it holds, then what is popular") {
    SessionPopularity scorer(train);
    CHECK(ranking(scores_after(scorer, {})) == Order{1, 3, 0, 2});
    CHECK(ranking(scores_after(scorer, {2})) == Order{2, 1, 3, 0});
    CHECK(ranking(scores_after(scorer, {2, 0})) == Order{0, 2, 1, 3});  // once each: by popularity, then index
    CHECK(ranking(scores_after(scorer, {2, 0, 2})) == Order{2, 0, 1, 3});
    CHECK(ranking(scores_after(scorer, {2, 3, 1})) == Order{1, 3, 2, 0});
}

TEST_CASE("the whole part of a score is the count of the item in the session") {
    SessionPopularity scorer(train);
    const std::vector<double> scores = scores_after(scorer, {3, 3, 0, 3});
    CHECK(std::floor(scores[0]) == 1);
    CHECK(std::floor(scores[1]) == 0);
    CHECK(std::floor(scores[2]) == 0);
    CHECK(std::floor(scores[3]) == 3);
}

TEST_CASE("copies have a session of their own") {
    SessionPopularity first(train);
    first.observe(to_item(2));
    SessionPopularity second = first;
    second.observe(to_item(0));
    second.observe(to_item(0));
    std::vector<double> scores(4);
    first.scores(scores);
    CHECK(ranking(scores) == Order{2, 1, 3, 0});
    second.scores(scores);
    CHECK(ranking(scores) == Order{0, 2, 1, 3});
}

}  // namespace
