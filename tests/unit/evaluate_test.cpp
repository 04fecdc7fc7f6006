#include "gru4rec/eval/evaluate.hpp"

#include "gru4rec/baselines/popularity.hpp"
#include "support/all_ties.hpp"
#include "support/naive/evaluation.hpp"
#include "support/random_sessions.hpp"
#include "support/random_weights.hpp"
#include "support/scorer_ranks.hpp"
#include "support/twin_of_model.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Evaluation;
using gru4rec::EvaluationOptions;
using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Model;
using gru4rec::Ties;
using Entries = std::vector<std::pair<std::string, std::string>>;

template <class Scalar>
Model<Scalar> model_of(const Entries& settings, std::size_t n_items, std::uint64_t seed) {
    Hyperparameters p;
    p.layers = {4};
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    ItemMap items;
    std::vector<std::int64_t> supports;  // different ones, so that a correction by them would change the ranking
    for (std::size_t i = 0; i < n_items; ++i) {
        items.insert("item" + std::to_string(i));
        supports.push_back(static_cast<std::int64_t>(1 + i * 7 % 5));
    }
    Model<Scalar> model(p, items, supports);
    randomise_weights(model, seed);
    return model;
}

/// As read against the model's items; items from n_items on are unknown to it.
Dataset data_of(const std::vector<naive::Session>& sessions, const ItemMap& known) {
    std::vector<std::int64_t> ids, times;
    std::vector<std::string> items;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        for (const std::size_t item : sessions[s]) {
            ids.push_back(static_cast<std::int64_t>(s));
            items.push_back("item" + std::to_string(item));
            times.push_back(static_cast<std::int64_t>(times.size()));
        }
    }
    return gru4rec::make_dataset(ids, items, times, {.known_items = &known});
}

void check_same(const Evaluation& a, const Evaluation& b) {
    CHECK(a.n_predictions == b.n_predictions);
    REQUIRE(a.metrics.size() == b.metrics.size());
    for (std::size_t i = 0; i < a.metrics.size(); ++i) {
        CHECK(a.metrics[i].recall == b.metrics[i].recall);
        for (std::size_t c = 0; c < a.cutoffs.size(); ++c) {
            CHECK(a.metrics[i].mrr[c] == doctest::Approx(b.metrics[i].mrr[c]).epsilon(1e-12));
        }
    }
}

void check_ranks(const Evaluation& evaluation, const std::vector<naive::Ranks>& ranks) {
    CHECK(evaluation.n_predictions == static_cast<Index>(ranks.size()));
    for (const int cutoff : evaluation.cutoffs) {
        const auto check = [&](Ties ties, double naive::Ranks::*rule) {
            const naive::Measured wanted = naive::measure(ranks, rule, cutoff);
            CHECK(evaluation.recall_at(cutoff, ties) == doctest::Approx(wanted.recall).epsilon(1e-12));
            CHECK(evaluation.mrr_at(cutoff, ties) == doctest::Approx(wanted.mrr).epsilon(1e-12));
            CHECK(evaluation.ndcg_at(cutoff, ties) == doctest::Approx(wanted.ndcg).epsilon(1e-12));
        };
        check(Ties::standard, &naive::Ranks::standard);
        check(Ties::conservative, &naive::Ranks::conservative);
        check(Ties::median, &naive::Ranks::median);
    }
}

template <class Scalar>
void set(Model<Scalar>& model, const std::string& name, double value) {
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows && view.name == name; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                view(r, c) = static_cast<Scalar>(value);
            }
        }
    }
}

}  // namespace

TEST_CASE("the ranking is the brute-force one of the naive twin, in every mode, cell and rule") {
    std::uint64_t seed = 0;
    for (const Entries& settings :
         {Entries{{"layers", "9"}}, Entries{{"layers", "5/3"}, {"constrained_embedding", "0"}},
          Entries{{"layers", "7"}, {"constrained_embedding", "0"}, {"embedding", "4"}},
          Entries{{"layers", "6/8"}, {"gru_variant", "reset_after"}}, Entries{{"layers", "9"}, {"input", "history"}},
          Entries{{"layers", "5/3"}, {"input", "history"}, {"history_max", "3"}, {"deep_input", "1"}},
          Entries{{"layers", "5/3"}, {"constrained_embedding", "0"}, {"input", "history"}, {"deep_input", "1"}}}) {
        for (const std::size_t n_items : {std::size_t{3}, std::size_t{53}, std::size_t{300}}) {
            const auto model = model_of<double>(settings, n_items, ++seed);
            const auto sessions = uniform_sessions(150, n_items, seed);
            const EvaluationOptions options{.cutoffs = {1, 2, 20}, .ties = all_ties};
            check_ranks(gru4rec::evaluate(model, data_of(sessions, model.items()), options),
                        naive::rank_sessions(twin_of(model), sessions));
        }
    }
}

