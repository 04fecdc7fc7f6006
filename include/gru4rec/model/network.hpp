#ifndef GRU4REC_MODEL_NETWORK_HPP
#define GRU4REC_MODEL_NETWORK_HPP

#include "gru4rec/batch/lane_inputs.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/nn/dropout.hpp"
#include "gru4rec/nn/gru.hpp"
#include "gru4rec/nn/input.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

template <class Scalar>
using AnyGruLayer = std::variant<GruLayer<Scalar, ResetBefore>, GruLayer<Scalar, ResetAfter>>;

enum class InputMode {
    one_hot,    ///< row of a (V, 3H) table, which is x W_x itself
    embedding,  ///< row of a (V, E) table
    shared      ///< row of the output table
};

/// What initial weights are drawn from.
enum class InitialValues { uniform, normal };

/// All weights: the tables and the GRU layers.
template <class Scalar>
class Network {
  public:
    /// All weights zero. @pre hyperparameters are valid
    Network(const Hyperparameters& hyperparameters, Index n_items)
        : mode_(hyperparameters.constrained_embedding ? InputMode::shared
                : hyperparameters.one_hot()           ? InputMode::one_hot
                                                      : InputMode::embedding),
          deep_input_(hyperparameters.deep_input),
          output_(n_items, hyperparameters.layers.back() + 1) {
        if (mode_ == InputMode::embedding) {
            inputs_.emplace_back(n_items, hyperparameters.embedding_width());
        }
        const Index x_width = mode_ == InputMode::one_hot ? 0 : input_row_width();
        Index width = x_width;
        for (const Index units : hyperparameters.layers) {
            const bool gets_input = layers_.empty() || deep_input_;
            const OneHotRow one_hot_row =
                mode_ == InputMode::one_hot && gets_input ? OneHotRow::added : OneHotRow::none;
            if (one_hot_row == OneHotRow::added) {
                inputs_.emplace_back(n_items, 3 * units);
            }
            if (hyperparameters.gru_variant == GruVariant::reset_before) {
                layers_.emplace_back(std::in_place_type<GruLayer<Scalar, ResetBefore>>, width, units,
                                     hyperparameters.hidden_act, one_hot_row);
            } else {
                layers_.emplace_back(std::in_place_type<GruLayer<Scalar, ResetAfter>>, width, units, one_hot_row);
            }
            width = units + (deep_input_ ? x_width : 0);
        }
    }

    /// Draws U(-s, s), or N(0, s^2), with s = sqrt(6 / (rows + cols)) per gate block and per table, or s = sigma where
    /// that is not 0; biases 0. The numbers depend on seed and shape alone.
    void initialise(std::uint64_t seed, double sigma, InitialValues values = InitialValues::uniform) {
        std::uint64_t tensor = 0;
        const auto draw = [&](Scalar* row, Index cols, double scale, Index first, const Random& random) {
            const double s = sigma > 0 ? sigma : scale;
            for (Index c = 0; c < cols; ++c) {
                const auto n = static_cast<std::uint64_t>(first + c);
                const double of_unit = values == InitialValues::normal ? random.normal(n) : 2 * random.uniform(n) - 1;
                row[c] = static_cast<Scalar>(of_unit * s);
            }
        };
        const auto glorot = [](Index rows, Index cols) { return std::sqrt(6.0 / static_cast<double>(rows + cols)); };
        const auto draw_table = [&](Parameter<Scalar>& table, Index cols, Index block_cols) {
            const Random random(seed, Random::Stream::initialise, {tensor++});
            for (Index r = 0; r < table.rows(); ++r) {
                draw(table.row(r), cols, glorot(table.rows(), block_cols), r * cols, random);
            }
        };
        draw_table(output_, output_.cols() - 1, output_.cols() - 1);
        for (Parameter<Scalar>& table : inputs_) {
            draw_table(table, table.cols(), mode_ == InputMode::one_hot ? table.cols() / 3 : table.cols());
        }
        visit_layer_parameters([&](Parameter<Scalar>& weights, Index n_blocks) {
            const Random random(seed, Random::Stream::initialise, {tensor++});
            for (Index r = 0; n_blocks > 0 && r < weights.rows(); ++r) {
                draw(weights.row(r), weights.cols(), glorot(weights.rows() / n_blocks, weights.cols()),
                     r * weights.cols(), random);
            }
        });
    }

