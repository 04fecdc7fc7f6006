// Every gradient of a training step, as the library's own update reveals it (sgd, learning rate 1: gradient = old - new
// weight), against central differences of the library's own loss, and in every coordinate against the naive twin's.

#include "support/gradient_scenes.hpp"
#include "support/library_step_impl.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

template class library_step::LibraryStep<double>;

namespace {

using gradient_scenes::all_networks;
using gradient_scenes::allowed_of_differences;
using gradient_scenes::allowed_of_twin;
using gradient_scenes::cells;
using gradient_scenes::described;
using gradient_scenes::input_settings;
using gradient_scenes::joined;
using gradient_scenes::supports;
using library_step::Batch;
using library_step::Entries;
using LibraryStep = library_step::LibraryStep<double>;

constexpr std::size_t coordinates_per_tensor = 5;

const std::vector<std::string> activations = {"linear", "tanh", "relu", "leaky-0.2", "elu-0.7", "selu-1.05-1.67"};

/// What is checked at once: a network, a loss, a step.
struct Scene {
    Entries settings;
    naive::Step step;
    std::vector<std::size_t> sampled;
};

/// A step in which everything happens that can: M < B; an input twice, a target twice; targets that are inputs, of the
/// same lane (1) and of another; samples that are targets, inputs, neither, and twice the same; lanes that start, that
/// stay and that move up; items without any part in it.
Scene five_lanes_of_seven(const Entries& settings) {
    naive::Step step{{0, 3, 1, 2, 1}, {2, 3, 0, 2, 6}, {false, true, false, false, false}, {1, 0, 2, 4, 5}, {}, {}};
    return {joined(settings, {{"batch_size", "7"}, {"n_sample", "7"}}), step, {4, 3, 4, 8, 2, 12, 1}};
}

/// The same step with the events before: a session that starts, items that repeat within a lane and over lanes, items
/// that are targets and samples, more events than count. By the last two lanes' histories items 9 and 10 take part.
Scene with_histories(const Entries& settings) {
    Scene scene =
        five_lanes_of_seven(joined(settings, {{"input", "history"}, {"input_decay", "0.8"}, {"history_max", "4"}}));
    scene.step.histories = {{2, 0, 2, 0}, {3}, {7, 4, 1, 9, 1}, {11, 11, 12, 12, 8, 10, 2}, {6, 1}};
    return scene;
}

/// All lanes live, more than one cache line of them, the last line not full.
Scene nineteen_lanes(const Entries& settings) {
    naive::Engine engine(3);
    naive::Step step;
    Scene scene{joined(settings, {{"batch_size", "19"}, {"n_sample", "5"}}), {}, {5, 5, 0, 9, 5}};
    for (std::size_t m = 0; m < 19; ++m) {
        step.inputs.push_back(naive::uniform_index(engine, 11));
        step.targets.push_back(naive::uniform_index(engine, 11));
        step.resets.push_back(m % 4 == 1);
        step.previous_rows.push_back(m);
    }
    scene.step = step;
    return scene;
}

/// In-batch negatives alone.
Scene no_samples(const Entries& settings) {
    Scene scene = five_lanes_of_seven(settings);
    scene.settings = joined(settings, {{"batch_size", "5"}, {"n_sample", "0"}});
    scene.step.previous_rows = {0, 1, 2, 3, 4};
    scene.sampled.clear();
    return scene;
}

/// Every loss, each with all the activations it may have.
std::vector<Entries> all_losses() {
    std::vector<Entries> result = {{{"loss", "cross-entropy"}}, {{"loss", "cross-entropy"}, {"logq", "1"}}};
    for (const std::string loss : {"bpr", "top1", "bpr-max", "top1-max"}) {
        for (const std::string& activation : activations) {
            result.push_back({{"loss", loss}, {"final_act", activation}, {"bpreg", "0.7"}});
        }
    }
    return result;
}

/// The switches of the losses.
std::vector<Entries> loss_variants() {
    std::vector<Entries> result = {
        {{"loss", "cross-entropy"}, {"smoothing", "0.2"}},
        {{"loss", "cross-entropy"}, {"smoothing", "0.2"}, {"logq", "0.6"}, {"sample_alpha", "0.3"}},
        {{"loss", "cross-entropy"}, {"logq", "1"}, {"sample_alpha", "0"}},
        {{"loss", "bpr"}, {"pairwise_mean", "true"}},
        {{"loss", "bpr-max"}, {"elu_param", "0"}, {"bpreg", "2.5"}},
        {{"loss", "bpr-max"}, {"elu_param", "1"}, {"bpreg", "0"}},
    };
    for (Entries masked : std::vector<Entries>{{{"loss", "cross-entropy"}},
                                               {{"loss", "cross-entropy"}, {"smoothing", "0.2"}, {"logq", "1"}},
                                               {{"loss", "bpr"}},
                                               {{"loss", "bpr"}, {"pairwise_mean", "true"}},
                                               {{"loss", "top1"}},
                                               {{"loss", "bpr-max"}},
                                               {{"loss", "top1-max"}}}) {
        masked.emplace_back("mask_duplicates", "true");
        result.push_back(masked);
    }
    return result;
}

/// How near the step comes to a kink of an activation: the smallest |x| that one is applied to.
double distance_to_kinks(const naive::Network& network, const std::vector<naive::Matrix>& entering,
                         const naive::Step& step, const naive::Draws& draws) {
    double nearest = 1;
    const naive::ForwardPass pass = naive::forward(network, entering, naive::encoded(network, step), draws.masks);
    for (const double score : naive::scores(network, pass.h_last(), naive::candidates(step, draws)).values) {
        nearest = std::min(nearest, std::abs(score));
    }
    for (const auto& layer : pass.layers) {
        if (const auto* cell = std::get_if<naive::ResetBefore::Pass>(&layer.cell)) {
            for (const double x : cell->c_before.values) {
                nearest = std::min(nearest, std::abs(x));
            }
        }
    }
    return nearest;
}

/// The coordinate of the largest gradient, and some others.
std::vector<std::size_t> some_coordinates(const naive::Matrix& gradient, naive::Engine& engine) {
    const auto largest = std::max_element(gradient.values.begin(), gradient.values.end(),
                                          [](double a, double b) { return std::abs(a) < std::abs(b); });
    std::vector<std::size_t> result = {static_cast<std::size_t>(largest - gradient.values.begin())};
    while (result.size() < coordinates_per_tensor) {
        result.push_back(naive::uniform_index(engine, gradient.values.size()));
    }
    return result;
}

struct Errors {
    double differences = 0;
    double twin = 0;
    double largest_gradient = 0;
};

/// Runs the scene from random weights, all biases too, and random states.
Errors errors_of(const Scene& scene, std::uint64_t seed) {
    naive::Engine engine(seed);
    LibraryStep library(joined(scene.settings, {{"adapt", "sgd"}, {"learning_rate", "1"}}), supports);
    naive::Network network;
    std::vector<naive::Matrix> before;
    naive::Draws draws{scene.sampled, {}};
    const Batch batch = library_step::batch_of(library.settings(), scene.step, scene.sampled, seed);
    const std::vector<double> twin_supports(supports.begin(), supports.end());
    std::vector<naive::Matrix> entering;
    do {
        network = naive::random_network(library.settings(), supports.size(), engine, 0.9);
        before.clear();
        for (const std::size_t units : network.settings.layers) {
            before.push_back(naive::uniform_matrix(engine, network.settings.batch_size, units, 0.9));
        }
        library.set_weights(network.weights);
        library.leave(before);
        library.compute(batch);
        draws.masks = library.masks(scene.step.lanes());
        entering = naive::entering_states(network, before, scene.step);
    } while (distance_to_kinks(network, entering, scene.step, draws) < 1e-4);

    const auto loss_now = [&] {
        library.leave(before);
        return library.compute(batch);
    };
    const naive::StepResult twin = naive::compute_step(network, twin_supports, entering, scene.step, draws);
    CHECK(loss_now() == doctest::Approx(twin.loss).epsilon(1e-12));
    library.update();
    CHECK(library.padding_is_zero());
    const naive::Weights updated = library.weights();
    library.set_weights(network.weights);

    Errors errors;
    for (const auto& tensor : network.weights) {
        const auto& [name, weights] = tensor;
        naive::Matrix analytic = weights;
        const naive::Matrix& expected = twin.gradients.values.at(name);
        for (std::size_t i = 0; i < analytic.values.size(); ++i) {
            analytic.values[i] -= updated.at(name).values[i];
            errors.twin = std::max(errors.twin, naive::gradient_error(analytic.values[i], expected.values[i]));
            errors.largest_gradient = std::max(errors.largest_gradient, std::abs(analytic.values[i]));
        }
        for (const std::size_t i : some_coordinates(analytic, engine)) {
            double& weight = library.weight(name, i / weights.cols, i % weights.cols);
            std::vector<double> x = {weight};
            const std::vector<double> numeric = naive::central_differences_in_place(x, [&] {
                weight = x[0];
                return loss_now();
            });
            weight = weights.values[i];
            const double error = naive::gradient_error(analytic.values[i], numeric[0]);
            INFO(tensor.first << " at " << i << ": " << analytic.values[i] << " by formula, " << numeric[0]
                              << " by differences");
            CHECK(error < allowed_of_differences);
            errors.differences = std::max(errors.differences, error);
        }
    }
    return errors;
}

/// @param seed  another one for each scene
void check(const Scene& scene, std::uint64_t seed) {
    if (!sweep::visits(seed)) {
        return;
    }
    const std::string settings = described(scene.settings);
    CAPTURE(settings);
    CAPTURE(seed);
    const Errors errors = errors_of(scene, seed);
    CHECK(errors.differences < allowed_of_differences);
    CHECK(errors.twin < allowed_of_twin);
    CHECK(errors.largest_gradient > 1e-3);
}

void check_all_losses(int input) {
    std::uint64_t seed = 100;
    for (const Entries& network : all_networks()) {
        const bool shared = network.front().second == "true";
        const bool one_hot = !shared && network[1].first != "embedding";
        if ((input == 0) == one_hot && (input == 2) == shared) {
            for (const Entries& loss : all_losses()) {
                check(five_lanes_of_seven(joined(network, loss)), ++seed);
            }
        }
    }
}

}  // namespace

