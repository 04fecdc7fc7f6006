#ifndef GRU4REC_NN_GRU_HPP
#define GRU4REC_NN_GRU_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/nn/activation.hpp"
#include "gru4rec/nn/gru_tape.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The cell of the papers and of the original code (arXiv 1511.06939, section 2): the reset gate acts on the state
/// before the product. One bias, blocks [candidate | r | z].
///
///     r = s(W_xr x + b_r + W_r h)     z = s(W_xz x + b_z + W_z h)
///     c = act(W_xc x + b_c + W_h (r o h))         h' = (1 - z) o h + z o c
struct ResetBefore {};

/// The cell of cuDNN and of PyTorch's GRUCell: the reset gate acts on the product. Two biases, blocks [r | z | n].
///
///     r = s(W_ir x + b_ir + W_hr h + b_hr)     z = s(W_iz x + b_iz + W_hz h + b_hz)
///     n = tanh(W_in x + b_in + r o (W_hn h + b_hn))         h' = (1 - z) o n + z o h
struct ResetAfter {};

namespace detail {

/// Whether a layer's sums start from a row of a one-hot table, which the caller puts into the tape's `pre`.
enum class OneHotRow { none, added };

/// Multiply-adds that are worth a task of their own.
inline constexpr double flops_per_chunk = 0.4e6;

/// Cuts the units of a layer into chunks; `width` is the number of products per lane and unit.
[[nodiscard]] inline Chunks unit_chunks(Index units, Index lanes, Index width) {
    return chunks_by_work(units, tile_multiple, 2.0 * static_cast<double>(lanes * width), flops_per_chunk);
}

/// The input's share of the sums: weights (none where the input is one-hot), bias, one-hot rows.
template <class Scalar>
struct InputSide {
    const Parameter<Scalar>& weights;
    const Parameter<Scalar>& bias;
    OneHotRow one_hot_row;
};

/// Columns begin .. end of `pre` become the bias, plus the one-hot rows that they hold, plus W_x x.
template <class Scalar>
void add_input(const InputSide<Scalar>& input, LaneMatrix<const Scalar> x, Index lanes, Index begin, Index end,
               LaneMatrix<Scalar> pre) noexcept {
    using Lanes = SimdVector<Scalar>;
    for (Index j = begin; j < end; ++j) {
        const Lanes b(input.bias.data()[j]);
        for_each_line<Scalar>(lanes, 1, 0, [&](Index at) {
            Scalar* const to = pre.column(j) + at;
            (input.one_hot_row == OneHotRow::added ? Lanes::load(to) + b : b).store(to);
        });
    }
    if (!input.weights.empty()) {
        multiply_rows<Output::accumulate>(Rows<const Scalar>{input.weights.data(), input.weights.stride()}, begin, end,
                                          input.weights.cols(), x, lanes, pre);
    }
}

/// dx[:, k] = sum_j d[:, j] W[j, k]
template <class Scalar>
void multiply_back(LaneMatrix<const Scalar> d, const Parameter<Scalar>& weights, Index lanes, LaneMatrix<Scalar> dx) {
    parallel_ranges(unit_chunks(weights.cols(), lanes, weights.rows()), [&](Index begin, Index end) {
        for (Index k = begin; k < end; ++k) {
            std::fill_n(dx.column(k), lanes, Scalar(0));
        }
        multiply_by_rows<Scalar>(d, Rows<const Scalar>{weights.data(), weights.stride()}, 0, weights.rows(), begin, end,
                                 lanes, dx);
    });
}

}  // namespace detail

/// One GRU layer with hand-written backward pass; `Variant` is ResetBefore or ResetAfter. The weights are its only
/// state: `forward` and `backward` are const and work on lanes of the caller's tape. In both, `lanes` is a multiple of
/// the scalars in a cache line; lanes beyond the live ones are computed along and read by nothing.
template <class Scalar, class Variant>
class GruLayer;

