#ifndef GRU4REC_TESTS_SUPPORT_TWIN_RUNS_HPP
#define GRU4REC_TESTS_SUPPORT_TWIN_RUNS_HPP

#include "support/library_step.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/trainer.hpp"
#include "support/test_settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

/// Random configurations on random sessions, trained side by side by the library and by the naive twin.
namespace twin_runs {

using test_settings::Entries;

struct Case {
    Entries settings;
    std::size_t n_items = 0;
    std::vector<naive::Session> sessions;
};

[[nodiscard]] inline std::string described(const Case& c) {
    return std::to_string(c.n_items) + " items, " + std::to_string(c.sessions.size()) +
           " sessions: " + test_settings::described(c.settings);
}

template <class Random>
[[nodiscard]] std::string pick(Random& engine, const std::vector<std::string>& from) {
    return from[naive::uniform_index(engine, from.size())];
}

template <class Random>
[[nodiscard]] bool chance(Random& engine, double p) {
    return naive::uniform(engine) < p;
}

template <class Random>
void pick_network(Random& engine, Entries& settings) {
    const std::string cell = pick(engine, test_settings::cells);
    const std::size_t input = naive::uniform_index(engine, 3);
    std::string layers;
    for (std::size_t l = 1 + naive::uniform_index(engine, 3); l > 0; --l) {
        layers += (layers.empty() ? "" : "/") + std::to_string(1 + naive::uniform_index(engine, 20));
    }
    settings.insert(settings.end(), {{"gru_variant", cell},
                                     {"layers", layers},
                                     {"constrained_embedding", input == 2 ? "true" : "false"},
                                     {"sigma", pick(engine, {"0", "0.4"})}});
    if (input == 1) {
        settings.emplace_back("embedding", std::to_string(1 + naive::uniform_index(engine, 20)));
    }
    if (input > 0) {
        settings.emplace_back("dropout_p_embed", pick(engine, {"0", "0.3"}));
    }
    settings.emplace_back("dropout_p_hidden", pick(engine, {"0", "0.25"}));
    if (chance(engine, 0.4)) {
        settings.insert(settings.end(), {{"input", "history"},
                                         {"input_decay", pick(engine, {"1", "0.9", "0.3"})},
                                         {"history_max", pick(engine, {"1", "2", "3", "20"})}});
    }
    if (layers.find('/') != std::string::npos && chance(engine, 0.5)) {
        settings.emplace_back("deep_input", "true");
    }
    if (cell == "reset_before") {
        settings.emplace_back("hidden_act", pick(engine, {"tanh", "tanh", "elu-0.5", "leaky-0.1"}));
    }
}

template <class Random>
void pick_loss(Random& engine, Entries& settings) {
    const std::string loss = pick(engine, {"cross-entropy", "cross-entropy", "bpr", "top1", "bpr-max", "top1-max"});
    settings.emplace_back("loss", loss);
    if (loss == "cross-entropy") {
        settings.emplace_back("logq", pick(engine, {"0", "1", "0.5"}));
        settings.emplace_back("smoothing", pick(engine, {"0", "0.1"}));
    } else if (chance(engine, 0.7)) {
        settings.emplace_back("final_act",
                              pick(engine, {"linear", "tanh", "relu", "leaky-0.2", "elu-0.7", "selu-1.05-1.67"}));
    }
    if (loss == "bpr") {
        settings.emplace_back("pairwise_mean", pick(engine, {"true", "false"}));
    }
    settings.insert(settings.end(), {{"bpreg", pick(engine, {"0", "1", "1.9"})},
                                     {"elu_param", pick(engine, {"0", "0.5", "1"})},
                                     {"mask_duplicates", pick(engine, {"true", "false"})}});
}

template <class Random>
void pick_optimiser(Random& engine, const std::vector<std::string>& rules, Entries& settings) {
    const std::string rule = pick(engine, rules);
    settings.emplace_back("adapt", rule);
    settings.emplace_back("learning_rate", rule == "adadelta" ? "1" : rule == "adam" ? "0.01" : "0.05");
    if (chance(engine, 0.5) && rule != "sgd" && rule != "adagrad") {
        settings.emplace_back("adapt_params", rule == "adam" ? "0.8/0.97" : "0.7");
    }
    settings.insert(settings.end(), {{"momentum", pick(engine, {"0", "0.3"})},
                                     {"lmbd", pick(engine, {"0", "0.02"})},
                                     {"grad_cap", pick(engine, {"0", "0", "0.05", "2"})},
                                     {"lr_decay", pick(engine, {"1", "0.7"})}});
}

template <class Random>
void pick_batch(Random& engine, Entries& settings) {
    const std::size_t n_sample = chance(engine, 0.3) ? 0 : 1 + naive::uniform_index(engine, 20);
    const std::size_t batch_size = (n_sample == 0 ? 2 : 1) + naive::uniform_index(engine, 12);
    settings.insert(settings.end(), {{"batch_size", std::to_string(batch_size)},
                                     {"n_sample", std::to_string(n_sample)},
                                     {"sample_alpha", pick(engine, {"0", "0.5", "1"})}});
}

/// @tparam Random  gives 64 random bits at a time, as naive::Engine does
template <class Random>
[[nodiscard]] Case drawn_case(Random& engine, const std::vector<std::string>& rules) {
    Case result;
    pick_network(engine, result.settings);
    pick_loss(engine, result.settings);
    pick_optimiser(engine, rules, result.settings);
    pick_batch(engine, result.settings);
    result.n_items = 3 + naive::uniform_index(engine, 38);
    result.sessions.resize(4 + naive::uniform_index(engine, 20));
    for (naive::Session& session : result.sessions) {
        session.resize(1 + naive::uniform_index(engine, 8));
        for (std::size_t& item : session) {
            // Half of the events fall on few items, so that duplicates are common; the last item has no event.
            item = naive::uniform_index(engine, chance(engine, 0.5) ? 2 : result.n_items - 1);
        }
    }
    result.sessions.front() = {0, 1, 0};
    result.sessions.back() = {1, 1, 0, 0};
    return result;
}

[[nodiscard]] inline Case random_case(std::uint64_t seed, const std::vector<std::string>& rules) {
    naive::Engine engine(seed);
    return drawn_case(engine, rules);
}

/// How far library and twin are apart, at most.
struct Differences {
    double loss = 0;
    double states = 0;
    double weights = 0;
    std::size_t steps = 0;
    std::set<std::string> violations;  ///< what must hold to the bit, and did not
};

[[nodiscard]] inline double largest_difference(const naive::Matrix& a, const naive::Matrix& b) {
    naive::require_shape(a, b.rows, b.cols, "compared");
    double largest = 0;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        const double difference = std::abs(a.values[i] - b.values[i]);
        largest = difference <= largest ? largest : difference;  // a NaN stays
    }
    return largest;
}

