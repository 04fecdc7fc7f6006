#ifndef GRU4REC_TRAIN_TRAINER_HPP
#define GRU4REC_TRAIN_TRAINER_HPP

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/train/progress.hpp"
#include "gru4rec/train/training_step.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Which setting most likely made training diverge, its value and what to try: one far beyond every published one if
/// there is such, else the learning rate.
[[nodiscard]] GRU4REC_INLINE std::string likely_cause(const Hyperparameters& p);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string likely_cause(const Hyperparameters& p) {
    struct Usual {
        std::string_view name;
        double value;
        double most;
    };
    for (const Usual& setting : {Usual{"sigma", p.sigma, 1}, Usual{"logq", p.logq, 10}, Usual{"bpreg", p.bpreg, 100},
                                 Usual{"elu_param", p.elu_param, 100}, Usual{"lmbd", p.lmbd, 1}}) {
        if (setting.value > setting.most) {
            return std::string(setting.name) + " = " + format_number(setting.value) + ": try " +
                   format_number(setting.most) + " or less";
        }
    }
    std::string cause = "learning_rate = " + format_number(p.effective_learning_rate());
    if (p.momentum > 0) {
        cause += " with momentum = " + format_number(p.momentum);
    }
    cause += ": try a third of it";
    if (p.hidden_act.kind != ActivationKind::tanh) {
        cause += ", or hidden_act = tanh instead of " + to_string(p.hidden_act) + ", which does not bound the state";
    }
    if (p.bptt > 1 && p.grad_cap == 0) {
        cause +=
            ", or grad_cap = 1 against gradients that grow on their way back through bptt = " + format_number(p.bptt) +
            " steps";
    }
    return cause;
}

#endif

}  // namespace detail

/// Settings of a Trainer that do not belong to the model.
struct TrainingOptions {
    std::uint64_t seed = 42;  ///< of dropout masks, negatives and session order
    int max_threads = 0;      ///< 0: the caller's TBB arena. Results do not depend on it
    /// n: measure the gradients of every n-th update, beginning with the first of each epoch, for
    /// EpochReport::gradients; 0: of none. Results do not depend on it. Measuring takes about as long as the update
    /// itself.
    int gradients_every = 0;
};

/// How far training has come between two updates. Batches, negatives and dropout masks follow from it, the seed and the
/// data; a checkpoint also keeps the weights, the optimiser state and the lanes' hidden states.
struct TrainingPosition {
    std::uint64_t epochs_done = 0;  ///< epochs that the trainer began before this one, in all its fits
    int epoch = 1;                  ///< of the fit, from 1; n_epochs + 1 at its end
    std::int64_t step = 0;          ///< steps of the epoch that are done
    Index pairs = 0;                ///< their (input, target) pairs
    Index n_lanes = 0;              ///< lanes of the last of them
    double weighted_loss = 0;       ///< sum_k loss_k M_k over them

    friend bool operator==(const TrainingPosition&, const TrainingPosition&) = default;
};

/// Trains a model in place. The optimiser state lives as long as the trainer: a second `fit` continues after the first.
///
///     Trainer trainer(model);
///     trainer.fit(train, [](const EpochReport& epoch) { ...; return true; });
///
/// What a callback, a source or a loss throws leaves `fit`, and the trainer can be used further: the next `fit` starts
/// with a new epoch, and nothing that waited for an update is left. After a callback or a source the weights are those
/// of the last update. After a loss, or a lack of memory, `step_failed` is true: the step was done in part, so there is
/// nothing that a checkpoint could resume from.
///
/// @threads one trainer belongs to one thread; its work is spread over TBB's
template <class Scalar>
class Trainer {
  public:
    /// @param model  must outlive the trainer, and stay where it is
    explicit Trainer(Model<Scalar>& model, TrainingOptions options = {});

    /// Trains with a loss of the caller's own: any RankingLoss. `loss` and `final_act` of the hyper-parameters are then
    /// not used (docs/extend.md).
    template <class Loss>
    explicit Trainer(Model<Scalar>& model, Loss loss, TrainingOptions options = {})
        : Trainer(model, options, detail::AnyLoss<Scalar>(std::move(loss))) {
        static_assert(RankingLoss<Loss, Scalar>,
                      "gru4rec: Loss must be callable as Scalar(const ScoreBlock<Scalar>&) const (docs/extend.md)");
    }

