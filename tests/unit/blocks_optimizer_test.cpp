#include "gru4rec/blocks/optimizer.hpp"

#include "support/eigen_matrices.hpp"
#include "support/items_of.hpp"
#include "support/naive/optimisers.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::Optimizer;
using gru4rec::OptimizerRule;
using gru4rec::RowMatrix;
using gru4rec::SparseGradient;
using gru4rec::StepSize;

/// A user's rule: the sign of the momentum of the gradient, m = b m + (1 - b) g.
template <class Scalar>
struct SignOfMean {
    static constexpr int n_state = 1;
    static constexpr bool counts_updates = false;
    Scalar b = Scalar(0.5);

    template <class V>
    [[nodiscard]] V step(V g, V* state, const V*) const {
        state[0] = V(b) * state[0] + V(1 - b) * g;
        return select(state[0] > V(0), V(1), V(-1));
    }
};

/// A user's rule that counts: the n-th step is g / n, then g / n^2 is kept.
struct Decaying {
    static constexpr int n_state = 1;
    static constexpr bool counts_updates = true;

    [[nodiscard]] std::array<double, 2> factors(std::uint32_t n) const { return {1.0 / n, 1.0 / (n * n)}; }

    template <class V>
    [[nodiscard]] V step(V g, V* state, const V* factors) const {
        state[0] = g * factors[1];
        return g * factors[0];
    }
};

struct NoStep {
    static constexpr int n_state = 0;
    static constexpr bool counts_updates = false;
};

struct TooMuchState : SignOfMean<double> {
    static constexpr int n_state = 3;
};

struct NoFactors {
    static constexpr int n_state = 0;
    static constexpr bool counts_updates = true;

    template <class V>
    [[nodiscard]] V step(V g, V*, const V*) const {
        return g;
    }
};

struct ReturnsNumber {
    static constexpr int n_state = 0;
    static constexpr bool counts_updates = false;

    template <class V>
    [[nodiscard]] double step(V, V*, const V*) const {
        return 0;
    }
};

static_assert(OptimizerRule<gru4rec::Sgd<float>, float>);
static_assert(OptimizerRule<gru4rec::Adagrad<double>, double>);
static_assert(OptimizerRule<gru4rec::Adam<float>, float>);
static_assert(OptimizerRule<SignOfMean<double>, double>);
static_assert(OptimizerRule<Decaying, double>);
static_assert(!OptimizerRule<Decaying, float>);  // its factors are doubles
static_assert(!OptimizerRule<NoStep, double>);
static_assert(!OptimizerRule<TooMuchState, double>);
static_assert(!OptimizerRule<NoFactors, double>);
static_assert(!OptimizerRule<ReturnsNumber, double>);

template <class Scalar>
Optimizer<Scalar> make(naive::Rule rule, const StepSize<Scalar>& size) {
    switch (rule) {
        case naive::Rule::sgd: return Optimizer<Scalar>(gru4rec::Sgd<Scalar>{}, size);
        case naive::Rule::adagrad: return Optimizer<Scalar>(gru4rec::Adagrad<Scalar>{}, size);
        case naive::Rule::rmsprop: return Optimizer<Scalar>(gru4rec::RmsProp<Scalar>{Scalar(0.75)}, size);
        case naive::Rule::adadelta: return Optimizer<Scalar>(gru4rec::Adadelta<Scalar>{Scalar(0.5)}, size);
        case naive::Rule::adam: break;
    }
    return Optimizer<Scalar>(gru4rec::Adam<Scalar>{0.75, 0.875}, size);
}

naive::Settings twin_settings(naive::Rule rule) {
    naive::Settings settings;
    settings.adapt = rule;
    settings.momentum = 0.25;
    settings.lmbd = 0.03125;
    settings.adapt_params = rule == naive::Rule::adam      ? std::vector<double>{0.75, 0.875}
                            : rule == naive::Rule::rmsprop ? std::vector<double>{0.75}
                                                           : std::vector<double>{0.5};
    return settings;
}

/// Some of the items, in no order, each once.
std::vector<ItemIndex> some_items(Index n_items, naive::Engine& engine) {
    std::vector<ItemIndex> items;
    for (Index i = n_items; i-- > 0;) {
        if (naive::uniform(engine) < 0.5) {
            items.push_back(gru4rec::to_item(i));
        }
    }
    return items;
}

