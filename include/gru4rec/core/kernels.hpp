#ifndef GRU4REC_CORE_KERNELS_HPP
#define GRU4REC_CORE_KERNELS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

// Three products make up a training step. Lanes of a feature lie together (columns), rows of a weight matrix or table
// are contiguous, and no row is ever copied:
//
//   multiply_rows         out[lane, j]  = sum_k  row_j[k]   x[lane, k]     scores; W_x x, W_h h of a GRU layer
//   multiply_by_rows      out[lane, k] += sum_j  d[lane, j] row_j[k]       back to the input of the above
//   for_each_outer_block  dW[j, :]      = sum_lane d[lane, j] x[lane, :]   gradients of rows, a block at a time
//
// Every element is summed in one fixed order, whatever the tile it falls into: cutting rows, features or lanes into
// chunks never changes a bit. docs/performance.md explains how the tile sizes were found.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Register tile: `vectors` registers of the contiguous direction by `steps` of the other. The accumulators, one
/// vector each of the contiguous operand and one broadcast fill the register file.
template <int Vectors>
inline constexpr int tile_steps = many_registers ? (Vectors <= 2 ? 12 : 8) : (Vectors <= 2 ? 6 : 4);

/// A multiple of the steps of every tile; chunks of rows are best a multiple of it.
inline constexpr Index tile_multiple = many_registers ? 24 : 12;

/// Bytes of the operand that the inner loops reuse; it should stay in the first-level cache.
inline constexpr Index first_level_bytes = 24 * 1024;
/// Bytes of rows that one group of lanes runs through; they should stay in the second-level cache.
inline constexpr Index second_level_bytes = 128 * 1024;

/// Registers of the widest group. A group is never wider than needed to fill whole cache lines: if a register is a
/// line of its own, three fit without two groups sharing a line.
template <class Scalar>
inline constexpr int max_group = packet_size<Scalar> == scalars_per_line<Scalar> ? 3 : 2;

/// Calls `body(constant<vectors>, first)` so that groups of two or three registers cover `n_vectors`. A group of one
/// is used only if there is no choice: a tile that is one register wide waits for its loads.
template <class Scalar, class Body>
void for_each_vector_group(Index n_vectors, const Body& body) {
    for (Index first = 0; first < n_vectors;) {
        const Index left = n_vectors - first;
        if (left == 1) {
            body(std::integral_constant<int, 1>{}, first);
            first += 1;
        } else if (max_group<Scalar> == 2 || left == 2 || left == 4) {
            body(std::integral_constant<int, 2>{}, first);
            first += 2;
        } else if constexpr (max_group<Scalar> == 3) {
            body(std::integral_constant<int, 3>{}, first);
            first += 3;
        }
    }
}

/// Calls `body(constant<steps>, first)` for tiles of `Steps`, then of two and one, that cover the range.
template <int Steps, class Body>
void for_each_tile(Range range, const Body& body) {
    Index begin = range.begin;
    for (; begin + Steps <= range.end; begin += Steps) {
        body(std::integral_constant<int, Steps>{}, begin);
    }
    for (; begin + 2 <= range.end; begin += 2) {
        body(std::integral_constant<int, 2>{}, begin);
    }
    if (begin < range.end) {
        body(std::integral_constant<int, 1>{}, begin);
    }
}

/// Some rows of a weight matrix or table, some of their columns.
template <class Scalar>
struct WeightBlock {
    Rows<const Scalar> matrix;
    Range rows;
    Range columns;
};

