#include "gru4rec/core/config.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "dataset.hpp"
#include "evaluation.hpp"
#include "interpreter_lock.hpp"
#include "model.hpp"
#include "signals.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

using gru4rec::EpochReport;
using gru4rec::StepReport;

/// Calls back to Python between steps, and looks for signals.
class Observer {
  public:
    /// @param after_steps  called a few times per second with a StepReport; None: not at all
    /// @param after_epoch  called with an EpochReport and the Evaluation of the validation data or None; false or an
    ///                     exception ends training
    Observer(PythonModel& model, nb::object after_steps, nb::object after_epoch)
        : model_(&model), after_steps_(std::move(after_steps)), after_epoch_(std::move(after_epoch)) {}

    /// Measures the model on validation data after every epoch. @param valid  must outlive this object
    void measure(const PythonDataset& valid, gru4rec::EvaluationOptions options) {
        valid_ = &valid.data;
        options_ = std::move(options);
        options_.on_progress = SignalWatch();
    }

    void stop_early(gru4rec::EarlyStopping<float>& stopping) { stopping_ = &stopping; }

    [[nodiscard]] bool operator()(const StepReport& step) {
        if (!turns_.is_due()) {
            return true;
        }
        const InterpreterLocked acquired;
        return guarded([&] {
            heed_signals();
            if (!after_steps_.is_none()) {
                after_steps_(step);
            }
            return true;
        });
    }

    [[nodiscard]] bool operator()(const EpochReport& epoch) {
        std::optional<gru4rec::Evaluation> evaluation;
        bool go_on = true;
        if (valid_ != nullptr && epoch.complete) {
            try {
                evaluation = gru4rec::evaluate(std::as_const(model_->model()), *valid_, options_);
            } catch (const nb::python_error& error) {
                const InterpreterLocked acquired;
                keep(error);
                return false;
            }
            go_on = stopping_ == nullptr || stopping_->observe(*evaluation);
        }
        const InterpreterLocked acquired;
        return guarded([&] {
                   const nb::object answer = after_epoch_(epoch, evaluation);
                   return answer.is_none() || nb::cast<bool>(answer);
               }) &&
               go_on;
    }

    [[nodiscard]] nb::object exception() const { return exception_; }

  private:
    /// Keeps what Python raises and ends training. @pre the interpreter is locked
    template <class Work>
    [[nodiscard]] bool guarded(const Work& work) {
        try {
            return work();
        } catch (const nb::python_error& error) {
            keep(error);
            return false;
        }
    }

    /// @pre the interpreter is locked
    void keep(const nb::python_error& error) {
        if (exception_.is_none()) {
            exception_ = nb::borrow(error.value());
        }
    }

    PythonModel* model_;
    nb::object after_steps_;
    nb::object after_epoch_;
    const gru4rec::Dataset* valid_ = nullptr;
    gru4rec::EvaluationOptions options_;
    gru4rec::EarlyStopping<float>* stopping_ = nullptr;
    Turns turns_;
    nb::object exception_ = nb::none();
};

[[nodiscard]] gru4rec::StopMetric parse_metric(const std::string& name) {
    using enum gru4rec::StopMetric;
    for (const gru4rec::StopMetric metric : {recall, mrr, ndcg}) {
        if (to_string(metric) == name) {
            return metric;
        }
    }
    gru4rec::detail::throw_invalid("stop_metric = " + gru4rec::detail::quote(name) + ", expected recall, mrr or ndcg");
}

/// By table, layer or `all`: the mean norm, the largest one, and the number of measured updates.
[[nodiscard]] nb::dict gradients(const EpochReport& epoch) {
    nb::dict result;
    for (const gru4rec::GradientNorm& norm : epoch.gradients) {
        result[norm.name.c_str()] = nb::make_tuple(norm.mean, norm.largest, norm.updates);
    }
    return result;
}

