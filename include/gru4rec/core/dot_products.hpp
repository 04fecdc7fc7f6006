#ifndef GRU4REC_CORE_DOT_PRODUCTS_HPP
#define GRU4REC_CORE_DOT_PRODUCTS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"

#include <algorithm>
#include <type_traits>

// The products of a few vectors with many rows. `multiply_rows` fills its registers with lanes; a single session has
// one. Here a register holds neighbouring features of one row:
//
//   row j     | w w w w | w w w w | w 0 0 0 |
//   vector v  | x x x x | x x x x | x 0 0 0 |        one register of partial sums per (row, vector), added up in a
//             ------------ + --------------          fixed tree at the end: its halves, their halves, ... four, two,
//             one
//
// The tree depends only on the width of a register. An element has the same bits whatever the tile it falls into,
// whatever other rows are asked for and however many vectors there are; it differs from multiply_rows in the last bits.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Rows whose sums are folded together.
inline constexpr int row_group = 4;

/// The products of a group of rows with some vectors, register by register, added to sum[i][s].
template <int Vectors, class Scalar>
GRU4REC_ALWAYS_INLINE void add_products(const CArray<const Scalar*, row_group>& row, const Scalar* const* vectors,
                                        Index width,
                                        CArray<CArray<Register<Scalar>, row_group>, Vectors>& sum) noexcept {
    if constexpr (Vectors == 1 && packet_size<Scalar> == scalars_per_line<Scalar>) {
        // Row after row, as they lie in memory: half the time if they come from there. With narrower registers this
        // order takes longer if they are in a cache, as more products wait for each other.
        GRU4REC_UNROLL
        for (int s = 0; s < row_group; ++s) {
            for (Index k = 0; k < width; k += packet_size<Scalar>) {
                sum[0][s] =
                    multiply_add(Register<Scalar>::load(row[s] + k), Register<Scalar>::load(vectors[0] + k), sum[0][s]);
            }
        }
    } else {
        for (Index k = 0; k < width; k += packet_size<Scalar>) {
            CArray<Register<Scalar>, Vectors> features;
            GRU4REC_UNROLL
            for (int i = 0; i < Vectors; ++i) {
                features[i] = Register<Scalar>::load(vectors[i] + k);
            }
            GRU4REC_UNROLL
            for (int s = 0; s < row_group; ++s) {
                const auto weights = Register<Scalar>::load(row[s] + k);
                GRU4REC_UNROLL
                for (int i = 0; i < Vectors; ++i) {
                    sum[i][s] = multiply_add(weights, features[i], sum[i][s]);
                }
            }
        }
    }
}

/// One tile of dot_products: a group of rows from row `j` on by `Vectors` vectors from vector `v` on. A row beyond the
/// last repeats the last and is not stored.
template <int Vectors, class Scalar>
GRU4REC_ALWAYS_INLINE void dot_products_tile(const WeightBlock<Scalar>& block, Index j, const Scalar* const* vectors,
                                             Scalar* const* out, Output output) noexcept {
    const Index width = padded<Scalar>(block.columns.end);
    CArray<const Scalar*, row_group> row;
    CArray<CArray<Register<Scalar>, row_group>, Vectors> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < row_group; ++s) {
        row[s] = block.matrix((std::min)(j + s, block.rows.end - 1));
        GRU4REC_UNROLL
        for (int i = 0; i < Vectors; ++i) {
            sum[i][s] = Register<Scalar>(0);
        }
    }
    add_products<Vectors, Scalar>(row, vectors, width, sum);
    const Index count = (std::min)(Index{row_group}, block.rows.end - j);
    GRU4REC_UNROLL
    for (int i = 0; i < Vectors; ++i) {
        Scalar* const to = out[i] + j;
        if (count == row_group) {
            sum_elements<Scalar>(sum[i], output, to);
        } else {
            Scalar sums[row_group] = {};
            sum_elements<Scalar>(sum[i], Output::overwrite, sums);
            for (Index s = 0; s < count; ++s) {
                to[s] = output == Output::accumulate ? to[s] + sums[s] : sums[s];
            }
        }
    }
}

/// out(v)[j] = sum_k row_j[k] x(v)[k] over the block's rows j and every vector v, or added to what `out` holds.
///
/// @param block  columns 0 .. n_features - 1 of rows that are zero after them up to a whole cache line
/// @param x      n_vectors rows, in the same form; finite after their features
/// @param out    n_vectors rows
/// @complexity O(n_vectors rows n_features), no allocation   @threads safe for distinct outputs
template <class Scalar>
void dot_products(const WeightBlock<Scalar>& block, std::type_identity_t<Rows<const Scalar>> x, Index n_vectors,
                  Rows<Scalar> out, Output output = Output::overwrite) noexcept {
    constexpr int vectors = many_registers ? 4 : 2;
    GRU4REC_ASSERT(block.rows.begin <= block.rows.end && block.columns.begin == 0 && n_vectors >= 0);
    for (Index j = block.rows.begin; j < block.rows.end; j += row_group) {
        Index v = 0;
        for (; v + vectors <= n_vectors; v += vectors) {
            const Scalar* from[vectors];
            Scalar* to[vectors];
            for (int i = 0; i < vectors; ++i) {
                from[i] = x(v + i);
                to[i] = out(v + i);
            }
            dot_products_tile<vectors>(block, j, from, to, output);
        }
        for (; v < n_vectors; ++v) {
            const Scalar* const from = x(v);
            Scalar* const to = out(v);
            dot_products_tile<1>(block, j, &from, &to, output);
        }
    }
}

#if defined(GRU4REC_COMPILED)
extern template void dot_products<float>(const WeightBlock<float>&, Rows<const float>, Index, Rows<float>,
                                         Output) noexcept;
extern template void dot_products<double>(const WeightBlock<double>&, Rows<const double>, Index, Rows<double>,
                                          Output) noexcept;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
