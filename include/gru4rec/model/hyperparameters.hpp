#ifndef GRU4REC_MODEL_HYPERPARAMETERS_HPP
#define GRU4REC_MODEL_HYPERPARAMETERS_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/nn/activation.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

enum class LossKind { cross_entropy, bpr, top1, bpr_max, top1_max };

/// Two different cells go by the name GRU: see nn/gru.hpp.
enum class GruVariant { reset_before, reset_after };

/// What of a session is fed in a step (arXiv 1511.06939, section 3.1).
enum class InputContent {
    last,    ///< the current item
    history  ///< the last items, weighted by their age
};

enum class Adapt { sgd, adagrad, rmsprop, adadelta, adam };

/// `embedding = layersize`: as wide as the first layer.
inline constexpr int layersize = -1;

/// Everything that decides what is learnt, under the names of the field. Defaults are those of docs/parameters.md.
struct Hyperparameters {
    std::vector<int> layers = {100};                    ///< units of each GRU layer, each 1 .. 65536
    LossKind loss = LossKind::cross_entropy;            ///< cross-entropy, bpr, top1, bpr-max, top1-max
    std::optional<Activation> final_act = {};           ///< of the scores, inside the loss; unset: the loss's own
    Activation hidden_act = {ActivationKind::tanh};     ///< of the candidate state; reset_after: tanh only
    GruVariant gru_variant = GruVariant::reset_before;  ///< reset_before, reset_after
    bool constrained_embedding = true;                  ///< input rows are the rows of W_y
    int embedding = 0;                                  ///< width of a separate input table; 0: none
    InputContent input = InputContent::last;            ///< last, history
    double input_decay = 0.9;                           ///< history: weight of an event against the next, (0, 1]
    int history_max = 20;                               ///< history: events that are fed, 1 .. 1000
    bool deep_input = false;                            ///< deeper layers get the first one's input as well
    int batch_size = 32;                                ///< parallel sessions, 1 .. 1000000
    int n_epochs = 10;                                  ///< 1 .. 1000000
    int bptt = 1;                                       ///< steps that gradients go back through, 1 .. 1000
    std::optional<double> learning_rate = {};           ///< > 0; unset: 0.05, with adadelta 1
    double momentum = 0;                                ///< 0 <= momentum < 1
    Adapt adapt = Adapt::adagrad;                       ///< sgd, adagrad, rmsprop, adadelta, adam
    std::vector<double> adapt_params = {};              ///< decay, or adam's b1/b2; unset: the rule's own
    double lmbd = 0;                                    ///< weight decay, >= 0
    double grad_cap = 0;                                ///< largest norm of a step's gradients, >= 0; 0: none
    double lr_decay = 1;                                ///< factor on the learning rate after each epoch, (0, 1]
    double dropout_p_embed = 0;                         ///< share of the input that is dropped, [0, 1)
    double dropout_p_hidden = 0;                        ///< share of every layer's output that is dropped, [0, 1)
    int n_sample = 2048;                                ///< drawn negatives of a step, shared by its lanes, >= 0
    double sample_alpha = 0.5;                          ///< they are drawn ~ support^sample_alpha, [0, 1]
    bool mask_duplicates = false;                       ///< a negative equal to the lane's target does not count
    double logq = 0;                                    ///< strength of the logQ correction, cross-entropy only
    double smoothing = 0;                               ///< label smoothing, cross-entropy only, [0, 1)
    bool pairwise_mean = false;                         ///< bpr: mean over the negatives, not the sum
    double bpreg = 1;                                   ///< weight of bpr-max's score regularisation, >= 0
    double elu_param = 0.5;                             ///< of bpr-max's and top1-max's default activation, >= 0
    double sigma = 0;                                   ///< initial values in +-sigma; 0: sqrt(6 / (rows + cols))
    bool init_as_normal = false;                        ///< initial values from N(0, s^2) instead, s that bound
    SessionOrder session_order = SessionOrder::time;    ///< time, file, random

    friend bool operator==(const Hyperparameters&, const Hyperparameters&) = default;

