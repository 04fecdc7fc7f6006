#include "gru4rec/optim/update.hpp"

#include "support/naive/matrix.hpp"
#include "support/naive/optimisers.hpp"
#include "support/random_outer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using gru4rec::AnyRule;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::StepSize;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::LastColumn;
using gru4rec::detail::OptimizedParameter;
using gru4rec::detail::OuterGradients;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::RowGradients;
using gru4rec::detail::RowOptimizer;

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

    void update(RowOptimizer<Scalar>& optimizer, OptimizedParameter<Scalar>& optimized,
                const std::vector<int>& numbers) {
        const auto of = items(numbers);
        optimizer.update(
            optimized, RowGradients<Scalar>{static_cast<Index>(rows_.size()), values_.cols(), of.data(), rows_.data()});
    }

  private:
    PaddedMatrix<Scalar> values_;
    std::vector<const Scalar*> rows_;
};

template <class Scalar>
void update_rows(RowOptimizer<Scalar>& optimizer, OptimizedParameter<Scalar>& optimized,
                 const std::vector<int>& numbers, Scalar gradient, Index width) {
    ReadyRows<Scalar>(numbers.size(), width, gradient).update(optimizer, optimized, numbers);
}

template <class Scalar>
PaddedMatrix<Scalar> filled(Index rows, Index cols, Scalar value) {
    PaddedMatrix<Scalar> result(rows, cols);
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

/// One rule on one parameter, whose gradients come as outer products and as rows in turn.
struct Scene {
    std::size_t rule = 0;
    StepSize<double> size;
    Index n_lanes = 1;
    Index width = 1;  ///< with the bias
    LastColumn last = LastColumn::weight;
};

/// A parameter beside the naive twin's.
template <class Scalar>
class BesideTwin {
  public:
    static constexpr Index n_rows = 41;

    explicit BesideTwin(const Scene& scene)
        : scene_(scene),
          optimizer_(rule(scene.rule),
                     {static_cast<Scalar>(scene.size.learning_rate), static_cast<Scalar>(scene.size.momentum),
                      static_cast<Scalar>(scene.size.lmbd)}),
          table_(n_rows, scene.width),
          optimized_(optimizer_.add(table_, scene.last)),
          weights_(static_cast<std::size_t>(n_rows), static_cast<std::size_t>(scene.width)),
          bias_(static_cast<std::size_t>(n_rows), 1),
          weights_state_(weights_),
          bias_state_(bias_) {
        for (Index r = 0; r < n_rows; ++r) {
            for (Index c = 0; c < scene.width; ++c) {
                table_.row(r)[c] = static_cast<Scalar>(whole_number(engine_)) / 4;
                at(r, c) = static_cast<double>(table_.row(r)[c]);
            }
        }
    }

    /// Outer products for some rows, every third of them with a ready row on top; exact, as all numbers are whole.
    void update_outer(double scale, bool by_item) {
        const auto rows = some_rows(by_item);
        const auto count = static_cast<Index>(rows.size());
        RandomOuter<Scalar> outer({scene_.n_lanes, count, scene_.width}, engine_, whole_number);
        RandomOuter<Scalar> ready({1, 1, scene_.width}, engine_, whole_number);
        std::vector<const Scalar*> extra(rows.size(), nullptr);
        for (std::size_t j = 0; j < rows.size(); j += 3) {
            extra[j] = ready.x.row(0);
        }
        optimizer_.update(optimized_,
                          OuterGradients<Scalar>{.count = count,
                                                 .items = by_item ? rows.data() : nullptr,
                                                 .factors = outer.factors(),
                                                 .extra = extra.data()},
                          static_cast<Scalar>(scale));
        for (Index j = 0; j < count; ++j) {
            for (Index k = 0; k < scene_.width; ++k) {
                const double start = j % 3 == 0 ? static_cast<double>(ready.x.row(0)[k]) : 0;
                gradient_at(rows, j, k) = scale * (start + outer.sum(j, k));
            }
        }
        update_twin(rows, scene_.width);
    }

    /// Ready rows, without the bias if the parameter has one.
    void update_rows(double scale, bool by_item) {
        const auto rows = some_rows(by_item);
        const Index width = scene_.last == LastColumn::bias ? scene_.width - 1 : scene_.width;
        RandomOuter<Scalar> ready({static_cast<Index>(rows.size()), 1, width}, engine_, whole_number);
        std::vector<const Scalar*> gradient;
        for (Index j = 0; j < ready.n_lanes; ++j) {
            gradient.push_back(ready.x.row(j));
        }
        optimizer_.update(optimized_,
                          RowGradients<Scalar>{ready.n_lanes, width, by_item ? rows.data() : nullptr, gradient.data()},
                          static_cast<Scalar>(scale));
        for (Index j = 0; j < ready.n_lanes; ++j) {
            for (Index k = 0; k < width; ++k) {
                gradient_at(rows, j, k) = scale * static_cast<double>(ready.x.row(j)[k]);
            }
        }
        update_twin(rows, width);
    }

    [[nodiscard]] double largest_error() {
        double worst = 0;
        for (Index r = 0; r < n_rows; ++r) {
            for (Index c = 0; c < scene_.width; ++c) {
                const double expected = at(r, c);
                const double error = std::abs(static_cast<double>(table_.row(r)[c]) - expected);
                worst = std::max(worst, error / std::max(1.0, std::abs(expected)));
            }
        }
        return worst;
    }

    /// Of the parameter and of all that the optimiser keeps.
    [[nodiscard]] bool padding_is_zero() {
        bool zero = true;
        const auto look_at = [&](const PaddedMatrix<Scalar>& matrix) {
            for (Index r = 0; r < n_rows; ++r) {
                zero = zero && std::all_of(matrix.row(r) + scene_.width, matrix.row(r) + matrix.stride(),
                                           [](Scalar v) { return v == 0; });
            }
        };
        look_at(table_);
        for (const PaddedMatrix<Scalar>& state : optimized_.state()) {
            look_at(state);
        }
        if (!optimized_.velocity().empty()) {
            look_at(optimized_.velocity());
        }
        return zero;
    }

  private:
    [[nodiscard]] static AnyRule<Scalar> rule(std::size_t i) {
        return std::vector<AnyRule<Scalar>>{gru4rec::Sgd<Scalar>{}, gru4rec::Adagrad<Scalar>{},
                                            gru4rec::RmsProp<Scalar>{Scalar(0.8)},
                                            gru4rec::Adadelta<Scalar>{Scalar(0.7)}, gru4rec::Adam<Scalar>{0.8, 0.9}}[i];
    }

    /// Different rows in no order; the first ones if they are not named.
    [[nodiscard]] std::vector<ItemIndex> some_rows(bool by_item) {
        const Index count = 1 + static_cast<Index>(naive::uniform_index(engine_, n_rows - 1));
        const auto first = by_item ? static_cast<Index>(naive::uniform_index(engine_, n_rows)) : 0;
        std::vector<ItemIndex> rows;
        for (Index j = 0; j < count; ++j) {
            rows.push_back(gru4rec::to_item(by_item ? (first + 7 * j) % n_rows : j));
        }
        return rows;
    }

    /// A bias is a weight with a rule of its own.
    [[nodiscard]] bool is_bias(Index c) const { return scene_.last == LastColumn::bias && c == scene_.width - 1; }

    [[nodiscard]] double& at(Index r, Index c) {
        const auto row = static_cast<std::size_t>(r);
        return is_bias(c) ? bias_(row, 0) : weights_(row, static_cast<std::size_t>(c));
    }

    [[nodiscard]] double& gradient_at(const std::vector<ItemIndex>& rows, Index j, Index k) {
        const auto row = static_cast<std::size_t>(gru4rec::to_index(gru4rec::detail::at(rows, j)));
        return is_bias(k) ? bias_gradient_(row, 0) : gradient_(row, static_cast<std::size_t>(k));
    }

    void update_twin(const std::vector<ItemIndex>& rows, Index width) {
        const naive::Settings settings = twin_settings(scene_.rule, scene_.size);
        const double rate = scene_.size.learning_rate;
        const bool with_bias = scene_.last == LastColumn::bias && width == scene_.width;
        for (const ItemIndex item : rows) {
            const auto row = static_cast<std::size_t>(item);
            naive::update_row(settings, rate, weights_, gradient_, weights_state_, row);
            if (with_bias) {
                naive::update_row(settings, rate, bias_, bias_gradient_, bias_state_, row);
            }
        }
    }

    Scene scene_;
    naive::Engine engine_{21};
    RowOptimizer<Scalar> optimizer_;
    PaddedMatrix<Scalar> table_;
    OptimizedParameter<Scalar> optimized_;
    naive::Matrix weights_, bias_;
    naive::RuleState weights_state_, bias_state_;
    naive::Matrix gradient_{static_cast<std::size_t>(n_rows), static_cast<std::size_t>(scene_.width)};
    naive::Matrix bias_gradient_{static_cast<std::size_t>(n_rows), 1};
};

}  // namespace

