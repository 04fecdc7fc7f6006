#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/files.hpp"
#include "support/golden_files.hpp"
#include "support/scorer_ranks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::make_dataset;
using gru4rec::Markov;
using gru4rec::to_item;
using gru4rec::to_session;
using gru4rec::detail::Random;

/// All items, best first.
std::vector<Index> ranking(const Markov& scorer) {
    std::vector<double> scores(static_cast<std::size_t>(scorer.n_items()));
    scorer.scores(scores);
    std::vector<Index> order(scores.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = static_cast<Index>(i);
    }
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
        return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
    });
    return order;
}

// Sessions a b a b c | b c | d d b, so that a=0 b=1 c=2 d=3 with 2, 4, 2 and 2 events.
const std::vector<std::int64_t> sessions{1, 1, 1, 1, 1, 2, 2, 3, 3, 3};
const std::vector<std::string> items{"a", "b", "a", "b", "c", "b", "c", "d", "d", "b"};
const std::vector<std::int64_t> times{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

TEST_CASE("the last item's direct successors come first, by how often they followed") {
    Markov scorer(make_dataset(sessions, items, times));  // outlives the data set
    CHECK(scorer.n_items() == 4);
    scorer.observe(to_item(3));
    scorer.observe(to_item(1));  // only the last item counts: c followed b twice, a once
    CHECK(ranking(scorer) == std::vector<Index>{2, 0, 1, 3});
    std::vector<double> scores(4);
    scorer.scores(scores);
    CHECK(std::floor(scores[0]) == 1);
    CHECK(std::floor(scores[1]) == 0);
    CHECK(std::floor(scores[2]) == 2);
    CHECK(std::floor(scores[3]) == 0);
}

TEST_CASE("equal counts are ordered by popularity, then by item index") {
    Markov scorer(make_dataset(sessions, items, times));
    scorer.observe(to_item(3));  // d and b followed d once each; b is the more popular
    CHECK(ranking(scorer) == std::vector<Index>{1, 3, 0, 2});
}

TEST_CASE("without a last item, or one without successors, popularity decides") {
    Markov scorer(make_dataset(sessions, items, times));
    const std::vector<Index> popular{1, 0, 2, 3};
    CHECK(ranking(scorer) == popular);
    scorer.observe(to_item(2));
    CHECK(ranking(scorer) == popular);
    scorer.observe(to_item(1));
    CHECK(ranking(scorer) != popular);
    scorer.reset();
    CHECK(ranking(scorer) == popular);
}

TEST_CASE("no pair reaches over the end of a session") {
    const Markov scorer(make_dataset(sessions, items, times));
    CHECK(scorer.weighted_items(to_item(2)).empty());
    Index pairs = 0;
    for (Index item = 0; item < scorer.n_items(); ++item) {
        for (const auto& successor : scorer.weighted_items(to_item(item))) {
            pairs += static_cast<Index>(successor.weight);
        }
    }
    CHECK(pairs == 7);
}

TEST_CASE("copies have a session of their own") {
    Markov first(make_dataset(sessions, items, times));
    first.observe(to_item(1));
    Markov second = first;
    second.reset();
    CHECK(ranking(first) == std::vector<Index>{2, 0, 1, 3});
    CHECK(ranking(second) == std::vector<Index>{1, 0, 2, 3});
}

TEST_CASE("the counts of random sessions are those of std::map") {
    constexpr std::uint64_t seed = 9;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    std::vector<std::int64_t> session_ids;
    std::vector<std::int64_t> item_ids;
    for (int e = 0; e < 2000; ++e) {
        session_ids.push_back(static_cast<std::int64_t>(random.below(300)));
        item_ids.push_back(static_cast<std::int64_t>(random.below(20)));
    }
    const Dataset data = make_dataset(session_ids, item_ids, std::vector<std::int64_t>(2000, 0));
    std::map<std::pair<Index, Index>, int> expected;
    for (Index s = 0; s < data.n_sessions(); ++s) {
        const auto session = data.session(to_session(s));
        for (std::size_t e = 1; e < session.size(); ++e) {
            ++expected[{to_index(session[e - 1]), to_index(session[e])}];
        }
    }
    const Markov scorer(data);
    std::map<std::pair<Index, Index>, int> counted;
    for (Index item = 0; item < data.n_items(); ++item) {
        for (const auto& successor : scorer.weighted_items(to_item(item))) {
            CHECK(
                counted.emplace(std::pair(item, to_index(successor.item)), static_cast<int>(successor.weight)).second);
        }
    }
    CHECK(counted == expected);

    // To the bit: the count, and the popularity below 1 that breaks ties.
    const std::vector<double> popularity = gru4rec::detail::popularity_order(data);
    for (Index last = 0; last < data.n_items(); ++last) {
        Markov session = scorer;
        session.observe(to_item(last));
        std::vector<double> scores(popularity.size());
        session.scores(scores);
        for (Index item = 0; item < data.n_items(); ++item) {
            const auto found = expected.find({last, item});
            const int count = found == expected.end() ? 0 : found->second;
            const auto i = static_cast<std::size_t>(item);
            CHECK(scores[i] == popularity[i] + count);
        }
    }
}

TEST_CASE("an empty data set makes a scorer without items") {
    Markov scorer{Dataset()};
    std::vector<double> none;
    scorer.scores(none);
    CHECK(scorer.n_items() == 0);
}

TEST_CASE("a Markov chain on public data reaches the figures known for it") {
    const auto folder = golden::data_folder();
    if (!folder) {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    const Dataset train = gru4rec::read_sessions(*folder / "data/toy/train_full.tsv");
    const Dataset test = gru4rec::read_sessions(*folder / "data/toy/test.tsv", {.known_items = &train.items()});
    CHECK(train.n_items() == 8600);
    CHECK(train.n_sessions() + test.n_sessions() == 18014);
    CHECK(train.n_events() + test.n_events() == 85248);
    const auto ranks = scorer_ranks(Markov(train), test);
    REQUIRE(ranks.size() == 6086);
    const naive::Measured measured = naive::measure(ranks, &naive::Ranks::standard, 20);
    CHECK(std::abs(measured.recall - .4366) < 0.0001);
    CHECK(std::abs(measured.mrr - .2741) < 0.0001);
}

}  // namespace
