#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/naive/cells.hpp"
#include "support/twin.hpp"

#include "gru4rec/nn/gru.hpp"
#include "gru4rec/optim/update.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {
namespace {

using gru4rec::ResetAfter;
using gru4rec::ResetBefore;
using gru4rec::detail::GruTape;
using gru4rec::detail::LaneGru;
using gru4rec::detail::LayerParameter;
using gru4rec::detail::OptimizedParameter;
using gru4rec::detail::OuterFactors;
using gru4rec::detail::OuterGradients;
using gru4rec::detail::RowOptimizer;

template <class Variant>
[[nodiscard]] LaneGru<float, Variant> make_layer(Index units) {
    if constexpr (std::is_same_v<Variant, ResetBefore>) {
        return {units, units, gru4rec::Activation{}};
    } else {
        return {units, units};
    }
}

/// One layer, as wide as its input, with all that a step gives it.
template <class Variant>
class Layer {
  public:
    explicit Layer(const benchmark::State& state)
        : units(state.range(0)),
          lanes(state.range(1)),
          threads(static_cast<int>(state.range(2))),
          gru(make_layer<Variant>(units)),
          tape(lanes, units),
          x(lanes, units, 1, 21),
          dx(lanes, units),
          x_rows(gru4rec::detail::padded<float>(lanes), units) {
        for (const LayerParameter<float>& parameter : gru.parameters()) {
            fill(*parameter.matrix, 1 / std::sqrt(static_cast<double>(units)), 22 + weights_before.size());
            weights_before.push_back(to_matrix(*parameter.matrix));
        }
        copy(Columns(lanes, units, 1, 27), tape.state());
        copy(Columns(lanes, units, 1, 28), tape.d_out());
        gru4rec::detail::columns_to_rows<float>(x.view(), x.padded_lanes(), {0, gru4rec::detail::padded<float>(units)},
                                                {x_rows.data(), x_rows.stride()});
    }

    void forward() { gru.forward(x.view(), x.padded_lanes(), tape); }

    /// Down to the gates' sums, and to the input.
    void backward() {
        gru.backward(x.padded_lanes(), tape);
        gru.backward_input(x.padded_lanes(), tape, dx.view());
    }

    /// Calls `visit(i, matrix, factors)` for each weight matrix; the layer leaves the sums of a bias to the caller.
    template <class Visit>
    void visit_gradients(const Visit& visit) {
        const auto parameters = gru.parameters();
        const auto gradients = gru.gradients(lanes, {x_rows.data(), x_rows.stride()}, tape);
        for (std::size_t i = 0; i < gradients.size(); ++i) {
            if (gradients[i].x.base != nullptr) {
                visit(i, *parameters[i].matrix, gradients[i]);
            }
        }
    }

    /// The products of all lanes with this many H x H matrices.
    [[nodiscard]] Work work(double matrices) const {
        return {.flops = matrices * 2 * static_cast<double>(lanes * units * units)};
    }

    [[nodiscard]] std::string name(const std::string& what) const {
        return what + (std::is_same_v<Variant, ResetBefore> ? " reset_before " : " reset_after ") +
               std::to_string(units) + " " + std::to_string(lanes) + " " + std::to_string(threads);
    }

    Index units;
    Index lanes;
    int threads;
    LaneGru<float, Variant> gru;
    GruTape<float> tape;
    Columns x;
    Columns dx;
    PaddedMatrix<float> x_rows;
    std::vector<naive::Matrix> weights_before;  ///< in the order of parameters()