TEST_CASE_TEMPLATE("every rule, scaled gradients of both kinds, by item or by place: the naive twin's updates", Scalar,
                   float, double) {
    const double allowed = sizeof(Scalar) == 4 ? 2e-5 : 1e-12;
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        for (const StepSize<double> size : {StepSize<double>{0.125, 0, 0}, StepSize<double>{0.0625, 0.5, 0.03125}}) {
            for (const LastColumn last : {LastColumn::weight, LastColumn::bias}) {
                for (const Index width : {Index{2}, Index{9}, Index{17}, Index{35}, Index{129}}) {
                    for (const Index n_lanes : {Index{1}, Index{14}}) {
                        CAPTURE(rule);
                        CAPTURE(size.momentum);
                        CAPTURE(width);
                        CAPTURE(n_lanes);
                        BesideTwin<Scalar> both({rule, size, n_lanes, width, last});
                        both.update_outer(1, true);
                        both.update_rows(1, true);
                        both.update_outer(0.25, false);
                        both.update_rows(0.5, false);
                        both.update_rows(0.125, true);
                        both.update_outer(0.5, true);
                        CHECK(both.largest_error() < allowed);
                        CHECK(both.padding_is_zero());
                    }
                }
            }
        }
    }
}

TEST_CASE("updates that wait have the bits of updates one by one, also beside others; dropped ones are not done") {
    naive::Engine engine(8);
    RandomOuter<double> outer({5, 9, 7}, engine);
    const auto of = [&](Index count) { return OuterGradients<double>{.count = count, .factors = outer.factors()}; };
    // Adam's factors, which are kept for all rows that wait, differ from update to update.
    RowOptimizer<double> optimizer(gru4rec::Adam<double>{}, {0.25, 0.5, 0.125});
    PaddedMatrix<double> tables[4] = {filled<double>(9, 7, 2.0), filled<double>(3, 7, 1.0), filled<double>(9, 7, 2.0),
                                      filled<double>(3, 7, 1.0)};
    std::vector<OptimizedParameter<double>> optimized;
    for (PaddedMatrix<double>& table : tables) {
        optimized.push_back(optimizer.add(table));
    }
    PaddedMatrix<double> other = filled<double>(4, 7, 0.0);
    auto optimized_other = optimizer.add(other);
    ReadyRows<double> ready(2, 7, 0.5);
    for (const double scale : {1.0, 0.25}) {
        optimizer.update(optimized[0], of(9), scale);
        optimizer.update(optimized[1], of(3), scale);
        const auto before = tables[2];
        optimizer.update_later(optimized[2], of(9), scale);
        ready.update(optimizer, optimized_other, {3, 1});
        optimizer.update_later(optimized[3], of(3), scale);
        CHECK(tables[2].map() == before.map());
        optimizer.finish_updates();
        CHECK(tables[2].map() == tables[0].map());
        CHECK(tables[3].map() == tables[1].map());
        CHECK(tables[2].map() != before.map());
    }
    CHECK(other.row(3)[0] != 0);
    CHECK(other.row(3)[0] == other.row(1)[0]);
    optimizer.update_later(optimized[2], of(9), 1);
    optimizer.drop_updates();
    optimizer.finish_updates();
    CHECK(tables[2].map() == tables[0].map());
}

