#ifndef GRU4REC_NN_GRU_WEIGHTS_HPP
#define GRU4REC_NN_GRU_WEIGHTS_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/cell.hpp"
#include "gru4rec/nn/gru.hpp"

#include <type_traits>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Value, class Cell>
using GruOf = std::conditional_t<std::is_const_v<Value>, const LaneGru<std::remove_const_t<Value>, Cell>,
                                 LaneGru<std::remove_const_t<Value>, Cell>>;

template <class Scalar>
[[nodiscard]] RowMatrixMap<Scalar> row_matrix_map(PaddedMatrix<Scalar>& p) noexcept {
    return RowMatrixMap<Scalar>(p.data(), p.rows(), p.cols(), Eigen::OuterStride<>(p.stride()));
}
template <class Scalar>
[[nodiscard]] RowMatrixMap<const Scalar> row_matrix_map(const PaddedMatrix<Scalar>& p) noexcept {
    return RowMatrixMap<const Scalar>(p.data(), p.rows(), p.cols(), Eigen::OuterStride<>(p.stride()));
}
template <class Scalar>
[[nodiscard]] RowVectorMap<Scalar> row_vector_map(PaddedMatrix<Scalar>& p) noexcept {
    return RowVectorMap<Scalar>(p.data(), p.cols());
}
template <class Scalar>
[[nodiscard]] RowVectorMap<const Scalar> row_vector_map(const PaddedMatrix<Scalar>& p) noexcept {
    return RowVectorMap<const Scalar>(p.data(), p.cols());
}

}  // namespace detail

/// The weights of a GRU layer by name, as views of the layer's memory: valid as long as the layer.
///
/// E is the width of the input, H the number of units. If the input is one-hot, w_input is empty: it is the item table,
/// whose rows are added to the gates' sums as they are.
///
/// @tparam Value  Scalar, or const Scalar for a layer that is only read
template <class Value, class Cell>
class GruWeights;

/// The cell of the GRU4Rec papers (nn/cell.hpp).
template <class Value>
class GruWeights<Value, ResetBefore> {
  public:
    /// For Model::layer() and GruLayer::weights(), which make these views.
    explicit GruWeights(detail::GruOf<Value, ResetBefore>& gru) noexcept : gru_(&gru) {}

    /// (3H, E), blocks [candidate | r | z]
    [[nodiscard]] RowMatrixMap<Value> w_input() const noexcept { return detail::row_matrix_map(gru_->w_x()); }
    /// (2H, H), blocks [r | z]
    [[nodiscard]] RowMatrixMap<Value> w_gates() const noexcept { return detail::row_matrix_map(gru_->w_rz()); }
    /// (H, H), of the candidate
    [[nodiscard]] RowMatrixMap<Value> w_hidden() const noexcept { return detail::row_matrix_map(gru_->w_h()); }
    /// (3H), blocks [candidate | r | z]
    [[nodiscard]] RowVectorMap<Value> bias() const noexcept { return detail::row_vector_map(gru_->bias()); }

    /// The layer itself. Not for users: it may change at any time.
    [[nodiscard]] detail::GruOf<Value, ResetBefore>& gru() const noexcept { return *gru_; }

  private:
    detail::GruOf<Value, ResetBefore>* gru_;
};

/// The cell of cuDNN and PyTorch (nn/cell.hpp).
template <class Value>
class GruWeights<Value, ResetAfter> {
  public:
    /// For Model::layer() and GruLayer::weights(), which make these views.
    explicit GruWeights(detail::GruOf<Value, ResetAfter>& gru) noexcept : gru_(&gru) {}

    /// (3H, E), blocks [r | z | n]; PyTorch's weight_ih
    [[nodiscard]] RowMatrixMap<Value> w_input() const noexcept { return detail::row_matrix_map(gru_->w_ih()); }
    /// (3H, H), blocks [r | z | n]; PyTorch's weight_hh
    [[nodiscard]] RowMatrixMap<Value> w_hidden() const noexcept { return detail::row_matrix_map(gru_->w_hh()); }
    /// (3H); PyTorch's bias_ih
    [[nodiscard]] RowVectorMap<Value> bias_input() const noexcept { return detail::row_vector_map(gru_->b_ih()); }
    /// (3H); PyTorch's bias_hh
    [[nodiscard]] RowVectorMap<Value> bias_hidden() const noexcept { return detail::row_vector_map(gru_->b_hh()); }

    /// The layer itself. Not for users: it may change at any time.
    [[nodiscard]] detail::GruOf<Value, ResetAfter>& gru() const noexcept { return *gru_; }

  private:
    detail::GruOf<Value, ResetAfter>* gru_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
