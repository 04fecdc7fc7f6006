#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_NETWORK_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_NETWORK_HPP

#include "support/naive/cells.hpp"
#include "support/naive/matrix.hpp"
#include "support/naive/schedule.hpp"
#include "support/naive/settings.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace naive {

/// By tensor name, in the layout of the model file; a vector of n numbers is (1, n), but By.weight is (V, 1).
using Weights = std::map<std::string, Matrix>;

/// The names of a layer's tensors. G.i is always layer i, also behind a one-hot layer 0, whose tensors are GE.
struct LayerNames {
    std::string input;        ///< one-hot: the (V, 3H) table; else Wx (in, 3H) or weight_ih (3H, in)
    std::string input_bias;   ///< Bh or bias_ih, 3H
    std::string hidden;       ///< Wrz (H, 2H) or weight_hh (3H, H)
    std::string hidden_last;  ///< Wh (H, H) or bias_hh, 3H
};

struct Network {
    Settings settings;
    std::size_t n_items = 0;
    Weights weights;

    [[nodiscard]] std::size_t n_layers() const { return settings.layers.size(); }
    [[nodiscard]] std::size_t units(std::size_t layer) const { return settings.layers.at(layer); }
    [[nodiscard]] const Matrix& weight(const std::string& name) const { return weights.at(name); }
    [[nodiscard]] bool gathers(std::size_t layer) const { return layer == 0 && settings.input() == Input::one_hot; }

    /// The table whose rows are the first layer's input; for one-hot they are the input's share of the gates.
    [[nodiscard]] std::string input_table() const {
        switch (settings.input()) {
            case Input::one_hot: return names(0).input;
            case Input::separate: return "E.weight";
            case Input::shared: break;
        }
        return "Wy.weight";
    }

    /// Width of the embedding that the first layer is fed.
    [[nodiscard]] std::size_t embedding_width() const {
        return settings.input() == Input::separate ? settings.embedding : settings.layers.back();
    }

    /// Deeper layers are fed [output of the layer below | embedding] where deep_input says so.
    [[nodiscard]] bool joins_input(std::size_t layer) const {
        return layer > 0 && settings.deep_input && settings.input() != Input::one_hot;
    }

    [[nodiscard]] std::size_t input_width(std::size_t layer) const {
        if (layer > 0) {
            return units(layer - 1) + (joins_input(layer) ? embedding_width() : 0);
        }
        return embedding_width();
    }

    /// With one-hot input and deep_input: a deeper layer's own table, (V, 3H).
    [[nodiscard]] bool has_deep_table(std::size_t layer) const {
        return layer > 0 && settings.deep_input && settings.input() == Input::one_hot;
    }
    [[nodiscard]] static std::string deep_table(std::size_t layer) { return "GE." + std::to_string(layer) + ".weight"; }

    /// All tables whose rows are input.
    [[nodiscard]] std::vector<std::string> input_tables() const {
        std::vector<std::string> result = {input_table()};
        for (std::size_t layer = 1; layer < n_layers(); ++layer) {
            if (has_deep_table(layer)) {
                result.push_back(deep_table(layer));
            }
        }
        return result;
    }

    [[nodiscard]] LayerNames names(std::size_t layer) const {
        const bool is_reset_before = settings.gru_variant == Cell::reset_before;
        if (gathers(layer)) {
            if (is_reset_before) {
                return {"GE.Wx0.weight", "GE.Bh0", "GE.Wrz0", "GE.Wh0"};
            }
            return {"GE.weight_ih", "GE.bias_ih", "GE.weight_hh", "GE.bias_hh"};
        }
        const std::string g = "G." + std::to_string(layer) + ".";
        if (is_reset_before) {
            return {g + "Wx", g + "Bh", g + "Wrz", g + "Wh"};
        }
        return {g + "weight_ih", g + "bias_ih", g + "weight_hh", g + "bias_hh"};
    }

    /// Is it updated by row (an item each), so that only rows of the step change?
    [[nodiscard]] bool is_table(const std::string& name) const {
        const std::vector<std::string> inputs = input_tables();
        return name == "Wy.weight" || name == "By.weight" ||
               std::find(inputs.begin(), inputs.end(), name) != inputs.end();
    }