TEST_CASE("an optimised parameter keeps what its rule needs, under fixed names, each of the parameter's shape") {
    using Names = std::vector<std::string>;
    const std::vector<Names> names = {{}, {"state.0"}, {"state.0"}, {"state.0", "state.1"}, {"state.0", "state.1"}};
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        for (const double momentum : {0.0, 0.5}) {
            for (const LastColumn last : {LastColumn::weight, LastColumn::bias}) {
                CAPTURE(rule);
                CAPTURE(momentum);
                PaddedMatrix<double> p(3, 5);
                RowOptimizer<double> optimizer(all_rules[rule], {0.1, momentum, 0});
                auto optimized = optimizer.add(p, last);
                CHECK(&optimized.parameter() == &p);
                CHECK(optimized.bias_column() == (last == LastColumn::bias ? 4 : -1));
                CHECK(optimized.velocity().empty() == (momentum == 0));
                Names expected = names[rule];
                if (momentum != 0) {
                    expected.push_back("velocity");
                }
                if (rule == 4) {
                    expected.push_back("updates");
                    if (last == LastColumn::bias) {
                        expected.push_back("bias_updates");
                    }
                }
                Names found;
                optimized.visit_memory([&]<class Memory>(const std::string& name, const Memory& memory) {
                    found.push_back(name);
                    if constexpr (std::is_same_v<Memory, PaddedMatrix<double>>) {
                        CHECK((memory.rows() == 3 && memory.cols() == 5));
                    } else {
                        CHECK(memory.size() == 3);
                    }
                });
                CHECK(found == expected);
            }
        }
    }
}

