#include "runs.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/trainer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

#include "cli/messages.hpp"
#include "support/progress_bar.hpp"

namespace findings {

namespace {

using gru4rec::Ties;

/// Draws the progress bar of one training run and sums its seconds.
class Watch {
  public:
    explicit Watch(int n_epochs) : bar_(n_epochs) {}

    bool operator()(const gru4rec::StepReport& step) {
        bar_.show(step);
        return true;
    }

    bool operator()(const gru4rec::EpochReport& epoch) {
        seconds_ += epoch.seconds;
        bar_.start_epoch();
        return true;
    }

    [[nodiscard]] double seconds() const noexcept { return seconds_; }

  private:
    ProgressBar bar_;
    double seconds_ = 0;
};

[[nodiscard]] Run train_and_measure(const gru4rec::Hyperparameters& parameters, const TrainAndTest& data,
                                    std::uint64_t seed, int threads) {
    const auto supports = data.train.supports();
    gru4rec::Model<float> model(parameters, data.train.items(), {supports.begin(), supports.end()}, seed);
    Watch watch(parameters.n_epochs);
    try {
        gru4rec::Trainer<float>(model, {.seed = seed, .max_threads = threads}).fit(data.train, watch);
    } catch (const gru4rec::NonFiniteError& error) {
        return {.seconds = watch.seconds(), .divergence = std::string(cli::without_prefix(error.what()))};
    }
    const gru4rec::Evaluation evaluation =
        gru4rec::evaluate(model, data.test, {.cutoffs = {20}, .ties = {Ties::conservative}, .max_threads = threads});
    return {evaluation.recall_at(20), evaluation.mrr_at(20), watch.seconds()};
}

[[nodiscard]] std::string outcome(const Run& run) {
    if (!run.divergence.empty()) {
        return "diverged: " + run.divergence;
    }
    std::array<char, 100> text{};
    std::snprintf(text.data(), text.size(), "Recall@20 %.4f, MRR@20 %.4f, %.1f s", run.recall, run.mrr, run.seconds);
    return text.data();
}

[[nodiscard]] bool has_two_sessions_of_two_events(const gru4rec::Dataset& data) {
    const auto sessions = data.time_order();
    return std::count_if(sessions.begin(), sessions.end(),
                         [&](auto session) { return data.session(session).size() >= 2; }) >= 2;
}

/// In-batch negatives are the targets of other sessions, so there must be two.
void check_data(const std::vector<Comparison>& comparisons, const gru4rec::Dataset& train) {
    if (has_two_sessions_of_two_events(train)) {
        return;
    }
    for (const Comparison& comparison : comparisons) {
        for (const Setting& setting : comparison.settings) {
            if (setting.parameters.n_sample == 0) {
                throw gru4rec::ConfigError("the comparison " + comparison.name + " has a setting with n_sample = 0, '" +
                                           setting.name +
                                           "', whose negatives are items of other sessions, but the training data have "
                                           "only one session of two events, expected two; leave it out with --only "
                                           "or --params");
            }
        }
    }
}

/// The distinct configurations of all comparisons, each under its first name.
[[nodiscard]] std::vector<Setting> different_settings(const std::vector<Comparison>& comparisons) {
    std::vector<Setting> result;
    for (const Comparison& comparison : comparisons) {
        for (const Setting& setting : comparison.settings) {
            if (std::none_of(result.begin(), result.end(),
                             [&](const Setting& each) { return each.parameters == setting.parameters; })) {
                result.push_back(setting);
            }
        }
    }
    return result;
}

}  // namespace

std::vector<ConfigurationRuns> train_all(const std::vector<Comparison>& comparisons, const TrainAndTest& data,
                                         const RunOptions& options) {
    check_data(comparisons, data.train);
    const std::vector<Setting> settings = different_settings(comparisons);
    const std::size_t n_runs = settings.size() * options.seeds.size();
    std::vector<ConfigurationRuns> trained;
    std::size_t n_done = 0;
    for (const Setting& setting : settings) {
        std::vector<Run>& runs = trained.emplace_back(ConfigurationRuns{setting.parameters, {}}).runs;
        for (const std::uint64_t seed : options.seeds) {
            const Run& run = runs.emplace_back(train_and_measure(setting.parameters, data, seed, options.threads));
            std::fprintf(stderr, "%zu of %zu: %s, seed %llu: %s\n", ++n_done, n_runs, setting.name.c_str(),
                         static_cast<unsigned long long>(seed), outcome(run).c_str());
        }
    }
    return trained;
}

}  // namespace findings
