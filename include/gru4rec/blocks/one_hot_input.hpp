#ifndef GRU4REC_BLOCKS_ONE_HOT_INPUT_HPP
#define GRU4REC_BLOCKS_ONE_HOT_INPUT_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/batch/item_numbers.hpp"
#include "gru4rec/blocks/matrices.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/input.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

// One-hot input. The product of a one-hot vector with a table is a row of the table, so x is gathered; and only the
// gathered rows have a gradient. The table is (V, E): an embedding, or with E = 3H the input weights of a GRU layer.
//
// Compile time (g++ 12, -O3): including this header takes about as long as including Eigen and TBB; using it takes 1.7
// times as long.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The gradient of some rows of an item table; the gradient of all others is zero.
template <class Scalar>
struct SparseGradient {
    std::vector<ItemIndex> items;  ///< distinct, in any order
    RowMatrix<Scalar> rows;        ///< (items.size(), E); row i is the gradient of the row of items[i]
};

/// x = one_hot(items) * table: for each lane the row of its item, or the weighted sum of the rows if it feeds several.
///
/// @param table   (V, E), row-major; a block of columns of a wider table will do
/// @param inputs  MiniBatch::inputs, or a vector or span with one ItemIndex per lane, (M)
/// @returns (M, E)
/// @throws ConfigError for an item that the table does not have
template <class Derived>
[[nodiscard]] Matrix<typename Derived::Scalar> gather(const Eigen::MatrixBase<Derived>& table,
                                                      const detail::LaneInputs& inputs) {
    using Scalar = typename Derived::Scalar;
    const auto values = detail::table_ref(table);
    for (const ItemIndex item : inputs.items) {
        detail::require_row(item, values.rows());
    }
    RowMatrix<Scalar> x(inputs.n_lanes(), values.cols());
    for (Index m = 0; m < x.rows(); ++m) {
        detail::gather_lane<Scalar>({values.data(), values.outerStride()}, inputs, m, x.cols(), x.row(m).data());
    }
    return x;
}

/// The gradient of the table that `gather` read. Each item occurs once; its row is the sum over the lanes that feed it.
///
/// @param d_x     (M, E)
/// @param inputs  those that were gathered
/// @throws ConfigError unless d_x has one row per lane
template <class Derived>
[[nodiscard]] SparseGradient<typename Derived::Scalar> gather_gradient(const Eigen::MatrixBase<Derived>& d_x,
                                                                       const detail::LaneInputs& inputs) {
    using Scalar = typename Derived::Scalar;
    detail::require_shape("d_x", d_x, "(M, E)", {inputs.n_lanes(), d_x.cols()});
    detail::InputItems distinct(inputs.n_items());
    distinct.build(inputs);
    SparseGradient<Scalar> result{{distinct.items().begin(), distinct.items().end()},
                                  RowMatrix<Scalar>::Zero(distinct.size(), d_x.cols())};
    for (Index i = 0; i < distinct.size(); ++i) {
        for (const detail::InputItems::Share& share : distinct.shares(i)) {
            result.rows.row(i) += static_cast<Scalar>(share.weight) * d_x.row(share.lane);
        }
    }
    return result;
}

/// The sum of two gradients of one table. If one has fewer columns, the missing last ones count as zero. This is the
/// case if x was gathered from table.leftCols(H) and the last column is a bias.
///
/// @throws ConfigError unless each has as many rows as items
template <class Scalar>
[[nodiscard]] SparseGradient<Scalar> merged(const SparseGradient<Scalar>& a, const SparseGradient<Scalar>& b) {
    detail::ItemNumbers numbers(static_cast<Index>(a.items.size() + b.items.size()));
    SparseGradient<Scalar> result;
    const auto number = [&](ItemIndex item) {
        const auto next = static_cast<std::int32_t>(result.items.size());
        const Index i = numbers.find_or_insert(item, next);
        if (i == next) {
            result.items.push_back(item);
        }
        return i;
    };
    std::vector<Index> places;
    for (const auto* gradient : {&a, &b}) {
        detail::require_shape("SparseGradient::rows", gradient->rows, "(items, columns)",
                              {static_cast<Index>(gradient->items.size()), gradient->rows.cols()});
        for (const ItemIndex item : gradient->items) {
            places.push_back(number(item));
        }
    }
    result.rows.setZero(static_cast<Index>(result.items.size()), (std::max)(a.rows.cols(), b.rows.cols()));
    Index next = 0;
    for (const auto* gradient : {&a, &b}) {
        for (Index i = 0; i < gradient->rows.rows(); ++i, ++next) {
            result.rows.row(detail::at(places, next)).head(gradient->rows.cols()) += gradient->rows.row(i);
        }
    }
    return result;
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
