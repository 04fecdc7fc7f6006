// Checks of the naive twin itself: it is what the library is compared to, so it has to be right by other means, which
// are finite differences, numbers worked out by hand and the recorded runs of the reference implementation.

#include "support/golden_files.hpp"
#include "support/naive/evaluation.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using Rows = std::vector<std::size_t>;
using Kind = naive::Activation::Kind;

const std::vector<std::string> all_activations = {"linear", "tanh", "relu", "leaky-0.2", "elu-0.7", "selu-1.05-1.67"};

/// Sessions whose items tell where they come from: event e of session s, both from 1, is 10 s + e.
std::vector<naive::Session> numbered_sessions(const std::vector<std::size_t>& lengths) {
    std::vector<naive::Session> sessions;
    for (std::size_t s = 1; s <= lengths.size(); ++s) {
        naive::Session& session = sessions.emplace_back();
        for (std::size_t e = 1; e <= lengths[s - 1]; ++e) {
            session.push_back(10 * s + e);
        }
    }
    return sessions;
}

std::vector<naive::Session> random_sessions(naive::Engine& engine, std::size_t n, std::size_t n_items) {
    std::vector<naive::Session> sessions(n);
    for (naive::Session& session : sessions) {
        session.resize(1 + naive::uniform_index(engine, 6));
        for (std::size_t& item : session) {
            item = naive::uniform_index(engine, n_items);
        }
    }
    return sessions;
}

/// How often every (session, position) is an input.
std::map<std::pair<std::size_t, std::size_t>, int> emitted_pairs(const std::vector<naive::Session>& sessions,
                                                                 const std::vector<naive::Step>& steps) {
    std::map<std::pair<std::size_t, std::size_t>, int> result;
    for (const naive::Step& step : steps) {
        for (std::size_t i = 0; i < step.lanes(); ++i) {
            const naive::Session& session = sessions[step.sessions[i]];
            CHECK(step.inputs[i] == session[step.positions[i]]);
            CHECK(step.targets[i] == session[step.positions[i] + 1]);
            ++result[{step.sessions[i], step.positions[i]}];
        }
    }
    return result;
}

/// A step in which everything happens twice: M < B, a repeated input, a repeated target, targets that are inputs,
/// sampled items that are targets and that repeat; one untouched item (6). Lane 1 starts a session.
struct Scene {
    naive::Network network;
    std::vector<double> supports = {5, 1, 3, 2, 7, 4, 9};
    std::vector<naive::Matrix> entering;
    naive::Step step;
    naive::Draws draws;
};

Scene make_scene(const naive::Settings& settings, naive::Engine& engine) {
    Scene scene;
    scene.network = naive::random_network(settings, 7, engine, 0.9);
    // Scores on both sides of 0, so that no relu is dead everywhere.
    scene.network.weights.at("By.weight").values = {0.6, -0.4, 0.5, 0.7, -0.5, 0.4, 0.1};
    scene.step = {{0, 1, 1, 2}, {2, 3, 0, 2}, {false, true, false, false}, {0, 1, 2, 4}, {0, 1, 2, 3}, {1, 0, 1, 3}};
    scene.draws.sampled = {4, 3, 4, 5};
    scene.draws.masks = naive::draw_masks(scene.network, 4, engine);
    std::vector<naive::Matrix> before;
    for (const std::size_t units : settings.layers) {
        before.push_back(naive::uniform_matrix(engine, 5, units, 0.9));
    }
    scene.entering = naive::entering_states(scene.network, before, scene.step);
    return scene;
}

/// The largest error of any weight's gradient against finite differences.
double gradient_error_of(Scene& scene) {
    const naive::StepResult result =
        naive::compute_step(scene.network, scene.supports, scene.entering, scene.step, scene.draws);
    CHECK(result.loss == naive::step_loss(scene.network, scene.supports, scene.entering, scene.step, scene.draws));
    double error = 0;
    double largest = 0;
    for (auto& [name, weights] : scene.network.weights) {
        const std::vector<double> numeric = naive::central_differences_in_place(weights.values, [&] {
            return naive::step_loss(scene.network, scene.supports, scene.entering, scene.step, scene.draws);
        });
        error = std::max(error, naive::largest_gradient_error(result.gradients.values.at(name).values, numeric));
        for (const double d : numeric) {
            largest = std::max(largest, std::abs(d));
        }
    }
    CHECK(largest > 1e-3);
    return error;
}

const std::vector<std::vector<std::size_t>> one_to_three_layers = {{3}, {4, 2}, {2, 4, 3}};

void set_input(naive::Settings& settings, naive::Input input) {
    settings.constrained_embedding = input == naive::Input::shared;
    settings.embedding = input == naive::Input::separate ? 4 : 0;
    settings.dropout_p_embed = input == naive::Input::one_hot ? 0 : 0.25;
    settings.dropout_p_hidden = 0.3;
}

