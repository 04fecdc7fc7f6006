#ifndef GRU4REC_TRAIN_EARLY_STOPPING_HPP
#define GRU4REC_TRAIN_EARLY_STOPPING_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/progress.hpp"

#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The metric that epochs are compared by.
enum class StopMetric { recall, mrr, ndcg };

/// `recall`, `mrr` or `ndcg`.
[[nodiscard]] constexpr std::string_view to_string(StopMetric metric) noexcept {
    return metric == StopMetric::mrr ? "mrr" : metric == StopMetric::ndcg ? "ndcg" : "recall";
}

/// When training ends, and what is measured after every epoch.
struct EarlyStoppingOptions {
    int patience = 3;                        ///< training ends after this many epochs without improvement, >= 1
    StopMetric metric = StopMetric::recall;  ///< at the first cutoff, by the first rule for ties
    EvaluationOptions evaluation = {};       ///< its first cutoff and rule for ties decide
};

/// What early stopping remembers between two epochs.
template <class Scalar>
struct EarlyStoppingState {
    int n_epochs = 0;                  ///< measured so far
    int best_epoch = 0;                ///< from 1; 0 if none was measured
    double best_metric = 0;            ///< of that epoch
    std::vector<Scalar> best_weights;  ///< in the order of Model::tensors(), row by row; empty if best_epoch is 0
};

/// Evaluates a model on validation data after every epoch, ends training when it stops improving, and restores the
/// weights of the best epoch. A progress callback:
///
///     EarlyStopping stopping(model, valid, {.patience = 2});
///     Trainer(model).fit(train, stopping);
///     stopping.restore_best();
///
/// An epoch is better if the metric is greater; of equal epochs the first is the best.
///
/// It refers to the model and the validation data: neither may be moved or destroyed while it is in use.
///
/// @complexity memory: one copy of the weights
/// @threads belongs to the thread that trains
template <class Scalar>
class EarlyStopping {
  public:
    /// @param model  the model that is trained; must outlive this object, as `valid` must
    /// @param valid  read with known_items = &model.items()
    /// @throws ConfigError for options out of range
    EarlyStopping(Model<Scalar>& model, const Dataset& valid, EarlyStoppingOptions options = {})
        : model_(model), valid_(valid), options_(std::move(options)) {
        if (options_.patience < 1) {
            detail::throw_invalid("patience", options_.patience, "patience >= 1");
        }
        options_.evaluation.validate();
    }

    /// A temporary would be gone before the first epoch ends.
    EarlyStopping(Model<Scalar>& model, const Dataset&& valid, EarlyStoppingOptions options = {}) = delete;
    EarlyStopping(const Model<Scalar>&& model, const Dataset& valid, EarlyStoppingOptions options = {}) = delete;

    /// Evaluates the model; false ends training. An interrupted epoch is not measured: the run that resumes it will.
    ///
    /// @throws what EvaluationOptions::on_progress throws; the epoch is then not counted
    bool operator()(const EpochReport& epoch) {
        return epoch.complete ? observe(evaluate(std::as_const(model_), valid_, options_.evaluation)) : !is_over();
    }

    /// The same for a caller that evaluates the model itself, for instance with EvaluationData.
    ///
    /// @param evaluation  judged at its first cutoff, by its first rule for ties
    bool observe(Evaluation evaluation) {
        const double metric = metric_of(evaluation);
        evaluations_.push_back(std::move(evaluation));
        ++state_.n_epochs;
        if (state_.best_epoch == 0 || metric > state_.best_metric) {
            state_.best_epoch = state_.n_epochs;
            state_.best_metric = metric;
            keep_weights();
        }
        return !is_over();
    }

    /// True after `patience` consecutive epochs without improvement.
    [[nodiscard]] bool is_over() const noexcept {
        return state_.best_epoch > 0 && state_.n_epochs - state_.best_epoch >= options_.patience;
    }

    /// Sets the model's weights to those of the best epoch; does nothing if no epoch was measured.
    void restore_best() {
        if (state_.best_epoch > 0) {
            detail::copy_values(best_weights(), model_.tensors());
        }
    }

    /// Counted from 1 in the order of evaluation; 0 if no epoch was measured.
    [[nodiscard]] int best_epoch() const noexcept { return state_.best_epoch; }
    /// The metric of the best epoch; 0 if no epoch was measured.
    [[nodiscard]] double best_metric() const noexcept { return state_.best_metric; }
    /// One per epoch that this object has measured, without those of a resumed run.
    [[nodiscard]] std::span<const Evaluation> evaluations() const noexcept { return evaluations_; }

    /// As given.
    [[nodiscard]] const EarlyStoppingOptions& options() const noexcept { return options_; }
    /// The validation data.
    [[nodiscard]] const Dataset& valid() const noexcept { return valid_; }
    /// For checkpoints: what resume() takes.
    [[nodiscard]] const EarlyStoppingState<Scalar>& state() const noexcept { return state_; }
    /// Continues from the state of an earlier run. @pre returned by state() for a model of the same shapes
    void resume(EarlyStoppingState<Scalar> state) noexcept { state_ = std::move(state); }

  private:
    [[nodiscard]] double metric_of(const Evaluation& evaluation) const {
        const Metrics& metrics = evaluation.metrics.front();
        switch (options_.metric) {
            case StopMetric::mrr: return metrics.mrr.front();
            case StopMetric::ndcg: return metrics.ndcg.front();
            case StopMetric::recall: break;
        }
        return metrics.recall.front();
    }

    void keep_weights() {
        state_.best_weights.resize(detail::n_values(model_.tensors()));
        detail::copy_values(model_.tensors(), best_weights());
    }

    [[nodiscard]] std::vector<TensorView<Scalar>> best_weights() {
        return detail::packed_at(state_.best_weights.data(), model_.tensors());
    }

    Model<Scalar>& model_;
    const Dataset& valid_;
    EarlyStoppingOptions options_;
    std::vector<Evaluation> evaluations_;
    EarlyStoppingState<Scalar> state_;
};

#if defined(GRU4REC_COMPILED)
extern template class EarlyStopping<float>;
extern template class EarlyStopping<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