TEST_CASE("training's dropout, activations and corrections have no part in the ranking") {
    const auto plain = model_of<double>({{"loss", "bpr-max"}}, 30, 5);
    const auto other = model_of<double>({{"loss", "bpr-max"},
                                         {"final_act", "relu"},
                                         {"dropout_p_embed", "0.5"},
                                         {"dropout_p_hidden", "0.5"},
                                         {"n_sample", "7"},
                                         {"batch_size", "3"}},
                                        30, 5);
    const auto corrected = model_of<double>({{"logq", "1"}}, 30, 5);
    const Dataset data = data_of(uniform_sessions(60, 30, 1), plain.items());
    const EvaluationOptions options{.cutoffs = {1, 5, 20}, .ties = all_ties};
    check_same(gru4rec::evaluate(plain, data, options), gru4rec::evaluate(other, data, options));
    check_same(gru4rec::evaluate(plain, data, options), gru4rec::evaluate(corrected, data, options));
}

TEST_CASE("a model that scores all items the same has recall 1, 0 and 0 by the three rules") {
    for (const Index n_items : {Index{41}, Index{500}}) {
        auto model = model_of<float>({}, static_cast<std::size_t>(n_items), 3);
        set(model, "Wy.weight", 0);
        set(model, "By.weight", 0.25);
        const Dataset data = data_of(uniform_sessions(40, static_cast<std::size_t>(n_items), 1), model.items());
        const auto result = gru4rec::evaluate(model, data, {.cutoffs = {20}, .ties = all_ties});
        CHECK(result.recall_at(20, Ties::standard) == 1);
        CHECK(result.mrr_at(20, Ties::standard) == 1);
        CHECK(result.recall_at(20, Ties::conservative) == 0);
        CHECK(result.recall_at(20, Ties::median) == 0);
        CHECK(gru4rec::evaluate(model, data).recall_at(20, Ties::conservative) == 0);  // the rule unless one is named
        // rank (V + 1) / 2
        const int middle = static_cast<int>(n_items + 1) / 2;
        const auto at_median = gru4rec::evaluate(model, data, {.cutoffs = {middle - 1, middle + 1}, .ties = all_ties});
        CHECK(at_median.recall_at(middle - 1, Ties::median) == 0);
        CHECK(at_median.recall_at(middle + 1, Ties::median) == 1);
    }
}

TEST_CASE("equal items count by the rule, and the target equals itself in every block") {
    auto model = model_of<float>({}, 200, 9);
    set(model, "Wy.weight", 0);
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows && view.name == "By.weight"; ++r) {
            view(r, 0) = static_cast<float>(r % 10);  // 20 items of each score
        }
    }
    const Dataset data = data_of({{0, 7, 13}}, model.items());  // 40 items above item 7, 120 above item 13
    const auto result = gru4rec::evaluate(model, data, {.cutoffs = {40, 41, 50, 51, 60, 140}, .ties = all_ties});
    CHECK(result.n_predictions == 2);
    CHECK(result.recall_at(40, Ties::standard) == 0);
    CHECK(result.recall_at(41, Ties::standard) == 0.5);
    CHECK(result.mrr_at(41, Ties::standard) == doctest::Approx(0.5 / 41));
    CHECK(result.recall_at(50, Ties::median) == 0);
    CHECK(result.recall_at(51, Ties::median) == 0.5);
    CHECK(result.recall_at(60, Ties::conservative) == 0.5);
    CHECK(result.recall_at(51, Ties::conservative) == 0);
    CHECK(result.recall_at(140, Ties::conservative) == 1);
}

TEST_CASE("a target whose score is NaN is never a hit; NaN elsewhere stands above nobody") {
    auto model = model_of<double>({{"loss", "bpr-max"}}, 20, 2);
    for (const auto& view : model.tensors()) {
        if (view.name == "By.weight") {
            view(4, 0) = std::numeric_limits<double>::quiet_NaN();
        }
    }
    const std::vector<naive::Session> sessions = {{1, 4}, {2, 3, 5}};
    const auto result =
        gru4rec::evaluate(model, data_of(sessions, model.items()), {.cutoffs = {1000}, .ties = all_ties});
    CHECK(result.n_predictions == 3);
    for (const Ties ties : all_ties) {
        CHECK(result.recall_at(1000, ties) == doctest::Approx(2.0 / 3));
    }
    const auto at_5 = gru4rec::evaluate(model, data_of(sessions, model.items()), {.cutoffs = {1, 5}, .ties = all_ties});
    check_ranks(at_5, naive::rank_sessions(twin_of(model), sessions));
}

