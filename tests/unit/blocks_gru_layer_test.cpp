#include "gru4rec/blocks/gru_layer.hpp"

#include "gru4rec/model/model.hpp"
#include "support/eigen_matrices.hpp"
#include "support/naive/cells.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Activation;
using gru4rec::ActivationKind;
using gru4rec::GruGradients;
using gru4rec::GruLayer;
using gru4rec::GruRecord;
using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::Matrix;
using gru4rec::Model;
using gru4rec::ResetAfter;
using gru4rec::ResetBefore;

/// Lanes, width of the input, units: odd ones, one of each, more than a cache line.
constexpr std::array<std::array<Index, 3>, 4> sizes = {{{1, 1, 1}, {5, 3, 7}, {17, 9, 4}, {33, 19, 21}}};

template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 2e-5;

template <class Scalar, class Cell, class Visit>
void visit_weights(GruLayer<Scalar, Cell>& layer, const Visit& visit) {
    visit(layer.w_input());
    visit(layer.w_hidden());
    if constexpr (std::is_same_v<Cell, ResetBefore>) {
        visit(layer.w_gates());
        visit(layer.bias());
    } else {
        visit(layer.bias_input());
        visit(layer.bias_hidden());
    }
}

template <class Scalar, class Cell>
GruLayer<Scalar, Cell> random_layer(Index width, Index units, naive::Engine& engine) {
    GruLayer<Scalar, Cell> layer(width, units);
    visit_weights(layer, [&](auto weights) {
        weights = random_matrix(weights.rows(), weights.cols(), engine).template cast<Scalar>();
    });
    return layer;
}

/// What the naive cell makes of the same step, under the layer's names.
template <class Cell>
struct Expected {
    Eigen::MatrixXd h_new;
    GruGradients<double, Cell> gradients;
};

template <class Scalar>
Expected<ResetBefore> expected(const GruLayer<Scalar, ResetBefore>& layer, const Eigen::MatrixXd& x,
                               const Eigen::MatrixXd& h, const Eigen::MatrixXd& d_h_new) {
    const naive::Matrix w_x = to_naive(layer.w_input().transpose());
    const naive::Matrix w_rz = to_naive(layer.w_gates().transpose());
    const naive::Matrix w_h = to_naive(layer.w_hidden().transpose());
    const naive::ResetBefore cell{w_rz, w_h};
    naive::Matrix gates = product(to_naive(x), w_x);
    add_to_each_row(gates, to_naive(layer.bias()));
    const auto pass = cell.forward(gates, to_naive(h));
    const auto g = cell.backward(pass, to_naive(d_h_new));
    return {from_naive(pass.h),
            {.d_x = from_naive(product_with_transposed(g.d_gates, w_x)),
             .d_h = from_naive(g.d_entering),
             .d_w_input = from_naive(product_of_transposed(g.d_gates, to_naive(x))),
             .d_w_gates = from_naive(g.d_W_rz).transpose(),
             .d_w_hidden = from_naive(g.d_W_h).transpose(),
             .d_bias = from_naive(column_sums(g.d_gates))}};
}

template <class Scalar>
Expected<ResetAfter> expected(const GruLayer<Scalar, ResetAfter>& layer, const Eigen::MatrixXd& x,
                              const Eigen::MatrixXd& h, const Eigen::MatrixXd& d_h_new) {
    const naive::Matrix w_x = to_naive(layer.w_input().transpose());
    const naive::Matrix w_hh = to_naive(layer.w_hidden());
    const naive::Matrix b_hh = to_naive(layer.bias_hidden());
    const naive::ResetAfter cell{w_hh, b_hh};
    naive::Matrix gates = product(to_naive(x), w_x);
    add_to_each_row(gates, to_naive(layer.bias_input()));
    const auto pass = cell.forward(gates, to_naive(h));
    const auto g = cell.backward(pass, to_naive(d_h_new));
    return {from_naive(pass.h),
            {.d_x = from_naive(product_with_transposed(g.d_gates, w_x)),
             .d_h = from_naive(g.d_entering),
             .d_w_input = from_naive(product_of_transposed(g.d_gates, to_naive(x))),
             .d_w_hidden = from_naive(g.d_W_hh),
             .d_bias_input = from_naive(column_sums(g.d_gates)),
             .d_bias_hidden = from_naive(g.d_b_hh)}};
}

