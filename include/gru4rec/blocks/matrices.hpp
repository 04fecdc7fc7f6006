#ifndef GRU4REC_BLOCKS_MATRICES_HPP
#define GRU4REC_BLOCKS_MATRICES_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/gru.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <string>
#include <string_view>

// What the building blocks share: checks of shapes, and the products that give the gradients of weights.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

struct Shape {
    Index rows = 0;
    Index cols = 0;

    friend bool operator==(const Shape&, const Shape&) = default;
};

template <class Derived>
[[nodiscard]] Shape shape_of(const Eigen::EigenBase<Derived>& matrix) noexcept {
    return {matrix.rows(), matrix.cols()};
}

/// (3, 7)
[[nodiscard]] inline std::string text_of(const Shape& shape) {
    return "(" + std::to_string(shape.rows) + ", " + std::to_string(shape.cols) + ")";
}

[[noreturn]] GRU4REC_COLD inline void throw_shape(std::string_view name, const Shape& given, std::string_view letters,
                                                  const Shape& expected) {
    throw_invalid(std::string(name) + " is " + text_of(given) + ", must be " + std::string(letters) + " = " +
                  text_of(expected));
}

/// @param letters  the expected shape as the documentation writes it
/// @throws ConfigError `gru4rec: h is (3, 7), must be (M, H) = (3, 8)`
template <class Derived>
void require_shape(std::string_view name, const Eigen::EigenBase<Derived>& matrix, std::string_view letters,
                   const Shape& expected) {
    if (shape_of(matrix) != expected) {
        throw_shape(name, shape_of(matrix), letters, expected);
    }
}

/// A row-major table as the caller has it, without a copy.
template <class Scalar>
using TableRef = Eigen::Ref<const RowMatrix<Scalar>>;

/// The rows of a table by item. A column-major table is refused: every call would have to copy it.
template <class Derived>
[[nodiscard]] TableRef<typename Derived::Scalar> table_ref(const Eigen::MatrixBase<Derived>& table) {
    static_assert(Derived::IsRowMajor,
                  "gru4rec: an item table must be row-major, so that an item's row is contiguous: use "
                  "gru4rec::RowMatrix<Scalar> (docs/building_blocks.md)");
    return TableRef<typename Derived::Scalar>(table.derived());
}

/// @throws ConfigError for an item that has no row
inline void require_row(ItemIndex item, Index n_rows) {
    if (to_index(item) < 0 || to_index(item) >= n_rows) {
        throw_invalid("item", to_index(item), "0 <= item < " + std::to_string(n_rows) + ", the rows of the table");
    }
}

/// row j = sum_lane d[lane, j] x[lane, :]
template <class Scalar>
[[nodiscard]] RowMatrix<Scalar> outer_product(const OuterFactors<Scalar>& factors, Index rows, Index cols) {
    RowMatrix<Scalar> result(rows, cols);
    parallel_ranges(unit_chunks(rows, factors.n_lanes, cols), [&](Index begin, Index end) {
        for_each_outer_block<Scalar>(factors, {begin, end}, cols, {}, [&](const OuterBlock<Scalar>& block) {
            const Index n = (std::min)(block.width, cols - block.offset);  // blocks end at whole registers
            for (Index j = block.first; n > 0 && j < block.first + block.count; ++j) {
                std::copy_n(block.row(j), n, result.data() + j * cols + block.offset);
            }
        });
    });
    return result;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
