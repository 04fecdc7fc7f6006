#include "metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

#include "json_text.hpp"

namespace cli::server {

namespace {

[[nodiscard]] std::size_t class_of(std::int64_t microseconds) noexcept {
    const auto* const bound = std::lower_bound(latency_bounds.begin(), latency_bounds.end(), microseconds);
    return static_cast<std::size_t>(bound - latency_bounds.begin());
}

class Text {
  public:
    void begin(std::string_view name, std::string_view kind, std::string_view help) {
        out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
        out_.append(" ").append(kind).append("\n");
    }
    template <class Number>
    void add(std::string_view name, const std::string& labels, Number value) {
        out_.append(name).append(labels.empty() ? "" : "{" + labels + "}").append(" ");
        append_number(out_, value);
        out_ += '\n';
    }
    template <class Number>
    void one(std::string_view name, std::string_view kind, std::string_view help, Number value) {
        begin(name, kind, help);
        add(name, "", value);
    }
    void append(const Text& other) { out_ += other.out_; }
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    std::string out_;
};

[[nodiscard]] std::string label_of(std::size_t route) {
    const auto id = static_cast<Route>(route);
    const std::string_view method = id == Route::none ? "none" : name_of(routes[route].method);
    return "route=\"" + std::string(path_of(id)) + "\",method=\"" + std::string(method) + "\"";
}

[[nodiscard]] double seconds(std::int64_t microseconds) noexcept { return static_cast<double>(microseconds) / 1e6; }

template <class Of>
[[nodiscard]] std::int64_t sum_of(std::span<const Counters* const> threads, const Of& of) {
    std::int64_t sum = 0;
    for (const Counters* const thread : threads) {
        sum += std::invoke(of, *thread).value();
    }
    return sum;
}

void write_requests(std::span<const Counters* const> threads, Text& text) {
    text.begin("gru4rec_requests_total", "counter", "Requests answered, by route and status.");
    std::array<std::int64_t, statuses.size()> by_status{};
    for (std::size_t route = 0; route < n_routes; ++route) {
        for (std::size_t s = 0; s < statuses.size(); ++s) {
            const std::int64_t n =
                sum_of(threads, [&](const Counters& c) -> const Counter& { return c.routes[route].by_status[s]; });
            by_status[s] += n;
            if (n > 0) {
                text.add("gru4rec_requests_total",
                         label_of(route) + ",status=\"" + std::to_string(statuses[s].number) + "\"", n);
            }
        }
    }
    text.begin("gru4rec_errors_total", "counter", "Requests answered with an error, by status.");
    for (std::size_t s = 0; s < statuses.size(); ++s) {
        if (statuses[s].number >= 400) {
            text.add("gru4rec_errors_total", "status=\"" + std::to_string(statuses[s].number) + "\"", by_status[s]);
        }
    }
}

void write_latencies(std::span<const Counters* const> threads, Text& text) {
    constexpr std::string_view name = "gru4rec_request_duration_seconds";
    text.begin(name, "histogram", "Time from the last byte of a request to its whole answer, by route.");
    for (std::size_t route = 0; route < n_routes; ++route) {
        std::int64_t n = 0;
        Text buckets;
        for (std::size_t i = 0; i <= latency_bounds.size(); ++i) {
            n += sum_of(threads, [&](const Counters& c) -> const Counter& { return c.routes[route].by_latency[i]; });
            std::string bound = "+Inf";
            if (i < latency_bounds.size()) {
                bound.clear();
                append_number(bound, seconds(latency_bounds[i]));
            }
            buckets.add(std::string(name) + "_bucket", label_of(route) + ",le=\"" + bound + "\"", n);
        }
        if (n > 0) {
            const std::int64_t microseconds =
                sum_of(threads, [&](const Counters& c) -> const Counter& { return c.routes[route].microseconds; });
            text.append(buckets);
            text.add(std::string(name) + "_sum", label_of(route), seconds(microseconds));
            text.add(std::string(name) + "_count", label_of(route), n);
        }
    }
}

void write_sessions(std::span<const Counters* const> threads, const ServedModel& model, Text& text) {
    const SessionFigures figures = model.figures();
    if (figures.n_sessions) {
        text.one("gru4rec_sessions", "gauge", "Live sessions.", *figures.n_sessions);
        text.one("gru4rec_session_bytes", "gauge", "Memory of the live sessions.", figures.n_bytes.value_or(0));
    }
    text.begin("gru4rec_sessions_total", "counter", "Sessions, by what happened to them.");
    text.add("gru4rec_sessions_total", "event=\"created\"",
             figures.n_created + sum_of(threads, &Counters::sessions_created));
    if (figures.n_sessions) {
        text.add("gru4rec_sessions_total", "event=\"expired\"", figures.n_expired.value_or(0));
        text.add("gru4rec_sessions_total", "event=\"evicted\"", figures.n_evicted.value_or(0));
    } else {
        text.one("gru4rec_session_conflicts_total", "counter",
                 "Visits repeated, as another process had changed the session.",
                 sum_of(threads, &Counters::session_conflicts));
        text.one("gru4rec_session_failures_total", "counter", "Exchanges with the store of sessions that failed.",
                 sum_of(threads, &Counters::session_failures));
    }
}

void write_model(ModelHolder& holder, Text& text) {
    using Seconds = std::chrono::duration<double>;
    const auto serving = holder.serving();
    const ReloadReport reloads = holder.reloads();
    const auto loaded = serving->model->loaded();
    text.begin("gru4rec_model_info", "gauge", "The model that is served.");
    text.add("gru4rec_model_info",
             "hash=\"" + serving->model->hash() + "\",precision=\"" + serving->model->precision() + "\"", 1);
    text.one("gru4rec_model_items", "gauge", "Items of the model.", serving->model->items().size());
    text.one("gru4rec_model_items_allowed", "gauge", "Items that the filter lets through.", serving->filter.n_allowed);
    text.one("gru4rec_model_loaded_timestamp_seconds", "gauge", "When the model was loaded.",
             std::chrono::duration_cast<Seconds>(loaded.time_since_epoch()).count());
    text.one("gru4rec_model_age_seconds", "gauge", "Time since the model was loaded.",
             std::chrono::duration_cast<Seconds>(std::chrono::system_clock::now() - loaded).count());
    text.begin("gru4rec_reloads_total", "counter", "Attempts to load a new model file.");
    text.add("gru4rec_reloads_total", "result=\"loaded\"", reloads.loaded);
    text.add("gru4rec_reloads_total", "result=\"failed\"", reloads.failed);
    text.one("gru4rec_last_reload_failed", "gauge",
             "1 if the last reload failed and what was served before is still served.",
             reloads.problem.empty() ? 0 : 1);
}

[[nodiscard]] std::int64_t resident_bytes() {
    long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        long all = 0;
        pages = std::fscanf(file, "%ld %ld", &all, &pages) == 2 ? pages : 0;
        std::fclose(file);
    }
    return static_cast<std::int64_t>(pages) * ::sysconf(_SC_PAGESIZE);
}

[[nodiscard]] double processor_seconds() {
    struct rusage usage = {};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto in_seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime);
}

}  // namespace

