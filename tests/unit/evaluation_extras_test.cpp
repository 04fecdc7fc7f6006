#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "support/all_ties.hpp"
#include "support/naive/evaluation.hpp"
#include "support/random_sessions.hpp"
#include "support/random_weights.hpp"
#include "support/sweep.hpp"
#include "support/temporary_folder.hpp"
#include "support/twin_of_model.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

// Optional measures: coverage and popularity of lists, single ranks, confidence intervals.
namespace {

using gru4rec::Dataset;
using gru4rec::Evaluation;
using gru4rec::EvaluationOptions;
using gru4rec::EventRank;
using gru4rec::Index;
using gru4rec::Interval;
using gru4rec::ItemIndex;
using gru4rec::Model;
using gru4rec::Ties;
using gru4rec::detail::Random;

gru4rec::ItemMap catalogue(std::size_t n_items) {
    gru4rec::ItemMap items;
    for (std::size_t i = 0; i < n_items; ++i) {
        items.insert("item" + std::to_string(i));
    }
    return items;
}

Dataset data_of(const std::vector<naive::Session>& sessions, const gru4rec::ItemMap& items) {
    std::vector<std::string> ids, of_events;
    std::vector<std::int64_t> times;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        for (const std::size_t item : sessions[s]) {
            ids.push_back("session" + std::to_string(s));
            of_events.push_back("item" + std::to_string(item));
            times.push_back(static_cast<std::int64_t>(times.size()));
        }
    }
    return gru4rec::make_dataset(ids, of_events, times,
                                 {.keep_session_ids = gru4rec::KeepSessionIds::yes, .known_items = &items});
}

std::vector<std::int64_t> some_supports(std::size_t n_items) {
    std::vector<std::int64_t> supports;
    for (std::size_t i = 0; i < n_items; ++i) {
        supports.push_back(static_cast<std::int64_t>((i * 37) % 11));
    }
    return supports;
}

template <class Scalar>
Model<Scalar> some_model(std::size_t n_items, std::uint64_t seed) {
    gru4rec::Hyperparameters p;
    p.layers = {6};
    Model<Scalar> model(p, catalogue(n_items), some_supports(n_items));
    randomise_weights(model, seed);
    return model;
}

/// The scores of all items before each next item, session by session.
std::vector<std::vector<std::vector<double>>> scores_of(const naive::Network& twin,
                                                        const std::vector<naive::Session>& sessions) {
    std::vector<std::vector<std::vector<double>>> result;
    for (const naive::Session& session : sessions) {
        const naive::Matrix along = naive::scores_along(twin, session);
        result.emplace_back();
        for (std::size_t e = 0; e + 1 < session.size(); ++e) {
            result.back().emplace_back(along.values.begin() + static_cast<Index>(e * along.cols),
                                       along.values.begin() + static_cast<Index>((e + 1) * along.cols));
        }
    }
    return result;
}

template <class Scorer>
std::vector<std::vector<std::vector<double>>> scores_of(Scorer scorer, const Dataset& test) {
    std::vector<std::vector<std::vector<double>>> result;
    for (Index s = 0; s < test.n_sessions(); ++s) {
        const auto session = test.session(gru4rec::to_session(s));
        scorer.reset();
        result.emplace_back();
        for (std::size_t e = 0; e + 1 < session.size(); ++e) {
            scorer.observe(session[e]);
            scorer.scores(result.back().emplace_back(static_cast<std::size_t>(scorer.n_items())));
        }
    }
    return result;
}

void check_lists(const Evaluation& evaluation, const std::vector<std::vector<std::vector<double>>>& scores,
                 const std::vector<std::int64_t>& supports) {
    for (const int cutoff : evaluation.cutoffs) {
        std::vector<std::vector<std::size_t>> lists;
        for (const auto& of_session : scores) {
            for (const auto& of_event : of_session) {
                lists.push_back(naive::top_list(of_event, static_cast<std::size_t>(cutoff)));
            }
        }
        CAPTURE(cutoff);
        CHECK(evaluation.coverage_at(cutoff) == naive::coverage(lists, supports.size()));
        CHECK(evaluation.popularity_at(cutoff) ==
              doctest::Approx(naive::mean_popularity(lists, {supports.begin(), supports.end()})).epsilon(1e-12));
    }
}

