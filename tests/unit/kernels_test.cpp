#include "gru4rec/core/kernels.hpp"

#include "support/naive/matrix.hpp"
#include "support/random_outer.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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
using gru4rec::detail::at;
using gru4rec::detail::OuterBlock;
using gru4rec::detail::OuterTarget;
using gru4rec::detail::Output;
using gru4rec::detail::padded;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::Range;
using gru4rec::detail::Rows;
using gru4rec::detail::scalars_per_line;
using gru4rec::detail::WeightBlock;

template <class Scalar>
constexpr double tolerance = sizeof(Scalar) == 4 ? 1e-5 : 1e-13;

template <class Scalar>
Rows<const Scalar> rows_of(const PaddedMatrix<Scalar>& matrix, const std::vector<ItemIndex>& items = {}) {
    return {matrix.data(), matrix.stride(), items.empty() ? nullptr : items.data()};
}

struct Shape {
    Index lanes, rows, features;
};

/// One row, one feature, every remainder of the tiles, sizes beyond the cache's blocks.
template <class Scalar>
std::vector<Shape> shapes() {
    const Index line = scalars_per_line<Scalar>;
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

/// For each row j the row of the table that it names; some are named more than once.
std::vector<ItemIndex> some_items(Index n, Index n_rows, naive::Engine& engine) {
    std::vector<ItemIndex> items;
    for (Index j = 0; j < n; ++j) {
        items.push_back(
            gru4rec::to_item(static_cast<Index>(naive::uniform_index(engine, static_cast<std::size_t>(n_rows)))));
    }
    return items;
}

/// sum_k row[k] x[lane, k] over the columns
template <class Scalar>
double product(const Scalar* row, const RandomColumns<Scalar>& x, Index lane, Range columns) {
    double sum = 0;
    for (Index k = columns.begin; k < columns.end; ++k) {
        sum += static_cast<double>(row[k]) * static_cast<double>(x(lane, k));
    }
    return sum;
}

/// Multiplies a block with every lane, overwriting and accumulating, and compares every number of the output, those
/// outside of the block too.
template <class Scalar>
void check_multiply_rows(const WeightBlock<Scalar>& block, const Shape& shape, naive::Engine& engine) {
    RandomColumns<Scalar> x(shape.lanes, shape.features, engine);
    const RandomColumns<Scalar> before(shape.lanes, shape.rows, engine);
    auto out = before;
    auto sum = before;
    gru4rec::detail::multiply_rows(block, x.view(), shape.lanes, out.view());
    gru4rec::detail::multiply_rows(block, x.view(), shape.lanes, sum.view(), Output::accumulate);
    double worst = 0;
    bool rest_is_untouched = true;
    for (Index j = 0; j < shape.rows; ++j) {
        for (Index lane = 0; lane < shape.lanes; ++lane) {
            if (j < block.rows.begin || j >= block.rows.end) {
                rest_is_untouched = rest_is_untouched && out(lane, j) == before(lane, j);
                rest_is_untouched = rest_is_untouched && sum(lane, j) == before(lane, j);
                continue;
            }
            const double expected = product(block.matrix(j), x, lane, block.columns);
            worst = std::max(worst, std::abs(static_cast<double>(out(lane, j)) - expected));
            worst = std::max(
                worst, std::abs(static_cast<double>(sum(lane, j)) - expected - static_cast<double>(before(lane, j))));
        }
    }
    CHECK(rest_is_untouched);
    CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(shape.features)));
}

/// Keeps every block that it gets.
template <class Scalar>
class Collected {
  public:
    Collected(Index rows, Index features)
        : sums(rows, features), n_columns(padded<Scalar>(features)), times(static_cast<std::size_t>(rows), 0) {}

    void operator()(const OuterBlock<Scalar>& block) {
        constexpr Index size = gru4rec::detail::packet_size<Scalar>;
        CHECK(block.count > 0);
        CHECK(block.width > 0);
        CHECK((block.width % size == 0 && block.offset % size == 0));
        CHECK(block.offset + block.width <= n_columns);
        for (Index j = block.first; j < block.first + block.count; ++j) {
            CHECK(reinterpret_cast<std::uintptr_t>(block.row(j)) % (sizeof(Scalar) * size) == 0);
            std::copy_n(block.row(j), block.width, sums.row(j) + block.offset);
            at(times, j) += block.width;
        }
    }

    PaddedMatrix<Scalar> sums;
    Index n_columns;
    std::vector<Index> times;  ///< per row: features that came
};

}  // namespace

