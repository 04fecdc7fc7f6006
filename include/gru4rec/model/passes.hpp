#ifndef GRU4REC_MODEL_PASSES_HPP
#define GRU4REC_MODEL_PASSES_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/nn/dropout.hpp"
#include "gru4rec/nn/gru.hpp"
#include "gru4rec/nn/input.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// What dropout needs to know of a step; with both shares 0 nothing is dropped.
struct DropoutStep {
    double p_embed = 0;
    double p_hidden = 0;
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;
    std::uint64_t step = 0;
};

/// Activations of the network for up to `max_lanes` lanes: the hidden states and what a backward pass needs. Whoever
/// runs the network owns one; the network itself stays const.
template <class Scalar>
class NetworkTape {
  public:
    NetworkTape(const Network<Scalar>& network, Index max_lanes)
        : width_(network.input_row_width()),
          stride_(row_stride<Scalar>(max_lanes)),
          x_(stride_ * padded<Scalar>(width_)),
          d_x_(stride_ * padded<Scalar>(width_)),
          mask_(stride_ * padded<Scalar>(width_)) {
        for (Index t = 0; t < network.n_input_tables(); ++t) {
            tables_.emplace_back(max_lanes, network.input_row_width(t));
        }
        for (const auto& layer : network.layers()) {
            const Index units = std::visit([](const auto& gru) { return gru.units(); }, layer);
            if (network.deep_input() && network.input_mode() != InputMode::one_hot && !layers_.empty()) {
                joined_.emplace_back(max_lanes, layers_.back().units(), width_);
            }
            layers_.emplace_back(max_lanes, units);
        }
    }

