#ifndef GRU4REC_CORE_VIEWS_HPP
#define GRU4REC_CORE_VIEWS_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Activations and their gradients, (lanes, features): Eigen's default order, the lanes of a feature are contiguous.
template <class Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

/// Weight matrices, item tables and their gradients: row-major, an item's row is contiguous.
template <class Scalar>
using RowMatrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A bias.
template <class Scalar>
using RowVector = Eigen::Matrix<Scalar, 1, Eigen::Dynamic>;

// Views of the library's own memory. `Value` is Scalar or const Scalar; a view is valid as long as its owner.

/// A view of activations or their gradients, (lanes, features).
template <class Value>
using MatrixMap = Eigen::Map<std::conditional_t<std::is_const_v<Value>, const Matrix<std::remove_const_t<Value>>,
                                                Matrix<std::remove_const_t<Value>>>,
                             Eigen::Unaligned, Eigen::OuterStride<>>;

/// A view of a weight matrix, (rows, cols); rows may be padded, hence the stride.
template <class Value>
using RowMatrixMap = Eigen::Map<std::conditional_t<std::is_const_v<Value>, const RowMatrix<std::remove_const_t<Value>>,
                                                   RowMatrix<std::remove_const_t<Value>>>,
                                Eigen::Unaligned, Eigen::OuterStride<>>;

/// A view of a bias.
template <class Value>
using RowVectorMap = Eigen::Map<std::conditional_t<std::is_const_v<Value>, const RowVector<std::remove_const_t<Value>>,
                                                   RowVector<std::remove_const_t<Value>>>>;

/// Activations: columns of lanes, `stride` scalars apart, each aligned to a cache line. Does not own its memory.
template <class Scalar>
struct LaneMatrix {
    Scalar* data = nullptr;  ///< lane 0 of column 0
    Index stride = 0;        ///< scalars between columns; a multiple of a cache line

    /// Lane 0 of column j.
    [[nodiscard]] Scalar* column(Index j) const noexcept { return data + j * stride; }
    /// The lanes from `lane` on, a multiple of the scalars in a cache line.
    [[nodiscard]] LaneMatrix from(Index lane) const noexcept { return {data + lane, stride}; }
    /// The first lanes and columns as an Eigen matrix, without the padding.
    [[nodiscard]] MatrixMap<Scalar> map(Index lanes, Index columns) const noexcept {
        return MatrixMap<Scalar>(data, lanes, columns, Eigen::OuterStride<>(stride));
    }
    /// The same, read-only.
    [[nodiscard]] operator LaneMatrix<const Scalar>() const noexcept { return {data, stride}; }
};

namespace detail {

/// Rows of a matrix, all of them or those that `items` names.
template <class Scalar>
struct Rows {
    Scalar* base = nullptr;
    Index stride = 0;
    const ItemIndex* items = nullptr;

    [[nodiscard]] Scalar* operator()(Index j) const noexcept {
        return base + (items == nullptr ? j : to_index(items[j])) * stride;
    }
    /// The rows from row j on.
    [[nodiscard]] Rows from(Index j) const noexcept {
        return items == nullptr ? Rows{base + j * stride, stride} : Rows{base, stride, items + j};
    }
    [[nodiscard]] operator Rows<const Scalar>() const noexcept { return {base, stride, items}; }
};

/// begin .. end - 1
struct Range {
    Index begin = 0;
    Index end = 0;

    [[nodiscard]] constexpr Index size() const noexcept { return end - begin; }
};

}  // namespace detail

/// A named tensor of a model as the outside world knows it: the strides hide padding, transposition and the fact that a
/// bias may live inside a table's rows.
template <class Scalar>
struct TensorView {
    std::string name;        ///< as in docs/file_format.md
    Index rows = 0;          ///< V for an item table
    Index cols = 0;          ///< 1 for a vector
    bool is_vector = false;  ///< the shape is (rows), not (rows, cols)
    Scalar* data = nullptr;  ///< element (0, 0)
    Index row_stride = 0;    ///< scalars from (r, c) to (r + 1, c)
    Index col_stride = 0;    ///< scalars from (r, c) to (r, c + 1)
    bool by_item = false;    ///< row i belongs to item i

    /// Element (r, c); the indices are not checked.
    [[nodiscard]] Scalar& operator()(Index r, Index c) const noexcept { return data[r * row_stride + c * col_stride]; }
};

namespace detail {

/// The same tensor, read-only: it points to the same numbers.
template <class Scalar>
[[nodiscard]] TensorView<const Scalar> read_only(const TensorView<Scalar>& view) {
    return {.name = view.name,
            .rows = view.rows,
            .cols = view.cols,
            .is_vector = view.is_vector,
            .data = view.data,
            .row_stride = view.row_stride,
            .col_stride = view.col_stride,
            .by_item = view.by_item};
}

template <class Scalar>
[[nodiscard]] std::size_t n_values(const std::vector<TensorView<Scalar>>& tensors) noexcept {
    std::size_t n = 0;
    for (const TensorView<Scalar>& tensor : tensors) {
        n += static_cast<std::size_t>(tensor.rows * tensor.cols);
    }
    return n;
}

/// Tensors of the same names and shapes whose values, n_values() of them, lie at `data`, tensor by tensor, row by row.
template <class Scalar>
[[nodiscard]] std::vector<TensorView<Scalar>> packed_at(Scalar* data,
                                                        std::vector<TensorView<Scalar>> tensors) noexcept {
    for (TensorView<Scalar>& tensor : tensors) {
        tensor.data = std::exchange(data, data + tensor.rows * tensor.cols);
        tensor.row_stride = tensor.cols;
        tensor.col_stride = 1;
    }
    return tensors;
}

/// Copies the values of each tensor of `from` to the tensor at the same place in `to`.
///
/// @pre as many tensors, each with as many columns and no fewer rows
template <class From, class To>
void copy_values(const std::vector<TensorView<From>>& from, const std::vector<TensorView<To>>& to) noexcept {
    for (std::size_t t = 0; t < from.size(); ++t) {
        for (Index r = 0; r < from[t].rows; ++r) {
            for (Index c = 0; c < from[t].cols; ++c) {
                to[t](r, c) = from[t](r, c);
            }
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
