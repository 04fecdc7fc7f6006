#include "gru4rec/nn/gru.hpp"

#include "support/naive/cells.hpp"
#include "support/naive/finite_differences.hpp"
#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

// One unit fed with one number: what the formulas say, without matrices; then layers of odd sizes against the naive
// twin's cells. Networks are compared with the twin in network_test.cpp and their gradients with finite differences in
// tests/gradient.
namespace {

using gru4rec::Activation;
using gru4rec::ActivationKind;
using gru4rec::Index;
using gru4rec::LaneMatrix;
using gru4rec::ResetAfter;
using gru4rec::ResetBefore;
using gru4rec::TensorView;
using gru4rec::detail::GruTape;
using gru4rec::detail::LaneGru;
using gru4rec::detail::Rows;

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

void set_reset_before(LaneGru<double, ResetBefore>& layer) {
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

void set_reset_after(LaneGru<double, ResetAfter>& layer) {
    auto t = tensors(layer);
    const double w[] = {0.5, -0.3, 0.8}, u[] = {0.9, -0.7, 1.3}, b[] = {0.1, 0.2, -0.6}, c[] = {0.3, -0.1, 0.4};
    for (Index block = 0; block < 3; ++block) {  // r, z, n
        t.at("G.0.weight_ih")(block, 0) = w[block];
        t.at("G.0.weight_hh")(block, 0) = u[block];
        t.at("G.0.bias_ih")(block, 0) = b[block];
        t.at("G.0.bias_hh")(block, 0) = c[block];
    }
}

/// A layer of several units, more lanes than a cache line, the last of them padding; all of it with random numbers.
template <class Scalar, class Cell>
struct Scene {
    static constexpr Index input_width = 5;
    static constexpr Index units = 7;
    static constexpr std::size_t n_lanes = 19;

    template <class... Arguments>
    explicit Scene(const Arguments&... arguments)
        : layer(input_width, units, arguments...),
          tape(n_lanes, units),
          x(naive::uniform_matrix(engine, n_lanes, input_width, 1)),
          h_before(naive::uniform_matrix(engine, n_lanes, units, 1)),
          g(naive::uniform_matrix(engine, n_lanes, units, 1)),
          x_rows(n_lanes, input_width),
          columns(tape.stride() * input_width) {
        for (const auto& parameter : layer.parameters()) {
            for (Index r = 0; r < parameter.matrix->rows(); ++r) {
                for (Index c = 0; c < parameter.matrix->cols(); ++c) {
                    parameter.matrix->row(r)[c] = static_cast<Scalar>(2 * naive::uniform(engine) - 1);
                }
            }
        }
        for (Scalar* const padding : {columns.data(), tape.state().data, tape.d_out().data}) {
            const Index n = padding == columns.data() ? input_width : units;
            for (Index i = 0; i < tape.stride() * n; ++i) {
                padding[i] = Scalar(0.5);
            }
        }
        fill(x, columns.data());
        fill(h_before, tape.state().data);
        fill(g, tape.d_out().data);
        for (std::size_t m = 0; m < n_lanes; ++m) {
            for (Index k = 0; k < input_width; ++k) {
                x_rows.row(static_cast<Index>(m))[k] = static_cast<Scalar>(x(m, static_cast<std::size_t>(k)));
            }
        }
        layer.forward(LaneMatrix<const Scalar>{columns.data(), tape.stride()}, padded_lanes(), tape);
        layer.backward(padded_lanes(), tape);
    }

    [[nodiscard]] static Index padded_lanes() { return gru4rec::detail::padded<Scalar>(n_lanes); }

    void fill(const naive::Matrix& from, Scalar* to) const {
        for (std::size_t m = 0; m < from.rows; ++m) {
            for (std::size_t k = 0; k < from.cols; ++k) {
                to[static_cast<Index>(k) * tape.stride() + static_cast<Index>(m)] = static_cast<Scalar>(from(m, k));
            }
        }
    }

    naive::Engine engine{12};  // first: the others draw from it
    LaneGru<Scalar, Cell> layer;
    GruTape<Scalar> tape;
    naive::Matrix x, h_before, g;
    gru4rec::detail::PaddedMatrix<Scalar> x_rows;
    gru4rec::detail::AlignedBuffer<Scalar> columns;
};

template <class Scalar>
naive::Matrix copy_of(const gru4rec::detail::PaddedMatrix<Scalar>& parameter) {
    naive::Matrix result(static_cast<std::size_t>(parameter.rows()), static_cast<std::size_t>(parameter.cols()));
    for (std::size_t i = 0; i < result.rows; ++i) {
        for (std::size_t j = 0; j < result.cols; ++j) {
            result(i, j) = static_cast<double>(parameter.row(static_cast<Index>(i))[j]);
        }
    }
    return result;
}

naive::Matrix transposed(const naive::Matrix& matrix) {
    naive::Matrix result(matrix.cols, matrix.rows);
    for (std::size_t i = 0; i < matrix.rows; ++i) {
        for (std::size_t j = 0; j < matrix.cols; ++j) {
            result(j, i) = matrix(i, j);
        }
    }
    return result;
}

/// A gradient multiplied out: (rows, cols); of a bias the sums over the lanes.
template <class Scalar>
naive::Matrix product(const gru4rec::detail::OuterFactors<Scalar>& factors, std::size_t rows, std::size_t cols) {
    naive::Matrix result(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j) {
            const bool is_bias = factors.x.base == nullptr;
            for (Index m = 0; m < factors.n_lanes; ++m) {
                const Scalar d = factors.d.column(static_cast<Index>(is_bias ? j : i))[m];
                result(i, j) += static_cast<double>(d) * (is_bias ? 1.0 : static_cast<double>(factors.x(m)[j]));
            }
        }
    }
    return result;
}

/// The naive matrices are in the order of the layer's parameters, and in its orientation.
template <class Scalar, class Cell>
void check_gradients(Scene<Scalar, Cell>& scene, const std::vector<naive::Matrix>& expected) {
    const double allowed = sizeof(Scalar) == 4 ? 2e-5 : 1e-13;
    const auto gradients = scene.layer.gradients(
        scene.n_lanes, Rows<const Scalar>{scene.x_rows.data(), scene.x_rows.stride()}, scene.tape);
    REQUIRE(gradients.size() == expected.size());
    const auto parameters = scene.layer.parameters();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
        CAPTURE(i);
        const auto& matrix = *parameters[i].matrix;
        CHECK(gradients[i].n_lanes == static_cast<Index>(scene.n_lanes));
        CHECK((parameters[i].n_blocks == 0) == (gradients[i].x.base == nullptr));
        const auto found =
            product(gradients[i], static_cast<std::size_t>(matrix.rows()), static_cast<std::size_t>(matrix.cols()));
        CHECK(naive::largest_gradient_error(found.values, expected[i].values) < allowed);
    }
}

