#ifndef GRU4REC_NN_GRU_HPP
#define GRU4REC_NN_GRU_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/activation.hpp"
#include "gru4rec/nn/cell.hpp"
#include "gru4rec/nn/gru_tape.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Whether the gates' sums (their values before the activation) start from a row of a one-hot table. If so, the caller
/// writes that row to the tape's `pre` before `forward`.
enum class OneHotRow { none, added };

/// Floating-point operations that are worth a task of their own.
inline constexpr double flops_per_chunk = 0.4e6;

/// Cuts the units of a layer into chunks. @param width  multiply-adds per lane and unit
[[nodiscard]] inline Chunks unit_chunks(Index units, Index lanes, Index width) {
    return chunks_by_work(units, tile_multiple, 2.0 * static_cast<double>(lanes * width), flops_per_chunk);
}

/// The rows first + rows.begin .. first + rows.end - 1 of `weights`, all columns.
template <class Scalar>
[[nodiscard]] WeightBlock<Scalar> rows_of(const PaddedMatrix<Scalar>& weights, Index first, Range rows) noexcept {
    return {{weights.row(first), weights.stride()}, rows, {0, weights.cols()}};
}

/// All rows of `weights`, some columns.
template <class Scalar>
[[nodiscard]] WeightBlock<Scalar> columns_of(const PaddedMatrix<Scalar>& weights, Range columns) noexcept {
    return {{weights.data(), weights.stride()}, {0, weights.rows()}, columns};
}

/// `matrix` without its columns before `first`.
template <class Scalar>
[[nodiscard]] LaneMatrix<Scalar> columns_from(LaneMatrix<Scalar> matrix, Index first) noexcept {
    return {matrix.column(first), matrix.stride};
}

/// The input's part of the gates' sums: weights (empty if the input is one-hot), bias, one-hot row.
template <class Scalar>
struct InputSide {
    const PaddedMatrix<Scalar>& weights;
    const PaddedMatrix<Scalar>& bias;
    OneHotRow one_hot_row;
};

/// Sets the given columns of `pre` to bias + W_x x, plus the one-hot rows that the caller has written there, if any.
template <class Scalar>
void add_input(const InputSide<Scalar>& input, LaneMatrix<const Scalar> x, Index lanes, Range columns,
               LaneMatrix<Scalar> pre) noexcept {
    using Lanes = SimdVector<Scalar>;
    for (Index j = columns.begin; j < columns.end; ++j) {
        const Lanes b(input.bias.data()[j]);
        for_each_line<Scalar>(lanes, 1, 0, [&](Index at) {
            Scalar* const to = pre.column(j) + at;
            (input.one_hot_row == OneHotRow::added ? Lanes::load(to) + b : b).store(to);
        });
    }
    if (!input.weights.empty()) {
        multiply_rows(rows_of(input.weights, 0, columns), x, lanes, pre, Output::accumulate);
    }
}

/// dx[:, k] = sum_j d[:, j] W[j, k]
///
/// @pre the block's columns start at 0
template <class Scalar>
void multiply_back(LaneMatrix<const Scalar> d, const WeightBlock<Scalar>& weights, Index lanes, LaneMatrix<Scalar> dx) {
    const LoopWork loop = product_work<Scalar>("gru input back", lanes, weights.rows.size(), weights.columns.size());
    parallel_ranges(unit_chunks(weights.columns.size(), lanes, weights.rows.size()), loop, [&](Index begin, Index end) {
        multiply_by_rows<Scalar>(d, {weights.matrix, weights.rows, {begin, end}}, lanes, dx, Output::overwrite);
    });
}

/// A weight matrix or bias of a layer.
template <class Scalar>
struct LayerParameter {
    PaddedMatrix<Scalar>* matrix = nullptr;
    Index n_blocks = 0;  ///< a stack of n gate blocks of H rows; 0 for a bias
};

inline constexpr std::size_t n_layer_parameters = 4;

/// One GRU layer on lanes, with a hand-written backward pass. The weights are its only state: `forward` and `backward`
/// are const and work on the caller's tape. In both, `lanes` is a multiple of the scalars in a cache line; lanes
/// beyond the live ones are computed as well, but never read.
template <class Scalar, class Cell>
class LaneGru;

template <class Scalar>
class LaneGru<Scalar, ResetBefore> {
  public:
    /// @param input_width  0: the input is only a one-hot row
    GRU4REC_NOINLINE LaneGru(Index input_width, Index units, Activation hidden_act,
                             OneHotRow one_hot_row = OneHotRow::none)
        : hidden_act_(hidden_act),
          one_hot_row_(input_width == 0 ? OneHotRow::added : one_hot_row),
          w_x_(input_width == 0 ? 0 : 3 * units, input_width),
          bias_(1, 3 * units),
          w_rz_(2 * units, units),
          w_h_(units, units) {}