    explicit Trainer(Model<Scalar>&&, TrainingOptions = {}) = delete;  // the trainer keeps a reference

    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    /// Trains for n_epochs over the data set, in the order of `session_order`; after `resume`, for the rest of them.
    ///
    /// @throws ConfigError if the data set has no pair to learn from or other items than the model
    /// @throws NonFiniteError if the loss, a weight or the optimiser state is no longer finite; the model then holds
    /// the weights that failed
    template <ProgressCallback Progress = Silent>
    FitReport fit(const Dataset& data, Progress&& progress = {}) {
        return fit_dataset(data, detail::ProgressRef(progress));
    }

    /// Trains for n_epochs over any source of sessions.
    ///
    /// @throws as above, and ContractError if the source yields an item that the model does not have; the steps before
    /// it have been trained on
    template <SessionSource Source, ProgressCallback Progress = Silent>
    FitReport fit(Source& source, Progress&& progress = {}) {
        return fit_source(source, detail::ProgressRef(progress));
    }

    /// The model that is trained.
    [[nodiscard]] Model<Scalar>& model() noexcept { return model_; }
    /// As given.
    [[nodiscard]] const TrainingOptions& options() const noexcept { return options_; }
    /// The hyper-parameters that the model had when the trainer was made.
    [[nodiscard]] const Hyperparameters& hyperparameters() const noexcept { return parameters_; }
    /// Whether the last step of the last `fit` was left by an exception. Until the next `fit` or `resume`, a checkpoint
    /// cannot be saved.
    [[nodiscard]] bool step_failed() const noexcept { return step_failed_; }
    /// Where training stands; in a callback, after what the report covers.
    [[nodiscard]] const TrainingPosition& position() const noexcept { return position_; }
    /// @{
    /// Holds the optimiser state and the hidden states. Not for users: it may change at any time.
    [[nodiscard]] detail::TrainingStep<Scalar>& step() noexcept { return step_; }
    [[nodiscard]] const detail::TrainingStep<Scalar>& step() const noexcept { return step_; }
    /// @}

    /// Makes the next `fit` continue at a position of an earlier one, with hidden states of zero. The caller restores
    /// weights, optimiser state and hidden states (io/checkpoint.hpp does all of it); the data must be the same.
    void resume(const TrainingPosition& position);

  private:
    using Clock = std::chrono::steady_clock;

    Trainer(Model<Scalar>& model, TrainingOptions options, detail::AnyLoss<Scalar> loss);

    FitReport fit_dataset(const Dataset& data, detail::ProgressRef progress);
    template <class Source>
    FitReport fit_source(Source& source, detail::ProgressRef progress);
    template <class Source>
    void run_epochs(Source& source, detail::ProgressRef progress, FitReport& report);
    template <class Batcher>
    EpochReport run_epoch(Batcher& batcher, Index pairs_in_epoch, detail::ProgressRef progress, bool& stopped);
    template <class Batcher>
    void start_epoch(Batcher& batcher);

    double train_on(const MiniBatch& batch);
    void require_items(std::span<const ItemIndex> items) const;
    void begin_fit();
    void end_epoch(EpochReport& report);
    void check_state(int epoch, std::int64_t step);
    [[noreturn]] void throw_no_step(int epoch) const;
    [[noreturn]] void throw_other_data() const;
    [[noreturn]] void throw_not_finite(const std::string& what, int epoch, std::int64_t step) const;

    Model<Scalar>& model_;
    TrainingOptions options_;
    Hyperparameters parameters_;  // of the network's scratch memory, whatever becomes of the model's
    StepNegatives negatives_;
    detail::TrainingStep<Scalar> step_;
    TrainingPosition position_;
    bool resumed_ = false;
    bool step_failed_ = false;
};

template <class Scalar>
Trainer<Scalar>::Trainer(Model<Scalar>& model, TrainingOptions options, detail::AnyLoss<Scalar> loss)
    : model_(model),
      options_(options),
      parameters_(model.hyperparameters()),
      negatives_(model.supports(), parameters_.sample_alpha, parameters_.n_sample, options.seed),
      step_(model.network(), model.supports(), parameters_, std::move(loss)) {
    if (options.gradients_every < 0) {
        detail::throw_invalid("gradients_every", options.gradients_every, "gradients_every >= 0 (0: none)");
    }
    if (options.gradients_every > 0) {
        step_.watch_gradients(options.gradients_every);
    }
}

template <class Scalar>
Trainer<Scalar>::Trainer(Model<Scalar>& model, TrainingOptions options)
    : Trainer(model, options, detail::make_loss<Scalar>(model.hyperparameters())) {}

