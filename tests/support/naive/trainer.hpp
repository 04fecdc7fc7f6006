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

/// Trains a network step by step.
class Trainer {
  public:
    Trainer(Network& network, std::vector<double> supports)
        : network_(network),
          supports_(std::move(supports)),
          learning_rate_(network.settings.effective_learning_rate()) {}

    void start_epoch() { states_.clear(); }
    void end_epoch() { learning_rate_ *= network_.settings.lr_decay; }

    /// Computes loss and gradients, carries the states on, then updates. The gradients are those before the update.
    StepResult step(const Step& step, const Draws& draws = {}) {
        StepResult result = compute_step(network_, supports_, entering_states(network_, states_, step), step, draws);
        states_ = result.states;
        optimiser_.update(network_, result.gradients, learning_rate_);
        return result;
    }

    [[nodiscard]] double learning_rate() const { return learning_rate_; }
    [[nodiscard]] const std::vector<Matrix>& states() const { return states_; }
    [[nodiscard]] const Optimiser& optimiser() const { return optimiser_; }

  private:
    Network& network_;
    std::vector<double> supports_;
    std::vector<Matrix> states_;
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
