#include "gru4rec/core/kernels.hpp"

#include "support/naive/matrix.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::LaneMatrix;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::Parameter;
using gru4rec::detail::Rows;

template <class Scalar>
constexpr double tolerance = sizeof(Scalar) == 4 ? 1e-5 : 1e-13;

/// Activations with numbers in all lanes, those of the padding too.
template <class Scalar>
class Columns {
  public:
    Columns(Index lanes, Index count, naive::Engine& engine)
        : stride_(gru4rec::detail::row_stride<Scalar>(lanes)), values_(stride_ * count) {
        for (Scalar& value : values_) {
            value = static_cast<Scalar>(2 * naive::uniform(engine) - 1);
        }
    }
    [[nodiscard]] LaneMatrix<Scalar> view() { return {values_.data(), stride_}; }
    [[nodiscard]] Scalar operator()(Index lane, Index j) const { return values_[j * stride_ + lane]; }
    [[nodiscard]] std::vector<Scalar> values() const { return {values_.begin(), values_.end()}; }

  private:
    Index stride_;
    AlignedBuffer<Scalar> values_;
};

struct Shape {
    Index lanes, rows, features;
};

/// One row, one feature, every remainder of the tiles, sizes beyond the cache's blocks.
template <class Scalar>
std::vector<Shape> shapes() {
    const Index line = gru4rec::detail::scalars_per_line<Scalar>;
    std::vector<Shape> result;
    for (const Index lines : {Index{1}, Index{2}, Index{3}, Index{5}}) {
        for (const Index rows : {Index{1}, Index{2}, Index{3}, Index{5}, Index{13}, Index{24}, Index{25}, Index{59}}) {
            for (const Index features : {Index{1}, Index{2}, Index{7}, Index{16}, Index{33}}) {
                result.push_back({lines * line, rows, features});
            }
        }
    }
    result.push_back({2 * line, 700, 101});
    result.push_back({7 * line, 300, 257});
    return result;
}

/// Which row of the table stands at place j; with repetitions.
std::vector<ItemIndex> some_items(Index n, Index n_rows, naive::Engine& engine) {
    std::vector<ItemIndex> items;
    for (Index j = 0; j < n; ++j) {
        items.push_back(
            gru4rec::to_item(static_cast<Index>(naive::uniform_index(engine, static_cast<std::size_t>(n_rows)))));
    }
    return items;
}

/// Keeps every gradient row that it is handed.
template <class Scalar>
struct Keep {
    using Packet = gru4rec::detail::Packet<Scalar>;
    Parameter<Scalar>& out;
    std::vector<int>& times;

    void prefetch(Index j, Index offset) const {
        CHECK(j < out.rows());
        CHECK(offset < gru4rec::detail::padded<Scalar>(out.cols()));
    }
    [[nodiscard]] Packet start(Index j, Index) const {
        return gru4rec::detail::simd::pset1<Packet>(static_cast<Scalar>(j % 3));
    }
    [[nodiscard]] auto row(Index j) const {
        return [this, j](Index offset, Packet packet) {
            gru4rec::detail::simd::pstore(out.row(j) + offset, packet);
            times[static_cast<std::size_t>(j)] += static_cast<int>(gru4rec::detail::packet_size<Scalar>);
        };
    }
};

}  // namespace