/// One tile of multiply_rows: `Vectors` registers of lanes by `Steps` rows from row `j` on.
template <int Vectors, int Steps, class Scalar>
void multiply_rows_tile(const WeightBlock<Scalar>& block, Index j, const Scalar* GRU4REC_RESTRICT x, Index x_stride,
                        LaneMatrix<Scalar> to, Output output) noexcept {
    constexpr Index size = packet_size<Scalar>;
    Scalar* GRU4REC_RESTRICT const out = to.data;
    CArray<const Scalar*, Steps> row;
    CArray<const Scalar*, Steps> next;
    CArray<CArray<Register<Scalar>, Vectors>, Steps> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        row[s] = block.matrix(j + s);
        next[s] = block.matrix((std::min)(j + Steps + s, block.rows.end - 1));
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = output == Output::accumulate ? Register<Scalar>::load(out + s * to.stride + v * size)
                                                     : Register<Scalar>(0);
        }
    }
    for (Index line = block.columns.begin; line < block.columns.end; line += scalars_per_line<Scalar>) {
        // Rows of a large table are cache misses that no hardware foresees: fetch the next tile's while this one works.
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            prefetch<Access::read_later>(next[s] + line);
        }
        const Index end = (std::min)(line + scalars_per_line<Scalar>, block.columns.end);
        for (Index k = line; k < end; ++k) {
            CArray<Register<Scalar>, Vectors> lanes;
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                lanes[v] = Register<Scalar>::load(x + k * x_stride + v * size);
            }
            GRU4REC_UNROLL
            for (int s = 0; s < Steps; ++s) {
                const Register<Scalar> weight(row[s][k]);
                GRU4REC_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    sum[s][v] = multiply_add(weight, lanes[v], sum[s][v]);
                }
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v].store(out + s * to.stride + v * size);
        }
    }
}

/// One tile of multiply_by_rows: `Vectors` registers of lanes by `Steps` features from feature `k` on. Fetches the row
/// `ahead` of each row that it needs, up to row `last`.
template <int Vectors, int Steps, class Scalar>
void multiply_by_rows_tile(LaneMatrix<const Scalar> d, const WeightBlock<Scalar>& block, Index k, Index ahead,
                           Index last, LaneMatrix<Scalar> to, Output output) noexcept {
    constexpr Index size = packet_size<Scalar>;
    const Scalar* GRU4REC_RESTRICT const from = d.data;
    Scalar* GRU4REC_RESTRICT const out = to.data;
    CArray<CArray<Register<Scalar>, Vectors>, Steps> sum;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = output == Output::accumulate ? Register<Scalar>::load(out + s * to.stride + v * size)
                                                     : Register<Scalar>(0);
        }
    }
    for (Index j = block.rows.begin; j < block.rows.end; ++j) {
        const Scalar* const row = block.matrix(j) + k;
        prefetch<Access::read_later>(block.matrix((std::min)(j + ahead, last)) + k);
        CArray<Register<Scalar>, Vectors> lanes;
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            lanes[v] = Register<Scalar>::load(from + j * d.stride + v * size);
        }
        GRU4REC_UNROLL
        for (int s = 0; s < Steps; ++s) {
            const Register<Scalar> weight(row[s]);
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                sum[s][v] = multiply_add(weight, lanes[v], sum[s][v]);
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v].store(out + s * to.stride + v * size);
        }
    }
}

/// out[lane, j] = sum_k row_j[k] x[lane, k] over the block's rows j and columns k, or added to what `out` holds.
///
/// @param x      (lanes, columns of the matrix)
/// @param lanes  a multiple of the scalars in a cache line
/// @param out    (lanes, rows of the matrix)
/// @complexity O(lanes rows columns), no allocation   @threads safe for distinct outputs
template <class Scalar>
void multiply_rows(const WeightBlock<Scalar>& block, std::type_identity_t<LaneMatrix<const Scalar>> x, Index lanes,
                   LaneMatrix<Scalar> out, Output output = Output::overwrite) noexcept {
    GRU4REC_ASSERT(lanes % scalars_per_line<Scalar> == 0 && block.rows.begin <= block.rows.end && lanes <= x.stride &&
                   lanes <= out.stride);
    const Index row_bytes = block.columns.size() * static_cast<Index>(sizeof(Scalar));
    const bool x_is_small = lanes * row_bytes <= first_level_bytes;
    constexpr Index step = tile_multiple;
    const Index size =
        x_is_small ? step : (std::max)(step, second_level_bytes / (std::max)(row_bytes, Index{1}) / step * step);
    for (Index begin = block.rows.begin; begin < block.rows.end; begin += size) {
        const Range rows{begin, (std::min)(begin + size, block.rows.end)};
        for_each_vector_group<Scalar>(lanes / packet_size<Scalar>, [&](auto vectors, Index first) {
            const Index lane = first * packet_size<Scalar>;
            for_each_tile<tile_steps<vectors()>>(rows, [&](auto steps, Index j) {
                multiply_rows_tile<vectors(), steps()>(block, j, x.data + lane, x.stride,
                                                       LaneMatrix<Scalar>{out.column(j) + lane, out.stride}, output);
            });
        });
    }
}