TEST_CASE("gradients with one-hot input are right for both cells, 1 to 3 layers, all losses and activations") {
    check_all_losses(0);
}

TEST_CASE("gradients with a separate embedding are right for both cells, 1 to 3 layers, all losses and activations") {
    check_all_losses(1);
}

TEST_CASE("gradients with a shared embedding are right for both cells, 1 to 3 layers, all losses and activations") {
    check_all_losses(2);
}

TEST_CASE("gradients are right where whole histories are fed, to all layers or the first") {
    std::uint64_t seed = 50'000;
    for (const Entries& network : all_networks()) {
        const bool one_layer = network[network.size() - 2].second.find('/') == std::string::npos;
        for (const std::string loss : {"cross-entropy", "bpr-max"}) {
            const Entries settings = joined(network, {{"loss", loss}});
            check(with_histories(settings), ++seed);
            if (!one_layer) {
                check(five_lanes_of_seven(joined(settings, {{"deep_input", "true"}})), ++seed);
                check(with_histories(joined(settings, {{"deep_input", "true"}})), ++seed);
                check(nineteen_lanes(joined(settings, {{"deep_input", "true"}})), ++seed);
            }
        }
    }
}

TEST_CASE("gradients are right with logQ, smoothing, means, masked duplicates and no regularisation") {
    std::uint64_t seed = 10'000;
    for (int input = 0; input < 3; ++input) {
        for (const std::string& cell : cells) {
            const Entries network = joined(input_settings(input, "4"), {{"gru_variant", cell}, {"layers", "6/3"}});
            for (const Entries& loss : loss_variants()) {
                check(five_lanes_of_seven(joined(network, loss)), ++seed);
            }
        }
    }
}