template <class Scalar>
Trainer<Scalar>::~Trainer() = default;

template <class Scalar>
void Trainer<Scalar>::resume(const TrainingPosition& position) {
    position_ = position;
    resumed_ = true;
    step_failed_ = false;
    step_.reset();
}

template <class Scalar>
FitReport Trainer<Scalar>::fit_dataset(const Dataset& data, detail::ProgressRef progress) {
    if (data.n_pairs() > 0 && data.items() != model_.items()) {
        detail::throw_invalid(
            "the items of the training data are not the model's: build the model from this data set, or read the data "
            "with ReadOptions::known_items = &model.items()");
    }
    OrderedSessions sessions(data, parameters_.session_order, options_.seed);
    return fit_source(sessions, progress);
}

template <class Scalar>
template <class Source>
FitReport Trainer<Scalar>::fit_source(Source& source, detail::ProgressRef progress) {
    if (source.n_items() > model_.n_items()) {
        detail::throw_invalid("the training data has " + std::to_string(source.n_items()) + " items, the model knows " +
                              std::to_string(model_.n_items()));
    }
    if (source.n_pairs() == 0) {
        detail::throw_invalid("the training data has no session of two events: there is nothing to learn from");
    }
    begin_fit();
    FitReport report;
    with_threads(options_.max_threads, [&] { run_epochs(source, progress, report); });
    return report;
}

template <class Scalar>
void Trainer<Scalar>::begin_fit() {
    const bool broken_off = position_.step > 0;
    if (!resumed_) {
        position_ = TrainingPosition{.epochs_done = position_.epochs_done + (broken_off ? 1U : 0U)};
    }
    resumed_ = false;
    step_failed_ = false;
}

template <class Scalar>
template <class Source>
void Trainer<Scalar>::run_epochs(Source& source, detail::ProgressRef progress, FitReport& report) {
    const Hyperparameters& p = parameters_;
    SessionParallelBatcher<Source> batcher(source, p.batch_size, p.n_sample == 0 ? 2 : 1, p.input_history());
    while (position_.epoch <= p.n_epochs && !report.stopped) {
        const double learning_rate = p.learning_rate_after(static_cast<double>(position_.epochs_done));
        step_.optimizer().set_learning_rate(static_cast<Scalar>(learning_rate));
        report.epochs.push_back(run_epoch(batcher, source.n_pairs(), progress, report.stopped));
        report.epochs.back().learning_rate = learning_rate;
        if (report.epochs.back().steps == 0) {
            throw_no_step(report.epochs.back().epoch);
        }
        report.epochs.back().complete = !report.stopped;
        if (!report.stopped) {
            position_ = {.epochs_done = position_.epochs_done + 1, .epoch = position_.epoch + 1};
        }
        report.stopped = !progress(report.epochs.back()) || report.stopped;
    }
}

template <class Scalar>
template <class Batcher>
EpochReport Trainer<Scalar>::run_epoch(Batcher& batcher, Index pairs_in_epoch, detail::ProgressRef progress,
                                       bool& stopped) {
    const int epoch = position_.epoch;
    EpochReport report{.epoch = epoch, .resumed_steps = position_.step, .resumed_pairs = position_.pairs};
    start_epoch(batcher);
    auto started = Clock::now();
    while (!stopped) {
        const MiniBatch batch = batcher.next();
        if (batch.n_lanes() == 0) {
            break;
        }
        const double loss = train_on(batch);
        if (progress.wants_steps()) {
            const StepReport done{epoch, position_.step, loss, batch.n_lanes(), position_.pairs, pairs_in_epoch};
            report.seconds += detail::seconds_since(started);
            stopped = !progress(done);
            started = Clock::now();
        }
    }
    step_.finish_window();
    report.seconds += detail::seconds_since(started);
    end_epoch(report);
    return report;
}

/// Trains on the batch and moves the position.
template <class Scalar>
double Trainer<Scalar>::train_on(const MiniBatch& batch) {
    require_items(batch.inputs.items);
    require_items(batch.targets);
    const Hyperparameters& p = parameters_;
    const auto step = static_cast<std::uint64_t>(position_.step);
    const std::uint64_t epochs_done = position_.epochs_done;
    step_failed_ = true;  // unless it comes back
    const double loss = step_.run(batch, negatives_.of_step(epochs_done, step),
                                  {p.dropout_p_embed, p.dropout_p_hidden, options_.seed, epochs_done, step});
    step_failed_ = false;
    ++position_.step;
    position_.pairs += batch.n_lanes();
    position_.n_lanes = batch.n_lanes();
    position_.weighted_loss += loss * static_cast<double>(batch.n_lanes());
    if (!std::isfinite(loss)) {
        throw_not_finite("the loss", position_.epoch, position_.step);
    }
    return loss;
}

