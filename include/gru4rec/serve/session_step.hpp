#ifndef GRU4REC_SERVE_SESSION_STEP_HPP
#define GRU4REC_SERVE_SESSION_STEP_HPP

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Many sessions as an argument: an array of sessions or an array of pointers to sessions. Refers to the array.
///
/// @tparam State  SessionState, const if the sessions are only read
template <class State>
class SessionSpan {
  public:
    SessionSpan() noexcept = default;

    template <class Sessions>
        requires std::convertible_to<Sessions, std::span<State>> SessionSpan(Sessions&& sessions)
    noexcept  // NOLINT(google-explicit-constructor): stands for a function argument
        : SessionSpan(std::span<State>(std::forward<Sessions>(sessions)), {}) {}

    template <class Sessions>
        requires std::convertible_to<Sessions, std::span<State* const>> SessionSpan(Sessions&& sessions)
    noexcept  // NOLINT(google-explicit-constructor): stands for a function argument
        : SessionSpan({}, std::span<State* const>(std::forward<Sessions>(sessions))) {}

    [[nodiscard]] std::size_t size() const noexcept { return objects_.size() + pointers_.size(); }
    [[nodiscard]] State& operator[](std::size_t i) const noexcept {
        return pointers_.empty() ? objects_[i] : *pointers_[i];
    }
    [[nodiscard]] SessionSpan subspan(std::size_t first, std::size_t count) const noexcept {
        return pointers_.empty() ? SessionSpan(objects_.subspan(first, count), {})
                                 : SessionSpan({}, pointers_.subspan(first, count));
    }

  private:
    SessionSpan(std::span<State> objects, std::span<State* const> pointers) noexcept
        : objects_(objects), pointers_(pointers) {}

    std::span<State> objects_;  // one of the two is empty
    std::span<State* const> pointers_;
};

/// Feeds events to live sessions, a few at a time. `forward` of model/passes.hpp computes whole cache lines of lanes,
/// of which a single session uses one; here the registers hold units, and the weights are read once. The states differ
/// from those of `forward` by rounding; their bits do not depend on how many sessions are fed together.
///
/// @threads one per thread: it holds scratch memory
template <class Scalar>
class SessionStep {
  public:
    /// @param model  must outlive this object
    SessionStep(const Model<Scalar>& model, Index max_sessions);

    /// Feeds items[i] to session i.
    ///
    /// @pre as many items as sessions, at most max_sessions; the sessions are distinct and fit the model
    /// @complexity O(n (max_events width + sum of (input + H) H over the layers)), no allocation
    void advance(SessionSpan<SessionState<Scalar>> sessions, std::span<const ItemIndex> items) noexcept;

  private:
    using Units = SimdVector<Scalar>;  ///< a cache line of a session's units

    [[nodiscard]] static Index units_stride(const Model<Scalar>& model) noexcept;
    [[nodiscard]] static Index widest_input_row(const Network<Scalar>& network) noexcept;

    void load_input(const SessionState<Scalar>& session, Index layer, Index units_below, Index s) noexcept;
    void gather(const SessionState<Scalar>& session, Index table, Scalar* to) const noexcept;

    void advance_layer(const LaneGru<Scalar, ResetBefore>& gru, Index n) noexcept;
    void advance_layer(const LaneGru<Scalar, ResetAfter>& gru, Index n) noexcept;
    void start_gate(const InputSide<Scalar>& input, Index block, Index units, Index n) noexcept;
    static void add_product(const PaddedMatrix<Scalar>& weights, Index first_row, Rows<const Scalar> vectors, Index n,
                            Rows<Scalar> sums) noexcept;

    static void copy_padded(const Scalar* from, Index n, Scalar* to) noexcept {
        std::copy_n(from, n, to);
        pad(to, n);
    }

    static void pad(Scalar* features, Index n) noexcept {
        std::fill(features + n, features + padded<Scalar>(n), Scalar(0));
    }

    /// Calls `body(s, offset)` for each cache line of units of each session.
    template <class Body>
    static void for_each_line_of_units(Index n, Index units, const Body& body) {
        for (Index s = 0; s < n; ++s) {
            for_each_line<Scalar>(units, 1, 0, [&](Index offset) { body(s, offset); });
        }
    }

    // Scratch memory, a row per session.

