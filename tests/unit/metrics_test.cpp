#include "gru4rec/eval/metrics.hpp"

#include "support/all_ties.hpp"
#include "support/naive/evaluation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

using gru4rec::Evaluation;
using gru4rec::EvaluationOptions;
using gru4rec::Ties;
using gru4rec::detail::MetricSums;
using gru4rec::detail::TargetRank;

namespace {

Evaluation measured(const std::vector<TargetRank>& ranks, const std::vector<int>& cutoffs) {
    const EvaluationOptions options{.cutoffs = cutoffs, .ties = all_ties};
    MetricSums sums(options);
    for (const TargetRank& rank : ranks) {
        sums.add(rank);
    }
    return sums.result();
}

}  // namespace

TEST_CASE("the three rules place a target among its equals first, last and in the middle") {
    const TargetRank rank{.greater = 4, .equal = 3};
    CHECK(rank.rank(Ties::standard) == 5);
    CHECK(rank.rank(Ties::conservative) == 7);
    CHECK(rank.rank(Ties::median) == 6);
    const TargetRank even{.greater = 0, .equal = 4};
    CHECK(even.rank(Ties::median) == 2.5);
    for (const Ties ties : all_ties) {
        CHECK(TargetRank{}.rank(ties) == 1);
        CHECK(TargetRank{0, 1, false}.rank(ties) > 1e300);
    }
    CHECK(gru4rec::to_string(Ties::standard) == "standard");
    CHECK(gru4rec::to_string(Ties::conservative) == "conservative");
    CHECK(gru4rec::to_string(Ties::median) == "median");
}

TEST_CASE("a rank equal to the cutoff is a hit, the next one is not") {
    const Evaluation one = measured({{.greater = 0}, {.greater = 1}}, {1, 2});
    CHECK(one.recall_at(1, Ties::standard) == 0.5);
    CHECK(one.mrr_at(1, Ties::standard) == 0.5);
    CHECK(one.recall_at(2, Ties::standard) == 1);
    CHECK(one.mrr_at(2, Ties::standard) == 0.75);
}

TEST_CASE("NDCG is 1 / log2(rank + 1) up to the cutoff, by the rule for ties") {
    const Evaluation found = measured({{.greater = 0}, {.greater = 2}, {.greater = 6}, {0, 3}}, {3, 7});
    // Ranks 1, 3, 7 and, for three equals at the top, 1, 3 or 2.
    CHECK(found.ndcg_at(3, Ties::standard) == doctest::Approx((1 + 0.5 + 0 + 1) / 4));
    CHECK(found.ndcg_at(7, Ties::standard) == doctest::Approx((1 + 0.5 + 1.0 / 3 + 1) / 4));
    CHECK(found.ndcg_at(3, Ties::conservative) == doctest::Approx((1 + 0.5 + 0 + 0.5) / 4));
    CHECK(found.ndcg_at(3, Ties::median) == doctest::Approx((1 + 0.5 + 0 + 0.6309297535714575) / 4));
    CHECK(measured({{0, 1, false}}, {1000}).ndcg_at(1000, Ties::standard) == 0);
}

