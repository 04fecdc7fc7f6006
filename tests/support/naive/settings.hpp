#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_SETTINGS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_SETTINGS_HPP

#include "support/naive/activations.hpp"
#include "support/naive/losses.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace naive {

enum class Cell { reset_before, reset_after };

enum class Rule { sgd, adagrad, rmsprop, adadelta, adam };

enum class Input { one_hot, separate, shared };

/// The hyper-parameters that the twin knows, under the names of the field.
struct Settings {
    std::vector<std::size_t> layers = {100};
    Loss loss = Loss::cross_entropy;
    std::optional<Activation> final_act = {};
    Activation hidden_act = {Activation::Kind::tanh};
    Cell gru_variant = Cell::reset_before;
    bool constrained_embedding = true;
    std::size_t embedding = 0;
    bool input_history = false;  ///< input=history
    double input_decay = 0.9;
    std::size_t history_max = 20;
    bool deep_input = false;
    std::size_t batch_size = 32;
    std::size_t n_epochs = 10;
    std::size_t bptt = 1;
    std::optional<double> learning_rate = {};
    double momentum = 0;
    Rule adapt = Rule::adagrad;
    std::vector<double> adapt_params = {};
    double lmbd = 0;
    double grad_cap = 0;
    double lr_decay = 1;
    double dropout_p_embed = 0;   ///< used by draw_masks only: a step is given its masks
    double dropout_p_hidden = 0;  ///< likewise
    std::size_t n_sample = 2048;
    double sample_alpha = 0.5;
    bool mask_duplicates = false;
    double logq = 0;
    double smoothing = 0;
    bool pairwise_mean = false;
    double bpreg = 1;
    double elu_param = 0.5;

    [[nodiscard]] Input input() const {
        return constrained_embedding ? Input::shared : embedding > 0 ? Input::separate : Input::one_hot;
    }

    [[nodiscard]] double effective_learning_rate() const {
        return learning_rate.value_or(adapt == Rule::adadelta ? 1.0 : 0.05);
    }

    [[nodiscard]] LossSettings loss_settings() const {
        LossSettings result;
        result.loss = loss;
        if (final_act) {
            result.final_act = *final_act;
        } else if (loss == Loss::bpr || loss == Loss::top1) {
            result.final_act = {Activation::Kind::tanh};
        } else if (elu_param > 0) {
            result.final_act = {Activation::Kind::elu, elu_param};
        }
        result.logq = logq;
        result.smoothing = smoothing;
        result.pairwise_mean = pairwise_mean;
        result.bpreg = bpreg;
        result.mask_duplicates = mask_duplicates;
        return result;
    }
};

namespace text {

template <class Value>
[[nodiscard]] std::vector<Value> numbers(const std::string& value) {
    std::vector<Value> result;
    std::istringstream parts(value);
    for (std::string part; std::getline(parts, part, '/');) {
        std::istringstream number(part);
        Value parsed{};
        if (!(number >> parsed) || !number.eof()) {
            throw std::invalid_argument("naive: not a number: " + part);
        }
        result.push_back(parsed);
    }
    return result;
}

[[nodiscard]] inline double number(const std::string& value) { return numbers<double>(value).at(0); }
[[nodiscard]] inline std::size_t count(const std::string& value) { return numbers<std::size_t>(value).at(0); }
[[nodiscard]] inline bool truth(const std::string& value) { return value == "true" || value == "1"; }

}  // namespace text

/// From names and values as they are written on the command line; lists as a/b/c. Names of what has no bearing on a
/// given step (session_order, sigma, ...) are passed over.
[[nodiscard]] inline Settings settings_from_text(const std::vector<std::pair<std::string, std::string>>& entries) {
    static const std::map<std::string, Rule> rules = {{"sgd", Rule::sgd},
                                                      {"adagrad", Rule::adagrad},
                                                      {"rmsprop", Rule::rmsprop},
                                                      {"adadelta", Rule::adadelta},
                                                      {"adam", Rule::adam}};
    static const std::map<std::string, Cell> cells = {{"reset_before", Cell::reset_before},
                                                      {"reset_after", Cell::reset_after}};
    static const std::set<std::string> without_bearing = {"session_order", "sigma", "init_as_normal"};
    Settings s;
    bool as_wide_as_the_layer = false;
    for (const auto& [name, value] : entries) {
        if (name == "layers") {
            s.layers = text::numbers<std::size_t>(value);
        } else if (name == "loss") {
            s.loss = loss_from_text(value);
        } else if (name == "final_act") {
            s.final_act = activation_from_text(value);
        } else if (name == "hidden_act") {
            s.hidden_act = activation_from_text(value);
        } else if (name == "gru_variant") {
            s.gru_variant = cells.at(value);
        } else if (name == "constrained_embedding") {
            s.constrained_embedding = text::truth(value);
        } else if (name == "embedding") {
            as_wide_as_the_layer = value == "layersize";
            s.embedding = as_wide_as_the_layer ? 0 : text::count(value);
        } else if (name == "input") {
            s.input_history = value == "history";
        } else if (name == "input_decay") {
            s.input_decay = text::number(value);
        } else if (name == "history_max") {
            s.history_max = text::count(value);
        } else if (name == "deep_input") {
            s.deep_input = text::truth(value);
        } else if (name == "batch_size") {
            s.batch_size = text::count(value);
        } else if (name == "n_epochs") {
            s.n_epochs = text::count(value);
        } else if (name == "bptt") {
            s.bptt = text::count(value);
        } else if (name == "learning_rate") {
            s.learning_rate = text::number(value);
        } else if (name == "momentum") {
            s.momentum = text::number(value);
        } else if (name == "adapt") {
            s.adapt = rules.at(value);
        } else if (name == "adapt_params") {
            s.adapt_params = text::numbers<double>(value);
        } else if (name == "lmbd") {
            s.lmbd = text::number(value);
        } else if (name == "grad_cap") {
            s.grad_cap = text::number(value);
        } else if (name == "lr_decay") {
            s.lr_decay = text::number(value);
        } else if (name == "dropout_p_embed") {
            s.dropout_p_embed = text::number(value);
        } else if (name == "dropout_p_hidden") {
            s.dropout_p_hidden = text::number(value);
        } else if (name == "n_sample") {
            s.n_sample = text::count(value);
        } else if (name == "sample_alpha") {
            s.sample_alpha = text::number(value);
        } else if (name == "mask_duplicates") {
            s.mask_duplicates = text::truth(value);
        } else if (name == "logq") {
            s.logq = text::number(value);
        } else if (name == "smoothing") {
            s.smoothing = text::number(value);
        } else if (name == "pairwise_mean") {
            s.pairwise_mean = text::truth(value);
        } else if (name == "bpreg") {
            s.bpreg = text::number(value);
        } else if (name == "elu_param") {
            s.elu_param = text::number(value);
        } else if (!without_bearing.contains(name)) {
            throw std::invalid_argument("naive: the twin does not know " + name);
        }
    }
    if (as_wide_as_the_layer) {
        s.embedding = s.layers.front();
    }
    return s;
}

}  // namespace naive

#endif
