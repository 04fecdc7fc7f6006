#ifndef GRU4REC_BLOCKS_GRU_LAYER_HPP
#define GRU4REC_BLOCKS_GRU_LAYER_HPP

#include "gru4rec/blocks/matrices.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/activation.hpp"
#include "gru4rec/nn/cell.hpp"
#include "gru4rec/nn/gru.hpp"
#include "gru4rec/nn/gru_tape.hpp"
#include "gru4rec/nn/gru_weights.hpp"
#include "gru4rec/nn/initial_weights.hpp"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

// A GRU layer on plain Eigen matrices, with a hand-written backward pass. Inside, lanes are padded to whole cache
// lines. Arguments and results are copied, which costs little compared with the matrix products.
//
// Compile time (g++ 12, -O3): including this header takes about as long as including Eigen and TBB; using it for one
// layer takes 3 times as long.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What `backward` returns: gradients under the names of the weights.
template <class Scalar, class Cell>
struct GruGradients;

/// Gradients of a layer with the cell of the papers.
template <class Scalar>
struct GruGradients<Scalar, ResetBefore> {
    Matrix<Scalar> d_x;            ///< (M, E)
    Matrix<Scalar> d_h;            ///< (M, H), of the state that entered the step
    RowMatrix<Scalar> d_w_input;   ///< (3H, E), blocks [candidate | r | z]; empty if the input is one-hot
    RowMatrix<Scalar> d_w_gates;   ///< (2H, H), blocks [r | z]
    RowMatrix<Scalar> d_w_hidden;  ///< (H, H)
    RowVector<Scalar> d_bias;      ///< (3H)
};

/// Gradients of a layer with the cell of cuDNN and PyTorch.
template <class Scalar>
struct GruGradients<Scalar, ResetAfter> {
    Matrix<Scalar> d_x;               ///< (M, E)
    Matrix<Scalar> d_h;               ///< (M, H), of the state that entered the step
    RowMatrix<Scalar> d_w_input;      ///< (3H, E), blocks [r | z | n]; empty if the input is one-hot
    RowMatrix<Scalar> d_w_hidden;     ///< (3H, H), blocks [r | z | n]
    RowVector<Scalar> d_bias_input;   ///< (3H)
    RowVector<Scalar> d_bias_hidden;  ///< (3H)
};

template <class Scalar, class Cell>
class GruLayer;

/// Keeps what the backward pass of a step needs. The next step overwrites it: use one record per layer, and to go back
/// through several steps one per step.
template <class Scalar>
class GruRecord {
  public:
    GruRecord() = default;
    ~GruRecord() = default;

    /// @{
    /// A copy is independent. A record that was moved from is as new: `records.push_back(std::move(record))` keeps a
    /// step, and `record` takes the next.
    GruRecord(const GruRecord&) = default;
    GruRecord& operator=(const GruRecord&) = default;
    GruRecord(GruRecord&& other) noexcept
        : n_lanes_(std::exchange(other.n_lanes_, 0)),
          max_lanes_(std::exchange(other.max_lanes_, 0)),
          tape_(std::move(other.tape_)),
          x_rows_(std::move(other.x_rows_)),
          x_(std::move(other.x_)) {
        other.tape_.reset();  // a moved-from optional still holds a value
    }
    GruRecord& operator=(GruRecord&& other) noexcept {
        GruRecord taken(std::move(other));
        std::swap(n_lanes_, taken.n_lanes_);
        std::swap(max_lanes_, taken.max_lanes_);
        std::swap(tape_, taken.tape_);
        std::swap(x_rows_, taken.x_rows_);
        std::swap(x_, taken.x_);
        return *this;
    }
    /// @}

    /// M of the last forward pass; 0 before the first.
    [[nodiscard]] Index n_lanes() const noexcept { return n_lanes_; }

  private:
    template <class, class>
    friend class GruLayer;