    /// The row of an input table.
    [[nodiscard]] Rows<Scalar> input_row() noexcept { return {input_rows_.data(), row_stride<Scalar>(row_width_)}; }
    /// The layer's input, then its output.
    [[nodiscard]] Index x_stride() const noexcept { return stride_ + row_stride<Scalar>(row_width_); }
    [[nodiscard]] Rows<Scalar> x() noexcept { return {x_.data(), x_stride()}; }
    [[nodiscard]] Rows<Scalar> state() noexcept { return {state_.data(), stride_}; }
    [[nodiscard]] Rows<Scalar> reset() noexcept { return {reset_.data(), stride_}; }
    [[nodiscard]] Rows<Scalar> gate(Index block) noexcept { return {gates_.data() + block * stride_, 3 * stride_}; }

    const Model<Scalar>* model_;
    Index max_sessions_;
    InputHistory history_;
    Index stride_;
    Index row_width_;
    AlignedBuffer<Scalar> input_rows_, x_, state_, reset_, gates_;
};

template <class Scalar>
SessionStep<Scalar>::SessionStep(const Model<Scalar>& model, Index max_sessions)
    : model_(&model),
      max_sessions_(max_sessions),
      history_(model.hyperparameters().input_history()),
      stride_(units_stride(model)),
      row_width_(widest_input_row(model.network())),
      input_rows_(max_sessions * row_stride<Scalar>(row_width_)),
      x_(max_sessions * x_stride()),
      state_(max_sessions * stride_),
      reset_(max_sessions * stride_),
      gates_(max_sessions * 3 * stride_) {}

template <class Scalar>
Index SessionStep<Scalar>::units_stride(const Model<Scalar>& model) noexcept {
    const std::vector<int>& layers = model.hyperparameters().layers;
    return row_stride<Scalar>(*std::max_element(layers.begin(), layers.end()));
}

template <class Scalar>
Index SessionStep<Scalar>::widest_input_row(const Network<Scalar>& network) noexcept {
    Index width = 0;
    for (Index t = 0; t < network.n_input_tables(); ++t) {
        width = (std::max)(width, network.input_row_width(t));
    }
    return width;
}

template <class Scalar>
void SessionStep<Scalar>::advance(SessionSpan<SessionState<Scalar>> sessions,
                                  std::span<const ItemIndex> items) noexcept {
    GRU4REC_ASSERT(sessions.size() == items.size() && static_cast<Index>(items.size()) <= max_sessions_);
    for (std::size_t s = 0; s < items.size(); ++s) {
        sessions[s].add_event(items[s]);
    }
    const auto n = static_cast<Index>(sessions.size());
    Index units_below = 0;
    for (Index l = 0; l < static_cast<Index>(model_->network().layers().size()); ++l) {
        std::visit(
            [&](const auto& gru) {
                for (Index s = 0; s < n; ++s) {
                    load_input(at(sessions, s), l, units_below, s);
                    copy_padded(at(sessions, s).hidden(l).data(), gru.units(), state()(s));
                }
                advance_layer(gru, n);
                for (Index s = 0; s < n; ++s) {
                    std::copy_n(x()(s), gru.units(), at(sessions, s).hidden(l).data());
                }
                units_below = gru.units();
            },
            at(model_->network().layers(), l));
    }
}

/// Fills input_row() and x() of session s for a layer; x() holds the output of the layer below.
template <class Scalar>
void SessionStep<Scalar>::load_input(const SessionState<Scalar>& session, Index layer, Index units_below,
                                     Index s) noexcept {
    const Network<Scalar>& network = model_->network();
    const bool one_hot = network.input_mode() == InputMode::one_hot;
    if (layer == 0 || (one_hot && network.deep_input())) {
        gather(session, layer, input_row()(s));
    }
    if (!one_hot && (layer == 0 || network.deep_input())) {
        std::copy_n(input_row()(s), network.input_row_width(), x()(s) + units_below);
        pad(x()(s), units_below + network.input_row_width());
    }
}

/// to = the session's input from a table: the last item's row, or the weighted sum over the last items.
template <class Scalar>
void SessionStep<Scalar>::gather(const SessionState<Scalar>& session, Index table, Scalar* to) const noexcept {
    const PaddedMatrix<Scalar>& rows = model_->network().input_table(table);
    const Index width = model_->network().input_row_width(table);
    const Index length = history_.length(session.n_events());
    if (length == 1) {
        std::copy_n(rows.row(to_index(session.recent(0))), width, to);
        return;
    }
    std::fill_n(to, width, Scalar(0));
    for (Index age = length; age-- > 0;) {
        const auto weight = static_cast<Scalar>(history_.weight(age, length));
        const Scalar* const row = rows.row(to_index(session.recent(age)));
        for (Index k = 0; k < width; ++k) {
            to[k] += weight * row[k];
        }
    }
}