template <class Scalar, class Cell>
void check_gradients(const GruGradients<Scalar, Cell>& given, const GruGradients<double, Cell>& wanted) {
    constexpr double close = 10 * tolerance<Scalar>;  // sums over lanes
    CHECK(difference(given.d_x, wanted.d_x) < close);
    CHECK(difference(given.d_h, wanted.d_h) < close);
    CHECK(difference(given.d_w_input, wanted.d_w_input) < close);
    CHECK(difference(given.d_w_hidden, wanted.d_w_hidden) < close);
    if constexpr (std::is_same_v<Cell, ResetBefore>) {
        CHECK(difference(given.d_w_gates, wanted.d_w_gates) < close);
        CHECK(difference(given.d_bias, wanted.d_bias) < close);
    } else {
        CHECK(difference(given.d_bias_input, wanted.d_bias_input) < close);
        CHECK(difference(given.d_bias_hidden, wanted.d_bias_hidden) < close);
    }
}

ItemMap three_items() {
    ItemMap items;
    for (const char* const id : {"a", "b", "c"}) {
        items.insert(id);
    }
    return items;
}

}  // namespace

TEST_CASE_TEMPLATE("a layer on Eigen matrices is the naive cell, forward and backward", Layer, GruLayer<double>,
                   GruLayer<float>, GruLayer<double, ResetAfter>, GruLayer<float, ResetAfter>) {
    using Scalar = typename std::decay_t<decltype(std::declval<Layer>().w_input())>::Scalar;
    naive::Engine engine(1);
    for (const auto& [lanes, width, units] : sizes) {
        const Index n_lanes = lanes;  // clang 14 does not capture structured bindings
        CAPTURE(n_lanes);
        auto layer = [&, w = width, u = units] {
            if constexpr (std::is_same_v<Layer, GruLayer<Scalar>>) {
                return random_layer<Scalar, ResetBefore>(w, u, engine);
            } else {
                return random_layer<Scalar, ResetAfter>(w, u, engine);
            }
        }();
        GruRecord<Scalar> record;
        for (const Index n : {lanes, (lanes + 1) / 2, lanes + 20}) {  // fewer lanes, then more, in the same record
            const Eigen::MatrixXd x = random_matrix(n, width, engine);
            const Eigen::MatrixXd h = random_matrix(n, units, engine);
            const Eigen::MatrixXd d = random_matrix(n, units, engine);
            const auto wanted = expected(layer, x, h, d);
            const Matrix<Scalar> h_new = layer.forward(x.cast<Scalar>(), h.cast<Scalar>(), record);
            CHECK(difference(h_new, wanted.h_new) < tolerance<Scalar>);
            CHECK(record.n_lanes() == n);
            CHECK(layer.forward(x.cast<Scalar>(), h.cast<Scalar>()) == h_new);
            check_gradients(layer.backward(d.cast<Scalar>(), record), wanted.gradients);
        }
    }
}

TEST_CASE_TEMPLATE("the gradients of a layer are those of finite differences", Cell, ResetBefore, ResetAfter) {
    naive::Engine engine(2);
    auto layer = random_layer<double, Cell>(3, 5, engine);
    Eigen::MatrixXd x = random_matrix(4, 3, engine);
    Eigen::MatrixXd h = random_matrix(4, 5, engine);
    const Eigen::MatrixXd d = random_matrix(4, 5, engine);
    const auto loss = [&] { return layer.forward(x, h).cwiseProduct(d).sum(); };
    GruRecord<double> record;
    static_cast<void>(layer.forward(x, h, record));
    const auto g = layer.backward(d, record);
    CHECK(difference(g.d_x, numeric_gradient(x, loss)) < 1e-8);
    CHECK(difference(g.d_h, numeric_gradient(h, loss)) < 1e-8);
    CHECK(difference(g.d_w_input, numeric_gradient(layer.w_input(), loss)) < 1e-8);
    CHECK(difference(g.d_w_hidden, numeric_gradient(layer.w_hidden(), loss)) < 1e-8);
    if constexpr (std::is_same_v<Cell, ResetBefore>) {
        CHECK(difference(g.d_w_gates, numeric_gradient(layer.w_gates(), loss)) < 1e-8);
        CHECK(difference(g.d_bias, numeric_gradient(layer.bias(), loss)) < 1e-8);
    } else {
        CHECK(difference(g.d_bias_input, numeric_gradient(layer.bias_input(), loss)) < 1e-8);
        CHECK(difference(g.d_bias_hidden, numeric_gradient(layer.bias_hidden(), loss)) < 1e-8);
    }
}

