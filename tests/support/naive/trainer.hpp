#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_TRAINER_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_TRAINER_HPP

#include "support/naive/losses.hpp"
#include "support/naive/network.hpp"
#include "support/naive/optimisers.hpp"
#include "support/naive/schedule.hpp"

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace naive {

/// What is random in a step, given from outside.
struct Draws {
    std::vector<std::size_t> sampled = {};  ///< items drawn as further negatives
    Masks masks = {};
};

/// The items of the score columns: the lanes' targets, then the sampled items, duplicates as they come.
[[nodiscard]] inline std::vector<std::size_t> candidates(const Step& step, const Draws& draws) {
    std::vector<std::size_t> result = step.targets;
    result.insert(result.end(), draws.sampled.begin(), draws.sampled.end());
    return result;
}

/// How often the training set holds each item.
[[nodiscard]] inline std::vector<double> count_supports(const std::vector<Session>& sessions, std::size_t n_items) {
    std::vector<double> supports(n_items, 0.0);
    for (const Session& session : sessions) {
        for (const std::size_t item : session) {
            supports.at(item) += 1;
        }
    }
    return supports;
}

/// q of the logQ correction for every column; nothing where there is no correction.
[[nodiscard]] inline std::vector<double> column_q(const Settings& settings, const std::vector<double>& supports,
                                                  const Step& step, const Draws& draws) {
    std::vector<double> q;
    if (settings.logq != 0) {
        for (const std::size_t item : step.targets) {
            q.push_back(supports.at(item));
        }
        for (const std::size_t item : draws.sampled) {
            q.push_back(std::pow(supports.at(item), settings.sample_alpha));
        }
    }
    return q;
}

/// The states with which every layer enters the step; `previous` is empty at the start of an epoch.
[[nodiscard]] inline std::vector<Matrix> entering_states(const Network& network, const std::vector<Matrix>& previous,
                                                         const Step& step) {
    std::vector<Matrix> result;
    for (std::size_t l = 0; l < network.n_layers(); ++l) {
        result.push_back(entering_state(previous.empty() ? Matrix() : previous.at(l), step, network.units(l)));
    }
    return result;
}

/// Loss of a step: the sum over its lanes / batch_size.
[[nodiscard]] inline double step_loss(const Network& network, const std::vector<double>& supports,
                                      const std::vector<Matrix>& entering, const Step& step, const Draws& draws = {}) {
    const ForwardPass pass = forward(network, entering, encoded(network, step), draws.masks);
    const std::vector<std::size_t> items = candidates(step, draws);
    const Matrix raw_scores = scores(network, pass.h_last(), items);
    const LossResult loss = evaluate_loss(network.settings.loss_settings(), raw_scores, items,
                                          column_q(network.settings, supports, step, draws));
    return loss.sum / static_cast<double>(network.settings.batch_size);
}

struct StepResult {
    double loss = 0;
    Gradients gradients;         ///< of `loss`
    std::vector<Matrix> states;  ///< with which the step is left
    Matrix scores;               ///< (M, K), raw
    Matrix d_scores;             ///< of `loss`
};

/// Loss and gradients; changes nothing.
[[nodiscard]] inline StepResult compute_step(const Network& network, const std::vector<double>& supports,
                                             const std::vector<Matrix>& entering, const Step& step,
                                             const Draws& draws = {}) {
    const double batch_size = static_cast<double>(network.settings.batch_size);
    const ForwardPass pass = forward(network, entering, encoded(network, step), draws.masks);
    const std::vector<std::size_t> items = candidates(step, draws);
    StepResult result;
    result.states = pass.states();
    result.scores = scores(network, pass.h_last(), items);
    LossResult loss = evaluate_loss(network.settings.loss_settings(), result.scores, items,
                                    column_q(network.settings, supports, step, draws));
    result.loss = loss.sum / batch_size;
    for (double& d : loss.d_scores.values) {
        d /= batch_size;
    }
    result.d_scores = loss.d_scores;
    result.gradients = backward(network, pass, encoded(network, step), items, result.d_scores, draws.masks);
    return result;
}

/// A step of a window, run forward.
struct WindowStep {
    Step step;
    Draws draws;
    ForwardPass pass;
    Matrix d_scores;
};

/// The gradients by the states that leave a step of `lanes` lanes, from those by the states that enter the next one:
/// those of lanes whose session goes on.
[[nodiscard]] inline std::vector<Matrix> gradients_of_leaving(const std::vector<Matrix>& d_entering, const Step& next,
                                                              std::size_t lanes) {
    std::vector<Matrix> result;
    for (const Matrix& d : d_entering) {
        Matrix d_leaving(lanes, d.cols);
        for (std::size_t i = 0; i < d.rows; ++i) {
            for (std::size_t k = 0; k < d.cols && !next.resets[i]; ++k) {
                d_leaving(next.previous_rows[i], k) += d(i, k);
            }
        }
        result.push_back(d_leaving);
    }
    return result;
}

/// Backpropagation through time: the gradients of the sum of the steps' losses, with the states that enter the first
/// step as constants.
[[nodiscard]] inline Gradients backward(const Network& network, const std::vector<WindowStep>& window) {
    Gradients total{network.zeros(), {}};
    std::vector<Matrix> d_leaving;
    for (std::size_t t = window.size(); t-- > 0;) {
        const WindowStep& at = window[t];
        const Gradients of_step = backward(network, at.pass, encoded(network, at.step), candidates(at.step, at.draws),
                                           at.d_scores, at.draws.masks, d_leaving);
        for (const auto& [name, values] : of_step.values) {
            add(total.values.at(name), values);
        }
        for (const auto& [name, rows] : of_step.rows) {
            total.rows[name].insert(rows.begin(), rows.end());
        }
        if (t > 0) {
            d_leaving = gradients_of_leaving(of_step.entering, at.step, window[t - 1].step.lanes());
        }
    }
    return total;
}

/// The sum of the losses of successive steps with the same weights, the first of them entered with `entering`.
[[nodiscard]] inline double window_loss(const Network& network, const std::vector<double>& supports,
                                        std::vector<Matrix> entering, const std::vector<Step>& steps,
                                        const std::vector<Draws>& draws) {
    double loss = 0;
    for (std::size_t t = 0; t < steps.size(); ++t) {
        if (t > 0) {
            entering = entering_states(network, entering, steps[t]);
        }
        loss += step_loss(network, supports, entering, steps[t], draws[t]);
        entering = forward(network, entering, encoded(network, steps[t]), draws[t].masks).states();
    }
    return loss;
}

/// Trains a network step by step, with an update after every window of bptt steps.
class Trainer {
  public:
    Trainer(Network& network, std::vector<double> supports)
        : network_(network),
          supports_(std::move(supports)),
          learning_rate_(network.settings.effective_learning_rate()) {}

    void start_epoch() { states_.clear(); }
    void end_epoch() {
        end_window();
        learning_rate_ *= network_.settings.lr_decay;
    }

    /// Computes the loss, carries the states on, and ends the window where it is full. `gradients` of the result are
    /// those of the window: none where the step was not its last.
    StepResult step(const Step& step, const Draws& draws = {}) {
        const std::vector<Matrix> entering = entering_states(network_, states_, step);
        StepResult result = compute_step(network_, supports_, entering, step, draws);
        window_.push_back(
            {step, draws, forward(network_, entering, encoded(network_, step), draws.masks), result.d_scores});
        states_ = result.states;
        result.gradients = window_.size() == network_.settings.bptt ? end_window() : Gradients{};
        return result;
    }

    /// Updates with the gradients of the steps since the last update.
    Gradients end_window() {
        if (window_.empty()) {
            return {};
        }
        const Gradients gradients = backward(network_, window_);
        optimiser_.update(network_, gradients, learning_rate_);
        window_.clear();
        return gradients;
    }

    [[nodiscard]] double learning_rate() const { return learning_rate_; }
    [[nodiscard]] const std::vector<Matrix>& states() const { return states_; }
    [[nodiscard]] const Optimiser& optimiser() const { return optimiser_; }

  private:
    Network& network_;
    std::vector<double> supports_;
    std::vector<Matrix> states_;
    std::vector<WindowStep> window_;
    Optimiser optimiser_;
    double learning_rate_;
};

/// sum_k loss_k M_k / sum_k M_k
class EpochLoss {
  public:
    void add(double step_loss, std::size_t lanes) {
        weighted_ += step_loss * static_cast<double>(lanes);
        pairs_ += static_cast<double>(lanes);
    }

    [[nodiscard]] double value() const { return weighted_ / pairs_; }

  private:
    double weighted_ = 0;
    double pairs_ = 0;
};

}  // namespace naive

#endif
