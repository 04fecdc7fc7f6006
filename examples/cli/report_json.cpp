#include "gru4rec/core/parallel.hpp"
#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "machine.hpp"
#include "report.hpp"
#include "report_page/run.hpp"
#include "this_engine.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

/// Adds intervals, coverage and popularity if they were measured.
void add_optional_measures(Json& entry, const gru4rec::Evaluation& result, const gru4rec::Metrics& metrics) {
    const bool has_lists = !result.coverage.empty();
    const bool has_intervals = !metrics.recall_interval.empty();
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
        const std::string cutoff = std::to_string(result.cutoffs[c]);
        if (has_intervals) {
            entry["recall_interval"][cutoff] = {metrics.recall_interval[c].low, metrics.recall_interval[c].high};
            entry["mrr_interval"][cutoff] = {metrics.mrr_interval[c].low, metrics.mrr_interval[c].high};
        }
        if (has_lists) {
            entry["coverage"][cutoff] = result.coverage[c];
            entry["popularity"][cutoff] = result.popularity[c];
        }
    }
}

[[nodiscard]] Json by_cutoff(const std::vector<int>& cutoffs, const std::vector<double>& values) {
    Json object = Json::object();
    for (std::size_t c = 0; c < cutoffs.size(); ++c) {
        object[std::to_string(cutoffs[c])] = values[c];
    }
    return object;
}

[[nodiscard]] Json groups_json(const std::vector<RankGroup>& groups, const std::vector<int>& cutoffs) {
    Json list = Json::array();
    for (const RankGroup& group : groups) {
        list.push_back({{"from", group.from},
                        {"to", group.to ? Json(*group.to) : Json()},
                        {"predictions", group.n_predictions},
                        {"recall", by_cutoff(cutoffs, group.metrics.recall)},
                        {"mrr", by_cutoff(cutoffs, group.metrics.mrr)},
                        {"ndcg", by_cutoff(cutoffs, group.metrics.ndcg)}});
    }
    return list;
}

void add_details(Json& entry, const RankDetails& details, const std::vector<int>& cutoffs) {
    entry["by_position"] = groups_json(details.by_position, cutoffs);
    entry["by_session_length"] = groups_json(details.by_session_length, cutoffs);
    entry["by_popularity"] = groups_json(details.by_popularity, cutoffs);
    entry["ranks"] = Json::array();
    for (const RankCount& count : details.ranks) {
        entry["ranks"].push_back({{"up_to", count.up_to}, {"predictions", count.n_predictions}});
    }
    entry["unranked"] = details.n_unranked;
}

/// One entry per rule for ties.
[[nodiscard]] Json evaluation_json(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    Json entries = Json::array();
    for (std::size_t rule = 0; rule < result.metrics.size(); ++rule) {
        const gru4rec::Metrics& metrics = result.metrics[rule];
        Json entry = {{"file", evaluation.file},
                      {"ties", std::string(to_string(metrics.ties))},
                      {"predictions", result.n_predictions},
                      {"skipped_unknown", evaluation.skipped_unknown},
                      {"recall", by_cutoff(result.cutoffs, metrics.recall)},
                      {"mrr", by_cutoff(result.cutoffs, metrics.mrr)},
                      {"ndcg", by_cutoff(result.cutoffs, metrics.ndcg)}};
        add_optional_measures(entry, result, metrics);
        if (evaluation.warm) {
            entry["warm_sessions"] = result.n_warm_sessions;
            entry["history_events"] = result.n_history_events;
        }
        entry["seconds"] = result.seconds;
        if (!evaluation.baseline.empty()) {
            entry["baseline"] = evaluation.baseline;
            entry["fit_seconds"] = evaluation.fit_seconds;
        }
        if (!evaluation.details.empty()) {
            add_details(entry, evaluation.details[rule], result.cutoffs);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

[[nodiscard]] Json epoch_json(const TrainedEpoch& epoch) {
    Json entry = {{"epoch", epoch.report.epoch},
                  {"loss", epoch.report.loss},
                  {"seconds", epoch.report.seconds},
                  {"steps", epoch.report.steps},
                  {"pairs", epoch.report.pairs},
                  {"events_per_second", epoch.report.events_per_second()},
                  {"learning_rate", epoch.report.learning_rate}};
    for (const WeightNorm& weights : epoch.weights) {
        entry["weight_norms"][weights.tensor] = weights.norm;
    }
    for (const gru4rec::GradientNorm& gradient : epoch.report.gradients) {
        entry["gradient_norms"][gradient.name] = {
            {"mean", gradient.mean}, {"largest", gradient.largest}, {"updates", gradient.updates}};
    }
    if (epoch.valid) {
        entry["valid"] = evaluation_json(*epoch.valid);
    }
    return entry;
}

void append(Json& array, const Json& more) {
    for (const Json& entry : more) {
        array.push_back(entry);
    }
}

[[nodiscard]] Json document(const Report& report) {
    const int available = gru4rec::available_threads();
    Json json = {{"version", GRU4REC_VERSION_STRING},
                 {"report_version", report_version},
                 {"cpu", cpu_name()},
                 {"engine", engine_name()},
                 {"flags", build_flags()},
                 {"threads", report.threads == 0 ? available : (std::min)(report.threads, available)}};
    if (report.training) {
        json["seed"] = report.training->seed;
    }
    json["params"] = Json::object();
    for (const auto& [name, value] : report.params) {
        json["params"][name] = value;
    }
    json["data"] = {{"sessions", report.sessions}, {"items", report.items}, {"events", report.events}};
    if (report.training) {
        json["epochs"] = Json::array();
        for (const TrainedEpoch& epoch : report.training->epochs) {
            json["epochs"].push_back(epoch_json(epoch));
        }
        if (report.training->best_epoch > 0) {
            json["best_epoch"] = report.training->best_epoch;
        }
        json["step_loss"] = report.training->step_loss;
    }
    json["evaluations"] = Json::array();
    for (const FileEvaluation& evaluation : report.evaluations) {
        append(json["evaluations"], evaluation_json(evaluation));
    }
    json["peak_rss_bytes"] = peak_rss_bytes();
    return json;
}

}  // namespace

std::string to_json(const Report& report) {
    // File names need not be UTF-8; JSON must be.
    return document(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace cli