TEST_CASE("gradients go back through two steps, one record each") {
    naive::Engine engine(3);
    auto layer = random_layer<double, ResetBefore>(2, 3, engine);
    const Eigen::MatrixXd x1 = random_matrix(3, 2, engine);
    const Eigen::MatrixXd x2 = random_matrix(3, 2, engine);
    const Eigen::MatrixXd h = random_matrix(3, 3, engine);
    const Eigen::MatrixXd d = random_matrix(3, 3, engine);
    const auto loss = [&] { return layer.forward(x2, layer.forward(x1, h)).cwiseProduct(d).sum(); };
    GruRecord<double> first;
    GruRecord<double> second;
    static_cast<void>(layer.forward(x2, layer.forward(x1, h, first), second));
    const auto of_second = layer.backward(d, second);
    const auto of_first = layer.backward(of_second.d_h, first);
    CHECK(difference(of_first.d_w_gates + of_second.d_w_gates, numeric_gradient(layer.w_gates(), loss)) < 1e-8);
}

TEST_CASE_TEMPLATE("rows of a table in the place of W_input x give the same step and gradient", Cell, ResetBefore,
                   ResetAfter) {
    naive::Engine engine(4);
    auto dense = random_layer<double, Cell>(6, 5, engine);  // six items, one-hot
    GruLayer<double, Cell> one_hot(0, 5);
    CHECK(one_hot.is_one_hot());
    CHECK(one_hot.input_width() == 15);
    CHECK(one_hot.w_input().size() == 0);
    one_hot.w_hidden() = dense.w_hidden();
    if constexpr (std::is_same_v<Cell, ResetBefore>) {
        one_hot.w_gates() = dense.w_gates();
        one_hot.bias() = dense.bias();
    } else {
        one_hot.bias_input() = dense.bias_input();
        one_hot.bias_hidden() = dense.bias_hidden();
    }
    const Eigen::MatrixXd h = random_matrix(3, 5, engine);
    const Eigen::MatrixXd d = random_matrix(3, 5, engine);
    Eigen::MatrixXd x = Eigen::MatrixXd::Zero(3, 6);
    x(0, 2) = x(1, 5) = x(2, 2) = 1;
    const Eigen::MatrixXd rows = x * dense.w_input().transpose();
    GruRecord<double> record;
    GruRecord<double> one_hot_record;
    const Eigen::MatrixXd h_new = dense.forward(x, h, record);
    CHECK(difference(one_hot.forward(rows, h, one_hot_record), h_new) < 1e-14);
    const auto wanted = dense.backward(d, record);
    const auto given = one_hot.backward(d, one_hot_record);
    CHECK(given.d_w_input.size() == 0);
    CHECK(difference(given.d_w_hidden, wanted.d_w_hidden) < 1e-14);
    CHECK(difference(given.d_h, wanted.d_h) < 1e-14);
    CHECK(difference(given.d_x.transpose() * x, wanted.d_w_input) < 1e-14);
}

TEST_CASE("a record that was moved from is as new") {
    GruLayer<double> layer(3, 5);
    layer.initialise(7);
    const Eigen::MatrixXd x = Eigen::MatrixXd::Random(4, 3);
    const Eigen::MatrixXd h = Eigen::MatrixXd::Random(4, 5);
    GruRecord<double> record;
    static_cast<void>(layer.forward(x, h, record));
    GruRecord<double> copy = record;
    GruRecord<double> kept = std::move(record);
    CHECK(record.n_lanes() == 0);
    CHECK(complaint([&] { static_cast<void>(layer.backward(h, record)); }).find("no step") != std::string::npos);
    CHECK(layer.forward(x, h, record) == layer.forward(x, h));
    CHECK(layer.backward(h, kept).d_x == layer.backward(h, copy).d_x);
    kept = std::move(record);
    CHECK(kept.n_lanes() == 4);
    CHECK(layer.forward(x, h, record) == layer.forward(x, h));
    CHECK(layer.backward(h, kept).d_x == layer.backward(h, record).d_x);
}