/// A network of every cell, input and number of layers, with dropout.
template <class Visit>
void for_each_network(Visit&& visit) {
    for (const naive::Cell cell : {naive::Cell::reset_before, naive::Cell::reset_after}) {
        for (const naive::Input input : {naive::Input::one_hot, naive::Input::separate, naive::Input::shared}) {
            for (const auto& layers : one_to_three_layers) {
                naive::Settings settings;
                settings.layers = layers;
                settings.gru_variant = cell;
                settings.batch_size = 5;
                set_input(settings, input);
                CAPTURE(static_cast<int>(cell));
                CAPTURE(static_cast<int>(input));
                CAPTURE(layers.size());
                visit(settings);
            }
        }
    }
}

/// Every loss with every activation it may have and every switch of its own.
std::vector<naive::LossSettings> all_losses() {
    std::vector<naive::LossSettings> result;
    for (const double logq : {0.0, 1.0, 0.6}) {
        for (const double smoothing : {0.0, 0.2}) {
            naive::LossSettings settings;
            settings.logq = logq;
            settings.smoothing = smoothing;
            result.push_back(settings);
        }
    }
    for (const naive::Loss loss : {naive::Loss::bpr, naive::Loss::top1, naive::Loss::bpr_max, naive::Loss::top1_max}) {
        for (const std::string& activation : all_activations) {
            naive::LossSettings settings;
            settings.loss = loss;
            settings.final_act = naive::activation_from_text(activation);
            settings.bpreg = 0.7;
            result.push_back(settings);
            if (loss == naive::Loss::bpr) {
                settings.pairwise_mean = true;
                result.push_back(settings);
            }
        }
    }
    return result;
}

void set_loss(naive::Settings& settings, const naive::LossSettings& loss) {
    settings.loss = loss.loss;
    settings.final_act = loss.final_act;
    settings.logq = loss.logq;
    settings.smoothing = loss.smoothing;
    settings.pairwise_mean = loss.pairwise_mean;
    settings.bpreg = loss.bpreg;
    settings.mask_duplicates = loss.mask_duplicates;
}

naive::Network small_network(naive::Engine& engine, const naive::Settings& settings) {
    return naive::random_network(settings, 7, engine, 0.8);
}

}  // namespace

TEST_CASE("the schedule's worked example comes out as written") {
    const auto sessions = numbered_sessions({4, 3, 6, 3, 5});
    const auto steps = naive::schedule(sessions, naive::file_order(5), 3, 0);

    REQUIRE(steps.size() == 5);
    CHECK(steps[0].inputs == Rows{11, 21, 31});
    CHECK(steps[0].targets == Rows{12, 22, 32});
    CHECK(steps[0].resets == std::vector<bool>{true, true, true});
    CHECK(steps[1].inputs == Rows{12, 22, 32});
    CHECK(steps[1].targets == Rows{13, 23, 33});
    CHECK(steps[1].resets == std::vector<bool>{false, false, false});
    CHECK(steps[2].inputs == Rows{13, 41, 33});
    CHECK(steps[2].targets == Rows{14, 42, 34});
    CHECK(steps[2].resets == std::vector<bool>{false, true, false});
    CHECK(steps[2].previous_rows == Rows{0, 1, 2});
    CHECK(steps[3].inputs == Rows{51, 42, 34});
    CHECK(steps[3].targets == Rows{52, 43, 35});
    CHECK(steps[3].resets == std::vector<bool>{true, false, false});
    // Session 4 is done and none is left: its lane is dropped, the others move together.
    CHECK(steps[4].inputs == Rows{52, 35});
    CHECK(steps[4].previous_rows == Rows{0, 2});
    CHECK(steps[4].sessions == Rows{4, 2});
    CHECK(steps[4].positions == Rows{1, 4});
    // Session 3 is done too. With in-batch negatives alone the single lane left has none; with samples it goes on.
    const auto sampled = naive::schedule(sessions, naive::file_order(5), 3, 1);
    REQUIRE(sampled.size() == 7);
    CHECK(sampled[5].inputs == Rows{53});
    CHECK(sampled[6].targets == Rows{55});
}

TEST_CASE("sessions that end together hand their lanes on in lane order") {
    const auto steps = naive::schedule(numbered_sessions({2, 2, 3, 2, 2}), naive::file_order(5), 3, 1);
    CHECK(steps.at(1).inputs == Rows{41, 51, 32});
    CHECK(steps.at(1).resets == std::vector<bool>{true, true, false});
}

TEST_CASE("the schedule follows a given order of sessions") {
    const auto steps = naive::schedule(numbered_sessions({2, 2, 2, 2}), {3, 1, 0, 2}, 2, 1);
    CHECK(steps.at(0).inputs == Rows{41, 21});
    CHECK(steps.at(1).inputs == Rows{11, 31});
    CHECK(naive::time_order({5, 2, 5, 1, 2}) == Rows{3, 1, 4, 0, 2});
}