/// Whether rows of tables that have no part in the step keep every bit.
[[nodiscard]] inline bool untouched(const naive::Gradients& gradients, const naive::Weights& before,
                                    const naive::Weights& after) {
    std::size_t changed = 0;
    for (const auto& [name, rows] : gradients.rows) {
        const naive::Matrix& old_table = before.at(name);
        for (std::size_t i = 0; i < old_table.rows; ++i) {
            for (std::size_t k = 0; !rows.contains(i) && k < old_table.cols; ++k) {
                changed += old_table(i, k) == after.at(name)(i, k) ? 0U : 1U;
            }
        }
    }
    return changed == 0;
}

/// @param n_steps  at least; whole epochs
template <class Scalar>
[[nodiscard]] Differences run(const Case& c, std::uint64_t seed, std::size_t n_steps) {
    naive::Engine engine(seed + 1'000'000);
    const std::vector<double> supports = naive::count_supports(c.sessions, c.n_items);
    library_step::LibraryStep<Scalar> library(c.settings, std::vector<std::int64_t>(supports.begin(), supports.end()),
                                              seed);
    naive::Network network{library.settings(), c.n_items, library.weights()};
    naive::Trainer twin(network, supports);
    const naive::Settings settings = network.settings;
    const auto schedule =
        naive::schedule(c.sessions, naive::file_order(c.sessions.size()), settings.batch_size, settings.n_sample);
    Differences worst;
    const auto require = [&](bool holds, const std::string& what) {
        if (!holds) {
            worst.violations.insert(what);
        }
    };
    require(!schedule.empty(), "there are steps");
    while (!schedule.empty() && worst.steps < n_steps) {
        library.reset_all_lanes();
        twin.start_epoch();
        for (const naive::Step& step : schedule) {
            naive::Draws draws;
            while (draws.sampled.size() < settings.n_sample) {
                const std::size_t item = naive::uniform_index(engine, c.n_items);
                if (supports[item] > 0 || settings.sample_alpha == 0) {
                    draws.sampled.push_back(item);
                }
            }
            const naive::Weights before = library.weights();
            const auto batch = library_step::batch_of(settings, step, draws.sampled, worst.steps);
            const double loss = library.compute(batch);
            draws.masks = library.masks(step.lanes());
            if (library.window_is_full()) {
                library.update();
            }
            const naive::StepResult expected = twin.step(step, draws);
            require(library.between_windows() == !expected.gradients.values.empty(), "windows end at the same step");
            require(library.between_windows() || library.weights() == before, "weights change at the end of a window");
            worst.loss = std::max(worst.loss, naive::gradient_error(loss, expected.loss));
            const auto states = library.states(step.lanes());
            for (std::size_t l = 0; l < states.size(); ++l) {
                worst.states = std::max(worst.states, largest_difference(states[l], expected.states[l]));
            }
            require(untouched(expected.gradients, before, library.weights()), "rows without a part in a step keep");
            ++worst.steps;
        }
        if (!library.between_windows()) {
            library.update();
        }
        twin.end_epoch();
        library.set_learning_rate(twin.learning_rate());
    }
    for (const auto& [name, matrix] : library.weights()) {
        const double difference = largest_difference(matrix, network.weights.at(name));
        require(std::isfinite(difference), name + " is finite");
        worst.weights = std::max(worst.weights, difference);
    }
    require(library.padding_is_zero(), "what is behind the rows is zero");
    return worst;
}

}  // namespace twin_runs

#endif
