#include "cli/rank_details.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// What a report says about where a model is right, on ranks made up for it.
namespace {

using cli::details_of;
using cli::RankDetails;
using cli::RankGroup;
using gru4rec::Dataset;
using gru4rec::Evaluation;
using gru4rec::Index;
using gru4rec::Ties;

/// Sessions of lengths 2, 3, 7 over 8 items.
Dataset some_test() {
    std::vector<std::int64_t> sessions, items, times;
    const std::vector<std::size_t> lengths = {2, 3, 7};
    for (std::size_t s = 0; s < lengths.size(); ++s) {
        for (std::size_t e = 0; e < lengths[s]; ++e) {
            sessions.push_back(static_cast<std::int64_t>(s));
            items.push_back(static_cast<std::int64_t>(e + (s == 0 ? 6 : 0)));
            times.push_back(static_cast<std::int64_t>(times.size()));
        }
    }
    return gru4rec::make_dataset(sessions, items, times);
}

/// Of the items as they are numbered, by first appearance: 6, 7, 0, 1, 2, ...
const std::vector<std::int64_t> some_supports = {7, 0, 1, 2, 5, 12, 4, 9};

/// With this many better items for each prediction in turn.
Evaluation with_ranks(const Dataset& test, const std::vector<Index>& greater) {
    Evaluation evaluation;
    evaluation.cutoffs = {1, 3};
    for (Index s = 0; s < test.n_sessions(); ++s) {
        const auto session = test.session(gru4rec::to_session(s));
        for (std::size_t e = 1; e < session.size(); ++e) {
            evaluation.ranks.push_back({gru4rec::to_session(s), static_cast<Index>(e), session[e], {}});
        }
    }
    REQUIRE(evaluation.ranks.size() == greater.size());
    for (std::size_t i = 0; i < greater.size(); ++i) {
        evaluation.ranks[i].rank.greater = greater[i];
    }
    return evaluation;
}

Index sum(const std::vector<RankGroup>& groups) {
    Index n = 0;
    for (const RankGroup& group : groups) {
        n += group.n_predictions;
    }
    return n;
}

TEST_CASE("predictions are grouped by position, by length of the session and by popularity of the target") {
    const Dataset test = some_test();
    //                               session 0 | 1    | 2, positions 1 to 6
    const Evaluation evaluation = with_ranks(test, {0, 2, 7, 0, 0, 2, 3, 1, 5});
    const RankDetails details = details_of(evaluation, Ties::conservative, test, some_supports);

    REQUIRE(details.by_position.size() == 6);
    CHECK(details.by_position[0].from == 1);
    CHECK(details.by_position[0].to == 1);
    CHECK(details.by_position[0].n_predictions == 3);
    CHECK(details.by_position[0].metrics.recall == std::vector<double>{2.0 / 3, 1});
    CHECK(details.by_position[0].metrics.mrr[1] == doctest::Approx((1 + 1.0 / 3 + 1) / 3));
    CHECK(details.by_position[0].metrics.ndcg[1] == doctest::Approx((1 + 1 / std::log2(4.0) + 1) / 3));
    CHECK(details.by_position[5].from == 6);
    CHECK(details.by_position[5].to == 9);
    CHECK(details.by_position[5].metrics.recall == std::vector<double>{0, 0});

    REQUIRE(details.by_session_length.size() == 3);
    CHECK(details.by_session_length[0].from == 2);
    CHECK(details.by_session_length[1].from == 3);
    CHECK(details.by_session_length[2].from == 6);
    CHECK(details.by_session_length[2].to == 9);
    CHECK(details.by_session_length[2].n_predictions == 6);

    CHECK(sum(details.by_position) == 9);
    CHECK(sum(details.by_session_length) == 9);
    CHECK(sum(details.by_popularity) == 9);
    const std::vector<std::int64_t> firsts = {0, 2, 5, 10};  // no target has one training event
    const std::vector<Index> counts = {1, 3, 4, 1};
    REQUIRE(details.by_popularity.size() == firsts.size());
    for (std::size_t g = 0; g < firsts.size(); ++g) {
        CHECK(details.by_popularity[g].from == firsts[g]);
        CHECK(details.by_popularity[g].n_predictions == counts[g]);
    }
    CHECK(!details.by_popularity.back().to);
}

TEST_CASE("ranks are counted up to 1, 2, 5, 10 and the number of items, and predictions without a rank apart") {
    const Dataset test = some_test();
    Evaluation evaluation = with_ranks(test, {0, 1, 2, 3, 4, 5, 6, 7, 0});
    evaluation.ranks.back().rank.valid = false;
    const RankDetails details = details_of(evaluation, Ties::conservative, test, some_supports);
    const std::vector<std::pair<std::int64_t, Index>> expected = {{1, 1}, {2, 1}, {5, 3}, {8, 3}};
    REQUIRE(details.ranks.size() == expected.size());
    for (std::size_t g = 0; g < expected.size(); ++g) {
        CHECK(details.ranks[g].up_to == expected[g].first);
        CHECK(details.ranks[g].n_predictions == expected[g].second);
    }
    CHECK(details.n_unranked == 1);
}

TEST_CASE("ranks follow the rule for ties") {
    const Dataset test = some_test();
    Evaluation evaluation = with_ranks(test, std::vector<Index>(9, 0));
    evaluation.ranks[0].rank.equal = 4;
    const auto first_hit = [&](Ties rule) {
        return details_of(evaluation, rule, test, some_supports).by_session_length.front().metrics.recall;
    };
    CHECK(first_hit(Ties::standard) == std::vector<double>{1, 1});
    CHECK(first_hit(Ties::median) == std::vector<double>{0, 1});
    CHECK(first_hit(Ties::conservative) == std::vector<double>{0, 0});
    CHECK(details_of(evaluation, Ties::median, test, some_supports).ranks[2].n_predictions == 1);  // of rank 2.5
}

}  // namespace