TEST_CASE("every pair is scheduled exactly once, but for the one-lane tail without samples") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        naive::Engine engine(seed);
        const auto sessions = random_sessions(engine, naive::uniform_index(engine, 30), 9);
        const std::size_t batch_size = 2 + naive::uniform_index(engine, 9);
        CAPTURE(seed);
        CAPTURE(batch_size);
        std::size_t n_pairs = 0;
        for (const naive::Session& session : sessions) {
            n_pairs += session.size() - 1;
        }
        const auto order = naive::file_order(sessions.size());
        const auto steps = naive::schedule(sessions, order, batch_size, 1);
        const auto pairs = emitted_pairs(sessions, steps);
        CHECK(pairs.size() == n_pairs);
        CHECK(std::all_of(pairs.begin(), pairs.end(), [](const auto& pair) { return pair.second == 1; }));

        const auto unsampled = naive::schedule(sessions, order, batch_size, 0);
        REQUIRE(unsampled.size() <= steps.size());
        for (std::size_t k = 0; k < steps.size(); ++k) {
            CHECK((k < unsampled.size()) == (steps[k].lanes() >= 2));
        }
    }
}

TEST_CASE("degenerate sets of sessions have a schedule") {
    CHECK(naive::schedule({}, {}, 4, 1).empty());
    CHECK(naive::schedule(numbered_sessions({1, 1}), {0, 1}, 4, 1).empty());
    CHECK(naive::schedule(numbered_sessions({3}), {0}, 4, 0).empty());
    CHECK(naive::schedule(numbered_sessions({1, 3, 1}), {0, 1, 2}, 4, 1).size() == 2);
    CHECK_THROWS(static_cast<void>(naive::schedule(numbered_sessions({3}), {0}, 1, 0)));
}

TEST_CASE("in the batch every session has the states of a run on its own") {
    naive::Engine engine(7);
    const auto sessions = random_sessions(engine, 25, 7);
    naive::Settings settings;
    settings.layers = {3, 2};
    const naive::Network network = small_network(engine, settings);
    std::vector<naive::Matrix> states;
    for (const naive::Step& step : naive::schedule(sessions, naive::file_order(sessions.size()), 4, 1)) {
        const auto pass = naive::forward(network, naive::entering_states(network, states, step), step.inputs);
        states = pass.states();
        for (std::size_t i = 0; i < step.lanes(); ++i) {
            const naive::Session& session = sessions[step.sessions[i]];
            std::vector<naive::Matrix> alone = {naive::Matrix(1, 3), naive::Matrix(1, 2)};
            for (std::size_t position = 0; position <= step.positions[i]; ++position) {
                alone = naive::forward(network, alone, {session[position]}).states();
            }
            for (std::size_t l = 0; l < 2; ++l) {
                CHECK(naive::gather_rows(states[l], {i}) == alone[l]);
            }
        }
    }
}

TEST_CASE("central differences give a known derivative, and the measure of error is relative above 1") {
    const auto f = [](const std::vector<double>& x) { return std::sin(x[0]) * x[1] + std::exp(x[1]); };
    const auto gradient = naive::central_differences(f, {0.3, 1.2});
    CHECK(gradient[0] == doctest::Approx(std::cos(0.3) * 1.2).epsilon(1e-9));
    CHECK(gradient[1] == doctest::Approx(std::sin(0.3) + std::exp(1.2)).epsilon(1e-9));
    CHECK(naive::gradient_error(0.5, 0.25) == 0.25);
    CHECK(naive::gradient_error(200, 100) == 0.5);
    CHECK(naive::gradient_error(std::nan(""), 1) > 1e300);
}

TEST_CASE("activations have the slopes of their values") {
    for (const std::string& text : all_activations) {
        CAPTURE(text);
        const naive::Activation activation = naive::activation_from_text(text);
        for (const double x : {-3.0, -0.4, 0.2, 2.5}) {
            const auto slope = naive::central_differences([&](const auto& at) { return activation.value(at[0]); }, {x});
            CHECK(naive::gradient_error(activation.slope(x), slope[0]) < 1e-9);
        }
    }
    CHECK(naive::activation_from_text("elu-0.5").value(-1) == doctest::Approx(0.5 * (std::exp(-1.0) - 1)));
    CHECK(naive::activation_from_text("selu-2-3").value(-1) == doctest::Approx(6 * (std::exp(-1.0) - 1)));
    CHECK(naive::activation_from_text("selu-2-3").value(1) == 2);
    CHECK(naive::activation_from_text("leaky-0.1").value(-2) == -0.2);
    CHECK_THROWS(static_cast<void>(naive::activation_from_text("softmax")));
    CHECK_THROWS(static_cast<void>(naive::activation_from_text("selu-2")));
}

