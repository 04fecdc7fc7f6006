#ifndef GRU4REC_CORE_TENSOR_VIEW_HPP
#define GRU4REC_CORE_TENSOR_VIEW_HPP

#include "gru4rec/core/types.hpp"

#include <string>

namespace gru4rec::inline GRU4REC_ABI {

/// A named tensor of a model as the outside world knows it: the strides hide padding, transposition and the fact that a
/// bias may live inside a table's rows.
template <class Scalar>
struct TensorView {
    std::string name;
    Index rows = 0;
    Index cols = 0;          ///< 1 for a vector
    bool is_vector = false;  ///< the shape is (rows), not (rows, cols)
    Scalar* data = nullptr;
    Index row_stride = 0;  ///< scalars from (r, c) to (r + 1, c)
    Index col_stride = 0;  ///< scalars from (r, c) to (r, c + 1)
    bool by_item = false;  ///< row i belongs to item i

    [[nodiscard]] Scalar& operator()(Index r, Index c) const noexcept { return data[r * row_stride + c * col_stride]; }
};

/// The same tensor, (rows, cols), for those who only read it. It points to the same numbers.
template <class Scalar>
[[nodiscard]] TensorView<const Scalar> read_only(const TensorView<Scalar>& view) {
    return {view.name, view.rows, view.cols, view.is_vector, view.data, view.row_stride, view.col_stride, view.by_item};
}

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
