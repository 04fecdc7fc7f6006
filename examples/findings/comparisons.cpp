#include "comparisons.hpp"

#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace findings {

namespace {

using gru4rec::Hyperparameters;

/// Lanes of the larger in-batch setting, per lane of the base: 31 negatives of 32 lanes are few, 255 of 256 are not.
constexpr int lanes_factor = 8;

template <class Change>
[[nodiscard]] Hyperparameters changed(Hyperparameters parameters, Change change) {
    change(parameters);
    parameters.validate();
    return parameters;
}

[[nodiscard]] Comparison layers(const Hyperparameters& base) {
    Comparison comparison{.name = "layers",
                          .finding = "One layer is better than two or three",
                          .published = "ICLR 2016: one layer was best.",
                          .favoured = {0},
                          .others = {1, 2},
                          .settings = {}};
    std::vector<int> widths;
    for (const char* const count : {"one layer", "two layers", "three layers"}) {
        widths.push_back(base.layers.front());
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
    return {.name = "embedding",
            .finding = "One-hot input is better than an embedding",
            .published = "ICLR 2016: one-hot input beat an embedding.",
            .favoured = {0},
            .others = {1, 2},
            .settings = {{"one-hot", one_hot}, {"separate embedding", separate}, {"shared embedding", shared}}};
}

[[nodiscard]] Comparison input(const Hyperparameters& base) {
    const auto feeding = [&](gru4rec::InputContent content) {
        return changed(base, [&](Hyperparameters& p) { p.input = content; });
    };
    return {.name = "input",
            .finding = "Feeding the history of the session gains nothing over feeding its last item",
            .published = "ICLR 2016: feeding all previous events gained nothing.",
            .claim = Claim::not_worse,
            .favoured = {0},
            .others = {1},
            .settings = {{"last item", feeding(gru4rec::InputContent::last)},
                         {"weighted history", feeding(gru4rec::InputContent::history)}}};
}

[[nodiscard]] Comparison width(const Hyperparameters& base) {
    Comparison comparison{.name = "width",
                          .finding = "Wider layers help",
                          .published =
                              "ICLR 2016, Recall@20 / MRR@20 with 100 and with 1000 units: TOP1 .585/.231 and "
                              ".621/.269, BPR .607/.241 and .632/.247.",
                          .favoured = {3},
                          .others = {1},
                          .settings = {}};
    const int units = base.layers.front();
    for (const int width : {(std::max)(1, units / 2), units, 2 * units, 4 * units}) {
        comparison.settings.push_back(
            {std::to_string(width) + " units", changed(base, [&](Hyperparameters& p) { p.layers = {width}; })});
    }
    return comparison;
}

[[nodiscard]] Comparison negatives(const Hyperparameters& base) {
    Comparison comparison{.name = "negatives",
                          .finding = "Sampled negatives beside those of the batch help",
                          .published =
                              "ICLR 2016, in-batch negatives alone, 100 units: cross-entropy .607/.243 with "
                              "batches of 500. That more samples help is the finding of CIKM 2018; the "
                              "published RSC15 setting with 2048 reaches .7283/.3205.",
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

}  // namespace

Hyperparameters default_parameters() {
    return {.layers = {100},
            .batch_size = 32,
            .n_epochs = 4,
            .learning_rate = 0.1,
            .dropout_p_embed = 0.1,
            .n_sample = 2048,
            .sample_alpha = 0.75,
            .logq = 1};
}

std::vector<Comparison> make_comparisons(const Hyperparameters& base) {
    if (base.layers.size() != 1 || base.n_sample < 4) {
        throw std::invalid_argument(
            "--params: the comparisons start from one layer and n_sample >= 4, and vary them: expected layers=UNITS "
            "and n_sample=N");
    }
    return {layers(base), embedding(base), input(base), width(base), negatives(base)};
}

std::vector<Comparison> choose(std::vector<Comparison> comparisons, const std::string& list) {
    if (list.empty()) {
        return comparisons;
    }
    std::set<std::string_view> wanted;
    for (const std::string_view name : gru4rec::detail::split(list, ',')) {
        wanted.insert(name);
        if (std::ranges::find(comparisons, name, &Comparison::name) == comparisons.end()) {
            throw std::invalid_argument("--only: '" + std::string(name) + "' in '" + list + "', expected some of " +
                                        names_of(comparisons));
        }
    }
    std::erase_if(comparisons, [&](const Comparison& comparison) { return !wanted.contains(comparison.name); });
    return comparisons;
}

std::string names_of(const std::vector<Comparison>& comparisons) {
    std::string names;
    for (const Comparison& comparison : comparisons) {
        names += (names.empty() ? "" : ",") + comparison.name;
    }
    return names;
}

}  // namespace findings
