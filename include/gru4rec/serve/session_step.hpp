#ifndef GRU4REC_SERVE_SESSION_STEP_HPP
#define GRU4REC_SERVE_SESSION_STEP_HPP

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/model/model.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <variant>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Feeds events to live sessions, a few at a time. `forward` of model/network.hpp computes whole cache lines of lanes,
/// of which a session alone uses one; here the registers hold features, and the weights are read once. The states
/// differ from those of `forward` by rounding; they have the same bits however many sessions are fed together.
///
/// @threads one per thread: it holds scratch memory
template <class Scalar>
class SessionStep {
  public:
    /// @param model  must outlive this object
    SessionStep(const Model<Scalar>& model, Index max_sessions)
        : model_(&model),
          max_sessions_(max_sessions),
          history_(model.hyperparameters().input_history()),
          stride_(stride_of(model)),
          row_width_(widest_row(model.network())),
          rows_(max_sessions * row_stride<Scalar>(row_width_)),
          x_(max_sessions * x_stride()),
          state_(max_sessions * stride_),
          reset_(max_sessions * stride_),
          gates_(max_sessions * 3 * stride_) {}

    /// Session i gets event items[i].
    ///
    /// @pre as many items as sessions, at most max_sessions; the sessions are different ones, made for this model
    /// @complexity O(n (max_events width + sum of (input + H) H over the layers)), no allocation
    void advance(std::span<SessionState<Scalar>* const> sessions, std::span<const ItemIndex> items) noexcept {
        GRU4REC_ASSERT(sessions.size() == items.size() && static_cast<Index>(items.size()) <= max_sessions_);
        for (std::size_t s = 0; s < items.size(); ++s) {
            sessions[s]->add_event(items[s]);
        }
        const auto n = static_cast<Index>(sessions.size());
        Index first = 0;
        Index below = 0;  // units of the layer below
        Index l = 0;
        for (const auto& layer : model_->network().layers()) {
            std::visit(
                [&](const auto& gru) {
                    for (Index s = 0; s < n; ++s) {
                        enter_input(*sessions[static_cast<std::size_t>(s)], l, below, s);
                        copy_padded(values(sessions, s) + first, gru.units(), state()(s));
                    }
                    advance_layer(gru, n);
                    for (Index s = 0; s < n; ++s) {
                        std::copy_n(x()(s), gru.units(), values(sessions, s) + first);
                    }
                    first += gru.units();
                    below = gru.units();
                    ++l;
                },
                layer);
        }
    }

  private:
    using Lanes = SimdVector<Scalar>;

    [[nodiscard]] static Index stride_of(const Model<Scalar>& model) noexcept {
        const std::vector<int>& layers = model.hyperparameters().layers;
        return row_stride<Scalar>(*std::max_element(layers.begin(), layers.end()));
    }

    [[nodiscard]] static Index widest_row(const Network<Scalar>& network) noexcept {
        Index width = 0;
        for (Index t = 0; t < network.n_input_tables(); ++t) {
            width = (std::max)(width, network.input_row_width(t));
        }
        return width;
    }

    [[nodiscard]] static Scalar* values(std::span<SessionState<Scalar>* const> sessions, Index s) noexcept {
        return sessions[static_cast<std::size_t>(s)]->values().data();
    }

    static void copy_padded(const Scalar* from, Index n, Scalar* to) noexcept {
        std::copy_n(from, n, to);
        pad(to, n);
    }

    static void pad(Scalar* features, Index n) noexcept {
        std::fill(features + n, features + padded<Scalar>(n), Scalar(0));
    }

    /// Readies rows() and x() of session s for layer l; x() holds the output of the layer below, `below` units.
    void enter_input(const SessionState<Scalar>& session, Index l, Index below, Index s) noexcept {
        const Network<Scalar>& network = model_->network();
        const bool one_hot = network.input_mode() == InputMode::one_hot;
        if (l == 0 || (one_hot && network.deep_input())) {
            gather(session, l, rows()(s));
        }
        if (!one_hot && (l == 0 || network.deep_input())) {
            std::copy_n(rows()(s), network.input_row_width(), x()(s) + below);
            pad(x()(s), below + network.input_row_width());
        }
    }

    /// to = the session's input from table t.
    void gather(const SessionState<Scalar>& session, Index t, Scalar* to) const noexcept {
        const Parameter<Scalar>& table = model_->network().input_table(t);
        const Index width = model_->network().input_row_width(t);
        const Index length = history_.length(session.n_events());
        if (length == 1) {
            std::copy_n(table.row(to_index(session.recent(0))), width, to);
            return;
        }
        std::fill_n(to, width, Scalar(0));
        for (Index age = length; age-- > 0;) {
            const auto weight = static_cast<Scalar>(history_.weight(age, length));
            const Scalar* const row = table.row(to_index(session.recent(age)));
            for (Index k = 0; k < width; ++k) {
                to[k] += weight * row[k];
            }
        }
    }