TEST_CASE("each loss has its value by hand on one lane of three columns") {
    const naive::Matrix scores{[] {
        naive::Matrix m(1, 3);
        m.values = {0.5, -0.25, 1.0};
        return m;
    }()};
    const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
    const auto sum_of = [&](naive::LossSettings settings) {
        return naive::evaluate_loss(settings, scores, {7, 8, 9}, {4, 2, 3}).sum;
    };
    naive::LossSettings settings;

    const double e = std::exp(0.5) + std::exp(-0.25) + std::exp(1.0);
    CHECK(sum_of(settings) == doctest::Approx(std::log(e) - 0.5));
    settings.smoothing = 0.2;
    CHECK(sum_of(settings) == doctest::Approx(std::log(e) - 0.8 * 0.5 - 0.1 * -0.25 - 0.1 * 1.0));
    settings = {};
    settings.logq = 1;
    const double corrected = std::exp(0.5) / 4 + std::exp(-0.25) / 2 + std::exp(1.0) / 3;
    CHECK(sum_of(settings) == doctest::Approx(-std::log(std::exp(0.5) / 4 / corrected)));

    settings = {};
    settings.loss = naive::Loss::bpr;
    const double pairs = -std::log(s(0.75)) - std::log(s(-0.5));
    CHECK(sum_of(settings) == doctest::Approx(pairs));
    settings.pairwise_mean = true;
    CHECK(sum_of(settings) == doctest::Approx(pairs / 2));

    settings = {};
    settings.loss = naive::Loss::top1;
    const double mean = (s(0.0) + s(0.25) + s(-0.75) + s(0.0625) + s(0.5) + s(1.0)) / 3;
    CHECK(sum_of(settings) == doctest::Approx(mean - s(0.25) / 3));

    const double a = std::exp(-0.25) / (std::exp(-0.25) + std::exp(1.0));
    settings.loss = naive::Loss::top1_max;
    CHECK(sum_of(settings) == doctest::Approx(a * (s(-0.75) + s(0.0625)) + (1 - a) * (s(0.5) + s(1.0))));
    settings.loss = naive::Loss::bpr_max;
    settings.bpreg = 0.5;
    CHECK(sum_of(settings) ==
          doctest::Approx(-std::log(a * s(0.75) + (1 - a) * s(-0.5)) + 0.5 * (a * 0.0625 + (1 - a) * 1.0)));
}

TEST_CASE("the gradients of all losses agree with finite differences of the scores") {
    naive::Engine engine(11);
    const Rows items = {2, 3, 0, 2, 4, 3, 4, 5};
    const std::vector<double> q = {3, 2, 5, 3, 2.6, 1.4, 2.6, 2};
    for (naive::LossSettings settings : all_losses()) {
        for (const bool mask : {false, true}) {
            settings.mask_duplicates = mask;
            CAPTURE(static_cast<int>(settings.loss));
            CAPTURE(static_cast<int>(settings.final_act.kind));
            CAPTURE(mask);
            naive::Matrix scores = naive::uniform_matrix(engine, 4, items.size(), 2.5);
            const auto result = naive::evaluate_loss(settings, scores, items, q);
            const auto numeric = naive::central_differences_in_place(
                scores.values, [&] { return naive::evaluate_loss(settings, scores, items, q).sum; });
            CHECK(naive::largest_gradient_error(result.d_scores.values, numeric) < 1e-8);
        }
    }
}

TEST_CASE("losses and gradients are finite for scores of +-1e4") {
    naive::Engine engine(12);
    const Rows items = {2, 3, 0, 2, 4, 3, 4, 5};
    const std::vector<double> q(items.size(), 2.0);
    for (const naive::LossSettings& settings : all_losses()) {
        for (int repeat = 0; repeat < 12; ++repeat) {
            naive::Matrix scores(4, items.size());
            for (double& score : scores.values) {
                const double level = static_cast<double>(naive::uniform_index(engine, 3)) - 1;
                score = repeat == 0 ? -1e4 : repeat == 1 ? 1e4 : 1e4 * level;
            }
            const auto result = naive::evaluate_loss(settings, scores, items, q);
            CAPTURE(static_cast<int>(settings.loss));
            CHECK(std::isfinite(result.sum));
            CHECK(std::all_of(result.d_scores.values.begin(), result.d_scores.values.end(),
                              [](double d) { return std::isfinite(d); }));
        }
    }
}

TEST_CASE("a masked duplicate is as good as absent, and a lane without negatives gives nothing") {
    naive::Engine engine(13);
    const naive::Matrix scores = naive::uniform_matrix(engine, 1, 4, 2);
    naive::Matrix fewer(1, 2);
    fewer.values = {scores(0, 0), scores(0, 2)};
    for (naive::LossSettings settings : all_losses()) {
        settings.mask_duplicates = true;
        const auto masked = naive::evaluate_loss(settings, scores, {5, 5, 6, 5}, {3, 2, 4, 2});
        const auto absent = naive::evaluate_loss(settings, fewer, {5, 6}, {3, 4});
        CHECK(masked.sum == doctest::Approx(absent.sum).epsilon(1e-14));
        CHECK(masked.d_scores(0, 0) == doctest::Approx(absent.d_scores(0, 0)).epsilon(1e-14));
        CHECK(masked.d_scores(0, 1) == 0);
        CHECK(masked.d_scores(0, 2) == doctest::Approx(absent.d_scores(0, 1)).epsilon(1e-14));

        const auto nothing = naive::evaluate_loss(settings, scores, {5, 5, 5, 5}, {3, 2, 4, 2});
        CHECK(nothing.sum == 0);
        CHECK(nothing.d_scores == naive::Matrix(1, 4));
    }
}

