#ifndef GRU4REC_MODEL_NETWORK_HPP
#define GRU4REC_MODEL_NETWORK_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/nn/gru.hpp"
#include "gru4rec/nn/gru_weights.hpp"
#include "gru4rec/nn/initial_weights.hpp"
#include "gru4rec/nn/input.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Scalar>
using AnyGru = std::variant<LaneGru<Scalar, ResetBefore>, LaneGru<Scalar, ResetAfter>>;

enum class InputMode {
    one_hot,    ///< row of a (V, 3H) table, which is W_x x itself
    embedding,  ///< row of a (V, E) table
    shared      ///< row of the output table
};

/// All weights: the tables and the GRU layers.
template <class Scalar>
class Network {
  public:
    /// All weights zero. @pre hyperparameters are valid
    GRU4REC_NOINLINE Network(const Hyperparameters& hyperparameters, Index n_items)
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
                layers_.emplace_back(std::in_place_type<LaneGru<Scalar, ResetBefore>>, width, units,
                                     hyperparameters.hidden_act, one_hot_row);
            } else {
                layers_.emplace_back(std::in_place_type<LaneGru<Scalar, ResetAfter>>, width, units, one_hot_row);
            }
            width = units + (deep_input_ ? x_width : 0);
        }
    }

    /// Draws U(-s, s), or N(0, s^2), with s = sqrt(6 / (rows + cols)) per gate block and per table, or s = sigma if
    /// that is not 0; biases 0. The numbers depend only on seed and shape.
    void initialise(std::uint64_t seed, double sigma, InitialValues values = InitialValues::uniform) {
        std::uint64_t tensor = 0;
        const auto draw = [&](PaddedMatrix<Scalar>& weights, Index cols, double s) {
            const Random random(seed, Random::Stream::initialise, {tensor++});
            draw_weights(weights, cols, sigma > 0 ? sigma : s, values, random);
        };
        const Index width = output_width();
        draw(output_, width, glorot(output_.rows(), width));
        for (PaddedMatrix<Scalar>& table : inputs_) {
            const Index block_cols = mode_ == InputMode::one_hot ? table.cols() / 3 : table.cols();
            draw(table, table.cols(), glorot(table.rows(), block_cols));
        }
        visit_layer_parameters([&](PaddedMatrix<Scalar>& weights, Index n_blocks) {
            if (n_blocks > 0) {
                draw(weights, weights.cols(), glorot(weights.rows() / n_blocks, weights.cols()));
            } else {
                ++tensor;  // biases stay 0
            }
        });
    }

    [[nodiscard]] InputMode input_mode() const noexcept { return mode_; }
    [[nodiscard]] Index n_items() const noexcept { return output_.rows(); }
    /// H of the last layer: width of the hidden state that is scored.
    [[nodiscard]] Index output_width() const noexcept { return output_.cols() - 1; }
    /// Whether deeper layers get the input of the first one as well: joined to the output of the layer below or, if it
    /// is one-hot, from a table of their own.
    [[nodiscard]] bool deep_input() const noexcept { return deep_input_; }
    /// Tables that input rows are taken from: table t is that of layer t.
    [[nodiscard]] Index n_input_tables() const noexcept {
        return mode_ == InputMode::shared ? 1 : static_cast<Index>(inputs_.size());
    }
    /// Scalars of an item's row in input table t.
    [[nodiscard]] Index input_row_width(Index t = 0) const noexcept {
        return mode_ == InputMode::shared ? output_width() : detail::at(inputs_, t).cols();
    }

    /// (V, H + 1): row i is [W_y[i, :] | b_y[i]].
    [[nodiscard]] PaddedMatrix<Scalar>& output_table() noexcept { return output_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& output_table() const noexcept { return output_; }
    /// Input table t; the output table if it is shared.
    [[nodiscard]] PaddedMatrix<Scalar>& input_table(Index t = 0) noexcept {
        return mode_ == InputMode::shared ? output_ : detail::at(inputs_, t);
    }
    [[nodiscard]] const PaddedMatrix<Scalar>& input_table(Index t = 0) const noexcept {
        return mode_ == InputMode::shared ? output_ : detail::at(inputs_, t);
    }
    [[nodiscard]] std::vector<AnyGru<Scalar>>& layers() noexcept { return layers_; }
    [[nodiscard]] const std::vector<AnyGru<Scalar>>& layers() const noexcept { return layers_; }

    /// The weights of layer l by name.
    ///
    /// @throws ConfigError for l out of range, or if the network's cell is another one
    template <class Cell = ResetBefore>
    [[nodiscard]] GruWeights<Scalar, Cell> layer(Index l) {
        return GruWeights<Scalar, Cell>(gru_at<Cell>(*this, l));
    }
    template <class Cell = ResetBefore>
    [[nodiscard]] GruWeights<const Scalar, Cell> layer(Index l) const {
        return GruWeights<const Scalar, Cell>(gru_at<Cell>(*this, l));
    }

    /// Calls `visit(parameter, n_blocks)` for the weights and biases of all layers, in a fixed order.
    template <class Visit>
    void visit_layer_parameters(Visit&& visit) {
        for (auto& layer : layers_) {
            std::visit(
                [&](auto& gru) {
                    for (const LayerParameter<Scalar>& parameter : gru.parameters()) {
                        if (!parameter.matrix->empty()) {
                            visit(*parameter.matrix, parameter.n_blocks);
                        }
                    }
                },
                layer);
        }
    }

    [[nodiscard]] std::vector<TensorView<Scalar>> tensors();
    [[nodiscard]] std::vector<TensorView<const Scalar>> tensors() const;

  private:
    template <class Cell, class Self>
    [[nodiscard]] static auto& gru_at(Self& self, Index l) {
        if (l < 0 || l >= static_cast<Index>(self.layers_.size())) {
            throw_invalid("layer", l, "0 <= layer < " + std::to_string(self.layers_.size()));
        }
        auto* const gru = std::get_if<LaneGru<Scalar, Cell>>(&at(self.layers_, l));
        if (gru == nullptr) {
            throw_invalid(std::string("the weights of a ") +
                          (std::is_same_v<Cell, ResetBefore> ? "ResetBefore" : "ResetAfter") +
                          " layer were asked for, but the model has another gru_variant");
        }
        return *gru;
    }

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
        const bool before = std::holds_alternative<LaneGru<Scalar, ResetBefore>>(layers_.front());
        return t > 0 ? "GE." + std::to_string(t) + ".weight" : before ? "GE.Wx0.weight" : "GE.weight_ih";
    }

    InputMode mode_;
    bool deep_input_;
    PaddedMatrix<Scalar> output_;
    std::vector<PaddedMatrix<Scalar>> inputs_;  // none if shared; with one-hot input one for each layer that gets it
    std::vector<AnyGru<Scalar>> layers_;
};

template <class Scalar>
std::vector<TensorView<Scalar>> Network<Scalar>::tensors() {
    return tensors_of<Scalar>(*this);
}

template <class Scalar>
std::vector<TensorView<const Scalar>> Network<Scalar>::tensors() const {
    return tensors_of<const Scalar>(*this);
}

#if defined(GRU4REC_COMPILED)
extern template class Network<float>;
extern template class Network<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
