#ifndef GRU4REC_TRAIN_TRAINING_STEP_HPP
#define GRU4REC_TRAIN_TRAINING_STEP_HPP

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/optim/gradient_clipping.hpp"
#include "gru4rec/optim/update.hpp"
#include "gru4rec/train/candidate_scores.hpp"
#include "gru4rec/train/gradient_watch.hpp"
#include "gru4rec/train/recorded_step.hpp"
#include "gru4rec/train/step_gradients.hpp"
#include "gru4rec/train/window_gradients.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Names a parameter of a network.
struct ParameterInfo {
    std::string name;
    bool by_item = false;  ///< row i belongs to item i
};

/// Everything that happens to a network in one step:
///
///     inputs -> x -> gru layers -> h -> R = h W_y[candidates]^T + b_y[candidates] -> loss -> dR
///     dR -> dh (from the old rows) -> gru layers backward -> dx, then all updates
///
/// With bptt = n > 1 the steps form windows of n, in which the weights stay as they are and every step has dropout
/// masks of its own; the backward pass goes through the steps from the last to the first, one update follows:
///
///     loss of step t -> dh_t,  dh_t += dL/dh_t of step t + 1 for lanes whose session continues,  gradients summed over
///     t
///
/// Scratch memory is allocated by the constructor, none by `run`: that of a tape for each step of a window. A step
/// costs O(M K H + M H^2), never O(V).
template <class Scalar>
class TrainingStep {
  public:
    /// @param loss  any RankingLoss
    TrainingStep(Network<Scalar>& network, std::span<const std::int64_t> supports, const Hyperparameters& p,
                 AnyLoss<Scalar> loss);
    ~TrainingStep();

    TrainingStep(const TrainingStep&) = delete;  // parts refer to each other
    TrainingStep& operator=(const TrainingStep&) = delete;

    [[nodiscard]] RowOptimizer<Scalar>& optimizer() noexcept { return optimizer_; }
    /// The tape of the last step: its hidden states enter the next one.
    [[nodiscard]] NetworkTape<Scalar>& tape() noexcept { return steps_[last_].tape; }

    /// Whether no gradients are waiting for an update.
    [[nodiscard]] bool between_windows() const noexcept { return n_waiting_ == 0; }
    [[nodiscard]] bool window_is_full() const noexcept { return n_waiting_ == steps_.size(); }

    /// Calls `visit(const ParameterInfo&, OptimizedParameter&)` for every parameter with its optimiser state, in a
    /// fixed order.
    template <class Visit>
    void visit_parameters(Visit&& visit) {
        visit(ParameterInfo{"output", true}, parameters_.output);
        for (std::size_t t = 0; t < parameters_.inputs.size(); ++t) {
            visit(ParameterInfo{"input." + std::to_string(t), true}, parameters_.inputs[t]);
        }
        int n = 0;
        for (auto& layer : parameters_.layers) {
            for (auto& parameter : layer) {
                if (parameter) {
                    visit(ParameterInfo{"dense." + std::to_string(n++), false}, *parameter);
                }
            }
        }
    }

    /// From now on, measures the gradients of every `interval`-th update, beginning with the next one.
    void watch_gradients(int interval) { watch_.emplace(parameters_, max_rows(), interval); }
    /// The norms of the updates measured since the last call; empty without `watch_gradients`.
    [[nodiscard]] std::vector<GradientNorm> take_gradient_norms() {
        return watch_ ? watch_->take() : std::vector<GradientNorm>();
    }

    /// Trains on one mini-batch and returns the sum over the lanes of the loss, divided by batch_size.
    double run(const MiniBatch& batch, const DrawnItems& drawn, const DropoutStep& dropout);

    /// Updates with the gradients of a window that has begun and is not full.
    void finish_window();

    /// All lanes start new sessions; gradients that wait for an update are dropped.
    void reset();

    /// Drops the gradients that wait for an update. The hidden states stay as they are.
    void drop_window();

    /// The first half of `run`: all but the updates. @pre the window is not full
    double compute_gradients(const MiniBatch& batch, const DrawnItems& drawn, const DropoutStep& dropout);

    /// The second half: every parameter and every row of the window's steps is updated once.
    void update();

  private:
    using AnyGradients = std::variant<StepGradients<Scalar>, WindowGradients<Scalar>>;

    [[nodiscard]] AnyGradients make_gradients(const Hyperparameters& p);
    [[nodiscard]] Index max_rows() const;

    void complete(StepGradients<Scalar>& gradients) { gradients.take(steps_.front()); }
    void complete(WindowGradients<Scalar>& gradients);

    Network<Scalar>& network_;
    RowOptimizer<Scalar> optimizer_;
    Index batch_size_;
    OptimizedNetwork<Scalar> parameters_;
    CandidateScores<Scalar> candidates_;
    AnyGradients gradients_;
    GradientCap<Scalar> cap_;
    std::optional<GradientWatch<Scalar>> watch_;
    std::vector<RecordedStep<Scalar>> steps_;  // of a window
    std::size_t n_waiting_ = 0;                // steps of the window whose gradients wait for the update
    std::size_t last_ = 0;                     // the step of tape()
    DropoutStep dropout_;                      // of the last step; the masks themselves are in the tapes
};

