#include "tuning_report.hpp"

#include <algorithm>

#include "support/formatted.hpp"
#include "tuning.hpp"

namespace findings {

namespace {

/// `a`, `a and b`, `a, b and c`
[[nodiscard]] std::string enumeration(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    }
    return text;
}

/// Names of comparisons.
struct Names {
    std::vector<std::string> tuned;
    std::vector<std::string> others;
};

[[nodiscard]] Names names_of(const std::vector<ComparedSettings>& compared) {
    Names names;
    for (const ComparedSettings& each : compared) {
        (each.comparison.tunable ? names.tuned : names.others).push_back(each.comparison.name);
    }
    return names;
}

[[nodiscard]] std::string recall_text(const Run& run) {
    return run.divergence.empty() ? formatted("%.4f", run.recall) : "diverged";
}

[[nodiscard]] std::string row(const Comparison& comparison, const Setting& setting) {
    const auto chosen = std::find_if(setting.trials.begin(), setting.trials.end(),
                                     [&](const Trial& trial) { return trial.parameters == setting.parameters; });
    const auto n_diverged = std::count_if(setting.trials.begin(), setting.trials.end(),
                                          [](const Trial& trial) { return !trial.run.divergence.empty(); });
    return "| " + comparison.name + " | " + setting.name + " | " + tuned_values(setting.parameters, " | ") + " | " +
           recall_text(chosen->run) + " | " + recall_text(setting.trials.front().run) + " | " +
           std::to_string(n_diverged) + " |\n";
}

[[nodiscard]] std::string number(double value) { return formatted("%g", value); }

}  // namespace

std::string tuned_values(const gru4rec::Hyperparameters& parameters, std::string_view separator) {
    std::string text;
    for (const auto& [name, value] : tuned_entries(parameters)) {
        text += (text.empty() ? "" : std::string(separator)) + value;
    }
    return text;
}

std::string tuning_summary(const std::vector<ComparedSettings>& compared, const Tuning& tuning) {
    const Names names = names_of(compared);
    return "except for what is compared and, in " + enumeration(names.tuned) +
           ", for learning rate and dropout, which are the best of " + std::to_string(tuning.n_trials) +
           " trials of each setting (table below)." +
           (names.others.empty() ? "" : " The settings of " + enumeration(names.others) + " are not tuned.");
}

std::string tuning_section(const std::vector<ComparedSettings>& compared, const Tuning& tuning) {
    std::string text = "Learning rate and dropout of " + enumeration(names_of(compared).tuned) +
                       " were chosen by Recall@20 on the newest tenth of the training sessions: " + tuning.validation +
                       ". A setting was tried with the shared values and with " + std::to_string(tuning.n_trials - 1) +
                       " draws, the same for all: a learning rate of " + number(smallest_rate_factor) + " to " +
                       number(largest_rate_factor) + " times the shared one (log-uniform), dropouts of 0 to " +
                       number(largest_dropout) + ", small ones more often; all with seed " +
                       std::to_string(tuning.seed) +
                       ". With the best it was then trained on all training data with every seed. The test data "
                       "had no part in the choice.\n\n| compared | setting |";
    for (const std::string_view name : tuned_names) {
        text += " " + std::string(name) + " |";
    }
    text +=
        " validation Recall@20 | with the shared values | trials that diverged |\n|---|---|---|---|---|---|---|---|\n";
    for (const ComparedSettings& each : compared) {
        for (const Result& result : each.results) {
            text += result.setting.trials.empty() ? std::string() : row(each.comparison, result.setting);
        }
    }
    return text + "\n";
}

}  // namespace findings
