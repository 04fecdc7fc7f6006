#ifndef GRU4REC_CORE_KERNELS_HPP
#define GRU4REC_CORE_KERNELS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // register types as template arguments: meant, as in Eigen
#endif

// Three products make up a training step. Lanes of a feature lie together (columns), rows of a weight matrix or table
// are contiguous, and no row is ever copied:
//
//   multiply_rows       out[lane, j]  = sum_k  row_j[k]   x[lane, k]       scores; x W_x, h W_h of a GRU layer
//   multiply_by_rows    out[lane, k] += sum_j  d[lane, j] row_j[k]         back to the input of the above
//   for_each_outer_row  dW[j, :]      = sum_lane d[lane, j] x[lane, :]     gradient of row j, handed on in registers
//
// Every element is summed in one fixed order, whatever the tile it falls into: cutting rows, features or lanes into
// chunks never changes a bit. docs/performance.md tells how the tile sizes were found.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

enum class Output { overwrite, accumulate };

#if defined(EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS)
inline constexpr bool many_registers = EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS >= 32;
#else
inline constexpr bool many_registers = false;
#endif

/// Registers side by side; in a C array, as std::array drops the attributes of a register type.
template <class Value, int N>
using Registers = Value[static_cast<std::size_t>(N)];

/// Register tile: `vectors` registers of the contiguous direction by `steps` of the other. The accumulators, one
/// vector each of the contiguous operand and one broadcast fill the register file.
template <int Vectors>
inline constexpr int tile_steps = many_registers ? (Vectors == 1   ? 12
                                                    : Vectors == 2 ? 12
                                                                   : 8)
                                                 : (Vectors == 1   ? 6
                                                    : Vectors == 2 ? 6
                                                                   : 4);

/// Steps that every tile divides; chunks of rows are best a multiple of it.
inline constexpr Index tile_multiple = many_registers ? 24 : 12;

/// Bytes of the operand that is used again and again by the inner loops; it is to stay in the first-level cache.
inline constexpr Index first_level_bytes = 24 * 1024;
/// Bytes of rows that are gone through for one group of lanes; they are to stay in the second-level cache.
inline constexpr Index second_level_bytes = 128 * 1024;

/// Calls `body(constant<vectors>, first)` so that groups of two or three registers cover `n_vectors`; one is left alone
/// only where there is no choice, since a tile one register wide waits for its loads. Three only where a register is a
/// whole cache line: no line is then shared by two groups.
template <class Scalar, class Body>
void for_each_vector_group(Index n_vectors, const Body& body) {
    constexpr bool by_three = packet_size<Scalar> == scalars_per_line<Scalar>;
    Index first = 0;
    while (first < n_vectors) {
        const Index left = n_vectors - first;
        if (left == 1) {
            body(std::integral_constant<int, 1>{}, first);
            first += 1;
        } else if (!by_three || left == 2 || left == 4) {
            body(std::integral_constant<int, 2>{}, first);
            first += 2;
        } else {
            body(std::integral_constant<int, 3>{}, first);
            first += 3;
        }
    }
}

/// Calls `body(constant<steps>, first)` for tiles of `Steps`, then of two and one, that cover begin .. end.
template <int Steps, class Body>
void for_each_tile(Index begin, Index end, const Body& body) {
    for (; begin + Steps <= end; begin += Steps) {
        body(std::integral_constant<int, Steps>{}, begin);
    }
    for (; begin + 2 <= end; begin += 2) {
        body(std::integral_constant<int, 2>{}, begin);
    }
    if (begin < end) {
        body(std::integral_constant<int, 1>{}, begin);
    }
}

