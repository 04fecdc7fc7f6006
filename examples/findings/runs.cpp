#include "runs.hpp"

#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/trainer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>

#include "support/progress_bar.hpp"

namespace findings {

namespace {

using gru4rec::Ties;

/// Draws the bar of one training run and sums its seconds.
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

[[nodiscard]] Run train_and_measure(const gru4rec::Hyperparameters& parameters, const Data& data, std::uint64_t seed,
                                    int threads) {
    const auto supports = data.train.supports();
    gru4rec::Model<float> model(parameters, data.train.items(), {supports.begin(), supports.end()}, seed);
    Watch watch(parameters.n_epochs);
    gru4rec::Trainer<float>(model, {.seed = seed, .max_threads = threads}).fit(data.train, watch);
    const gru4rec::Evaluation evaluation =
        gru4rec::evaluate(model, data.test, {.cutoffs = {20}, .ties = {Ties::conservative}, .max_threads = threads});
    return {evaluation.recall_at(20, Ties::conservative), evaluation.mrr_at(20, Ties::conservative), watch.seconds()};
}

/// The different configurations of all comparisons, with the first name that one of them has for each.
[[nodiscard]] std::vector<Setting> different_settings(const std::vector<Comparison>& comparisons) {
    std::vector<Setting> result;
    for (const Comparison& comparison : comparisons) {
        for (const Setting& setting : comparison.settings) {
            if (std::ranges::find(result, setting.parameters, &Setting::parameters) == result.end()) {
                result.push_back(setting);
            }
        }
    }
    return result;
}

}  // namespace

std::vector<Trained> train_all(const std::vector<Comparison>& comparisons, const Data& data,
                               const RunOptions& options) {
    const std::vector<Setting> settings = different_settings(comparisons);
    const std::size_t n_runs = settings.size() * options.seeds.size();
    std::vector<Trained> trained;
    std::size_t n_done = 0;
    for (const Setting& setting : settings) {
        Trained& current = trained.emplace_back(Trained{setting.parameters, {}});
        for (const std::uint64_t seed : options.seeds) {
            const Run run = train_and_measure(setting.parameters, data, seed, options.threads);
            current.runs.push_back(run);
            std::fprintf(stderr, "%zu of %zu: %s, seed %llu: Recall@20 %.4f, MRR@20 %.4f, %.1f s\n", ++n_done, n_runs,
                         setting.name.c_str(), static_cast<unsigned long long>(seed), run.recall, run.mrr, run.seconds);
        }
    }
    return trained;
}

const std::vector<Run>& runs_of(const std::vector<Trained>& trained, const gru4rec::Hyperparameters& parameters) {
    return std::ranges::find(trained, parameters, &Trained::parameters)->runs;
}

}  // namespace findings