template <class Scalar>
double largest_error(LaneMatrix<const Scalar> columns, const naive::Matrix& expected) {
    double worst = 0;
    for (std::size_t m = 0; m < expected.rows; ++m) {
        for (std::size_t k = 0; k < expected.cols; ++k) {
            const Scalar found = columns.column(static_cast<Index>(k))[m];
            worst = std::max(worst, naive::gradient_error(static_cast<double>(found), expected(m, k)));
        }
    }
    return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("reset_before: outputs and the gradients of parameters, input and state are the naive twin's",
                   Scalar, float, double) {
    const double allowed = sizeof(Scalar) == 4 ? 1e-5 : 1e-13;
    Scene<Scalar, ResetBefore> scene(Activation{ActivationKind::tanh});
    auto& layer = scene.layer;
    auto& tape = scene.tape;
    const naive::Matrix w_x = copy_of(layer.w_x());
    const naive::Matrix w_rz = transposed(copy_of(layer.w_rz()));
    const naive::Matrix w_h = transposed(copy_of(layer.w_h()));
    naive::Matrix gates = naive::product_with_transposed(scene.x, w_x);
    naive::add_to_each_row(gates, copy_of(layer.bias()));
    const naive::ResetBefore twin{w_rz, w_h};
    const auto pass = twin.forward(gates, scene.h_before);
    CHECK(largest_error<Scalar>(tape.out(), pass.h) < allowed);
    const auto gradients = twin.backward(pass, scene.g);
    check_gradients(scene, {naive::product_of_transposed(gradients.d_gates, scene.x), transposed(gradients.d_W_rz),
                            transposed(gradients.d_W_h), naive::column_sums(gradients.d_gates)});
    gru4rec::detail::AlignedBuffer<Scalar> d_x(tape.stride() * scene.input_width);
    layer.backward_input(scene.padded_lanes(), tape, {d_x.data(), tape.stride()});
    CHECK(largest_error<Scalar>({d_x.data(), tape.stride()}, naive::product(gradients.d_gates, w_x)) < allowed);
    layer.backward_state(scene.padded_lanes(), tape);
    CHECK(largest_error<Scalar>(tape.d_out(), gradients.d_entering) < allowed);
}

TEST_CASE_TEMPLATE("reset_after: outputs and the gradients of parameters, input and state are the naive twin's", Scalar,
                   float, double) {
    const double allowed = sizeof(Scalar) == 4 ? 1e-5 : 1e-13;
    Scene<Scalar, ResetAfter> scene;
    auto& layer = scene.layer;
    auto& tape = scene.tape;
    const naive::Matrix w_ih = copy_of(layer.w_ih());
    const naive::Matrix w_hh = copy_of(layer.w_hh());
    const naive::Matrix b_hh = copy_of(layer.b_hh());
    naive::Matrix gates = naive::product_with_transposed(scene.x, w_ih);
    naive::add_to_each_row(gates, copy_of(layer.b_ih()));
    const naive::ResetAfter twin{w_hh, b_hh};
    const auto pass = twin.forward(gates, scene.h_before);
    CHECK(largest_error<Scalar>(tape.out(), pass.h) < allowed);
    const auto gradients = twin.backward(pass, scene.g);
    check_gradients(scene, {naive::product_of_transposed(gradients.d_gates, scene.x), gradients.d_W_hh,
                            naive::column_sums(gradients.d_gates), gradients.d_b_hh});
    gru4rec::detail::AlignedBuffer<Scalar> d_x(tape.stride() * scene.input_width);
    layer.backward_input(scene.padded_lanes(), tape, {d_x.data(), tape.stride()});
    CHECK(largest_error<Scalar>({d_x.data(), tape.stride()}, naive::product(gradients.d_gates, w_ih)) < allowed);
    layer.backward_state(scene.padded_lanes(), tape);
    CHECK(largest_error<Scalar>(tape.d_out(), gradients.d_entering) < allowed);
}

TEST_CASE("a layer's parameters are its named weights, each with its number of gate blocks, none for a bias") {
    LaneGru<double, ResetBefore> before(3, 4, {ActivationKind::tanh});
    const auto b = before.parameters();
    CHECK((b[0].matrix == &before.w_x() && b[0].n_blocks == 3));
    CHECK((b[1].matrix == &before.w_rz() && b[1].n_blocks == 2));
    CHECK((b[2].matrix == &before.w_h() && b[2].n_blocks == 1));
    CHECK((b[3].matrix == &before.bias() && b[3].n_blocks == 0));
    CHECK((before.w_x().rows() == 12 && before.w_x().cols() == 3));
    CHECK((before.w_rz().rows() == 8 && before.w_rz().cols() == 4));
    CHECK((before.w_h().rows() == 4 && before.w_h().cols() == 4));
    CHECK((before.bias().rows() == 1 && before.bias().cols() == 12));
    LaneGru<double, ResetAfter> after(3, 4);
    const auto a = after.parameters();
    CHECK((a[0].matrix == &after.w_ih() && a[0].n_blocks == 3));
    CHECK((a[1].matrix == &after.w_hh() && a[1].n_blocks == 3));
    CHECK((a[2].matrix == &after.b_ih() && a[2].n_blocks == 0));
    CHECK((a[3].matrix == &after.b_hh() && a[3].n_blocks == 0));
    CHECK((after.w_hh().rows() == 12 && after.w_hh().cols() == 4));
    // Without an input but a one-hot row there are no weights for it, and the row is always added.
    LaneGru<double, ResetBefore> one_hot_before(0, 4, {ActivationKind::tanh});
    LaneGru<double, ResetAfter> one_hot_after(0, 4);
    CHECK(one_hot_before.parameters()[0].matrix->empty());
    CHECK(one_hot_after.parameters()[0].matrix->empty());
    CHECK(one_hot_before.one_hot_row() == gru4rec::detail::OneHotRow::added);
    CHECK(one_hot_after.one_hot_row() == gru4rec::detail::OneHotRow::added);
    CHECK(before.one_hot_row() == gru4rec::detail::OneHotRow::none);
}

TEST_CASE("a one-hot row that stands in the sums is added to the bias and the weighted input, or ignored") {
    for (const bool added : {false, true}) {
        CAPTURE(added);
        const auto row = added ? gru4rec::detail::OneHotRow::added : gru4rec::detail::OneHotRow::none;
        LaneGru<double, ResetBefore> before(1, 1, {ActivationKind::tanh}, row);
        LaneGru<double, ResetAfter> after(1, 1, row);
        set_reset_before(before);
        set_reset_after(after);
        GruTape<double> tape(lanes, 1);
        const double rows[] = {0.4, -0.6, 0.2};
        const auto put_row = [&] {
            for (Index j = 0; j < 3; ++j) {
                tape.pre().column(j)[2] = rows[j];
            }
        };
        const auto sum = [&](Index j, double plain) { return plain + (added ? rows[j] : 0); };
        put_row();
        const double r = s(sum(1, -0.3 * x + 0.2) + 0.9 * h);
        const double z = s(sum(2, 0.8 * x - 0.6) - 0.7 * h);
        const double c = std::tanh(sum(0, 0.5 * x + 0.1) + 1.3 * (r * h));
        CHECK(output(before, tape, x, h) == doctest::Approx((1 - z) * h + z * c).epsilon(1e-14));
        put_row();
        const double r2 = s(sum(0, 0.5 * x + 0.1) + 0.9 * h + 0.3);
        const double z2 = s(sum(1, -0.3 * x + 0.2) - 0.7 * h - 0.1);
        const double n = std::tanh(sum(2, 0.8 * x - 0.6) + r2 * (1.3 * h + 0.4));
        CHECK(output(after, tape, x, h) == doctest::Approx((1 - z2) * n + z2 * h).epsilon(1e-14));
    }
}

TEST_CASE("reset_before resets the state before the product, and z takes in the candidate") {
    LaneGru<double, ResetBefore> layer(1, 1, {ActivationKind::tanh});
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
    LaneGru<double, ResetAfter> layer(1, 1);
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

TEST_CASE("the state that left a step in one lane enters the next in another, alone") {
    GruTape<double> last(lanes, 3);
    GruTape<double> next(lanes, 3);
    for (Index k = 0; k < 3; ++k) {
        for (Index m = 0; m < lanes; ++m) {
            last.out().column(k)[m] = static_cast<double>(10 * k + m + 1);
        }
    }
    next.move_lane(last, 5, 2);
    for (Index k = 0; k < 3; ++k) {
        for (Index m = 0; m < lanes; ++m) {
            CHECK(next.state().column(k)[m] == (m == 2 ? static_cast<double>(10 * k + 6) : 0));
        }
    }
    CHECK(last.out().column(3)[5] == 1);  // the column of ones, which is not part of the state
    CHECK(next.state().column(3)[2] == 0);
    next.reset_lane(2);
    for (Index k = 0; k < 3; ++k) {
        CHECK(next.state().column(k)[2] == 0);
    }
}

TEST_CASE("a layer of zeros halves the state: no hidden bias of 1, no other surprise") {
    LaneGru<double, ResetBefore> before(1, 1, {ActivationKind::tanh});
    LaneGru<double, ResetAfter> after(1, 1);
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
        LaneGru<double, ResetBefore> layer(1, 1, activation);
        tensors(layer).at("G.0.Wx")(0, 0) = -2;
        GruTape<double> tape(lanes, 1);
        CHECK(output(layer, tape, 1, 0) == doctest::Approx(expected / 2).epsilon(1e-14));
    }
}

TEST_CASE("gates at their ends give exact states, and inputs of ten thousand no overflow") {
    LaneGru<double, ResetBefore> before(1, 1, {ActivationKind::tanh});
    auto t = tensors(before);
    GruTape<double> tape(lanes, 1);
    t.at("G.0.Wx")(0, 2) = -1e4;  // z = 0: the state stays
    CHECK(output(before, tape, 1, h) == h);
    t.at("G.0.Wx")(0, 2) = 1e4;  // z = 1: the candidate
    t.at("G.0.Wx")(0, 0) = 1e4;
    CHECK(output(before, tape, 1, h) == doctest::Approx(1).epsilon(1e-15));
    LaneGru<double, ResetAfter> after(1, 1);
    auto u = tensors(after);
    u.at("G.0.weight_ih")(1, 0) = 1e4;
    CHECK(output(after, tape, 1, h) == h);
    u.at("G.0.weight_ih")(1, 0) = -1e4;
    u.at("G.0.weight_ih")(2, 0) = -1e4;
    CHECK(output(after, tape, 1, h) == doctest::Approx(-1).epsilon(1e-15));
}
