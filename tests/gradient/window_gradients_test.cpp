// Gradients of backpropagation through time: of the sum of the losses of three steps, every coordinate of all weights
// against central finite differences, and against the naive twin's.

#include "support/gradient_scenes.hpp"
#include "support/library_step.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/trainer.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Compiled in gradients_test.cpp.
extern template class library_step::LibraryStep<double>;

namespace {

using gradient_scenes::allowed_of_differences;
using gradient_scenes::allowed_of_twin;
using gradient_scenes::described;
using gradient_scenes::joined;
using gradient_scenes::supports;
using library_step::Batch;
using library_step::Entries;
using LibraryStep = library_step::LibraryStep<double>;

/// Three steps with items that come again as input, target and sample of another step. Lanes start sessions in the
/// second and third step; before the third, lane 1 is dropped and those behind it move up.
std::vector<naive::Step> three_steps() {
    naive::Step first{{0, 3, 1, 2, 1}, {2, 3, 0, 2, 6}, {false, true, false, false, false}, {0, 1, 2, 4, 5}, {}, {}};
    first.histories = {{2, 0}, {3}, {7, 4, 1}, {11, 8, 2}, {6, 1}};
    naive::Step second{{2, 3, 4, 2, 6}, {5, 9, 0, 8, 1}, {false, false, true, false, false}, {0, 1, 2, 3, 4}, {}, {}};
    second.histories = {{2, 0, 2}, {3, 3}, {4}, {11, 8, 2, 2}, {6, 1, 6}};
    naive::Step third{{5, 0, 9, 1}, {2, 7, 3, 3}, {false, false, true, false}, {0, 2, 3, 4}, {}, {}};
    third.histories = {{2, 0, 2, 5}, {4, 0}, {9}, {6, 1, 6, 1}};
    return {first, second, third};
}

const std::vector<std::vector<std::size_t>> samples = {{4, 3, 4, 8}, {3, 1, 10, 10}, {0, 3, 12, 2}};

struct Window {
    std::vector<naive::Matrix> before;  ///< the states that the step before the window left
    std::vector<Batch> batches;
};

double library_loss(LibraryStep& library, const Window& window) {
    library.leave(window.before);
    double loss = 0;
    for (const Batch& batch : window.batches) {
        loss += library.compute(batch);
    }
    return loss;
}

struct Twin {
    double loss = 0;
    naive::Weights gradients;
};

/// @param masks  of each step
Twin twin_of(const naive::Network& network, const std::vector<naive::Matrix>& before,
             const std::vector<naive::Masks>& masks) {
    const std::vector<double> twin_supports(supports.begin(), supports.end());
    const std::vector<naive::Step> steps = three_steps();
    std::vector<naive::WindowStep> window;
    std::vector<naive::Draws> draws;
    std::vector<naive::Matrix> states = before;
    Twin result;
    for (std::size_t t = 0; t < steps.size(); ++t) {
        draws.push_back({samples[t], masks[t]});
        const auto entering = naive::entering_states(network, states, steps[t]);
        const auto step = naive::compute_step(network, twin_supports, entering, steps[t], draws[t]);
        window.push_back({steps[t], draws[t],
                          naive::forward(network, entering, naive::encoded(network, steps[t]), draws[t].masks),
                          step.d_scores});
        states = step.states;
        result.loss += step.loss;
    }
    CHECK(result.loss ==
          doctest::Approx(naive::window_loss(network, twin_supports, naive::entering_states(network, before, steps[0]),
                                             steps, draws))
              .epsilon(1e-14));
    result.gradients = naive::backward(network, window).values;
    return result;
}

/// @param seed  another one for each scene
void check(const Entries& settings, std::uint64_t seed) {
    if (!sweep::visits(seed)) {
        return;
    }
    const std::string text = described(settings);
    CAPTURE(text);
    naive::Engine engine(seed);
    LibraryStep library(
        joined(settings,
               {{"batch_size", "7"}, {"n_sample", "4"}, {"bptt", "3"}, {"adapt", "sgd"}, {"learning_rate", "1"}}),
        supports);
    const naive::Network network = naive::random_network(library.settings(), supports.size(), engine, 0.9);
    library.set_weights(network.weights);
    Window window;
    for (const std::size_t units : network.settings.layers) {
        window.before.push_back(naive::uniform_matrix(engine, 7, units, 0.9));
    }
    const std::vector<naive::Step> steps = three_steps();
    for (std::size_t t = 0; t < steps.size(); ++t) {
        window.batches.push_back(library_step::batch_of(library.settings(), steps[t], samples[t], seed + t));
    }
    library.leave(window.before);
    std::vector<naive::Masks> masks;
    for (std::size_t t = 0; t < steps.size(); ++t) {
        library.compute(window.batches[t]);
        masks.push_back(library.masks(steps[t].lanes()));
    }
    REQUIRE(masks[1].hidden[0] != masks[0].hidden[0]);
    const Twin twin = twin_of(network, window.before, masks);
    CHECK(library_loss(library, window) == doctest::Approx(twin.loss).epsilon(1e-12));
    REQUIRE(library.window_is_full());
    library.update();
    REQUIRE(library.between_windows());
    CHECK(library.padding_is_zero());
    const naive::Weights updated = library.weights();
    library.set_weights(network.weights);
    double largest = 0;
    for (const auto& tensor : network.weights) {
        const auto& [name, weights] = tensor;
        CAPTURE(tensor.first);
        double error = 0;
        double error_of_twin = 0;
        for (std::size_t i = 0; i < weights.values.size(); ++i) {
            const double analytic = weights.values[i] - updated.at(name).values[i];
            double& weight = library.weight(name, i / weights.cols, i % weights.cols);
            std::vector<double> x = {weight};
            const std::vector<double> numeric = naive::central_differences_in_place(x, [&] {
                weight = x[0];
                return library_loss(library, window);
            });
            weight = weights.values[i];
            error = std::max(error, naive::gradient_error(analytic, numeric[0]));
            error_of_twin = std::max(error_of_twin, naive::gradient_error(analytic, twin.gradients.at(name).values[i]));
            largest = std::max(largest, std::abs(analytic));
        }
        CHECK(error < allowed_of_differences);
        CHECK(error_of_twin < allowed_of_twin);
    }
    CHECK(largest > 1e-2);
}

}  // namespace

TEST_CASE("gradients through a window of three steps are right: both cells, all inputs, 1 to 3 layers") {
    // Smooth ones: a difference over a kink says nothing.
    const std::vector<Entries> losses = {
        {{"loss", "cross-entropy"}, {"logq", "1"}},
        {{"loss", "bpr-max"}, {"elu_param", "1"}},
        {{"loss", "top1"}, {"mask_duplicates", "true"}},
    };
    std::uint64_t seed = 70'000;
    for (const Entries& network : gradient_scenes::all_networks()) {
        ++seed;
        check(joined(network, losses[seed % 3]), seed);
        const bool one_layer = network[network.size() - 2].second.find('/') == std::string::npos;
        const Entries history = {{"input", "history"}, {"history_max", "3"}, {"deep_input", one_layer ? "0" : "1"}};
        check(joined(joined(network, losses[(seed + 1) % 3]), history), seed);
    }
}