    /// Every tensor of this network with its shape, all zero.
    [[nodiscard]] Weights zeros() const {
        Weights result;
        result["Wy.weight"] = Matrix(n_items, settings.layers.back());
        result["By.weight"] = Matrix(n_items, 1);
        if (settings.input() == Input::separate) {
            result["E.weight"] = Matrix(n_items, settings.embedding);
        }
        for (std::size_t layer = 0; layer < n_layers(); ++layer) {
            const std::size_t h = units(layer);
            const std::size_t in = input_width(layer);
            const LayerNames name = names(layer);
            const bool is_reset_before = settings.gru_variant == Cell::reset_before;
            if (gathers(layer)) {
                result[name.input] = Matrix(n_items, 3 * h);
            } else {
                result[name.input] = is_reset_before ? Matrix(in, 3 * h) : Matrix(3 * h, in);
            }
            if (has_deep_table(layer)) {
                result[deep_table(layer)] = Matrix(n_items, 3 * h);
            }
            result[name.input_bias] = Matrix(1, 3 * h);
            result[name.hidden] = is_reset_before ? Matrix(h, 2 * h) : Matrix(3 * h, h);
            result[name.hidden_last] = is_reset_before ? Matrix(h, h) : Matrix(1, 3 * h);
        }
        return result;
    }
};

/// A network with every number, the biases too, drawn from U(-scale, scale): for tests that want nothing to be zero.
[[nodiscard]] inline Network random_network(const Settings& settings, std::size_t n_items, Engine& engine,
                                            double scale) {
    Network network{settings, n_items, {}};
    network.weights = network.zeros();
    for (auto& [name, matrix] : network.weights) {
        matrix = uniform_matrix(engine, matrix.rows, matrix.cols, scale);
    }
    return network;
}

/// How much each of the events of a session so far counts, the current one last: d^(t-s) / sum_s d^(t-s) over the last
/// history_max of them, or 1 for the current one (arXiv 1511.06939, section 3.1).
[[nodiscard]] inline std::vector<double> event_weights(const Settings& settings, std::size_t n_events) {
    std::vector<double> weights(n_events, 0.0);
    if (!settings.input_history) {
        weights.back() = 1;
        return weights;
    }
    double sum = 0;
    for (std::size_t s = 0; s < n_events; ++s) {
        const std::size_t age = n_events - 1 - s;
        weights[s] = age < settings.history_max ? std::pow(settings.input_decay, static_cast<double>(age)) : 0.0;
        sum += weights[s];
    }
    for (double& weight : weights) {
        weight /= sum;
    }
    return weights;
}

/// (M, V): the weight of every item in every lane's input, from the events of the lanes' sessions so far.
[[nodiscard]] inline Matrix encoded(const Network& network, const std::vector<Session>& histories) {
    Matrix result(histories.size(), network.n_items);
    for (std::size_t i = 0; i < histories.size(); ++i) {
        const std::vector<double> weights = event_weights(network.settings, histories[i].size());
        for (std::size_t s = 0; s < weights.size(); ++s) {
            result(i, histories[i][s]) += weights[s];
        }
    }
    return result;
}

[[nodiscard]] inline Matrix encoded(const Network& network, const Step& step) {
    if (!step.histories.empty()) {
        return encoded(network, step.histories);
    }
    std::vector<Session> histories;
    for (const std::size_t item : step.inputs) {
        histories.push_back({item});
    }
    return encoded(network, histories);
}

/// The columns of b behind those of a.
[[nodiscard]] inline Matrix joined(const Matrix& a, const Matrix& b) {
    Matrix result(a.rows, a.cols + b.cols);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t k = 0; k < result.cols; ++k) {
            result(i, k) = k < a.cols ? a(i, k) : b(i, k - a.cols);
        }
    }
    return result;
}

/// Columns begin .. end.
[[nodiscard]] inline Matrix columns(const Matrix& a, std::size_t begin, std::size_t end) {
    Matrix result(a.rows, end - begin);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t k = begin; k < end; ++k) {
            result(i, k - begin) = a(i, k);
        }
    }
    return result;
}

/// Of one step. An empty matrix drops nothing; entries are 0 or 1 / (1 - p).
struct Masks {
    Matrix embed;                ///< (M, width of the input embedding); not in one-hot mode
    std::vector<Matrix> hidden;  ///< one (M, H) per layer, or none at all
};