/// out[lane, k] += sum_j d[lane, j] row_j[k] over the block's rows j, for its columns k, or = to overwrite `out`. A
/// block without rows leaves `out` as it is.
///
/// @param d          (lanes, rows of the matrix)
/// @param lanes      a multiple of the scalars in a cache line
/// @param out        (lanes, columns of the matrix)
/// @param next_rows  rows after the block's that will be needed soon: they are fetched meanwhile
/// @complexity O(lanes rows columns), no allocation   @threads safe for distinct outputs
template <class Scalar>
void multiply_by_rows(std::type_identity_t<LaneMatrix<const Scalar>> d, const WeightBlock<Scalar>& block, Index lanes,
                      LaneMatrix<Scalar> out, Output output = Output::accumulate, Index next_rows = 0) noexcept {
    GRU4REC_ASSERT(lanes % scalars_per_line<Scalar> == 0 && block.rows.begin <= block.rows.end &&
                   block.columns.begin <= block.columns.end);
    const Index width = (std::max)(block.columns.size(), Index{1}) * static_cast<Index>(sizeof(Scalar));
    const Index wanted = std::clamp(second_level_bytes / width, Index{64}, Index{128});
    const Index blocks = (std::max)((block.rows.size() + wanted / 2) / wanted, Index{1});  // of about the same size
    const Index size = (block.rows.size() + blocks - 1) / blocks;
    for (Index begin = block.rows.begin; begin < block.rows.end; begin += size) {
        const WeightBlock<Scalar> part{block.matrix, {begin, (std::min)(begin + size, block.rows.end)}, block.columns};
        for_each_vector_group<Scalar>(lanes / packet_size<Scalar>, [&](auto vectors, Index first) {
            const Index lane = first * packet_size<Scalar>;
            const Index ahead = first == 0 ? size : 0;  // the first group fetches the next block for all
            for_each_tile<tile_steps<vectors()>>(block.columns, [&](auto steps, Index k) {
                multiply_by_rows_tile<vectors(), steps()>(d.from(lane), part, k, ahead, block.rows.end + next_rows - 1,
                                                          LaneMatrix<Scalar>{out.column(k) + lane, out.stride}, output);
            });
        });
        output = Output::accumulate;
    }
}

/// Gradients of rows as the two factors of an outer product: row j has sum_lane d[lane, j] x[lane, :].
template <class Scalar>
struct OuterFactors {
    LaneMatrix<const Scalar> d;  ///< (n_lanes, n_rows)
    Rows<const Scalar> x;        ///< lane by lane the features, zero after them up to a whole cache line
    Index n_lanes = 0;
};

/// What the caller of for_each_outer_block will do with the rows.
template <class Scalar>
struct OuterTarget {
    /// Per row: what its sum starts from; null, for one row or all, stands for zeros.
    const Scalar* const* start = nullptr;
    /// Matrices whose rows are about to be written. They are fetched while the sums of earlier rows grow, unless
    /// OuterBlock::ahead leaves that to `use`.
    std::array<Scalar*, 4> memory = {};
    int n_memory = 0;
    Index stride = 0;                  ///< of all these matrices
    Index n_rows = 0;                  ///< rows of all calls together, of which the next ones are fetched
    const ItemIndex* items = nullptr;  ///< row j is row items[j] of the matrices; null: row j

    [[nodiscard]] Index row_offset(Index j) const noexcept {
        return (items == nullptr ? j : to_index(items[j])) * stride;
    }
};

/// Sums of rows first .. first + count - 1 over columns offset .. offset + width - 1.
template <class Scalar>
struct OuterBlock {
    Index first = 0;
    Index count = 0;
    Index offset = 0;
    Index width = 0;  ///< whole registers
    const Scalar* values = nullptr;
    Index stride = 0;
    Index ahead = 0;  ///< `use` has to fetch the row this far after each of its own; 0: none

    [[nodiscard]] const Scalar* row(Index j) const noexcept { return values + (j - first) * stride; }
};

