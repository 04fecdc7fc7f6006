#include "gru4rec/optim/update.hpp"

#include "support/naive/optimisers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using gru4rec::AnyRule;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::LastColumn;
using gru4rec::Learned;
using gru4rec::Optimizer;
using gru4rec::StepSize;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::Parameter;

std::vector<ItemIndex> items(const std::vector<int>& numbers) {
    std::vector<ItemIndex> result;
    for (const int number : numbers) {
        result.push_back(gru4rec::to_item(number));
    }
    return result;
}

/// Ready gradients, one padded row each, all of one value.
template <class Scalar>
class ReadyRows {
  public:
    ReadyRows(std::size_t count, Index width, Scalar value) : values_(static_cast<Index>(count), width) {
        for (std::size_t j = 0; j < count; ++j) {
            std::fill_n(values_.row(static_cast<Index>(j)), width, value);
            rows_.push_back(values_.row(static_cast<Index>(j)));
        }
    }

    void update(Optimizer<Scalar>& optimizer, Learned<Scalar>& learned, const std::vector<int>& numbers) {
        const auto of = items(numbers);
        optimizer.update(learned, gru4rec::RowGradients<Scalar>{static_cast<Index>(rows_.size()), values_.cols(),
                                                                of.data(), rows_.data()});
    }

  private:
    Parameter<Scalar> values_;
    std::vector<const Scalar*> rows_;
};

template <class Scalar>
void update_rows(Optimizer<Scalar>& optimizer, Learned<Scalar>& learned, const std::vector<int>& numbers,
                 Scalar gradient, Index width) {
    ReadyRows<Scalar>(numbers.size(), width, gradient).update(optimizer, learned, numbers);
}

template <class Scalar>
Parameter<Scalar> filled(Index rows, Index cols, Scalar value) {
    Parameter<Scalar> result(rows, cols);
    for (Index r = 0; r < rows; ++r) {
        std::fill_n(result.row(r), cols, value);
    }
    return result;
}

const std::vector<AnyRule<double>> all_rules = {gru4rec::Sgd<double>{}, gru4rec::Adagrad<double>{},
                                                gru4rec::RmsProp<double>{0.8}, gru4rec::Adadelta<double>{0.7},
                                                gru4rec::Adam<double>{0.8, 0.9}};

naive::Settings twin_settings(std::size_t rule, const StepSize<double>& size) {
    naive::Settings settings;
    settings.adapt = std::vector<naive::Rule>{naive::Rule::sgd, naive::Rule::adagrad, naive::Rule::rmsprop,
                                              naive::Rule::adadelta, naive::Rule::adam}[rule];
    settings.adapt_params = std::vector<std::vector<double>>{{}, {}, {0.8}, {0.7}, {0.8, 0.9}}[rule];
    settings.momentum = size.momentum;
    settings.lmbd = size.lmbd;
    return settings;
}

}  // namespace

TEST_CASE("momentum and weight decay are a heavy ball: v = m v - lr (step + l p), p += v") {
    Parameter<double> p = filled<double>(1, 3, 1.0);
    Optimizer<double> optimizer(gru4rec::Sgd<double>{}, {0.1, 0.5, 0.01});
    auto learned = optimizer.learn(p);
    update_rows(optimizer, learned, {0}, 2.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.799).epsilon(1e-14));  // v = -.1 (2 + .01)
    update_rows(optimizer, learned, {0}, 1.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.597701).epsilon(1e-14));  // v = -.1005 - .1 (1 + .00799)
    update_rows(optimizer, learned, {0}, 0.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.496453799).epsilon(1e-14));  // v = -.1006495 - .1 .00597701
    CHECK(p.row(0)[0] == p.row(0)[2]);
}