    [[nodiscard]] double effective_learning_rate() const noexcept {
        return learning_rate.value_or(adapt == Adapt::adadelta ? 1.0 : 0.05);
    }

    /// The activation of the scores, with the loss's default filled in. Not for cross-entropy, which has its softmax.
    [[nodiscard]] Activation effective_final_act() const noexcept {
        if (final_act) {
            return *final_act;
        }
        if (loss == LossKind::bpr || loss == LossKind::top1) {
            return {ActivationKind::tanh};
        }
        return elu_param == 0 ? Activation{ActivationKind::linear} : Activation{ActivationKind::elu, elu_param};
    }

    /// Width of the separate input table; 0 where there is none.
    [[nodiscard]] int embedding_width() const noexcept {
        return constrained_embedding ? 0 : embedding == layersize ? layers.front() : embedding;
    }

    /// The input is the item's own row of a (V, 3H) table.
    [[nodiscard]] bool one_hot() const noexcept { return !constrained_embedding && embedding == 0; }

    /// The events that are fed in a step, with their weights.
    [[nodiscard]] detail::InputHistory input_history() const {
        return input == InputContent::history ? detail::InputHistory(input_decay, history_max) : detail::InputHistory();
    }

    /// @throws std::invalid_argument naming the field, its value and what is allowed
    void validate() const;

    /// Sets one field from its name and its text: `set("layers", "100/100")`.
    ///
    /// @throws std::invalid_argument for an unknown name or a text that is no value of the field
    void set(std::string_view name, std::string_view value);

    /// All names and values as text, in the order above; an unset field is left out. `set` takes each of them back.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> entries() const;
};