/// x = h' of one layer from x and state, by the equations of nn/cell.hpp.
template <class Scalar>
void SessionStep<Scalar>::advance_layer(const LaneGru<Scalar, ResetBefore>& gru, Index n) noexcept {
    const Index h = gru.units();
    const InputSide<Scalar> input{gru.w_x(), gru.bias(), gru.one_hot_row()};
    for (Index block = 0; block < 3; ++block) {
        start_gate(input, block, h, n);
    }
    add_product(gru.w_rz(), 0, state(), n, gate(1));
    add_product(gru.w_rz(), h, state(), n, gate(2));
    for_each_line_of_units(n, h, [&](Index s, Index k) {
        const auto gates =
            ResetBefore::gates(Units::load(gate(1)(s) + k), Units::load(gate(2)(s) + k), Units::load(state()(s) + k));
        gates.z.store(gate(2)(s) + k);
        gates.reset_state.store(reset()(s) + k);
    });
    add_product(gru.w_h(), 0, reset(), n, gate(0));
    const ActivationFunction<Scalar> act(gru.hidden_act());
    for_each_line_of_units(n, h, [&](Index s, Index k) {
        ResetBefore::next_state(Units::load(gate(2)(s) + k), act(Units::load(gate(0)(s) + k)),
                                Units::load(state()(s) + k))
            .store(x()(s) + k);
    });
}

template <class Scalar>
void SessionStep<Scalar>::advance_layer(const LaneGru<Scalar, ResetAfter>& gru, Index n) noexcept {
    const Index h = gru.units();
    const InputSide<Scalar> input{gru.w_ih(), gru.b_ih(), gru.one_hot_row()};
    for (Index block = 0; block < 3; ++block) {
        start_gate(input, block, h, n);
    }
    const Rows<Scalar> from_state = reset();  // b_hh + W_hh h of one block
    for (Index block = 0; block < 3; ++block) {
        for (Index s = 0; s < n; ++s) {
            copy_padded(gru.b_hh().data() + block * h, h, from_state(s));
        }
        add_product(gru.w_hh(), block * h, state(), n, from_state);
        if (block < 2) {
            for_each_line_of_units(n, h, [&](Index s, Index k) {
                (Units::load(gate(block)(s) + k) + Units::load(from_state(s) + k)).store(gate(block)(s) + k);
            });
        }
    }
    for_each_line_of_units(n, h, [&](Index s, Index k) {
        ResetAfter::gates(Units::load(gate(0)(s) + k), Units::load(gate(1)(s) + k), Units::load(gate(2)(s) + k),
                          Units::load(from_state(s) + k), Units::load(state()(s) + k))
            .next_state.store(x()(s) + k);
    });
}

/// sums = bias + W_x x of one block of the gates. A one-hot row is W_x x itself, all blocks one after another.
template <class Scalar>
void SessionStep<Scalar>::start_gate(const InputSide<Scalar>& input, Index block, Index units, Index n) noexcept {
    const Rows<Scalar> sums = gate(block);
    for (Index s = 0; s < n; ++s) {
        copy_padded(input.bias.data() + block * units, units, sums(s));
        for (Index j = 0; j < units && input.one_hot_row == OneHotRow::added; ++j) {
            sums(s)[j] += input_row()(s)[block * units + j];
        }
    }
    if (!input.weights.empty()) {
        dot_products<Scalar>(rows_of(input.weights, block * units, {0, units}), x(), n, sums, Output::accumulate);
    }
}

/// sums += rows first_row .. first_row + units - 1 of `weights` times a vector of `units` features per session.
template <class Scalar>
void SessionStep<Scalar>::add_product(const PaddedMatrix<Scalar>& weights, Index first_row, Rows<const Scalar> vectors,
                                      Index n, Rows<Scalar> sums) noexcept {
    dot_products<Scalar>(rows_of(weights, first_row, {0, weights.cols()}), vectors, n, sums, Output::accumulate);
}

#if defined(GRU4REC_COMPILED)
extern template class SessionStep<float>;
extern template class SessionStep<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