TEST_CASE("both cells hand the right gradients to gates and entering state") {
    for (const std::string& activation : all_activations) {
        naive::Engine engine(14);
        naive::Matrix gates = naive::uniform_matrix(engine, 2, 9, 1);
        naive::Matrix entering = naive::uniform_matrix(engine, 2, 3, 1);
        const naive::Matrix g = naive::uniform_matrix(engine, 2, 3, 1);
        const naive::Matrix W_rz = naive::uniform_matrix(engine, 3, 6, 1);
        const naive::Matrix W_h = naive::uniform_matrix(engine, 3, 3, 1);
        const naive::Matrix W_hh = naive::uniform_matrix(engine, 9, 3, 1);
        const naive::Matrix b_hh = naive::uniform_matrix(engine, 1, 9, 1);
        const auto check = [&](const auto& cell) {
            const auto value = [&] {
                const naive::Matrix terms = naive::elementwise_product(g, cell.forward(gates, entering).h);
                double sum = 0;
                for (const double term : terms.values) {
                    sum += term;
                }
                return sum;
            };
            const auto result = cell.backward(cell.forward(gates, entering), g);
            const auto d_gates = naive::central_differences_in_place(gates.values, value);
            const auto d_entering = naive::central_differences_in_place(entering.values, value);
            CHECK(naive::largest_gradient_error(result.d_gates.values, d_gates) < 1e-9);
            CHECK(naive::largest_gradient_error(result.d_entering.values, d_entering) < 1e-9);
        };
        CAPTURE(activation);
        check(naive::ResetBefore{W_rz, W_h, naive::activation_from_text(activation)});
        check(naive::ResetAfter{W_hh, b_hh});
    }
}

TEST_CASE("the gradients of a whole step agree with finite differences: cells x inputs x layers x losses") {
    naive::Engine engine(15);
    double worst = 0;
    int n_networks = 0;
    std::size_t n_pairs = 0;
    for_each_network([&](naive::Settings settings) {
        for (naive::LossSettings loss : all_losses()) {
            loss.mask_duplicates = settings.layers.size() == 2;
            set_loss(settings, loss);
            CAPTURE(static_cast<int>(loss.loss));
            CAPTURE(static_cast<int>(loss.final_act.kind));
            Scene scene = make_scene(settings, engine);
            // A loss reaches the network by the gradients of the scores alone, and those are checked above for every
            // loss. A fifth of the pairs has every loss with both cells and with 1, 2 and 3 layers.
            if (n_pairs++ % 5 != 0) {
                continue;
            }
            const double error = gradient_error_of(scene);
            CHECK(error < 1e-8);
            worst = std::max(worst, error);
            ++n_networks;
        }
    });
    MESSAGE("worst of " << n_networks << " networks: " << worst);
}

TEST_CASE("the gradients of a whole step agree with finite differences for every hidden activation") {
    naive::Engine engine(16);
    for (const naive::Input input : {naive::Input::one_hot, naive::Input::separate, naive::Input::shared}) {
        for (const std::string& activation : all_activations) {
            for (const double dropout : {0.0, 0.4}) {
                naive::Settings settings;
                settings.layers = {4, 3};
                settings.hidden_act = naive::activation_from_text(activation);
                settings.batch_size = 5;
                set_input(settings, input);
                settings.dropout_p_hidden = dropout;
                CAPTURE(static_cast<int>(input));
                CAPTURE(activation);
                Scene scene = make_scene(settings, engine);
                CHECK(gradient_error_of(scene) < 1e-8);
            }
        }
    }
}

TEST_CASE("the entering state is a constant, and dropout acts on the state carried on") {
    naive::Engine engine(17);
    naive::Settings settings;
    settings.layers = {4, 3};
    settings.batch_size = 5;
    set_input(settings, naive::Input::shared);
    Scene scene = make_scene(settings, engine);
    const auto result = naive::compute_step(scene.network, scene.supports, scene.entering, scene.step, scene.draws);
    for (std::size_t l = 0; l < 2; ++l) {
        const naive::Matrix& mask = scene.draws.masks.hidden[l];
        for (std::size_t k = 0; k < mask.values.size(); ++k) {
            CHECK((result.states[l].values[k] == 0) == (mask.values[k] == 0));
        }
    }
    CHECK(result.gradients.values.size() == scene.network.weights.size());
}

TEST_CASE("a step changes its own rows only, and counts an item once that is input, target and sample") {
    naive::Engine engine(18);
    for_each_network([&](naive::Settings settings) {
        settings.adapt = naive::Rule::adam;
        settings.lmbd = 0.01;
        const Scene scene = make_scene(settings, engine);
        naive::Network network = scene.network;
        naive::Trainer trainer(network, scene.supports);
        trainer.start_epoch();
        naive::Step first = scene.step;
        first.resets = {true, true, true, true};
        const auto result = trainer.step(first, scene.draws);
        const std::set<std::size_t> scored = {0, 2, 3, 4, 5};
        std::set<std::size_t> fed = {0, 1, 2};
        if (settings.input() == naive::Input::shared) {
            fed.insert(scored.begin(), scored.end());
        }
        CHECK(result.gradients.rows.at(network.input_table()) == fed);
        CHECK(result.gradients.rows.at("By.weight") == scored);
        for (const auto& [name, rows] : result.gradients.rows) {
            const naive::Matrix& before = scene.network.weight(name);
            for (std::size_t i = 0; i < network.n_items; ++i) {
                const bool is_same = naive::gather_rows(before, {i}) == naive::gather_rows(network.weight(name), {i});
                CHECK(is_same == !rows.contains(i));
                CHECK(trainer.optimiser().states.at(name).steps_taken[i] == (rows.contains(i) ? 1 : 0));
            }
        }
    });
}

