#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/naive/evaluation.hpp"
#include "support/twin.hpp"

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace bench {
namespace {

[[nodiscard]] gru4rec::Model<float> make_model(Index n_items, Index units) {
    gru4rec::Hyperparameters p;
    p.layers = {static_cast<int>(units)};
    return {p, item_map(n_items), zipf_supports(n_items), 42};
}

[[nodiscard]] gru4rec::Dataset test_sessions(const gru4rec::Model<float>& model, Index n_sessions) {
    EndlessSessions source(model.supports(), n_sessions);
    std::vector<std::int64_t> sessions;
    std::vector<std::string_view> items;
    std::vector<std::int64_t> times;
    for (Index s = 0; s < n_sessions; ++s) {
        for (const ItemIndex item : source.next_session()) {
            sessions.push_back(s);
            items.push_back(model.items().id(item));
            times.push_back(static_cast<std::int64_t>(times.size()));
        }
    }
    gru4rec::ReadOptions options;
    options.known_items = &model.items();
    return gru4rec::make_dataset(sessions, items, times, options);
}

/// The whole model, for the twin.
[[nodiscard]] naive::Network twin_of(const gru4rec::Model<float>& model) {
    naive::Network network;
    network.settings.layers = {static_cast<std::size_t>(model.hyperparameters().layers.front())};
    network.n_items = static_cast<std::size_t>(model.n_items());
    for (const auto& view : model.tensors()) {
        naive::Matrix matrix(static_cast<std::size_t>(view.rows), static_cast<std::size_t>(view.cols));
        for (std::size_t r = 0; r < matrix.rows; ++r) {
            for (std::size_t c = 0; c < matrix.cols; ++c) {
                matrix(r, c) = static_cast<double>(view(static_cast<Index>(r), static_cast<Index>(c)));
            }
        }
        network.weights[view.name] = view.is_vector ? transposed(matrix) : matrix;
    }
    return network;
}

/// Mean reciprocal ranks over the whole catalogue, which no rank escapes.
[[nodiscard]] std::string check_evaluation(const gru4rec::Model<float>& model) {
    const gru4rec::Dataset test = test_sessions(model, 4);
    const auto all = static_cast<int>(model.n_items());
    const gru4rec::Evaluation got = gru4rec::evaluate(model, test, {.cutoffs = {all / 2, all}});
    std::vector<naive::Session> sessions;
    for (Index s = 0; s < test.n_sessions(); ++s) {
        naive::Session session;
        for (const ItemIndex item : test.session(gru4rec::to_session(s))) {
            session.push_back(static_cast<std::size_t>(to_index(item)));
        }
        sessions.push_back(session);
    }
    const auto ranks = naive::rank_sessions(twin_of(model), sessions);
    if (static_cast<Index>(ranks.size()) != got.n_predictions) {
        return std::to_string(got.n_predictions) + " predictions, wanted " + std::to_string(ranks.size());
    }
    const auto conservative = gru4rec::Ties::conservative;
    const naive::Measured half = naive::measure(ranks, &naive::Ranks::conservative, all / 2);
    const naive::Measured whole = naive::measure(ranks, &naive::Ranks::conservative, all);
    // Neighbours in the ranking may change places by rounding: 1/rank moves by 1/rank^2.
    std::string problem = difference("recall", got.recall_at(all / 2, conservative), half.recall, 1e-6);
    return problem.empty() ? difference("mrr", got.mrr_at(all, conservative) * all, whole.mrr * all, 1e-3) : problem;
}

void evaluate(benchmark::State& state) {
    const Index n_items = state.range(0);
    const Index units = state.range(1);
    const int threads = static_cast<int>(state.range(2));
    const gru4rec::Model<float> model = make_model(n_items, units);
    const std::string name = "evaluate " + std::to_string(n_items) + " " + std::to_string(units);
    if (!passes(state, name, [&] { return check_evaluation(model); })) {
        return;
    }
    const gru4rec::Dataset test = test_sessions(model, 1024);
    const auto events = static_cast<double>(test.n_pairs());
    const auto h = static_cast<double>(units);
    measure(state, threads,
            {.flops = events * (2 * static_cast<double>(n_items) * h + 12 * h * h),
             .items = events,
             .items_name = "events/s"},
            [&] { benchmark::DoNotOptimize(gru4rec::evaluate(model, test, {.max_threads = threads})); });
}

/// Feeds a session of three events.
void feed(gru4rec::Recommender<float>& recommender, gru4rec::SessionState<float>& session) {
    for (const ItemIndex item : {ItemIndex{7}, ItemIndex{100}, ItemIndex{9}}) {
        recommender.advance(session, item);
    }
}

/// The twin's scores of the same session: the recommended items must have its best scores.
[[nodiscard]] std::string check_top(const gru4rec::Model<float>& model, Index n) {
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> session(model);
    feed(recommender, session);
    const auto top = recommender.recommend(session, n);
    const naive::Matrix along = naive::scores_along(twin_of(model), {7, 100, 9});
    std::vector<double> best(along.values.end() - static_cast<std::ptrdiff_t>(along.cols), along.values.end());
    std::sort(best.begin(), best.end(), std::greater<>());
    best.resize(static_cast<std::size_t>(n));
    naive::Matrix wanted(1, best.size());
    wanted.values = best;
    naive::Matrix scores(1, top.size());
    naive::Matrix of_items(1, top.size());
    for (std::size_t i = 0; i < top.size(); ++i) {
        scores(0, i) = static_cast<double>(top[i].score);
        of_items(0, i) = along(2, static_cast<std::size_t>(to_index(top[i].item)));
    }
    const double tolerance = rounding(model.network().output_width(), 0.1);
    const std::string problem = difference("scores", scores, wanted, tolerance);
    return problem.empty() ? difference("the items' scores", of_items, wanted, tolerance) : problem;
}

void top_20(benchmark::State& state) {
    const Index n_items = state.range(0);
    const Index units = state.range(1);
    const gru4rec::Model<float> model = make_model(n_items, units);
    if (!passes(state, "top_20 " + std::to_string(n_items) + " " + std::to_string(units),
                [&] { return check_top(model, 20); })) {
        return;
    }
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> session(model);
    feed(recommender, session);
    const gru4rec::Parameter<float>& table = model.network().output_table();
    measure(state, 1,
            {.flops = 2 * static_cast<double>(n_items * units),
             .bytes = sizeof(float) * static_cast<double>(table.rows() * table.stride()),
             .stream = Stream::read,
             .items = 1,
             .items_name = "requests/s"},
            [&] { benchmark::DoNotOptimize(recommender.recommend(session, 20).data()); });
}

void advance(benchmark::State& state) {
    const Index units = state.range(0);
    const gru4rec::Model<float> model = make_model(1000, units);
    if (!passes(state, "advance " + std::to_string(units), [&] { return check_top(model, 20); })) {
        return;
    }
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> session(model);
    Index item = 0;
    measure(state, 1, {.flops = 12 * static_cast<double>(units * units), .items = 1, .items_name = "events/s"}, [&] {
        recommender.advance(session, gru4rec::to_item(item));
        item = (item + 7) % model.n_items();
    });
}

void register_all() {
    auto* const evaluation = benchmark::RegisterBenchmark("evaluate", evaluate);
    evaluation->ArgNames({"V", "H", "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
    for (const std::int64_t threads : thread_counts()) {
        evaluation->Args({n_catalogue_items, 100, threads});
        evaluation->Args({n_catalogue_items, 224, threads});
    }
    benchmark::RegisterBenchmark("top_20", top_20)
        ->ArgNames({"V", "H"})
        ->Args({10'000, 100})
        ->Args({n_catalogue_items, 100})
        ->Args({n_catalogue_items, 512})
        ->Args({100'000, 100})
        ->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark("advance", advance)
        ->ArgName("H")
        ->Arg(100)
        ->Arg(224)
        ->Arg(512)
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