TEST_CASE_TEMPLATE("rows times lanes: every shape, gathered rows, written over or added", Scalar, float, double) {
    naive::Engine engine(1);
    for (const Shape& shape : shapes<Scalar>()) {
        CAPTURE(shape.lanes);
        CAPTURE(shape.rows);
        CAPTURE(shape.features);
        const auto table = random_rows<Scalar>(shape.rows + 3, shape.features, engine);
        Columns<Scalar> x(shape.lanes, shape.features, engine);
        const auto items = some_items(shape.rows, shape.rows + 3, engine);
        for (const bool gathered : {false, true}) {
            const Rows<const Scalar> rows{table.data(), table.stride(), gathered ? items.data() : nullptr};
            Columns<Scalar> out(shape.lanes, shape.rows, engine);
            Columns<Scalar> sum = out;
            gru4rec::detail::multiply_rows(rows, 0, shape.rows, shape.features, x.view(), shape.lanes, out.view());
            const auto before = sum;
            gru4rec::detail::multiply_rows<gru4rec::detail::Output::accumulate>(rows, 0, shape.rows, shape.features,
                                                                                x.view(), shape.lanes, sum.view());
            double worst = 0;
            for (Index j = 0; j < shape.rows; ++j) {
                const Scalar* const row =
                    table.row(gathered ? gru4rec::to_index(items[static_cast<std::size_t>(j)]) : j);
                for (Index lane = 0; lane < shape.lanes; ++lane) {
                    double expected = 0;
                    for (Index k = 0; k < shape.features; ++k) {
                        expected += static_cast<double>(row[k]) * static_cast<double>(x(lane, k));
                    }
                    worst = std::max(worst, std::abs(static_cast<double>(out(lane, j)) - expected));
                    worst = std::max(worst, std::abs(static_cast<double>(sum(lane, j)) - expected -
                                                     static_cast<double>(before(lane, j))));
                }
            }
            CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(shape.features)));
        }
    }
}

TEST_CASE_TEMPLATE("lanes times rows are added up for the features that are asked for, the others left alone", Scalar,
                   float, double) {
    naive::Engine engine(2);
    for (const Shape& shape : shapes<Scalar>()) {
        CAPTURE(shape.lanes);
        CAPTURE(shape.rows);
        CAPTURE(shape.features);
        const auto table = random_rows<Scalar>(shape.rows + 3, shape.features, engine);
        const auto items = some_items(shape.rows, shape.rows + 3, engine);
        Columns<Scalar> d(shape.lanes, shape.rows, engine);
        const Index k_begin = shape.features / 3;
        const Index j_begin = shape.rows / 4;
        const auto before = Columns<Scalar>(shape.lanes, shape.features, engine);
        auto out = before;
        gru4rec::detail::multiply_by_rows<Scalar>(
            d.view(), Rows<const Scalar>{table.data(), table.stride(), items.data()}, j_begin, shape.rows, k_begin,
            shape.features, shape.lanes, out.view());
        double worst = 0;
        for (Index k = 0; k < shape.features; ++k) {
            for (Index lane = 0; lane < shape.lanes; ++lane) {
                double expected = static_cast<double>(before(lane, k));
                for (Index j = j_begin; j < shape.rows && k >= k_begin; ++j) {
                    const Scalar* const row = table.row(gru4rec::to_index(items[static_cast<std::size_t>(j)]));
                    expected += static_cast<double>(d(lane, j)) * static_cast<double>(row[k]);
                }
                worst = std::max(worst, std::abs(static_cast<double>(out(lane, k)) - expected));
            }
        }
        CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(shape.rows)));
    }
}

TEST_CASE_TEMPLATE("outer products sum the live lanes alone, from where the sink starts, each packet once", Scalar,
                   float, double) {
    naive::Engine engine(3);
    for (const Index n_lanes : {Index{1}, Index{2}, Index{19}, Index{70}}) {
        for (const Index rows : {Index{1}, Index{2}, Index{5}, Index{23}, Index{130}}) {
            for (const Index features : {Index{1}, Index{8}, Index{17}, Index{40}, Index{97}}) {
                CAPTURE(n_lanes);
                CAPTURE(rows);
                CAPTURE(features);
                Columns<Scalar> d(n_lanes, rows, engine);
                const auto x = random_rows<Scalar>(n_lanes, features, engine);
                Parameter<Scalar> out(rows, features);
                std::vector<int> times(static_cast<std::size_t>(rows), 0);
                gru4rec::detail::for_each_outer_row<Scalar>(d.view(), 0, rows, Rows<const Scalar>{x.data(), x.stride()},
                                                            n_lanes, features, Keep<Scalar>{out, times});
                double worst = 0;
                for (Index j = 0; j < rows; ++j) {
                    CHECK(times[static_cast<std::size_t>(j)] == gru4rec::detail::padded<Scalar>(features));
                    for (Index k = 0; k < features; ++k) {
                        double expected = static_cast<double>(j % 3);
                        for (Index m = 0; m < n_lanes; ++m) {
                            expected += static_cast<double>(d(m, j)) * static_cast<double>(x.row(m)[k]);
                        }
                        worst = std::max(worst, std::abs(static_cast<double>(out.row(j)[k]) - expected));
                    }
                }
                CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(n_lanes)));
            }
        }
    }
}

