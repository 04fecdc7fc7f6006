#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/naive/optimisers.hpp"
#include "support/naive/trainer.hpp"
#include "support/training.hpp"
#include "support/twin.hpp"

#include "gru4rec/model/model.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {
namespace {

/// The first steps of a training and the twin's, over the items that take part in them alone: the others cannot change.
/// What the optimiser remembers, and the hidden states, count from the second step on.
class StepsCheck {
  public:
    explicit StepsCheck(const Setting& setting)
        : setting_(setting), training_(setting), before_(copy_of(training_.model())) {}

    /// With every number of threads that is measured.
    [[nodiscard]] std::string run() {
        std::vector<double> losses;
        gru4rec::with_threads(1, [&] {
            for (int s = 0; s < n_steps; ++s) {
                losses.push_back(training_.step());
                number_items();
                steps_.push_back({twin_batch(), draws()});
            }
        });
        const Twin twin = run_twin();
        std::string problem = difference_of(training_, losses, twin);
        for (const std::int64_t threads : thread_counts()) {
            if (threads > 1 && problem.empty()) {
                Training training(setting_);
                gru4rec::with_threads(static_cast<int>(threads), [&] {
                    std::generate(losses.begin(), losses.end(), [&] { return training.step(); });
                });
                problem = difference_of(training, losses, twin);
            }
        }
        return problem;
    }

  private:
    using View = gru4rec::TensorView<const float>;

    static constexpr int n_steps = 3;

    /// What the twin needs to repeat a step.
    struct StepOfTwin {
        naive::Step batch;
        naive::Draws draws;
    };

    /// What the twin came to.
    struct Twin {
        std::vector<double> losses;
        naive::Network network;
    };

    [[nodiscard]] Twin run_twin() const {
        Twin twin{{}, twin_network()};
        const std::vector<double> supports = twin_supports();
        naive::Optimiser optimiser;
        std::vector<naive::Matrix> states;
        for (const StepOfTwin& step : steps_) {
            const std::vector<naive::Matrix> entering = naive::entering_states(twin.network, states, step.batch);
            const naive::StepResult result =
                naive::compute_step(twin.network, supports, entering, step.batch, step.draws);
            optimiser.update(twin.network, result.gradients, twin.network.settings.effective_learning_rate());
            twin.losses.push_back(result.loss);
            states = result.states;
        }
        return twin;
    }

    [[nodiscard]] std::string difference_of(Training& training, const std::vector<double>& losses,
                                            const Twin& twin) const {
        const auto& p = training.hyperparameters_used();
        std::string problem;
        for (std::size_t s = 0; s < losses.size() && problem.empty(); ++s) {
            problem = difference("the loss of step " + std::to_string(s + 1), losses[s], twin.losses[s],
                                 rounding(p.layers.front(), 1));
        }
        // A step moves at most learning_rate; where |g| is near the epsilon's root, 1e-3, an error of g grows a
        // thousandfold.
        const double tolerance = n_steps * 1e3 * p.effective_learning_rate() * 1e-6;
        for (const auto& tensor : std::as_const(training.model()).tensors()) {
            if (problem.empty()) {
                problem = difference(tensor.name, compact(tensor), twin.network.weight(tensor.name), tolerance);
            }
        }
        return problem;
    }

    /// All tensors as they are before the first step; each behind its view.
    struct Saved {
        std::vector<View> views;
        std::vector<std::vector<float>> values;
    };

    [[nodiscard]] static Saved copy_of(const gru4rec::Model<float>& model) {
        Saved saved;
        for (View view : model.tensors()) {
            std::vector<float> values;
            for (Index r = 0; r < view.rows; ++r) {
                for (Index c = 0; c < view.cols; ++c) {
                    values.push_back(view(r, c));
                }
            }
            view.row_stride = view.cols;
            view.col_stride = 1;
            saved.views.push_back(view);
            saved.values.push_back(std::move(values));
            saved.views.back().data = saved.values.back().data();
        }
        return saved;
    }

    void number_items() {
        const auto number = [&](ItemIndex item) {
            if (number_of_.try_emplace(item, items_.size()).second) {
                items_.push_back(item);
            }
        };
        std::for_each(training_.batch().inputs.items.begin(), training_.batch().inputs.items.end(), number);
        std::for_each(training_.batch().targets.begin(), training_.batch().targets.end(), number);
        std::for_each(training_.drawn().items.begin(), training_.drawn().items.end(), number);
    }

