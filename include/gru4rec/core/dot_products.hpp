#ifndef GRU4REC_CORE_DOT_PRODUCTS_HPP
#define GRU4REC_CORE_DOT_PRODUCTS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"

#include <algorithm>
#include <type_traits>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // register types as template arguments: meant, as in Eigen
#endif

// The products of a few vectors with many rows. `multiply_rows` fills its registers with lanes; a session alone has
// one. Here a register holds neighbouring features of one row:
//
//   row j     | w w w w | w w w w | w 0 0 0 |
//   vector v  | x x x x | x x x x | x 0 0 0 |        one register of partial sums per (row, vector), added up in a
//             ------------ + --------------          fixed tree at the end: its halves, their halves, ... four, two,
//             one
//
// The tree depends on the width of a register alone. An element has the same bits whatever the tile it falls into, the
// rows it is asked for with and the number of vectors; it differs from multiply_rows in the last bits.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Rows whose sums are folded together.
inline constexpr int row_group = 4;

/// Adds the halves of a register until four elements are left.
template <class Packet>
[[nodiscard]] GRU4REC_ALWAYS_INLINE auto fold_to_four(const Packet& x) noexcept {
    if constexpr (simd::unpacket_traits<Packet>::size <= 4) {
        return x;
    } else {
        return fold_to_four(simd::predux_half_dowto4(x));
    }
}

/// to[i] = sum of the elements of sum[i], or added to it, for the first `count` rows of a group.
template <Output output, class Scalar, class Packet>
GRU4REC_ALWAYS_INLINE void store_sums(const Registers<Packet, row_group>& sum, Index count, Scalar* to) noexcept {
    alignas(cache_line) Scalar sums[row_group];
    if constexpr (packet_size<Scalar> >= row_group) {
        using Four = decltype(fold_to_four(sum[0]));
        Eigen::internal::PacketBlock<Four, row_group> block;
        GRU4REC_UNROLL
        for (int i = 0; i < row_group; ++i) {
            block.packet[i] = fold_to_four(sum[i]);
        }
        simd::ptranspose(block);
        const Four four =
            simd::padd(simd::padd(block.packet[0], block.packet[1]), simd::padd(block.packet[2], block.packet[3]));
        if (count == row_group) {
            simd::pstoreu(to, output == Output::accumulate ? simd::padd(simd::ploadu<Four>(to), four) : four);
            return;
        }
        simd::pstore(sums, four);
    } else {
        for (int i = 0; i < row_group; ++i) {
            sums[i] = simd::predux(sum[i]);
        }
    }
    for (Index i = 0; i < count; ++i) {
        to[i] = output == Output::accumulate ? to[i] + sums[i] : sums[i];
    }
}

/// Rows of a group that are read at the same time. One vector alone reads the rows one after the other, as the memory
/// is streamed best; with few registers two by two, as the vector would else be loaded again for every row.
template <int Vectors>
inline constexpr int rows_together = Vectors > 1      ? row_group
                                     : many_registers ? 1
                                                      : 2;

/// One tile of row_products: a group of rows from row `j` on by `Vectors` vectors from vector `v` on. Rows beyond the
/// last are the last one again and are not stored.
template <Output output, int Vectors, class Scalar>
GRU4REC_ALWAYS_INLINE void row_products_tile(const Rows<const Scalar>& rows, Index j, Index j_end, Index width,
                                             const Rows<const Scalar>& x, Index v, const Rows<Scalar>& out) noexcept {
    using Packet = Packet<Scalar>;
    constexpr int together = rows_together<Vectors>;
    Registers<const Scalar*, row_group> row;
    Registers<const Scalar*, Vectors> vector;
    Registers<Registers<Packet, row_group>, Vectors> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < row_group; ++s) {
        row[s] = rows((std::min)(j + s, j_end - 1));
    }
    GRU4REC_UNROLL
    for (int i = 0; i < Vectors; ++i) {
        vector[i] = x(v + i);
        GRU4REC_UNROLL
        for (int s = 0; s < row_group; ++s) {
            sum[i][s] = simd::pset1<Packet>(Scalar(0));
        }
    }
    GRU4REC_UNROLL
    for (int first = 0; first < row_group; first += together) {
        for (Index k = 0; k < width; k += packet_size<Scalar>) {
            Registers<Packet, Vectors> features;
            GRU4REC_UNROLL
            for (int i = 0; i < Vectors; ++i) {
                features[i] = simd::pload<Packet>(vector[i] + k);
            }
            GRU4REC_UNROLL
            for (int s = first; s < first + together; ++s) {
                const Packet weights = simd::pload<Packet>(row[s] + k);
                GRU4REC_UNROLL
                for (int i = 0; i < Vectors; ++i) {
                    sum[i][s] = simd::pmadd(weights, features[i], sum[i][s]);
                }
            }
        }
    }
    const Index count = (std::min)(Index{row_group}, j_end - j);
    GRU4REC_UNROLL
    for (int i = 0; i < Vectors; ++i) {
        store_sums<output>(sum[i], count, out(v + i) + j);
    }
}

/// out(v)[j] = sum_k rows(j)[k] x(v)[k] for j_begin <= j < j_end and every vector v, or added to what `out` holds.
///
/// @param rows  rows of `n_features` weights, zero behind them up to a whole cache line
/// @param x     n_vectors rows, in the same form; finite behind their features
/// @param out   n_vectors rows
/// @complexity O(n_vectors (j_end - j_begin) n_features), no allocation   @threads safe for distinct outputs
template <Output output = Output::overwrite, class Scalar>
void row_products(Rows<const Scalar> rows, Index j_begin, Index j_end, Index n_features,
                  std::type_identity_t<Rows<const Scalar>> x, Index n_vectors, Rows<Scalar> out) noexcept {
    constexpr int vectors = many_registers ? 4 : 2;
    GRU4REC_ASSERT(j_begin <= j_end && n_vectors >= 0);
    const Index width = padded<Scalar>(n_features);
    for (Index j = j_begin; j < j_end; j += row_group) {
        Index v = 0;
        for (; v + vectors <= n_vectors; v += vectors) {
            row_products_tile<output, vectors>(rows, j, j_end, width, x, v, out);
        }
        for (; v < n_vectors; ++v) {
            row_products_tile<output, 1>(rows, j, j_end, width, x, v, out);
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