void check_ranks(const Evaluation& evaluation, const std::vector<naive::Session>& sessions,
                 const std::vector<std::vector<std::vector<double>>>& scores) {
    std::size_t at = 0;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        for (std::size_t e = 0; e + 1 < sessions[s].size(); ++e, ++at) {
            const EventRank& found = evaluation.ranks.at(at);
            const std::size_t target = sessions[s][e + 1];
            const naive::Ranks wanted = naive::ranks_of(scores.at(s).at(e), target);
            CHECK(gru4rec::to_index(found.session) == static_cast<Index>(s));
            CHECK(found.position == static_cast<Index>(e + 1));
            CHECK(gru4rec::to_index(found.item) == static_cast<Index>(target));
            CHECK(found.rank.rank(Ties::standard) == wanted.standard);
            CHECK(found.rank.rank(Ties::conservative) == wanted.conservative);
            CHECK(found.rank.rank(Ties::median) == wanted.median);
        }
    }
    CHECK(at == evaluation.ranks.size());
}

/// The twin draws its resamples from the library's random stream and computes everything else itself.
void check_intervals(const Evaluation& evaluation, const std::vector<std::vector<naive::Ranks>>& of_sessions,
                     const gru4rec::BootstrapOptions& options) {
    std::vector<std::vector<std::size_t>> resamples;
    for (int r = 0; r < options.resamples; ++r) {
        Random random(options.seed, Random::Stream::bootstrap, {static_cast<std::uint64_t>(r)});
        resamples.emplace_back();
        for (std::size_t draw = 0; draw < of_sessions.size(); ++draw) {
            resamples.back().push_back(static_cast<std::size_t>(random.below(of_sessions.size())));
        }
    }
    for (const gru4rec::Metrics& metrics : evaluation.metrics) {
        const auto rule = metrics.ties == Ties::standard       ? &naive::Ranks::standard
                          : metrics.ties == Ties::conservative ? &naive::Ranks::conservative
                                                               : &naive::Ranks::median;
        for (std::size_t c = 0; c < evaluation.cutoffs.size(); ++c) {
            std::vector<double> recalls, mrrs;
            for (const auto& drawn : resamples) {
                const auto measured = naive::measure_resample(of_sessions, drawn, rule, evaluation.cutoffs[c]);
                recalls.push_back(measured.recall);
                mrrs.push_back(measured.mrr);
            }
            const auto check = [&](const Interval& found, const std::vector<double>& values) {
                CHECK(found.low == doctest::Approx(naive::quantile(values, (1 - options.level) / 2)).epsilon(1e-12));
                CHECK(found.high == doctest::Approx(naive::quantile(values, (1 + options.level) / 2)).epsilon(1e-12));
            };
            check(metrics.recall_interval.at(c), recalls);
            check(metrics.mrr_interval.at(c), mrrs);
        }
    }
}

std::vector<std::vector<naive::Ranks>> ranks_of(const std::vector<std::vector<std::vector<double>>>& scores,
                                                const std::vector<naive::Session>& sessions) {
    std::vector<std::vector<naive::Ranks>> result;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        if (sessions[s].size() > 1) {
            result.emplace_back();
        }
        for (std::size_t e = 0; e + 1 < sessions[s].size(); ++e) {
            result.back().push_back(naive::ranks_of(scores[s][e], sessions[s][e + 1]));
        }
    }
    return result;
}

/// Gives every session the same scores.
struct Fixed {
    std::vector<double> values;
    void reset() {}
    void observe(ItemIndex) {}
    void scores(std::span<double> out) const { std::copy(values.begin(), values.end(), out.begin()); }
    [[nodiscard]] Index n_items() const { return static_cast<Index>(values.size()); }
};

/// Ranks the last item first, the others by index.
struct Repeat {
    Index n = 0;
    ItemIndex last{};
    void reset() {}
    void observe(ItemIndex item) { last = item; }
    void scores(std::span<double> out) const {
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = -static_cast<double>(i);
        }
        out[static_cast<std::size_t>(last)] = 1;
    }
    [[nodiscard]] Index n_items() const { return n; }
};