namespace detail {

template <class Enum>
struct Named {
    std::string_view name;
    Enum value;
};

inline constexpr auto loss_names = std::to_array<Named<LossKind>>({{"cross-entropy", LossKind::cross_entropy},
                                                                   {"bpr", LossKind::bpr},
                                                                   {"top1", LossKind::top1},
                                                                   {"bpr-max", LossKind::bpr_max},
                                                                   {"top1-max", LossKind::top1_max}});
inline constexpr auto gru_variant_names = std::to_array<Named<GruVariant>>(
    {{"reset_before", GruVariant::reset_before}, {"reset_after", GruVariant::reset_after}});
inline constexpr auto input_names =
    std::to_array<Named<InputContent>>({{"last", InputContent::last}, {"history", InputContent::history}});
inline constexpr auto adapt_names = std::to_array<Named<Adapt>>({{"sgd", Adapt::sgd},
                                                                 {"adagrad", Adapt::adagrad},
                                                                 {"rmsprop", Adapt::rmsprop},
                                                                 {"adadelta", Adapt::adadelta},
                                                                 {"adam", Adapt::adam}});
inline constexpr auto session_order_names = std::to_array<Named<SessionOrder>>(
    {{"time", SessionOrder::time}, {"file", SessionOrder::file}, {"random", SessionOrder::random}});

template <class Enum, std::size_t N>
[[nodiscard]] std::string_view name_of(const std::array<Named<Enum>, N>& names, Enum value) {
    for (const auto& entry : names) {
        if (entry.value == value) {
            return entry.name;
        }
    }
    return "?";
}

/// One field of Hyperparameters as text: overloads for each type of field. `expected` is told where a text is refused.
[[nodiscard]] inline bool read_field(std::string_view text, double& field) {
    const auto value = parse_number<double>(text);
    return value && (field = *value, true);
}

[[nodiscard]] inline bool read_field(std::string_view text, int& field) {
    const auto value = parse_number<int>(text);
    return value && (field = *value, true);
}

[[nodiscard]] inline bool read_field(std::string_view text, bool& field) {
    field = text == "true" || text == "1";
    return field || text == "false" || text == "0";
}

[[nodiscard]] inline bool read_field(std::string_view text, Activation& field) {
    const auto value = parse_activation(text);
    return value && (field = *value, true);
}

template <class Value>
[[nodiscard]] bool read_field(std::string_view text, std::optional<Value>& field) {
    Value value{};
    return read_field(text, value) && (field = value, true);
}

template <class Value>
[[nodiscard]] bool read_field(std::string_view text, std::vector<Value>& field) {
    field.clear();
    for (const std::string_view part : split(text, '/')) {
        if (!read_field(part, field.emplace_back())) {
            return false;
        }
    }
    return true;
}

template <class Enum, std::size_t N>
[[nodiscard]] bool read_field(std::string_view text, const std::array<Named<Enum>, N>& names, Enum& field) {
    for (const auto& entry : names) {
        if (entry.name == text) {
            field = entry.value;
            return true;
        }
    }
    return false;
}

[[nodiscard]] inline std::string field_text(double field) { return format_number(field); }
[[nodiscard]] inline std::string field_text(int field) { return format_number(field); }
[[nodiscard]] inline std::string field_text(bool field) { return field ? "true" : "false"; }
[[nodiscard]] inline std::string field_text(const Activation& field) { return to_string(field); }
[[nodiscard]] inline std::string field_text(std::string_view field) { return std::string(field); }

[[nodiscard]] inline std::string embedding_text(int embedding) {
    return embedding == layersize ? "layersize" : field_text(embedding);
}

template <class Value>
[[nodiscard]] std::string field_text(const std::optional<Value>& field) {
    return field ? field_text(*field) : std::string();
}

template <class Value>
[[nodiscard]] std::string field_text(const std::vector<Value>& field) {
    std::string text;
    for (const Value& value : field) {
        if (!text.empty()) {
            text += '/';
        }
        text += field_text(value);
    }
    return text;
}

/// Shows every field to `visit(name, field, expected)`, or `visit(name, field, expected, names)` where it is a choice.
template <class Parameters, class Visit>
void visit_fields(Parameters& p, Visit&& visit) {
    visit("layers", p.layers, "whole numbers of 32 bits, a/b/c");
    visit("loss", p.loss, "cross-entropy, bpr, top1, bpr-max or top1-max", loss_names);
    visit("final_act", p.final_act, "linear, relu, tanh, leaky-a, elu-a or selu-l-a with a >= 0, l > 0");
    visit("hidden_act", p.hidden_act, "linear, relu, tanh, leaky-a, elu-a or selu-l-a with a >= 0, l > 0");
    visit("gru_variant", p.gru_variant, "reset_before or reset_after", gru_variant_names);
    visit("constrained_embedding", p.constrained_embedding, "true, false, 1 or 0");
    visit("embedding", p.embedding, "a whole number of 32 bits, or layersize");
    visit("input", p.input, "last or history", input_names);
    visit("input_decay", p.input_decay, "a finite number");
    visit("history_max", p.history_max, "a whole number of 32 bits");
    visit("deep_input", p.deep_input, "true, false, 1 or 0");
    visit("batch_size", p.batch_size, "a whole number of 32 bits");
    visit("n_epochs", p.n_epochs, "a whole number of 32 bits");
    visit("bptt", p.bptt, "a whole number of 32 bits");
    visit("learning_rate", p.learning_rate, "a finite number");
    visit("momentum", p.momentum, "a finite number");
    visit("adapt", p.adapt, "sgd, adagrad, rmsprop, adadelta or adam", adapt_names);
    visit("adapt_params", p.adapt_params, "finite numbers, decay or b1/b2");
    visit("lmbd", p.lmbd, "a finite number");
    visit("grad_cap", p.grad_cap, "a finite number");
    visit("lr_decay", p.lr_decay, "a finite number");
    visit("dropout_p_embed", p.dropout_p_embed, "a finite number");
    visit("dropout_p_hidden", p.dropout_p_hidden, "a finite number");
    visit("n_sample", p.n_sample, "a whole number of 32 bits");
    visit("sample_alpha", p.sample_alpha, "a finite number");
    visit("mask_duplicates", p.mask_duplicates, "true, false, 1 or 0");
    visit("logq", p.logq, "a finite number");
    visit("smoothing", p.smoothing, "a finite number");
    visit("pairwise_mean", p.pairwise_mean, "true, false, 1 or 0");
    visit("bpreg", p.bpreg, "a finite number");
    visit("elu_param", p.elu_param, "a finite number");
    visit("sigma", p.sigma, "a finite number");
    visit("init_as_normal", p.init_as_normal, "true, false, 1 or 0");
    visit("session_order", p.session_order, "time, file or random", session_order_names);
}

/// Asks for `ok`, else tells field, value and what is allowed. Written so that a NaN is refused.
template <class Value>
void require(bool ok, std::string_view name, const Value& value, std::string_view allowed) {
    if (!ok) {
        throw_invalid(name, field_text(value), allowed);
    }
}

}  // namespace detail

