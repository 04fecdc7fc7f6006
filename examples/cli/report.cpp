#include "report.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/io/atomic_file.hpp"
#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace cli {

namespace {

using Json = nlohmann::ordered_json;

[[nodiscard]] std::string cpu_name() {
#if defined(__APPLE__)
    char name[256] = {};
    std::size_t size = sizeof(name) - 1;
    if (::sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0) {
        return name;
    }
#else
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) {
            return line.substr(colon + 2);
        }
    }
#endif
    return "unknown";
}

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

[[nodiscard]] std::int64_t peak_rss_bytes() {
#if defined(__unix__) || defined(__APPLE__)
    rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
    return usage.ru_maxrss;
#else
    return std::int64_t{usage.ru_maxrss} * 1024;
#endif
#else
    return 0;
#endif
}

/// One entry per rule for ties.
[[nodiscard]] Json evaluation_json(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    Json entries = Json::array();
    for (const gru4rec::Metrics& metrics : result.metrics) {
        Json recall = Json::object();
        Json mrr = Json::object();
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            const std::string cutoff = std::to_string(result.cutoffs[c]);
            recall[cutoff] = metrics.recall[c];
            mrr[cutoff] = metrics.mrr[c];
        }
        entries.push_back({{"file", evaluation.file},
                           {"ties", std::string(to_string(metrics.ties))},
                           {"predictions", result.n_predictions},
                           {"skipped_unknown", evaluation.skipped_unknown},
                           {"recall", std::move(recall)},
                           {"mrr", std::move(mrr)},
                           {"seconds", result.seconds}});
    }
    return entries;
}

[[nodiscard]] Json epoch_json(const TrainedEpoch& epoch) {
    Json entry = {{"epoch", epoch.report.epoch},
                  {"loss", epoch.report.loss},
                  {"seconds", epoch.report.seconds},
                  {"steps", epoch.report.steps},
                  {"pairs", epoch.report.pairs},
                  {"events_per_second", epoch.report.events_per_second()}};
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

void write_report(const Report& report, const std::string& path) {
    // File names need not be UTF-8; JSON must be.
    gru4rec::write_file(path, to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void print_data(const std::string& file, const gru4rec::Dataset& data) {
    std::printf("%s: %td sessions, %td items, %td events\n", file.c_str(), data.n_sessions(), data.n_items(),
                data.n_events());
    std::fflush(stdout);
}

void print_epoch(const TrainedEpoch& epoch, int n_epochs, bool stopped) {
    const gru4rec::EpochReport& report = epoch.report;
    std::printf("epoch %*d/%d  loss %.6f  %.2f s  %.1f mb/s  %.0f events/s", n_epochs < 10 ? 1 : 2, report.epoch,
                n_epochs, report.loss, report.seconds, report.steps_per_second(), report.events_per_second());
    if (epoch.valid) {
        const gru4rec::Evaluation& result = epoch.valid->result;
        const gru4rec::Metrics& metrics = result.metrics.front();
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  Recall@%d %.6f  MRR@%d %.6f", result.cutoffs[c], metrics.recall[c], result.cutoffs[c],
                        metrics.mrr[c]);
        }
    }
    if (stopped) {
        std::printf("  (stopped after %lld steps)", static_cast<long long>(report.steps));
    }
    std::printf("\n");
    std::fflush(stdout);
}

void print_evaluation(const FileEvaluation& evaluation) {
    const gru4rec::Evaluation& result = evaluation.result;
    std::printf("%s: %td predictions, %td events of unknown items skipped, %.2f s\n", evaluation.file.c_str(),
                result.n_predictions, evaluation.skipped_unknown, result.seconds);
    std::printf("  %-12s  %6s  %8s  %8s\n", "ties", "cutoff", "Recall", "MRR");
    for (const gru4rec::Metrics& metrics : result.metrics) {
        const std::string ties(to_string(metrics.ties));
        for (std::size_t c = 0; c < result.cutoffs.size(); ++c) {
            std::printf("  %-12s  %6d  %8.6f  %8.6f\n", ties.c_str(), result.cutoffs[c], metrics.recall[c],
                        metrics.mrr[c]);
        }
    }
    std::fflush(stdout);
}

}  // namespace cli