void check_same(const Evaluation& a, const Evaluation& b) {
    CHECK(a.coverage == b.coverage);
    CHECK(a.popularity == b.popularity);
    REQUIRE(a.ranks.size() == b.ranks.size());
    for (std::size_t i = 0; i < a.ranks.size(); ++i) {
        CHECK(a.ranks[i].rank.greater == b.ranks[i].rank.greater);
        CHECK(a.ranks[i].rank.equal == b.ranks[i].rank.equal);
    }
    for (std::size_t i = 0; i < a.metrics.size(); ++i) {
        CHECK(a.metrics[i].recall == b.metrics[i].recall);
        CHECK(a.metrics[i].mrr == b.metrics[i].mrr);
        CHECK(a.metrics[i].ndcg == b.metrics[i].ndcg);
        CHECK(a.metrics[i].recall_interval == b.metrics[i].recall_interval);
        CHECK(a.metrics[i].mrr_interval == b.metrics[i].mrr_interval);
    }
}

EvaluationOptions everything(std::vector<int> cutoffs) {
    return {.cutoffs = std::move(cutoffs),
            .ties = all_ties,
            .coverage = true,
            .ranks = true,
            .bootstrap = {.resamples = 60, .level = 0.8, .seed = 5}};
}

}  // namespace

TEST_CASE("coverage and mean popularity of lists worked out by hand") {
    const std::vector<std::int64_t> supports = {10, 6, 3, 1};
    const auto items = catalogue(4);
    // Lists: after item 3 [3 0 1 2], after item 1 [1 0 2 3], after item 3 again.
    const Dataset test = data_of({{3, 1, 0}, {2}, {3, 2}}, items);
    const auto found =
        gru4rec::evaluate(Repeat{4}, test, {.cutoffs = {1, 2, 3, 9}, .coverage = true}, {.supports = supports});
    CHECK(found.coverage_at(1) == 2.0 / 4);
    CHECK(found.coverage_at(2) == 3.0 / 4);
    CHECK(found.coverage_at(3) == 4.0 / 4);
    CHECK(found.coverage_at(9) == 1);
    CHECK(found.popularity_at(1) == doctest::Approx((0.05 + 0.30 + 0.05) / 3));
    CHECK(found.popularity_at(2) == doctest::Approx((0.55 / 2 + 0.80 / 2 + 0.55 / 2) / 3));
    CHECK(found.popularity_at(9) == doctest::Approx(1.0 / 4));
}

TEST_CASE("equal scores are listed by item index, NaN last") {
    const std::vector<std::int64_t> supports = {1, 2, 3, 4};
    const Dataset test = data_of({{0, 1}}, catalogue(4));
    const Fixed scorer{{std::numeric_limits<double>::quiet_NaN(), 5, 5, 5}};
    const auto found =
        gru4rec::evaluate(scorer, test, {.cutoffs = {1, 2, 3, 4}, .coverage = true}, {.supports = supports});
    CHECK(found.popularity == std::vector{2.0 / 10, 5.0 / 20, 9.0 / 30, 10.0 / 40});
    CHECK(found.coverage == std::vector{0.25, 0.5, 0.75, 1.0});
}

TEST_CASE("lists, single ranks and intervals of a model are those of the naive twin") {
    std::uint64_t seed = 0;
    // The largest catalogue is scanned in parts, and 160 sessions in several groups of lanes.
    for (const std::size_t n_items : {std::size_t{3}, std::size_t{70}, std::size_t{9000}}) {
        const auto model = some_model<double>(n_items, ++seed);
        const auto sessions = uniform_sessions(n_items < 1000 ? 160 : sweep::part_of(60), n_items, seed);
        const auto options = everything({1, 7, 20});
        const auto found = gru4rec::evaluate(model, data_of(sessions, model.items()), options);
        const auto scores = scores_of(twin_of(model), sessions);
        check_lists(found, scores, some_supports(n_items));
        check_ranks(found, sessions, scores);
        check_intervals(found, ranks_of(scores, sessions), options.bootstrap);
    }
}

TEST_CASE("a rank stays with its session where lanes close up") {
    // 128 lanes: those that take a second session of 5 events outlive the first ones, which had one of 7.
    naive::Engine engine(1);
    std::vector<naive::Session> sessions(164);
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        sessions[s].resize(s < 64 ? 7 : 5);
        for (std::size_t& item : sessions[s]) {
            item = naive::uniform_index(engine, 20);
        }
    }
    const auto model = some_model<double>(20, 1);
    const auto found = gru4rec::evaluate(model, data_of(sessions, model.items()), {.ranks = true});
    check_ranks(found, sessions, scores_of(twin_of(model), sessions));
}

