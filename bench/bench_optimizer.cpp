#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/naive/optimisers.hpp"
#include "support/twin.hpp"

#include "gru4rec/optim/update.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace bench {
namespace {

using gru4rec::detail::OptimizedParameter;
using gru4rec::detail::OuterGradients;
using gru4rec::detail::RowGradients;
using gru4rec::detail::RowOptimizer;

constexpr float learning_rate = 0.05F;

[[nodiscard]] RowOptimizer<float> adagrad(double momentum) {
    return {gru4rec::Adagrad<float>{}, {.learning_rate = learning_rate, .momentum = static_cast<float>(momentum)}};
}

/// Rows of the catalogue's table with their optimiser state; momentum in percent.
struct Table {
    Table(Index units, Index n_rows, std::int64_t momentum_percent)
        : momentum(static_cast<double>(momentum_percent) / 100),
          weights(n_catalogue_items, units),
          items(distinct_items(n_catalogue_items, n_rows)),
          optimizer(adagrad(momentum)),
          optimized(optimizer.add(weights)) {
        fill(weights, 0.1, 40);
        for (std::uint64_t step = 0; step < 16; ++step) {
            items_of_steps.push_back(distinct_items(n_catalogue_items, n_rows, 400 + step));
        }
    }

    /// Every step has rows of its own, as in training: few of them are in a cache.
    void next_step() {
        items = items_of_steps[n_steps % items_of_steps.size()];
        ++n_steps;
    }

    /// What a pass over the rows reads or writes: weights, accumulators, velocities.
    [[nodiscard]] double row_bytes() const {
        return (momentum != 0 ? 6.0 : 4.0) * sizeof(float) * static_cast<double>(weights.cols());
    }

    [[nodiscard]] naive::Matrix rows() const {
        naive::Matrix result(items.size(), static_cast<std::size_t>(weights.cols()));
        for (std::size_t j = 0; j < result.rows; ++j) {
            for (std::size_t k = 0; k < result.cols; ++k) {
                result(j, k) = static_cast<double>(weights.row(to_index(items[j]))[k]);
            }
        }
        return result;
    }

    /// Two updates by `update` against the twin's with the same gradient of all rows.
    template <class Update>
    [[nodiscard]] std::string check(const naive::Matrix& gradient, const Update& update) {
        naive::Settings settings;
        settings.momentum = static_cast<double>(static_cast<float>(momentum));
        naive::Matrix wanted = rows();
        naive::RuleState state(wanted);
        for (int i = 0; i < 2; ++i) {
            update();
            for (std::size_t j = 0; j < wanted.rows; ++j) {
                naive::update_row(settings, static_cast<double>(learning_rate), wanted, gradient, state, j);
            }
        }
        // A step moves at most learning_rate; where |g| is near the epsilon's root, 1e-3, an error of g grows a
        // thousandfold.
        return difference("rows", rows(), wanted, 1e3 * static_cast<double>(learning_rate) * 1e-6);
    }

    double momentum;
    PaddedMatrix<float> weights;
    std::vector<ItemIndex> items;
    std::vector<std::vector<ItemIndex>> items_of_steps = {};
    std::size_t n_steps = 0;
    RowOptimizer<float> optimizer;
    OptimizedParameter<float> optimized;
};

/// Ready gradients of rows all over the table: gather, rule, scatter.
void update_rows(benchmark::State& state) {
    const Index units = state.range(0);
    const Index n_rows = state.range(1);
    const int threads = static_cast<int>(state.range(3));
    Table table(units, n_rows, state.range(2));
    PaddedMatrix<float> gradient(n_rows, units);
    fill(gradient, 1, 41);
    std::vector<const float*> rows;
    for (Index j = 0; j < n_rows; ++j) {
        rows.push_back(gradient.row(j));
    }
    const auto body = [&] {
        table.optimizer.update(table.optimized, RowGradients<float>{n_rows, units, table.items.data(), rows.data()});
    };
    const std::string name = "update_rows " + std::to_string(units) + " " + std::to_string(n_rows) + " " +
                             std::to_string(state.range(2)) + " " + std::to_string(threads);
    if (passes(state, name, [&] { return table.check(to_matrix(gradient), body); })) {
        const double bytes =
            (table.row_bytes() + sizeof(float) * static_cast<double>(units)) * static_cast<double>(n_rows);
        measure(
            state, threads, {.bytes = bytes, .items = static_cast<double>(n_rows), .items_name = "rows/s"},
            [&] { table.next_step(); }, body);
    }
}

/// The gradient of each row is multiplied out and consumed while it is in registers, as the output layer's is.
void update_outer(benchmark::State& state) {
    const Index units = state.range(0);
    const Index lanes = state.range(1);
    const Index n_rows = state.range(2);
    const int threads = static_cast<int>(state.range(4));
    Table table(units, n_rows, state.range(3));
    const Columns d(lanes, n_rows, 0.1, 42);
    const Columns h(lanes, units, 1, 43);
    PaddedMatrix<float> h_rows(gru4rec::detail::padded<float>(lanes), units);
    gru4rec::detail::columns_to_rows<float>(h.view(), h.padded_lanes(), {0, gru4rec::detail::padded<float>(units)},
                                            {h_rows.data(), h_rows.stride()});
    const auto body = [&] {
        table.optimizer.update(table.optimized,
                               OuterGradients<float>{.count = n_rows,
                                                     .items = table.items.data(),
                                                     .factors = {d.view(), {h_rows.data(), h_rows.stride()}, lanes}});
    };
    const auto check = [&] {
        return table.check(
            naive::product_of_transposed(to_matrix(d.view(), lanes, n_rows), to_matrix(h.view(), lanes, units)), body);
    };
    const std::string name = "update_outer " + std::to_string(units) + " " + std::to_string(lanes) + " " +
                             std::to_string(n_rows) + " " + std::to_string(state.range(3)) + " " +
                             std::to_string(threads);
    if (passes(state, name, check)) {
        measure(
            state, threads,
            {.flops = 2.0 * static_cast<double>(lanes * n_rows * units),
             .bytes = table.row_bytes() * static_cast<double>(n_rows)},
            [&] { table.next_step(); }, body);
    }
}

void register_all() {
    auto* const rows = benchmark::RegisterBenchmark("update_rows", update_rows);
    rows->ArgNames({"H", "rows", "momentum%", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
    auto* const outer = benchmark::RegisterBenchmark("update_outer", update_outer);
    outer->ArgNames({"H", "B", "rows", "momentum%", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
    for (const std::int64_t threads : thread_counts()) {
        for (const std::int64_t momentum : {0, 20}) {
            for (const Shape& shape : published_shapes) {
                rows->Args({shape.units, shape.candidates, momentum, threads});
                outer->Args({shape.units, shape.lanes, shape.candidates, momentum, threads});
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