    void prepare(Index n_lanes, Index input_width, Index units) {
        if (!tape_ || n_lanes > max_lanes_ || input_width != x_rows_.cols() || units != tape_->units()) {
            max_lanes_ = (std::max)(n_lanes, Index{1});
            tape_.emplace(max_lanes_, units);
            x_rows_ = detail::PaddedMatrix<Scalar>(max_lanes_, input_width);
            x_ = detail::AlignedBuffer<Scalar>(tape_->stride() * input_width);
        }
        n_lanes_ = n_lanes;
    }

    [[nodiscard]] LaneMatrix<Scalar> x() noexcept { return {x_.data(), tape_->stride()}; }

    Index n_lanes_ = 0;
    Index max_lanes_ = 0;
    std::optional<detail::GruTape<Scalar>> tape_;
    detail::PaddedMatrix<Scalar> x_rows_;  // lane by lane
    detail::AlignedBuffer<Scalar> x_;      // (lanes, E); after `backward` its gradient
};

/// One GRU layer: h' = GRU(x, h). The weights are its only state; a const layer may be used by several threads at once,
/// each with a record of its own. Works in the caller's TBB arena.
///
/// @tparam Cell  ResetBefore, the cell of the GRU4Rec papers, or ResetAfter, that of cuDNN and PyTorch
template <class Scalar, class Cell = ResetBefore>
class GruLayer {
  public:
    using Gradients = GruGradients<Scalar, Cell>;  ///< what `backward` returns
    /// Accepts matrices, maps and blocks; copies those whose columns are not contiguous.
    using ConstRef = Eigen::Ref<const Matrix<Scalar>>;

    /// All weights are zero; `initialise` draws them.
    ///
    /// @param input_width  E >= 1; or 0 for one-hot input: x is then (M, 3H), gathered from a (V, 3H) table that
    ///                     takes the place of W_input
    /// @throws ConfigError for a width or a number of units out of range
    template <std::same_as<ResetBefore> OfCell = Cell>
    GruLayer(Index input_width, Index units, Activation hidden_act = {})
        : gru_(checked("input_width", input_width, 0), checked("units", units, 1), hidden_act) {}

    /// The same for the cell whose candidate is always a tanh.
    template <std::same_as<ResetAfter> OfCell = Cell>
    GruLayer(Index input_width, Index units)
        : gru_(checked("input_width", input_width, 0), checked("units", units, 1)) {}

    /// A copy of a layer of a trained model: `GruLayer<float> layer(model.layer(0))`.
    template <class Value>
    explicit GruLayer(const GruWeights<Value, Cell>& weights) : gru_(weights.gru()) {
        if (gru_.one_hot_row() == detail::OneHotRow::added && gru_.input_width() > 0) {
            detail::throw_invalid(
                "a deeper layer of a model with one-hot input and deep_input has two inputs; GruLayer takes one");
        }
    }

    /// Draws all weights from U(-s, s), s = sqrt(6 / (rows + cols)) per gate, as Model does; biases are 0.
    ///
    /// @param seed  another one for each layer: equal seeds give correlated weights
    void initialise(std::uint64_t seed);

    [[nodiscard]] Index units() const noexcept { return gru_.units(); }  ///< H
    /// Columns of x: E, or 3H if the input is one-hot.
    [[nodiscard]] Index input_width() const noexcept { return is_one_hot() ? 3 * units() : gru_.input_width(); }
    /// True if made with input_width 0: x holds rows of an item table.
    [[nodiscard]] bool is_one_hot() const noexcept { return gru_.input_width() == 0; }

