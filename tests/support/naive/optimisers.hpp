#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_OPTIMISERS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_OPTIMISERS_HPP

#include "support/naive/matrix.hpp"
#include "support/naive/network.hpp"
#include "support/naive/settings.hpp"

#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace naive {

/// What a rule remembers of one tensor.
struct RuleState {
    Matrix a;                      ///< mean or sum of squared gradients (adam: second moment)
    Matrix u;                      ///< adadelta: mean of squared steps; adam: first moment
    Matrix velocity;               ///< momentum
    std::vector<int> steps_taken;  ///< adam: of each row

    RuleState() = default;
    explicit RuleState(const Matrix& like)
        : a(like.rows, like.cols), u(like.rows, like.cols), velocity(like.rows, like.cols), steps_taken(like.rows, 0) {}
};

/// Updates row i of `weights` with row i of the (merged) gradient.
///
/// @source  adagrad: Duchi, Hazan, Singer 2011; rmsprop: Tieleman, Hinton 2012; adadelta: arXiv 1212.5701; adam:
///          arXiv 1412.6980; heavy-ball momentum and weight decay on top: v = m v - lr (step + l p); p += v
inline void update_row(const Settings& settings, double learning_rate, Matrix& weights, const Matrix& gradient,
                       RuleState& state, std::size_t i) {
    const auto parameter = [&](std::size_t k, double by_default) {
        return settings.adapt_params.empty() ? by_default : settings.adapt_params.at(k);
    };
    state.steps_taken[i] += 1;
    for (std::size_t j = 0; j < weights.cols; ++j) {
        const double g = gradient(i, j);
        double& a = state.a(i, j);
        double& u = state.u(i, j);
        double step = 0;
        switch (settings.adapt) {
            case Rule::sgd: step = g; break;
            case Rule::adagrad:
                a += g * g;
                step = g / std::sqrt(a + 1e-6);
                break;
            case Rule::rmsprop: {
                const double decay = parameter(0, 0.9);
                a = decay * a + (1 - decay) * g * g;
                step = g / std::sqrt(a + 1e-6);
                break;
            }
            case Rule::adadelta: {
                const double decay = parameter(0, 0.95);
                a = decay * a + (1 - decay) * g * g;
                step = g * std::sqrt((u + 1e-6) / (a + 1e-6));
                u = decay * u + (1 - decay) * step * step;
                break;
            }
            case Rule::adam: {
                const double b1 = parameter(0, 0.9);
                const double b2 = parameter(1, 0.999);
                u = b1 * u + (1 - b1) * g;
                a = b2 * a + (1 - b2) * g * g;
                const double mean = u / (1 - std::pow(b1, state.steps_taken[i]));
                const double square = a / (1 - std::pow(b2, state.steps_taken[i]));
                step = mean / (std::sqrt(square) + 1e-8);
                break;
            }
        }
        double& v = state.velocity(i, j);
        v = settings.momentum * v - learning_rate * (step + settings.lmbd * weights(i, j));
        weights(i, j) += v;
    }
}

/// The whole of a network's update: dense tensors in full, tables on the step's rows only.
struct Optimiser {
    std::map<std::string, RuleState> states;

    void update(Network& network, const Gradients& gradients, double learning_rate) {
        if (network.settings.grad_cap > 0) {
            update_capped(network, capped(network.settings.grad_cap, gradients), learning_rate);
        } else {
            update_capped(network, gradients, learning_rate);
        }
    }

  private:
    void update_capped(Network& network, const Gradients& gradients, double learning_rate) {
        for (auto& [name, weights] : network.weights) {
            const auto [state, is_new] = states.try_emplace(name);
            if (is_new) {
                state->second = RuleState(weights);
            }
            for (const std::size_t i : rows_to_update(network, gradients, name)) {
                update_row(network.settings, learning_rate, weights, gradients.values.at(name), state->second, i);
            }
        }
    }

    [[nodiscard]] static std::set<std::size_t> rows_to_update(const Network& network, const Gradients& gradients,
                                                              const std::string& name) {
        if (network.is_table(name)) {
            return gradients.rows.at(name);
        }
        std::set<std::size_t> all;
        for (std::size_t i = 0; i < network.weight(name).rows; ++i) {
            all.insert(i);
        }
        return all;
    }

    /// All gradients scaled together so that their norm is at most `largest_norm`.
    [[nodiscard]] static Gradients capped(double largest_norm, Gradients gradients) {
        double sum_of_squares = 0;
        for (const auto& [name, gradient] : gradients.values) {
            for (const double g : gradient.values) {
                sum_of_squares += g * g;
            }
        }
        const double norm = std::sqrt(sum_of_squares);
        if (norm > largest_norm) {
            for (auto& [name, gradient] : gradients.values) {
                for (double& g : gradient.values) {
                    g *= largest_norm / norm;
                }
            }
        }
        return gradients;
    }
};

}  // namespace naive

#endif