void Counters::count(Route route, int status, std::int64_t microseconds) noexcept {
    OfRoute& of_route = routes[static_cast<std::size_t>(route)];
    const auto* const found =
        std::find_if(statuses.begin(), statuses.end(), [&](const Status& entry) { return entry.number == status; });
    if (found != statuses.end()) {
        of_route.by_status[static_cast<std::size_t>(found - statuses.begin())].add();
    }
    of_route.by_latency[class_of(microseconds)].add();
    of_route.microseconds.add(microseconds);
}

std::string metrics_text(std::span<const Counters* const> threads, const ServerState& server, ModelHolder& holder) {
    Text text;
    write_requests(threads, text);
    write_latencies(threads, text);
    text.one("gru4rec_lists_total", "counter", "Lists of recommendations made.", sum_of(threads, &Counters::lists));
    text.one("gru4rec_turns_total", "counter", "Turns of a thread in which lists were made, all of a turn together.",
             sum_of(threads, &Counters::turns));
    text.one("gru4rec_received_bytes_total", "counter", "Bytes received.", sum_of(threads, &Counters::received));
    text.one("gru4rec_sent_bytes_total", "counter", "Bytes sent.", sum_of(threads, &Counters::sent));
    text.one("gru4rec_log_lines_dropped_total", "counter", "Lines of the log that nobody took.",
             sum_of(threads, &Counters::log_lines_dropped));
    text.one("gru4rec_connections", "gauge", "Open connections.", server.connections.load());
    text.one("gru4rec_connections_total", "counter", "Connections accepted.", server.accepted.load());
    text.one("gru4rec_connections_refused_total", "counter", "Connections turned away because there were too many.",
             server.turned_away.load());
    write_sessions(threads, *holder.serving()->model, text);
    write_model(holder, text);
    text.one("process_cpu_seconds_total", "counter", "Processor time, user and system.", processor_seconds());
    text.one("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    return text.take();
}

}  // namespace cli::server