    /// What the input tables give.
    [[nodiscard]] Rows<Scalar> rows() noexcept { return {rows_.data(), row_stride<Scalar>(row_width_)}; }
    /// The layer's input, then its output.
    [[nodiscard]] Index x_stride() const noexcept { return stride_ + row_stride<Scalar>(row_width_); }
    [[nodiscard]] Rows<Scalar> x() noexcept { return {x_.data(), x_stride()}; }
    [[nodiscard]] Rows<Scalar> state() noexcept { return {state_.data(), stride_}; }
    [[nodiscard]] Rows<Scalar> reset() noexcept { return {reset_.data(), stride_}; }
    [[nodiscard]] Rows<Scalar> gate(Index block) noexcept { return {gates_.data() + block * stride_, 3 * stride_}; }

    /// sums = bias + W_x x of one block of the gates; a one-hot row is W_x x itself, all blocks one after the other.
    template <class Cell>
    void start_gate(const LaneGru<Scalar, Cell>& gru, const InputSide<Scalar>& input, Index block, Index n) noexcept {
        const Index units = gru.units();
        const Rows<Scalar> sums = gate(block);
        for (Index s = 0; s < n; ++s) {
            copy_padded(input.bias.data() + block * units, units, sums(s));
            for (Index j = 0; j < units && input.one_hot_row == OneHotRow::added; ++j) {
                sums(s)[j] += rows()(s)[block * units + j];
            }
        }
        if (!input.weights.empty()) {
            dot_products<Scalar>(rows_of(input.weights, block * units, {0, units}), x(), n, sums, Output::accumulate);
        }
    }

    /// sums += rows first .. first + units of `weights` times a vector of `units` features per session.
    void add_product(const Parameter<Scalar>& weights, Index first, Rows<const Scalar> vectors, Index n,
                     Rows<Scalar> sums) noexcept {
        dot_products<Scalar>(rows_of(weights, first, {0, weights.cols()}), vectors, n, sums, Output::accumulate);
    }

    /// Calls `body(s, offset)` for each cache line of units of each session.
    template <class Body>
    static void for_each_unit(Index n, Index units, const Body& body) {
        for (Index s = 0; s < n; ++s) {
            for_each_line<Scalar>(units, 1, 0, [&](Index at) { body(s, at); });
        }
    }

    /// x = h' of one layer from x and state; the equations are those of nn/cell.hpp.
    void advance_layer(const LaneGru<Scalar, ResetBefore>& gru, Index n) noexcept {
        const Index h = gru.units();
        const InputSide<Scalar> input{gru.w_x(), gru.bias(), gru.one_hot_row()};
        for (Index block = 0; block < 3; ++block) {
            start_gate(gru, input, block, n);
        }
        add_product(gru.w_rz(), 0, state(), n, gate(1));
        add_product(gru.w_rz(), h, state(), n, gate(2));
        for_each_unit(n, h, [&](Index s, Index at) {
            const auto gates = ResetBefore::gates(Lanes::load(gate(1)(s) + at), Lanes::load(gate(2)(s) + at),
                                                  Lanes::load(state()(s) + at));
            gates.z.store(gate(2)(s) + at);
            gates.reset_state.store(reset()(s) + at);
        });
        add_product(gru.w_h(), 0, reset(), n, gate(0));
        const ActivationFunction<Scalar> act(gru.hidden_act());
        for_each_unit(n, h, [&](Index s, Index at) {
            ResetBefore::next_state(Lanes::load(gate(2)(s) + at), act(Lanes::load(gate(0)(s) + at)),
                                    Lanes::load(state()(s) + at))
                .store(x()(s) + at);
        });
    }

    void advance_layer(const LaneGru<Scalar, ResetAfter>& gru, Index n) noexcept {
        const Index h = gru.units();
        const InputSide<Scalar> input{gru.w_ih(), gru.b_ih(), gru.one_hot_row()};
        for (Index block = 0; block < 3; ++block) {
            start_gate(gru, input, block, n);
        }
        const auto hidden_side = [&](Index block) {
            for (Index s = 0; s < n; ++s) {
                copy_padded(gru.b_hh().data() + block * h, h, reset()(s));
            }
            add_product(gru.w_hh(), block * h, state(), n, reset());
        };
        for (Index block = 0; block < 2; ++block) {
            hidden_side(block);
            for_each_unit(n, h, [&](Index s, Index at) {
                (Lanes::load(gate(block)(s) + at) + Lanes::load(reset()(s) + at)).store(gate(block)(s) + at);
            });
        }
        hidden_side(2);
        for_each_unit(n, h, [&](Index s, Index at) {
            ResetAfter::gates(Lanes::load(gate(0)(s) + at), Lanes::load(gate(1)(s) + at), Lanes::load(gate(2)(s) + at),
                              Lanes::load(reset()(s) + at), Lanes::load(state()(s) + at))
                .next_state.store(x()(s) + at);
        });
    }

    const Model<Scalar>* model_;
    Index max_sessions_;
    InputHistory history_;
    Index stride_;
    Index row_width_;
    AlignedBuffer<Scalar> rows_, x_, state_, reset_, gates_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