TEST_CASE("no lanes give no rows and gradients of zero") {
    GruLayer<float> layer(3, 4);
    layer.initialise(1);
    GruRecord<float> record;
    CHECK(layer.forward(Eigen::MatrixXf(0, 3), Eigen::MatrixXf(0, 4), record).rows() == 0);
    const auto g = layer.backward(Eigen::MatrixXf(0, 4), record);
    CHECK(g.d_x.rows() == 0);
    CHECK(g.d_w_hidden.isZero(0));
    CHECK(g.d_bias.size() == 12);
}

TEST_CASE("matrices of any storage order go in, and the activation is the one asked for") {
    naive::Engine engine(5);
    GruLayer<double> layer(3, 4, {ActivationKind::leaky, 0.25});
    layer.w_input() = random_matrix(12, 3, engine);
    const Eigen::MatrixXd x = random_matrix(2, 3, engine);
    const Eigen::MatrixXd h = Eigen::MatrixXd::Zero(2, 4);
    const Eigen::MatrixXd sums = x * layer.w_input().transpose();
    const Eigen::MatrixXd c = (sums.leftCols(4).array() > 0).select(sums.leftCols(4), 0.25 * sums.leftCols(4));
    const Eigen::MatrixXd z = (1 / (1 + (-sums.rightCols(4)).array().exp())).matrix();
    CHECK(difference(layer.forward(x, h), z.cwiseProduct(c)) < 1e-14);
    const gru4rec::RowMatrix<double> x_rows = x;
    CHECK(layer.forward(x_rows, h) == layer.forward(x, h));
    CHECK(layer.forward(x.block(1, 0, 1, 3), h.topRows(1)) == layer.forward(x, h).bottomRows(1));
}

TEST_CASE_TEMPLATE("initial weights are uniform within the bound of their gate, and depend on the seed alone", Cell,
                   ResetBefore, ResetAfter) {
    GruLayer<double, Cell> layer(30, 40);
    GruLayer<double, Cell> again(30, 40);
    layer.initialise(7);
    again.initialise(7);
    CHECK(layer.w_input() == again.w_input());
    CHECK(layer.w_hidden() == again.w_hidden());
    const double bound = std::sqrt(6.0 / 70);
    CHECK(layer.w_input().cwiseAbs().maxCoeff() <= bound);
    CHECK(layer.w_input().cwiseAbs().maxCoeff() > 0.99 * bound);
    CHECK(layer.w_hidden().cwiseAbs().maxCoeff() <= std::sqrt(6.0 / 80));
    CHECK(layer.w_hidden().cwiseAbs().maxCoeff() > 0.98 * std::sqrt(6.0 / 80));
    again.initialise(8);
    CHECK(layer.w_input() != again.w_input());
    if constexpr (std::is_same_v<Cell, ResetBefore>) {
        layer.bias().setOnes();
        layer.initialise(7);
        CHECK(layer.bias().isZero(0));
    }
}