/// One tile of multiply_rows: `Vectors` registers of lanes by `Steps` rows from row `j` on.
template <Output output, int Vectors, int Steps, class Scalar>
void multiply_rows_tile(const Rows<const Scalar>& rows, Index j, Index n_rows, Index n_features,
                        const Scalar* GRU4REC_RESTRICT x, Index x_stride, Scalar* GRU4REC_RESTRICT out,
                        Index out_stride) noexcept {
    using Packet = Packet<Scalar>;
    constexpr Index size = packet_size<Scalar>;
    Registers<const Scalar*, Steps> row;
    Registers<const Scalar*, Steps> next;
    Registers<Registers<Packet, Vectors>, Steps> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        row[s] = rows(j + s);
        next[s] = rows((std::min)(j + Steps + s, n_rows - 1));
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = output == Output::accumulate ? simd::pload<Packet>(out + s * out_stride + v * size)
                                                     : simd::pset1<Packet>(Scalar(0));
        }
    }
    for (Index line = 0; line < n_features; line += scalars_per_line<Scalar>) {
        // Rows of a large table are cache misses that no hardware foresees: fetch the next tile's while this one works.
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            prefetch<Access::read>(next[s] + line);
        }
        const Index end = (std::min)(line + scalars_per_line<Scalar>, n_features);
        for (Index k = line; k < end; ++k) {
            Registers<Packet, Vectors> lanes;
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                lanes[v] = simd::pload<Packet>(x + k * x_stride + v * size);
            }
            GRU4REC_UNROLL
            for (int s = 0; s < Steps; ++s) {
                const Packet weight = simd::pset1<Packet>(row[s][k]);
                GRU4REC_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    sum[s][v] = simd::pmadd(weight, lanes[v], sum[s][v]);
                }
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            simd::pstore(out + s * out_stride + v * size, sum[s][v]);
        }
    }
}

/// One tile of multiply_by_rows: `Vectors` registers of lanes by `Steps` features from feature `k` on. Rows `ahead` of
/// those it needs are fetched, up to row `last`.
template <int Vectors, int Steps, class Scalar>
void multiply_by_rows_tile(const Scalar* GRU4REC_RESTRICT d, Index d_stride, const Rows<const Scalar>& rows,
                           Index j_begin, Index j_end, Index k, Scalar* GRU4REC_RESTRICT out, Index out_stride,
                           Index ahead, Index last) noexcept {
    using Packet = Packet<Scalar>;
    constexpr Index size = packet_size<Scalar>;
    Registers<Registers<Packet, Vectors>, Steps> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = simd::pload<Packet>(out + s * out_stride + v * size);
        }
    }
    for (Index j = j_begin; j < j_end; ++j) {
        const Scalar* const row = rows(j) + k;
        prefetch<Access::read>(rows((std::min)(j + ahead, last)) + k);
        Registers<Packet, Vectors> lanes;
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            lanes[v] = simd::pload<Packet>(d + j * d_stride + v * size);
        }
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            const Packet weight = simd::pset1<Packet>(row[s]);
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                sum[s][v] = simd::pmadd(weight, lanes[v], sum[s][v]);
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            simd::pstore(out + s * out_stride + v * size, sum[s][v]);
        }
    }
}

/// One tile of for_each_outer_row: `Steps` rows from row `j` on by `Vectors` registers of features from `offset` on.
template <int Vectors, int Steps, class Scalar, class Sink>
void outer_rows_tile(LaneMatrix<const Scalar> d, Index j, Rows<const Scalar> x, Index n_lanes, Index offset,
                     const Sink& shared_sink) noexcept {
    using Packet = Packet<Scalar>;
    constexpr Index size = packet_size<Scalar>;
    const Sink sink = shared_sink;  // no store of its own can change a copy, so that it is read once
    Registers<Registers<Packet, Vectors>, Steps> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = sink.start(j + s, offset + v * size);
        }
    }
    const Scalar* lane_row = x.base + offset;
    const Scalar* factor = d.column(j);
    // The sink's memory is fetched while the sums grow, a row after every few lanes: a core waits for some twenty lines
    // at a time and stands still where more are asked for at once.
    for (Index part = 0, m = 0; part <= Steps; ++part) {
        if (part < Steps) {
            for (Index at = 0; at < Vectors * size; at += scalars_per_line<Scalar>) {
                sink.prefetch(j + part, offset + at);
            }
        }
        const Index end = part < Steps ? m + n_lanes / Steps : n_lanes;
        for (; m < end; ++m, lane_row += x.stride, ++factor) {
            Registers<Packet, Vectors> values;
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                values[v] = simd::pload<Packet>(lane_row + v * size);
            }
            GRU4REC_UNROLL
            for (int s = 0; s < Steps; ++s) {
                const Packet weight = simd::pset1<Packet>(factor[s * d.stride]);
                GRU4REC_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    sum[s][v] = simd::pmadd(weight, values[v], sum[s][v]);
                }
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        const auto row = sink.row(j + s);
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            row(offset + v * size, sum[s][v]);
        }
    }
}