/// A source is the user's code, and an item that it should not have yielded would be a row beyond the tables.
template <class Scalar>
void Trainer<Scalar>::require_items(std::span<const ItemIndex> items) const {
    for (const ItemIndex item : items) {
        GRU4REC_REQUIRE(to_index(item) >= 0 && to_index(item) < model_.n_items(),
                        "the source yields item = " + std::to_string(to_index(item)) + ", must satisfy 0 <= item < " +
                            std::to_string(model_.n_items()));
    }
}

template <class Scalar>
void Trainer<Scalar>::end_epoch(EpochReport& report) {
    report.steps = position_.step;
    report.pairs = position_.pairs;
    report.loss = report.pairs > 0 ? position_.weighted_loss / static_cast<double>(report.pairs) : 0;
    report.gradients = step_.take_gradient_norms();
    check_state(report.epoch, report.steps);
}

/// Moves the batcher to the position: batches depend only on the source, so those of steps that are done are skipped.
template <class Scalar>
template <class Batcher>
void Trainer<Scalar>::start_epoch(Batcher& batcher) {
    batcher.start_epoch(position_.epochs_done);
    if (position_.step == 0) {
        step_.reset();
    }
    Index pairs = 0;
    Index n_lanes = 0;
    for (std::int64_t step = 0; step < position_.step; ++step) {
        n_lanes = batcher.next().n_lanes();
        pairs += n_lanes;
        if (n_lanes == 0) {
            break;
        }
    }
    if (pairs != position_.pairs || n_lanes != position_.n_lanes) {
        throw_other_data();
    }
}

/// A loss can stay finite while weights that no candidate has used since are not, and while the optimiser state is
/// infinite, so that a row no longer moves.
template <class Scalar>
void Trainer<Scalar>::check_state(int epoch, std::int64_t step) {
    for (const auto& tensor : model_.tensors()) {
        for (Index r = 0; r < tensor.rows; ++r) {
            for (Index c = 0; c < tensor.cols; ++c) {
                if (!std::isfinite(tensor(r, c))) {
                    throw_not_finite(tensor.name, epoch, step);
                }
            }
        }
    }
    const auto is_finite = [](const detail::PaddedMatrix<Scalar>& block) {
        for (Index r = 0; r < block.rows(); ++r) {
            if (!std::all_of(block.row(r), block.row(r) + block.cols(), [](Scalar x) { return std::isfinite(x); })) {
                return false;
            }
        }
        return true;
    };
    step_.visit_parameters([&](const detail::ParameterInfo& info, detail::OptimizedParameter<Scalar>& parameter) {
        parameter.visit_memory([&]<class Memory>(const std::string& name, const Memory& memory) {
            if constexpr (std::is_same_v<Memory, detail::PaddedMatrix<Scalar>>) {
                if (!is_finite(memory)) {
                    throw_not_finite("the optimiser's " + name + " of " + info.name, epoch, step);
                }
            }
        });
    });
}

template <class Scalar>
GRU4REC_COLD void Trainer<Scalar>::throw_no_step(int epoch) const {
    if (parameters_.n_sample == 0) {
        detail::throw_invalid(
            "n_sample = 0 needs at least two sessions at the same time, as each other's negatives; the data have only "
            "one: set n_sample >= 1");
    }
    detail::throw_invalid("the source returned no session of two events in epoch " + std::to_string(epoch));
}

template <class Scalar>
GRU4REC_COLD void Trainer<Scalar>::throw_other_data() const {
    detail::throw_invalid("cannot resume at epoch " + std::to_string(position_.epoch) + ", step " +
                          std::to_string(position_.step) +
                          ": the training data differ from those of the interrupted run");
}

template <class Scalar>
GRU4REC_COLD void Trainer<Scalar>::throw_not_finite(const std::string& what, int epoch, std::int64_t step) const {
    detail::throw_not_finite("gru4rec: " + what + " became non-finite in epoch " + std::to_string(epoch) + ", step " +
                             std::to_string(step) + "; likely cause: " + detail::likely_cause(parameters_));
}

#if defined(GRU4REC_COMPILED)
extern template class SessionParallelBatcher<OrderedSessions>;
extern template class Trainer<float>;
extern template class Trainer<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
