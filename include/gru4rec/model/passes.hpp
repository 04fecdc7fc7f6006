#ifndef GRU4REC_MODEL_PASSES_HPP
#define GRU4REC_MODEL_PASSES_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
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

/// Activations of the network for up to `max_lanes` lanes: the hidden states and what a backward pass needs. The
/// caller that runs the network owns one; the network itself stays const.
template <class Scalar>
class NetworkTape {
  public:
    GRU4REC_NOINLINE NetworkTape(const Network<Scalar>& network, Index max_lanes)
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
        TableRows& table = at(tables_, t);
        return {table.x.data(), table.stride};
    }
    /// Lane by lane: its gradient.
    [[nodiscard]] Rows<Scalar> d_x_rows(Index t = 0) noexcept {
        TableRows& table = at(tables_, t);
        return {table.d_x.data(), table.stride};
    }
    /// The inputs of layers 1, 2, ... if x is joined to the output of the layer below; otherwise empty.
    [[nodiscard]] std::vector<JoinedInput<Scalar>>& joined() noexcept { return joined_; }
    /// That of layer l, or null.
    [[nodiscard]] JoinedInput<Scalar>* joined(std::size_t l) noexcept {
        return l == 0 || joined_.empty() ? nullptr : &joined_[l - 1];
    }

    /// Lane by lane the input of layer l. Those of deeper layers are there after `backward`.
    [[nodiscard]] Rows<const Scalar> input_rows(std::size_t l) noexcept {
        JoinedInput<Scalar>* const joined_input = joined(l);
        return l == 0 ? x_rows() : joined_input != nullptr ? joined_input->rows() : layers_[l - 1].out_rows();
    }

    /// Readies the states for a step: what left the last step enters this one, lane by lane as `previous_lane` says;
    /// fresh lanes (-1) start from zero.
    void enter_step(std::span<const Index> previous_lane) noexcept { enter_step(*this, previous_lane); }

    /// The same if the last step may have been run on another tape of the same network.
    void enter_step(const NetworkTape& last, std::span<const Index> previous_lane) noexcept {
        const auto n_lanes = static_cast<Index>(previous_lane.size());
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            GruTape<Scalar>& layer = layers_[l];
            const GruTape<Scalar>& last_layer = last.layers_[l];
            layer.carry_state(last_layer, padded<Scalar>(n_lanes));
            for (Index m = 0; m < n_lanes; ++m) {
                const Index from = at(previous_lane, m);
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

[[nodiscard]] inline bool all_below(std::span<const Index> lanes, Index end) noexcept {
    return std::all_of(lanes.begin(), lanes.end(), [end](Index lane) { return lane < end; });
}

/// Copies the output of a layer to rows, without the 1 after the state, which only the output table needs.
template <class Scalar>
void transpose_output(GruTape<Scalar>& layer, Index lanes) noexcept {
    const Rows<Scalar> rows = layer.out_rows();
    columns_to_rows<Scalar>(layer.out(), lanes, {0, padded<Scalar>(layer.units())}, rows);
    for (Index m = 0; m < lanes && layer.units() % scalars_per_line<Scalar> != 0; ++m) {
        rows(m)[layer.units()] = Scalar(0);
    }
}

/// Feeds the inputs of the lanes: tape.top().out() is then their new hidden state.
///
/// @pre tape.enter_step was called; items < V, no more lanes than the tape has; p_embed is 0 with one-hot input
///
/// @complexity O(M sum of (input + H) H over the layers), no allocation   @threads safe for distinct tapes
template <class Scalar>
void forward(const Network<Scalar>& network, const LaneInputs& inputs, const DropoutStep& dropout,
             NetworkTape<Scalar>& tape) {
    const Index lanes = padded<Scalar>(inputs.n_lanes());
    const Index width = network.input_row_width();
    const bool one_hot = network.input_mode() == InputMode::one_hot;
    GRU4REC_ASSERT(lanes <= tape.x().stride && (dropout.p_embed == 0 || !one_hot));
    for (Index t = 0; t < network.n_input_tables(); ++t) {
        gather_inputs(network.input_table(t), inputs, network.input_row_width(t), tape.x_rows(t),
                      one_hot ? at(tape.layers(), t).pre() : tape.x());
    }
    const auto stream = [&](std::uint64_t layer) {
        return Random(dropout.seed, Random::Stream::dropout, {dropout.epoch, dropout.step, layer});
    };
    if (dropout.p_embed > 0) {
        draw_dropout_mask(dropout.p_embed, stream(0), lanes, width, tape.mask(), [&](Range columns) {
            apply_mask<Scalar>(tape.mask(), lanes, columns, tape.x());
            columns_to_rows<Scalar>(tape.x(), lanes, columns, tape.x_rows());
        });
    }
    LaneMatrix<const Scalar> x = tape.x();
    for (std::size_t l = 0; l < tape.layers().size(); ++l) {
        GruTape<Scalar>& layer = tape.layers()[l];
        if (JoinedInput<Scalar>* const joined = tape.joined(l)) {
            joined->join(x, tape.x(), lanes);
            x = joined->values();
        }
        std::visit([&](const auto& gru) { gru.forward(x, lanes, layer); }, network.layers()[l]);
        if (dropout.p_hidden > 0) {
            draw_dropout_mask(dropout.p_hidden, stream(l + 1), lanes, layer.units(), layer.mask(), [&](Range columns) {
                apply_mask<Scalar>(layer.mask(), lanes, {columns.begin, (std::min)(columns.end, layer.units())},
                                   layer.out());
            });
        }
        x = layer.out();
    }
}

/// The step after another one, from which gradients go back into that one: its tape after `backward`, and where its
/// lanes were before. No tape: none go back.
template <class Scalar>
struct LaterStep {
    NetworkTape<Scalar>* tape = nullptr;
    std::span<const Index> previous_lane;
};

/// The gradient of layer l's sums, and that of its input: into the layer below, or tape.d_x.
template <class Scalar>
void backward_layer(const Network<Scalar>& network, Index lanes, std::size_t l, NetworkTape<Scalar>& tape) {
    std::visit(
        [&](const auto& gru) {
            GruTape<Scalar>& layer = tape.layers()[l];
            gru.backward(lanes, layer);
            if (JoinedInput<Scalar>* const joined = tape.joined(l)) {
                joined->transpose(lanes);
                gru.backward_input(lanes, layer, joined->d_values());
                joined->copy_d_h(lanes, tape.layers()[l - 1].d_out());
            } else if (l > 0) {
                transpose_output(tape.layers()[l - 1], lanes);
                gru.backward_input(lanes, layer, tape.layers()[l - 1].d_out());
            } else if (network.input_mode() != InputMode::one_hot) {
                gru.backward_input(lanes, layer, tape.d_x());
            }
        },
        network.layers()[l]);
}

/// From tape.top().d_out() the gradients of all layers' sums, and tape.d_x_rows(t), those of what was gathered. What
/// left the step entered `later`, whose d_out is used up.
///
/// @threads as forward
template <class Scalar>
void backward(const Network<Scalar>& network, Index n_lanes, const DropoutStep& dropout, NetworkTape<Scalar>& tape,
              const LaterStep<Scalar>& later = {}) {
    const Index lanes = padded<Scalar>(n_lanes);
    GRU4REC_ASSERT(later.tape == nullptr || all_below(later.previous_lane, n_lanes));
    const bool one_hot = network.input_mode() == InputMode::one_hot;
    for (std::size_t l = tape.layers().size(); l-- > 0;) {
        GruTape<Scalar>& layer = tape.layers()[l];
        if (later.tape != nullptr) {
            GruTape<Scalar>& next = later.tape->layers()[l];
            const Index next_lanes = padded<Scalar>(static_cast<Index>(later.previous_lane.size()));
            std::visit([&](const auto& gru) { gru.backward_state(next_lanes, next); }, network.layers()[l]);
            layer.add_d_out(next.d_out(), later.previous_lane);
        }
        if (dropout.p_hidden > 0) {
            const LoopWork loop = pass_work<Scalar>("dropout back", lanes, layer.units(), 3);
            parallel_ranges(column_chunks(layer.units(), lanes), loop, [&](Index begin, Index end) {
                apply_mask<Scalar>(layer.mask(), lanes, {begin, end}, layer.d_out());
            });
        }
        backward_layer(network, lanes, l, tape);
    }
    for (JoinedInput<Scalar>& joined : tape.joined()) {
        joined.add_d_x(lanes, tape.d_x());
    }
    for (Index t = 0; t < network.n_input_tables(); ++t) {
        const LaneMatrix<Scalar> d_x = one_hot ? at(tape.layers(), t).d_pre() : tape.d_x();
        const Index width = padded<Scalar>(network.input_row_width(t));
        const LoopWork loop = pass_work<Scalar>("input rows back", lanes, width, 3);
        parallel_ranges(column_chunks(width, lanes), loop, [&](Index begin, Index end) {
            if (dropout.p_embed > 0) {
                apply_mask<Scalar>(tape.mask(), lanes, {begin, end}, d_x);
            }
            columns_to_rows<Scalar>(d_x, lanes, {begin, end}, tape.d_x_rows(t));
        });
    }
}

#if defined(GRU4REC_COMPILED)
extern template void forward<float>(const Network<float>&, const LaneInputs&, const DropoutStep&, NetworkTape<float>&);
extern template void forward<double>(const Network<double>&, const LaneInputs&, const DropoutStep&,
                                     NetworkTape<double>&);
extern template void backward<float>(const Network<float>&, Index, const DropoutStep&, NetworkTape<float>&,
                                     const LaterStep<float>&);
extern template void backward<double>(const Network<double>&, Index, const DropoutStep&, NetworkTape<double>&,
                                      const LaterStep<double>&);
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