/// out[lane, j] = sum_k row_j[k] x[lane, k] for j_begin <= j < j_end, or added to what `out` holds.
///
/// @param rows   rows of `n_features` weights
/// @param x      (lanes, n_features)
/// @param lanes  a multiple of the scalars in a cache line
/// @complexity O(lanes (j_end - j_begin) n_features), no allocation   @threads safe for distinct outputs
template <Output output = Output::overwrite, class Scalar>
void multiply_rows(Rows<const Scalar> rows, Index j_begin, Index j_end, Index n_features,
                   std::type_identity_t<LaneMatrix<const Scalar>> x, Index lanes, LaneMatrix<Scalar> out) noexcept {
    GRU4REC_ASSERT(lanes % scalars_per_line<Scalar> == 0 && j_begin <= j_end && lanes <= x.stride &&
                   lanes <= out.stride);
    const bool x_is_small = lanes * n_features * static_cast<Index>(sizeof(Scalar)) <= first_level_bytes;
    const Index row_bytes = n_features * static_cast<Index>(sizeof(Scalar));
    constexpr Index step = tile_multiple;
    const Index block = x_is_small ? step : (std::max)(step, second_level_bytes / row_bytes / step * step);
    for (Index begin = j_begin; begin < j_end; begin += block) {
        const Index end = (std::min)(begin + block, j_end);
        for_each_vector_group<Scalar>(lanes / packet_size<Scalar>, [&](auto vectors, Index first) {
            const Index lane = first * packet_size<Scalar>;
            for_each_tile<tile_steps<vectors()>>(begin, end, [&](auto steps, Index j) {
                multiply_rows_tile<output, vectors(), steps()>(rows, j, j_end, n_features, x.data + lane, x.stride,
                                                               out.column(j) + lane, out.stride);
            });
        });
    }
}

/// out[lane, k] += sum_j d[lane, j] row_j[k] over j_begin <= j < j_end, for k_begin <= k < k_end.
///
/// @param d    (lanes, n_rows)
/// @param out  (lanes, n_features)
/// @complexity O(lanes (j_end - j_begin) (k_end - k_begin)), no allocation   @threads safe for distinct outputs
template <class Scalar>
void multiply_by_rows(std::type_identity_t<LaneMatrix<const Scalar>> d, Rows<const Scalar> rows, Index j_begin,
                      Index j_end, Index k_begin, Index k_end, Index lanes, LaneMatrix<Scalar> out) noexcept {
    GRU4REC_ASSERT(lanes % scalars_per_line<Scalar> == 0 && j_begin <= j_end && k_begin <= k_end);
    const Index width = (std::max)(k_end - k_begin, Index{1}) * static_cast<Index>(sizeof(Scalar));
    const Index block = std::clamp(second_level_bytes / width, Index{64}, Index{128});
    for (Index begin = j_begin; begin < j_end; begin += block) {
        const Index end = (std::min)(begin + block, j_end);
        for_each_vector_group<Scalar>(lanes / packet_size<Scalar>, [&](auto vectors, Index first) {
            const Index lane = first * packet_size<Scalar>;
            const Index ahead = first == 0 ? block : 0;  // the first group fetches the next block for all
            for_each_tile<tile_steps<vectors()>>(k_begin, k_end, [&](auto steps, Index k) {
                multiply_by_rows_tile<vectors(), steps()>(d.data + lane, d.stride, rows, begin, end, k,
                                                          out.column(k) + lane, out.stride, ahead, j_end - 1);
            });
        });
    }
}