TEST_CASE_TEMPLATE("rows times lanes: every shape, some rows and columns, gathered rows, overwritten or accumulated",
                   Scalar, float, double) {
    naive::Engine engine(1);
    for (const Shape& shape : shapes<Scalar>()) {
        CAPTURE(shape.lanes);
        CAPTURE(shape.rows);
        CAPTURE(shape.features);
        const auto table = random_rows<Scalar>(shape.rows + 3, shape.features, engine);
        const auto items = some_items(shape.rows, shape.rows + 3, engine);
        const Range all_rows{0, shape.rows};
        const Range all_columns{0, shape.features};
        const Range some_rows{shape.rows / 4, shape.rows - shape.rows / 5};
        const Range some_columns{shape.features / 3, shape.features - shape.features / 6};
        check_multiply_rows<Scalar>({rows_of(table), all_rows, all_columns}, shape, engine);
        check_multiply_rows<Scalar>({rows_of(table, items), all_rows, all_columns}, shape, engine);
        check_multiply_rows<Scalar>({rows_of(table, items), some_rows, some_columns}, shape, engine);
    }
}

TEST_CASE_TEMPLATE("lanes times rows add up over the columns of the block and leave the others alone", Scalar, float,
                   double) {
    naive::Engine engine(2);
    for (const Shape& shape : shapes<Scalar>()) {
        CAPTURE(shape.lanes);
        CAPTURE(shape.rows);
        CAPTURE(shape.features);
        const auto table = random_rows<Scalar>(shape.rows + 3, shape.features, engine);
        const auto items = some_items(shape.rows, shape.rows + 3, engine);
        RandomColumns<Scalar> d(shape.lanes, shape.rows, engine);
        const WeightBlock<Scalar> block{rows_of(table, items),
                                        {shape.rows / 4, shape.rows - shape.rows / 5},
                                        {shape.features / 3, shape.features - shape.features / 6}};
        const RandomColumns<Scalar> before(shape.lanes, shape.features, engine);
        auto out = before;
        gru4rec::detail::multiply_by_rows(d.view(), block, shape.lanes, out.view());
        auto overwritten = before;
        gru4rec::detail::multiply_by_rows(d.view(), block, shape.lanes, overwritten.view(), Output::overwrite);
        double worst = 0;
        bool rest_is_untouched = true;
        for (Index k = 0; k < shape.features; ++k) {
            for (Index lane = 0; lane < shape.lanes; ++lane) {
                if (k < block.columns.begin || k >= block.columns.end) {
                    rest_is_untouched =
                        rest_is_untouched && out(lane, k) == before(lane, k) && overwritten(lane, k) == before(lane, k);
                    continue;
                }
                double expected = 0;
                for (Index j = block.rows.begin; j < block.rows.end; ++j) {
                    expected += static_cast<double>(d(lane, j)) * static_cast<double>(block.matrix(j)[k]);
                }
                if (block.rows.size() > 0) {  // else it is left as it was
                    worst = std::max(worst, std::abs(static_cast<double>(overwritten(lane, k)) - expected));
                }
                expected += static_cast<double>(before(lane, k));
                worst = std::max(worst, std::abs(static_cast<double>(out(lane, k)) - expected));
            }
        }
        CHECK(rest_is_untouched);
        CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(shape.rows)));
    }
}

TEST_CASE_TEMPLATE("outer products sum the live lanes only, every row and register comes once", Scalar, float, double) {
    naive::Engine engine(3);
    for (const Index n_lanes : {Index{1}, Index{2}, Index{19}, Index{70}}) {
        for (const Index rows : {Index{1}, Index{2}, Index{5}, Index{23}, Index{130}}) {
            for (const Index features : {Index{1}, Index{8}, Index{17}, Index{40}, Index{97}}) {
                CAPTURE(n_lanes);
                CAPTURE(rows);
                CAPTURE(features);
                RandomOuter<Scalar> outer({n_lanes, rows, features}, engine);
                Collected<Scalar> all(rows, features);
                gru4rec::detail::for_each_outer_block<Scalar>(outer.factors(), {0, rows}, features, {}, all);
                Collected<Scalar> some(rows, features);
                const Range range{rows / 3, rows - rows / 4};
                gru4rec::detail::for_each_outer_block<Scalar>(outer.factors(), range, features, {}, some);
                double worst = 0;
                for (Index j = 0; j < rows; ++j) {
                    const bool in_range = j >= range.begin && j < range.end;
                    CHECK(at(all.times, j) == padded<Scalar>(features));
                    CHECK(at(some.times, j) == (in_range ? padded<Scalar>(features) : 0));
                    for (Index k = 0; k < padded<Scalar>(features); ++k) {
                        const double expected = k < features ? outer.sum(j, k) : 0;
                        worst = std::max(worst, std::abs(static_cast<double>(all.sums.row(j)[k]) - expected));
                        CHECK(some.sums.row(j)[k] == (in_range ? all.sums.row(j)[k] : Scalar(0)));
                    }
                }
                CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(n_lanes)));
            }
        }
    }
}