template <class Scalar>
constexpr double tolerance = std::is_same_v<Scalar, double> ? 1e-13 : 1e-4;

}  // namespace

TEST_CASE_TEMPLATE("every rule on Eigen matrices is the naive twin, dense and by rows", Scalar, double, float) {
    naive::Engine engine(1);
    for (const auto rule :
         {naive::Rule::sgd, naive::Rule::adagrad, naive::Rule::rmsprop, naive::Rule::adadelta, naive::Rule::adam}) {
        CAPTURE(static_cast<int>(rule));
        const naive::Settings settings = twin_settings(rule);
        Optimizer<Scalar> optimizer = make<Scalar>(rule, {Scalar(0.125), Scalar(0.25), Scalar(0.03125)});
        const Eigen::MatrixXd start = random_matrix(13, 19, engine);
        Eigen::MatrixX<Scalar> columns = start.template cast<Scalar>();  // Eigen's default order
        RowMatrix<Scalar> rows = start.template cast<Scalar>();
        naive::Matrix twin_dense = to_naive(columns);
        naive::Matrix twin_sparse = to_naive(rows);
        naive::RuleState dense_state(twin_dense);
        naive::RuleState sparse_state(twin_sparse);
        auto state = optimizer.state_for(columns);
        auto row_state = optimizer.state_for(rows);
        for (int step = 0; step < 4; ++step) {
            const double rate = step < 2 ? 0.125 : 0.0625;
            optimizer.set_learning_rate(static_cast<Scalar>(rate));
            const Eigen::MatrixXd g = random_matrix(13, 19, engine);
            optimizer.update(columns, g.template cast<Scalar>(), state);
            SparseGradient<Scalar> sparse{some_items(13, engine), {}};
            sparse.rows.resize(static_cast<Index>(sparse.items.size()), 19);
            for (std::size_t i = 0; i < sparse.items.size(); ++i) {
                sparse.rows.row(static_cast<Index>(i)) = g.row(to_index(sparse.items[i])).template cast<Scalar>();
            }
            optimizer.update(rows, sparse, row_state);
            for (std::size_t i = 0; i < 13; ++i) {
                update_row(settings, rate, twin_dense, to_naive(g), dense_state, i);
            }
            for (const ItemIndex item : sparse.items) {
                update_row(settings, rate, twin_sparse, to_naive(g), sparse_state, static_cast<std::size_t>(item));
            }
            CHECK(difference(columns, from_naive(twin_dense)) < tolerance<Scalar>);
            CHECK(difference(rows, from_naive(twin_sparse)) < tolerance<Scalar>);
        }
    }
}

TEST_CASE("a rule of one's own is applied, with its state and counts") {
    Optimizer<double> sign(SignOfMean<double>{}, {.learning_rate = 0.5});
    Eigen::MatrixXd p = Eigen::MatrixXd::Zero(2, 3);
    auto state = sign.state_for(p);
    Eigen::MatrixXd g(2, 3);
    g << 4, -4, 1, 2, -1, 3;
    sign.update(p, g, state);
    CHECK(p.row(0) == Eigen::RowVector3d(-0.5, 0.5, -0.5));
    CHECK(state.n_numbers() == 1);
    CHECK(state.number(0) == g / 2);
    sign.update(p, -g / 4, state);  // m = g / 4 - g / 8: the sign stays
    CHECK(p.row(0) == Eigen::RowVector3d(-1, 1, -1));

    Optimizer<double> decaying(Decaying{}, {.learning_rate = 1});
    Eigen::MatrixXd q = Eigen::MatrixXd::Zero(2, 1);
    auto counts = decaying.state_for(q);
    for (int n = 0; n < 3; ++n) {
        decaying.update(q, SparseGradient<double>{items_of({1}), RowMatrix<double>::Ones(1, 1)}, counts);
    }
    CHECK(q(0) == 0);
    CHECK(q(1) == doctest::Approx(-1 - 1.0 / 2 - 1.0 / 3).epsilon(1e-15));
    CHECK(counts.number(0)(1, 0) == doctest::Approx(1.0 / 9).epsilon(1e-15));
}

