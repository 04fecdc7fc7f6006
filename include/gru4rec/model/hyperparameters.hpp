#ifndef GRU4REC_MODEL_HYPERPARAMETERS_HPP
#define GRU4REC_MODEL_HYPERPARAMETERS_HPP

#include "gru4rec/batch/inputs.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/model/choices.hpp"
#include "gru4rec/nn/activation.hpp"

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/model/foreign_parameters.hpp"
#include "gru4rec/model/parameter_range.hpp"
#include "gru4rec/model/parameter_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <variant>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// `embedding = layersize`: as wide as the first layer.
inline constexpr int layersize = -1;

/// A parameter in words, for documentation.
struct ParameterDescription {
    std::string name;           ///< as in docs/parameters.md
    std::string default_value;  ///< as text
    std::string range;          ///< `1 .. 1000`, `[0, 1)`, `>= 0`, or names separated by commas
};

/// Everything that determines what is learnt, under the names of the field. This struct defines names and defaults; the
/// ranges are in detail::parameter_table. docs/parameters.md explains them, and a test compares it with both.
struct Hyperparameters {
    std::vector<int> layers = {100};                    ///< units of each GRU layer
    LossKind loss = LossKind::cross_entropy;            ///< the loss that is minimised
    std::optional<Activation> final_act = {};           ///< of the scores, inside the loss; unset: the loss's own
    Activation hidden_act = {ActivationKind::tanh};     ///< of the candidate state; tanh with reset_after
    GruVariant gru_variant = GruVariant::reset_before;  ///< the cell of the papers, or of cuDNN and PyTorch
    bool constrained_embedding = true;                  ///< input rows are the rows of the output table
    int embedding = 0;                                  ///< width of a separate input table; 0: none
    InputContent input = InputContent::last;            ///< the input of a step: the current item, or the last ones
    double input_decay = 0.9;                           ///< history: weight of an event relative to the next
    int history_max = 20;                               ///< history: number of events, the current one included
    bool deep_input = false;                            ///< deeper layers get the input of the first as well
    int batch_size = 32;                                ///< parallel sessions
    int n_epochs = 10;                                  ///< passes over the training data
    int bptt = 1;                                       ///< steps of a window of backpropagation through time
    std::optional<double> learning_rate = {};           ///< unset: 0.05, or 1 with adadelta
    double momentum = 0;                                ///< heavy ball
    Adapt adapt = Adapt::adagrad;                       ///< the rule of the optimiser
    std::vector<double> adapt_params = {};              ///< the rule's decay, or adam's b1/b2; empty: the rule's own
    double lmbd = 0;                                    ///< weight decay
    double grad_cap = 0;                                ///< largest norm of a step's gradients; 0: no cap
    double lr_decay = 1;                                ///< factor on the learning rate after each epoch
    double dropout_p_embed = 0;                         ///< share of the input that is dropped
    double dropout_p_hidden = 0;                        ///< share of the output of each layer that is dropped
    int n_sample = 2048;                                ///< negatives drawn per step, shared by its lanes
    double sample_alpha = 0.5;                          ///< negatives are drawn in proportion to support^sample_alpha
    bool mask_duplicates = false;                       ///< a negative equal to the lane's target does not count
    double logq = 0;                                    ///< cross-entropy: strength of the logQ correction
    double smoothing = 0;                               ///< cross-entropy: label smoothing
    bool pairwise_mean = false;                         ///< bpr: mean over the negatives instead of the sum
    double bpreg = 1;                                   ///< bpr-max: weight of the score regularisation
    double elu_param = 0.5;                             ///< bpr-max, top1-max: of the default activation
    double sigma = 0;                                   ///< initial weights in +-sigma; 0: sqrt(6 / (rows + cols))
    bool init_as_normal = false;                        ///< initial weights from N(0, s^2), s the bound above
    SessionOrder session_order = SessionOrder::time;    ///< order of the training sessions

    friend bool operator==(const Hyperparameters&, const Hyperparameters&) = default;

    /// The learning rate; unset: 1 with Adadelta, otherwise 0.05.
    [[nodiscard]] double effective_learning_rate() const noexcept {
        return learning_rate.value_or(adapt == Adapt::adadelta ? 1.0 : 0.05);
    }

    /// The learning rate of an epoch after this many others.
    [[nodiscard]] double learning_rate_after(double epochs) const noexcept {
        return effective_learning_rate() * std::pow(lr_decay, epochs);
    }