  private:
    void copy(const Columns& from, LaneMatrix<float> to) const {
        for (Index k = 0; k < units; ++k) {
            std::copy_n(from.view().column(k), lanes, to.column(k));
        }
    }
};

/// What the twin makes of a layer's step.
struct TwinStep {
    naive::Matrix h;
    naive::Matrix dx;
    std::vector<naive::Matrix> gradients;  ///< in the order of parameters(), in the layer's orientation
};

[[nodiscard]] TwinStep twin_step(Layer<ResetBefore>& layer) {
    const naive::Matrix& w_x = layer.weights_before[0];
    const naive::Matrix w_rz = transposed(layer.weights_before[1]);
    const naive::Matrix w_h = transposed(layer.weights_before[2]);
    const naive::Matrix x = to_matrix(layer.x.view(), layer.lanes, layer.units);
    const naive::Matrix g = to_matrix(layer.tape.d_out(), layer.lanes, layer.units);
    naive::Matrix gates = naive::product_with_transposed(x, w_x);
    naive::add_to_each_row(gates, layer.weights_before[3]);
    const naive::ResetBefore cell{w_rz, w_h};
    const auto pass = cell.forward(gates, to_matrix(layer.tape.state(), layer.lanes, layer.units));
    const auto d = cell.backward(pass, g);
    return {pass.h,
            naive::product(d.d_gates, w_x),
            {naive::product_of_transposed(d.d_gates, x), transposed(d.d_W_rz), transposed(d.d_W_h),
             naive::column_sums(d.d_gates)}};
}

[[nodiscard]] TwinStep twin_step(Layer<ResetAfter>& layer) {
    const naive::Matrix& w_ih = layer.weights_before[0];
    const naive::Matrix x = to_matrix(layer.x.view(), layer.lanes, layer.units);
    const naive::Matrix g = to_matrix(layer.tape.d_out(), layer.lanes, layer.units);
    naive::Matrix gates = naive::product_with_transposed(x, w_ih);
    naive::add_to_each_row(gates, layer.weights_before[2]);
    const naive::ResetAfter cell{layer.weights_before[1], layer.weights_before[3]};
    const auto pass = cell.forward(gates, to_matrix(layer.tape.state(), layer.lanes, layer.units));
    const auto d = cell.backward(pass, g);
    return {pass.h,
            naive::product(d.d_gates, w_ih),
            {naive::product_of_transposed(d.d_gates, x), d.d_W_hh, naive::column_sums(d.d_gates), d.d_b_hh}};
}

/// Forward, backward and the gradients of all weights against the twin. The gradients are multiplied out by an update:
/// plain gradient descent from zero with learning rate 1 leaves minus the gradient.
template <class Variant>
[[nodiscard]] std::string check_layer(Layer<Variant>& layer) {
    const TwinStep wanted = twin_step(layer);
    layer.forward();
    layer.backward();
    // Weights are below 1/sqrt(H), so that sums of 2 H products stay below a few units; three of them follow each
    // other.
    const double tolerance = 4 * rounding(2 * layer.units, 1 / std::sqrt(static_cast<double>(layer.units)));
    std::string problem = difference("h", to_matrix(layer.tape.out(), layer.lanes, layer.units), wanted.h, tolerance);
    if (problem.empty()) {
        problem = difference("dx", to_matrix(layer.dx.view(), layer.lanes, layer.units), wanted.dx, tolerance);
    }
    RowOptimizer<float> descent(gru4rec::Sgd<float>{}, {.learning_rate = 1});
    layer.visit_gradients([&](std::size_t i, PaddedMatrix<float>& weights, const OuterFactors<float>& factors) {
        if (problem.empty()) {
            weights.set_zero();
            auto optimized = descent.add(weights);
            descent.update(optimized, OuterGradients<float>{.count = weights.rows(), .factors = factors});
            problem = difference("gradient " + std::to_string(i), negated(to_matrix(weights)), wanted.gradients[i],
                                 tolerance + rounding(layer.lanes, 1));
        }
    });
    return problem;
}

template <class Variant>
void gru_forward(benchmark::State& state) {
    Layer<Variant> layer(state);
    if (passes(state, layer.name("gru_forward"), [&] { return check_layer(layer); })) {
        Layer<Variant> fresh(state);
        measure(state, fresh.threads, fresh.work(6), [&] { fresh.forward(); });
    }
}

template <class Variant>
void gru_backward(benchmark::State& state) {
    Layer<Variant> layer(state);
    if (passes(state, layer.name("gru_backward"), [&] { return check_layer(layer); })) {
        Layer<Variant> fresh(state);
        fresh.forward();
        measure(state, fresh.threads, fresh.work(std::is_same_v<Variant, ResetBefore> ? 4 : 3),
                [&] { fresh.backward(); });
    }
}

/// The gradients of the weights, multiplied out and consumed by Adagrad in one go.
template <class Variant>
void gru_update(benchmark::State& state) {
    Layer<Variant> layer(state);
    if (!passes(state, layer.name("gru_update"), [&] { return check_layer(layer); })) {
        return;
    }
    Layer<Variant> fresh(state);
    fresh.forward();
    fresh.backward();
    RowOptimizer<float> adagrad(gru4rec::Adagrad<float>{}, {});
    std::vector<OptimizedParameter<float>> optimized;
    fresh.visit_gradients([&](std::size_t, PaddedMatrix<float>& weights, const OuterFactors<float>&) {
        optimized.push_back(adagrad.add(weights));
    });
    measure(state, fresh.threads, fresh.work(6), [&] {
        std::size_t next = 0;
        fresh.visit_gradients([&](std::size_t, PaddedMatrix<float>& weights, const OuterFactors<float>& factors) {
            adagrad.update(optimized[next++], OuterGradients<float>{.count = weights.rows(), .factors = factors});
        });
    });
}

void register_all() {
    struct Named {
        const char* name;
        void (*run)(benchmark::State&);
    };
    for (const auto& [name, run] : {Named{"gru_forward<reset_before>", gru_forward<ResetBefore>},
                                    Named{"gru_backward<reset_before>", gru_backward<ResetBefore>},
                                    Named{"gru_update<reset_before>", gru_update<ResetBefore>},
                                    Named{"gru_forward<reset_after>", gru_forward<ResetAfter>},
                                    Named{"gru_backward<reset_after>", gru_backward<ResetAfter>},
                                    Named{"gru_update<reset_after>", gru_update<ResetAfter>}}) {
        auto* const registered = benchmark::RegisterBenchmark(name, run);
        registered->ArgNames({"H", "B", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
        for (const std::int64_t threads : thread_counts()) {
            for (const Shape& shape : published_shapes) {
                registered->Args({shape.units, shape.lanes, threads});
            }
        }
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