TEST_CASE("gradients are right with every activation of the candidate state") {
    std::uint64_t seed = 20'000;
    for (int input = 0; input < 3; ++input) {
        for (const std::string& activation : activations) {
            const Entries network = joined(
                input_settings(input, "4"),
                {{"hidden_act", activation}, {"layers", "6/3"}, {"dropout_p_hidden", "0.2"}, {"loss", "bpr-max"}});
            check(five_lanes_of_seven(network), ++seed);
        }
    }
}

TEST_CASE("gradients are right for widths beside the registers', one unit among them, and for more lanes than a line") {
    std::uint64_t seed = 30'000;
    for (int input = 0; input < 3; ++input) {
        for (const std::string& cell : cells) {
            for (const std::string layers : {"1", "8", "16", "33", "1/1", "16/8", "2/1/9"}) {
                for (const std::string loss : {"cross-entropy", "bpr-max"}) {
                    check(nineteen_lanes(joined(input_settings(input, layers.size() == 1 ? "1" : "17"),
                                                {{"gru_variant", cell}, {"layers", layers}, {"loss", loss}})),
                          ++seed);
                }
            }
        }
    }
}

TEST_CASE("gradients are right where the lanes' targets are the only candidates") {
    std::uint64_t seed = 40'000;
    for (int input = 0; input < 3; ++input) {
        for (const Entries& loss : loss_variants()) {
            check(no_samples(joined(joined(input_settings(input, "4"), {{"layers", "5"}}), loss)), ++seed);
        }
    }
}