    /// The activation of the scores, which defaults to the loss's own. Not for cross-entropy, which contains a softmax.
    [[nodiscard]] Activation effective_final_act() const noexcept {
        if (final_act) {
            return *final_act;
        }
        if (loss == LossKind::bpr || loss == LossKind::top1) {
            return {ActivationKind::tanh};
        }
        return elu_param == 0 ? Activation{ActivationKind::linear} : Activation{ActivationKind::elu, elu_param};
    }

    /// Width of the separate input table; 0 if there is none.
    [[nodiscard]] int embedding_width() const noexcept {
        return constrained_embedding ? 0 : embedding == layersize ? layers.front() : embedding;
    }

    /// The input is the item's own row of a (V, 3H) table.
    [[nodiscard]] bool one_hot() const noexcept { return !constrained_embedding && embedding == 0; }

    /// The events that make up the input of a step, and their weights.
    [[nodiscard]] GRU4REC_INLINE detail::InputHistory input_history() const;

    /// @throws ConfigError naming the parameter, its value and what is allowed
    GRU4REC_INLINE void validate() const;

    /// Sets a parameter by name, from text: `set("layers", "100/100")`.
    ///
    /// @throws ConfigError for an unknown name or text that is not a value of the parameter; nothing has then changed
    GRU4REC_INLINE void set(std::string_view name, std::string_view value);

    /// All names and values as text, in the order above, without unset parameters. `set` reads each of them.
    [[nodiscard]] GRU4REC_INLINE std::vector<std::pair<std::string, std::string>> entries() const;

    /// All parameters, in the order above.
    [[nodiscard]] GRU4REC_INLINE static std::vector<ParameterDescription> describe();
};

#if GRU4REC_DEFINITIONS

namespace detail {

template <class... Types>
using FieldOf = std::variant<Types Hyperparameters::*...>;
using Field = FieldOf<int, double, bool, std::optional<double>, std::vector<int>, std::vector<double>, Activation,
                      std::optional<Activation>, LossKind, GruVariant, InputContent, Adapt, SessionOrder>;

/// A name for one value out of the range.
struct NamedValue {
    std::string_view name;
    int value = 0;
};

struct ParameterRow {
    std::string_view name;
    Field field;
    ParameterRange range = {};            ///< of numbers; other types have their own values
    std::string_view unset_default = {};  ///< the effective default of a parameter that is unset by default
    NamedValue named = {};

    [[nodiscard]] bool is_named(double value) const noexcept { return !named.name.empty() && value == named.value; }