/// For each row j the gradient sum_lane d[lane, j] x[lane, :], in registers: `sink.row(j)(offset, packet)` gets it
/// packet by packet, `sink.start(j, offset)` gives the value the sum starts from, `sink.prefetch(j, offset)` announces
/// the cache line of `offset` before. Sinks are copied.
///
/// @param d         (n_lanes, n_rows)
/// @param x         row-major: lane m's `n_features` values at x.row(m), zero behind them up to a whole cache line
/// @complexity O(n_lanes (j_end - j_begin) n_features), no allocation   @threads safe for distinct rows
template <class Scalar, class Sink>
void for_each_outer_row(LaneMatrix<const Scalar> d, Index j_begin, Index j_end, Rows<const Scalar> x, Index n_lanes,
                        Index n_features, const Sink& sink) noexcept {
    const Index n_vectors = padded<Scalar>(n_features) / packet_size<Scalar>;
    const bool x_is_small = n_lanes * n_features * static_cast<Index>(sizeof(Scalar)) <= first_level_bytes;
    const Index block = x_is_small ? tile_multiple : 4 * tile_multiple;
    for (Index begin = j_begin; begin < j_end; begin += block) {
        const Index end = (std::min)(begin + block, j_end);
        for_each_vector_group<Scalar>(n_vectors, [&](auto vectors, Index first) {
            const Index offset = first * packet_size<Scalar>;
            for_each_tile<tile_steps<vectors()>>(begin, end, [&](auto steps, Index j) {
                outer_rows_tile<vectors(), steps()>(d, j, x, n_lanes, offset, sink);
            });
        });
    }
}

/// As many lanes as columns of them, from `lane` and column `k` on: packet i holds lane + i of all the columns.
template <class Scalar>
[[nodiscard]] GRU4REC_ALWAYS_INLINE auto lanes_as_packets(LaneMatrix<const Scalar> columns, Index lane,
                                                          Index k) noexcept {
    Eigen::internal::PacketBlock<Packet<Scalar>, packet_size<Scalar>> block;
    GRU4REC_UNROLL
    for (int i = 0; i < packet_size<Scalar>; ++i) {
        block.packet[i] = simd::pload<Packet<Scalar>>(columns.column(k + i) + lane);
    }
    simd::ptranspose(block);
    return block;
}

/// row[k] += sum_lane columns[lane, k] for k_begin <= k < k_end, multiples of a cache line's scalars; in the lanes'
/// order.
template <class Scalar>
void add_lanes_to_row(LaneMatrix<const Scalar> columns, Index n_lanes, Index k_begin, Index k_end,
                      Scalar* row) noexcept {
    using Packet = Packet<Scalar>;
    constexpr Index size = packet_size<Scalar>;
    for (Index k = k_begin; k < k_end; k += size) {
        Packet sum = simd::pload<Packet>(row + k);
        for (Index lane = 0; lane < n_lanes; lane += size) {
            const auto block = lanes_as_packets<Scalar>(columns, lane, k);
            const Index n = (std::min)(size, n_lanes - lane);
            for (Index i = 0; i < n; ++i) {
                sum = simd::padd(sum, block.packet[i]);
            }
        }
        simd::pstore(row + k, sum);
    }
}

/// rows[lane][k] = columns[lane, k] for `lanes` lanes and k_begin <= k < k_end; both multiples of a cache line's
/// scalars.
template <class Scalar>
void columns_to_rows(LaneMatrix<const Scalar> columns, Index lanes, Index k_begin, Index k_end,
                     Rows<Scalar> rows) noexcept {
    constexpr Index size = packet_size<Scalar>;
    for (Index k = k_begin; k < k_end; k += size) {
        for (Index lane = 0; lane < lanes; lane += size) {
            const auto block = lanes_as_packets<Scalar>(columns, lane, k);
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                simd::pstore(rows(lane + i) + k, block.packet[i]);
            }
        }
    }
}

/// columns[lane, k] = rows[lane][k]; lanes and features multiples of a cache line's scalars.
template <class Scalar>
void rows_to_columns(Rows<const Scalar> rows, Index lanes, Index n_features, LaneMatrix<Scalar> columns) noexcept {
    using Packet = Packet<Scalar>;
    constexpr Index size = packet_size<Scalar>;
    for (Index k = 0; k < n_features; k += size) {
        for (Index lane = 0; lane < lanes; lane += size) {
            Eigen::internal::PacketBlock<Packet, size> block;
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                block.packet[i] = simd::pload<Packet>(rows(lane + i) + k);
            }
            simd::ptranspose(block);
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                simd::pstore(columns.column(k + i) + lane, block.packet[i]);
            }
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