TEST_CASE("each optimiser takes two steps as by hand") {
    const double lr = 0.1;
    const double m = 0.3;
    const double l = 0.01;
    const double p0 = 2;
    const double g1 = 0.5;
    const double g2 = -0.25;
    const auto after_two_steps = [&](naive::Rule rule, std::vector<double> adapt_params) {
        naive::Settings settings;
        settings.adapt = rule;
        settings.adapt_params = std::move(adapt_params);
        settings.momentum = m;
        settings.lmbd = l;
        naive::Matrix weights(1, 1, p0);
        naive::RuleState state(weights);
        naive::update_row(settings, lr, weights, naive::Matrix(1, 1, g1), state, 0);
        naive::update_row(settings, lr, weights, naive::Matrix(1, 1, g2), state, 0);
        return weights(0, 0);
    };
    const auto by_hand = [&](double step1, double step2) {
        const double v1 = -lr * (step1 + l * p0);
        const double p1 = p0 + v1;
        return p1 + m * v1 - lr * (step2 + l * p1);
    };
    CHECK(after_two_steps(naive::Rule::sgd, {}) == doctest::Approx(by_hand(0.5, -0.25)).epsilon(1e-14));
    CHECK(after_two_steps(naive::Rule::adagrad, {}) ==
          doctest::Approx(by_hand(0.5 / std::sqrt(0.250001), -0.25 / std::sqrt(0.312501))).epsilon(1e-14));
    CHECK(after_two_steps(naive::Rule::rmsprop, {}) ==
          doctest::Approx(by_hand(0.5 / std::sqrt(0.025001), -0.25 / std::sqrt(0.028751))).epsilon(1e-14));
    CHECK(after_two_steps(naive::Rule::rmsprop, {0.5}) ==
          doctest::Approx(by_hand(0.5 / std::sqrt(0.125001), -0.25 / std::sqrt(0.093751))).epsilon(1e-14));
    const double a1 = 0.05 * 0.25;
    const double step1 = 0.5 * std::sqrt(1e-6 / (a1 + 1e-6));
    const double u1 = 0.05 * step1 * step1;
    const double a2 = 0.95 * a1 + 0.05 * 0.0625;
    CHECK(after_two_steps(naive::Rule::adadelta, {}) ==
          doctest::Approx(by_hand(step1, -0.25 * std::sqrt((u1 + 1e-6) / (a2 + 1e-6)))).epsilon(1e-14));
    const double mean2 = (0.9 * 0.1 * 0.5 + 0.1 * -0.25) / (1 - 0.81);
    const double square2 = (0.999 * 0.001 * 0.25 + 0.001 * 0.0625) / (1 - 0.999 * 0.999);
    CHECK(after_two_steps(naive::Rule::adam, {}) ==
          doctest::Approx(by_hand(0.5 / (0.5 + 1e-8), mean2 / (std::sqrt(square2) + 1e-8))).epsilon(1e-12));
}

TEST_CASE("a table row is updated like a dense block that sees only the steps which touch it") {
    naive::Engine engine(19);
    for (const naive::Rule rule :
         {naive::Rule::sgd, naive::Rule::adagrad, naive::Rule::rmsprop, naive::Rule::adadelta, naive::Rule::adam}) {
        naive::Settings settings;
        settings.layers = {2};
        settings.adapt = rule;
        settings.momentum = 0.4;
        settings.lmbd = 0.02;
        naive::Network network = small_network(engine, settings);
        naive::Matrix row = naive::gather_rows(network.weight("Wy.weight"), {3});
        naive::RuleState row_state(row);
        naive::Optimiser optimiser;
        for (int step = 0; step < 6; ++step) {
            naive::Gradients gradients{network.zeros(), {{"Wy.weight", {}}, {"By.weight", {}}}};
            if (step % 2 == 0) {
                naive::Matrix& d = gradients.values.at("Wy.weight");
                d = naive::uniform_matrix(engine, d.rows, d.cols, 1);
                gradients.rows["Wy.weight"] = {1, 3};
                naive::update_row(settings, 0.1, row, naive::gather_rows(d, {3}), row_state, 0);
            }
            optimiser.update(network, gradients, 0.1);
        }
        CHECK(naive::gather_rows(network.weight("Wy.weight"), {3}) == row);
    }
}

TEST_CASE("the gradient cap scales all gradients together") {
    naive::Engine engine(20);
    naive::Settings settings;
    settings.layers = {3};
    settings.batch_size = 5;
    settings.adapt = naive::Rule::sgd;
    settings.learning_rate = 1;
    settings.grad_cap = 0.01;
    const Scene scene = make_scene(settings, engine);
    naive::Network network = scene.network;
    naive::Trainer trainer(network, scene.supports);
    naive::Step first = scene.step;
    first.resets.assign(4, true);
    trainer.step(first, scene.draws);
    double sum_of_squares = 0;
    for (const auto& [name, weights] : network.weights) {
        for (std::size_t k = 0; k < weights.values.size(); ++k) {
            sum_of_squares += std::pow(weights.values[k] - scene.network.weight(name).values[k], 2);
        }
    }
    CHECK(std::sqrt(sum_of_squares) == doctest::Approx(0.01).epsilon(1e-10));
}