TEST_CASE("the weights of a model's layer are seen by name and copied into a layer") {
    Hyperparameters p;
    p.layers = {5, 4};
    p.hidden_act = {ActivationKind::relu};
    Model<double> model(p, three_items(), {3, 2, 1}, 11);
    CHECK(model.network().layer(0).w_input().rows() == 15);
    CHECK(model.network().layer(0).w_input().cols() == 4);  // a shared embedding has the width of the last layer
    CHECK(model.network().layer(1).w_gates().rows() == 8);
    CHECK(model.network().layer(1).w_gates().cols() == 4);
    CHECK(model.network().layer(1).w_input().cols() == 5);
    model.network().layer(1).bias()(2) = 0.5;
    for (const auto& tensor : model.tensors()) {
        if (tensor.name == "G.1.Bh") {
            CHECK(tensor(2, 0) == 0.5);
        }
        if (tensor.name == "G.1.Wrz") {  // (H, 2H) in the file
            CHECK(tensor(1, 6) == model.network().layer(1).w_gates()(6, 1));
        }
    }
    const Model<double>& trained = model;
    const GruLayer<double> layer(trained.network().layer(1));
    CHECK(layer.w_hidden() == trained.network().layer(1).w_hidden());
    CHECK(layer.bias()(2) == 0.5);
    // relu, as the model: with z = 1/2 and h = 0, h' = relu(c) / 2 >= 0
    naive::Engine engine(6);
    GruLayer<double> positive(layer);
    positive.w_gates().setZero();
    CHECK(positive.forward(random_matrix(20, 5, engine), Eigen::MatrixXd::Zero(20, 4)).minCoeff() >= 0);
    CHECK(complaint([&] { static_cast<void>(trained.network().layer(2)); }) ==
          "gru4rec: layer = 2, must satisfy 0 <= layer < 2");
    CHECK(complaint([&] { static_cast<void>(trained.network().layer<ResetAfter>(0)); }) ==
          "gru4rec: the weights of a ResetAfter layer were asked for, but the model has another gru_variant");
}

TEST_CASE("a layer with two inputs cannot be copied") {
    Hyperparameters p;
    p.layers = {5, 4};
    p.constrained_embedding = false;
    p.deep_input = true;
    const Model<double> model(p, three_items(), {3, 2, 1});
    CHECK(GruLayer<double>(model.network().layer(0)).is_one_hot());
    CHECK(complaint([&] { GruLayer<double> layer(model.network().layer(1)); }).find("has two inputs") !=
          std::string::npos);
}

TEST_CASE("wrong shapes are named with what was given and what is right") {
    const GruLayer<float> layer(3, 8);
    GruRecord<float> record;
    const auto zeros = [](Index rows, Index cols) { return Eigen::MatrixXf::Zero(rows, cols).eval(); };
    CHECK(complaint([&] { static_cast<void>(layer.forward(zeros(5, 4), zeros(5, 8), record)); }) ==
          "gru4rec: x is (5, 4), must be (M, E) = (5, 3)");
    CHECK(complaint([&] { static_cast<void>(layer.forward(zeros(5, 3), zeros(5, 7), record)); }) ==
          "gru4rec: h is (5, 7), must be (M, H) = (5, 8)");
    CHECK(complaint([&] { static_cast<void>(layer.forward(zeros(5, 3), zeros(4, 8), record)); }) ==
          "gru4rec: h is (4, 8), must be (M, H) = (5, 8)");
    CHECK(complaint([&] { static_cast<void>(layer.backward(zeros(5, 8), record)); }) ==
          "gru4rec: the record holds no step of a layer of this shape: call forward with it first");
    static_cast<void>(layer.forward(zeros(5, 3), zeros(5, 8), record));
    CHECK(complaint([&] { static_cast<void>(layer.backward(zeros(6, 8), record)); }) ==
          "gru4rec: d_h_new is (6, 8), must be (M, H) = (5, 8)");
    const GruLayer<float> wider(3, 9);
    CHECK(complaint([&] { static_cast<void>(wider.backward(zeros(5, 9), record)); }).find("no step") !=
          std::string::npos);
    CHECK(complaint([] { GruLayer<float> empty(3, 0); }) == "gru4rec: units = 0, must satisfy units >= 1");
    CHECK(complaint([] { GruLayer<float> negative(-1, 3); }) ==
          "gru4rec: input_width = -1, must satisfy input_width >= 0");
    constexpr Index largest = (std::numeric_limits<Index>::max)();
    const std::string bound = sizeof(Index) == sizeof(std::int64_t) ? "2147483648" : "32768";
    CHECK(complaint([] { GruLayer<float> wide(largest, 2); }) ==
          "gru4rec: input_width = " + std::to_string(largest) + ", must satisfy input_width < " + bound);
    CHECK(complaint([] { GruLayer<float, ResetAfter> tall(3, largest / 3 + 1); }) ==
          "gru4rec: units = " + std::to_string(largest / 3 + 1) + ", must satisfy units < " + bound);
}
