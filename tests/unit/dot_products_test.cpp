#include "gru4rec/core/dot_products.hpp"

#include "gru4rec/core/storage.hpp"
#include "support/naive/matrix.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::dot_products;
using gru4rec::detail::Output;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::Range;
using gru4rec::detail::Rows;
using gru4rec::detail::WeightBlock;

template <class Scalar>
Rows<const Scalar> rows_of(const PaddedMatrix<Scalar>& matrix) {
    return {matrix.data(), matrix.stride()};
}

/// All rows and columns.
template <class Scalar>
WeightBlock<Scalar> whole(const PaddedMatrix<Scalar>& matrix) {
    return {rows_of(matrix), {0, matrix.rows()}, {0, matrix.cols()}};
}

struct Shape {
    Index n_rows, width, n_vectors;
};

template <class Scalar>
void check_shape(const Shape& shape, naive::Engine& engine) {
    const auto& [n_rows, width, n_vectors] = shape;
    const auto weights = random_rows<Scalar>(n_rows, width, engine);
    const auto x = random_rows<Scalar>(n_vectors, width, engine);
    const Index stride = gru4rec::detail::padded<Scalar>(n_rows + 1);
    AlignedBuffer<Scalar> out(n_vectors * stride), sums(n_vectors * stride);
    for (Scalar& value : sums) {
        value = Scalar(2);
    }
    dot_products(whole(weights), rows_of(x), n_vectors, Rows<Scalar>{out.data(), stride});
    dot_products(whole(weights), rows_of(x), n_vectors, Rows<Scalar>{sums.data(), stride}, Output::accumulate);
    for (Index v = 0; v < n_vectors; ++v) {
        for (Index j = 0; j < n_rows; ++j) {
            double wanted = 0;
            double size = 0;
            for (Index k = 0; k < width; ++k) {
                const double term = static_cast<double>(weights.row(j)[k]) * static_cast<double>(x.row(v)[k]);
                wanted += term;
                size += std::abs(term);
            }
            const double tolerance = static_cast<double>(gru4rec::detail::padded<Scalar>(width) + 1) * (size + 2) *
                                     static_cast<double>(std::numeric_limits<Scalar>::epsilon());
            const Scalar got = out[v * stride + j];
            CHECK(std::abs(static_cast<double>(got) - wanted) <= tolerance);
            CHECK(sums[v * stride + j] == got + Scalar(2));
            Scalar alone = 0;
            dot_products<Scalar>({{weights.row(j), 0}, {0, 1}, {0, width}}, {x.row(v), 0}, 1, {&alone, 0});
            CHECK(alone == got);  // to the bit, whatever the tile
        }
        CHECK(out[v * stride + n_rows] == 0);  // nothing is written after the last row
        CHECK(sums[v * stride + n_rows] == 2);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("every row meets every vector, with the bits of that row and vector alone", Scalar, float, double) {
    // Odd shapes: rows beyond whole groups, widths beyond whole cache lines, vectors beyond whole tiles.
    naive::Engine engine(5);
    for (const Index n_rows : {1, 3, 4, 9, 30}) {
        for (const Index width : {1, 7, 16, 33, 101}) {
            for (const Index n_vectors : {0, 1, 2, 3, 4, 7}) {
                CAPTURE(n_rows);
                CAPTURE(width);
                CAPTURE(n_vectors);
                check_shape<Scalar>({n_rows, width, n_vectors}, engine);
            }
        }
    }
}

TEST_CASE_TEMPLATE("rows may be named, in any order and several times, and cut into ranges", Scalar, float, double) {
    naive::Engine engine(6);
    const auto weights = random_rows<Scalar>(40, 50, engine);
    const auto x = random_rows<Scalar>(5, 50, engine);
    AlignedBuffer<Scalar> all(5 * 48), named(5 * 48);
    dot_products(whole(weights), rows_of(x), 5, Rows<Scalar>{all.data(), 48});
    std::vector<ItemIndex> items;
    for (int j = 0; j < 40; ++j) {
        items.push_back(ItemIndex{(j * 7) % 13});
    }
    const Rows<const Scalar> rows{weights.data(), weights.stride(), items.data()};
    for (const Index begin : {0, 6, 17}) {  // each range overwrites the same values
        dot_products<Scalar>({rows, {begin, 40}, {0, 50}}, rows_of(x), 5, {named.data(), 48});
    }
    for (Index v = 0; v < 5; ++v) {
        for (Index j = 0; j < 40; ++j) {
            CHECK(named[v * 48 + j] == all[v * 48 + (j * 7) % 13]);
        }
    }
}

TEST_CASE_TEMPLATE("only the rows of the range are written", Scalar, float, double) {
    naive::Engine engine(7);
    const auto weights = random_rows<Scalar>(23, 19, engine);
    const auto x = random_rows<Scalar>(3, 19, engine);
    for (const Range range : {Range{0, 0}, {0, 1}, {3, 10}, {7, 7}, {22, 23}}) {
        AlignedBuffer<Scalar> out(3 * 24);
        dot_products<Scalar>({rows_of(weights), range, {0, 19}}, rows_of(x), 3, {out.data(), 24});
        for (Index v = 0; v < 3; ++v) {
            for (Index j = 0; j < 24; ++j) {
                CHECK((out[v * 24 + j] != 0) == (j >= range.begin && j < range.end));
            }
        }
    }
}