    /// `1 <= batch_size <= 1000000`
    [[nodiscard]] std::string condition() const {
        return range.condition(range.element.empty() ? name : range.element) + (named.name.empty() ? "" : ", or ") +
               std::string(named.name);
    }
};

/// Every parameter, in the order of the fields: parsing, printing, validation and documentation follow it.
inline constexpr auto parameter_table = std::to_array<ParameterRow>({
    {"layers", &Hyperparameters::layers, each("units", between(1, 65536))},
    {"loss", &Hyperparameters::loss},
    {"final_act",
     &Hyperparameters::final_act,
     {},
     "the loss's own: tanh for bpr and top1, elu-elu_param for bpr-max and top1-max"},
    {"hidden_act", &Hyperparameters::hidden_act},
    {"gru_variant", &Hyperparameters::gru_variant},
    {"constrained_embedding", &Hyperparameters::constrained_embedding},
    {"embedding", &Hyperparameters::embedding, between(0, 65536), {}, {"layersize", layersize}},
    {"input", &Hyperparameters::input},
    {"input_decay", &Hyperparameters::input_decay, factor()},
    {"history_max", &Hyperparameters::history_max, between(1, 1000)},
    {"deep_input", &Hyperparameters::deep_input},
    {"batch_size", &Hyperparameters::batch_size, between(1, 1'000'000)},
    {"n_epochs", &Hyperparameters::n_epochs, between(1, 1'000'000)},
    {"bptt", &Hyperparameters::bptt, between(1, 1000, "1: gradients stay within a step")},
    {"learning_rate", &Hyperparameters::learning_rate, above(0), "0.05; adadelta 1"},
    {"momentum", &Hyperparameters::momentum, share()},
    {"adapt", &Hyperparameters::adapt},
    {"adapt_params", &Hyperparameters::adapt_params, each("decay", share()),
     "rmsprop 0.9, adadelta 0.95, adam 0.9/0.999"},
    {"lmbd", &Hyperparameters::lmbd, at_least(0)},
    {"grad_cap", &Hyperparameters::grad_cap, at_least(0, "0: no cap")},
    {"lr_decay", &Hyperparameters::lr_decay, factor()},
    {"dropout_p_embed", &Hyperparameters::dropout_p_embed, share()},
    {"dropout_p_hidden", &Hyperparameters::dropout_p_hidden, share()},
    {"n_sample", &Hyperparameters::n_sample, between(0, 10'000'000)},
    {"sample_alpha", &Hyperparameters::sample_alpha, between(0, 1)},
    {"mask_duplicates", &Hyperparameters::mask_duplicates},
    {"logq", &Hyperparameters::logq, at_least(0)},
    {"smoothing", &Hyperparameters::smoothing, share()},
    {"pairwise_mean", &Hyperparameters::pairwise_mean},
    {"bpreg", &Hyperparameters::bpreg, at_least(0)},
    {"elu_param", &Hyperparameters::elu_param, at_least(0)},
    {"sigma", &Hyperparameters::sigma, at_least(0, "0: from the shape of each block")},
    {"init_as_normal", &Hyperparameters::init_as_normal},
    {"session_order", &Hyperparameters::session_order},
});

/// Calls `visit(field)` with the parameter of a row.
template <class Parameters, class Visit>
void visit_field(Parameters& parameters, const ParameterRow& row, Visit&& visit) {
    std::visit([&](auto member) { visit(parameters.*member); }, row.field);
}

template <class Value>
[[nodiscard]] std::string field_text(const ParameterRow& row, const Value& value) {
    if constexpr (std::is_same_v<Value, int>) {
        return row.is_named(value) ? std::string(row.named.name) : field_text(value);
    } else {
        return field_text(value);
    }
}

/// Throws naming parameter, value and what is allowed unless `ok`. Write conditions so that NaN fails them.
template <class Value>
void require(bool ok, std::string_view name, const Value& value, std::string_view allowed) {
    if (!ok) {
        throw_invalid(name, field_text(value), allowed);
    }
}

/// A value that has a name is read by its name only.
template <class Value>
[[nodiscard]] bool read_field(const ParameterRow& row, std::string_view text, Value& field) {
    if constexpr (std::is_same_v<Value, int>) {
        if (!row.named.name.empty() && text == row.named.name) {
            field = row.named.value;
            return true;
        }
        return read_field(text, field) && !row.is_named(field);
    } else {
        return read_field(text, field);
    }
}

/// The range as in docs/parameters.md.
[[nodiscard]] inline std::string range_text(const ParameterRow& row, int) {
    return row.range.interval(true) + (row.named.name.empty() ? "" : ", ") + std::string(row.named.name);
}
[[nodiscard]] inline std::string range_text(const ParameterRow& row, double) { return row.range.interval(false); }
[[nodiscard]] inline std::string range_text(const ParameterRow&, bool) { return "true, false"; }
[[nodiscard]] inline std::string range_text(const ParameterRow&, const Activation&) {
    return "linear, relu, tanh, leaky-a, elu-a, selu-l-a; a >= 0, l > 0";
}
template <NamedChoice Enum>
[[nodiscard]] std::string range_text(const ParameterRow&, Enum) {
    return joined_names<Enum>(", ");
}
template <template <class...> class Container, class Value>
[[nodiscard]] std::string range_text(const ParameterRow& row, const Container<Value>&) {
    return range_text(row, Value{});
}

template <class Value>
void require_in_range(const ParameterRow& row, const Value& value) {
    if constexpr (std::is_same_v<Value, int> || std::is_same_v<Value, double>) {
        if (!row.range.contains(value) && !row.is_named(value)) {
            throw_invalid(row.name, field_text(value), row.condition());
        }
    }
}

template <class Value>
void require_in_range(const ParameterRow& row, const std::optional<Value>& value) {
    if (value) {
        require_in_range(row, *value);
    }
}

template <class Value>
void require_in_range(const ParameterRow& row, const std::vector<Value>& values) {
    for (const Value& value : values) {
        require_in_range(row, value);
    }
}

/// `; write loss=cross-entropy`, or nothing
[[nodiscard]] inline std::string as_hint(std::string_view advice) {
    return (advice.empty() ? "" : "; ") + std::string(advice);
}

[[noreturn]] GRU4REC_COLD inline void throw_unknown_parameter(std::string_view name, std::string_view value) {
    if (const std::string_view advice = advice_on_name(name, value); !advice.empty()) {
        throw_invalid(std::string(name) + " = '" + std::string(value) + "' is a parameter of other implementations" +
                      as_hint(advice));
    }
    std::string all;
    std::vector<std::string_view> known;
    for (const ParameterRow& row : parameter_table) {
        all += (all.empty() ? "" : ", ") + std::string(row.name);
        known.push_back(row.name);
    }
    const std::string_view meant = near_miss(name, known);
    throw_invalid("unknown parameter '" + std::string(name) + "'; " +
                  (meant.empty() ? std::string() : "did you mean " + std::string(meant) + "? ") +
                  "the parameters are " + all);
}

}  // namespace detail

