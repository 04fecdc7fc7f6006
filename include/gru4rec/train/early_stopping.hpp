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

/// Which metric tells a better epoch from a worse one.
enum class StopMetric { recall, mrr, ndcg };

[[nodiscard]] constexpr std::string_view to_string(StopMetric metric) noexcept {
    return metric == StopMetric::mrr ? "mrr" : metric == StopMetric::ndcg ? "ndcg" : "recall";
}

struct EarlyStoppingOptions {
    int patience = 3;                        ///< epochs in a row without a better one that end training, >= 1
    StopMetric metric = StopMetric::recall;  ///< at the first cutoff, under the first rule for ties
    EvaluationOptions evaluation = {};
};

/// What early stopping knows between two epochs.
template <class Scalar>
struct EarlyStoppingState {
    int n_epochs = 0;                  ///< measured so far
    int best_epoch = 0;                ///< from 1; 0 where none was measured
    double best_metric = 0;            ///< of that one
    std::vector<Scalar> best_weights;  ///< tensor by tensor as Model::tensors(), row by row; none where best_epoch is 0
};

/// Measures a model on validation data after every epoch, ends training when it has not got better for some epochs, and
/// gives back the weights of the best one. A progress callback:
///
///     EarlyStopping stopping(model, valid, {.patience = 2});
///     Trainer(model).fit(train, stopping);
///     stopping.restore_best();
///
/// An epoch is better where the metric is greater; of equal ones the first stays the best.
///
/// @complexity memory: the weights once more
/// @threads belongs to the thread that trains
template <class Scalar>
class EarlyStopping {
  public:
    /// @param model  the one that is trained; must outlive this object, as `valid` must
    /// @param valid  read with known_items = &model.items()
    /// @throws std::invalid_argument for options out of range
    EarlyStopping(Model<Scalar>& model, const Dataset& valid, EarlyStoppingOptions options = {})
        : model_(model), valid_(valid), options_(std::move(options)) {
        if (options_.patience < 1) {
            detail::throw_invalid("patience", options_.patience, "patience >= 1");
        }
        options_.evaluation.validate();
    }

    /// Measures the model; false ends training. An epoch that was broken off is left for the run that goes on with it.
    bool operator()(const EpochReport& epoch) {
        return epoch.complete ? observe(evaluate(std::as_const(model_), valid_, options_.evaluation)) : !is_over();
    }

    /// The same where the caller has measured the model. @param evaluation  its first cutoff and rule for ties count
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

    /// Whether the patience is at its end.
    [[nodiscard]] bool is_over() const noexcept {
        return state_.best_epoch > 0 && state_.n_epochs - state_.best_epoch >= options_.patience;
    }

    /// Gives the model the weights of the best epoch; those it has where no epoch was measured.
    void restore_best() {
        if (state_.best_epoch > 0) {
            detail::copy_values(best_weights(), model_.tensors());
        }
    }

    /// From 1, in the order in which they were measured; 0 where none was.
    [[nodiscard]] int best_epoch() const noexcept { return state_.best_epoch; }
    /// The metric of the best epoch; 0 where none was measured.
    [[nodiscard]] double best_metric() const noexcept { return state_.best_metric; }
    /// One per epoch that this object has measured.
    [[nodiscard]] std::span<const Evaluation> evaluations() const noexcept { return evaluations_; }

    [[nodiscard]] const EarlyStoppingOptions& options() const noexcept { return options_; }
    [[nodiscard]] const Dataset& valid() const noexcept { return valid_; }
    [[nodiscard]] const EarlyStoppingState<Scalar>& state() const noexcept { return state_; }
    /// Goes on from a state of an earlier run with a model of the same shapes. @pre it is one that state() gave
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

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