TEST_CASE("all sessions at once, one at a time, and with any number of threads give the same metrics") {
    const auto model = model_of<float>({{"layers", "12/10"}}, 90, 4);
    const auto sessions = uniform_sessions(300, 90, 8);
    const Dataset data = data_of(sessions, model.items());
    EvaluationOptions options{.cutoffs = {1, 3, 20}, .ties = all_ties, .max_threads = 1};
    const Evaluation whole = gru4rec::evaluate(model, data, options);
    double hits = 0;
    Index n = 0;
    for (const naive::Session& session : sessions) {
        const Evaluation one = gru4rec::evaluate(model, data_of({session}, model.items()), options);
        n += one.n_predictions;
        hits += one.recall_at(3, Ties::median) * static_cast<double>(one.n_predictions);
    }
    CHECK(whole.n_predictions == n);
    CHECK(whole.n_predictions == data.n_pairs());
    CHECK(whole.recall_at(3, Ties::median) * static_cast<double>(n) == doctest::Approx(hits).epsilon(1e-12));
    options.max_threads = 2;
    check_same(gru4rec::evaluate(model, data, options), whole);
    options.max_threads = 0;
    check_same(gru4rec::evaluate(model, data, options), whole);
}

TEST_CASE("events of unknown items leave the sessions, the rest is ranked as if they had not been") {
    const auto model = model_of<double>({}, 12, 6);
    const Dataset with_unknown = data_of({{1, 77, 2}, {78, 79}, {80, 3}, {4, 5, 99}}, model.items());
    const Dataset without = data_of({{1, 2}, {3}, {4, 5}}, model.items());
    CHECK(with_unknown.n_unknown_events() == 5);
    const EvaluationOptions options{.cutoffs = {1, 5}, .ties = all_ties};
    CHECK(gru4rec::evaluate(model, with_unknown, options).n_predictions == 2);
    check_same(gru4rec::evaluate(model, with_unknown, options), gru4rec::evaluate(model, without, options));
}

TEST_CASE("nothing to predict is not an error; a data set of other items and bad options are") {
    const auto model = model_of<float>({}, 6, 6);
    CHECK(gru4rec::evaluate(model, data_of({{1}, {2}}, model.items())).n_predictions == 0);
    CHECK(gru4rec::evaluate(model, data_of({}, model.items())).n_predictions == 0);
    const auto larger = model_of<float>({}, 7, 6);
    const Dataset other = data_of({{1, 2}}, larger.items());
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::evaluate(model, other)), doctest::Contains("known_items"),
                         std::invalid_argument);
    const Dataset good = data_of({{1, 2}}, model.items());
    CHECK_THROWS_AS(static_cast<void>(gru4rec::evaluate(model, good, {.cutoffs = {0}})), std::invalid_argument);
    CHECK_THROWS_AS(static_cast<void>(gru4rec::evaluate(model, good, {.max_threads = -2})), std::invalid_argument);
}

TEST_CASE("what on_progress throws ends the evaluation of a model and of a scorer early") {
    const auto model = model_of<float>({}, 15, 6);
    const Dataset data = data_of(uniform_sessions(700, 15, 3), model.items());
    const gru4rec::Popularity scorer(data);
    std::atomic<int> calls = 0;
    EvaluationOptions options{.max_threads = 1, .on_progress = [&] { ++calls; }};
    const Evaluation whole = gru4rec::evaluate(model, data, options);
    check_same(whole, gru4rec::evaluate(model, data, {.max_threads = 1}));
    const int calls_of_model = calls.exchange(0);
    CHECK(calls_of_model > 10);
    static_cast<void>(gru4rec::evaluate(scorer, data, options));
    const int calls_of_scorer = calls.exchange(0);
    CHECK(calls_of_scorer == 700);
    options.on_progress = [&] {
        if (++calls == 5) {
            throw std::runtime_error("enough");
        }
    };
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::evaluate(model, data, options)), "enough", std::runtime_error);
    CHECK(calls.exchange(0) == 5);
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::evaluate(scorer, data, options)), "enough", std::runtime_error);
    CHECK(calls < calls_of_scorer);
}

TEST_CASE("any scorer is ranked by the same rules") {
    const auto model = model_of<float>({}, 15, 6);
    const Dataset data = data_of(uniform_sessions(700, 15, 3), model.items());
    const gru4rec::Popularity scorer(data);
    const EvaluationOptions options{.cutoffs = {1, 5, 15}, .ties = all_ties, .max_threads = 2};
    check_ranks(gru4rec::evaluate(scorer, data, options), scorer_ranks(scorer, data));
    const auto larger = model_of<float>({}, 16, 6);
    CHECK_THROWS_AS(static_cast<void>(gru4rec::evaluate(scorer, data_of({{1, 2}}, larger.items()), options)),
                    std::invalid_argument);
}