[[nodiscard]] inline Masks draw_masks(const Network& network, std::size_t lanes, Engine& engine) {
    const Settings& settings = network.settings;
    Masks masks;
    if (settings.dropout_p_embed > 0) {
        masks.embed = dropout_mask(engine, lanes, network.input_width(0), settings.dropout_p_embed);
    }
    if (settings.dropout_p_hidden > 0) {
        for (const std::size_t units : settings.layers) {
            masks.hidden.push_back(dropout_mask(engine, lanes, units, settings.dropout_p_hidden));
        }
    }
    return masks;
}

/// What a forward pass leaves for the backward pass.
struct ForwardPass {
    struct Layer {
        Matrix x;  ///< (M, in); empty for one-hot
        std::variant<ResetBefore::Pass, ResetAfter::Pass> cell;
        Matrix h;  ///< (M, H), dropped: the next layer's input, the scores' input, the state carried on
    };

    std::vector<Layer> layers;

    [[nodiscard]] const Matrix& h_last() const { return layers.back().h; }

    /// The states with which the step is left, one per layer.
    [[nodiscard]] std::vector<Matrix> states() const {
        std::vector<Matrix> result;
        for (const Layer& layer : layers) {
            result.push_back(layer.h);
        }
        return result;
    }
};

/// @param entering  one state (M, H) per layer
/// @param inputs    (M, V): the weight of each item in each lane's input
[[nodiscard]] inline ForwardPass forward(const Network& network, const std::vector<Matrix>& entering,
                                         const Matrix& inputs, const Masks& masks = {}) {
    ForwardPass pass;
    const Matrix rows = product(inputs, network.weight(network.input_table()));
    const Matrix x = masks.embed.empty() ? rows : elementwise_product(rows, masks.embed);
    for (std::size_t l = 0; l < network.n_layers(); ++l) {
        const LayerNames name = network.names(l);
        ForwardPass::Layer layer;
        Matrix gates;
        if (network.gathers(l)) {
            gates = rows;
        } else {
            layer.x = l == 0 ? x : network.joins_input(l) ? joined(pass.layers[l - 1].h, x) : pass.layers[l - 1].h;
            gates = network.settings.gru_variant == Cell::reset_before
                        ? product(layer.x, network.weight(name.input))
                        : product_with_transposed(layer.x, network.weight(name.input));
        }
        if (network.has_deep_table(l)) {
            add(gates, product(inputs, network.weight(Network::deep_table(l))));
        }
        add_to_each_row(gates, network.weight(name.input_bias));
        if (network.settings.gru_variant == Cell::reset_before) {
            const ResetBefore cell{network.weight(name.hidden), network.weight(name.hidden_last),
                                   network.settings.hidden_act};
            const ResetBefore::Pass cell_pass = cell.forward(gates, entering.at(l));
            layer.h = cell_pass.h;
            layer.cell = cell_pass;
        } else {
            const ResetAfter cell{network.weight(name.hidden), network.weight(name.hidden_last)};
            const ResetAfter::Pass cell_pass = cell.forward(gates, entering.at(l));
            layer.h = cell_pass.h;
            layer.cell = cell_pass;
        }
        if (!masks.hidden.empty()) {
            layer.h = elementwise_product(layer.h, masks.hidden.at(l));
        }
        pass.layers.push_back(layer);
    }
    return pass;
}

/// The same from the current item of each lane.
[[nodiscard]] inline ForwardPass forward(const Network& network, const std::vector<Matrix>& entering,
                                         const std::vector<std::size_t>& inputs, const Masks& masks = {}) {
    return forward(network, entering, encoded(network, Step{inputs, {}, {}, {}, {}, {}}), masks);
}

/// (M, K): h W_y[candidates]^T + b_y[candidates]
[[nodiscard]] inline Matrix scores(const Network& network, const Matrix& h,
                                   const std::vector<std::size_t>& candidates) {
    const Matrix& W_y = network.weight("Wy.weight");
    const Matrix& b_y = network.weight("By.weight");
    Matrix result(h.rows, candidates.size());
    for (std::size_t i = 0; i < h.rows; ++i) {
        for (std::size_t j = 0; j < candidates.size(); ++j) {
            double sum = b_y(candidates[j], 0);
            for (std::size_t k = 0; k < h.cols; ++k) {
                sum += h(i, k) * W_y(candidates[j], k);
            }
            result(i, j) = sum;
        }
    }
    return result;
}

