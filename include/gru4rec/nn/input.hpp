#ifndef GRU4REC_NN_INPUT_HPP
#define GRU4REC_NN_INPUT_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"

#include <algorithm>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// to = sum over a lane's items of weight times the first `width` columns of the item's row.
///
/// @param table  row i is that of item i
template <class Scalar>
void gather_lane(Rows<const Scalar> table, const LaneInputs& inputs, Index m, Index width, Scalar* to) noexcept {
    const Index first = inputs.begin(m);
    const Index end = inputs.end(m);
    if (end == first + 1 && inputs.weight(first) == 1) {
        std::copy_n(table(to_index(inputs.item(first))), width, to);
        return;
    }
    std::fill_n(to, width, Scalar(0));
    for (Index i = first; i < end; ++i) {
        const auto weight = static_cast<Scalar>(inputs.weight(i));
        const Scalar* const row = table(to_index(inputs.item(i)));
        for (Index k = 0; k < width; ++k) {
            to[k] += weight * row[k];
        }
    }
}

/// Fetches the rows of a lane's items.
template <class Scalar>
GRU4REC_ALWAYS_INLINE void prefetch_inputs(const PaddedMatrix<Scalar>& table, const LaneInputs& inputs, Index m,
                                           Index width) noexcept {
    for (Index i = inputs.begin(m); i < inputs.end(m); ++i) {
        const Scalar* const row = table.row(to_index(inputs.item(i)));
        for (Index k = 0; k < width; k += scalars_per_line<Scalar>) {
            prefetch<Access::read_later>(row + k);
        }
    }
}

/// Writes the inputs of a step to `rows`, lane by lane, and to `columns`, from the first `width` columns of a table;
/// zeros after them, and in lanes beyond the live ones, both up to a whole cache line.
///
/// @complexity O(weighted items times width), no allocation
template <class Scalar>
void gather_inputs(const PaddedMatrix<Scalar>& table, const LaneInputs& inputs, Index width, Rows<Scalar> rows,
                   LaneMatrix<Scalar> columns) {
    constexpr double products_per_chunk = 8e3;
    const Index lanes = padded<Scalar>(inputs.n_lanes());
    const double work =
        static_cast<double>(inputs.n_items() * width) / static_cast<double>((std::max)(lanes, Index{1}));
    const LoopWork loop = pass_work<Scalar>("gather", inputs.n_items(), width, 4);
    parallel_ranges(
        chunks_by_work(lanes, scalars_per_line<Scalar>, work, products_per_chunk), loop, [&](Index begin, Index end) {
            // All rows of the chunk are on their way before the first one is copied.
            const Index live_end = (std::min)(end, inputs.n_lanes());
            for (Index m = begin; m < live_end; ++m) {
                prefetch_inputs(table, inputs, m, width);
            }
            for (Index m = begin; m < end; ++m) {
                const bool live = m < live_end;
                if (live) {
                    gather_lane<Scalar>({table.data(), table.stride()}, inputs, m, width, rows(m));
                }
                std::fill(rows(m) + (live ? width : 0), rows(m) + padded<Scalar>(width), Scalar(0));
            }
            rows_to_columns<Scalar>(rows.from(begin), end - begin, padded<Scalar>(width), columns.from(begin));
        });
}

/// The input [h | x] of a deeper layer that gets the first layer's input as well (arXiv 1511.06939, figure 1), with its
/// gradient. Columns beyond the last are zero.
template <class Scalar>
class JoinedInput {
  public:
    /// @param units  width of h, the output of the layer below
    /// @param width  width of x
    GRU4REC_NOINLINE JoinedInput(Index max_lanes, Index units, Index width)
        : units_(units),
          width_(width),
          stride_(row_stride<Scalar>(max_lanes)),
          values_(stride_ * padded<Scalar>(units + width)),
          d_values_(stride_ * padded<Scalar>(units + width)),
          rows_(padded<Scalar>(max_lanes) * row_stride<Scalar>(units + width)) {}

    [[nodiscard]] LaneMatrix<Scalar> values() noexcept { return {values_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<Scalar> d_values() noexcept { return {d_values_.data(), stride_}; }

    void join(LaneMatrix<const Scalar> h, LaneMatrix<const Scalar> x, Index lanes) noexcept {
        copy(h, units_, lanes, values());
        copy(x, width_, lanes, {values().column(units_), stride_});
    }

    /// d_h = the gradient's first part
    void copy_d_h(Index lanes, LaneMatrix<Scalar> d_h) noexcept { copy(d_values(), units_, lanes, d_h); }

    /// d_x += the gradient's second part
    void add_d_x(Index lanes, LaneMatrix<Scalar> d_x) noexcept {
        using Lanes = SimdVector<Scalar>;
        const Scalar* const added = d_values().column(units_);
        for_each_line<Scalar>(lanes, width_, stride_, [&](Index at) {
            (Lanes::load(d_x.data + at) + Lanes::load(added + at)).store(d_x.data + at);
        });
    }

    /// Copies [h | x] to rows. @pre `join` was called
    void transpose(Index lanes) noexcept {
        columns_to_rows<Scalar>(values(), lanes, {0, padded<Scalar>(units_ + width_)}, all_rows());
    }

    /// Lane by lane [h | x], after `transpose`.
    [[nodiscard]] Rows<const Scalar> rows() noexcept { return all_rows(); }

  private:
    [[nodiscard]] Rows<Scalar> all_rows() noexcept { return {rows_.data(), row_stride<Scalar>(units_ + width_)}; }

    void copy(LaneMatrix<const Scalar> from, Index n, Index lanes, LaneMatrix<Scalar> to) const noexcept {
        GRU4REC_ASSERT(from.stride == stride_ && to.stride == stride_);
        for_each_line<Scalar>(lanes, n, stride_,
                              [&](Index at) { SimdVector<Scalar>::load(from.data + at).store(to.data + at); });
    }

    Index units_;
    Index width_;
    Index stride_;
    AlignedBuffer<Scalar> values_, d_values_, rows_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
