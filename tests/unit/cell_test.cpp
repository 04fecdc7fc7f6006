#include "gru4rec/nn/cell.hpp"

#include "gru4rec/nn/activation.hpp"
#include "support/naive/activations.hpp"
#include "support/naive/cells.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

// The cells' equations, element by element: a layer of one unit, whose lanes are the elements of a vector. Whole layers
// are tested in gru_test.cpp and network_test.cpp.
namespace {

using gru4rec::ResetAfter;
using gru4rec::ResetBefore;
using gru4rec::SimdVector;
using gru4rec::detail::Register;
using naive::Matrix;

template <class V>
struct Traits;
template <class S, int n>
struct Traits<gru4rec::detail::Vector<S, n>> {
    using Scalar = S;
};
template <class V>
using ScalarOf = typename Traits<V>::Scalar;

template <class V>
constexpr auto n_lanes = static_cast<std::size_t>(V::size);

/// Column k of a matrix of lanes.
template <class V>
V column(const Matrix& matrix, std::size_t k) {
    alignas(gru4rec::detail::cache_line) std::array<ScalarOf<V>, n_lanes<V>> values{};
    for (std::size_t m = 0; m < n_lanes<V>; ++m) {
        values[m] = static_cast<ScalarOf<V>>(matrix(m, k));
    }
    return V::load(values.data());
}

template <class V>
V broadcast(double number) {
    return V(static_cast<ScalarOf<V>>(number));
}

template <class V>
double largest_difference(V vector, const Matrix& expected, std::size_t k) {
    alignas(gru4rec::detail::cache_line) std::array<ScalarOf<V>, n_lanes<V>> values{};
    vector.store(values.data());
    double worst = 0;
    for (std::size_t m = 0; m < n_lanes<V>; ++m) {
        worst = std::max(worst, naive::gradient_error(static_cast<double>(values[m]), expected(m, k)));
    }
    return worst;
}

template <class V>
double dot(V a, const Matrix& b) {
    alignas(gru4rec::detail::cache_line) std::array<ScalarOf<V>, n_lanes<V>> values{};
    a.store(values.data());
    double sum = 0;
    for (std::size_t m = 0; m < n_lanes<V>; ++m) {
        sum += static_cast<double>(values[m]) * b(m, 0);
    }
    return sum;
}

/// What enters a step and what comes back, (lanes, 1), and the input's share of the gates, (lanes, 3).
struct Scene {
    Matrix x, h, g;

    Scene(std::size_t lanes, naive::Engine& engine)
        : x(naive::uniform_matrix(engine, lanes, 3, 2)),
          h(naive::uniform_matrix(engine, lanes, 1, 1)),
          g(naive::uniform_matrix(engine, lanes, 1, 1)) {
        for (Matrix* const matrix : {&x, &h, &g}) {
            for (double& number : matrix->values) {
                number = static_cast<double>(static_cast<float>(number));  // the same in both precisions
            }
        }
    }
};

/// A unit with weights of float's precision.
struct BeforeUnit {
    Matrix w_rz{1, 2}, w_h{1, 1};
    std::string act = "tanh";

    template <class V>
    struct Pass {
        ResetBefore::Gates<V> gates;
        V c, next;
    };

    template <class V>
    [[nodiscard]] gru4rec::detail::ActivationFunction<ScalarOf<V>> function() const {
        return gru4rec::detail::ActivationFunction<ScalarOf<V>>(*gru4rec::parse_activation(act));
    }

    template <class V>
    [[nodiscard]] Pass<V> forward(const Scene& scene) const {
        const V h = column<V>(scene.h, 0);
        const V r_sum = column<V>(scene.x, 1) + broadcast<V>(w_rz(0, 0)) * h;
        const V z_sum = column<V>(scene.x, 2) + broadcast<V>(w_rz(0, 1)) * h;
        const auto gates = ResetBefore::gates(r_sum, z_sum, h);
        const V c = function<V>()(column<V>(scene.x, 0) + broadcast<V>(w_h(0, 0)) * gates.reset_state);
        return {gates, c, ResetBefore::next_state(gates.z, c, h)};
    }

    /// [candidate | r | z | h]
    template <class V>
    [[nodiscard]] std::array<V, 4> backward(const Scene& scene) const {
        const auto pass = forward<V>(scene);
        const V h = column<V>(scene.h, 0);
        const V g = column<V>(scene.g, 0);
        const V d_c = ResetBefore::d_candidate(g, pass.gates.z, function<V>().derivative(pass.c));
        const V d_z = ResetBefore::d_update_gate(g, pass.gates.z, pass.c, h);
        const V u = d_c * broadcast<V>(w_h(0, 0));
        const V d_r = ResetBefore::d_reset_gate(u, h, pass.gates.r);
        const V d_h = ResetBefore::d_state(g, pass.gates.z, u, pass.gates.r) + d_r * broadcast<V>(w_rz(0, 0)) +
                      d_z * broadcast<V>(w_rz(0, 1));
        return {d_c, d_r, d_z, d_h};
    }
};

struct AfterUnit {
    Matrix w_hh{3, 1}, b_hh{1, 3};