/// Of a whole step: every tensor in full, zero where the step has no part in it.
struct Gradients {
    Weights values;
    std::map<std::string, std::set<std::size_t>> rows;  ///< of each table: the rows that take part in the step
    std::vector<Matrix> entering = {};                  ///< of the state with which each layer enters the step
};

/// From the gradient of the scores back to every weight and to the entering states.
///
/// @param d_leaving  what else has a gradient by the states that leave the step, one (M, H) per layer, or nothing
[[nodiscard]] inline Gradients backward(const Network& network, const ForwardPass& pass, const Matrix& inputs,
                                        const std::vector<std::size_t>& candidates, const Matrix& d_scores,
                                        const Masks& masks = {}, const std::vector<Matrix>& d_leaving = {}) {
    Gradients result{network.zeros(), {}};
    result.entering.resize(network.n_layers());
    Weights& d = result.values;
    scatter_add_rows(d.at("Wy.weight"), candidates, product_of_transposed(d_scores, pass.h_last()));
    const Matrix d_biases = column_sums(d_scores);
    for (std::size_t j = 0; j < candidates.size(); ++j) {
        d.at("By.weight")(candidates[j], 0) += d_biases(0, j);
    }
    result.rows["Wy.weight"].insert(candidates.begin(), candidates.end());
    result.rows["By.weight"].insert(candidates.begin(), candidates.end());
    for (std::size_t i = 0; i < inputs.rows; ++i) {
        for (std::size_t item = 0; item < inputs.cols; ++item) {
            for (const std::string& table : network.input_tables()) {
                if (inputs(i, item) > 0) {
                    result.rows[table].insert(item);
                }
            }
        }
    }

    Matrix d_x(inputs.rows, network.embedding_width());
    Matrix d_h = product(d_scores, gather_rows(network.weight("Wy.weight"), candidates));
    for (std::size_t l = network.n_layers(); l-- > 0;) {
        const ForwardPass::Layer& layer = pass.layers[l];
        const LayerNames name = network.names(l);
        if (!d_leaving.empty()) {
            add(d_h, d_leaving.at(l));
        }
        const Matrix g = masks.hidden.empty() ? d_h : elementwise_product(d_h, masks.hidden.at(l));
        const bool is_reset_before = network.settings.gru_variant == Cell::reset_before;
        Matrix d_gates;
        if (is_reset_before) {
            const ResetBefore cell{network.weight(name.hidden), network.weight(name.hidden_last),
                                   network.settings.hidden_act};
            const ResetBefore::Gradients cell_gradients = cell.backward(std::get<ResetBefore::Pass>(layer.cell), g);
            d.at(name.hidden) = cell_gradients.d_W_rz;
            d.at(name.hidden_last) = cell_gradients.d_W_h;
            result.entering[l] = cell_gradients.d_entering;
            d_gates = cell_gradients.d_gates;
        } else {
            const ResetAfter cell{network.weight(name.hidden), network.weight(name.hidden_last)};
            const ResetAfter::Gradients cell_gradients = cell.backward(std::get<ResetAfter::Pass>(layer.cell), g);
            d.at(name.hidden) = cell_gradients.d_W_hh;
            d.at(name.hidden_last) = cell_gradients.d_b_hh;
            result.entering[l] = cell_gradients.d_entering;
            d_gates = cell_gradients.d_gates;
        }
        d.at(name.input_bias) = column_sums(d_gates);
        if (network.has_deep_table(l)) {
            d.at(Network::deep_table(l)) = product_of_transposed(inputs, d_gates);
        }
        if (network.gathers(l)) {
            d.at(name.input) = product_of_transposed(inputs, d_gates);
        } else if (is_reset_before) {
            d.at(name.input) = product_of_transposed(layer.x, d_gates);
            d_h = product_with_transposed(d_gates, network.weight(name.input));
        } else {
            d.at(name.input) = product_of_transposed(d_gates, layer.x);
            d_h = product(d_gates, network.weight(name.input));
        }
        if (network.joins_input(l)) {
            add(d_x, columns(d_h, network.units(l - 1), d_h.cols));
            d_h = columns(d_h, 0, network.units(l - 1));
        }
    }
    if (!network.gathers(0)) {
        add(d_x, d_h);
        add(d.at(network.input_table()),
            product_of_transposed(inputs, masks.embed.empty() ? d_x : elementwise_product(d_x, masks.embed)));
    }
    return result;
}

}  // namespace naive

#endif