TEST_CASE("row vectors, blocks and views of a layer's weights are updated in place") {
    Optimizer<float> optimizer(gru4rec::Sgd<float>{}, {.learning_rate = 1});
    Eigen::RowVectorXf bias = Eigen::RowVectorXf::Zero(5);
    auto bias_state = optimizer.state_for(bias);
    optimizer.update(bias, Eigen::RowVectorXf::Constant(5, 2), bias_state);
    CHECK(bias == Eigen::RowVectorXf::Constant(5, -2));
    Eigen::MatrixXf table = Eigen::MatrixXf::Zero(4, 6);
    auto state = optimizer.state_for(table.leftCols(5));
    optimizer.update(table.leftCols(5), SparseGradient<float>{items_of({2}), RowMatrix<float>::Ones(1, 5)}, state);
    CHECK(table.row(2) == (Eigen::RowVectorXf(6) << -1, -1, -1, -1, -1, 0).finished());
    CHECK(table.row(1).isZero(0));
    optimizer.update(table.leftCols(5), SparseGradient<float>{}, state);
    CHECK(table.sum() == -5);
}

TEST_CASE("a weight that the caller changes is seen by the next update") {
    Optimizer<double> optimizer(gru4rec::Sgd<double>{}, {.learning_rate = 1, .lmbd = 0.5});
    RowMatrix<double> p = RowMatrix<double>::Constant(2, 2, 4);
    auto state = optimizer.state_for(p);
    const SparseGradient<double> zero{items_of({0}), RowMatrix<double>::Zero(1, 2)};
    optimizer.update(p, zero, state);
    CHECK(p(0, 0) == 2);
    p.setConstant(8);
    optimizer.update(p, zero, state);
    CHECK(p(0, 0) == 4);
    CHECK(p(1, 0) == 8);
}

TEST_CASE("state, gradient and weights must fit each other") {
    Optimizer<double> optimizer(gru4rec::Adagrad<double>{}, {.learning_rate = 0.1});
    RowMatrix<double> p = RowMatrix<double>::Zero(4, 3);
    auto state = optimizer.state_for(p);
    const auto run = [&](const auto& gradient) { return complaint([&] { optimizer.update(p, gradient, state); }); };
    CHECK(run(RowMatrix<double>::Zero(4, 3)) == "");
    CHECK(run(RowMatrix<double>::Zero(3, 3)) ==
          "gru4rec: gradient is (3, 3), must be the shape of the weights = (4, 3)");
    CHECK(run(SparseGradient<double>{items_of({1}), RowMatrix<double>::Zero(1, 2)}) ==
          "gru4rec: SparseGradient::rows is (1, 2), must be (items, columns of the weights) = (1, 3)");
    CHECK(run(SparseGradient<double>{items_of({1, 4}), RowMatrix<double>::Zero(2, 3)}) ==
          "gru4rec: item = 4, must satisfy 0 <= item < 4, the rows of the table");
    CHECK(run(SparseGradient<double>{items_of({1, 2, 1}), RowMatrix<double>::Zero(3, 3)}) ==
          "gru4rec: a SparseGradient has item 1 twice: add its rows up first, as merged and gather_gradient do");
    RowMatrix<double> other = RowMatrix<double>::Zero(5, 3);
    CHECK(complaint([&] { optimizer.update(other, other, state); }) ==
          "gru4rec: weights is (5, 3), must be the shape of the state = (4, 3)");
    Optimizer<double> adam(gru4rec::Adam<double>{}, {.learning_rate = 0.1});
    Optimizer<double> heavy(gru4rec::Adagrad<double>{}, {.learning_rate = 0.1, .momentum = 0.5});
    for (Optimizer<double>* const wrong : {&adam, &heavy}) {
        CHECK(complaint([&] { wrong->update(p, p, state); }) ==
              "gru4rec: the state is that of another rule or of another momentum: make it with state_for of this "
              "optimiser");
    }
    // As many numbers for each weight, but no counts.
    auto uncounted = Optimizer<double>(gru4rec::Adadelta<double>{}).state_for(p);
    CHECK(complaint([&] { adam.update(p, p, uncounted); }).find("that of another rule") != std::string::npos);
    auto counted = adam.state_for(p);
    CHECK(complaint([&] {
              Optimizer<double>(gru4rec::Adadelta<double>{}).update(p, p, counted);
          }).find("that of another rule") != std::string::npos);
    RowMatrix<double> no_rows(0, 3);
    for (Optimizer<double>* const any : {&optimizer, &adam, &heavy}) {
        auto empty = any->state_for(no_rows);
        CHECK(complaint([&] { any->update(no_rows, no_rows, empty); }) == "");
    }
}
