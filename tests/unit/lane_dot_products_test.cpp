#include "gru4rec/core/lane_dot_products.hpp"

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/storage.hpp"
#include "support/naive/matrix.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::dot_products;
using gru4rec::detail::lane_dot_products;
using gru4rec::detail::LaneProducts;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::Range;
using gru4rec::detail::tile_lanes;

/// The number of products whose bits differ from those of dot_products, of rows that are missing, and of strangers.
template <class Scalar>
int differences(const gru4rec::detail::WeightBlock<Scalar>& block, const PaddedMatrix<Scalar>& x) {
    constexpr Index lanes = tile_lanes<Scalar>;
    AlignedBuffer<Scalar> packed(lanes * x.cols());
    for (Index lane = 0; lane < lanes; ++lane) {
        for (Index k = 0; k < x.cols(); ++k) {
            packed[k * lanes + lane] = x.row(lane)[k];
        }
    }
    const Index stride = block.rows.end + 1;
    AlignedBuffer<Scalar> wanted(lanes * stride);
    dot_products<Scalar>(block, {x.data(), x.stride()}, lanes, {wanted.data(), stride});
    std::vector<int> seen(static_cast<std::size_t>(block.rows.end));
    int wrong = 0;
    lane_dot_products<Scalar>(block, packed.data(), [&](Index j, const LaneProducts<Scalar>& products) {
        alignas(64) std::array<Scalar, static_cast<std::size_t>(lanes)> got;
        products.store(got.data());
        for (Index lane = 0; lane < lanes; ++lane) {
            const Scalar product = gru4rec::detail::at(got, lane);
            const Scalar same = wanted[lane * stride + j];
            wrong += product == same && std::signbit(product) == std::signbit(same) ? 0 : 1;
        }
        ++gru4rec::detail::at(seen, j);
    });
    for (Index j = 0; j < block.rows.end; ++j) {
        wrong += gru4rec::detail::at(seen, j) == (j >= block.rows.begin ? 1 : 0) ? 0 : 1;
    }
    return wrong;
}

}  // namespace

TEST_CASE_TEMPLATE("the products of a tile of lanes have the bits of dot_products", Scalar, float, double) {
    naive::Engine engine(8);
    for (const Index width : {1, 3, 4, 5, 15, 16, 17, 33, 100, 101}) {
        const auto x = random_rows<Scalar>(tile_lanes<Scalar>, width, engine);
        for (const Index n_rows : {1, 2, 3, 4, 5, 7, 12, 13, 64}) {
            CAPTURE(width);
            CAPTURE(n_rows);
            const auto weights = random_rows<Scalar>(n_rows, width, engine);
            CHECK(differences<Scalar>({{weights.data(), weights.stride()}, {0, n_rows}, {0, width}}, x) == 0);
            CHECK(differences<Scalar>({{weights.data(), weights.stride()}, {n_rows / 2, n_rows}, {0, width}}, x) == 0);
        }
    }
    // Rows in any order, some of them twice.
    const auto weights = random_rows<Scalar>(20, 50, engine);
    const auto x = random_rows<Scalar>(tile_lanes<Scalar>, 50, engine);
    std::vector<ItemIndex> items;
    for (Index j = 0; j < 30; ++j) {
        items.push_back(gru4rec::to_item(j * 7 % 20));
    }
    CHECK(differences<Scalar>({{weights.data(), weights.stride(), items.data()}, {3, 30}, {0, 50}}, x) == 0);
}

TEST_CASE_TEMPLATE("sums of products that are too small have the sign that dot_products gives them", Scalar, float,
                   double) {
    const Scalar tiny = std::is_same_v<Scalar, float> ? Scalar(1e-30) : Scalar(1e-200);
    for (const Index width : {1, 7, 8, 9, 15, 16, 17, 32, 33, 101}) {
        CAPTURE(width);
        PaddedMatrix<Scalar> weights(13, width);
        PaddedMatrix<Scalar> x(tile_lanes<Scalar>, width);
        for (Index k = 0; k < width; ++k) {
            for (Index j = 0; j < weights.rows(); ++j) {
                weights.row(j)[k] = k == width - 1 && j % 2 == 0 ? -Scalar(0) : -tiny;
            }
            for (Index lane = 0; lane < x.rows(); ++lane) {
                x.row(lane)[k] = tiny;
            }
        }
        CHECK(differences<Scalar>({{weights.data(), weights.stride()}, {0, weights.rows()}, {0, width}}, x) == 0);
    }
}