TEST_CASE("the step loss is divided by the configured batch size, and q counts sampled items by alpha") {
    naive::Engine engine(21);
    naive::Settings settings;
    settings.layers = {3};
    settings.logq = 1;
    settings.batch_size = 5;
    Scene scene = make_scene(settings, engine);
    const auto small = naive::compute_step(scene.network, scene.supports, scene.entering, scene.step, scene.draws);
    scene.network.settings.batch_size = 10;
    const auto large = naive::compute_step(scene.network, scene.supports, scene.entering, scene.step, scene.draws);
    CHECK(small.loss == 2 * large.loss);
    CHECK(small.d_scores.values[0] == 2 * large.d_scores.values[0]);
    const auto q = naive::column_q(settings, scene.supports, scene.step, scene.draws);
    CHECK(q == std::vector<double>{3, 2, 5, 3, std::sqrt(7.0), std::sqrt(2.0), std::sqrt(7.0), 2});
}

TEST_CASE("the learning rate decays by epoch, and the epoch loss weighs steps by their lanes") {
    naive::Engine engine(22);
    naive::Settings settings;
    settings.layers = {2};
    settings.learning_rate = 0.2;
    settings.lr_decay = 0.5;
    naive::Network network = small_network(engine, settings);
    naive::Trainer trainer(network, std::vector<double>(7, 1.0));
    trainer.end_epoch();
    trainer.end_epoch();
    CHECK(trainer.learning_rate() == doctest::Approx(0.05));
    naive::EpochLoss loss;
    loss.add(1, 3);
    loss.add(2, 1);
    CHECK(loss.value() == 1.25);
}

TEST_CASE("ranks under the three tie rules") {
    const auto ranks = naive::ranks_of({1, 3, 2, 2, 2, 0}, 3);
    CHECK(ranks.standard == 2);
    CHECK(ranks.conservative == 4);
    CHECK(ranks.median == 3);
    const auto unequal = naive::ranks_of({1, 3, 2}, 1);
    CHECK(unequal.standard == 1);
    CHECK(unequal.conservative == 1);
    CHECK(unequal.median == 1);
    const std::vector<naive::Ranks> never = {naive::ranks_of({1, std::nan(""), 2}, 1)};
    CHECK(naive::measure(never, &naive::Ranks::conservative, 3).recall == 0);
    CHECK(naive::measure(never, &naive::Ranks::standard, 3).mrr == 0);
}

TEST_CASE("Recall and MRR at a cutoff") {
    const std::vector<naive::Ranks> ranks = {{1, 1, 1}, {2, 4, 3}, {5, 5, 5}, {9, 9, 9}};
    CHECK(naive::measure(ranks, &naive::Ranks::standard, 1).recall == 0.25);
    CHECK(naive::measure(ranks, &naive::Ranks::standard, 5).recall == 0.75);
    CHECK(naive::measure(ranks, &naive::Ranks::standard, 5).mrr == doctest::Approx((1 + 0.5 + 0.2) / 4));
    CHECK(naive::measure(ranks, &naive::Ranks::conservative, 3).recall == 0.25);
    CHECK(naive::measure(ranks, &naive::Ranks::median, 3).mrr == doctest::Approx((1 + 1 / 3.0) / 4));
}

TEST_CASE("constant scores are a perfect recommendation under standard ties alone") {
    naive::Settings settings;
    settings.layers = {2};
    naive::Network network{settings, 9, {}};
    network.weights = network.zeros();
    const auto ranks = naive::rank_sessions(network, {{1, 2, 3}, {4}, {}, {5, 6}});
    REQUIRE(ranks.size() == 3);
    CHECK(naive::measure(ranks, &naive::Ranks::standard, 1).recall == 1);
    CHECK(naive::measure(ranks, &naive::Ranks::conservative, 8).recall == 0);
    CHECK(naive::measure(ranks, &naive::Ranks::median, 4).recall == 0);
    CHECK(naive::measure(ranks, &naive::Ranks::median, 5).recall == 1);
}

TEST_CASE("settings are read from names and values as text") {
    const naive::Settings s = naive::settings_from_text({{"layers", "48/64"},
                                                         {"loss", "bpr-max"},
                                                         {"elu_param", "0"},
                                                         {"constrained_embedding", "0"},
                                                         {"embedding", "layersize"},
                                                         {"adapt", "adadelta"},
                                                         {"gru_variant", "reset_after"},
                                                         {"session_order", "file"}});
    CHECK(s.layers == Rows{48, 64});
    CHECK(s.embedding == 48);
    CHECK(s.input() == naive::Input::separate);
    CHECK(s.effective_learning_rate() == 1);
    CHECK(s.loss_settings().final_act.kind == Kind::linear);
    CHECK(s.gru_variant == naive::Cell::reset_after);
    CHECK_THROWS(static_cast<void>(naive::settings_from_text({{"no_such_name", "1"}})));
}

