#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::EarlyStopping;
using gru4rec::Evaluation;
using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Model;
using gru4rec::StopMetric;
using gru4rec::Ties;

/// Walks around a circle of items, most of them by one step; few sessions of it are easily learnt by heart.
Dataset walks(std::size_t n_sessions, std::uint64_t seed, const ItemMap* known = nullptr) {
    constexpr std::size_t n_items = 30;
    naive::Engine engine(seed);
    std::vector<std::int64_t> sessions, items, times;
    for (std::size_t s = 0; s < n_sessions; ++s) {
        std::size_t item = naive::uniform_index(engine, n_items);
        for (std::size_t e = 0; e < 6; ++e) {
            sessions.push_back(static_cast<std::int64_t>(s));
            items.push_back(static_cast<std::int64_t>(item));
            times.push_back(static_cast<std::int64_t>(times.size()));
            const bool jumps = naive::uniform(engine) < 0.5;
            item = jumps ? naive::uniform_index(engine, n_items) : (item + 1) % n_items;
        }
    }
    return gru4rec::make_dataset(sessions, items, times, {.known_items = known});
}

/// Learns fast, then by heart what does not come again.
Model<float> new_model(const Dataset& data, int n_epochs) {
    Hyperparameters p;
    p.layers = {40};
    p.n_sample = 20;
    p.batch_size = 8;
    p.n_epochs = n_epochs;
    p.learning_rate = 0.2;
    p.dropout_p_hidden = 0.1;
    p.lr_decay = 0.98;
    return {p, data.items(), {data.supports().begin(), data.supports().end()}, 3};
}

std::vector<float> weights_of(const Model<float>& model) {
    std::vector<float> result;
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                result.push_back(view(r, c));
            }
        }
    }
    return result;
}

void set_weights(Model<float>& model, float value) {
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                view(r, c) = value;
            }
        }
    }
}

Evaluation evaluation_of(double recall, double mrr, double ndcg) {
    Evaluation result;
    result.cutoffs = {20, 1};
    result.metrics.resize(2);
    result.metrics[0] = {Ties::median, {recall, 0.9}, {mrr, 0.9}, {ndcg, 0.9}, {}, {}};
    result.metrics[1] = {Ties::standard, {0.9, 0.9}, {0.9, 0.9}, {0.9, 0.9}, {}, {}};
    return result;
}

template <class... Arguments>
inline constexpr bool can_watch = std::is_constructible_v<EarlyStopping<float>, Arguments...>;

static_assert(can_watch<Model<float>&, Dataset&> && can_watch<Model<float>&, const Dataset&>);
static_assert(!can_watch<Model<float>&, Dataset> && !can_watch<Model<float>&, const Dataset>,
              "validation data that end with the statement are refused");
static_assert(!can_watch<Model<float>, Dataset&>, "so is a model");

}  // namespace

TEST_CASE("training ends `patience` epochs after the best, whose weights come back to the bit") {
    const Dataset train = walks(60, 1);
    const Dataset valid = walks(60, 2, &train.items());
    for (const StopMetric metric : {StopMetric::recall, StopMetric::mrr, StopMetric::ndcg}) {
        for (const int patience : {1, 3}) {
            auto model = new_model(train, 40);
            EarlyStopping<float> stopping(model, valid, {patience, metric, {.cutoffs = {3}}});
            const auto report = gru4rec::Trainer<float>(model, {.seed = 5}).fit(train, stopping);
            const int best = stopping.best_epoch();
            CAPTURE(static_cast<int>(metric));
            REQUIRE(best + patience < 40);  // it does get worse
            CHECK(report.stopped);
            CHECK(report.epochs.size() == static_cast<std::size_t>(best + patience));
            CHECK(stopping.evaluations().size() == report.epochs.size());
            const auto last = weights_of(model);
            stopping.restore_best();
            CHECK(weights_of(model) != last);

            auto same = new_model(train, best);
            gru4rec::Trainer<float>(same, {.seed = 5}).fit(train);
            CHECK(weights_of(model) == weights_of(same));
            const auto measured = gru4rec::evaluate(model, valid, {.cutoffs = {3}});
            const auto& kept = stopping.evaluations()[static_cast<std::size_t>(best - 1)];
            CHECK(measured.metrics[0].recall == kept.metrics[0].recall);
            CHECK(measured.metrics[0].mrr == kept.metrics[0].mrr);
        }
    }
}

TEST_CASE("epochs without a better one are counted anew after a better one; an equal one is no better") {
    const Dataset data = walks(3, 1);
    auto model = new_model(data, 1);
    EarlyStopping<float> stopping(model, data, {.patience = 2});
    const auto observe = [&](double recall, float weights) {
        set_weights(model, weights);
        return stopping.observe(evaluation_of(recall, 0.5, 0.5));
    };
    CHECK(observe(0.1, 1));
    CHECK(observe(0.05, 2));
    CHECK(observe(0.3, 3));
    CHECK(observe(0.3, 4));
    CHECK(stopping.best_epoch() == 3);
    CHECK(!observe(0.2, 5));
    CHECK(stopping.best_metric() == 0.3);
    stopping.restore_best();
    for (const float weight : weights_of(model)) {
        CHECK(weight == 3);
    }
}

TEST_CASE("the metric is the one that is named, at the first cutoff, by the first rule for ties") {
    const Dataset data = walks(3, 1);
    const auto best = [&](StopMetric metric) {
        auto model = new_model(data, 1);
        EarlyStopping stopping(model, data, {.patience = 9, .metric = metric});
        stopping.observe(evaluation_of(0.3, 0.1, 0.1));
        stopping.observe(evaluation_of(0.1, 0.3, 0.1));
        stopping.observe(evaluation_of(0.1, 0.1, 0.3));
        return std::pair(stopping.best_epoch(), stopping.best_metric());
    };
    CHECK(best(StopMetric::recall) == std::pair(1, 0.3));
    CHECK(best(StopMetric::mrr) == std::pair(2, 0.3));
    CHECK(best(StopMetric::ndcg) == std::pair(3, 0.3));
}

TEST_CASE("a metric that is 0 all along keeps the first epoch; nothing measured leaves the weights alone") {
    const Dataset data = walks(3, 1);
    auto model = new_model(data, 1);
    EarlyStopping<float> stopping(model, data, {.patience = 1});
    const auto before = weights_of(model);
    stopping.restore_best();
    CHECK(weights_of(model) == before);
    CHECK(stopping.best_epoch() == 0);
    CHECK(stopping.observe(evaluation_of(0, 0, 0)));
    CHECK(stopping.best_epoch() == 1);
    CHECK(!stopping.observe(evaluation_of(0, 0, 0)));
}

TEST_CASE("options out of range are refused before training starts") {
    const Dataset data = walks(3, 1);
    auto model = new_model(data, 1);
    const auto with = [&](gru4rec::EarlyStoppingOptions options) { EarlyStopping<float>(model, data, options); };
    CHECK_THROWS_WITH_AS(with({.patience = 0}), doctest::Contains("patience >= 1"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(with({.evaluation = {.cutoffs = {}}}), doctest::Contains("cutoff"), std::invalid_argument);
}
