// A program of its own, as it is compiled with GRU4REC_TIMELINE.
#include "gru4rec/core/timeline.hpp"

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/train/training_step.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::MiniBatch;
using gru4rec::detail::Chunks;
using gru4rec::detail::parallel_ranges;
using gru4rec::detail::Timeline;

/// The labels in the order of their first loops.
std::vector<std::string> labels() {
    std::vector<std::string> result;
    for (const Timeline::Totals& totals : Timeline::get().totals()) {
        result.emplace_back(totals.work.label);
    }
    return result;
}

/// Every tick between start and stop belongs to a loop or to serial code, and every thread's ticks of a loop are
/// accounted for.
void check_sums(int threads) {
    const Timeline& timeline = Timeline::get();
    Timeline::Ticks all = timeline.after();
    for (const Timeline::Totals& t : timeline.totals()) {
        CAPTURE(std::string(t.work.label));
        all += t.before + t.wall;
        CHECK(t.busy + t.late + t.between + t.waiting + t.absent == static_cast<Timeline::Ticks>(threads) * t.wall);
        CHECK(t.longest <= t.busy);
        CHECK(t.n_shared <= t.n_loops);
    }
    CHECK(all == timeline.ticks());
    CHECK(timeline.seconds() > 0);
}

/// Runs steps of a small model with recording.
void run_steps(const small_models::Settings& settings, int n_steps) {
    auto model = small_models::make<float>(settings);
    const gru4rec::Hyperparameters& p = model.hyperparameters();
    gru4rec::detail::TrainingStep<float> step(model.network(), model.supports(), p,
                                              gru4rec::detail::make_loss<float>(p));
    gru4rec::StepNegatives negatives(model.supports(), p.sample_alpha, p.n_sample, 1);
    const std::vector<ItemIndex> inputs = {gru4rec::to_item(1), gru4rec::to_item(2)};
    const std::vector<ItemIndex> targets = {gru4rec::to_item(2), gru4rec::to_item(0)};
    const std::vector<Index> fresh = {MiniBatch::fresh, MiniBatch::fresh};
    Timeline::get().start();
    for (int s = 0; s < n_steps; ++s) {
        const auto number = static_cast<std::uint64_t>(s);
        static_cast<void>(step.run({inputs, targets, fresh}, negatives.of_step(0, number),
                                   {p.dropout_p_embed, p.dropout_p_hidden, 1, 0, number}));
    }
    Timeline::get().stop();
}

}  // namespace

TEST_CASE("a loop's chunks, work and times are recorded under its label") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    for (const int threads : {1, 2, 4}) {
        CAPTURE(threads);
        gru4rec::with_threads(threads, [&] {
            std::atomic<int> runs = 0;
            Timeline::get().start();
            for (int i = 0; i < 10; ++i) {
                parallel_ranges(Chunks{20, 2}, {.label = "even", .flops = 3}, [&](Index, Index) { ++runs; });
                parallel_ranges(Chunks{3, 5}, {.label = "odd", .bytes = 7}, [&](Index, Index) { ++runs; });
            }
            Timeline::get().stop();
            CHECK(runs == 110);
            const std::vector<Timeline::Totals>& totals = Timeline::get().totals();
            REQUIRE(labels() == std::vector<std::string>{"even", "odd"});
            CHECK(totals[0].n_loops == 10);
            CHECK(totals[0].n_chunks == 100);
            CHECK(totals[0].work.flops == 30);
            CHECK(totals[0].work.bytes == 0);
            CHECK(totals[1].n_loops == 10);
            CHECK(totals[1].n_chunks == 10);
            CHECK(totals[1].work.bytes == 70);
            CHECK(totals[1].n_shared == 0);
            CHECK((threads > 1 || totals[0].n_shared == 0));
            CHECK((threads == 1) == (totals[1].absent == 0));
            check_sums(threads);
        });
    }
}

TEST_CASE("loops without a label, within another or after the end are run, not recorded; a throw ends a loop") {
    std::atomic<int> runs = 0;
    const auto run = [&](Index, Index) { ++runs; };
    Timeline::get().start();
    parallel_ranges(Chunks{4, 1}, run);
    parallel_ranges(Chunks{4, 1}, {.label = "outer"}, [&](Index, Index) {
        parallel_ranges(Chunks{4, 1}, {.label = "inner"}, run);
    });
    CHECK_THROWS_AS(
        parallel_ranges(Chunks{4, 1}, {.label = "throws"}, [](Index, Index) { throw std::runtime_error("failed"); }),
        std::runtime_error);
    parallel_ranges(Chunks{4, 1}, {.label = "next"}, run);
    Timeline::get().stop();
    parallel_ranges(Chunks{4, 1}, {.label = "late"}, run);
    CHECK(runs == 4 + 16 + 4 + 4);
    CHECK(labels() == std::vector<std::string>{"outer", "next"});
}

TEST_CASE("the loops of a step are recorded, once a step, and sum up to its time") {
    const tbb::global_control two_workers(tbb::global_control::max_allowed_parallelism, 2);
    constexpr int n_steps = 32;
    for (const int threads : {1, 2}) {
        CAPTURE(threads);
        gru4rec::with_threads(threads, [&] {
            run_steps({{"dropout_p_hidden", "0.5"}, {"momentum", "0.5"}}, n_steps);
            CHECK(labels() == std::vector<std::string>{
                                  "negatives", "gather", "gru gates", "gru state", "dropout", "scores", "scores back",
                                  "scores back, sums", "dropout back", "gru gates back", "gru reset gate back",
                                  "gru input back", "input rows back", "inputs that are candidates", "other inputs",
                                  "update of inputs", "gradient of a bias", "update of a bias", "updates"});
            for (const Timeline::Totals& t : Timeline::get().totals()) {
                const std::string label = t.work.label;
                CAPTURE(label);
                if (label == "other inputs" || label == "update of inputs") {
                    CHECK(t.n_loops <= n_steps);  // only if some input is not a candidate
                    continue;
                }
                CHECK(t.n_loops == (label == "negatives" ? n_steps / 16 : n_steps));
            }
            check_sums(threads);
        });
    }
}

TEST_CASE("a window and a cap of the gradient have loops of their own") {
    run_steps({{"bptt", "2"}, {"grad_cap", "1"}, {"n_sample", "0"}}, 4);
    const std::vector<std::string> found = labels();
    for (const char* const label : {"sums of a window", "zeros of a window", "inputs of a window", "gru state back",
                                    "gradient of the later step", "norm of ready gradients"}) {
        CAPTURE(label);
        CHECK(std::find(found.begin(), found.end(), label) != found.end());
    }
    run_steps({{"grad_cap", "1"}, {"gru_variant", "reset_after"}}, 1);
    const std::vector<std::string> one_step = labels();
    CHECK(std::find(one_step.begin(), one_step.end(), "norm of outer gradients") != one_step.end());
}
