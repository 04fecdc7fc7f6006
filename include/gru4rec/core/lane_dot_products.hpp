#ifndef GRU4REC_CORE_LANE_DOT_PRODUCTS_HPP
#define GRU4REC_CORE_LANE_DOT_PRODUCTS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>

// The products of many vectors with many rows, with the bits of `dot_products`. That adds up the elements of a register
// of partial sums in a tree at the end of every product, which takes as long as the products if rows are short. Here a
// register holds lanes, as in `multiply_rows`, and the partial sums of a product are registers of their own:
//
//   partial sum c of row j = row_j[c] x[c] + row_j[c + size] x[c + size] + ...            size: scalars of a register
//
// Those that the tree folds to one of its last four elements are made together and added up in registers.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Partial sums that are made together: those that the tree folds to one of its last four elements.
template <class Scalar>
inline constexpr int folded_sums = packet_size<Scalar> > 4 ? static_cast<int>(packet_size<Scalar> / 4) : 1;

/// Whether lane_dot_products is faster than dot_products. With SSE2 it is not: 31 against 36 GFLOP/s.
template <class Scalar>
inline constexpr bool has_fast_lanes = many_registers || packet_size<Scalar> == static_cast<Index>(32 / sizeof(Scalar));

/// Registers of lanes in a tile. One is best if the weight can be loaded by the multiplication itself.
template <class Scalar>
inline constexpr int lane_registers = folded_sums<Scalar> == 4 ? 1 : 2;

/// Lanes of a tile.
template <class Scalar>
inline constexpr Index tile_lanes = lane_registers<Scalar>* packet_size<Scalar>;

/// Rows of a tile: its partial sums fill half to three quarters of the registers.
template <class Scalar>
inline constexpr int lane_steps = (many_registers ? 16 : 12) / (folded_sums<Scalar> * lane_registers<Scalar>);

/// The products of a row with the lanes of a tile.
template <class Scalar>
using LaneProducts = Vector<Scalar, lane_registers<Scalar>>;

/// Adds up the partial sums of row s as the tree does.
template <int Steps, class Scalar>
GRU4REC_ALWAYS_INLINE LaneProducts<Scalar> fold(
    const CArray<CArray<LaneProducts<Scalar>, Steps>, folded_sums<Scalar>>& sum, int s) noexcept {
    if constexpr (folded_sums<Scalar> == 4) {
        return (sum[0][s] + sum[2][s]) + (sum[1][s] + sum[3][s]);
    } else if constexpr (folded_sums<Scalar> == 2) {
        return sum[0][s] + sum[1][s];
    } else {
        return sum[0][s];
    }
}

/// The partial sums of some rows that the tree folds to one element: to[s] = those of row s, added up.
///
/// @param element  0 .. 3
/// @param x        (tile_lanes, columns), without gaps
template <int Steps, class Scalar>
GRU4REC_ALWAYS_INLINE void sum_element(const CArray<const Scalar*, Steps>& row, Index columns, Index element,
                                       const Scalar* GRU4REC_RESTRICT x,
                                       CArray<LaneProducts<Scalar>, Steps>& to) noexcept {
    using Lanes = LaneProducts<Scalar>;
    constexpr int folded = folded_sums<Scalar>;
    CArray<CArray<Lanes, Steps>, folded> sum;
    const auto add_column = [&](int f, Index k) {
        const Lanes lanes = Lanes::load(x + k * tile_lanes<Scalar>);
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            sum[f][s] = multiply_add(Lanes(row[s][k]), lanes, sum[f][s]);
        }
    };
    GRU4REC_UNROLL
    for (int f = 0; f < folded; ++f) {
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            sum[f][s] = Lanes(0);
        }
    }
    Index k = element;
    for (; k + 4 * (folded - 1) < columns; k += packet_size<Scalar>) {
        GRU4REC_UNROLL
        for (int f = 0; f < folded; ++f) {
            add_column(f, k + 4 * f);
        }
    }
    GRU4REC_UNROLL
    for (int f = 0; f < folded - 1; ++f) {
        if (k + 4 * f < columns) {
            add_column(f, k + 4 * f);
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        to[s] = fold<Steps, Scalar>(sum, s);
    }
}

/// What the zeros after the last column change: dot_products adds them, so that no sum is -0 if there are any.
template <class Scalar>
[[nodiscard]] constexpr Scalar zero_of_padding(Index columns) noexcept {
    return columns < padded<Scalar>(columns) ? Scalar(0) : -Scalar(0);
}

/// One tile: calls `take(s, products)` for `Steps` rows from row `j` on.
template <int Steps, class Scalar, class Take>
GRU4REC_ALWAYS_INLINE void lane_dot_products_tile(const WeightBlock<Scalar>& block, Index j,
                                                  const Scalar* GRU4REC_RESTRICT x, const Take& take) noexcept {
    constexpr int n_elements = static_cast<int>((std::min)(packet_size<Scalar>, Index{4}));
    CArray<const Scalar*, Steps> row;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        row[s] = block.matrix(j + s);
    }
    CArray<CArray<LaneProducts<Scalar>, Steps>, n_elements> sum;
    for (int element = 0; element < n_elements; ++element) {
        sum_element<Steps, Scalar>(row, block.columns.end, element, x, sum[element]);
    }
    const LaneProducts<Scalar> zero(zero_of_padding<Scalar>(block.columns.end));
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        if constexpr (n_elements == 4) {
            take(s, ((sum[0][s] + sum[1][s]) + (sum[2][s] + sum[3][s])) + zero);
        } else if constexpr (n_elements == 2) {
            take(s, (sum[0][s] + sum[1][s]) + zero);
        } else {
            take(s, sum[0][s] + zero);
        }
    }
}

/// Calls `take(j, products)` for every row j of the block: its products with tile_lanes vectors, bit for bit those of
/// dot_products.
///
/// @param x  (tile_lanes, columns), without gaps; aligned to tile_lanes scalars
/// @complexity O(rows tile_lanes columns), no allocation
template <class Scalar, class Take>
void lane_dot_products(const WeightBlock<Scalar>& block, const Scalar* x, const Take& take) noexcept {
    GRU4REC_ASSERT(block.rows.begin <= block.rows.end && block.columns.begin == 0);
    for_each_tile<lane_steps<Scalar>>(block.rows, [&](auto steps, Index j) {
        lane_dot_products_tile<steps()>(block, j, x,
                                        [&](int s, const LaneProducts<Scalar>& products) { take(j + s, products); });
    });
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