    /// @{
    /// The weights by name, as views that are valid as long as the layer. GruWeights states the shapes. `w_gates` and
    /// `bias` exist for ResetBefore only, `bias_input` and `bias_hidden` for ResetAfter only.
    [[nodiscard]] GruWeights<Scalar, Cell> weights() noexcept { return GruWeights<Scalar, Cell>(gru_); }
    [[nodiscard]] GruWeights<const Scalar, Cell> weights() const noexcept {
        return GruWeights<const Scalar, Cell>(gru_);
    }
    [[nodiscard]] RowMatrixMap<Scalar> w_input() noexcept { return weights().w_input(); }
    [[nodiscard]] RowMatrixMap<const Scalar> w_input() const noexcept { return weights().w_input(); }
    [[nodiscard]] RowMatrixMap<Scalar> w_hidden() noexcept { return weights().w_hidden(); }
    [[nodiscard]] RowMatrixMap<const Scalar> w_hidden() const noexcept { return weights().w_hidden(); }
    // Templates, since Clang 14 instantiates what a requires clause rules out.
    template <std::same_as<ResetBefore> OfCell = Cell>
    [[nodiscard]] RowMatrixMap<Scalar> w_gates() noexcept {
        return weights().w_gates();
    }
    template <std::same_as<ResetBefore> OfCell = Cell>
    [[nodiscard]] RowMatrixMap<const Scalar> w_gates() const noexcept {
        return weights().w_gates();
    }
    template <std::same_as<ResetBefore> OfCell = Cell>
    [[nodiscard]] RowVectorMap<Scalar> bias() noexcept {
        return weights().bias();
    }
    template <std::same_as<ResetBefore> OfCell = Cell>
    [[nodiscard]] RowVectorMap<const Scalar> bias() const noexcept {
        return weights().bias();
    }
    template <std::same_as<ResetAfter> OfCell = Cell>
    [[nodiscard]] RowVectorMap<Scalar> bias_input() noexcept {
        return weights().bias_input();
    }
    template <std::same_as<ResetAfter> OfCell = Cell>
    [[nodiscard]] RowVectorMap<const Scalar> bias_input() const noexcept {
        return weights().bias_input();
    }
    template <std::same_as<ResetAfter> OfCell = Cell>
    [[nodiscard]] RowVectorMap<Scalar> bias_hidden() noexcept {
        return weights().bias_hidden();
    }
    template <std::same_as<ResetAfter> OfCell = Cell>
    [[nodiscard]] RowVectorMap<const Scalar> bias_hidden() const noexcept {
        return weights().bias_hidden();
    }
    /// @}

    /// One step of M lanes.
    ///
    /// @param x       (M, E)
    /// @param h       (M, H), the states that enter the step
    /// @param record  keeps what `backward` needs   [out]
    /// @returns h', (M, H)
    /// @throws ConfigError for wrong shapes
    /// @complexity O(M H (E + H))
    [[nodiscard]] Matrix<Scalar> forward(const ConstRef& x, const ConstRef& h, GruRecord<Scalar>& record) const;

    /// The same for a step that has no backward pass, as in serving.
    [[nodiscard]] Matrix<Scalar> forward(const ConstRef& x, const ConstRef& h) const {
        GruRecord<Scalar> record;
        return forward(x, h, record);
    }

    /// The gradients of a step from d_h_new = dL/dh', (M, H).
    ///
    /// @param record  of the step. The backward pass uses it up: call forward again before the next one
    /// @pre the weights are those of the forward pass: update them afterwards
    /// @throws ConfigError for wrong shapes, or a record that holds no step of a layer of this shape
    /// @complexity O(M H (E + H))
    [[nodiscard]] Gradients backward(const ConstRef& d_h_new, GruRecord<Scalar>& record) const;

  private:
    [[nodiscard]] static Index checked(const char* name, Index value, Index least) {
        // The sizes of buffers are products, which must not overflow: 2^31 where sizes have 64 bits.
        constexpr Index too_many = Index{1} << (std::numeric_limits<Index>::digits / 2);
        if (value < least) {
            detail::throw_invalid(name, value, std::string(name) + " >= " + std::to_string(least));
        }
        if (value >= too_many) {
            detail::throw_invalid(name, value, std::string(name) + " < " + std::to_string(too_many));
        }
        return value;
    }

    [[nodiscard]] static RowVector<Scalar> sum_over_lanes(const detail::OuterFactors<Scalar>& factors, Index cols);

    detail::LaneGru<Scalar, Cell> gru_;
};