[[nodiscard]] inline std::string to_string(LossKind loss) {
    return std::string(detail::name_of(detail::loss_names, loss));
}

[[nodiscard]] inline std::string to_string(GruVariant variant) {
    return std::string(detail::name_of(detail::gru_variant_names, variant));
}

inline void Hyperparameters::set(std::string_view name, std::string_view value) {
    bool known = false;
    const auto refuse = [&](std::string_view expected) {
        detail::throw_invalid(std::string(name) + " = '" + std::string(value) + "', expected " + std::string(expected));
    };
    if (name == "embedding" && value == "layersize") {
        embedding = layersize;
        return;
    }
    detail::visit_fields(
        *this, [&](std::string_view field_name, auto& field, std::string_view expected, const auto&... names) {
            if (field_name == name) {
                known = true;
                auto read = field;
                const bool is_sentinel = name == "embedding" && value.starts_with('-');  // layersize has a name
                if (is_sentinel || !detail::read_field(value, names..., read)) {
                    refuse(is_sentinel ? "0 <= embedding <= 65536, or layersize" : expected);
                }
                field = read;
            }
        });
    if (!known) {
        std::string all;
        std::vector<std::string_view> fields;
        detail::visit_fields(*this, [&](std::string_view field_name, const auto&...) {
            if (!all.empty()) {
                all += ", ";
            }
            all += field_name;
            fields.push_back(field_name);
        });
        const std::string_view meant = detail::near_miss(name, fields);
        detail::throw_invalid("unknown parameter '" + std::string(name) + "'; " +
                              (meant.empty() ? std::string() : "did you mean " + std::string(meant) + "? ") +
                              "the parameters are " + all);
    }
}

inline std::vector<std::pair<std::string, std::string>> Hyperparameters::entries() const {
    std::vector<std::pair<std::string, std::string>> result;
    detail::visit_fields(*this, [&](std::string_view name, const auto& field, std::string_view, const auto&... names) {
        std::string text;
        if constexpr (sizeof...(names) == 1) {
            text = std::string(detail::name_of(names..., field));
        } else {
            text = detail::field_text(field);
        }
        if (name == "embedding") {
            text = detail::embedding_text(embedding);
        }
        if (!text.empty()) {
            result.emplace_back(name, std::move(text));
        }
    });
    return result;
}

