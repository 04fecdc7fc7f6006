#ifndef GRU4REC_TESTS_SUPPORT_TRAINING_RUNS_HPP
#define GRU4REC_TESTS_SUPPORT_TRAINING_RUNS_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "support/random_sessions.hpp"
#include "support/small_models.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

/// Everything that takes part in one training run, as a program makes it anew each time that it is started.
template <class Scalar>
struct TrainingRun {
    /// @param patience  0: no early stopping
    explicit TrainingRun(const small_models::Settings& settings, int patience = 0, std::uint64_t seed = 5)
        : TrainingRun(random_sessions(40, 12, 1), settings, patience, seed) {}

    TrainingRun(gru4rec::Dataset train, const small_models::Settings& settings, int patience, std::uint64_t seed)
        : data(std::move(train)),
          model(small_models::parameters(settings), data.items(), {data.supports().begin(), data.supports().end()}, 3),
          trainer(model, {.seed = seed}) {
        if (patience > 0) {
            stopping = std::make_unique<gru4rec::EarlyStopping<Scalar>>(
                model, data, gru4rec::EarlyStoppingOptions{patience, gru4rec::StopMetric::mrr, {.cutoffs = {3}}});
        }
        checkpoint = std::make_unique<gru4rec::Checkpoint<Scalar>>(trainer, gru4rec::fingerprint(data), stopping.get());
    }

    TrainingRun(const TrainingRun&) = delete;
    TrainingRun& operator=(const TrainingRun&) = delete;

    /// Trains to the end. `after_step(report)` and `after_epoch(report)` may end it earlier.
    template <class AfterStep, class AfterEpoch>
    gru4rec::FitReport fit(AfterStep after_step, AfterEpoch after_epoch) {
        struct Progress {
            TrainingRun& run;
            AfterStep step;
            AfterEpoch epoch;
            bool operator()(const gru4rec::StepReport& report) { return step(report); }
            bool operator()(const gru4rec::EpochReport& report) {
                const bool go_on = !run.stopping || (*run.stopping)(report);
                return epoch(report) && go_on;
            }
        };
        return trainer.fit(data, Progress{*this, after_step, after_epoch});
    }

    gru4rec::FitReport fit() {
        return fit([](const auto&) { return true; }, [](const auto&) { return true; });
    }

    gru4rec::Dataset data;
    gru4rec::Model<Scalar> model;
    gru4rec::Trainer<Scalar> trainer;
    std::unique_ptr<gru4rec::EarlyStopping<Scalar>> stopping;
    std::unique_ptr<gru4rec::Checkpoint<Scalar>> checkpoint;
};

#endif