    [[nodiscard]] InputMode input_mode() const noexcept { return mode_; }
    [[nodiscard]] Index n_items() const noexcept { return output_.rows(); }
    /// H of the last layer: width of the hidden state that is scored.
    [[nodiscard]] Index output_width() const noexcept { return output_.cols() - 1; }
    /// Deeper layers get the input of the first one as well: joined to the output of the layer below, or, where it is
    /// one-hot, from a table of their own.
    [[nodiscard]] bool deep_input() const noexcept { return deep_input_; }
    /// Tables that input rows are taken from: table t is that of layer t.
    [[nodiscard]] Index n_input_tables() const noexcept {
        return mode_ == InputMode::shared ? 1 : static_cast<Index>(inputs_.size());
    }
    /// Scalars of an item's row in input table t.
    [[nodiscard]] Index input_row_width(Index t = 0) const noexcept {
        return mode_ == InputMode::shared ? output_width() : inputs_[static_cast<std::size_t>(t)].cols();
    }

    /// (V, H + 1): row i is [W_y[i, :] | b_y[i]].
    [[nodiscard]] Parameter<Scalar>& output_table() noexcept { return output_; }
    [[nodiscard]] const Parameter<Scalar>& output_table() const noexcept { return output_; }
    /// Input table t; the output table where it is shared.
    [[nodiscard]] Parameter<Scalar>& input_table(Index t = 0) noexcept {
        return mode_ == InputMode::shared ? output_ : inputs_[static_cast<std::size_t>(t)];
    }
    [[nodiscard]] const Parameter<Scalar>& input_table(Index t = 0) const noexcept {
        return mode_ == InputMode::shared ? output_ : inputs_[static_cast<std::size_t>(t)];
    }
    [[nodiscard]] std::vector<AnyGruLayer<Scalar>>& layers() noexcept { return layers_; }
    [[nodiscard]] const std::vector<AnyGruLayer<Scalar>>& layers() const noexcept { return layers_; }

    /// Calls `visit(parameter, n_blocks)` for the weights and biases of all layers, in a fixed order.
    template <class Visit>
    void visit_layer_parameters(Visit&& visit) {
        for (auto& layer : layers_) {
            std::visit([&](auto& gru) { gru.visit_parameters(gru, visit); }, layer);
        }
    }

    [[nodiscard]] std::vector<TensorView<Scalar>> tensors() { return tensors_of<Scalar>(*this); }
    [[nodiscard]] std::vector<TensorView<const Scalar>> tensors() const { return tensors_of<const Scalar>(*this); }

  private:
    template <class Value, class Self>
    [[nodiscard]] static std::vector<TensorView<Value>> tensors_of(Self& self) {
        std::vector<TensorView<Value>> out;
        const Index n = self.n_items();
        const bool one_hot = self.mode_ == InputMode::one_hot;
        for (std::size_t t = 0; t < self.inputs_.size(); ++t) {
            auto& table = self.inputs_[t];
            out.push_back({self.input_table_name(t), n, table.cols(), false, table.data(), table.stride(), 1, true});
        }
        for (std::size_t l = 0; l < self.layers_.size(); ++l) {
            std::visit([&](auto& gru) { gru.append_tensors(gru, static_cast<Index>(l), one_hot && l == 0, out); },
                       self.layers_[l]);
        }
        const Index h = self.output_width();
        out.push_back({"Wy.weight", n, h, false, self.output_.data(), self.output_.stride(), 1, true});
        out.push_back({"By.weight", n, 1, false, self.output_.data() + h, self.output_.stride(), 1, true});
        return out;
    }

    [[nodiscard]] std::string input_table_name(std::size_t t) const {
        if (mode_ == InputMode::embedding) {
            return "E.weight";
        }
        const bool before = std::holds_alternative<GruLayer<Scalar, ResetBefore>>(layers_.front());
        return t > 0 ? "GE." + std::to_string(t) + ".weight" : before ? "GE.Wx0.weight" : "GE.weight_ih";
    }

    InputMode mode_;
    bool deep_input_;
    Parameter<Scalar> output_;
    std::vector<Parameter<Scalar>> inputs_;  // none where shared; with one-hot input one for each layer that gets it
    std::vector<AnyGruLayer<Scalar>> layers_;
};

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

namespace detail {

/// Two groups of lanes then share no cache line, and every register is loaded from an aligned address.
template <class Scalar>
[[nodiscard]] constexpr bool is_whole_lines(LaneRange lanes) noexcept {
    return lanes.first % scalars_per_line<Scalar> == 0 && lanes.count % scalars_per_line<Scalar> == 0;
}

[[nodiscard]] inline bool all_below(std::span<const Index> lanes, Index end) noexcept {
    return std::all_of(lanes.begin(), lanes.end(), [end](Index lane) { return lane < end; });
}

}  // namespace detail

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
    GRU4REC_ASSERT(detail::is_whole_lines<Scalar>(lanes) && first + count <= tape.x().stride);
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
    GRU4REC_ASSERT(detail::is_whole_lines<Scalar>(lanes));
    GRU4REC_ASSERT(later.tape == nullptr || (first == 0 && detail::all_below(later.previous_lane, count)));
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

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