inline void Hyperparameters::validate() const {
    using detail::require;
    const auto is_share = [](double p) { return p >= 0 && p < 1; };
    const auto is_finite_from_0 = [](double p) { return p >= 0 && std::isfinite(p); };
    require(!layers.empty(), "layers", layers, "at least one layer");
    for (const int width : layers) {
        require(width >= 1 && width <= 65536, "layers", width, "1 <= units <= 65536");
    }
    require(embedding == layersize || (embedding >= 0 && embedding <= 65536), "embedding", embedding,
            "0 <= embedding <= 65536, or layersize");
    require(!(constrained_embedding && embedding != 0), "embedding", detail::embedding_text(embedding),
            "embedding = 0 where constrained_embedding is true (the input is then the output table's row)");
    require(input_decay > 0 && input_decay <= 1, "input_decay", input_decay, "0 < input_decay <= 1");
    require(history_max >= 1 && history_max <= 1000, "history_max", history_max, "1 <= history_max <= 1000");
    require(!deep_input || layers.size() > 1, "deep_input", deep_input,
            "deep_input = false with one layer: it feeds the layers behind the first");
    require(batch_size >= 1 && batch_size <= 1'000'000, "batch_size", batch_size, "1 <= batch_size <= 1000000");
    require(n_epochs >= 1 && n_epochs <= 1000000, "n_epochs", n_epochs, "1 <= n_epochs <= 1000000");
    require(bptt >= 1 && bptt <= 1000, "bptt", bptt, "1 <= bptt <= 1000 (1: gradients stay within a step)");
    require(!learning_rate || (*learning_rate > 0 && std::isfinite(*learning_rate)), "learning_rate", learning_rate,
            "learning_rate > 0, finite");
    require(is_share(momentum), "momentum", momentum, "0 <= momentum < 1");
    const std::size_t n_adapt = adapt == Adapt::adam ? 2 : adapt == Adapt::rmsprop || adapt == Adapt::adadelta ? 1 : 0;
    require(adapt_params.empty() || adapt_params.size() == n_adapt, "adapt_params", adapt_params,
            "one decay for rmsprop and adadelta, b1/b2 for adam, nothing for sgd and adagrad");
    for (const double decay : adapt_params) {
        require(is_share(decay), "adapt_params", decay, "0 <= decay < 1");
    }
    require(is_finite_from_0(lmbd), "lmbd", lmbd, "lmbd >= 0, finite");
    require(is_finite_from_0(grad_cap), "grad_cap", grad_cap, "grad_cap >= 0, finite (0: no cap)");
    require(lr_decay > 0 && lr_decay <= 1, "lr_decay", lr_decay, "0 < lr_decay <= 1");
    require(is_share(dropout_p_embed), "dropout_p_embed", dropout_p_embed, "0 <= dropout_p_embed < 1");
    require(is_share(dropout_p_hidden), "dropout_p_hidden", dropout_p_hidden, "0 <= dropout_p_hidden < 1");
    require(!(one_hot() && dropout_p_embed > 0), "dropout_p_embed", dropout_p_embed,
            "dropout_p_embed = 0 with one-hot input, which has no embedding to drop from");
    require(n_sample >= 0 && n_sample <= 10'000'000, "n_sample", n_sample, "0 <= n_sample <= 10000000");
    require(!(batch_size == 1 && n_sample == 0), "n_sample", n_sample,
            "n_sample >= 1 where batch_size = 1: there would be no negative");
    require(sample_alpha >= 0 && sample_alpha <= 1, "sample_alpha", sample_alpha, "0 <= sample_alpha <= 1");
    require(is_finite_from_0(logq), "logq", logq, "logq >= 0, finite");
    require(is_share(smoothing), "smoothing", smoothing, "0 <= smoothing < 1");
    require(is_finite_from_0(bpreg), "bpreg", bpreg, "bpreg >= 0, finite");
    require(is_finite_from_0(elu_param), "elu_param", elu_param, "elu_param >= 0, finite");
    require(is_finite_from_0(sigma), "sigma", sigma, "sigma >= 0, finite (0: from each block's shape)");

    const std::string loss_text = to_string(loss);
    if (loss == LossKind::cross_entropy) {
        require(!final_act, "final_act", final_act,
                "no final_act with loss = cross-entropy, which holds its softmax inside");
    } else {
        require(logq == 0, "logq", logq, "logq = 0 with loss = " + loss_text + " (the correction is cross-entropy's)");
        require(smoothing == 0, "smoothing", smoothing, "smoothing = 0 with loss = " + loss_text);
    }
    require(!pairwise_mean || loss == LossKind::bpr, "pairwise_mean", pairwise_mean,
            "pairwise_mean = false with loss = " + loss_text + " (it is bpr's)");
    require(gru_variant == GruVariant::reset_before || hidden_act.kind == ActivationKind::tanh, "hidden_act",
            hidden_act, "hidden_act = tanh with gru_variant = reset_after");
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
