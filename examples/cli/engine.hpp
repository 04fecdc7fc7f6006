#ifndef GRU4REC_CLI_ENGINE_HPP
#define GRU4REC_CLI_ENGINE_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/progress.hpp"
#include "gru4rec/train/trainer.hpp"

#include <cstdint>
#include <functional>
#include <string>

#include "commands.hpp"

// The library's large templates, compiled once for float and once for double (engine_float.cpp, engine_double.cpp).
namespace cli {

struct FitOptions {
    std::uint64_t seed = 42;
    int threads = 0;
    int gradients_every = 0;  ///< as in gru4rec::TrainingOptions
    CheckpointOptions checkpoints;
    std::string optimizer;  ///< checkpoint whose optimiser state is taken over; empty: it starts fresh
    std::function<void(const gru4rec::TrainingPosition&)> after_resume;  ///< called if a checkpoint was resumed
    std::function<void()> after_optimizer;                               ///< called if `optimizer` was taken over
    std::function<bool(const gru4rec::StepReport&)> after_step;
    std::function<bool(const gru4rec::EpochReport&)> after_epoch;
};

/// @param stopping  observed by after_epoch; nullptr: training does not stop early
template <class Scalar>
gru4rec::FitReport fit(gru4rec::Model<Scalar>& model, const gru4rec::Dataset& data, const FitOptions& options,
                       gru4rec::EarlyStopping<Scalar>* stopping);

template <class Scalar>
[[nodiscard]] gru4rec::Evaluation measure(const gru4rec::Model<Scalar>& model, const gru4rec::Dataset& test,
                                          const gru4rec::EvaluationOptions& options,
                                          const gru4rec::EvaluationData& data = {});

template <class Scalar>
[[nodiscard]] gru4rec::Model<Scalar> load(const std::string& path);

/// @throws as gru4rec::import_model
template <class Scalar>
[[nodiscard]] gru4rec::ImportedModel<Scalar> import_weights(const std::string& path,
                                                            const gru4rec::ImportOptions& options);

template <class Scalar>
void load_initial_weights(gru4rec::Model<Scalar>& model, const std::string& path);

template <class Scalar>
void save(const gru4rec::Model<Scalar>& model, const std::string& path);

/// Whether a model file's weights are F64. @throws gru4rec::IoError, gru4rec::FormatError
[[nodiscard]] bool holds_doubles(const std::string& path);

/// Says so if the model file has no hash, and was therefore not checked for damage.
void tell_if_not_checked(const std::string& path);

template <class Scalar, class Use>
decltype(auto) with_model_of(const std::string& path, Use&& use) {
    const gru4rec::Model<Scalar> model = load<Scalar>(path);
    tell_if_not_checked(path);
    return use(model);
}

/// Calls `use(const Model<Scalar>&)` with the model of a file, in the precision in which it was trained.
template <class Use>
decltype(auto) with_model(const std::string& path, Use&& use) {
    return holds_doubles(path) ? with_model_of<double>(path, use) : with_model_of<float>(path, use);
}

}  // namespace cli

#endif
