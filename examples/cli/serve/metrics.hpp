#ifndef GRU4REC_CLI_SERVE_METRICS_HPP
#define GRU4REC_CLI_SERVE_METRICS_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "model_holder.hpp"
#include "routes.hpp"

namespace cli::server {

/// A number that one thread raises and others read.
class Counter {
  public:
    void add(std::int64_t amount = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
    [[nodiscard]] std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_ = 0;
};

/// Upper bounds of the classes of latencies, in microseconds.
inline constexpr std::array<std::int64_t, 14> latency_bounds{
    50, 100, 250, 500, 1'000, 2'500, 5'000, 10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000};

/// What one thread has done.
struct alignas(64) Counters {
    struct OfRoute {
        std::array<Counter, statuses.size()> by_status;
        std::array<Counter, latency_bounds.size() + 1> by_latency;  // the last one: above all bounds
        Counter microseconds;
    };
    std::array<OfRoute, n_routes> routes;
    Counter turns;     ///< in which lists were made
    Counter lists;     ///< made
    Counter received;  ///< bytes
    Counter sent;      ///< bytes
    Counter log_lines_dropped;
    // Of sessions that are kept elsewhere
    Counter sessions_created;
    Counter session_conflicts;
    Counter session_failures;

    void count(Route route, int status, std::int64_t microseconds) noexcept;
};

/// The state of the server as a whole.
struct ServerState {
    std::atomic<std::int64_t> connections = 0;
    std::atomic<std::int64_t> accepted = 0;
    std::atomic<std::int64_t> turned_away = 0;  ///< because there were too many
    std::atomic<bool> stopping = false;
};

/// The text that Prometheus reads.
[[nodiscard]] std::string metrics_text(std::span<const Counters* const> threads, const ServerState& server,
                                       ModelHolder& holder);

}  // namespace cli::server

#endif