    [[nodiscard]] std::vector<GruTape<Scalar>>& layers() noexcept { return layers_; }
    [[nodiscard]] GruTape<Scalar>& top() noexcept { return layers_.back(); }
    [[nodiscard]] LaneMatrix<Scalar> x() noexcept { return {x_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<Scalar> d_x() noexcept { return {d_x_.data(), stride_}; }
    [[nodiscard]] LaneMatrix<Scalar> mask() noexcept { return {mask_.data(), stride_}; }
    /// Lane by lane: what is gathered from input table t, after dropout.
    [[nodiscard]] Rows<Scalar> x_rows(Index t = 0) noexcept {
        TableRows& table = tables_[static_cast<std::size_t>(t)];
        return {table.x.data(), table.stride};
    }
    /// Lane by lane: its gradient.
    [[nodiscard]] Rows<Scalar> d_x_rows(Index t = 0) noexcept {
        TableRows& table = tables_[static_cast<std::size_t>(t)];
        return {table.d_x.data(), table.stride};
    }
    /// The inputs of layers 1, 2, ... where x is joined to the output of the layer below; else none.
    [[nodiscard]] std::vector<JoinedInput<Scalar>>& joined() noexcept { return joined_; }
    /// That of layer l, or null.
    [[nodiscard]] JoinedInput<Scalar>* joined(std::size_t l) noexcept {
        return l == 0 || joined_.empty() ? nullptr : &joined_[l - 1];
    }

    /// Readies the states for a step: what left the last step enters this one, lane by lane as `previous_lane` says;
    /// fresh lanes (-1) start from zero.
    void enter_step(std::span<const Index> previous_lane) noexcept {
        enter_step(*this, previous_lane, all_lanes<Scalar>(static_cast<Index>(previous_lane.size())));
    }

    /// The same for some lanes, where the last step may have been run on another tape of the same network.
    void enter_step(const NetworkTape& last, std::span<const Index> previous_lane, LaneRange lanes) noexcept {
        const Index end = (std::min)(lanes.first + lanes.count, static_cast<Index>(previous_lane.size()));
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            GruTape<Scalar>& layer = layers_[l];
            const GruTape<Scalar>& last_layer = last.layers_[l];
            layer.carry_state(last_layer, lanes);
            for (Index m = lanes.first; m < end; ++m) {
                const Index from = previous_lane[static_cast<std::size_t>(m)];
                if (from < 0) {
                    layer.reset_lane(m);
                } else if (from != m) {
                    layer.move_lane(last_layer, from, m);
                }
            }
        }
    }

    void reset_all_lanes() noexcept {
        for (auto& layer : layers_) {
            layer.reset_all_lanes();
        }
    }

  private:
    struct TableRows {
        TableRows(Index max_lanes, Index width)
            : stride(row_stride<Scalar>(width)), x(padded<Scalar>(max_lanes) * stride), d_x(x.size()) {}

        Index stride;
        AlignedBuffer<Scalar> x, d_x;
    };

    Index width_;
    Index stride_;
    AlignedBuffer<Scalar> x_, d_x_, mask_;
    std::vector<TableRows> tables_;
    std::vector<JoinedInput<Scalar>> joined_;
    std::vector<GruTape<Scalar>> layers_;
};

/// Two groups of lanes then share no cache line, and every register is loaded from an aligned address.
template <class Scalar>
[[nodiscard]] constexpr bool is_whole_lines(LaneRange lanes) noexcept {
    return lanes.first % scalars_per_line<Scalar> == 0 && lanes.count % scalars_per_line<Scalar> == 0;
}

[[nodiscard]] inline bool all_below(std::span<const Index> lanes, Index end) noexcept {
    return std::all_of(lanes.begin(), lanes.end(), [end](Index lane) { return lane < end; });
}

/// Feeds the inputs of some lanes: tape.top().out() is then their new hidden state.
///
/// @pre tape.enter_step was called; items < V, no more lanes than the tape has; p_embed is 0 with one-hot input
///
/// @complexity O(M sum of (input + H) H over the layers), no allocation   @threads safe for distinct tapes, and for
/// distinct lanes of one
template <class Scalar>
void forward(const Network<Scalar>& network, const LaneInputs& inputs, const DropoutStep& dropout,
             NetworkTape<Scalar>& tape, LaneRange lanes) {
    const Index first = lanes.first;
    const Index count = lanes.count;
    const Index width = network.input_row_width();
    GRU4REC_ASSERT(is_whole_lines<Scalar>(lanes) && first + count <= tape.x().stride);
    GRU4REC_ASSERT(dropout.p_embed == 0 || network.input_mode() != InputMode::one_hot);
    const bool one_hot = network.input_mode() == InputMode::one_hot;
    for (Index t = 0; t < network.n_input_tables(); ++t) {
        gather_inputs(network.input_table(t), inputs, network.input_row_width(t), lanes, tape.x_rows(t));
        const LaneMatrix<Scalar> x = one_hot ? tape.layers()[static_cast<std::size_t>(t)].pre() : tape.x();
        rows_to_columns<Scalar>(tape.x_rows(t).from(first), count, padded<Scalar>(network.input_row_width(t)),
                                x.from(first));
    }
    const auto stream = [&](std::uint64_t layer) {
        return Random(dropout.seed, Random::Stream::dropout, {dropout.epoch, dropout.step, layer});
    };
    if (dropout.p_embed > 0) {
        draw_dropout_mask(dropout.p_embed, stream(0), lanes, width, tape.mask());
        apply_mask<Scalar>(tape.mask().from(first), count, width, tape.x().from(first));
        columns_to_rows<Scalar>(tape.x().from(first), count, 0, padded<Scalar>(width), tape.x_rows().from(first));
    }
    LaneMatrix<const Scalar> x = tape.x();
    for (std::size_t l = 0; l < tape.layers().size(); ++l) {
        GruTape<Scalar>& layer = tape.layers()[l];
        if (JoinedInput<Scalar>* const joined = tape.joined(l)) {
            joined->join(x, tape.x(), lanes);
            x = joined->values();
        }
        const GruLanes<Scalar> own(layer, first);
        std::visit([&](const auto& gru) { gru.forward(x.from(first), count, own); }, network.layers()[l]);
        if (dropout.p_hidden > 0) {
            draw_dropout_mask(dropout.p_hidden, stream(l + 1), lanes, layer.units(), layer.mask());
            apply_mask<Scalar>(own.mask(), count, layer.units(), own.out());
        }
        x = layer.out();
    }
}

/// Feeds the inputs of all lanes.
template <class Scalar>
void forward(const Network<Scalar>& network, const LaneInputs& inputs, const DropoutStep& dropout,
             NetworkTape<Scalar>& tape) {
    forward(network, inputs, dropout, tape, all_lanes<Scalar>(inputs.n_lanes()));
}

/// The step after another one, from which gradients go back into that one: its tape after `backward`, and where its
/// lanes were before. No tape: none go back.
template <class Scalar>
struct LaterStep {
    NetworkTape<Scalar>* tape = nullptr;
    std::span<const Index> previous_lane;
};

/// From tape.top().d_out() the gradients of all layers' sums, and tape.d_x_rows(t), those of what was gathered, of some
/// lanes. What left the step entered `later`, whose d_out is used up.
///
/// @pre with a later step, which other lanes may have taken over, all lanes are meant
/// @threads as forward
template <class Scalar>
void backward(const Network<Scalar>& network, LaneRange lanes, const DropoutStep& dropout, NetworkTape<Scalar>& tape,
              const LaterStep<Scalar>& later = {}) {
    const Index first = lanes.first;
    const Index count = lanes.count;
    GRU4REC_ASSERT(is_whole_lines<Scalar>(lanes));
    GRU4REC_ASSERT(later.tape == nullptr || (first == 0 && all_below(later.previous_lane, count)));
    const Index width = network.input_row_width();
    const bool one_hot = network.input_mode() == InputMode::one_hot;
    for (std::size_t l = tape.layers().size(); l-- > 0;) {
        GruTape<Scalar>& layer = tape.layers()[l];
        const GruLanes<Scalar> own(layer, first);
        if (later.tape != nullptr) {
            GruTape<Scalar>& next = later.tape->layers()[l];
            const Index next_lanes = padded<Scalar>(static_cast<Index>(later.previous_lane.size()));
            std::visit([&](const auto& gru) { gru.backward_state(next_lanes, next); }, network.layers()[l]);
            layer.add_d_out(next.d_out(), later.previous_lane);
        }
        if (dropout.p_hidden > 0) {
            apply_mask<Scalar>(own.mask(), count, layer.units(), own.d_out());
        }
        std::visit(
            [&](const auto& gru) {
                gru.backward(count, own);
                if (JoinedInput<Scalar>* const joined = tape.joined(l)) {
                    gru.backward_input(count, own, joined->d_values().from(first));
                    joined->copy_d_h(lanes, tape.layers()[l - 1].d_out());
                } else if (l > 0) {
                    gru.backward_input(count, own, tape.layers()[l - 1].d_out().from(first));
                } else if (!one_hot) {
                    gru.backward_input(count, own, tape.d_x().from(first));
                }
            },
            network.layers()[l]);
    }
    for (JoinedInput<Scalar>& joined : tape.joined()) {
        joined.add_d_x(lanes, tape.d_x());
    }
    if (dropout.p_embed > 0) {
        apply_mask<Scalar>(tape.mask().from(first), count, width, tape.d_x().from(first));
    }
    for (Index t = 0; t < network.n_input_tables(); ++t) {
        const LaneMatrix<Scalar> d_x = one_hot ? tape.layers()[static_cast<std::size_t>(t)].d_pre() : tape.d_x();
        columns_to_rows<Scalar>(d_x.from(first), count, 0, padded<Scalar>(network.input_row_width(t)),
                                tape.d_x_rows(t).from(first));
    }
}

/// Calls `visit(DenseGradient)` for each weight matrix and bias of the layers, in the order of
/// Network::visit_layer_parameters. @pre backward was called
template <class Scalar, class Visit>
void visit_layer_gradients(Network<Scalar>& network, Index n_lanes, NetworkTape<Scalar>& tape, Visit&& visit) {
    const Index lanes = padded<Scalar>(n_lanes);
    Rows<const Scalar> x = tape.x_rows();
    for (std::size_t l = 0; l < tape.layers().size(); ++l) {
        GruTape<Scalar>& layer = tape.layers()[l];
        std::visit([&](auto& gru) { gru.visit_gradients(lanes, x, layer, visit); }, network.layers()[l]);
        if (l + 1 == tape.layers().size()) {
            break;
        }
        if (JoinedInput<Scalar>* const joined = tape.joined(l + 1)) {
            x = joined->rows(lanes);
        } else {
            columns_to_rows<Scalar>(layer.out(), lanes, 0, padded<Scalar>(layer.units()), layer.out_rows());
            x = layer.out_rows();
            for (Index m = 0; m < lanes && layer.units() % scalars_per_line<Scalar> != 0; ++m) {
                layer.out_rows()(m)[layer.units()] = Scalar(0);  // the 1 behind the state is the output table's alone
            }
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
