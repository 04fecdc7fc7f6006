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
#include <string_view>

#include "cli/messages.hpp"
#include "support/progress_bar.hpp"

namespace findings {

namespace {

using gru4rec::Ties;

/// Draws the progress bar of one training run and sums its seconds.
class Watch {
  public:
    Watch(int n_epochs, std::string_view run) : bar_(n_epochs, run) {}

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

    /// Takes the bar away, so that something else can be printed.
    void clear() { bar_.clear(); }

  private:
    ProgressBar bar_;
    double seconds_ = 0;
};

[[nodiscard]] Run train_and_measure(const gru4rec::Hyperparameters& parameters, const TrainAndTest& data,
                                    const gru4rec::TrainingOptions& options, Watch& watch) {
    const auto supports = data.train.supports();
    gru4rec::Model<float> model(parameters, data.train.items(), {supports.begin(), supports.end()}, options.seed);
    try {
        gru4rec::Trainer<float>(model, options).fit(data.train, watch);
    } catch (const gru4rec::NonFiniteError& error) {
        return {.seconds = watch.seconds(), .divergence = std::string(cli::without_prefix(error.what()))};
    }
    const gru4rec::Evaluation evaluation = gru4rec::evaluate(
        model, data.test, {.cutoffs = {20}, .ties = {Ties::conservative}, .max_threads = options.max_threads});
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

}  // namespace

Run Runner::run(const Setting& setting, const TrainAndTest& data, std::uint64_t seed) {
    const std::string place = std::to_string(++n_done_) + " of " + std::to_string(n_runs_);
    Watch watch(setting.parameters.n_epochs, place);
    const Run run = train_and_measure(setting.parameters, data, {.seed = seed, .max_threads = threads_}, watch);
    watch.clear();
    std::fprintf(stderr, "%s: %s, seed %llu: %s\n", place.c_str(), setting.name.c_str(),
                 static_cast<unsigned long long>(seed), outcome(run).c_str());
    return run;
}

void check_data(const std::vector<Comparison>& comparisons, const gru4rec::Dataset& train) {
    if (has_two_sessions_of_two_events(train)) {  // whose targets are in-batch negatives of each other
        return;
    }
    for (const Comparison& comparison : comparisons) {
        for (const Setting& setting : comparison.settings) {
            if (setting.parameters.n_sample == 0) {
                throw gru4rec::ConfigError("the comparison " + comparison.name + " has a setting with n_sample = 0, '" +
                                           setting.name +
                                           "', whose negatives are items of other sessions, but the training data have "
                                           "fewer than two sessions of two or more events; leave it out with --only "
                                           "or --params");
            }
        }
    }
}

std::vector<ConfigurationRuns> train_all(const std::vector<Comparison>& comparisons, const TrainAndTest& data,
                                         const std::vector<std::uint64_t>& seeds, Runner& runner) {
    const std::vector<Setting> settings = different_settings(comparisons);
    runner.expect(settings.size() * seeds.size());
    std::vector<ConfigurationRuns> trained;
    for (const Setting& setting : settings) {
        std::vector<Run>& runs = trained.emplace_back(ConfigurationRuns{setting.parameters, {}}).runs;
        for (const std::uint64_t seed : seeds) {
            runs.push_back(runner.run(setting, data, seed));
        }
    }
    return trained;
}

}  // namespace findings
