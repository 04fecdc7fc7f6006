#include "gru4rec/baselines/popularity.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/files.hpp"
#include "support/golden_files.hpp"
#include "support/scorer_ranks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::make_dataset;
using gru4rec::Popularity;
using gru4rec::to_item;

const std::vector<std::int64_t> sessions{1, 1, 1, 2, 2, 3};
const std::vector<std::string> items{"a", "b", "b", "c", "b", "c"};
const std::vector<std::int64_t> times{1, 2, 3, 4, 5, 6};

TEST_CASE("an item's popularity is the number of its events, whatever the session holds") {
    Popularity scorer(make_dataset(sessions, items, times));  // outlives the data set
    std::vector<double> scores(3, -1);
    CHECK(scorer.n_items() == 3);
    scorer.scores(scores);
    CHECK(scores == std::vector<double>{1, 3, 2});
    scorer.observe(to_item(1));
    scorer.scores(scores);
    CHECK(scores == std::vector<double>{1, 3, 2});
    scorer.reset();
    scorer.scores(scores);
    CHECK(scores == std::vector<double>{1, 3, 2});
}

TEST_CASE("popularity on public data reaches the figures known for it") {
    const auto folder = golden::data_folder();
    if (!folder) {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    const Dataset train = gru4rec::read_sessions(*folder / "data/toy/train_full.tsv");
    const Dataset test = gru4rec::read_sessions(*folder / "data/toy/test.tsv", {.known_items = &train.items()});
    const auto ranks = scorer_ranks(Popularity(train), test);
    REQUIRE(ranks.size() == 6086);
    const naive::Measured measured = naive::measure(ranks, &naive::Ranks::standard, 20);
    CHECK(std::abs(measured.recall - .0230) < 0.0001);
    CHECK(std::abs(measured.mrr - .0058) < 0.0001);
}

}  // namespace
