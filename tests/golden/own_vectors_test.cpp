#include "support/library_step_impl.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

template class library_step::LibraryStep<double>;

// Numbers of the project's own: what a tiny network gives in its first five steps, worked out by the naive twin in
// double. They need no data and change only where the model does (a formula, an order of operations that the model
// fixes): then print them anew with the twin, say so in the change log, and expect every published result to move.
// A faster kernel, another seed or another initialisation is no reason.
namespace {

using library_step::Entries;

struct Expected {
    std::string cell, loss;
    std::vector<double> losses;  ///< of the steps
    double h;                    ///< the last unit's state in lane 0 after the last step
    double W_y;                  ///< Wy.weight(4, 1) in the end
    double b_y;                  ///< By.weight(2, 0)
    double bias;                 ///< the first of layer 0's input bias
    double sum;                  ///< over all weights
};

const std::vector<Expected> vectors = {
    {"reset_before",
     "cross-entropy",
     {2.05669050693697, 2.22650287739822, 2.10193997476109, 1.43472855811377, 0.834740694942306},
     -0.226201246325049,
     0.372607094785693,
     0.193811172897735,
     0.144249377359841,
     -1.92865613396837},
    {"reset_before",
     "bpr-max",
     {0.79581815281709, 0.818270641460532, 0.73763030500356, 0.4893187138598, 0.212245124716283},
     -0.662309435762838,
     0.349674984882845,
     -0.0322098554832817,
     0.364681196194878,
     -1.70748896663645},
    {"reset_before",
     "top1",
     {0.912289734808237, 0.975193515015044, 0.931470042017694, 0.619296279585352, 0.327376712855739},
     -0.395553172401406,
     0.394402453854048,
     -0.0563079735765202,
     0.2790111203796,
     -2.00978299442901},
    {"reset_after",
     "cross-entropy",
     {2.02099342120808, 2.27447394774184, 2.00609554823179, 1.43551717922085, 0.840532465573836},
     -0.438948903946172,
     0.365613336115218,
     0.190447284771393,
     0.324879872617761,
     -3.21996758858068},
    {"reset_after",
     "bpr-max",
     {0.780012776064122, 0.836919635923718, 0.713638749093792, 0.504251157117253, 0.207816274589616},
     -0.761077955050603,
     0.308993705868576,
     0.15838388187467,
     0.354918661685986,
     -3.00736057449496},
    {"reset_after",
     "top1",
     {0.906921632564822, 0.979381472001049, 0.908251459679566, 0.62485486456258, 0.318207071299226},
     -0.591867370628679,
     0.333790958423391,
     -0.0504196572934477,
     0.382734684728004,
     -2.71617992241097},
};

constexpr std::size_t n_items = 7;
const std::vector<naive::Session> sessions = {{0, 1, 2, 3}, {2, 4, 4}, {5, 0}, {1, 6, 1, 0}, {3, 5, 2, 0, 6}};

Entries settings(const Expected& vector) {
    Entries result = {{"gru_variant", vector.cell}, {"loss", vector.loss}, {"layers", "3/2"},
                      {"batch_size", "3"},          {"n_sample", "3"},     {"learning_rate", "0.1"},
                      {"momentum", "0.2"}};
    if (vector.loss == "cross-entropy") {
        result.emplace_back("logq", "1");
    }
    return result;
}

/// Weights that a hand could write down: tenths from -0.5 to 0.5.
naive::Weights first_weights(const naive::Network& network) {
    naive::Weights weights = network.zeros();
    std::size_t tensor = 0;
    for (auto& [name, matrix] : weights) {
        ++tensor;
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            matrix.values[i] = (static_cast<double>((7 * i + 3 * tensor) % 11) - 5) / 10;
        }
    }
    return weights;
}

struct Outcome {
    std::vector<double> losses;
    naive::Matrix states;
    naive::Weights weights;
};

void check(const Outcome& outcome, const Expected& vector) {
    const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-12); };
    REQUIRE(outcome.losses.size() == vector.losses.size());
    for (std::size_t k = 0; k < vector.losses.size(); ++k) {
        CHECK(outcome.losses[k] == near(vector.losses[k]));
    }
    double sum = 0;
    for (const auto& [name, matrix] : outcome.weights) {
        for (const double value : matrix.values) {
            sum += value;
        }
    }
    const std::string bias = vector.cell == "reset_before" ? "G.0.Bh" : "G.0.bias_ih";
    CHECK(outcome.states(0, 1) == near(vector.h));
    CHECK(outcome.weights.at("Wy.weight")(4, 1) == near(vector.W_y));
    CHECK(outcome.weights.at("By.weight")(2, 0) == near(vector.b_y));
    CHECK(outcome.weights.at(bias)(0, 0) == near(vector.bias));
    CHECK(sum == near(vector.sum));
}

}  // namespace

TEST_CASE("five steps of a tiny network give the numbers that are written down, from the library and from the twin") {
    const std::vector<double> supports = naive::count_supports(sessions, n_items);
    const auto steps = naive::schedule(sessions, naive::file_order(sessions.size()), 3, 3);
    REQUIRE(steps.size() >= 5);
    REQUIRE(vectors.size() == 6);
    for (const Expected& vector : vectors) {
        CAPTURE(vector.cell);
        CAPTURE(vector.loss);
        library_step::LibraryStep<double> library(settings(vector),
                                                  std::vector<std::int64_t>(supports.begin(), supports.end()));
        naive::Network network{library.settings(), n_items, {}};
        network.weights = first_weights(network);
        library.set_weights(network.weights);
        naive::Trainer twin(network, supports);
        Outcome of_library, of_twin;
        for (std::size_t k = 0; k < 5; ++k) {
            const std::vector<std::size_t> sampled = {k % 3, 2 * k % 7, 4};
            const auto batch = library_step::batch_of(network.settings, steps[k], sampled, k);
            of_library.losses.push_back(library.compute(batch));
            library.update();
            of_twin.losses.push_back(twin.step(steps[k], {sampled, {}}).loss);
        }
        of_library.states = library.states(1)[1];
        of_library.weights = library.weights();
        of_twin.states = twin.states()[1];
        of_twin.weights = network.weights;
        check(of_twin, vector);
        check(of_library, vector);
    }
}
