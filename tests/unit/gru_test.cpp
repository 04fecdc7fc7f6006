#include "gru4rec/nn/gru.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

// One unit fed with one number: what the formulas say, without matrices. Larger layers are compared with the naive twin
// in network_test.cpp and their gradients with finite differences in tests/gradient.
namespace {

using gru4rec::Activation;
using gru4rec::ActivationKind;
using gru4rec::GruLayer;
using gru4rec::Index;
using gru4rec::ResetAfter;
using gru4rec::ResetBefore;
using gru4rec::TensorView;
using gru4rec::detail::GruTape;

constexpr Index lanes = 8;
constexpr double x = 0.7;
constexpr double h = -0.4;

double s(double v) { return 1 / (1 + std::exp(-v)); }

template <class Layer>
std::map<std::string, TensorView<double>> tensors(Layer& layer) {
    std::vector<TensorView<double>> views;
    Layer::append_tensors(layer, 0, false, views);
    std::map<std::string, TensorView<double>> result;
    for (const auto& view : views) {
        result.emplace(view.name, view);
    }
    return result;
}

/// Lane 2 of a step from state h with input x.
template <class Layer>
double output(Layer& layer, GruTape<double>& tape, double input, double state) {
    gru4rec::detail::AlignedBuffer<double> column(lanes);
    column[2] = input;
    tape.state().column(0)[2] = state;
    layer.forward({column.data(), lanes}, lanes, tape);
    return tape.out().column(0)[2];
}

void set_reset_before(GruLayer<double, ResetBefore>& layer) {
    auto t = tensors(layer);
    const double w_x[] = {0.5, -0.3, 0.8}, bias[] = {0.1, 0.2, -0.6};  // candidate, r, z
    for (Index block = 0; block < 3; ++block) {
        t.at("G.0.Wx")(0, block) = w_x[block];
        t.at("G.0.Bh")(block, 0) = bias[block];
    }
    t.at("G.0.Wrz")(0, 0) = 0.9;
    t.at("G.0.Wrz")(0, 1) = -0.7;
    t.at("G.0.Wh")(0, 0) = 1.3;
}

void set_reset_after(GruLayer<double, ResetAfter>& layer) {
    auto t = tensors(layer);
    const double w[] = {0.5, -0.3, 0.8}, u[] = {0.9, -0.7, 1.3}, b[] = {0.1, 0.2, -0.6}, c[] = {0.3, -0.1, 0.4};
    for (Index block = 0; block < 3; ++block) {  // r, z, n
        t.at("G.0.weight_ih")(block, 0) = w[block];
        t.at("G.0.weight_hh")(block, 0) = u[block];
        t.at("G.0.bias_ih")(block, 0) = b[block];
        t.at("G.0.bias_hh")(block, 0) = c[block];
    }
}

}  // namespace

TEST_CASE("reset_before resets the state before the product, and z takes in the candidate") {
    GruLayer<double, ResetBefore> layer(1, 1, {ActivationKind::tanh});
    set_reset_before(layer);
    GruTape<double> tape(lanes, 1);
    const double r = s(-0.3 * x + 0.2 + 0.9 * h);
    const double z = s(0.8 * x - 0.6 - 0.7 * h);
    const double c = std::tanh(0.5 * x + 0.1 + 1.3 * (r * h));
    CHECK(output(layer, tape, x, h) == doctest::Approx((1 - z) * h + z * c).epsilon(1e-14));

    // dL/dh' = 1
    tape.d_out().column(0)[2] = 1;
    layer.backward(lanes, tape);
    const double d_c = z * (1 - c * c);
    CHECK(tape.d_pre().column(0)[2] == doctest::Approx(d_c).epsilon(1e-14));
    CHECK(tape.d_pre().column(1)[2] == doctest::Approx(d_c * 1.3 * h * r * (1 - r)).epsilon(1e-14));
    CHECK(tape.d_pre().column(2)[2] == doctest::Approx((c - h) * z * (1 - z)).epsilon(1e-14));
    gru4rec::detail::AlignedBuffer<double> d_x(lanes);
    layer.backward_input(lanes, tape, {d_x.data(), lanes});
    CHECK(d_x[2] ==
          doctest::Approx(0.5 * d_c - 0.3 * d_c * 1.3 * h * r * (1 - r) + 0.8 * (c - h) * z * (1 - z)).epsilon(1e-14));
    CHECK(d_x[3] == 0);
    const double d_r = d_c * 1.3 * h * r * (1 - r);
    const double d_z = (c - h) * z * (1 - z);
    layer.backward_state(lanes, tape);
    CHECK(tape.d_out().column(0)[2] == doctest::Approx((1 - z) + d_c * 1.3 * r + 0.9 * d_r - 0.7 * d_z).epsilon(1e-14));
    CHECK(tape.d_out().column(0)[3] == 0);
}