TEST_CASE_TEMPLATE("cutting rows, features or lanes into pieces changes no bit", Scalar, float, double) {
    naive::Engine engine(4);
    const Index line = gru4rec::detail::scalars_per_line<Scalar>;
    const Shape shape{5 * line, 211, 83};
    const auto table = random_rows<Scalar>(shape.rows, shape.features, engine);
    const Rows<const Scalar> rows{table.data(), table.stride()};
    Columns<Scalar> x(shape.lanes, shape.features, engine);
    Columns<Scalar> d(shape.lanes, shape.rows, engine);
    const auto lane_rows = random_rows<Scalar>(shape.lanes, shape.features, engine);
    const Columns<Scalar> zero_rows(shape.lanes, shape.rows, engine);
    const Columns<Scalar> zero_features(shape.lanes, shape.features, engine);

    auto out = zero_rows;
    auto back = zero_features;
    gru4rec::detail::multiply_rows(rows, 0, shape.rows, shape.features, x.view(), shape.lanes, out.view());
    gru4rec::detail::multiply_by_rows<Scalar>(d.view(), rows, 0, shape.rows, 0, shape.features, shape.lanes,
                                              back.view());
    Parameter<Scalar> outer(shape.rows, shape.features);
    std::vector<int> times(static_cast<std::size_t>(shape.rows), 0);
    const Rows<const Scalar> x_rows{lane_rows.data(), lane_rows.stride()};
    gru4rec::detail::for_each_outer_row<Scalar>(d.view(), 0, shape.rows, x_rows, shape.lanes, shape.features,
                                                Keep<Scalar>{outer, times});

    for (const std::vector<Index>& cuts :
         {std::vector<Index>{1, 2, 3, 50}, std::vector<Index>{24, 25, 60}, std::vector<Index>{7, 14, 21, 28, 80}}) {
        for (const Index lanes_at_once : {line, 2 * line, 5 * line}) {
            auto out_cut = zero_rows;
            auto back_cut = zero_features;
            Parameter<Scalar> outer_cut(shape.rows, shape.features);
            Index begin = 0;
            for (std::size_t c = 0; c <= cuts.size(); ++c) {
                const Index end = c < cuts.size() ? cuts[c] : shape.rows;
                gru4rec::detail::for_each_outer_row<Scalar>(d.view(), begin, end, x_rows, shape.lanes, shape.features,
                                                            Keep<Scalar>{outer_cut, times});
                for (Index lane = 0; lane < shape.lanes; lane += lanes_at_once) {
                    const Index lanes = std::min(lanes_at_once, shape.lanes - lane);
                    const auto from = [&](LaneMatrix<Scalar> matrix) {
                        return LaneMatrix<Scalar>{matrix.data + lane, matrix.stride};
                    };
                    gru4rec::detail::multiply_rows(rows, begin, end, shape.features, from(x.view()), lanes,
                                                   from(out_cut.view()));
                    if (begin < shape.features) {
                        gru4rec::detail::multiply_by_rows<Scalar>(from(d.view()), rows, 0, shape.rows, begin,
                                                                  c < cuts.size() ? end : shape.features, lanes,
                                                                  from(back_cut.view()));
                    }
                }
                begin = end;
            }
            CHECK(out_cut.values() == out.values());
            CHECK(back_cut.values() == back.values());
            CHECK(outer_cut.map() == outer.map());
        }
    }
    // Candidates in parts: the sums go on where they were left.
    auto in_parts = zero_features;
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, 64}, {64, 192}, {192, 211}}) {
        gru4rec::detail::multiply_by_rows<Scalar>(d.view(), rows, begin, end, 0, shape.features, shape.lanes,
                                                  in_parts.view());
    }
    CHECK(in_parts.values() == back.values());
}

