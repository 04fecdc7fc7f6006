#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/twin.hpp"

#include "gru4rec/core/kernels.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bench {
namespace {

namespace kernel = gru4rec::detail;

/// A product of the shapes H, B, rows: `rows` rows of H weights, of a matrix of their own or (gathered = 1) of the
/// catalogue's table; x has B lanes.
struct Product {
    explicit Product(const benchmark::State& state)
        : units(state.range(0)),
          lanes(state.range(1)),
          n_rows(state.range(2)),
          gathered(state.range(3) != 0),
          weights(gathered ? n_catalogue_items : n_rows, units),
          x(lanes, units, 1, 11),
          d(lanes, n_rows, 1, 12) {
        fill(weights, 1, 10);
        if (gathered) {
            items = distinct_items(n_catalogue_items, n_rows);
        }
    }

    [[nodiscard]] Rows<const float> rows() const noexcept {
        return {weights.data(), weights.stride(), gathered ? items.data() : nullptr};
    }

    /// All rows and columns.
    [[nodiscard]] kernel::WeightBlock<float> block() const noexcept { return {rows(), {0, n_rows}, {0, units}}; }

    /// (n_rows, H)
    [[nodiscard]] naive::Matrix rows_matrix() const {
        naive::Matrix result(static_cast<std::size_t>(n_rows), static_cast<std::size_t>(units));
        for (std::size_t j = 0; j < result.rows; ++j) {
            for (std::size_t k = 0; k < result.cols; ++k) {
                result(j, k) = static_cast<double>(rows()(static_cast<Index>(j))[k]);
            }
        }
        return result;
    }

    [[nodiscard]] Work work() const { return {.flops = 2.0 * static_cast<double>(units * lanes * n_rows)}; }

    [[nodiscard]] std::string name(const std::string& kernel_name) const {
        return kernel_name + " " + std::to_string(units) + " " + std::to_string(lanes) + " " + std::to_string(n_rows) +
               (gathered ? " gathered" : "");
    }