GRU4REC_INLINE void Hyperparameters::set(std::string_view name, std::string_view value) {
    const auto row = std::find_if(detail::parameter_table.begin(), detail::parameter_table.end(),
                                  [&](const detail::ParameterRow& known) { return known.name == name; });
    if (row == detail::parameter_table.end()) {
        detail::throw_unknown_parameter(name, value);
    }
    detail::visit_field(*this, *row, [&]<class Value>(Value& field) {
        Value parsed{};
        if (!detail::read_field(*row, value, parsed)) {
            detail::throw_invalid(std::string(name) + " = '" + std::string(value) + "', expected " +
                                  (row->named.name.empty() ? detail::expected_text(field) : row->condition()) +
                                  detail::as_hint(detail::advice_on_value(name, value)));
        }
        field = std::move(parsed);
    });
}

GRU4REC_INLINE std::vector<std::pair<std::string, std::string>> Hyperparameters::entries() const {
    std::vector<std::pair<std::string, std::string>> result;
    for (const detail::ParameterRow& row : detail::parameter_table) {
        detail::visit_field(*this, row, [&](const auto& field) {
            if (std::string text = detail::field_text(row, field); !text.empty()) {
                result.emplace_back(row.name, std::move(text));
            }
        });
    }
    return result;
}

GRU4REC_INLINE std::vector<ParameterDescription> Hyperparameters::describe() {
    std::vector<ParameterDescription> result;
    const Hyperparameters defaults;
    for (const detail::ParameterRow& row : detail::parameter_table) {
        detail::visit_field(defaults, row, [&](const auto& field) {
            std::string text = detail::field_text(row, field);
            result.push_back({std::string(row.name), text.empty() ? std::string(row.unset_default) : std::move(text),
                              detail::range_text(row, field)});
        });
    }
    return result;
}

GRU4REC_INLINE detail::InputHistory Hyperparameters::input_history() const {
    return input == InputContent::history ? detail::InputHistory(input_decay, history_max) : detail::InputHistory();
}

GRU4REC_INLINE void Hyperparameters::validate() const {
    using detail::require;
    require(!layers.empty(), "layers", layers, "at least one layer");
    for (const detail::ParameterRow& row : detail::parameter_table) {
        detail::visit_field(*this, row, [&](const auto& field) { detail::require_in_range(row, field); });
    }

    // Parameters that restrict each other.
    const std::string embedding_text = embedding == layersize ? "layersize" : detail::field_text(embedding);
    require(!(constrained_embedding && embedding != 0), "embedding", embedding_text,
            "embedding = 0 if constrained_embedding is true (the input is then a row of the output table)");
    require(!deep_input || layers.size() > 1, "deep_input", deep_input,
            "deep_input = false with one layer: it feeds the layers after the first");
    const std::size_t n_adapt = adapt == Adapt::adam ? 2 : adapt == Adapt::rmsprop || adapt == Adapt::adadelta ? 1 : 0;
    require(adapt_params.empty() || adapt_params.size() == n_adapt, "adapt_params", adapt_params,
            "one decay for rmsprop and adadelta, b1/b2 for adam, none for sgd and adagrad");
    require(!(one_hot() && dropout_p_embed > 0), "dropout_p_embed", dropout_p_embed,
            "dropout_p_embed = 0 with one-hot input, which has no embedding");
    require(!(batch_size == 1 && n_sample == 0), "n_sample", n_sample,
            "n_sample >= 1 if batch_size = 1: there would be no negatives");
    const std::string loss_text = to_string(loss);
    if (loss == LossKind::cross_entropy) {
        require(!final_act, "final_act", final_act,
                "no final_act with loss = cross-entropy, which contains its own softmax");
    } else {
        require(logq == 0, "logq", logq, "logq = 0 with loss = " + loss_text + " (it corrects cross-entropy)");
        require(smoothing == 0, "smoothing", smoothing, "smoothing = 0 with loss = " + loss_text);
    }
    require(!pairwise_mean || loss == LossKind::bpr, "pairwise_mean", pairwise_mean,
            "pairwise_mean = false with loss = " + loss_text + " (it belongs to bpr)");
    require(gru_variant == GruVariant::reset_before || hidden_act.kind == ActivationKind::tanh, "hidden_act",
            hidden_act, "hidden_act = tanh with gru_variant = reset_after");
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