TEST_CASE("momentum and decay act on the step of the rule, not on the gradient") {
    Parameter<double> p = filled<double>(1, 1, 2.0);
    Optimizer<double> optimizer(gru4rec::Adagrad<double>{}, {0.1, 0.5, 0.01});
    auto learned = optimizer.learn(p);
    update_rows(optimizer, learned, {0}, 3.0, 1);
    const double v1 = -0.1 * (3 / std::sqrt(9.000001) + 0.02);
    CHECK(p.row(0)[0] == doctest::Approx(2 + v1).epsilon(1e-14));
    update_rows(optimizer, learned, {0}, 4.0, 1);
    const double v2 = 0.5 * v1 - 0.1 * (4 / std::sqrt(25.000001) + 0.01 * (2 + v1));
    CHECK(p.row(0)[0] == doctest::Approx(2 + v1 + v2).epsilon(1e-14));
}

TEST_CASE("a changed learning rate holds for the next update, and the old velocity is not scaled again") {
    Parameter<double> p = filled<double>(1, 2, 0.0);
    Optimizer<double> optimizer(gru4rec::Sgd<double>{}, {0.5, 0.5, 0});
    auto learned = optimizer.learn(p);
    update_rows(optimizer, learned, {0}, 1.0, 2);
    optimizer.set_learning_rate(0.25);
    update_rows(optimizer, learned, {0}, 1.0, 2);
    CHECK(p.row(0)[0] == -0.5 - 0.25 - 0.25);
}

TEST_CASE("only the rows of a step change; with momentum the others do not move on either") {
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        CAPTURE(rule);
        Parameter<double> p = filled<double>(6, 5, 0.7);
        Optimizer<double> optimizer(all_rules[rule], {0.1, 0.9, 0.1});
        auto learned = optimizer.learn(p);
        update_rows(optimizer, learned, {4, 1}, 0.3, 5);
        const double moved = p.row(1)[0];
        CHECK(moved != 0.7);
        update_rows(optimizer, learned, {4, 5}, 0.3, 5);
        CHECK(p.row(1)[0] == moved);
        CHECK(p.row(4)[0] != moved);
        CHECK(p.row(5)[0] == moved);  // its first step is row 1's first step
        for (const Index untouched : {Index{0}, Index{2}, Index{3}}) {
            CHECK(std::all_of(p.row(untouched), p.row(untouched) + 5, [](double v) { return v == 0.7; }));
        }
        CHECK(std::all_of(p.row(4) + 5, p.row(4) + p.stride(), [](double v) { return v == 0; }));
    }
}

TEST_CASE("a row of a table is the dense rule run on the steps that touch it, adam's corrections too") {
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        for (const StepSize<double> size : {StepSize<double>{0.1, 0, 0}, StepSize<double>{0.1, 0.4, 0.05}}) {
            CAPTURE(rule);
            const naive::Settings settings = twin_settings(rule, size);
            Parameter<double> table = filled<double>(5, 9, 0.25);
            Optimizer<double> optimizer(all_rules[rule], size);
            auto learned = optimizer.learn(table);
            naive::Matrix twin(5, 1, 0.25);
            naive::RuleState state(twin);
            naive::Engine engine(3);
            for (const std::vector<int>& touched : {std::vector<int>{0, 2}, {2}, {2, 4, 0}, {1}, {4, 2, 1}, {2}}) {
                const double gradient = naive::uniform(engine) - 0.4;
                update_rows(optimizer, learned, touched, gradient, 9);
                for (const int row : touched) {
                    const auto r = static_cast<std::size_t>(row);
                    naive::update_row(settings, size.learning_rate, twin, naive::Matrix(5, 1, gradient), state, r);
                }
            }
            for (std::size_t r = 0; r < 5; ++r) {
                for (Index c = 0; c < 9; ++c) {
                    CHECK(table.row(static_cast<Index>(r))[c] == doctest::Approx(twin(r, 0)).epsilon(1e-13));
                }
            }
        }
    }
}