    [[nodiscard]] Index units() const noexcept { return w_h_.rows(); }
    [[nodiscard]] Index input_width() const noexcept { return w_x_.cols(); }
    [[nodiscard]] OneHotRow one_hot_row() const noexcept { return one_hot_row_; }
    [[nodiscard]] const Activation& hidden_act() const noexcept { return hidden_act_; }

    /// (3H, input_width), blocks [candidate | r | z]; empty if the input is only a one-hot row
    [[nodiscard]] PaddedMatrix<Scalar>& w_x() noexcept { return w_x_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& w_x() const noexcept { return w_x_; }
    /// (2H, H), blocks [r | z]
    [[nodiscard]] PaddedMatrix<Scalar>& w_rz() noexcept { return w_rz_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& w_rz() const noexcept { return w_rz_; }
    /// (H, H)
    [[nodiscard]] PaddedMatrix<Scalar>& w_h() noexcept { return w_h_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& w_h() const noexcept { return w_h_; }
    /// (1, 3H)
    [[nodiscard]] PaddedMatrix<Scalar>& bias() noexcept { return bias_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& bias() const noexcept { return bias_; }

    /// In the order of `gradients`. The first is empty if the input is only a one-hot row.
    [[nodiscard]] std::array<LayerParameter<Scalar>, n_layer_parameters> parameters() noexcept {
        return {{{&w_x_, 3}, {&w_rz_, 2}, {&w_h_, 1}, {&bias_, 0}}};
    }

    /// tape.out = h' from x and tape.state.
    ///
    /// @param x  (lanes, input_width); unused if the input is only a one-hot row
    /// @complexity O(lanes H (input_width + H)), no allocation   @threads safe for distinct lanes
    void forward(LaneMatrix<const Scalar> x, Index lanes, GruTape<Scalar>& tape) const;

    /// Computes tape.d_pre, the gradients of the gates' sums, from tape.d_out = dL/dh'. Leaves u = dc W_h in
    /// tape.scratch, where `backward_state` needs it; dc is the candidate's part of d_pre.
    void backward(Index lanes, GruTape<Scalar>& tape) const;

    /// After `backward`, overwrites tape.d_out with the gradient of the state that entered the step.
    void backward_state(Index lanes, GruTape<Scalar>& tape) const;

    /// dx = d_pre W_x, (lanes, input_width). @pre the input is not one-hot
    void backward_input(Index lanes, GruTape<Scalar>& tape, LaneMatrix<Scalar> dx) const {
        multiply_back<Scalar>(tape.d_pre(), rows_of(w_x_, 0, {0, w_x_.rows()}), lanes, dx);
    }

    /// The gradients of `parameters`, as factors of an outer product. Those of a bias have no x: the gradient is the
    /// sum of d over the lanes.
    ///
    /// @param x  rows of the layer's input
    /// @pre `backward` was called for all lanes
    [[nodiscard]] std::array<OuterFactors<Scalar>, n_layer_parameters> gradients(Index n_lanes, Rows<const Scalar> x,
                                                                                 GruTape<Scalar>& tape) const noexcept {
        const LaneMatrix<const Scalar> d = tape.d_pre();
        return {{{d, x, n_lanes},
                 {columns_from(d, units()), tape.state_rows(), n_lanes},
                 {d, tape.reset_rows(), n_lanes},
                 {d, {}, n_lanes}}};
    }

    /// Tensors under the names and in the orientation of the file (docs/file_format.md); a layer that reads a
    /// one-hot table (`one_hot`) has other names.
    template <class Self, class Value>
    static void append_tensors(Self& self, Index layer, bool one_hot, std::vector<TensorView<Value>>& out) {
        const Index h = self.units();
        const std::string g = one_hot ? "GE." : "G." + std::to_string(layer) + ".";
        const std::string suffix = one_hot ? "0" : "";
        if (!self.w_x_.empty()) {
            out.push_back({g + "Wx", self.input_width(), 3 * h, false, self.w_x_.data(), 1, self.w_x_.stride(), false});
        }
        out.push_back({g + "Bh" + suffix, 3 * h, 1, true, self.bias_.data(), 1, 1, false});
        out.push_back({g + "Wrz" + suffix, h, 2 * h, false, self.w_rz_.data(), 1, self.w_rz_.stride(), false});
        out.push_back({g + "Wh" + suffix, h, h, false, self.w_h_.data(), 1, self.w_h_.stride(), false});
    }

  private:
    using Lanes = SimdVector<Scalar>;

    Activation hidden_act_;
    OneHotRow one_hot_row_;
    PaddedMatrix<Scalar> w_x_;
    PaddedMatrix<Scalar> bias_;
    PaddedMatrix<Scalar> w_rz_;
    PaddedMatrix<Scalar> w_h_;
};

template <class Scalar>
void LaneGru<Scalar, ResetBefore>::forward(LaneMatrix<const Scalar> x, Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> pre = tape.pre();
    const InputSide<Scalar> input{w_x_, bias_, one_hot_row_};
    const LoopWork loop = product_work<Scalar>("gru gates", lanes, h, 3 * input_width() + 2 * h);
    parallel_ranges(unit_chunks(h, lanes, 3 * input_width() + 2 * h), loop, [&](Index begin, Index end) {
        add_input<Scalar>(input, x, lanes, {begin, end}, pre);
        for (Index gate = 1; gate <= 2; ++gate) {
            add_input<Scalar>(input, x, lanes, {gate * h + begin, gate * h + end}, pre);
            multiply_rows<Scalar>(rows_of(w_rz_, (gate - 1) * h, {begin, end}), tape.state(), lanes,
                                  columns_from(pre, gate * h), Output::accumulate);
        }
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            const auto gates = ResetBefore::gates(Lanes::load(pre.column(h) + at), Lanes::load(pre.column(2 * h) + at),
                                                  Lanes::load(tape.state().data + at));
            gates.r.store(tape.r().data + at);
            gates.z.store(tape.z().data + at);
            gates.reset_state.store(tape.reset().data + at);
        });
    });
    const ActivationFunction<Scalar> act(hidden_act_);
    const LoopWork state = product_work<Scalar>("gru state", lanes, h, h);
    parallel_ranges(unit_chunks(h, lanes, h), state, [&](Index begin, Index end) {
        multiply_rows<Scalar>(rows_of(w_h_, 0, {begin, end}), tape.reset(), lanes, pre, Output::accumulate);
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            const Lanes c = act(Lanes::load(pre.data + at));
            c.store(tape.c().data + at);
            ResetBefore::next_state(Lanes::load(tape.z().data + at), c, Lanes::load(tape.state().data + at))
                .store(tape.out().data + at);
        });
    });
}