template <class Scalar>
class GruLayer<Scalar, ResetBefore> {
  public:
    /// `input_width` 0: the input is a one-hot row alone.
    GruLayer(Index input_width, Index units, Activation hidden_act,
             detail::OneHotRow one_hot_row = detail::OneHotRow::none)
        : hidden_act_(hidden_act),
          one_hot_row_(input_width == 0 ? detail::OneHotRow::added : one_hot_row),
          w_x_(input_width == 0 ? 0 : 3 * units, input_width),
          bias_(1, 3 * units),
          w_rz_(2 * units, units),
          w_h_(units, units) {}

    [[nodiscard]] Index units() const noexcept { return w_h_.rows(); }
    [[nodiscard]] Index input_width() const noexcept { return w_x_.cols(); }
    [[nodiscard]] detail::OneHotRow one_hot_row() const noexcept { return one_hot_row_; }

    /// tape.out = h' from x and tape.state.
    ///
    /// @param x  (lanes, input_width); unused where the input is a one-hot row alone
    /// @complexity O(lanes H (input_width + H)), no allocation   @threads safe for distinct lanes
    void forward(LaneMatrix<const Scalar> x, Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> pre = tape.pre();
        const detail::InputSide<Scalar> input{w_x_, bias_, one_hot_row_};
        detail::parallel_ranges(detail::unit_chunks(h, lanes, 3 * input_width() + 2 * h), [&](Index begin, Index end) {
            detail::add_input<Scalar>(input, x, lanes, begin, end, pre);
            for (Index gate = 1; gate <= 2; ++gate) {
                detail::add_input<Scalar>(input, x, lanes, gate * h + begin, gate * h + end, pre);
                detail::multiply_rows<detail::Output::accumulate>(
                    detail::Rows<const Scalar>{w_rz_.row((gate - 1) * h), w_rz_.stride()}, begin, end, h, tape.state(),
                    lanes, LaneMatrix<Scalar>{pre.column(gate * h), pre.stride});
            }
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                const Lanes r = sigmoid(Lanes::load(pre.column(h) + at));
                sigmoid(Lanes::load(pre.column(2 * h) + at)).store(tape.z().data + at);
                r.store(tape.r().data + at);
                (r * Lanes::load(tape.state().data + at)).store(tape.reset().data + at);
            });
        });
        detail::with_activation<Scalar>(hidden_act_, [&](auto act) {
            detail::parallel_ranges(detail::unit_chunks(h, lanes, h), [&](Index begin, Index end) {
                detail::multiply_rows<detail::Output::accumulate>(
                    detail::Rows<const Scalar>{w_h_.data(), w_h_.stride()}, begin, end, h, tape.reset(), lanes, pre);
                detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                    const Index at = begin * tape.stride() + line;
                    const Lanes c = act(Lanes::load(pre.data + at));
                    const Lanes state = Lanes::load(tape.state().data + at);
                    c.store(tape.c().data + at);
                    multiply_add(Lanes::load(tape.z().data + at), c - state, state).store(tape.out().data + at);
                });
            });
        });
    }

    /// From tape.d_out = dL/dh' the gradients of the gates' sums, tape.d_pre; dc~ W_h stays in tape.scratch.
    ///
    ///     dc~ = g o z o act'(c)   dz~ = g o (c - h) o z o (1 - z)   dr~ = (dc~ W_h) o h o r o (1 - r)
    void backward(Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> d = tape.d_pre();
        detail::with_activation<Scalar>(hidden_act_, [&](auto act) {
            detail::parallel_ranges(detail::column_chunks(h, lanes), [&](Index begin, Index end) {
                detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                    const Index at = begin * tape.stride() + line;
                    const Lanes g = Lanes::load(tape.d_out().data + at);
                    const Lanes z = Lanes::load(tape.z().data + at);
                    const Lanes c = Lanes::load(tape.c().data + at);
                    (g * z * act.derivative(c)).store(d.data + at);
                    (g * (c - Lanes::load(tape.state().data + at)) * z * (Lanes(1) - z)).store(d.column(2 * h) + at);
                });
            });
        });
        const LaneMatrix<Scalar> u = tape.scratch();
        detail::parallel_ranges(detail::unit_chunks(h, lanes, h), [&](Index begin, Index end) {
            for (Index k = begin; k < end; ++k) {
                std::fill_n(u.column(k), lanes, Scalar(0));
            }
            detail::multiply_by_rows<Scalar>(d, detail::Rows<const Scalar>{w_h_.data(), w_h_.stride()}, 0, h, begin,
                                             end, lanes, u);
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                const Lanes r = Lanes::load(tape.r().data + at);
                (Lanes::load(u.data + at) * Lanes::load(tape.state().data + at) * r * (Lanes(1) - r))
                    .store(d.column(h) + at);
            });
        });
    }

    /// After `backward`, turns tape.d_out into the gradient of the entering state.
    ///
    ///     dh = g o (1 - z) + (dc~ W_h) o r + [dr~ | dz~] W_rz
    void backward_state(Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> d_rz{tape.d_pre().column(h), tape.stride()};
        const LaneMatrix<Scalar> d_state = tape.d_out();
        detail::parallel_ranges(detail::unit_chunks(h, lanes, 2 * h), [&](Index begin, Index end) {
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                const Lanes kept = Lanes::load(d_state.data + at) * (Lanes(1) - Lanes::load(tape.z().data + at));
                multiply_add(Lanes::load(tape.scratch().data + at), Lanes::load(tape.r().data + at), kept)
                    .store(d_state.data + at);
            });
            detail::multiply_by_rows<Scalar>(d_rz, detail::Rows<const Scalar>{w_rz_.data(), w_rz_.stride()}, 0, 2 * h,
                                             begin, end, lanes, d_state);
        });
    }

    /// dx = d_pre W_x, (lanes, input_width). @pre the input is not one-hot
    void backward_input(Index lanes, detail::GruLanes<Scalar> tape, LaneMatrix<Scalar> dx) const {
        detail::multiply_back<Scalar>(tape.d_pre(), w_x_, lanes, dx);
    }

    /// Calls `visit(DenseGradient)` for every weight matrix and bias. `x` are the rows of the layer's input.
    template <class Visit>
    void visit_gradients(Index lanes, detail::Rows<const Scalar> x, detail::GruTape<Scalar>& tape, Visit&& visit) {
        const Index h = units();
        detail::parallel_ranges(detail::column_chunks(detail::padded<Scalar>(h), 2 * lanes),
                                [&](Index begin, Index end) {
                                    detail::columns_to_rows<Scalar>(tape.state(), lanes, begin, end, tape.state_rows());
                                    detail::columns_to_rows<Scalar>(tape.reset(), lanes, begin, end, tape.reset_rows());
                                });
        const LaneMatrix<const Scalar> d = tape.d_pre();
        if (!w_x_.empty()) {
            visit(detail::DenseGradient<Scalar>{&w_x_, d, x});
        }
        visit(detail::DenseGradient<Scalar>{&w_rz_, {d.column(h), d.stride}, tape.state_rows()});
        visit(detail::DenseGradient<Scalar>{&w_h_, d, tape.reset_rows()});
        visit(detail::DenseGradient<Scalar>{&bias_, d, {}});
    }

    /// Calls `visit(parameter, n_blocks)`: a parameter is a stack of n gate blocks of H rows; 0 for a bias.
    template <class Self, class Visit>
    static void visit_parameters(Self& self, Visit&& visit) {
        if (!self.w_x_.empty()) {
            visit(self.w_x_, Index{3});
        }
        visit(self.w_rz_, Index{2});
        visit(self.w_h_, Index{1});
        visit(self.bias_, Index{0});
    }

    /// Tensors under the names and in the orientation of the file (docs/file_format.md); `one_hot` names those of a
    /// layer behind a one-hot table.
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
    Activation hidden_act_;
    detail::OneHotRow one_hot_row_;
    detail::Parameter<Scalar> w_x_;   // (3H, input_width), blocks [candidate | r | z]
    detail::Parameter<Scalar> bias_;  // (1, 3H)
    detail::Parameter<Scalar> w_rz_;  // (2H, H), blocks [r | z]
    detail::Parameter<Scalar> w_h_;   // (H, H)
};