TEST_CASE("metrics are sums over events, and parts add up to the whole") {
    std::vector<TargetRank> ranks;
    std::vector<naive::Ranks> twins;
    naive::Engine engine(1);
    for (int i = 0; i < 200; ++i) {
        TargetRank rank{static_cast<gru4rec::Index>(naive::uniform_index(engine, 30)),
                        1 + static_cast<gru4rec::Index>(naive::uniform_index(engine, 3)), naive::uniform(engine) < 0.9};
        ranks.push_back(rank);
        twins.push_back({rank.rank(Ties::standard), rank.rank(Ties::conservative), rank.rank(Ties::median)});
    }
    const Evaluation whole = measured(ranks, {5, 1, 20});
    CHECK(whole.n_predictions == 200);
    for (const int cutoff : {1, 5, 20}) {
        const auto standard = naive::measure(twins, &naive::Ranks::standard, cutoff);
        const auto conservative = naive::measure(twins, &naive::Ranks::conservative, cutoff);
        const auto median = naive::measure(twins, &naive::Ranks::median, cutoff);
        CHECK(whole.recall_at(cutoff, Ties::standard) == doctest::Approx(standard.recall).epsilon(1e-13));
        CHECK(whole.mrr_at(cutoff, Ties::standard) == doctest::Approx(standard.mrr).epsilon(1e-13));
        CHECK(whole.ndcg_at(cutoff, Ties::standard) == doctest::Approx(standard.ndcg).epsilon(1e-13));
        CHECK(whole.recall_at(cutoff, Ties::conservative) == doctest::Approx(conservative.recall).epsilon(1e-13));
        CHECK(whole.mrr_at(cutoff, Ties::conservative) == doctest::Approx(conservative.mrr).epsilon(1e-13));
        CHECK(whole.ndcg_at(cutoff, Ties::conservative) == doctest::Approx(conservative.ndcg).epsilon(1e-13));
        CHECK(whole.recall_at(cutoff, Ties::median) == doctest::Approx(median.recall).epsilon(1e-13));
        CHECK(whole.mrr_at(cutoff, Ties::median) == doctest::Approx(median.mrr).epsilon(1e-13));
        CHECK(whole.ndcg_at(cutoff, Ties::median) == doctest::Approx(median.ndcg).epsilon(1e-13));
    }
    const EvaluationOptions options{.cutoffs = {5, 1, 20}, .ties = all_ties};
    MetricSums first(options), second(options);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        (i < 37 ? first : second).add(ranks[i]);  // uneven: a mean of means would differ
    }
    first.add(second);
    CHECK(first.result().n_predictions == 200);
    CHECK(first.result().recall_at(5, Ties::median) == whole.recall_at(5, Ties::median));
    CHECK(first.result().mrr_at(20, Ties::standard) ==
          doctest::Approx(whole.mrr_at(20, Ties::standard)).epsilon(1e-14));
    CHECK(first.result().ndcg_at(20, Ties::standard) ==
          doctest::Approx(whole.ndcg_at(20, Ties::standard)).epsilon(1e-14));
}

TEST_CASE("without a rule the first one that was measured counts") {
    const EvaluationOptions options{.cutoffs = {1, 3}, .ties = {Ties::standard, Ties::conservative}};
    MetricSums sums(options);
    sums.add({.greater = 0, .equal = 2});
    const Evaluation found = sums.result();
    CHECK(found.recall_at(1) == 1);
    CHECK(found.recall_at(1, Ties::conservative) == 0);
    CHECK(found.mrr_at(3) == 1);
    CHECK(found.mrr_at(3, Ties::conservative) == 0.5);
    CHECK(found.ndcg_at(3) == 1);
    CHECK(found.ndcg_at(3, Ties::conservative) < 1);
    CHECK_THROWS_WITH_AS(static_cast<void>(found.ndcg_at(2)), doctest::Contains("cutoff 2"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(Evaluation{}.recall_at(20)), doctest::Contains("nothing was measured"),
                         std::invalid_argument);
}

TEST_CASE("nothing measured is 0, not NaN; what was not measured is said to be so") {
    const Evaluation none = measured({}, {20});
    CHECK(none.n_predictions == 0);
    CHECK(none.recall_at(20, Ties::median) == 0);
    CHECK_THROWS_WITH_AS(static_cast<void>(none.recall_at(19, Ties::median)), doctest::Contains("19"),
                         std::invalid_argument);
    const EvaluationOptions by_default{};
    CHECK(by_default.cutoffs == std::vector{20});
    CHECK(by_default.ties == std::vector{Ties::conservative});
    CHECK_THROWS_WITH_AS(static_cast<void>(MetricSums(by_default).result().mrr_at(20, Ties::standard)),
                         doctest::Contains("standard"), std::invalid_argument);
}

TEST_CASE("options out of range are refused") {
    CHECK_THROWS_WITH_AS((EvaluationOptions{.cutoffs = {20, 0}}.validate()), doctest::Contains("cutoff = 0"),
                         std::invalid_argument);
    CHECK_THROWS_AS((EvaluationOptions{.cutoffs = {}}.validate()), std::invalid_argument);
    CHECK_THROWS_AS((EvaluationOptions{.cutoffs = {1}, .ties = {}}.validate()), std::invalid_argument);
    CHECK_THROWS_WITH_AS((EvaluationOptions{.bootstrap = {.resamples = -1}}.validate()), doctest::Contains("resamples"),
                         std::invalid_argument);
    for (const double level : {0.0, 1.0, -0.5, std::nan("")}) {
        CHECK_THROWS_WITH_AS((EvaluationOptions{.bootstrap = {.level = level}}.validate()), doctest::Contains("level"),
                             std::invalid_argument);
    }
}