template <class Scalar>
void LaneGru<Scalar, ResetBefore>::backward(Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> d = tape.d_pre();
    const ActivationFunction<Scalar> act(hidden_act_);
    const LoopWork sums = pass_work<Scalar>("gru gates back", lanes, h, 10);
    parallel_ranges(column_chunks(padded<Scalar>(h), 3 * lanes), sums, [&](Index begin, Index end) {
        for_each_line<Scalar>(lanes, (std::min)(end, h) - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            const Lanes g = Lanes::load(tape.d_out().data + at);
            const Lanes z = Lanes::load(tape.z().data + at);
            const Lanes c = Lanes::load(tape.c().data + at);
            ResetBefore::d_candidate(g, z, act.derivative(c)).store(d.data + at);
            ResetBefore::d_update_gate(g, z, c, Lanes::load(tape.state().data + at)).store(d.column(2 * h) + at);
        });
        columns_to_rows<Scalar>(tape.state(), lanes, {begin, end}, tape.state_rows());
        columns_to_rows<Scalar>(tape.reset(), lanes, {begin, end}, tape.reset_rows());
    });
    const LaneMatrix<Scalar> u = tape.scratch();
    const LoopWork reset = product_work<Scalar>("gru reset gate back", lanes, h, h);
    parallel_ranges(unit_chunks(h, lanes, h), reset, [&](Index begin, Index end) {
        multiply_by_rows<Scalar>(d, columns_of(w_h_, {begin, end}), lanes, u, Output::overwrite);
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            ResetBefore::d_reset_gate(Lanes::load(u.data + at), Lanes::load(tape.state().data + at),
                                      Lanes::load(tape.r().data + at))
                .store(d.column(h) + at);
        });
    });
}

template <class Scalar>
void LaneGru<Scalar, ResetBefore>::backward_state(Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> d_state = tape.d_out();
    const LoopWork loop = product_work<Scalar>("gru state back", lanes, h, 2 * h);
    parallel_ranges(unit_chunks(h, lanes, 2 * h), loop, [&](Index begin, Index end) {
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            ResetBefore::d_state(Lanes::load(d_state.data + at), Lanes::load(tape.z().data + at),
                                 Lanes::load(tape.scratch().data + at), Lanes::load(tape.r().data + at))
                .store(d_state.data + at);
        });
        multiply_by_rows<Scalar>(columns_from(tape.d_pre(), h), columns_of(w_rz_, {begin, end}), lanes, d_state);
    });
}