TEST_CASE("a gradient that does not cover the bias leaves it, its memory and its count alone") {
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        for (const Index width : {Index{1}, Index{3}, Index{4}, Index{7}, Index{8}, Index{9}, Index{16}}) {
            CAPTURE(rule);
            CAPTURE(width);
            const StepSize<double> size{0.1, 0.6, 0.05};
            const naive::Settings settings = twin_settings(rule, size);
            Parameter<double> table = filled<double>(3, width + 1, 0.25);
            Optimizer<double> optimizer(all_rules[rule], size);
            auto learned = optimizer.learn(table, LastColumn::bias);
            naive::Matrix weight(3, 1, 0.25), bias(3, 1, 0.25);
            naive::RuleState of_weight(weight), of_bias(bias);
            double gradient = 0.8;
            for (const bool with_bias : {true, false, false, true, false, true}) {
                gradient -= 0.3;
                update_rows(optimizer, learned, {1}, gradient, with_bias ? width + 1 : width);
                naive::update_row(settings, 0.1, weight, naive::Matrix(3, 1, gradient), of_weight, 1);
                if (with_bias) {
                    naive::update_row(settings, 0.1, bias, naive::Matrix(3, 1, gradient), of_bias, 1);
                }
                CHECK(table.row(1)[0] == doctest::Approx(weight(1, 0)).epsilon(1e-13));
                CHECK(table.row(1)[width - 1] == doctest::Approx(weight(1, 0)).epsilon(1e-13));
                CHECK(table.row(1)[width] == doctest::Approx(bias(1, 0)).epsilon(1e-13));
            }
            CHECK(table.row(0)[width] == 0.25);
            CHECK(table.row(2)[0] == 0.25);
        }
    }
}

TEST_CASE_TEMPLATE("an outer product plus a ready row is multiplied out for the rows that are named", Scalar, float,
                   double) {
    // Whole numbers: exact in any order.
    for (const Index n_lanes : {Index{1}, Index{3}, Index{17}}) {
        for (const Index width : {Index{1}, Index{7}, Index{16}, Index{37}}) {
            CAPTURE(n_lanes);
            CAPTURE(width);
            const Index count = 29;
            Parameter<Scalar> table = filled<Scalar>(60, width, Scalar(5));
            Parameter<Scalar> x(n_lanes, width);
            const Index stride = gru4rec::detail::row_stride<Scalar>(n_lanes);
            AlignedBuffer<Scalar> d(stride * count);
            for (Index m = 0; m < n_lanes; ++m) {
                for (Index k = 0; k < width; ++k) {
                    x.row(m)[k] = static_cast<Scalar>((m * 3 + k) % 5 - 2);
                }
                for (Index j = 0; j < count; ++j) {
                    d[j * stride + m] = static_cast<Scalar>((m + 2 * j) % 7 - 3);
                }
            }
            std::vector<ItemIndex> rows;
            for (Index j = 0; j < count; ++j) {
                rows.push_back(gru4rec::to_item((j * 7 + 3) % 60));
            }
            Parameter<Scalar> extra = filled<Scalar>(2, width, Scalar(11));
            std::vector<const Scalar*> extras(static_cast<std::size_t>(count), nullptr);
            extras[4] = extra.row(0);
            extras[28] = extra.row(1);
            Optimizer<Scalar> optimizer(gru4rec::Sgd<Scalar>{}, {1, 0, 0});
            auto learned = optimizer.learn(table);
            optimizer.update(
                learned, gru4rec::OuterGradients<Scalar>{
                             count, rows.data(), {d.data(), stride}, {x.data(), x.stride()}, n_lanes, extras.data()});
            std::vector<bool> touched(60, false);
            for (Index j = 0; j < count; ++j) {
                const Index row = gru4rec::to_index(rows[static_cast<std::size_t>(j)]);
                touched[static_cast<std::size_t>(row)] = true;
                for (Index k = 0; k < width; ++k) {
                    Scalar gradient = extras[static_cast<std::size_t>(j)] != nullptr ? Scalar(11) : Scalar(0);
                    for (Index m = 0; m < n_lanes; ++m) {
                        gradient += d[j * stride + m] * x.row(m)[k];
                    }
                    CHECK(table.row(row)[k] == Scalar(5) - gradient);
                }
            }
            for (Index row = 0; row < 60; ++row) {
                if (!touched[static_cast<std::size_t>(row)]) {
                    CHECK(std::all_of(table.row(row), table.row(row) + width, [](Scalar v) { return v == 5; }));
                }
            }
        }
    }
}
