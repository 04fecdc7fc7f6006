#include "results.hpp"

#include "gru4rec/core/file.hpp"
#include "gru4rec/version.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "../messages.hpp"

namespace cli::playback {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, double>, 3> quantiles{{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}}};

[[nodiscard]] double milliseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e6; }

void print_latencies(const char* name, const Latencies& latencies) {
    std::printf("  %-12s", name);
    for (const auto& [label, q] : quantiles) {
        std::printf("  %8.3f", milliseconds(latencies.quantile(q)));
    }
    std::printf("  %8.3f\n", milliseconds(latencies.maximum()));
}

/// A line for a count that should be 0.
void print_count(std::int64_t count, const char* text) {
    if (count > 0) {
        std::printf("  %s: %lld\n", text, static_cast<long long>(count));
    }
}

[[nodiscard]] Json latencies_json(const Latencies& latencies) {
    Json result = Json::object();
    for (const auto& [label, q] : quantiles) {
        result[std::string(label)] = milliseconds(latencies.quantile(q));
    }
    result["max"] = milliseconds(latencies.maximum());
    result["mean"] = latencies.mean() / 1e6;
    return result;
}

[[nodiscard]] Json errors_json(const Results& results) {
    Json errors = Json::array();
    for (const auto& [kind, error] : results.errors) {
        errors.push_back({{"kind", kind}, {"count", error.count}, {"first", error.first}});
    }
    return errors;
}

[[nodiscard]] Json options_json(const ReplayedSet& set, const ReplayOptions& options) {
    return {{"version", GRU4REC_VERSION_STRING},
            {"url", options.url},
            {"file", set.file},
            {"model", set.model},
            {"mode", options.stateless ? "stateless" : "sessions"},
            {"n", options.n},
            {"rate", options.rate},
            {"connections", options.connections},
            {"sessions", set.n_sessions},
            {"requests", set.n_steps},
            {"skipped_unknown", set.n_unknown}};
}

void add_results(Json& report, const Results& results) {
    const gru4rec::Evaluation evaluation = results.hits.evaluation();
    const gru4rec::Metrics& metrics = evaluation.metrics.front();
    const std::string cutoff = std::to_string(evaluation.cutoffs.front());
    report["predictions"] = evaluation.n_predictions;
    report["recall"][cutoff] = metrics.recall.front();
    report["mrr"][cutoff] = metrics.mrr.front();
    report["ndcg"][cutoff] = metrics.ndcg.front();
    report["seconds"] = results.seconds;
    report["requests_per_second"] = results.per_second();
    report["milliseconds_from_due"] = latencies_json(results.from_due);
    report["milliseconds_from_sent"] = latencies_json(results.from_sent);
    report["failed"] = results.n_errors();
    report["errors"] = errors_json(results);
    report["gave_up"] = results.gave_up;
    report["models"] = results.models;
    report["lost_sessions"] = results.n_lost_sessions;
    report["unknown_to_server"] = results.n_unknown;
    report["held"] = results.n_held;
    report["connections_opened"] = results.connections.opened;
    report["connections_closed_by_server"] = results.connections.closed_by_server;
    report["sent_again"] = results.connections.sent_again;
    report["sessions_deleted"] = results.n_deleted;
    report["sessions_gone"] = results.n_gone;
    report["sessions_left"] = results.n_left;
}

/// Of a name that the server gave, or of "other" for all but the first hundred, whatever a strange server thinks of.
template <class Value>
[[nodiscard]] Value& entry_of(std::map<std::string, Value>& entries, const std::string& given) {
    constexpr std::size_t most_names = 100;
    const std::string name = one_line(given);
    return entries[entries.size() < most_names || entries.count(name) > 0 ? name : "other"];
}

}  // namespace

std::int64_t Results::n_errors() const noexcept {
    std::int64_t n = 0;
    for (const auto& [kind, error] : errors) {
        n += error.count;
    }
    return n;
}

void Results::add_error(const std::string& kind, const std::string& message) {
    Errors& error = entry_of(errors, kind);
    if (error.count++ == 0) {
        error.first = message.empty() ? "no text" : one_line(message);
    }
}

void Results::add_model(const std::string& hash) { ++entry_of(models, hash); }

void print_results(const Results& results, const ReplayedSet& set, const ReplayOptions& options) {
    gru4rec::Evaluation evaluation = results.hits.evaluation();
    evaluation.seconds = results.seconds;
    print_evaluation({set.file, set.n_unknown, evaluation});
    std::printf("%s: %lld answers, %lld errors, %.1f requests/s\n", options.url.c_str(),
                static_cast<long long>(results.from_due.count()), static_cast<long long>(results.n_errors()),
                results.per_second());
    std::printf("  %-12s  %8s  %8s  %8s  %8s\n", "ms", "p50", "p90", "p99", "max");
    if (options.rate > 0) {
        print_latencies("from due", results.from_due);
    }
    print_latencies("from sent", results.from_sent);
    for (const auto& [kind, error] : results.errors) {
        std::printf("  %s: %lld, the first: %s\n", kind.c_str(), static_cast<long long>(error.count),
                    error.first.c_str());
    }
    std::int64_t n_other = 0;
    for (const auto& [model, count] : results.models) {
        n_other += model == set.model ? 0 : count;
    }
    print_count(n_other, "answers of models other than MODEL");
    print_count(results.n_unknown, "items that the server's model lacks");
    print_count(results.n_lost_sessions, "sessions that the server had lost events of");
    print_count(results.connections.sent_again, "requests sent again on a new connection");
    print_count(results.connections.closed_by_server, "connections closed by the server between requests");
    print_count(results.n_gone, "sessions that had ended before they were deleted");
    print_count(results.n_left, "sessions that could not be deleted");
    std::fflush(stdout);
}

void write_results(const Results& results, const ReplayedSet& set, const ReplayOptions& options) {
    Json report = options_json(set, options);
    add_results(report, results);
    gru4rec::detail::write_file(options.report, report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace cli::playback
