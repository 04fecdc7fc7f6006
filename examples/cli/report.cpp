#include "report.hpp"

#include "gru4rec/core/file.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/eval/ranks_file.hpp"
#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string_view>

#if defined(__APPLE__)
#include <sys/resource.h>
#include <sys/sysctl.h>
#endif

#include "this_engine.hpp"

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

/// What the program was compiled with: compiler, optimisation, instruction sets.
[[nodiscard]] std::string build_flags() {
#if defined(__clang__)
    std::string flags = __VERSION__;  // names the compiler itself
#elif defined(__GNUC__)
    std::string flags = "GCC " __VERSION__;
#else
    std::string flags = "unknown compiler";
#endif
    const auto add = [&](std::string_view name) { flags.append(", ").append(name); };
#if defined(__OPTIMIZE__)
    add("optimised");
#else
    add("not optimised");
#endif
#if !defined(NDEBUG)
    add("assertions");
#endif
#if defined(__SANITIZE_ADDRESS__)
    add("AddressSanitizer");
#endif
#if defined(__SSE4_2__)
    add("SSE4.2");
#endif
#if defined(__AVX__)
    add("AVX");
#endif
#if defined(__AVX2__)
    add("AVX2");
#endif
#if defined(__FMA__)
    add("FMA");
#endif
#if defined(__AVX512F__)
    add("AVX512F");
#endif
#if defined(__ARM_NEON)
    add("NEON");
#endif
    return flags;
}

/// The value of the first line that starts with `name`, in a file such as /proc/cpuinfo with lines "name : value".
[[nodiscard]] std::string entry_of(const char* path, std::string_view name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (line.starts_with(name) && colon != std::string::npos) {
            return line.substr((std::min)(line.size(), line.find_first_not_of(" \t", colon + 1)));
        }
    }
    return {};
}

[[nodiscard]] std::string cpu_name() {
#if defined(__APPLE__)
    std::array<char, 256> name{};
    std::size_t size = name.size() - 1;
    const bool found = ::sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0;
    return found ? name.data() : "unknown";
#else
    const std::string name = entry_of("/proc/cpuinfo", "model name");
    return name.empty() ? "unknown" : name;
#endif
}

/// Peak resident memory of the process; 0 if unknown.
[[nodiscard]] std::int64_t peak_rss_bytes() {
#if defined(__APPLE__)
    rusage usage = {};
    return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{usage.ru_maxrss} : 0;
#else
    // Not getrusage(): on Linux it includes the memory of the parent process before exec().
    const std::string kilobytes = entry_of("/proc/self/status", "VmHWM");
    std::int64_t value = 0;
    std::from_chars(kilobytes.data(), kilobytes.data() + kilobytes.size(), value);
    return value * 1024;
#endif
}