TEST_CASE_TEMPLATE("an outer product's sum starts from the row that its target names, from zeros without one", Scalar,
                   float, double) {
    naive::Engine engine(31);
    for (const Index rows : {Index{1}, Index{6}, Index{29}, Index{101}}) {
        for (const Index features : {Index{1}, Index{15}, Index{33}, Index{90}}) {
            for (const Index n_lanes : {Index{1}, Index{13}}) {
                CAPTURE(rows);
                CAPTURE(features);
                CAPTURE(n_lanes);
                RandomOuter<Scalar> outer({n_lanes, rows, features}, engine);
                const auto ready = random_rows<Scalar>(rows, features, engine);
                std::vector<const Scalar*> start(static_cast<std::size_t>(rows), nullptr);
                for (Index j = 0; j < rows; j += 3) {
                    at(start, j) = ready.row((j * 5) % rows);
                }
                Collected<Scalar> collected(rows, features);
                gru4rec::detail::for_each_outer_block<Scalar>(outer.factors(), {0, rows}, features,
                                                              {.start = start.data()}, collected);
                double worst = 0;
                for (Index j = 0; j < rows; ++j) {
                    for (Index k = 0; k < features; ++k) {
                        const Scalar* const from = at(start, j);
                        const double expected = outer.sum(j, k) + (from == nullptr ? 0 : static_cast<double>(from[k]));
                        worst = std::max(worst, std::abs(static_cast<double>(collected.sums.row(j)[k]) - expected));
                    }
                }
                CHECK(worst < tolerance<Scalar> * std::sqrt(static_cast<double>(n_lanes)));
            }
        }
    }
}

TEST_CASE_TEMPLATE("blocks of an outer product may be written to the rows that they start from", Scalar, float,
                   double) {
    naive::Engine engine(32);
    const Index rows = 77;
    const Index features = 45;
    RandomOuter<Scalar> outer({21, rows, features}, engine);
    const auto before = random_rows<Scalar>(rows, features, engine);
    auto sums = before;
    std::vector<Scalar*> to;
    for (Index j = 0; j < rows; ++j) {
        to.push_back(sums.row(j));
    }
    const auto add = [&] {
        gru4rec::detail::for_each_outer_block<Scalar>(
            outer.factors(), {0, rows}, features, {.start = to.data()}, [&](const OuterBlock<Scalar>& block) {
                for (Index j = block.first; j < block.first + block.count; ++j) {
                    std::copy_n(block.row(j), block.width, at(to, j) + block.offset);
                }
            });
    };
    add();
    add();
    double worst = 0;
    for (Index j = 0; j < rows; ++j) {
        for (Index k = 0; k < features; ++k) {
            const double expected = static_cast<double>(before.row(j)[k]) + 2 * outer.sum(j, k);
            worst = std::max(worst, std::abs(static_cast<double>(sums.row(j)[k]) - expected));
        }
    }
    CHECK(worst < tolerance<Scalar> * 10);
}

TEST_CASE_TEMPLATE("the rows that an outer product's target announces are fetched, never written, and change no sum",
                   Scalar, float, double) {
    naive::Engine engine(33);
    const Index rows = 50;
    const Index features = 70;
    RandomOuter<Scalar> outer({9, rows, features}, engine);
    Collected<Scalar> plain(rows, features);
    gru4rec::detail::for_each_outer_block<Scalar>(outer.factors(), {0, rows}, features, {}, plain);

    const auto before = random_rows<Scalar>(rows + 5, features, engine);
    auto weights = before;
    auto state = before;
    const auto items = some_items(rows, rows + 5, engine);
    for (const ItemIndex* const names : {static_cast<const ItemIndex*>(nullptr), items.data()}) {
        Collected<Scalar> collected(rows, features);
        const OuterTarget<Scalar> target{.memory = {weights.data(), state.data()},
                                         .n_memory = 2,
                                         .stride = weights.stride(),
                                         .n_rows = rows,
                                         .items = names};
        gru4rec::detail::for_each_outer_block<Scalar>(outer.factors(), {0, rows}, features, target, collected);
        CHECK(collected.sums.map() == plain.sums.map());
        CHECK(weights.map() == before.map());
        CHECK(state.map() == before.map());
    }
}