TEST_CASE("reset_after resets the product, and z keeps the state") {
    GruLayer<double, ResetAfter> layer(1, 1);
    set_reset_after(layer);
    GruTape<double> tape(lanes, 1);
    const double r = s(0.5 * x + 0.1 + 0.9 * h + 0.3);
    const double z = s(-0.3 * x + 0.2 - 0.7 * h - 0.1);
    const double q = 1.3 * h + 0.4;
    const double n = std::tanh(0.8 * x - 0.6 + r * q);
    CHECK(output(layer, tape, x, h) == doctest::Approx((1 - z) * n + z * h).epsilon(1e-14));

    tape.d_out().column(0)[2] = 1;
    layer.backward(lanes, tape);
    const double d_n = (1 - z) * (1 - n * n);
    CHECK(tape.d_pre().column(0)[2] == doctest::Approx(d_n * q * r * (1 - r)).epsilon(1e-14));
    CHECK(tape.d_pre().column(1)[2] == doctest::Approx((h - n) * z * (1 - z)).epsilon(1e-14));
    CHECK(tape.d_pre().column(2)[2] == doctest::Approx(d_n).epsilon(1e-14));
    CHECK(tape.d_hidden().column(0)[2] == tape.d_pre().column(0)[2]);
    CHECK(tape.d_hidden().column(2)[2] == doctest::Approx(d_n * r).epsilon(1e-14));
    const double d_r = d_n * q * r * (1 - r);
    const double d_z = (h - n) * z * (1 - z);
    layer.backward_state(lanes, tape);
    CHECK(tape.d_out().column(0)[2] == doctest::Approx(z + 0.9 * d_r - 0.7 * d_z + 1.3 * d_n * r).epsilon(1e-14));
}

TEST_CASE("what a step hands back reaches the lanes where the states came from, and no lane that started anew") {
    GruTape<double> tape(4, 1);
    gru4rec::detail::AlignedBuffer<double> d_state(lanes);
    for (Index m = 0; m < 4; ++m) {
        tape.d_out().column(0)[m] = 10;
        d_state[m] = static_cast<double>(m + 1);
    }
    const std::vector<Index> previous_lane = {0, -1, 3};
    tape.add_d_out({d_state.data(), lanes}, previous_lane);
    CHECK(tape.d_out().column(0)[0] == 11);
    CHECK(tape.d_out().column(0)[1] == 10);
    CHECK(tape.d_out().column(0)[2] == 10);
    CHECK(tape.d_out().column(0)[3] == 13);
}

TEST_CASE("a layer of zeros halves the state: no hidden bias of 1, no other surprise") {
    GruLayer<double, ResetBefore> before(1, 1, {ActivationKind::tanh});
    GruLayer<double, ResetAfter> after(1, 1);
    GruTape<double> tape(lanes, 1);
    CHECK(output(before, tape, x, h) == h / 2);
    CHECK(output(after, tape, x, h) == h / 2);
}

TEST_CASE("the candidate's activation is the one that was asked for") {
    for (const auto& [activation, expected] :
         std::vector<std::pair<Activation, double>>{{{ActivationKind::linear}, -2.0},
                                                    {{ActivationKind::relu}, 0.0},
                                                    {{ActivationKind::leaky, 0.25}, -0.5},
                                                    {{ActivationKind::elu, 0.5}, 0.5 * std::expm1(-2.0)},
                                                    {{ActivationKind::selu, 0.5, 1.5}, 0.75 * std::expm1(-2.0)},
                                                    {{ActivationKind::tanh}, std::tanh(-2.0)}}) {
        GruLayer<double, ResetBefore> layer(1, 1, activation);
        tensors(layer).at("G.0.Wx")(0, 0) = -2;
        GruTape<double> tape(lanes, 1);
        CHECK(output(layer, tape, 1, 0) == doctest::Approx(expected / 2).epsilon(1e-14));
    }
}

TEST_CASE("gates at their ends give exact states, and inputs of ten thousand no overflow") {
    GruLayer<double, ResetBefore> before(1, 1, {ActivationKind::tanh});
    auto t = tensors(before);
    GruTape<double> tape(lanes, 1);
    t.at("G.0.Wx")(0, 2) = -1e4;  // z = 0: the state stays
    CHECK(output(before, tape, 1, h) == h);
    t.at("G.0.Wx")(0, 2) = 1e4;  // z = 1: the candidate
    t.at("G.0.Wx")(0, 0) = 1e4;
    CHECK(output(before, tape, 1, h) == doctest::Approx(1).epsilon(1e-15));
    GruLayer<double, ResetAfter> after(1, 1);
    auto u = tensors(after);
    u.at("G.0.weight_ih")(1, 0) = 1e4;
    CHECK(output(after, tape, 1, h) == h);
    u.at("G.0.weight_ih")(1, 0) = -1e4;
    u.at("G.0.weight_ih")(2, 0) = -1e4;
    CHECK(output(after, tape, 1, h) == doctest::Approx(-1).epsilon(1e-15));
}