TEST_CASE("counts of updates rise one by one from 1 and stop at the largest number") {
    PaddedMatrix<double> p(2, 3);
    RowOptimizer<double> optimizer(gru4rec::Adam<double>{}, {});
    auto optimized = optimizer.add(p, LastColumn::bias);
    CHECK(optimized.count_update(1) == 1);
    CHECK(optimized.count_update(1) == 2);
    CHECK(optimized.count_update(0) == 1);
    CHECK(optimized.count_bias_update(1) == 1);
    optimized.visit_memory([&]<class Memory>(const std::string& name, Memory& memory) {
        if constexpr (std::is_same_v<Memory, AlignedBuffer<std::uint32_t>>) {
            CHECK((name == "updates" ? memory[1] == 2 : memory[1] == 1));
            memory[1] = std::numeric_limits<std::uint32_t>::max() - 1;
        }
    });
    CHECK(optimized.count_update(1) == std::numeric_limits<std::uint32_t>::max());
    CHECK(optimized.count_update(1) == std::numeric_limits<std::uint32_t>::max());
    CHECK(optimized.count_bias_update(1) == std::numeric_limits<std::uint32_t>::max());
}

TEST_CASE("momentum and weight decay are a heavy ball: v = m v - lr (step + l p), p += v") {
    PaddedMatrix<double> p = filled<double>(1, 3, 1.0);
    RowOptimizer<double> optimizer(gru4rec::Sgd<double>{}, {0.1, 0.5, 0.01});
    auto optimized = optimizer.add(p);
    update_rows(optimizer, optimized, {0}, 2.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.799).epsilon(1e-14));  // v = -.1 (2 + .01)
    update_rows(optimizer, optimized, {0}, 1.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.597701).epsilon(1e-14));  // v = -.1005 - .1 (1 + .00799)
    update_rows(optimizer, optimized, {0}, 0.0, 3);
    CHECK(p.row(0)[2] == doctest::Approx(0.496453799).epsilon(1e-14));  // v = -.1006495 - .1 .00597701
    CHECK(p.row(0)[0] == p.row(0)[2]);
}