    template <class V>
    struct Pass {
        ResetAfter::Gates<V> gates;
        V q;
    };

    template <class V>
    [[nodiscard]] V hidden(const Scene& scene, std::size_t gate) const {
        return broadcast<V>(w_hh(gate, 0)) * column<V>(scene.h, 0) + broadcast<V>(b_hh(0, gate));
    }

    template <class V>
    [[nodiscard]] Pass<V> forward(const Scene& scene) const {
        const V q = hidden<V>(scene, 2);
        return {
            ResetAfter::gates(column<V>(scene.x, 0) + hidden<V>(scene, 0), column<V>(scene.x, 1) + hidden<V>(scene, 1),
                              column<V>(scene.x, 2), q, column<V>(scene.h, 0)),
            q};
    }

    /// [r | z | n | h | n of the hidden side]
    template <class V>
    [[nodiscard]] std::array<V, 5> backward(const Scene& scene) const {
        const auto pass = forward<V>(scene);
        const V g = column<V>(scene.g, 0);
        const auto d = ResetAfter::backward(g, pass.gates, pass.q, column<V>(scene.h, 0));
        const V d_h = ResetAfter::d_state(g, pass.gates.z) + d.r * broadcast<V>(w_hh(0, 0)) +
                      d.z * broadcast<V>(w_hh(1, 0)) + d.n_hidden * broadcast<V>(w_hh(2, 0));
        return {d.r, d.z, d.n, d_h, d.n_hidden};
    }
};

/// Weights with few digits, exact in both precisions.
void draw(Matrix& weights, naive::Engine& engine) {
    for (double& weight : weights.values) {
        weight = std::round(64 * (2 * naive::uniform(engine) - 1)) / 32;
    }
}

BeforeUnit random_before(const std::string& act, naive::Engine& engine) {
    BeforeUnit unit;
    unit.act = act;
    draw(unit.w_rz, engine);
    draw(unit.w_h, engine);
    return unit;
}

AfterUnit random_after(naive::Engine& engine) {
    AfterUnit unit;
    draw(unit.w_hh, engine);
    draw(unit.b_hh, engine);
    return unit;
}

const std::vector<std::string> activations = {"tanh", "linear", "relu", "leaky-0.2", "elu-0.5", "selu-1.05-1.67"};

template <class V>
constexpr double tolerance = sizeof(ScalarOf<V>) == 4 ? 4e-6 : 1e-14;

/// (f(x + h) - f(x - h)) / 2h for every number of the scene that enters the step: of x column by column, then of h.
template <class Function>
Matrix differences(Scene& scene, const Function& f) {
    const auto of_x = naive::central_differences_in_place(scene.x.values, f);
    const auto of_h = naive::central_differences_in_place(scene.h.values, f);
    Matrix result(scene.h.rows, 4);
    for (std::size_t m = 0; m < result.rows; ++m) {
        for (std::size_t k = 0; k < 3; ++k) {
            result(m, k) = of_x[3 * m + k];
        }
        result(m, 3) = of_h[m];
    }
    return result;
}

}  // namespace

#define GRU4REC_EVERY_VECTOR Register<float>, Register<double>, SimdVector<float>, SimdVector<double>

TEST_CASE_TEMPLATE("reset_before: gates, state and all gradients are those of the naive twin", V,
                   GRU4REC_EVERY_VECTOR) {
    naive::Engine engine(1);
    for (const std::string& act : activations) {
        for (int round = 0; round < 20; ++round) {
            CAPTURE(act);
            CAPTURE(round);
            const BeforeUnit unit = random_before(act, engine);
            const Scene scene(n_lanes<V>, engine);
            const naive::ResetBefore twin{unit.w_rz, unit.w_h, naive::activation_from_text(act)};
            const auto expected = twin.forward(scene.x, scene.h);
            const auto pass = unit.forward<V>(scene);
            CHECK(largest_difference(pass.gates.r, expected.r, 0) < tolerance<V>);
            CHECK(largest_difference(pass.gates.z, expected.z, 0) < tolerance<V>);
            CHECK(largest_difference(pass.gates.reset_state, naive::elementwise_product(expected.r, scene.h), 0) <
                  tolerance<V>);
            CHECK(largest_difference(pass.next, expected.h, 0) < tolerance<V>);
            const auto gradients = twin.backward(expected, scene.g);
            const auto d = unit.backward<V>(scene);
            for (std::size_t k = 0; k < 3; ++k) {
                CHECK(largest_difference(d[k], gradients.d_gates, k) < tolerance<V>);
            }
            CHECK(largest_difference(d[3], gradients.d_entering, 0) < tolerance<V>);
        }
    }
}

