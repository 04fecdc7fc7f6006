#include "tuning.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>

#include "support/formatted.hpp"

namespace findings {

namespace {

using gru4rec::Hyperparameters;

/// The steps of the sequence R3 in each dimension: powers of 1/g, g^4 = g + 1 (Roberts, "The unreasonable effectiveness
/// of quasirandom sequences", 2018).
constexpr std::array<double, tuned_names.size()> steps{0.8191725133961645, 0.6710436067037893, 0.5497004779019703};

[[nodiscard]] double rate_factor(double share) {
    return smallest_rate_factor * std::pow(largest_rate_factor / smallest_rate_factor, share);
}

[[nodiscard]] double dropout(double share) {
    constexpr double per_unit = 20;  // steps of 0.05
    return std::floor(share * share * (largest_dropout * per_unit + 1)) / per_unit;
}

[[nodiscard]] std::vector<Trial> trials_of(const Setting& setting, const std::vector<Draw>& draws) {
    std::vector<Trial> trials;
    trials.push_back({setting.parameters});
    for (const Draw& draw : draws) {
        trials.push_back({with_draw(setting.parameters, draw)});
    }
    return trials;
}

[[nodiscard]] std::string trial_name(const Setting& setting, std::size_t trial) {
    std::string name = setting.name + ", trial " + std::to_string(trial + 1);
    for (const auto& [parameter, value] : tuned_entries(setting.trials[trial].parameters)) {
        name += ", " + parameter + "=" + value;
    }
    return name;
}

[[nodiscard]] const Trial& best_of(const Setting& setting) {
    const Trial* best = nullptr;
    for (const Trial& trial : setting.trials) {
        if (trial.run.divergence.empty() && (best == nullptr || trial.run.recall > best->run.recall)) {
            best = &trial;
        }
    }
    if (best == nullptr) {
        throw gru4rec::NonFiniteError("--tune: all " + std::to_string(setting.trials.size()) + " trials of '" +
                                      setting.name + "' diverged, the first: " + setting.trials.front().run.divergence +
                                      "; change what the settings share with --params");
    }
    return *best;
}

}  // namespace

std::vector<Draw> make_draws(std::size_t n, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::array<double, steps.size()> shares{};
    for (double& share : shares) {  // not std::uniform_real_distribution: standard libraries differ in it
        share = static_cast<double>(random() >> 11) * 0x1.0p-53;
    }
    std::vector<Draw> draws;
    for (std::size_t i = 0; i < n; ++i) {
        draws.push_back({rate_factor(shares[0]), dropout(shares[1]), dropout(shares[2])});
        for (std::size_t d = 0; d < shares.size(); ++d) {
            shares[d] = std::fmod(shares[d] + steps[d], 1);
        }
    }
    return draws;
}

Hyperparameters with_draw(Hyperparameters parameters, const Draw& draw) {
    parameters.set("learning_rate", formatted("%.3g", parameters.effective_learning_rate() * draw.rate_factor));
    parameters.dropout_p_embed = parameters.one_hot() ? 0 : draw.dropout_p_embed;
    parameters.dropout_p_hidden = draw.dropout_p_hidden;
    parameters.validate();
    return parameters;
}

std::vector<std::pair<std::string, std::string>> tuned_entries(const Hyperparameters& parameters) {
    auto entries = parameters.entries();
    std::erase_if(entries, [](const auto& entry) {
        return std::find(tuned_names.begin(), tuned_names.end(), entry.first) == tuned_names.end();
    });
    return entries;
}

std::vector<Comparison> tunable(const std::vector<Comparison>& comparisons) {
    std::vector<Comparison> result;
    std::copy_if(comparisons.begin(), comparisons.end(), std::back_inserter(result),
                 [](const Comparison& comparison) { return comparison.tunable; });
    return result;
}

void tune(std::vector<Comparison>& comparisons, const std::vector<Draw>& draws, const Validate& validate) {
    std::vector<Setting> tuned = different_settings(tunable(comparisons));
    for (Setting& setting : tuned) {
        setting.trials = trials_of(setting, draws);
    }
    for (Setting& setting : tuned) {
        for (std::size_t t = 0; t < setting.trials.size(); ++t) {
            setting.trials[t].run = validate({trial_name(setting, t), setting.trials[t].parameters});
        }
        setting.parameters = best_of(setting).parameters;
    }
    for (Comparison& comparison : comparisons) {
        for (Setting& setting : comparison.settings) {
            if (comparison.tunable) {
                const auto same = std::find_if(tuned.begin(), tuned.end(), [&](const Setting& each) {
                    return each.trials.front().parameters == setting.parameters;
                });
                setting = {setting.name, same->parameters, same->trials};
            }
        }
    }
}

}  // namespace findings