/// One tile of for_each_outer_block: `Steps` rows from row `j` on by `Vectors` registers of features from `offset` on.
/// Fetches the rows `ahead` of them.
template <int Vectors, int Steps, class Scalar>
void outer_rows_tile(const OuterFactors<Scalar>& factors, Index j, Index offset, const OuterTarget<Scalar>& target,
                     Index ahead, Rows<Scalar> out) noexcept {
    constexpr Index size = packet_size<Scalar>;
    CArray<CArray<Register<Scalar>, Vectors>, Steps> sum;
    CArray<Index, Steps> fetched;
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        const Scalar* const start = target.start == nullptr ? nullptr : target.start[j + s];
        fetched[s] =
            target.n_memory == 0 ? 0 : target.row_offset((std::min)(j + s + ahead, target.n_rows - 1)) + offset;
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v] = start == nullptr ? Register<Scalar>(0) : Register<Scalar>::load(start + offset + v * size);
        }
    }
    const Scalar* lane_row = factors.x.base + offset;
    const Scalar* factor = factors.d.column(j);
    const Index d_stride = factors.d.stride;
    // One row is fetched after every few lanes: a core waits for some twenty cache lines at a time and stalls if more
    // are requested at once.
    for (Index part = 0, m = 0; part <= Steps; ++part) {
        if (part < Steps) {
            for (int i = 0; i < target.n_memory; ++i) {
                Scalar* const row = target.memory[static_cast<std::size_t>(i)] + fetched[part];
                for (Index at = 0; at < Vectors * size; at += scalars_per_line<Scalar>) {
                    if (ahead > 0) {
                        prefetch<Access::read_later>(row + at);
                    } else {
                        prefetch<Access::write>(row + at);
                    }
                }
            }
        }
        const Index end = part < Steps ? m + factors.n_lanes / Steps : factors.n_lanes;
        for (; m < end; ++m, lane_row += factors.x.stride, ++factor) {
            CArray<Register<Scalar>, Vectors> values;
            GRU4REC_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                values[v] = Register<Scalar>::load(lane_row + v * size);
            }
            GRU4REC_UNROLL
            for (int s = 0; s < Steps; ++s) {
                const Register<Scalar> weight(factor[s * d_stride]);
                GRU4REC_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    sum[s][v] = multiply_add(weight, values[v], sum[s][v]);
                }
            }
        }
    }
    GRU4REC_UNROLL
    for (int s = 0; s < Steps; ++s) {
        GRU4REC_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            sum[s][v].store(out(s) + v * size);
        }
    }
}

/// For some rows j the gradient start_j + sum_lane d[lane, j] x[lane, :], a block of rows and columns at a time: `use`
/// gets each block once, while it is in the first-level cache.
///
/// @param width  features of a row
/// @complexity O(n_lanes rows width), no allocation   @threads safe for distinct rows
template <class Scalar>
void for_each_outer_block(const OuterFactors<Scalar>& factors, Range rows, Index width,
                          const OuterTarget<Scalar>& target,
                          FunctionRef<void(const OuterBlock<Scalar>&)> use) noexcept {
    constexpr Index size = packet_size<Scalar>;
    constexpr Index stride = max_group<Scalar> * size;
    constexpr Index most_rows = 4 * tile_multiple;
    GRU4REC_ASSERT(target.n_memory == 0 || rows.end <= target.n_rows);
    alignas(cache_line) Scalar values[static_cast<std::size_t>(most_rows * stride)];
    const bool x_is_small = factors.n_lanes * width * static_cast<Index>(sizeof(Scalar)) <= first_level_bytes;
    const Index step = x_is_small ? tile_multiple : most_rows;
    const Index ahead = target.items != nullptr ? step : 0;  // rows of a table are far away, those of a layer near
    // Sums over few lanes are ready before as many rows have arrived; `use`, which takes longer, then fetches them.
    const bool fetches = ahead == 0 || !x_is_small;
    OuterTarget<Scalar> fetched = target;
    fetched.n_memory = fetches ? target.n_memory : 0;
    for (Index begin = rows.begin; begin < rows.end; begin += step) {
        const Range block{begin, (std::min)(begin + step, rows.end)};
        for_each_vector_group<Scalar>(padded<Scalar>(width) / size, [&](auto vectors, Index first) {
            const Index offset = first * size;
            for_each_tile<tile_steps<vectors()>>(block, [&](auto steps, Index j) {
                outer_rows_tile<vectors(), steps()>(factors, j, offset, fetched, ahead,
                                                    Rows<Scalar>{values + (j - begin) * stride, stride});
            });
            use({begin, block.size(), offset, vectors() * size, values, stride, fetches ? 0 : ahead});
        });
    }
}

