#ifndef GRU4REC_TRAIN_EARLY_STOPPING_HPP
#define GRU4REC_TRAIN_EARLY_STOPPING_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/tensor_view.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/train/progress.hpp"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// Which metric tells a better epoch from a worse one.
enum class StopMetric { recall, mrr, ndcg };

struct EarlyStoppingOptions {
    int patience = 3;                        ///< epochs in a row without a better one that end training, >= 1
    StopMetric metric = StopMetric::recall;  ///< at the first cutoff, under the first rule for ties
    EvaluationOptions evaluation = {};
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

    /// Measures the model; false ends training.
    bool operator()(const EpochReport&) {
        return observe(evaluate(std::as_const(model_), valid_, options_.evaluation));
    }

    /// The same where the caller has measured the model. @param evaluation  its first cutoff and rule for ties count
    bool observe(Evaluation evaluation) {
        const double metric = metric_of(evaluation);
        evaluations_.push_back(std::move(evaluation));
        if (best_epoch_ == 0 || metric > best_metric_) {
            best_epoch_ = n_epochs();
            best_metric_ = metric;
            keep_weights();
        }
        return n_epochs() - best_epoch_ < options_.patience;
    }

    /// Gives the model the weights of the best epoch; those it has where no epoch was measured.
    void restore_best() {
        if (best_epoch_ > 0) {
            std::size_t next = 0;
            for_each_weight([&](Scalar& weight) { weight = best_weights_[next++]; });
        }
    }

    /// From 1, in the order in which they were measured; 0 where none was.
    [[nodiscard]] int best_epoch() const noexcept { return best_epoch_; }
    /// The metric of the best epoch; 0 where none was measured.
    [[nodiscard]] double best_metric() const noexcept { return best_metric_; }
    /// One per epoch.
    [[nodiscard]] std::span<const Evaluation> evaluations() const noexcept { return evaluations_; }

  private:
    [[nodiscard]] int n_epochs() const noexcept { return static_cast<int>(evaluations_.size()); }

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
        best_weights_.clear();
        for_each_weight([&](Scalar weight) { best_weights_.push_back(weight); });
    }

    template <class Visit>
    void for_each_weight(const Visit& visit) {
        for (const TensorView<Scalar>& view : model_.tensors()) {
            for (Index r = 0; r < view.rows; ++r) {
                for (Index c = 0; c < view.cols; ++c) {
                    visit(view(r, c));
                }
            }
        }
    }

    Model<Scalar>& model_;
    const Dataset& valid_;
    EarlyStoppingOptions options_;
    std::vector<Evaluation> evaluations_;
    std::vector<Scalar> best_weights_;
    int best_epoch_ = 0;
    double best_metric_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