template <class Scalar>
class LaneGru<Scalar, ResetAfter> {
  public:
    /// @param input_width  0: the input is only a one-hot row
    GRU4REC_NOINLINE LaneGru(Index input_width, Index units, OneHotRow one_hot_row = OneHotRow::none)
        : one_hot_row_(input_width == 0 ? OneHotRow::added : one_hot_row),
          w_ih_(input_width == 0 ? 0 : 3 * units, input_width),
          b_ih_(1, 3 * units),
          w_hh_(3 * units, units),
          b_hh_(1, 3 * units) {}

    [[nodiscard]] Index units() const noexcept { return w_hh_.cols(); }
    [[nodiscard]] Index input_width() const noexcept { return w_ih_.cols(); }
    [[nodiscard]] OneHotRow one_hot_row() const noexcept { return one_hot_row_; }

    /// (3H, input_width), blocks [r | z | n]; empty if the input is only a one-hot row
    [[nodiscard]] PaddedMatrix<Scalar>& w_ih() noexcept { return w_ih_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& w_ih() const noexcept { return w_ih_; }
    /// (3H, H)
    [[nodiscard]] PaddedMatrix<Scalar>& w_hh() noexcept { return w_hh_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& w_hh() const noexcept { return w_hh_; }
    /// (1, 3H)
    [[nodiscard]] PaddedMatrix<Scalar>& b_ih() noexcept { return b_ih_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& b_ih() const noexcept { return b_ih_; }
    /// (1, 3H)
    [[nodiscard]] PaddedMatrix<Scalar>& b_hh() noexcept { return b_hh_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& b_hh() const noexcept { return b_hh_; }

    /// In the order of `gradients`. The first is empty if the input is only a one-hot row.
    [[nodiscard]] std::array<LayerParameter<Scalar>, n_layer_parameters> parameters() noexcept {
        return {{{&w_ih_, 3}, {&w_hh_, 3}, {&b_ih_, 0}, {&b_hh_, 0}}};
    }

    /// tape.out = h' from x and tape.state, as for ResetBefore.
    void forward(LaneMatrix<const Scalar> x, Index lanes, GruTape<Scalar>& tape) const;

    /// Computes the gradients of the gates' sums from tape.d_out = dL/dh': those of the input side, tape.d_pre, and
    /// those of the hidden side, tape.d_hidden.
    void backward(Index lanes, GruTape<Scalar>& tape) const;

    /// After `backward`, overwrites tape.d_out with the gradient of the state that entered the step.
    void backward_state(Index lanes, GruTape<Scalar>& tape) const;

    void backward_input(Index lanes, GruTape<Scalar>& tape, LaneMatrix<Scalar> dx) const {
        multiply_back<Scalar>(tape.d_pre(), rows_of(w_ih_, 0, {0, w_ih_.rows()}), lanes, dx);
    }

    [[nodiscard]] std::array<OuterFactors<Scalar>, n_layer_parameters> gradients(Index n_lanes, Rows<const Scalar> x,
                                                                                 GruTape<Scalar>& tape) const noexcept {
        return {{{tape.d_pre(), x, n_lanes},
                 {tape.d_hidden(), tape.state_rows(), n_lanes},
                 {tape.d_pre(), {}, n_lanes},
                 {tape.d_hidden(), {}, n_lanes}}};
    }

    template <class Self, class Value>
    static void append_tensors(Self& self, Index layer, bool one_hot, std::vector<TensorView<Value>>& out) {
        const Index h = self.units();
        const std::string g = one_hot ? "GE." : "G." + std::to_string(layer) + ".";
        if (!self.w_ih_.empty()) {
            out.push_back(
                {g + "weight_ih", 3 * h, self.input_width(), false, self.w_ih_.data(), self.w_ih_.stride(), 1, false});
        }
        out.push_back({g + "weight_hh", 3 * h, h, false, self.w_hh_.data(), self.w_hh_.stride(), 1, false});
        out.push_back({g + "bias_ih", 3 * h, 1, true, self.b_ih_.data(), 1, 1, false});
        out.push_back({g + "bias_hh", 3 * h, 1, true, self.b_hh_.data(), 1, 1, false});
    }

  private:
    using Lanes = SimdVector<Scalar>;

    OneHotRow one_hot_row_;
    PaddedMatrix<Scalar> w_ih_;
    PaddedMatrix<Scalar> b_ih_;
    PaddedMatrix<Scalar> w_hh_;
    PaddedMatrix<Scalar> b_hh_;
};

template <class Scalar>
void LaneGru<Scalar, ResetAfter>::forward(LaneMatrix<const Scalar> x, Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> pre = tape.pre();
    const InputSide<Scalar> input{w_ih_, b_ih_, one_hot_row_};
    const LaneMatrix<Scalar> q = tape.reset();
    const LoopWork loop = product_work<Scalar>("gru gates", lanes, h, 3 * input_width() + 3 * h);
    parallel_ranges(unit_chunks(h, lanes, 3 * input_width() + 3 * h), loop, [&](Index begin, Index end) {
        for (Index gate = 0; gate <= 1; ++gate) {
            const Index first = gate * h;
            add_input<Scalar>(input, x, lanes, {first + begin, first + end}, pre);
            for (Index j = first + begin; j < first + end; ++j) {
                const Lanes b(b_hh_.data()[j]);
                for_each_line<Scalar>(
                    lanes, 1, 0, [&](Index at) { (Lanes::load(pre.column(j) + at) + b).store(pre.column(j) + at); });
            }
            multiply_rows<Scalar>(rows_of(w_hh_, first, {begin, end}), tape.state(), lanes, columns_from(pre, first),
                                  Output::accumulate);
        }
        add_input<Scalar>(input, x, lanes, {2 * h + begin, 2 * h + end}, pre);
        for (Index j = begin; j < end; ++j) {
            std::fill_n(q.column(j), lanes, b_hh_.data()[2 * h + j]);
        }
        multiply_rows<Scalar>(rows_of(w_hh_, 2 * h, {begin, end}), tape.state(), lanes, q, Output::accumulate);
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            const auto gates = ResetAfter::gates(Lanes::load(pre.data + at), Lanes::load(pre.column(h) + at),
                                                 Lanes::load(pre.column(2 * h) + at), Lanes::load(q.data + at),
                                                 Lanes::load(tape.state().data + at));
            gates.r.store(tape.r().data + at);
            gates.z.store(tape.z().data + at);
            gates.n.store(tape.c().data + at);
            gates.next_state.store(tape.out().data + at);
        });
    });
}

template <class Scalar>
void LaneGru<Scalar, ResetAfter>::backward(Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> d = tape.d_pre();
    const LaneMatrix<Scalar> d_hidden = tape.d_hidden();
    const LoopWork sums = pass_work<Scalar>("gru gates back", lanes, h, 15);
    parallel_ranges(column_chunks(padded<Scalar>(h), 3 * lanes), sums, [&](Index begin, Index end) {
        for_each_line<Scalar>(lanes, (std::min)(end, h) - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            const Lanes state = Lanes::load(tape.state().data + at);
            const ResetAfter::Gates<Lanes> gates{Lanes::load(tape.r().data + at), Lanes::load(tape.z().data + at),
                                                 Lanes::load(tape.c().data + at), Lanes::load(tape.out().data + at)};
            const auto gradients = ResetAfter::backward(Lanes::load(tape.d_out().data + at), gates,
                                                        Lanes::load(tape.reset().data + at), state);
            gradients.r.store(d.data + at);
            gradients.z.store(d.column(h) + at);
            gradients.n.store(d.column(2 * h) + at);
            gradients.r.store(d_hidden.data + at);
            gradients.z.store(d_hidden.column(h) + at);
            gradients.n_hidden.store(d_hidden.column(2 * h) + at);
        });
        columns_to_rows<Scalar>(tape.state(), lanes, {begin, end}, tape.state_rows());
    });
}

template <class Scalar>
void LaneGru<Scalar, ResetAfter>::backward_state(Index lanes, GruTape<Scalar>& tape) const {
    const Index h = units();
    const LaneMatrix<Scalar> d_state = tape.d_out();
    const LoopWork loop = product_work<Scalar>("gru state back", lanes, h, 3 * h);
    parallel_ranges(unit_chunks(h, lanes, 3 * h), loop, [&](Index begin, Index end) {
        for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
            const Index at = begin * tape.stride() + line;
            ResetAfter::d_state(Lanes::load(d_state.data + at), Lanes::load(tape.z().data + at))
                .store(d_state.data + at);
        });
        multiply_by_rows<Scalar>(tape.d_hidden(), columns_of(w_hh_, {begin, end}), lanes, d_state);
    });
}

#if defined(GRU4REC_COMPILED)
extern template class LaneGru<float, ResetBefore>;
extern template class LaneGru<double, ResetBefore>;
extern template class LaneGru<float, ResetAfter>;
extern template class LaneGru<double, ResetAfter>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
