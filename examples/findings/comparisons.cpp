#include "comparisons.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "cli/messages.hpp"

namespace findings {

namespace {

using gru4rec::Hyperparameters;

/// The larger in-batch setting has this many times the lanes of the base, and so about as many times the negatives.
constexpr int lanes_factor = 8;

template <class Change>
[[nodiscard]] Hyperparameters changed(Hyperparameters parameters, Change change) {
    change(parameters);
    parameters.validate();
    return parameters;
}

/// @throws gru4rec::ConfigError naming the parameter, its value and what is allowed, unless `ok`
void require(bool ok, const Hyperparameters& base, std::string_view name, std::string_view allowed) {
    if (ok) {
        return;
    }
    std::string value;
    for (const auto& [entry, text] : base.entries()) {
        if (entry == name) {
            value = text;
        }
    }
    throw gru4rec::ConfigError("gru4rec: " + std::string(name) + " = " + value + ", must satisfy " +
                               std::string(allowed));
}

/// Units of the base's layer, from which the widths of other settings are derived.
[[nodiscard]] int units_of(const Hyperparameters& base) {
    require(base.layers.size() == 1, base, "layers",
            "layers = UNITS: one layer, from whose width the settings are derived");
    return base.layers.front();
}

[[nodiscard]] Comparison layers(const Hyperparameters& base) {
    Comparison comparison{.finding = "One layer is better than two or three",
                          .published = "ICLR 2016: one layer was best.",
                          .favoured = {0},
                          .others = {1, 2},
                          .settings = {}};
    const int units = units_of(base);
    std::vector<int> widths;
    for (const char* const count : {"one layer", "two layers", "three layers"}) {
        widths.push_back(units);
        comparison.settings.push_back({count, changed(base, [&](Hyperparameters& p) { p.layers = widths; })});
    }
    return comparison;
}

[[nodiscard]] Comparison embedding(const Hyperparameters& base) {
    const Hyperparameters one_hot = changed(base, [](Hyperparameters& p) {
        p.constrained_embedding = false;
        p.embedding = 0;
        p.dropout_p_embed = 0;  // there is nothing to drop from
    });
    const Hyperparameters separate = changed(base, [](Hyperparameters& p) {
        p.constrained_embedding = false;
        p.embedding = p.embedding == 0 ? gru4rec::layersize : p.embedding;
    });
    const Hyperparameters shared = changed(base, [](Hyperparameters& p) {
        p.constrained_embedding = true;
        p.embedding = 0;
    });
    return {.finding = "One-hot input is better than an embedding",
            .published = "ICLR 2016: one-hot input beat an embedding.",
            .favoured = {0},
            .others = {1, 2},
            .settings = {{"one-hot", one_hot}, {"separate embedding", separate}, {"shared embedding", shared}}};
}

[[nodiscard]] Comparison input(const Hyperparameters& base) {
    const auto feeding = [&](gru4rec::InputContent content) {
        return changed(base, [&](Hyperparameters& p) { p.input = content; });
    };
    return {.finding = "Feeding the history of the session gains nothing over feeding its last item",
            .published = "ICLR 2016: feeding all previous events gained nothing.",
            .claim = Claim::not_worse,
            .favoured = {0},
            .others = {1},
            .settings = {{"last item", feeding(gru4rec::InputContent::last)},
                         {"weighted history", feeding(gru4rec::InputContent::history)}}};
}

[[nodiscard]] Comparison width(const Hyperparameters& base) {
    const int units = units_of(base);
    // A set, as half of one unit is one unit too.
    const std::set<int> widths = {(std::max)(1, units / 2), units, 2 * units, 4 * units};
    Comparison comparison{.finding = "Wider layers help",
                          .published =
                              "ICLR 2016, with TOP1 and BPR, Recall@20 / MRR@20 of 100 and of 1000 units: TOP1 "
                              ".585/.231 and .621/.269, BPR .607/.241 and .632/.247.",
                          .favoured = {widths.size() - 1},
                          .others = {widths.size() - 3},
                          .settings = {}};
    for (const int width : widths) {
        comparison.settings.push_back({std::to_string(width) + (width == 1 ? " unit" : " units"),
                                       changed(base, [&](Hyperparameters& p) { p.layers = {width}; })});
    }
    return comparison;
}

[[nodiscard]] Comparison negatives(const Hyperparameters& base) {
    require(base.n_sample >= 4, base, "n_sample", "n_sample >= 4: a quarter of it is tried, too");
    Comparison comparison{.finding = "Sampled negatives beside those of the batch help",
                          .published =
                              "ICLR 2016, in-batch negatives alone, 100 units: cross-entropy .607/.243 with "
                              "batches of 500. That more samples help is the finding of CIKM 2018. Another RSC15 "
                              "setting with 2048 samples (learning_rate=0.2, momentum=0.2, dropout_p_hidden=0.4, "
                              "sample_alpha=0.5), from the parameter files published with the reference "
                              "implementation, reaches .7283/.3205.",
                          .favoured = {2, 3},
                          .others = {0, 1},
                          .settings = {}};
    for (const int factor : {1, lanes_factor}) {
        const Hyperparameters in_batch = changed(base, [&](Hyperparameters& p) {
            p.n_sample = 0;
            p.batch_size *= factor;
        });
        comparison.settings.push_back({"in-batch only, " + std::to_string(in_batch.batch_size) + " lanes", in_batch});
    }
    for (const int n_sample : {base.n_sample / 4, base.n_sample}) {
        comparison.settings.push_back(
            {std::to_string(n_sample) + " samples", changed(base, [&](Hyperparameters& p) { p.n_sample = n_sample; })});
    }
    return comparison;
}

struct Maker {
    std::string_view name;
    Comparison (*make)(const Hyperparameters& base);
    bool tunable = false;
};

constexpr auto makers = std::to_array<Maker>({{"layers", layers, true},
                                              {"embedding", embedding},
                                              {"input", input, true},
                                              {"width", width, true},
                                              {"negatives", negatives}});

[[nodiscard]] Comparison make(const Maker& maker, const Hyperparameters& base) {
    try {
        Comparison comparison = maker.make(base);
        comparison.name = maker.name;
        comparison.tunable = maker.tunable;
        return comparison;
    } catch (const gru4rec::ConfigError& error) {
        throw gru4rec::ConfigError("--params: the comparison " + std::string(maker.name) +
                                   " cannot be derived: " + std::string(cli::without_prefix(error.what())) +
                                   "; leave a comparison out with --only");
    }
}

/// The names in a list; those of all comparisons if it is empty.
[[nodiscard]] std::set<std::string_view> chosen_names(std::string_view list) {
    std::set<std::string_view> names;
    if (list.empty()) {
        for (const Maker& maker : makers) {
            names.insert(maker.name);
        }
        return names;
    }
    for (const std::string_view name : gru4rec::detail::split(list, ',')) {
        if (std::none_of(makers.begin(), makers.end(), [&](const Maker& maker) { return maker.name == name; })) {
            throw gru4rec::ConfigError("--only: '" + std::string(name) + "' in '" + std::string(list) +
                                       "', expected some of " + comparison_names());
        }
        names.insert(name);
    }
    return names;
}

}  // namespace

Hyperparameters default_parameters(const Hyperparameters& asked) {
    return {.layers = {100},
            .batch_size = 32,
            .n_epochs = 4,
            .learning_rate = 0.1,
            .dropout_p_embed = asked.one_hot() ? 0 : 0.1,
            .n_sample = 2048,
            .sample_alpha = 0.75,
            .logq = asked.loss == gru4rec::LossKind::cross_entropy ? 1.0 : 0};
}

std::vector<Comparison> make_comparisons(const Hyperparameters& base, const std::string& list) {
    const std::set<std::string_view> chosen = chosen_names(list);
    std::vector<Comparison> comparisons;
    for (const Maker& maker : makers) {
        if (chosen.contains(maker.name)) {
            comparisons.push_back(make(maker, base));
        }
    }
    return comparisons;
}

std::string comparison_names() {
    std::string names;
    for (const Maker& maker : makers) {
        names += (names.empty() ? "" : ",") + std::string(maker.name);
    }
    return names;
}

}  // namespace findings