TEST_CASE("an outer product's target finds its rows by place or by item, beyond 2^31 numbers too") {
    const std::vector<ItemIndex> items = {ItemIndex{7}, ItemIndex{2'000'000'000}, ItemIndex{0}};
    const OuterTarget<float> by_place{.stride = 48};
    const OuterTarget<float> by_item{.stride = 48, .items = items.data()};
    CHECK(by_place.row_offset(2) == 96);
    CHECK(by_item.row_offset(0) == 336);
    constexpr std::int64_t far = std::int64_t{2'000'000'000} * 48;
    if (far <= (std::numeric_limits<Index>::max)()) {  // else no memory holds such a row
        CHECK(by_item.row_offset(1) == far);
    }
    CHECK(by_item.row_offset(2) == 0);
}

TEST_CASE_TEMPLATE("cutting rows, features or lanes into pieces changes no bit", Scalar, float, double) {
    naive::Engine engine(4);
    const Index line = scalars_per_line<Scalar>;
    const Shape shape{5 * line, 211, 83};
    const auto table = random_rows<Scalar>(shape.rows, shape.features, engine);
    const Rows<const Scalar> rows = rows_of(table);
    const Range all_rows{0, shape.rows};
    const Range all_features{0, shape.features};
    RandomColumns<Scalar> x(shape.lanes, shape.features, engine);
    RandomOuter<Scalar> factors({shape.lanes, shape.rows, shape.features}, engine);
    RandomColumns<Scalar>& d = factors.d;
    const RandomColumns<Scalar> zero_rows(shape.lanes, shape.rows, engine);
    const RandomColumns<Scalar> zero_features(shape.lanes, shape.features, engine);

    auto out = zero_rows;
    auto back = zero_features;
    gru4rec::detail::multiply_rows<Scalar>({rows, all_rows, all_features}, x.view(), shape.lanes, out.view());
    gru4rec::detail::multiply_by_rows<Scalar>(d.view(), {rows, all_rows, all_features}, shape.lanes, back.view());
    Collected<Scalar> outer(shape.rows, shape.features);
    gru4rec::detail::for_each_outer_block<Scalar>(factors.factors(), all_rows, shape.features, {}, outer);

    for (const std::vector<Index>& cuts :
         {std::vector<Index>{1, 2, 3, 50}, std::vector<Index>{24, 25, 60}, std::vector<Index>{7, 14, 21, 28, 80}}) {
        for (const Index lanes_at_once : {line, 2 * line, 5 * line}) {
            auto out_cut = zero_rows;
            auto back_cut = zero_features;
            Collected<Scalar> outer_cut(shape.rows, shape.features);
            Index begin = 0;
            for (std::size_t c = 0; c <= cuts.size(); ++c) {
                const bool last = c == cuts.size();
                const Range piece{begin, last ? shape.rows : cuts[c]};
                gru4rec::detail::for_each_outer_block<Scalar>(factors.factors(), piece, shape.features, {}, outer_cut);
                for (Index lane = 0; lane < shape.lanes; lane += lanes_at_once) {
                    const Index lanes = std::min(lanes_at_once, shape.lanes - lane);
                    gru4rec::detail::multiply_rows<Scalar>({rows, piece, all_features}, x.view().from(lane), lanes,
                                                           out_cut.view().from(lane));
                    const Range columns{begin, last ? shape.features : cuts[c]};
                    gru4rec::detail::multiply_by_rows<Scalar>(d.view().from(lane), {rows, all_rows, columns}, lanes,
                                                              back_cut.view().from(lane));
                }
                begin = piece.end;
            }
            CHECK(out_cut.values() == out.values());
            CHECK(back_cut.values() == back.values());
            CHECK(outer_cut.sums.map() == outer.sums.map());
        }
    }
    // Candidates in parts: each part continues the sums of the one before.
    auto in_parts = zero_features;
    for (const Range part : {Range{0, 64}, {64, 192}, {192, 211}}) {
        gru4rec::detail::multiply_by_rows<Scalar>(d.view(), {rows, part, all_features}, shape.lanes, in_parts.view());
    }
    CHECK(in_parts.values() == back.values());
}

TEST_CASE_TEMPLATE("groups of registers and tiles of rows cover each one once, in order", Scalar, float, double) {
    for (Index n = 0; n < 20; ++n) {
        CAPTURE(n);
        Index next = 0;
        int alone = 0;
        gru4rec::detail::for_each_vector_group<Scalar>(n, [&](auto vectors, Index first) {
            CHECK(first == next);
            CHECK(vectors() <= gru4rec::detail::max_group<Scalar>);
            alone += vectors() == 1 ? 1 : 0;
            next += vectors();
        });
        CHECK(next == n);
        CHECK(alone <= (gru4rec::detail::max_group<Scalar> == 3 ? (n == 1 ? 1 : 0) : n % 2));
        next = 3;
        gru4rec::detail::for_each_tile<8>({3, 3 + n}, [&](auto steps, Index first) {
            CHECK(first == next);
            next += steps();
        });
        CHECK(next == 3 + n);
    }
}

TEST_CASE_TEMPLATE("lanes to rows and back is a transposition, of the columns that are named", Scalar, float, double) {
    naive::Engine engine(5);
    const Index line = scalars_per_line<Scalar>;
    for (const Index lanes : {line, 3 * line}) {
        for (const Index features : {line, 2 * line, 5 * line}) {
            RandomColumns<Scalar> columns(lanes, features, engine);
            PaddedMatrix<Scalar> rows(lanes, features);
            gru4rec::detail::columns_to_rows<Scalar>(columns.view(), lanes, {0, features},
                                                     {rows.data(), rows.stride()});
            bool same = true;
            for (Index lane = 0; lane < lanes; ++lane) {
                for (Index k = 0; k < features; ++k) {
                    same = same && rows.row(lane)[k] == columns(lane, k);
                }
            }
            CHECK(same);
            RandomColumns<Scalar> back(lanes, features, engine);
            gru4rec::detail::rows_to_columns<Scalar>(rows_of(rows), lanes, features, back.view());
            for (Index lane = 0; lane < lanes; ++lane) {
                for (Index k = 0; k < features; ++k) {
                    same = same && back(lane, k) == columns(lane, k);
                }
            }
            CHECK(same);
            PaddedMatrix<Scalar> part(lanes, features);
            gru4rec::detail::columns_to_rows<Scalar>(columns.view(), lanes, {features - line, features},
                                                     {part.data(), part.stride()});
            CHECK(part.row(lanes - 1)[features - 1] == columns(lanes - 1, features - 1));
            CHECK((features == line || part.row(lanes - 1)[features - line - 1] == 0));
        }
    }
}

TEST_CASE_TEMPLATE("lanes are added to a row in their order, those of the padding not", Scalar, float, double) {
    naive::Engine engine(8);
    constexpr Index line = scalars_per_line<Scalar>;
    for (const Index n_lanes : {Index{1}, Index{2}, line - 1, line, line + 1, 3 * line - 2}) {
        RandomColumns<Scalar> columns(n_lanes, 3 * line, engine);
        AlignedBuffer<Scalar> row(3 * line);
        std::fill(row.begin(), row.end(), Scalar(0.5));
        gru4rec::detail::add_lanes_to_row<Scalar>(columns.view(), n_lanes, {line, 3 * line}, row.data());
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

TEST_CASE("every line of the named lanes and columns is visited once") {
    std::vector<Index> visited;
    gru4rec::detail::for_each_line<float>(32, 3, 100, [&](Index offset) { visited.push_back(offset); });
    CHECK(visited == std::vector<Index>{0, 16, 100, 116, 200, 216});
}

#if defined(__linux__) && PTRDIFF_MAX > INT32_MAX
TEST_CASE("both products find rows that lie more than 2^31 numbers behind the first") {
    constexpr Index stride = 16;
    constexpr Index n_rows = (Index{1} << 31) / stride + 2;
    constexpr Index line = scalars_per_line<float>;
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
    const WeightBlock<float> block{{table, stride, &last}, {0, 1}, {0, 1}};
    AlignedBuffer<float> x(line);
    AlignedBuffer<float> out(line);
    std::fill(x.begin(), x.end(), 2.0F);
    const LaneMatrix<const float> lanes{x.data(), line};
    gru4rec::detail::multiply_rows<float>(block, lanes, line, {out.data(), line});
    CHECK(std::all_of(out.begin(), out.end(), [](float value) { return value == 14; }));
    out.set_zero();
    gru4rec::detail::multiply_by_rows<float>(lanes, block, line, {out.data(), line});
    CHECK(std::all_of(out.begin(), out.end(), [](float value) { return value == 14; }));
    ::munmap(region, bytes);
}
#endif
