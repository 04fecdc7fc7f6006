#ifndef GRU4REC_CLI_ENGINE_IMPL_HPP
#define GRU4REC_CLI_ENGINE_IMPL_HPP

#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/train/trainer.hpp"

#include "checkpoint_keeper.hpp"
#include "engine.hpp"

namespace cli {

namespace detail {

template <class Scalar>
struct Observer {
    const FitOptions& options;
    const gru4rec::Trainer<Scalar>& trainer;
    CheckpointKeeper<Scalar>& keeper;

    /// A stop waits for the end of a window of `bptt` steps, so that a run that goes on later has the same windows.
    bool operator()(const gru4rec::StepReport& step) const {
        const bool go_on = options.after_step(step) || !trainer.step().between_windows();
        if (go_on) {
            keeper.after_step();
        } else {
            keeper.save();
        }
        return go_on;
    }
    bool operator()(const gru4rec::EpochReport& epoch) const {
        const bool go_on = options.after_epoch(epoch);
        if (epoch.complete) {  // an incomplete one was saved after its last step
            keeper.save();
        }
        return go_on;
    }
};

}  // namespace detail

template <class Scalar>
gru4rec::FitReport fit(gru4rec::Model<Scalar>& model, const gru4rec::Dataset& data, const FitOptions& options,
                       gru4rec::EarlyStopping<Scalar>* stopping) {
    gru4rec::Trainer<Scalar> trainer(
        model, {.seed = options.seed, .max_threads = options.threads, .gradients_every = options.gradients_every});
    CheckpointKeeper<Scalar> keeper(trainer, data, stopping, options.checkpoints);
    if (keeper.resume()) {
        if (stopping != nullptr && stopping->is_over()) {
            return {};
        }
        options.after_resume(trainer.position());
    } else if (!options.optimizer.empty()) {
        gru4rec::load_optimizer(trainer, options.optimizer);
        options.after_optimizer();
    }
    return trainer.fit(data, detail::Observer<Scalar>{options, trainer, keeper});
}

template <class Scalar>
gru4rec::Evaluation measure(const gru4rec::Model<Scalar>& model, const gru4rec::Dataset& test,
                            const gru4rec::EvaluationOptions& options, const gru4rec::EvaluationData& data) {
    return gru4rec::evaluate(model, test, options, data);
}

template <class Scalar>
gru4rec::Model<Scalar> load(const std::string& path) {
    return gru4rec::load_model<Scalar>(path);
}

template <class Scalar>
gru4rec::ImportedModel<Scalar> import_weights(const std::string& path, const gru4rec::ImportOptions& options) {
    return gru4rec::import_model<Scalar>(path, options);
}

template <class Scalar>
void load_initial_weights(gru4rec::Model<Scalar>& model, const std::string& path) {
    gru4rec::load_weights(model, path);
}

template <class Scalar>
void save(const gru4rec::Model<Scalar>& model, const std::string& path) {
    gru4rec::save_model(model, path);
}

}  // namespace cli

#endif