namespace {

const std::vector<std::string> golden_runs = {"toy_bprmax_embedding", "toy_bprmax_tied_2layers", "toy_xe_onehot",
                                              "toy_xe_tied_logq"};

double relative(double value, double expected) { return std::abs(value - expected) / std::abs(expected); }

/// The largest relative error of the step losses [begin, end).
double largest_loss_error(const std::vector<double>& losses, const std::vector<double>& expected, std::size_t begin,
                          std::size_t end) {
    double largest = 0;
    for (std::size_t k = begin; k < end; ++k) {
        largest = std::max(largest, relative(losses.at(k), expected.at(k)));
    }
    return largest;
}

/// Trains a run on the toy data: all epochs, or only the first steps of the first.
struct Replay {
    golden::Run run;
    golden::Sessions data;
    std::vector<naive::Step> steps;
    std::vector<double> step_losses;  ///< of the first epoch
    std::vector<double> epoch_losses;

    Replay(const std::filesystem::path& folder, const std::string& name)
        : run(golden::load_run(folder / "golden" / name)),
          data(golden::load_tsv(folder / "data" / "toy" / "train_full.tsv")),
          steps(naive::schedule(data.sessions, naive::time_order(data.first_times), run.network.settings.batch_size,
                                run.network.settings.n_sample)) {}

    void train(std::size_t n_epochs, std::size_t n_steps) {
        naive::Trainer trainer(run.network, naive::count_supports(data.sessions, run.network.n_items));
        for (std::size_t epoch = 0; epoch < n_epochs; ++epoch) {
            trainer.start_epoch();
            naive::EpochLoss epoch_loss;
            for (std::size_t k = 0; k < n_steps; ++k) {
                const double loss = trainer.step(steps[k]).loss;
                epoch_loss.add(loss, steps[k].lanes());
                if (epoch == 0) {
                    step_losses.push_back(loss);
                }
            }
            epoch_losses.push_back(epoch_loss.value());
            trainer.end_epoch();
        }
    }

    [[nodiscard]] std::vector<double> expected(const char* name) const {
        return run.expected.at(name).get<std::vector<double>>();
    }
};

}  // namespace

TEST_CASE("the twin gives the first 30 step losses of the recorded reference runs") {
    const auto folder = golden::data_folder();
    if (!folder) {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    for (const std::string& name : golden_runs) {
        CAPTURE(name);
        Replay replay(*folder, name);
        CHECK(replay.steps.size() == replay.run.expected.at("steps_per_epoch").get<std::size_t>());
        REQUIRE(replay.data.items == replay.run.items);
        const naive::Weights shapes = replay.run.network.zeros();
        REQUIRE(shapes.size() == replay.run.network.weights.size());
        for (const auto& [tensor, weights] : replay.run.network.weights) {
            REQUIRE(shapes.contains(tensor));
            CHECK(shapes.at(tensor).rows == weights.rows);
            CHECK(shapes.at(tensor).cols == weights.cols);
        }
        replay.train(1, 30);
        const double error = largest_loss_error(replay.step_losses, replay.expected("step_loss_first_epoch"), 0, 30);
        MESSAGE(name << ": " << error);
        CHECK(error < 1e-9);
    }
}

TEST_CASE("the twin gives all losses and metrics of the recorded reference runs" * doctest::skip()) {
    const auto folder = golden::data_folder();
    if (!folder) {
        MESSAGE("skipped: GRU4REC_TEST_DATA is not set");
        return;
    }
    for (const std::string& name : golden_runs) {
        CAPTURE(name);
        const bool is_chaotic = name == "toy_xe_onehot";  // a rounding error grows tenfold every 35 to 40 steps
        Replay replay(*folder, name);
        replay.train(3, replay.steps.size());
        const auto expected_steps = replay.expected("step_loss_first_epoch");
        const double step_error = largest_loss_error(replay.step_losses, expected_steps, 0, is_chaotic ? 300 : 500);
        CHECK(step_error < (is_chaotic ? 1e-5 : 1e-6));
        const double epoch_error = largest_loss_error(replay.epoch_losses, replay.expected("epoch_loss"), 0, 3);
        CHECK(epoch_error < (is_chaotic ? 0.02 : 1e-6));

        const auto test = golden::load_tsv(*folder / "data" / "toy" / "test.tsv", replay.run.items);
        const auto ranks = naive::rank_sessions(replay.run.network, test.sessions);
        CHECK(ranks.size() == 6086);
        double metric_error = 0;
        for (const auto& [ties, metrics] : replay.run.expected.at("metrics").items()) {
            for (const auto& [cutoff, recall] : metrics.at("recall").items()) {
                const auto measured =
                    naive::measure(ranks, ties == "standard" ? &naive::Ranks::standard : &naive::Ranks::conservative,
                                   std::stod(cutoff));
                metric_error = std::max(metric_error, std::abs(measured.recall - recall.get<double>()));
                metric_error =
                    std::max(metric_error, std::abs(measured.mrr - metrics.at("mrr").at(cutoff).get<double>()));
            }
        }
        CHECK(metric_error < (is_chaotic ? 0.015 : 2e-4));
        MESSAGE(name << ": steps " << step_error << ", epochs " << epoch_error << ", metrics " << metric_error);
    }
}
