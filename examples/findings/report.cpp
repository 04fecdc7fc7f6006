#include "report.hpp"

#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

#include "support/chart.hpp"
#include "support/formatted.hpp"
#include "tuning.hpp"

namespace findings {

namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] std::string parameter_list(const gru4rec::Hyperparameters& parameters) {
    const auto defaults = gru4rec::Hyperparameters{}.entries();
    std::string list;
    for (const auto& entry : parameters.entries()) {
        if (std::find(defaults.begin(), defaults.end(), entry) == defaults.end()) {
            list += (list.empty() ? "" : ",") + entry.first + "=" + entry.second;
        }
    }
    return list;
}

[[nodiscard]] std::string seed_list(const std::vector<std::uint64_t>& seeds) {
    std::string list;
    for (const std::uint64_t seed : seeds) {
        list += (list.empty() ? "" : ", ") + std::to_string(seed);
    }
    return list;
}

[[nodiscard]] std::string cell(const Result& result, const Spread& spread) {
    if (result.diverged()) {
        return "diverged";
    }
    std::string text = formatted("%.4f", spread.mean);
    if (result.runs.size() > 1) {
        text += " (" + formatted("%.4f", spread.low) + " to " + formatted("%.4f", spread.high) + ")";
    }
    return text;
}

[[nodiscard]] std::string row(const Comparison& comparison, const Result& result) {
    return "| " + comparison.name + " | " + result.setting.name + " | " + cell(result, result.recall) + " | " +
           cell(result, result.mrr) + " | " + formatted("%.1f", result.seconds) + " |\n";
}

[[nodiscard]] bool compares(const Report& report, std::string_view name) {
    return std::any_of(report.compared.begin(), report.compared.end(),
                       [&](const auto& each) { return each.comparison.name == name; });
}

[[nodiscard]] Json to_json(const Result& result, const Spread& spread) {
    return result.diverged() ? Json() : Json{{"mean", spread.mean}, {"min", spread.low}, {"max", spread.high}};
}

[[nodiscard]] Json entries_json(const std::vector<std::pair<std::string, std::string>>& entries) {
    Json object = Json::object();
    for (const auto& [name, value] : entries) {
        object[name] = value;
    }
    return object;
}

[[nodiscard]] Json to_json(const Run& run) {
    if (!run.divergence.empty()) {
        return {{"diverged", run.divergence}, {"seconds", run.seconds}};
    }
    return {{"recall", run.recall}, {"mrr", run.mrr}, {"seconds", run.seconds}};
}

[[nodiscard]] Json to_json(const Trial& trial) {
    Json json = to_json(trial.run);
    json["params"] = entries_json(tuned_entries(trial.parameters));
    return json;
}

[[nodiscard]] Json to_json(const std::optional<Tuning>& tuning) {
    return tuning ? Json{{"trials", tuning->n_trials}, {"seed", tuning->seed}, {"validation", tuning->validation}}
                  : Json();
}

[[nodiscard]] Json to_json(const Result& result) {
    Json runs = Json::array();
    for (const Run& run : result.runs) {
        runs.push_back(to_json(run));
    }
    Json trials = Json::array();
    for (const Trial& trial : result.setting.trials) {
        trials.push_back(to_json(trial));
    }
    return {{"setting", result.setting.name},
            {"params", entries_json(result.setting.parameters.entries())},
            {"trials", std::move(trials)},
            {"diverged", result.diverged()},
            {"recall", to_json(result, result.recall)},
            {"mrr", to_json(result, result.mrr)},
            {"seconds", result.seconds},
            {"runs", std::move(runs)}};
}

}  // namespace

std::string to_markdown(const Report& report) {
    std::string text = "# Findings\n\n" + report.data_description + ". Seeds " + seed_list(report.seeds) +
                       ". All settings share\n\n    " + parameter_list(report.parameters) + "\n\n" +
                       (report.tuning ? tuning_summary(report.compared, *report.tuning)
                                      : "except for what is compared; no setting is tuned on its own.") +
                       (compares(report, "embedding") ? " One-hot input has no embedding to drop from." : "") +
                       " Mean, and minimum to maximum over the seeds; ties count against the target.\n\n"
                       "| compared | setting | Recall@20 | MRR@20 | training, s |\n|---|---|---|---|---|\n";
    for (const ComparedSettings& compared : report.compared) {
        for (const Result& result : compared.results) {
            text += row(compared.comparison, result);
        }
    }
    text += "\n" + std::string(noise_rule) + "\n\n";
    for (const ComparedSettings& compared : report.compared) {
        text += "- **" + compared.comparison.name + "**: " + judge(compared).sentence + " (" +
                compared.comparison.published + ")\n";
    }
    text += report.tuning ? "\n" + tuning_section(report.compared, *report.tuning) : "\n";
    return text +
           "Published results are for the whole RSC15 data. Unless yours are the same, compare directions, not "
           "values.\n";
}

std::string to_json(const Report& report) {
    Json comparisons = Json::array();
    for (const ComparedSettings& compared : report.compared) {
        Json results = Json::array();
        for (const Result& result : compared.results) {
            results.push_back(to_json(result));
        }
        const Judgement judgement = judge(compared);
        comparisons.push_back({{"name", compared.comparison.name},
                               {"finding", compared.comparison.finding},
                               {"verdict", std::string(to_string(judgement.verdict))},
                               {"sentence", judgement.sentence},
                               {"published", compared.comparison.published},
                               {"results", std::move(results)}});
    }
    const Json json = {{"version", GRU4REC_VERSION_STRING},
                       {"data", report.data_description},
                       {"seeds", report.seeds},
                       {"params", entries_json(report.parameters.entries())},
                       {"tune", to_json(report.tuning)},
                       {"noise_rule", std::string(noise_rule)},
                       {"comparisons", std::move(comparisons)}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string recall_by_width(const Report& report) {
    charts::Chart chart{
        .title = "Recall@20 by width, minimum to maximum over seeds",
        .x_title = report.tuning ? "units: chosen learning rate, dropout of input and of layer" : "units",
        .y_title = "Recall@20",
        .x_labels = {},
        .series = {{}}};
    std::vector<charts::Point>& points = chart.series.front().points;
    for (const ComparedSettings& compared : report.compared) {
        for (const Result& result : compared.results) {
            if (compared.comparison.name == "width" && !result.diverged()) {
                points.push_back(
                    {static_cast<double>(points.size()), result.recall.mean, result.recall.low, result.recall.high});
                const gru4rec::Hyperparameters& parameters = result.setting.parameters;
                chart.x_labels.push_back(std::to_string(parameters.layers.front()) +
                                         (report.tuning ? ": " + tuned_values(parameters, ", ") : ""));
            }
        }
    }
    return points.empty() ? std::string() : charts::svg_file(chart);
}

}  // namespace findings
