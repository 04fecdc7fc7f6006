#ifndef GRU4REC_TRAIN_PROGRESS_HPP
#define GRU4REC_TRAIN_PROGRESS_HPP

#include "gru4rec/core/types.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A training step that has just been done.
struct StepReport {
    int epoch = 1;             ///< from 1
    std::int64_t step = 1;     ///< within the epoch, from 1
    double loss = 0;           ///< sum over the lanes / batch_size, also if n_lanes is smaller
    Index n_lanes = 0;         ///< M
    Index pairs_done = 0;      ///< (input, target) pairs of the epoch so far
    Index pairs_in_epoch = 0;  ///< pairs of the whole epoch
};

/// Norms of the gradient of a table or a layer, or of all of them, over the measured updates of an epoch, before
/// grad_cap and the optimiser's rule. The gradient is that of a step's loss or, with bptt > 1, of the sum over the
/// steps of a window.
struct GradientNorm {
    std::string name;          ///< `output` and `input.0`, ... are tables, `layer.0`, ... layers, `all` is the whole
    double mean = 0;           ///< of the Euclidean norms
    double largest = 0;        ///< of the same norms
    std::int64_t updates = 0;  ///< that were measured
};

/// An epoch that has just been finished or interrupted.
struct EpochReport {
    int epoch = 1;                   ///< from 1
    double loss = 0;                 ///< mean over the steps k, weighted by lanes: sum_k loss_k M_k / sum_k M_k
    double seconds = 0;              ///< training time without the callbacks
    std::int64_t steps = 0;          ///< steps done in the epoch
    Index pairs = 0;                 ///< (input, target) pairs trained in the epoch
    bool complete = false;           ///< false if training was stopped within the epoch
    std::int64_t resumed_steps = 0;  ///< those of `steps` that a resumed run took over from its checkpoint
    Index resumed_pairs = 0;         ///< the pairs of resumed_steps; `seconds` does not cover them
    double learning_rate = 0;        ///< of the epoch
    std::vector<GradientNorm> gradients = {};  ///< empty unless TrainingOptions::gradients_every is set

    /// Pairs trained per second, one event each, without the resumed ones. 0 if no time was measured.
    [[nodiscard]] double events_per_second() const noexcept {
        return seconds > 0 ? static_cast<double>(pairs - resumed_pairs) / seconds : 0;
    }
    /// Steps per second, without the resumed ones. 0 if no time was measured.
    [[nodiscard]] double steps_per_second() const noexcept {
        return seconds > 0 ? static_cast<double>(steps - resumed_steps) / seconds : 0;
    }
};

/// The result of a training run.
struct FitReport {
    std::vector<EpochReport> epochs;  ///< the last one may be incomplete
    bool stopped = false;             ///< a callback returned false
};

/// What `fit` calls after every step, every epoch, or both: a callable as `bool(const StepReport&)`, as
/// `bool(const EpochReport&)`, or both. It returns true to continue, false to stop training. With bptt > 1, stopping
/// inside a window of steps ends the window early, and its gradients are applied. Runs on the thread that called `fit`.
template <class Progress>
concept ProgressCallback = std::is_invocable_r_v<bool, Progress&, const StepReport&> ||
    std::is_invocable_r_v<bool, Progress&, const EpochReport&>;

/// Default callback: does nothing, never stops training.
struct Silent {
    /// Lets training continue.
    constexpr bool operator()(const EpochReport&) const noexcept { return true; }
};

namespace detail {

/// A reference to a progress callback of any type, so that training is compiled once for all types.
class ProgressRef {
  public:
    template <class Progress>
    explicit ProgressRef(Progress& progress) noexcept
        : callback_(const_cast<void*>(static_cast<const void*>(std::addressof(progress)))) {
        if constexpr (std::is_invocable_r_v<bool, Progress&, const StepReport&>) {
            after_step_ = [](void* callback, const StepReport& report) -> bool {
                return (*static_cast<Progress*>(callback))(report);
            };
        }
        if constexpr (std::is_invocable_r_v<bool, Progress&, const EpochReport&>) {
            after_epoch_ = [](void* callback, const EpochReport& report) -> bool {
                return (*static_cast<Progress*>(callback))(report);
            };
        }
    }

    [[nodiscard]] bool wants_steps() const noexcept { return after_step_ != nullptr; }
    /// @returns whether training continues
    [[nodiscard]] bool operator()(const StepReport& report) const {
        return after_step_ == nullptr || after_step_(callback_, report);
    }
    [[nodiscard]] bool operator()(const EpochReport& report) const {
        return after_epoch_ == nullptr || after_epoch_(callback_, report);
    }

  private:
    void* callback_;
    bool (*after_step_)(void*, const StepReport&) = nullptr;
    bool (*after_epoch_)(void*, const EpochReport&) = nullptr;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