TEST_CASE_TEMPLATE("lanes to rows and back is a transposition, of the columns that are named", Scalar, float, double) {
    naive::Engine engine(5);
    const Index line = gru4rec::detail::scalars_per_line<Scalar>;
    for (const Index lanes : {line, 3 * line}) {
        for (const Index features : {line, 2 * line, 5 * line}) {
            Columns<Scalar> columns(lanes, features, engine);
            Parameter<Scalar> rows(lanes, features);
            gru4rec::detail::columns_to_rows<Scalar>(columns.view(), lanes, 0, features, {rows.data(), rows.stride()});
            bool same = true;
            for (Index lane = 0; lane < lanes; ++lane) {
                for (Index k = 0; k < features; ++k) {
                    same = same && rows.row(lane)[k] == columns(lane, k);
                }
            }
            CHECK(same);
            Columns<Scalar> back(lanes, features, engine);
            gru4rec::detail::rows_to_columns<Scalar>(Rows<const Scalar>{rows.data(), rows.stride()}, lanes, features,
                                                     back.view());
            for (Index lane = 0; lane < lanes; ++lane) {
                for (Index k = 0; k < features; ++k) {
                    same = same && back(lane, k) == columns(lane, k);
                }
            }
            CHECK(same);
            Parameter<Scalar> part(lanes, features);
            gru4rec::detail::columns_to_rows<Scalar>(columns.view(), lanes, features - line, features,
                                                     {part.data(), part.stride()});
            CHECK(part.row(lanes - 1)[features - 1] == columns(lanes - 1, features - 1));
            CHECK((features == line || part.row(lanes - 1)[features - line - 1] == 0));
        }
    }
}

TEST_CASE_TEMPLATE("lanes are added to a row in their order, those of the padding not", Scalar, float, double) {
    naive::Engine engine(8);
    constexpr Index line = gru4rec::detail::scalars_per_line<Scalar>;
    for (const Index n_lanes : {Index{1}, Index{2}, line - 1, line, line + 1, 3 * line - 2}) {
        Columns<Scalar> columns(n_lanes, 3 * line, engine);
        AlignedBuffer<Scalar> row(3 * line);
        std::fill(row.begin(), row.end(), Scalar(0.5));
        gru4rec::detail::add_lanes_to_row<Scalar>(columns.view(), n_lanes, line, 3 * line, row.data());
        bool same = true;
        for (Index k = 0; k < 3 * line; ++k) {
            Scalar expected(0.5);
            for (Index lane = 0; lane < n_lanes && k >= line; ++lane) {
                expected += columns(lane, k);
            }
            same = same && row[k] == expected;
        }
        CHECK(same);
    }
}

#if defined(__linux__)
TEST_CASE("both products find rows that lie more than 2^31 numbers behind the first") {
    constexpr Index stride = 16;
    constexpr Index n_rows = (Index{1} << 31) / stride + 2;
    constexpr Index line = gru4rec::detail::scalars_per_line<float>;
    const std::size_t bytes = static_cast<std::size_t>(n_rows * stride) * sizeof(float);
    // Addresses without memory behind them, but for the pages that are written to.
    void* const region =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
        MESSAGE("no room for the addresses of a large table: skipping");
        return;
    }
    auto* const table = static_cast<float*>(region);
    const ItemIndex last = gru4rec::to_item(n_rows - 1);
    table[(n_rows - 1) * stride] = 7;
    const Rows<const float> rows{table, stride, &last};
    AlignedBuffer<float> x(line);
    AlignedBuffer<float> out(line);
    std::fill(x.begin(), x.end(), 2.0F);
    gru4rec::detail::multiply_rows<>(rows, 0, 1, 1, LaneMatrix<const float>{x.data(), line}, line,
                                     LaneMatrix<float>{out.data(), line});
    CHECK(std::all_of(out.begin(), out.end(), [](float value) { return value == 14; }));
    out.set_zero();
    gru4rec::detail::multiply_by_rows<float>(LaneMatrix<const float>{x.data(), line}, rows, 0, 1, 0, 1, line,
                                             LaneMatrix<float>{out.data(), line});
    CHECK(std::all_of(out.begin(), out.end(), [](float value) { return value == 14; }));
    ::munmap(region, bytes);
}
#endif