template <class Scalar, class Cell>
void GruLayer<Scalar, Cell>::initialise(std::uint64_t seed) {
    std::uint64_t tensor = 0;
    for (const detail::LayerParameter<Scalar>& parameter : gru_.parameters()) {
        detail::PaddedMatrix<Scalar>& weights = *parameter.matrix;
        const detail::Random random(seed, detail::Random::Stream::initialise, {tensor++});
        if (parameter.n_blocks > 0) {
            const double s = detail::glorot(weights.rows() / parameter.n_blocks, weights.cols());
            detail::draw_weights(weights, weights.cols(), s, detail::InitialValues::uniform, random);
        } else {
            weights.set_zero();
        }
    }
}

template <class Scalar, class Cell>
Matrix<Scalar> GruLayer<Scalar, Cell>::forward(const ConstRef& x, const ConstRef& h, GruRecord<Scalar>& record) const {
    const Index n_lanes = x.rows();
    detail::require_shape("x", x, is_one_hot() ? "(M, 3H)" : "(M, E)", {n_lanes, input_width()});
    detail::require_shape("h", h, "(M, H)", {n_lanes, units()});
    record.prepare(n_lanes, input_width(), units());
    detail::GruTape<Scalar>& tape = *record.tape_;
    tape.state().map(n_lanes, units()) = h;
    if (is_one_hot()) {
        tape.pre().map(n_lanes, 3 * units()) = x;
    } else {
        record.x().map(n_lanes, input_width()) = x;
        record.x_rows_.map().topRows(n_lanes) = x;
    }
    gru_.forward(record.x(), detail::padded<Scalar>(n_lanes), tape);
    return tape.out().map(n_lanes, units());
}

template <class Scalar, class Cell>
GruGradients<Scalar, Cell> GruLayer<Scalar, Cell>::backward(const ConstRef& d_h_new, GruRecord<Scalar>& record) const {
    if (!record.tape_ || record.tape_->units() != units() || record.x_rows_.cols() != input_width()) {
        detail::throw_invalid("the record holds no step of a layer of this shape: call forward with it first");
    }
    const Index n_lanes = record.n_lanes_;
    const Index h = units();
    detail::require_shape("d_h_new", d_h_new, "(M, H)", {n_lanes, h});
    detail::GruTape<Scalar>& tape = *record.tape_;
    const Index lanes = detail::padded<Scalar>(n_lanes);
    tape.d_out().map(n_lanes, h) = d_h_new;
    gru_.backward(lanes, tape);
    gru_.backward_state(lanes, tape);

    Gradients result;
    result.d_h = tape.d_out().map(n_lanes, h);
    if (is_one_hot()) {
        result.d_x = tape.d_pre().map(n_lanes, 3 * h);
    } else {
        gru_.backward_input(lanes, tape, record.x());
        result.d_x = record.x().map(n_lanes, input_width());
    }
    const detail::Rows<const Scalar> x_rows{record.x_rows_.data(), record.x_rows_.stride()};
    const auto factors = gru_.gradients(n_lanes, x_rows, tape);
    if (!is_one_hot()) {
        result.d_w_input = detail::outer_product(factors[0], 3 * h, input_width());
    }
    if constexpr (std::same_as<Cell, ResetBefore>) {
        result.d_w_gates = detail::outer_product(factors[1], 2 * h, h);
        result.d_w_hidden = detail::outer_product(factors[2], h, h);
        result.d_bias = sum_over_lanes(factors[3], 3 * h);
    } else {
        result.d_w_hidden = detail::outer_product(factors[1], 3 * h, h);
        result.d_bias_input = sum_over_lanes(factors[2], 3 * h);
        result.d_bias_hidden = sum_over_lanes(factors[3], 3 * h);
    }
    return result;
}

template <class Scalar, class Cell>
RowVector<Scalar> GruLayer<Scalar, Cell>::sum_over_lanes(const detail::OuterFactors<Scalar>& factors, Index cols) {
    detail::AlignedBuffer<Scalar> sums(detail::padded<Scalar>(cols));
    detail::add_lanes_to_row<Scalar>(factors.d, factors.n_lanes, {0, sums.size()}, sums.data());
    return RowVectorMap<const Scalar>(sums.data(), cols);
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