    /// A tensor's rows of the steps' items, or all of it; a vector is one row to the twin.
    [[nodiscard]] naive::Matrix compact(const View& view) const {
        const auto n_rows = view.by_item ? items_.size() : static_cast<std::size_t>(view.rows);
        naive::Matrix result(n_rows, static_cast<std::size_t>(view.cols));
        for (std::size_t r = 0; r < n_rows; ++r) {
            const Index row = view.by_item ? to_index(items_[r]) : static_cast<Index>(r);
            for (std::size_t c = 0; c < result.cols; ++c) {
                result(r, c) = static_cast<double>(view(row, static_cast<Index>(c)));
            }
        }
        return view.is_vector ? transposed(result) : result;
    }

    [[nodiscard]] naive::Network twin_network() const {
        naive::Network network{naive::settings_from_text(setting_.entries), items_.size(), {}};
        for (const View& view : before_.views) {
            network.weights[view.name] = compact(view);
        }
        return network;
    }

    [[nodiscard]] std::vector<double> twin_supports() const {
        std::vector<double> result;
        for (const ItemIndex item : items_) {
            result.push_back(static_cast<double>(training_.supports()[static_cast<std::size_t>(to_index(item))]));
        }
        return result;
    }

    [[nodiscard]] naive::Step twin_batch() const {
        naive::Step step;
        for (std::size_t m = 0; m < training_.batch().targets.size(); ++m) {
            step.inputs.push_back(number_of_.at(training_.batch().inputs.items[m]));
            step.targets.push_back(number_of_.at(training_.batch().targets[m]));
            const Index previous = training_.batch().previous_lane[m];
            step.resets.push_back(previous == gru4rec::MiniBatch::fresh);
            step.previous_rows.push_back(step.resets.back() ? m : static_cast<std::size_t>(previous));
        }
        return step;
    }

    /// The items and masks that the library drew.
    [[nodiscard]] naive::Draws draws() {
        naive::Draws draws;
        const gru4rec::DrawnItems& drawn = training_.drawn();
        for (std::size_t i = 0; i < drawn.items.size(); ++i) {
            draws.sampled.insert(draws.sampled.end(), static_cast<std::size_t>(drawn.counts[i]),
                                 number_of_.at(drawn.items[i]));
        }
        const gru4rec::Hyperparameters& p = training_.hyperparameters_used();
        const Index lanes = training_.batch().n_lanes();
        if (p.dropout_p_embed > 0) {
            draws.masks.embed = to_matrix(training_.tape().mask(), lanes, p.layers.back());
        }
        if (p.dropout_p_hidden > 0) {
            draws.masks.hidden.push_back(to_matrix(training_.tape().top().mask(), lanes, p.layers.front()));
        }
        return draws;
    }

    const Setting& setting_;
    Training training_;
    Saved before_;
    std::vector<StepOfTwin> steps_;
    std::vector<ItemIndex> items_;
    std::map<ItemIndex, std::size_t> number_of_;
};

void training_step(benchmark::State& state, int threads, const Setting& setting) {
    if (!passes(state, setting.name, [&] { return StepsCheck(setting).run(); })) {
        return;
    }
    Training training(setting);
    const double steps = setting.steps;
    const Work work{.flops = steps * training.flops(),
                    .items = steps * training.hyperparameters_used().batch_size,
                    .items_name = "events/s"};
    measure(state, threads, work, [&] {
        for (int s = 0; s < setting.steps; ++s) {
            benchmark::DoNotOptimize(training.step());
        }
    });
}

void register_sweep(const char* name, const char* letter, const std::string& parameter,
                    const std::vector<std::int64_t>& values) {
    auto* const sweep = benchmark::RegisterBenchmark(name, [parameter](benchmark::State& state) {
        training_step(state, static_cast<int>(state.range(1)), changed(parameter, state.range(0)));
    });
    sweep->ArgNames({letter, "threads"})->Unit(benchmark::kMillisecond)->UseRealTime();
    sweep->ArgsProduct({values, thread_counts()});
}

void register_all() {
    for (const Setting& setting : settings()) {
        auto* const registered = benchmark::RegisterBenchmark(
            ("training_step/" + setting.name).c_str(),
            [&](benchmark::State& state) { training_step(state, static_cast<int>(state.range(0)), setting); });
        registered->ArgName("threads")->Unit(benchmark::kMillisecond)->UseRealTime();
        for (const std::int64_t threads : thread_counts()) {
            registered->Arg(threads);
        }
    }
    register_sweep("training_step/by_units", "H", "layers", {32, 64, 100, 224, 400, 512});
    register_sweep("training_step/by_lanes", "B", "batch_size", {16, 32, 80, 128, 240});
    register_sweep("training_step/by_samples", "n_sample", "n_sample", {0, 512, 2048, 8192});
    register_sweep("training_step/by_items", "V", "items", {10'000, 100'000, 1'000'000, 2'000'000});
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
