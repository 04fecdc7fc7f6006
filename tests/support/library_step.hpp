#ifndef GRU4REC_TESTS_SUPPORT_LIBRARY_STEP_HPP
#define GRU4REC_TESTS_SUPPORT_LIBRARY_STEP_HPP

#include "support/naive/trainer.hpp"
#include "support/test_settings.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// The library's network and training step behind an interface of plain data in the twin's shapes. Compiled once per
/// program and scalar: exactly one file of a folder includes support/library_step_impl.hpp.
namespace library_step {

using test_settings::Entries;

/// The items that make up the inputs of a step and their weights, as gru4rec::detail::LaneInputs.
struct WeightedInputs {
    std::vector<std::size_t> items;
    std::vector<double> weights;
    std::vector<std::ptrdiff_t> ends;
};

/// What a step is given. Lane m goes on with the state of lane previous_lane[m] of the step before, -1: it starts anew.
struct Batch {
    std::vector<std::size_t> inputs;
    WeightedInputs weighted;  ///< instead of `inputs`, where it has any
    std::vector<std::size_t> targets;
    std::vector<std::ptrdiff_t> previous_lane;
    std::vector<std::size_t> sampled;  ///< in any order, repeated as often as drawn
    std::uint64_t dropout_step = 0;    ///< names the dropout masks
};

/// The events that count, oldest first, each with its weight.
[[nodiscard]] inline WeightedInputs weighted_inputs(const naive::Settings& settings,
                                                    const std::vector<naive::Session>& histories) {
    WeightedInputs result;
    for (const naive::Session& history : histories) {
        const std::vector<double> weights = naive::event_weights(settings, history.size());
        for (std::size_t s = 0; s < history.size(); ++s) {
            if (weights[s] > 0) {
                result.items.push_back(history[s]);
                result.weights.push_back(weights[s]);
            }
        }
        result.ends.push_back(static_cast<std::ptrdiff_t>(result.items.size()));
    }
    return result;
}

[[nodiscard]] inline Batch batch_of(const naive::Settings& settings, const naive::Step& step,
                                    std::vector<std::size_t> sampled, std::uint64_t dropout_step) {
    Batch batch{step.inputs, {}, step.targets, {}, std::move(sampled), dropout_step};
    if (settings.input_history) {
        batch.weighted = weighted_inputs(settings, step.histories);
    }
    for (std::size_t m = 0; m < step.lanes(); ++m) {
        batch.previous_lane.push_back(step.resets[m] ? -1 : static_cast<std::ptrdiff_t>(step.previous_rows[m]));
    }
    return batch;
}

template <class Scalar>
class LibraryStep {
  public:
    LibraryStep(const Entries& settings, const std::vector<std::int64_t>& supports, std::uint64_t seed = 42);
    ~LibraryStep();
    LibraryStep(const LibraryStep&) = delete;
    LibraryStep& operator=(const LibraryStep&) = delete;

    /// The library's own reading of its hyper-parameters, read by the twin.
    [[nodiscard]] naive::Settings settings() const;

    [[nodiscard]] naive::Weights weights() const;
    void set_weights(const naive::Weights& weights);
    /// One weight, in the twin's shapes.
    [[nodiscard]] Scalar& weight(const std::string& name, std::size_t row, std::size_t col);
    /// Nothing but zeros behind the rows of all parameters.
    [[nodiscard]] bool padding_is_zero() const;

    /// What the last step left, one matrix (lanes, H) per layer; `leave` makes it up, and begins a window.
    [[nodiscard]] std::vector<naive::Matrix> states(std::size_t lanes) const;
    void leave(const std::vector<naive::Matrix>& states);
    void reset_all_lanes();

    double compute(const Batch& batch);  ///< loss and gradients
    void update();                       ///< with the gradients of the window so far
    [[nodiscard]] bool window_is_full() const;
    [[nodiscard]] bool between_windows() const;
    void set_learning_rate(double rate);
    /// The masks of the step just computed.
    [[nodiscard]] naive::Masks masks(std::size_t lanes) const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

extern template class LibraryStep<double>;
extern template class LibraryStep<float>;

}  // namespace library_step

#endif