TEST_CASE("momentum and decay act on the step of the rule, not on the gradient") {
    PaddedMatrix<double> p = filled<double>(1, 1, 2.0);
    RowOptimizer<double> optimizer(gru4rec::Adagrad<double>{}, {0.1, 0.5, 0.01});
    auto optimized = optimizer.add(p);
    update_rows(optimizer, optimized, {0}, 3.0, 1);
    const double v1 = -0.1 * (3 / std::sqrt(9.000001) + 0.02);
    CHECK(p.row(0)[0] == doctest::Approx(2 + v1).epsilon(1e-14));
    update_rows(optimizer, optimized, {0}, 4.0, 1);
    const double v2 = 0.5 * v1 - 0.1 * (4 / std::sqrt(25.000001) + 0.01 * (2 + v1));
    CHECK(p.row(0)[0] == doctest::Approx(2 + v1 + v2).epsilon(1e-14));
}

TEST_CASE("a changed learning rate holds for the next update, and the old velocity is not scaled again") {
    PaddedMatrix<double> p = filled<double>(1, 2, 0.0);
    RowOptimizer<double> optimizer(gru4rec::Sgd<double>{}, {0.5, 0.5, 0});
    auto optimized = optimizer.add(p);
    update_rows(optimizer, optimized, {0}, 1.0, 2);
    optimizer.set_learning_rate(0.25);
    update_rows(optimizer, optimized, {0}, 1.0, 2);
    CHECK(p.row(0)[0] == -0.5 - 0.25 - 0.25);
}

TEST_CASE("only the rows of a step change; with momentum the others do not move on either") {
    for (std::size_t rule = 0; rule < all_rules.size(); ++rule) {
        CAPTURE(rule);
        PaddedMatrix<double> p = filled<double>(6, 5, 0.7);
        RowOptimizer<double> optimizer(all_rules[rule], {0.1, 0.9, 0.1});
        auto optimized = optimizer.add(p);
        update_rows(optimizer, optimized, {4, 1}, 0.3, 5);
        const double moved = p.row(1)[0];
        CHECK(moved != 0.7);
        update_rows(optimizer, optimized, {4, 5}, 0.3, 5);
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
            PaddedMatrix<double> table = filled<double>(5, 9, 0.25);
            RowOptimizer<double> optimizer(all_rules[rule], size);
            auto optimized = optimizer.add(table);
            naive::Matrix twin(5, 1, 0.25);
            naive::RuleState state(twin);
            naive::Engine engine(3);
            for (const std::vector<int>& touched : {std::vector<int>{0, 2}, {2}, {2, 4, 0}, {1}, {4, 2, 1}, {2}}) {
                const double gradient = naive::uniform(engine) - 0.4;
                update_rows(optimizer, optimized, touched, gradient, 9);
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
            PaddedMatrix<double> table = filled<double>(3, width + 1, 0.25);
            RowOptimizer<double> optimizer(all_rules[rule], size);
            auto optimized = optimizer.add(table, LastColumn::bias);
            naive::Matrix weight(3, 1, 0.25), bias(3, 1, 0.25);
            naive::RuleState of_weight(weight), of_bias(bias);
            double gradient = 0.8;
            for (const bool with_bias : {true, false, false, true, false, true}) {
                gradient -= 0.3;
                update_rows(optimizer, optimized, {1}, gradient, with_bias ? width + 1 : width);
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
            PaddedMatrix<Scalar> table = filled<Scalar>(60, width, Scalar(5));
            PaddedMatrix<Scalar> x(n_lanes, width);
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
            PaddedMatrix<Scalar> extra = filled<Scalar>(2, width, Scalar(11));
            std::vector<const Scalar*> extras(static_cast<std::size_t>(count), nullptr);
            extras[4] = extra.row(0);
            extras[28] = extra.row(1);
            RowOptimizer<Scalar> optimizer(gru4rec::Sgd<Scalar>{}, {1, 0, 0});
            auto optimized = optimizer.add(table);
            optimizer.update(
                optimized,
                OuterGradients<Scalar>{
                    count, rows.data(), {{d.data(), stride}, {x.data(), x.stride()}, n_lanes}, extras.data()});
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