TEST_CASE("lists, single ranks and intervals of a scorer are those of the naive twin") {
    const auto supports = some_supports(40);
    const auto items = catalogue(40);
    const auto sessions = uniform_sessions(600, 40, 9);
    const Dataset data = data_of(sessions, items);
    const auto options = everything({1, 5, 20});
    const auto check = [&](const auto& scorer) {
        const auto found = gru4rec::evaluate(scorer, data, options, {.supports = supports});
        const auto scores = scores_of(scorer, data);
        check_lists(found, scores, supports);
        check_ranks(found, sessions, scores);
        check_intervals(found, ranks_of(scores, sessions), options.bootstrap);
    };
    check(gru4rec::Popularity(data));
    check(gru4rec::Markov(data));
    check(Repeat{40});
}

TEST_CASE("all that is measured has the same bits with 1, 2 and 4 threads") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    const auto model = some_model<float>(9000, 4);
    const Dataset data = data_of(uniform_sessions(400, 9000, 8), model.items());
    const auto supports = some_supports(9000);
    auto options = everything({1, 20});
    const auto measured = [&](const auto& predictor, int threads) {
        options.max_threads = threads;
        return gru4rec::evaluate(predictor, data, options, {.supports = supports});
    };
    const Evaluation model_alone = measured(model, 1);
    const Evaluation scorer_alone = measured(Repeat{9000}, 1);
    for (const int threads : {2, 4, 0}) {
        check_same(model_alone, measured(model, threads));
        check_same(scorer_alone, measured(Repeat{9000}, threads));
    }
}

TEST_CASE("optional measures are absent unless requested, and requesting them changes no other value") {
    const auto model = some_model<float>(50, 4);
    const Dataset data = data_of(uniform_sessions(60, 50, 8), model.items());
    const auto plain = gru4rec::evaluate(model, data, {.cutoffs = {3}, .ties = all_ties});
    CHECK(plain.coverage.empty());
    CHECK(plain.popularity.empty());
    CHECK(plain.ranks.empty());
    CHECK(plain.metrics[0].recall_interval.empty());
    CHECK(plain.metrics[0].mrr_interval.empty());
    CHECK_THROWS_WITH_AS(static_cast<void>(plain.coverage_at(3)), doctest::Contains("set the option coverage"),
                         std::invalid_argument);
    const auto all = gru4rec::evaluate(model, data, everything({3}));
    CHECK_THROWS_AS(static_cast<void>(all.popularity_at(4)), std::invalid_argument);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(plain.metrics[i].recall == all.metrics[i].recall);
        CHECK(plain.metrics[i].mrr == all.metrics[i].mrr);
        CHECK(plain.metrics[i].ndcg == all.metrics[i].ndcg);
    }
    EvaluationOptions intervals_alone{.bootstrap = {.resamples = 3}};
    CHECK(gru4rec::evaluate(model, data, intervals_alone).ranks.empty());
}

TEST_CASE("a test set without predictions has lists of nothing, and intervals at 0") {
    const auto model = some_model<float>(5, 4);
    const auto none = gru4rec::evaluate(model, data_of({{1}, {2}}, model.items()), everything({3}));
    CHECK(none.coverage_at(3) == 0);
    CHECK(none.popularity_at(3) == 0);
    CHECK(none.ranks.empty());
    CHECK(none.metrics[0].recall_interval == std::vector{Interval{0, 0}});
}

TEST_CASE("the popularity needs supports of the catalogue's size") {
    const Dataset data = data_of({{0, 1}}, catalogue(4));
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::evaluate(Repeat{4}, data, {.coverage = true})),
                         doctest::Contains("supports"), std::invalid_argument);
    const auto model = some_model<float>(4, 4);
    const std::vector<std::int64_t> others = {1, 0, 0, 0};
    const auto by_others = gru4rec::evaluate(model, data, {.cutoffs = {4}, .coverage = true}, {.supports = others});
    CHECK(by_others.popularity_at(4) == 0.25);
    constexpr auto most = (std::numeric_limits<std::int64_t>::max)();
    const std::vector<std::int64_t> huge = {most, most, most, most};
    const auto by_huge = gru4rec::evaluate(model, data, {.cutoffs = {4}, .coverage = true}, {.supports = huge});
    CHECK(by_huge.popularity_at(4) == 0.25);
}