/// Optional measures.
void add_extras(Json& entry, const gru4rec::Evaluation& result, const gru4rec::Metrics& metrics) {
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

/// One entry per rule for ties.
[[nodiscard]] Json evaluation_json(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    Json entries = Json::array();
    for (const gru4rec::Metrics& metrics : result.metrics) {
        Json recall = Json::object();
        Json mrr = Json::object();
        Json ndcg = Json::object();
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            const std::string cutoff = std::to_string(result.cutoffs[c]);
            recall[cutoff] = metrics.recall[c];
            mrr[cutoff] = metrics.mrr[c];
            ndcg[cutoff] = metrics.ndcg[c];
        }
        Json entry = {{"file", evaluation.file},
                      {"ties", std::string(to_string(metrics.ties))},
                      {"predictions", result.n_predictions},
                      {"skipped_unknown", evaluation.skipped_unknown},
                      {"recall", std::move(recall)},
                      {"mrr", std::move(mrr)},
                      {"ndcg", std::move(ndcg)}};
        add_extras(entry, result, metrics);
        if (evaluation.warm) {
            entry["warm_sessions"] = result.n_warm_sessions;
            entry["history_events"] = result.n_history_events;
        }
        entry["seconds"] = result.seconds;
        if (!evaluation.baseline.empty()) {
            entry["baseline"] = evaluation.baseline;
            entry["fit_seconds"] = evaluation.fit_seconds;
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

[[nodiscard]] Json epoch_json(const TrainedEpoch& epoch) {
    Json entry = {{"epoch", epoch.report.epoch},     {"loss", epoch.report.loss},
                  {"seconds", epoch.report.seconds}, {"steps", epoch.report.steps},
                  {"pairs", epoch.report.pairs},     {"events_per_second", epoch.report.events_per_second()}};
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

[[nodiscard]] Json to_json(const Report& report) {
    const int available = gru4rec::available_threads();
    Json json = {{"version", GRU4REC_VERSION_STRING},
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

void print_intervals(const gru4rec::Evaluation& result) {
    if (result.metrics.front().recall_interval.empty()) {
        return;
    }
    std::printf("  %-12s  %6s  %-20s  %-20s\n", "ties", "cutoff", "Recall between", "MRR between");
    for (const gru4rec::Metrics& metrics : result.metrics) {
        const std::string ties(to_string(metrics.ties));
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            const auto& [recall_low, recall_high] = metrics.recall_interval[c];
            const auto& [mrr_low, mrr_high] = metrics.mrr_interval[c];
            std::printf("  %-12s  %6d  %8.6f .. %8.6f  %8.6f .. %8.6f\n", ties.c_str(), result.cutoffs[c], recall_low,
                        recall_high, mrr_low, mrr_high);
        }
    }
}

void print_lists(const gru4rec::Evaluation& result) {
    if (result.coverage.empty()) {
        return;
    }
    std::printf("  %6s  %8s  %10s\n", "cutoff", "Coverage", "Popularity");
    for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
        std::printf("  %6d  %8.6f  %10.8f\n", result.cutoffs[c], result.coverage[c], result.popularity[c]);
    }
}

}  // namespace

void write_report(const Report& report, const std::string& path) {
    // File names need not be UTF-8; JSON must be.
    gru4rec::detail::write_file(path, to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print_data(const std::string& file, const gru4rec::Dataset& data) {
    std::printf("%s: %td sessions, %td items, %td events\n", file.c_str(), data.n_sessions(), data.n_items(),
                data.n_events());
    std::fflush(stdout);
}

void print_epoch(const TrainedEpoch& epoch, int n_epochs) {
    const gru4rec::EpochReport& report = epoch.report;
    const auto width = static_cast<int>(std::to_string(n_epochs).size());
    std::printf("epoch %*d/%d  ", width, report.epoch, n_epochs);
    std::printf(report.loss < 1e6 ? "loss %.6f" : "loss %.6e", report.loss);
    std::printf("  %.2f s  %.1f mb/s  %.0f events/s", report.seconds, report.steps_per_second(),
                report.events_per_second());
    if (epoch.valid) {
        const gru4rec::Evaluation& result = epoch.valid->result;
        const gru4rec::Metrics& metrics = result.metrics.front();
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  Recall@%d %.6f  MRR@%d %.6f  NDCG@%d %.6f", result.cutoffs[c], metrics.recall[c],
                        result.cutoffs[c], metrics.mrr[c], result.cutoffs[c], metrics.ndcg[c]);
        }
    }
    std::printf("\n");
    std::fflush(stdout);
}

gru4rec::KeepSessionIds session_ids_for(const MeasureOptions& options) {
    return options.ranks.empty() ? gru4rec::KeepSessionIds::no : gru4rec::KeepSessionIds::yes;
}

void check_ranks(const MeasureOptions& options, const gru4rec::Dataset& test) {
    if (!options.ranks.empty()) {
        gru4rec::check_ranks_file(options.ranks, test);
    }
}

void write_ranks(const MeasureOptions& options, const FileEvaluation& evaluation, const gru4rec::Dataset& test) {
    if (!options.ranks.empty()) {
        const gru4rec::Evaluation& result = evaluation.result;
        gru4rec::write_ranks(options.ranks, result.ranks, test, result.metrics.front().ties);
    }
}

void print_history(const std::string& file, const gru4rec::Dataset& history, const gru4rec::Evaluation& evaluation) {
    std::printf("%s: %td earlier events of %td sessions fed first, %td events of unknown items skipped\n", file.c_str(),
                evaluation.n_history_events, evaluation.n_warm_sessions, history.n_unknown_events());
    std::fflush(stdout);
}

void print_evaluation(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    std::printf("%s: %td predictions, %td events of unknown items skipped, %.2f s\n", evaluation.file.c_str(),
                result.n_predictions, evaluation.skipped_unknown, result.seconds);
    std::printf("  %-12s  %6s  %8s  %8s  %8s\n", "ties", "cutoff", "Recall", "MRR", "NDCG");
    for (const gru4rec::Metrics& metrics : result.metrics) {
        const std::string ties(to_string(metrics.ties));
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  %-12s  %6d  %8.6f  %8.6f  %8.6f\n", ties.c_str(), result.cutoffs[c], metrics.recall[c],
                        metrics.mrr[c], metrics.ndcg[c]);
        }
    }
    print_intervals(result);
    print_lists(result);
    std::fflush(stdout);
}

}  // namespace cli