template <class Scalar>
class GruLayer<Scalar, ResetAfter> {
  public:
    /// `input_width` 0: the input is a one-hot row alone.
    GruLayer(Index input_width, Index units, detail::OneHotRow one_hot_row = detail::OneHotRow::none)
        : one_hot_row_(input_width == 0 ? detail::OneHotRow::added : one_hot_row),
          w_ih_(input_width == 0 ? 0 : 3 * units, input_width),
          b_ih_(1, 3 * units),
          w_hh_(3 * units, units),
          b_hh_(1, 3 * units) {}

    [[nodiscard]] Index units() const noexcept { return w_hh_.cols(); }
    [[nodiscard]] Index input_width() const noexcept { return w_ih_.cols(); }
    [[nodiscard]] detail::OneHotRow one_hot_row() const noexcept { return one_hot_row_; }

    /// tape.out = h' from x and tape.state; parameters as in ResetBefore.
    void forward(LaneMatrix<const Scalar> x, Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> pre = tape.pre();
        const detail::InputSide<Scalar> input{w_ih_, b_ih_, one_hot_row_};
        const LaneMatrix<Scalar> q = tape.reset();
        detail::parallel_ranges(detail::unit_chunks(h, lanes, 3 * input_width() + 3 * h), [&](Index begin, Index end) {
            for (Index gate = 0; gate <= 1; ++gate) {
                const Index first = gate * h;
                detail::add_input<Scalar>(input, x, lanes, first + begin, first + end, pre);
                for (Index j = first + begin; j < first + end; ++j) {
                    const Lanes b(b_hh_.data()[j]);
                    detail::for_each_line<Scalar>(lanes, 1, 0, [&](Index at) {
                        (Lanes::load(pre.column(j) + at) + b).store(pre.column(j) + at);
                    });
                }
                detail::multiply_rows<detail::Output::accumulate>(
                    detail::Rows<const Scalar>{w_hh_.row(first), w_hh_.stride()}, begin, end, h, tape.state(), lanes,
                    LaneMatrix<Scalar>{pre.column(first), pre.stride});
            }
            detail::add_input<Scalar>(input, x, lanes, 2 * h + begin, 2 * h + end, pre);
            for (Index j = begin; j < end; ++j) {
                std::fill_n(q.column(j), lanes, b_hh_.data()[2 * h + j]);
            }
            detail::multiply_rows<detail::Output::accumulate>(
                detail::Rows<const Scalar>{w_hh_.row(2 * h), w_hh_.stride()}, begin, end, h, tape.state(), lanes, q);
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                const Lanes r = sigmoid(Lanes::load(pre.data + at));
                const Lanes z = sigmoid(Lanes::load(pre.column(h) + at));
                const Lanes n = tanh(multiply_add(r, Lanes::load(q.data + at), Lanes::load(pre.column(2 * h) + at)));
                const Lanes state = Lanes::load(tape.state().data + at);
                r.store(tape.r().data + at);
                z.store(tape.z().data + at);
                n.store(tape.c().data + at);
                multiply_add(z, state - n, n).store(tape.out().data + at);
            });
        });
    }

    /// From tape.d_out the gradients of the input side, tape.d_pre, and of the hidden side, tape.d_hidden.
    ///
    ///     dn~ = g o (1 - z) o (1 - n^2)   dz~ = g o (h - n) o z o (1 - z)   dr~ = dn~ o q o r o (1 - r)
    ///     input side [dr~ | dz~ | dn~], hidden side [dr~ | dz~ | dn~ o r]
    void backward(Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> d = tape.d_pre();
        const LaneMatrix<Scalar> d_hidden = tape.d_hidden();
        detail::parallel_ranges(detail::column_chunks(h, lanes), [&](Index begin, Index end) {
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                const Lanes g = Lanes::load(tape.d_out().data + at);
                const Lanes r = Lanes::load(tape.r().data + at);
                const Lanes z = Lanes::load(tape.z().data + at);
                const Lanes n = Lanes::load(tape.c().data + at);
                const Lanes d_n = g * (Lanes(1) - z) * (Lanes(1) - n * n);
                const Lanes d_z = g * (Lanes::load(tape.state().data + at) - n) * z * (Lanes(1) - z);
                const Lanes d_r = d_n * Lanes::load(tape.reset().data + at) * r * (Lanes(1) - r);
                d_r.store(d.data + at);
                d_z.store(d.column(h) + at);
                d_n.store(d.column(2 * h) + at);
                d_r.store(d_hidden.data + at);
                d_z.store(d_hidden.column(h) + at);
                (d_n * r).store(d_hidden.column(2 * h) + at);
            });
        });
    }

    /// After `backward`, turns tape.d_out into the gradient of the entering state.
    ///
    ///     dh = g o z + [dr~ | dz~ | dn~ o r] W_hh
    void backward_state(Index lanes, detail::GruLanes<Scalar> tape) const {
        using Lanes = SimdVector<Scalar>;
        const Index h = units();
        const LaneMatrix<Scalar> d_state = tape.d_out();
        detail::parallel_ranges(detail::unit_chunks(h, lanes, 3 * h), [&](Index begin, Index end) {
            detail::for_each_line<Scalar>(lanes, end - begin, tape.stride(), [&](Index line) {
                const Index at = begin * tape.stride() + line;
                (Lanes::load(d_state.data + at) * Lanes::load(tape.z().data + at)).store(d_state.data + at);
            });
            detail::multiply_by_rows<Scalar>(tape.d_hidden(), detail::Rows<const Scalar>{w_hh_.data(), w_hh_.stride()},
                                             0, 3 * h, begin, end, lanes, d_state);
        });
    }

    void backward_input(Index lanes, detail::GruLanes<Scalar> tape, LaneMatrix<Scalar> dx) const {
        detail::multiply_back<Scalar>(tape.d_pre(), w_ih_, lanes, dx);
    }

    template <class Visit>
    void visit_gradients(Index lanes, detail::Rows<const Scalar> x, detail::GruTape<Scalar>& tape, Visit&& visit) {
        detail::parallel_ranges(detail::column_chunks(detail::padded<Scalar>(units()), lanes),
                                [&](Index begin, Index end) {
                                    detail::columns_to_rows<Scalar>(tape.state(), lanes, begin, end, tape.state_rows());
                                });
        if (!w_ih_.empty()) {
            visit(detail::DenseGradient<Scalar>{&w_ih_, tape.d_pre(), x});
        }
        visit(detail::DenseGradient<Scalar>{&w_hh_, tape.d_hidden(), tape.state_rows()});
        visit(detail::DenseGradient<Scalar>{&b_ih_, tape.d_pre(), {}});
        visit(detail::DenseGradient<Scalar>{&b_hh_, tape.d_hidden(), {}});
    }

    template <class Self, class Visit>
    static void visit_parameters(Self& self, Visit&& visit) {
        if (!self.w_ih_.empty()) {
            visit(self.w_ih_, Index{3});
        }
        visit(self.w_hh_, Index{3});
        visit(self.b_ih_, Index{0});
        visit(self.b_hh_, Index{0});
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
    detail::OneHotRow one_hot_row_;
    detail::Parameter<Scalar> w_ih_;  // (3H, input_width), blocks [r | z | n]
    detail::Parameter<Scalar> b_ih_;  // (1, 3H)
    detail::Parameter<Scalar> w_hh_;  // (3H, H)
    detail::Parameter<Scalar> b_hh_;  // (1, 3H)
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