TEST_CASE("intervals: another seed, another level, and sessions that are all alike") {
    const auto model = some_model<double>(30, 2);
    const Dataset data = data_of(uniform_sessions(200, 30, 3), model.items());
    const auto interval = [&](gru4rec::BootstrapOptions bootstrap, const Dataset& test) {
        const EvaluationOptions options{.cutoffs = {10}, .bootstrap = bootstrap};
        return gru4rec::evaluate(model, test, options).metrics[0].recall_interval[0];
    };
    const Interval wide = interval({.resamples = 400}, data);
    const Interval narrow = interval({.resamples = 400, .level = 0.5}, data);
    CHECK(interval({.resamples = 400}, data) == wide);
    CHECK(interval({.resamples = 400, .seed = 43}, data) != wide);
    CHECK(wide.low < narrow.low);
    CHECK(narrow.low < narrow.high);
    CHECK(narrow.high < wide.high);
    const Interval point = interval({.resamples = 50}, data_of({{1, 2, 3}, {1, 2, 3}}, model.items()));
    CHECK(point.low == point.high);
}

TEST_CASE(
    "the interval of n independent hits is the binomial's, and that of whole sessions is wider than that of events") {
    // Half of the sessions hit always, half never: the recall of a resample is the share of hits among n draws, whose
    // standard deviation is sqrt(p (1 - p) / n), however many events a session has.
    const std::size_t n = 400;
    const std::size_t half = n / 2;
    std::vector<naive::Session> sessions;
    for (std::size_t s = 0; s < n; ++s) {
        sessions.emplace_back(11, s < half ? 0 : 1);
    }
    const Dataset data = data_of(sessions, catalogue(2));
    const EvaluationOptions options{.cutoffs = {1}, .bootstrap = {.resamples = 4000}};
    const Interval found = gru4rec::evaluate(Fixed{{1, 0}}, data, options).metrics[0].recall_interval[0];
    const double deviation = std::sqrt(0.25 / static_cast<double>(n));
    // A 2.5 % quantile of 4000 normal values has standard error sqrt(.025 .975 / 4000) / density = .042 deviations.
    CHECK(std::abs(found.low - (0.5 - 1.96 * deviation)) < 5 * 0.042 * deviation + 0.5 / static_cast<double>(n));
    CHECK(std::abs(found.high - (0.5 + 1.96 * deviation)) < 5 * 0.042 * deviation + 0.5 / static_cast<double>(n));
}

TEST_CASE("single ranks are written as a table, by the rule that is chosen") {
    const TemporaryFolder folder;
    const auto path = folder / "ranks.tsv";
    const Dataset data = data_of({{0, 3, 1}, {2}, {2, 0}}, catalogue(4));
    const Fixed scorer{{7, 7, 7, std::numeric_limits<double>::quiet_NaN()}};
    const auto found = gru4rec::evaluate(scorer, data, {.ranks = true});
    const auto written = [&](Ties ties) {
        gru4rec::write_ranks(path, found.ranks, data, ties);
        std::ifstream file(path);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const std::string head = "SessionId\tPosition\tItemId\tRank\nsession0\t1\titem3\tinf\n";
    CHECK(written(Ties::conservative) == head + "session0\t2\titem1\t3\nsession2\t1\titem0\t3\n");
    CHECK(written(Ties::standard) == head + "session0\t2\titem1\t1\nsession2\t1\titem0\t1\n");
    CHECK(written(Ties::median) == head + "session0\t2\titem1\t2\nsession2\t1\titem0\t2\n");
}

TEST_CASE("a session id that the table cannot hold is refused, and the file stays as it was") {
    const TemporaryFolder folder;
    const auto path = folder / "ranks.tsv";
    const auto items = catalogue(2);
    const Dataset data = gru4rec::make_dataset(
        std::vector<std::string>{"a\tb", "a\tb"}, std::vector<std::string>{"item0", "item1"}, std::vector{1, 2},
        {.keep_session_ids = gru4rec::KeepSessionIds::yes, .known_items = &items});
    const auto found = gru4rec::evaluate(Fixed{{1, 0}}, data, {.ranks = true});
    CHECK_THROWS_WITH_AS(gru4rec::write_ranks(path, found.ranks, data, Ties::standard), doctest::Contains("TAB"),
                         gru4rec::FormatError);
    CHECK(!std::filesystem::exists(path));
}
