#include "gru4rec/eval/metrics.hpp"

#include "support/all_ties.hpp"
#include "support/naive/evaluation.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <vector>

using gru4rec::Evaluation;
using gru4rec::EvaluationOptions;
using gru4rec::MetricSums;
using gru4rec::Ties;
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

TargetRank random_rank(naive::Engine& engine) {
    return {static_cast<gru4rec::Index>(naive::uniform_index(engine, 30)),
            1 + static_cast<gru4rec::Index>(naive::uniform_index(engine, 3)), naive::uniform(engine) < 0.9};
}

naive::Ranks twin_of(const TargetRank& rank) {
    return {rank.rank(Ties::standard), rank.rank(Ties::conservative), rank.rank(Ties::median)};
}

void check_against_twin(const Evaluation& found, const std::vector<naive::Ranks>& twins) {
    CHECK(found.n_predictions == std::ssize(twins));
    const std::array rules{std::pair{Ties::standard, &naive::Ranks::standard},
                           std::pair{Ties::conservative, &naive::Ranks::conservative},
                           std::pair{Ties::median, &naive::Ranks::median}};
    for (const int cutoff : found.cutoffs) {
        for (const auto& [rule, rank] : rules) {
            const naive::Measured twin = naive::measure(twins, rank, cutoff);
            CHECK(found.recall_at(cutoff, rule) == doctest::Approx(twin.recall).epsilon(1e-13));
            CHECK(found.mrr_at(cutoff, rule) == doctest::Approx(twin.mrr).epsilon(1e-13));
            CHECK(found.ndcg_at(cutoff, rule) == doctest::Approx(twin.ndcg).epsilon(1e-13));
        }
    }
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
        ranks.push_back(random_rank(engine));
        twins.push_back(twin_of(ranks.back()));
    }
    const Evaluation whole = measured(ranks, {5, 1, 20});
    check_against_twin(whole, twins);
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

TEST_CASE("the metrics of a part of the predictions are those of the naive twin of that part") {
    constexpr std::size_t n_parts = 5;
    std::vector<MetricSums> parts(n_parts, MetricSums(EvaluationOptions{.cutoffs = {20, 3}, .ties = all_ties}));
    std::vector<std::vector<naive::Ranks>> twins(n_parts);
    naive::Engine engine(2);
    for (int i = 0; i < 300; ++i) {
        const std::size_t part = naive::uniform_index(engine, n_parts);
        const TargetRank rank = random_rank(engine);
        parts[part].add(rank);
        twins[part].push_back(twin_of(rank));
    }
    for (std::size_t part = 0; part < n_parts; ++part) {
        CAPTURE(part);
        REQUIRE(!twins[part].empty());
        check_against_twin(parts[part].result(), twins[part]);
    }
}

TEST_CASE("sums of other cutoffs or rules for ties, or of none, are refused") {
    MetricSums sums(EvaluationOptions{.cutoffs = {5, 20}});
    const MetricSums other_cutoffs(EvaluationOptions{.cutoffs = {5, 10}});
    const MetricSums other_rule(EvaluationOptions{.cutoffs = {5, 20}, .ties = {Ties::median}});
    CHECK_THROWS_AS(sums.add(other_cutoffs), gru4rec::ContractError);
    CHECK_THROWS_AS(sums.add(other_rule), gru4rec::ContractError);
    const EvaluationOptions nothing{.cutoffs = {}};
    CHECK_THROWS_AS(MetricSums{nothing}, gru4rec::ConfigError);
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
