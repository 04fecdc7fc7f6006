#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/models.hpp"
#include "support/naive/evaluation.hpp"
#include "support/twin.hpp"
#include "support/twin_of_model.hpp"

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/model.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {
namespace {

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

/// Compares metrics over the whole catalogue, which every rank contributes to, with the naive twin's.
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
    const naive::Measured half = naive::measure(ranks, &naive::Ranks::conservative, all / 2);
    const naive::Measured whole = naive::measure(ranks, &naive::Ranks::conservative, all);
    // Rounding may swap neighbours in the ranking, which changes 1/rank by 1/rank^2.
    std::string problem = difference("recall", got.recall_at(all / 2), half.recall, 1e-6);
    return problem.empty() ? difference("mrr", got.mrr_at(all) * all, whole.mrr * all, 1e-3) : problem;
}

void evaluate(benchmark::State& state) {
    const Index n_items = state.range(0);
    const Index units = state.range(1);
    const int threads = static_cast<int>(state.range(2));
    const bool coverage = state.range(3) != 0;
    const gru4rec::Model<float> model = make_model(n_items, units);
    const std::string name = "evaluate " + std::to_string(n_items) + " " + std::to_string(units);
    if (!passes(state, name, [&] { return check_evaluation(model); })) {
        return;
    }
    // Enough to fill all lanes: of 1,024 sessions the longest leave two thirds of the lanes empty in most steps.
    const gru4rec::Dataset test = test_sessions(model, 4096);
    const auto events = static_cast<double>(test.n_pairs());
    const auto h = static_cast<double>(units);
    const gru4rec::EvaluationOptions options{.max_threads = threads, .coverage = coverage};
    measure(state, threads,
            {.flops = events * (2 * static_cast<double>(n_items) * h + 12 * h * h),
             .items = events,
             .items_name = "events/s"},
            [&] { benchmark::DoNotOptimize(gru4rec::evaluate(model, test, options)); });
}

void register_all() {
    auto* const evaluation = benchmark::RegisterBenchmark("evaluate", evaluate);
    evaluation->ArgNames({"V", "H", "threads", "coverage"})->Unit(benchmark::kMillisecond)->UseRealTime();
    for (const std::int64_t threads : thread_counts()) {
        evaluation->Args({n_catalogue_items, 100, threads, 0});
        evaluation->Args({n_catalogue_items, 100, threads, 1});
        evaluation->Args({n_catalogue_items, 224, threads, 0});
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