    Index units;
    Index lanes;
    Index n_rows;
    bool gathered;
    PaddedMatrix<float> weights;
    std::vector<ItemIndex> items;
    Columns x;
    Columns d;
};

void multiply_rows(benchmark::State& state) {
    Product p(state);
    Columns out(p.lanes, p.n_rows);
    const auto body = [&] { kernel::multiply_rows(p.block(), p.x.view(), p.x.padded_lanes(), out.view()); };
    const auto check = [&] {
        body();
        return difference("R", to_matrix(out.view(), p.lanes, p.n_rows),
                          naive::product_with_transposed(to_matrix(p.x.view(), p.lanes, p.units), p.rows_matrix()),
                          rounding(p.units, 1));
    };
    if (passes(state, p.name("multiply_rows"), check)) {
        measure(state, 1, p.work(), body);
    }
}

void multiply_by_rows(benchmark::State& state) {
    Product p(state);
    Columns out(p.lanes, p.units);
    const auto body = [&] { kernel::multiply_by_rows(p.d.view(), p.block(), p.d.padded_lanes(), out.view()); };
    const auto check = [&] {
        body();
        return difference("dh", to_matrix(out.view(), p.lanes, p.units),
                          naive::product(to_matrix(p.d.view(), p.lanes, p.n_rows), p.rows_matrix()),
                          rounding(p.n_rows, 1));
    };
    if (passes(state, p.name("multiply_by_rows"), check)) {
        // Sums go on growing from iteration to iteration, far from overflow.
        measure(state, 1, p.work(), body);
    }
}

/// The gradient rows are written to memory: the cheapest use of them.
void for_each_outer_block(benchmark::State& state) {
    Product p(state);
    PaddedMatrix<float> x_rows(kernel::padded<float>(p.lanes), p.units);
    kernel::columns_to_rows<float>(p.x.view(), p.x.padded_lanes(), {0, kernel::padded<float>(p.units)},
                                   {x_rows.data(), x_rows.stride()});
    PaddedMatrix<float> gradient(p.n_rows, p.units);
    const kernel::OuterFactors<float> factors{p.d.view(), {x_rows.data(), x_rows.stride()}, p.lanes};
    const auto store = [&](const kernel::OuterBlock<float>& block) {
        for (Index j = block.first; j < block.first + block.count; ++j) {
            std::copy_n(block.row(j), block.width, gradient.row(j) + block.offset);
        }
    };
    const auto body = [&] { kernel::for_each_outer_block<float>(factors, {0, p.n_rows}, p.units, {}, store); };
    const auto check = [&] {
        body();
        return difference("dW", to_matrix(gradient),
                          naive::product_of_transposed(to_matrix(p.d.view(), p.lanes, p.n_rows),
                                                       to_matrix(p.x.view(), p.lanes, p.units)),
                          rounding(p.lanes, 1));
    };
    if (passes(state, p.name("for_each_outer_block"), check)) {
        measure(state, 1, p.work(), body);
    }
}

/// Lanes to rows and back, as between the layers' activations and the updates.
void transpose(benchmark::State& state) {
    const Index lanes = state.range(0);
    const Index n = kernel::padded<float>(state.range(1));
    const Columns columns(lanes, n, 1, 13);
    Columns back(lanes, n);
    PaddedMatrix<float> rows(kernel::padded<float>(lanes), n);
    const Rows<float> view{rows.data(), rows.stride()};
    const auto body = [&] {
        kernel::columns_to_rows<float>(columns.view(), columns.padded_lanes(), {0, n}, view);
        kernel::rows_to_columns<float>(view, columns.padded_lanes(), n, back.view());
    };
    const auto check = [&] {
        body();
        const naive::Matrix wanted = to_matrix(columns.view(), lanes, n);
        const std::string problem = difference("columns", to_matrix(back.view(), lanes, n), wanted, 0);
        naive::Matrix live = to_matrix(rows);
        live.rows = static_cast<std::size_t>(lanes);
        live.values.resize(live.rows * live.cols);
        return problem.empty() ? difference("rows", live, wanted, 0) : problem;
    };
    if (passes(state, "transpose " + std::to_string(lanes) + " " + std::to_string(n), check)) {
        measure(state, 1, {.bytes = 4.0 * sizeof(float) * static_cast<double>(lanes * n)}, body);
    }
}

/// A single register tile whose operands stay in the first-level cache: what a tile shape can reach at all.
template <int vectors, int steps>
void tile(benchmark::State& state) {
    constexpr Index n_features = 128;
    constexpr Index n_rows = 4 * steps;
    constexpr Index lanes = vectors * kernel::packet_size<float>;
    PaddedMatrix<float> weights(n_rows, n_features);
    fill(weights, 1, 14);
    const Columns x(lanes, n_features, 1, 15);
    Columns out(lanes, n_rows);
    const kernel::WeightBlock<float> block{{weights.data(), weights.stride()}, {0, n_rows}, {0, n_features}};
    const auto body = [&] {
        for (int repeat = 0; repeat < 16; ++repeat) {
            for (Index j = 0; j < n_rows; j += steps) {
                kernel::multiply_rows_tile<vectors, steps>(block, j, x.view().data, x.view().stride,
                                                           LaneMatrix<float>{out.view().column(j), out.view().stride},
                                                           kernel::Output::overwrite);
            }
        }
    };
    const auto check = [&] {
        body();
        return difference("out", to_matrix(out.view(), lanes, n_rows),
                          naive::product_with_transposed(to_matrix(x.view(), lanes, n_features), to_matrix(weights)),
                          rounding(n_features, 1));
    };
    if (passes(state, "tile " + std::to_string(vectors) + " " + std::to_string(steps), check)) {
        measure(state, 1, {.flops = 2.0 * 16 * static_cast<double>(lanes * n_rows * n_features)}, body);
    }
}

template <int vectors, int... steps>
void register_tiles() {
    (benchmark::RegisterBenchmark(
         ("tile/vectors:" + std::to_string(vectors) + "/steps:" + std::to_string(steps)).c_str(), tile<vectors, steps>),
     ...);
}

/// The peaks themselves, which all others are compared with.
void peaks(benchmark::State& state) {
    const int threads = static_cast<int>(state.range(0));
    Machine& machine = Machine::get();
    for (auto _ : state) {
        machine.refresh();
        machine.refresh_streams();
    }
    state.counters["GFLOP/s"] = machine.fma_peak(threads) * 1e-9;
    state.counters["read_GB/s"] = machine.read_stream(threads) * 1e-9;
    state.counters["update_GB/s"] = machine.update_stream(threads) * 1e-9;
}

void register_all() {
    benchmark::RegisterBenchmark("peaks", peaks)
        ->ArgName("threads")
        ->ArgsProduct({thread_counts()})
        ->Unit(benchmark::kMillisecond);
    if constexpr (kernel::many_registers) {
        register_tiles<1, 6, 12, 24>();
        register_tiles<2, 6, 8, 12, 14>();
        register_tiles<3, 4, 6, 8, 9>();
    } else {
        register_tiles<1, 4, 6, 8, 12>();
        register_tiles<2, 3, 4, 5, 6>();
        register_tiles<3, 2, 3, 4>();
    }
    struct Named {
        const char* name;
        void (*run)(benchmark::State&);
    };
    for (const auto& [name, run] : {Named{"multiply_rows", multiply_rows}, Named{"multiply_by_rows", multiply_by_rows},
                                    Named{"for_each_outer_block", for_each_outer_block}}) {
        auto* const registered = benchmark::RegisterBenchmark(name, run);
        registered->ArgNames({"H", "B", "rows", "gathered"})->Unit(benchmark::kMicrosecond);
        for (const Shape& shape : published_shapes) {
            registered->Args({shape.units, shape.lanes, shape.candidates, 1});  // the scores
            registered->Args({shape.units, shape.lanes, 3 * shape.units, 0});   // the gates of a layer
        }
        registered->Args({100, 50, 50, 1});  // in-batch candidates alone
    }
    benchmark::RegisterBenchmark("transpose", transpose)
        ->ArgNames({"B", "H"})
        ->Args({32, 100})
        ->Args({240, 512})
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