TEST_CASE_TEMPLATE("reset_after: gates, state and all gradients are those of the naive twin", V, GRU4REC_EVERY_VECTOR) {
    naive::Engine engine(2);
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        const AfterUnit unit = random_after(engine);
        const Scene scene(n_lanes<V>, engine);
        const naive::ResetAfter twin{unit.w_hh, unit.b_hh};
        const auto expected = twin.forward(scene.x, scene.h);
        const auto pass = unit.forward<V>(scene);
        CHECK(largest_difference(pass.gates.r, expected.r, 0) < tolerance<V>);
        CHECK(largest_difference(pass.gates.z, expected.z, 0) < tolerance<V>);
        CHECK(largest_difference(pass.gates.n, expected.n, 0) < tolerance<V>);
        CHECK(largest_difference(pass.gates.next_state, expected.h, 0) < tolerance<V>);
        const auto gradients = twin.backward(expected, scene.g);
        const auto d = unit.backward<V>(scene);
        for (std::size_t k = 0; k < 3; ++k) {
            CHECK(largest_difference(d[k], gradients.d_gates, k) < tolerance<V>);
        }
        CHECK(largest_difference(d[3], gradients.d_entering, 0) < tolerance<V>);
        const Matrix d_hidden = naive::elementwise_product(naive::product(gradients.d_gates,
                                                                          [] {
                                                                              Matrix last(3, 1);
                                                                              last(2, 0) = 1;
                                                                              return last;
                                                                          }()),
                                                           expected.r);
        CHECK(largest_difference(d[4], d_hidden, 0) < tolerance<V>);
    }
}

TEST_CASE_TEMPLATE("reset_before: the gradients are finite differences of the step itself", V, Register<double>,
                   SimdVector<double>) {
    naive::Engine engine(3);
    for (const std::string& act : activations) {
        for (int round = 0; round < 20; ++round) {
            CAPTURE(act);
            CAPTURE(round);
            const BeforeUnit unit = random_before(act, engine);
            Scene scene(n_lanes<V>, engine);
            const auto d = unit.backward<V>(scene);
            const Matrix expected = differences(scene, [&] { return dot(unit.forward<V>(scene).next, scene.g); });
            for (std::size_t k = 0; k < 4; ++k) {
                CHECK(largest_difference(d[k], expected, k) < 1e-8);
            }
        }
    }
}

TEST_CASE_TEMPLATE("reset_after: the gradients are finite differences of the step itself", V, Register<double>,
                   SimdVector<double>) {
    naive::Engine engine(4);
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        AfterUnit unit = random_after(engine);
        Scene scene(n_lanes<V>, engine);
        const auto d = unit.backward<V>(scene);
        const auto loss = [&] { return dot(unit.forward<V>(scene).gates.next_state, scene.g); };
        const Matrix expected = differences(scene, loss);
        for (std::size_t k = 0; k < 4; ++k) {
            CHECK(largest_difference(d[k], expected, k) < 1e-8);
        }
        // The hidden side has biases of its own: their gradients are sums over the lanes.
        const auto of_bias = naive::central_differences_in_place(unit.b_hh.values, loss);
        const Matrix ones(n_lanes<V>, 1, 1);
        CHECK(std::abs(dot(d[0], ones) - of_bias[0]) < 1e-8);
        CHECK(std::abs(dot(d[1], ones) - of_bias[1]) < 1e-8);
        CHECK(std::abs(dot(d[4], ones) - of_bias[2]) < 1e-8);
    }
}

TEST_CASE_TEMPLATE("gates at their ends keep the state or take the candidate, exactly", V, GRU4REC_EVERY_VECTOR) {
    const Matrix ones(n_lanes<V>, 1, 1);
    const V h(ScalarOf<V>(-0.375));
    const V c(ScalarOf<V>(0.75));
    CHECK(dot(ResetBefore::next_state(V(0), c, h), ones) == -0.375 * static_cast<double>(n_lanes<V>));
    CHECK(dot(ResetBefore::next_state(V(1), c, h), ones) == 0.75 * static_cast<double>(n_lanes<V>));
    const V huge(ScalarOf<V>(1e4));
    CHECK(dot(ResetAfter::gates(V(0), huge, V(0), V(0), h).next_state, ones) ==
          -0.375 * static_cast<double>(n_lanes<V>));
    CHECK(dot(ResetAfter::gates(V(0), -huge, V(0), V(0), h).next_state, ones) == 0);
    CHECK(dot(ResetBefore::gates(huge, -huge, h).reset_state, ones) == -0.375 * static_cast<double>(n_lanes<V>));
    CHECK(dot(ResetBefore::gates(-huge, huge, h).reset_state, ones) == 0);
}