/// As many lanes as a register has elements, from `lane` and column `k` on: register i holds lane + i of all columns.
template <class Scalar>
struct LaneBlock {
    Register<Scalar> lanes[static_cast<std::size_t>(packet_size<Scalar>)];

    GRU4REC_ALWAYS_INLINE LaneBlock(LaneMatrix<const Scalar> columns, Index lane, Index k) noexcept {
        GRU4REC_UNROLL
        for (int i = 0; i < packet_size<Scalar>; ++i) {
            lanes[i] = Register<Scalar>::load(columns.column(k + i) + lane);
        }
        transpose<Scalar>(lanes);
    }
};

/// row[k] += sum_lane columns[lane, k] for the features k, multiples of a cache line's scalars; in the lanes' order.
template <class Scalar>
void add_lanes_to_row(LaneMatrix<const Scalar> columns, Index n_lanes, Range features, Scalar* row) noexcept {
    constexpr Index size = packet_size<Scalar>;
    for (Index k = features.begin; k < features.end; k += size) {
        auto sum = Register<Scalar>::load(row + k);
        for (Index lane = 0; lane < n_lanes; lane += size) {
            const LaneBlock<Scalar> block(columns, lane, k);
            const Index n = (std::min)(size, n_lanes - lane);
            for (Index i = 0; i < n; ++i) {
                sum += block.lanes[i];
            }
        }
        sum.store(row + k);
    }
}

/// rows[lane][k] = columns[lane, k] for the features k; lanes and features multiples of a cache line's scalars.
template <class Scalar>
void columns_to_rows(std::type_identity_t<LaneMatrix<const Scalar>> columns, Index lanes, Range features,
                     Rows<Scalar> rows) noexcept {
    constexpr Index size = packet_size<Scalar>;
    for (Index k = features.begin; k < features.end; k += size) {
        for (Index lane = 0; lane < lanes; lane += size) {
            const LaneBlock<Scalar> block(columns, lane, k);
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                block.lanes[i].store(rows(lane + i) + k);
            }
        }
    }
}

/// columns[lane, k] = rows[lane][k]; lanes and features multiples of a cache line's scalars.
template <class Scalar>
void rows_to_columns(Rows<const Scalar> rows, Index lanes, Index n_features, LaneMatrix<Scalar> columns) noexcept {
    constexpr Index size = packet_size<Scalar>;
    for (Index k = 0; k < n_features; k += size) {
        for (Index lane = 0; lane < lanes; lane += size) {
            Register<Scalar> block[static_cast<std::size_t>(size)];
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                block[i] = Register<Scalar>::load(rows(lane + i) + k);
            }
            transpose<Scalar>(block);
            GRU4REC_UNROLL
            for (int i = 0; i < size; ++i) {
                block[i].store(columns.column(k + i) + lane);
            }
        }
    }
}

/// Calls `body(offset)` for every cache line of the first `lanes` lanes of each of `columns` columns that lie `stride`
/// scalars apart.
template <class Scalar, class Body>
void for_each_line(Index lanes, Index columns, Index stride, const Body& body) {
    for (Index column = 0; column < columns; ++column) {
        for (Index lane = 0; lane < lanes; lane += scalars_per_line<Scalar>) {
            body(column * stride + lane);
        }
    }
}

#if defined(GRU4REC_COMPILED)
extern template void multiply_rows<float>(const WeightBlock<float>&, LaneMatrix<const float>, Index, LaneMatrix<float>,
                                          Output) noexcept;
extern template void multiply_rows<double>(const WeightBlock<double>&, LaneMatrix<const double>, Index,
                                           LaneMatrix<double>, Output) noexcept;
extern template void multiply_by_rows<float>(LaneMatrix<const float>, const WeightBlock<float>&, Index,
                                             LaneMatrix<float>, Output, Index) noexcept;
extern template void multiply_by_rows<double>(LaneMatrix<const double>, const WeightBlock<double>&, Index,
                                              LaneMatrix<double>, Output, Index) noexcept;
extern template void for_each_outer_block<float>(const OuterFactors<float>&, Range, Index, const OuterTarget<float>&,
                                                 FunctionRef<void(const OuterBlock<float>&)>) noexcept;
extern template void for_each_outer_block<double>(const OuterFactors<double>&, Range, Index, const OuterTarget<double>&,
                                                  FunctionRef<void(const OuterBlock<double>&)>) noexcept;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