template <class Scalar>
TrainingStep<Scalar>::TrainingStep(Network<Scalar>& network, std::span<const std::int64_t> supports,
                                   const Hyperparameters& p, AnyLoss<Scalar> loss)
    : network_(network),
      optimizer_(make_optimizer<Scalar>(p)),
      batch_size_(p.batch_size),
      parameters_(network, optimizer_),
      candidates_(network, supports, p, std::move(loss)),
      gradients_(make_gradients(p)),
      cap_(p.grad_cap, max_rows()) {
    steps_.reserve(static_cast<std::size_t>(p.bptt));
    for (int t = 0; t < p.bptt; ++t) {
        steps_.emplace_back(network, p);
    }
    Index n_rows = max_rows();
    std::size_t n_updates = 1;  // of the output table
    visit_parameters([&](const ParameterInfo& info, const OptimizedParameter<Scalar>& parameter) {
        if (!info.by_item) {
            n_rows += parameter.parameter().rows();
            n_updates += 1;
        }
    });
    optimizer_.reserve(n_rows, n_updates);
}

template <class Scalar>
TrainingStep<Scalar>::~TrainingStep() = default;

template <class Scalar>
typename TrainingStep<Scalar>::AnyGradients TrainingStep<Scalar>::make_gradients(const Hyperparameters& p) {
    if (p.bptt > 1) {
        return AnyGradients(std::in_place_type<WindowGradients<Scalar>>, network_, candidates_, p);
    }
    return AnyGradients(std::in_place_type<StepGradients<Scalar>>, network_, candidates_, p);
}

template <class Scalar>
Index TrainingStep<Scalar>::max_rows() const {
    return std::visit([](const auto& gradients) { return gradients.max_rows(); }, gradients_);
}

template <class Scalar>
double TrainingStep<Scalar>::run(const MiniBatch& batch, const DrawnItems& drawn, const DropoutStep& dropout) {
    const double loss = compute_gradients(batch, drawn, dropout);
    if (window_is_full()) {
        update();
    }
    return loss;
}

template <class Scalar>
void TrainingStep<Scalar>::finish_window() {
    if (!between_windows()) {
        update();
    }
}

template <class Scalar>
void TrainingStep<Scalar>::reset() {
    drop_window();
    tape().reset_all_lanes();
}

template <class Scalar>
void TrainingStep<Scalar>::drop_window() {
    n_waiting_ = 0;
    optimizer_.drop_updates();  // there are some only if an update has thrown
    if (auto* const window = std::get_if<WindowGradients<Scalar>>(&gradients_)) {
        window->clear();
    }
}

template <class Scalar>
double TrainingStep<Scalar>::compute_gradients(const MiniBatch& batch, const DrawnItems& drawn,
                                               const DropoutStep& dropout) {
    GRU4REC_ASSERT(batch.n_lanes() <= batch_size_ && batch.inputs.n_lanes() == batch.n_lanes());
    GRU4REC_ASSERT(!window_is_full());
    dropout_ = dropout;
    const NetworkTape<Scalar>& previous = tape();  // as long as this step is not the last one
    RecordedStep<Scalar>& step = steps_[n_waiting_];
    last_ = n_waiting_++;
    step.take(batch);
    candidates_.take(batch.targets, drawn);
    step.tape.enter_step(previous, batch.previous_lane);
    forward(network_, batch.inputs, dropout_, step.tape);
    candidates_.run(step.tape.top());
    if (auto* const window = std::get_if<WindowGradients<Scalar>>(&gradients_)) {
        window->add_candidates();
    } else {
        backward(network_, step.n_lanes, dropout_, step.tape);
    }
    return candidates_.loss() / static_cast<double>(batch_size_);
}

template <class Scalar>
void TrainingStep<Scalar>::update() {
    std::visit(
        [&](auto& gradients) {
            complete(gradients);
            if (watch_ && watch_->start()) {
                gradients.visit(parameters_, [&](const OptimizedParameter<Scalar>& parameter, const auto& block) {
                    watch_->add(parameter, block);
                });
                watch_->finish();
            }
            Scalar scale = 1;
            if (cap_.is_active()) {
                cap_.start();
                gradients.visit(parameters_, [&](const OptimizedParameter<Scalar>& parameter, const auto& block) {
                    cap_.add(parameter, block);
                });
                scale = cap_.scale();
            }
            gradients.visit(parameters_, [&](OptimizedParameter<Scalar>& parameter, const auto& block) {
                if constexpr (std::is_same_v<decltype(block), const OuterGradients<Scalar>&>) {
                    optimizer_.update_later(parameter, block, scale);  // refers to memory of the step
                } else {
                    optimizer_.update(parameter, block, scale);  // may refer to memory that the next block reuses
                }
            });
            optimizer_.finish_updates();
        },
        gradients_);
    drop_window();
}

/// Runs the backward passes of the window, from its last step to its first.
template <class Scalar>
void TrainingStep<Scalar>::complete(WindowGradients<Scalar>& gradients) {
    LaterStep<Scalar> later;
    for (std::size_t t = n_waiting_; t-- > 0;) {
        RecordedStep<Scalar>& step = steps_[t];
        backward(network_, step.n_lanes, dropout_, step.tape, later);
        gradients.add_backward_pass(step);
        later = {&step.tape, step.previous_lane};
    }
}

#if defined(GRU4REC_COMPILED)
extern template class TrainingStep<float>;
extern template class TrainingStep<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
