#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/twin.hpp"

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/nn/dropout.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace bench {
namespace {

constexpr double alpha = 0.5;
constexpr std::uint64_t seed = 42;

/// Draws come as often as support^alpha says, within 6 standard deviations, for the most popular items.
[[nodiscard]] std::string check_frequencies(const gru4rec::NegativeSampler& sampler,
                                            const std::vector<std::int64_t>& supports) {
    constexpr std::uint64_t n_draws = 1 << 20;
    std::vector<double> counts(supports.size());
    const Random random = random_stream(50);
    for (std::uint64_t n = 0; n < n_draws; ++n) {
        counts[static_cast<std::size_t>(sampler.draw(random.bits(n)))] += 1;
    }
    double total = 0;
    for (const std::int64_t support : supports) {
        total += std::pow(static_cast<double>(support), alpha);
    }
    for (std::size_t i = 0; i < supports.size(); ++i) {
        const double p = std::pow(static_cast<double>(supports[i]), alpha) / total;
        const double expected = p * static_cast<double>(n_draws);
        if (expected > 50 && !(std::abs(counts[i] - expected) < 6 * std::sqrt(expected))) {
            return "item " + std::to_string(i) + " was drawn " + std::to_string(counts[i]) + " times, expected " +
                   std::to_string(expected);
        }
    }
    return {};
}

void draw(benchmark::State& state) {
    const std::vector<std::int64_t> supports = zipf_supports(state.range(0));
    const gru4rec::NegativeSampler sampler(supports, alpha);
    if (!passes(state, "draw " + std::to_string(supports.size()),
                [&] { return check_frequencies(sampler, supports); })) {
        return;
    }
    constexpr std::uint64_t n_draws = 2048;
    const Random random = random_stream(51);
    std::vector<ItemIndex> items(n_draws);
    std::uint64_t first = 0;
    measure(state, 1, {.items = static_cast<double>(n_draws), .items_name = "draws/s"}, [&] {
        for (std::uint64_t n = 0; n < n_draws; ++n) {
            items[n] = sampler.draw(random.bits(first + n));
        }
        first += n_draws;
    });
}

/// The same draws collected in a map.
[[nodiscard]] std::string check_step(const std::vector<std::int64_t>& supports, Index n_sample) {
    gru4rec::StepNegatives negatives(supports, alpha, n_sample, seed);
    const gru4rec::NegativeSampler sampler(supports, alpha);
    for (std::uint64_t step = 0; step < 3; ++step) {
        const Random random(seed, Random::Stream::sample, {0, step});
        std::map<ItemIndex, std::int32_t> wanted;
        for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(n_sample); ++n) {
            ++wanted[sampler.draw(random.bits(n))];
        }
        const gru4rec::DrawnItems drawn = negatives.of_step(0, step);
        std::size_t at = 0;
        for (const auto& [item, count] : wanted) {
            if (at >= drawn.items.size() || drawn.items[at] != item || drawn.counts[at] != count) {
                return "step " + std::to_string(step) + " differs from the plain draws at " + std::to_string(at);
            }
            ++at;
        }
        if (at != drawn.items.size()) {
            return "step " + std::to_string(step) + " has items that were not drawn";
        }
    }
    return {};
}

void step_negatives(benchmark::State& state) {
    const std::vector<std::int64_t> supports = zipf_supports(state.range(0));
    const Index n_sample = state.range(1);
    const int threads = static_cast<int>(state.range(2));
    const std::string name = "step_negatives " + std::to_string(supports.size()) + " " + std::to_string(n_sample);
    if (!passes(state, name, [&] { return check_step(supports, n_sample); })) {
        return;
    }
    gru4rec::StepNegatives negatives(supports, alpha, n_sample, seed);
    constexpr std::uint64_t n_steps = 16;  // this many are drawn at once
    std::uint64_t step = 0;
    measure(state, threads,
            {.items = static_cast<double>(n_steps) * static_cast<double>(n_sample), .items_name = "draws/s"}, [&] {
                for (std::uint64_t s = 0; s < n_steps; ++s) {
                    benchmark::DoNotOptimize(negatives.of_step(0, step++).items.data());
                }
            });
}

/// Every candidate is found in the columns as often as it was given.
[[nodiscard]] std::string check_candidates(const gru4rec::detail::Candidates<float>& candidates,
                                           const std::vector<ItemIndex>& targets, const gru4rec::DrawnItems& drawn) {
    std::map<ItemIndex, double> given;
    std::map<ItemIndex, double> found;
    for (const ItemIndex item : targets) {
        given[item] += 1;
    }
    for (std::size_t i = 0; i < drawn.items.size(); ++i) {
        given[drawn.items[i]] += drawn.counts[i];
    }
    for (Index j = 0; j < candidates.n_columns(); ++j) {
        found[candidates.items()[static_cast<std::size_t>(j)]] += static_cast<double>(candidates.weight()[j]);
    }
    for (std::size_t lane = 0; lane < targets.size(); ++lane) {
        if (candidates.items()[static_cast<std::size_t>(candidates.target_column()[lane])] != targets[lane]) {
            return "lane " + std::to_string(lane) + "'s column is not its target's";
        }
    }
    return given == found ? std::string() : "the columns are not the candidates that were given";
}

void build_candidates(benchmark::State& state) {
    const Index lanes = state.range(0);
    const Index n_sample = state.range(1);
    const std::vector<std::int64_t> supports = zipf_supports(n_catalogue_items);
    gru4rec::StepNegatives negatives(supports, alpha, n_sample, seed);
    const gru4rec::DrawnItems drawn = negatives.of_step(0, 0);
    const gru4rec::NegativeSampler by_popularity(supports, 1);
    std::vector<ItemIndex> targets;
    for (Random random = random_stream(52); static_cast<Index>(targets.size()) < lanes;) {
        targets.push_back(by_popularity.draw(random.next()));
    }
    gru4rec::detail::Candidates<float> candidates(supports, lanes, n_sample, alpha, 1);
    const auto body = [&] { candidates.build(targets, drawn); };
    const auto check = [&] {
        body();
        return check_candidates(candidates, targets, drawn);
    };
    if (passes(state, "build_candidates " + std::to_string(lanes) + " " + std::to_string(n_sample), check)) {
        measure(state, 1, {.items = static_cast<double>(lanes + n_sample), .items_name = "candidates/s"}, body);
    }
}

void dropout_mask(benchmark::State& state) {
    const Index lanes = state.range(0);
    const Index units = state.range(1);
    constexpr double drop = 0.4;
    Columns mask(lanes, units);
    std::uint64_t step = 0;
    const auto body = [&] {
        gru4rec::detail::draw_dropout_mask(drop, Random(seed, Random::Stream::dropout, {0, step++, 1}),
                                           mask.padded_lanes(), units, mask.view(), [](gru4rec::detail::Range) {});
    };
    const auto check = [&]() -> std::string {
        double kept = 0;
        body();
        for (Index k = 0; k < units; ++k) {
            for (Index lane = 0; lane < lanes; ++lane) {
                const float value = mask.view().column(k)[lane];
                if (value != 0.0F && value != static_cast<float>(1 / (1 - drop))) {
                    return "the mask holds " + std::to_string(value);
                }
                kept += value != 0.0F ? 1 : 0;
            }
        }
        const auto n = static_cast<double>(lanes * units);
        const double off = std::abs(kept - (1 - drop) * n) / std::sqrt(n * drop * (1 - drop));
        return off < 6 ? std::string() : "the share that is kept is off by " + std::to_string(off) + " deviations";
    };
    if (passes(state, "dropout_mask " + std::to_string(lanes) + " " + std::to_string(units), check)) {
        const auto n = static_cast<double>(lanes * units);
        measure(state, 1, {.bytes = sizeof(float) * n, .items = n, .items_name = "values/s"}, body);
    }
}

void register_all() {
    benchmark::RegisterBenchmark("draw", draw)->ArgName("V")->Arg(n_catalogue_items)->Arg(1'000'000);
    auto* const negatives = benchmark::RegisterBenchmark("step_negatives", step_negatives);
    negatives->ArgNames({"V", "n_sample", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
    for (const std::int64_t threads : thread_counts()) {
        negatives->Args({n_catalogue_items, 2048, threads});
        negatives->Args({1'000'000, 2048, threads});
    }
    auto* const candidates = benchmark::RegisterBenchmark("build_candidates", build_candidates);
    candidates->ArgNames({"B", "n_sample"})->Unit(benchmark::kMicrosecond);
    auto* const mask = benchmark::RegisterBenchmark("dropout_mask", dropout_mask);
    mask->ArgNames({"B", "H"})->Unit(benchmark::kMicrosecond);
    candidates->Args({50, 0});
    for (const Shape& shape : published_shapes) {
        candidates->Args({shape.lanes, shape.candidates - shape.lanes});
        mask->Args({shape.lanes, shape.units});
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