/// @returns the best epoch, or 0 if none was measured or training was not to stop early; and the exception, such as
///          KeyboardInterrupt, that Python raised between two steps, or None. The model is usable in both cases
[[nodiscard]] nb::tuple fit(PythonModel& model, const PythonDataset& train, std::uint64_t seed, int threads,
                            int gradients_every, nb::object after_steps, nb::object after_epoch,
                            const PythonDataset* valid, int patience, const std::string& stop_metric,
                            const std::vector<int>& cutoffs, const std::vector<std::string>& ties) {
    const gru4rec::StopMetric metric = parse_metric(stop_metric);  // an unknown name is an error even without patience
    Observer observer(model, std::move(after_steps), std::move(after_epoch));
    std::optional<gru4rec::EarlyStopping<float>> stopping;
    if (valid != nullptr) {
        gru4rec::EvaluationOptions options = evaluation_options(cutoffs, ties, threads);
        if (patience > 0) {
            stopping.emplace(model.model(), valid->data, gru4rec::EarlyStoppingOptions{patience, metric, options});
            observer.stop_early(*stopping);
        }
        observer.measure(*valid, std::move(options));
    }
    int best_epoch = 0;
    {
        const InterpreterUnlocked released;
        gru4rec::Trainer<float> trainer(model.model(),
                                        {.seed = seed, .max_threads = threads, .gradients_every = gradients_every});
        trainer.fit(train.data, observer);
        if (stopping && stopping->best_epoch() > 0) {
            stopping->restore_best();
            best_epoch = stopping->best_epoch();
        }
    }
    return nb::make_tuple(best_epoch, observer.exception());
}

/// The same sessions with the item indices of the model, which has all items of the data.
[[nodiscard]] PythonDataset with_items(const PythonDataset& data, const PythonModel& model) {
    return {data.data.with_items(model.model().items()), data.ids, data.notes, data.warnings};
}

}  // namespace

void bind_training(nb::module_& module) {
    nb::class_<StepReport>(module, "StepReport", "A training step that has just been done.")
        .def_ro("epoch", &StepReport::epoch)
        .def_ro("step", &StepReport::step)
        .def_ro("loss", &StepReport::loss)
        .def_ro("pairs_done", &StepReport::pairs_done)
        .def_ro("pairs_in_epoch", &StepReport::pairs_in_epoch);
    nb::class_<EpochReport>(module, "EpochReport", "An epoch that has just been finished or interrupted.")
        .def_ro("epoch", &EpochReport::epoch, "The number of the epoch, counted from 1.")
        .def_ro("loss", &EpochReport::loss, "The mean loss.")
        .def_ro("seconds", &EpochReport::seconds, "How long the epoch took.")
        .def_ro("steps", &EpochReport::steps, "The number of training steps.")
        .def_ro("pairs", &EpochReport::pairs, "The number of (input, target) pairs that were trained.")
        .def_ro("complete", &EpochReport::complete, "Whether the epoch was finished, not interrupted.")
        .def_ro("learning_rate", &EpochReport::learning_rate, "The learning rate, after lr_decay.")
        .def_prop_ro("gradients", &gradients, nb::sig("def gradients(self) -> dict[str, tuple[float, float, int]]"),
                     "By table, layer or 'all': the mean norm, the largest one, and the number of measured updates.")
        .def_prop_ro("events_per_second", &EpochReport::events_per_second, "The speed of training.");
    module.def(
        "fit", &fit, "model"_a, "train"_a, "seed"_a, "threads"_a, "gradients_every"_a, "after_steps"_a.none(),
        "after_epoch"_a, "valid"_a.none(), "patience"_a, "stop_metric"_a, "cutoffs"_a, "ties"_a,
        nb::sig("def fit(model: Model, train: Dataset, seed: int, threads: int, gradients_every: int, after_steps: "
                "collections.abc.Callable[[StepReport], None] | None, after_epoch: "
                "collections.abc.Callable[[EpochReport, Evaluation | None], bool], valid: Dataset | None, "
                "patience: int, stop_metric: str, cutoffs: collections.abc.Sequence[int], ties: "
                "collections.abc.Sequence[str]) -> tuple[int, BaseException | None]"),
        "Trains a model in place. Returns the best epoch, and what Python raised between two steps.");
    module.def("with_items", &with_items, "data"_a, "model"_a);
}

}  // namespace gru4rec_python
