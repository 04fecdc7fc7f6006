#ifndef GRU4REC_BENCH_SUPPORT_MEASURE_HPP
#define GRU4REC_BENCH_SUPPORT_MEASURE_HPP

#include "support/machine.hpp"

#include "gru4rec/core/parallel.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <string>
#include <vector>

namespace bench {

enum class Stream { read, update };

/// What one iteration does; what is 0 is not reported.
struct Work {
    double flops = 0;                ///< a multiply-add is two
    double bytes = 0;                ///< through memory, at least
    Stream stream = Stream::update;  ///< what `bytes` is compared with
    double items = 0;
    const char* items_name = "items/s";
};

/// The value that a share of the others lies below. @pre not empty, 0 <= share < 1
[[nodiscard]] inline double quantile(std::vector<double> values, double share) {
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

/// The middle one of the values. @pre not empty
[[nodiscard]] inline double median(const std::vector<double>& values) { return quantile(values, 0.5); }

/// The counters of a benchmark from the seconds of an iteration.
inline void report(benchmark::State& state, int threads, const Work& work, double seconds) {
    Machine& machine = Machine::get();
    if (work.flops > 0) {
        state.counters["GFLOP/s"] = work.flops / seconds * 1e-9;
        state.counters["peak%"] = 100 * work.flops / seconds / machine.fma_peak(threads);
    }
    if (work.bytes > 0) {
        machine.refresh_streams();
        const double stream =
            work.stream == Stream::read ? machine.read_stream(threads) : machine.update_stream(threads);
        state.counters["GB/s"] = work.bytes / seconds * 1e-9;
        state.counters["stream%"] = 100 * work.bytes / seconds / stream;
    }
    if (work.items > 0) {
        state.counters[work.items_name] = work.items / seconds;
    }
}

/// Times one thread by the time that it had a core, several by the clock on the wall.
class Stopwatch {
  public:
    explicit Stopwatch(int threads) : by_cpu_(threads == 1), start_(now()) {}

    [[nodiscard]] double seconds() const { return now() - start_; }

  private:
    [[nodiscard]] double now() const {
#if defined(CLOCK_THREAD_CPUTIME_ID)
        if (by_cpu_) {
            timespec time{};
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
            return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
        }
#endif
        return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
    }

    bool by_cpu_;
    double start_;
};

/// Runs the benchmark's loop with `threads` threads. Every iteration is timed by itself and the counters are those of
/// the median one: neighbours that take the core away for a while do not count. `prepare` runs before each iteration,
/// outside the counters (but inside the time that Google Benchmark prints).
///
/// @returns the seconds of every iteration
template <class Prepare, class Body>
std::vector<double> measure(benchmark::State& state, int threads, const Work& work, Prepare&& prepare, Body&& body) {
    Machine::get().refresh();
    std::vector<double> seconds;
    seconds.reserve(static_cast<std::size_t>(state.max_iterations));
    gru4rec::with_threads(threads, [&] {
        prepare();
        body();
        for (auto _ : state) {
            prepare();
            const Stopwatch watch(threads);
            body();
            benchmark::ClobberMemory();
            seconds.push_back(watch.seconds());
        }
    });
    report(state, threads, work, median(seconds));
    return seconds;
}

template <class Body>
std::vector<double> measure(benchmark::State& state, int threads, const Work& work, Body&& body) {
    return measure(
        state, threads, work, [] {}, body);
}

/// Whether any check failed: the exit status.
[[nodiscard]] inline bool& any_check_failed() {
    static bool failed = false;
    return failed;
}

/// Runs a check once per name: Google Benchmark calls a benchmark several times. `check` returns what is wrong, or
/// nothing; a benchmark with a wrong result is not run.
template <class Check>
[[nodiscard]] bool passes(benchmark::State& state, const std::string& name, const Check& check) {
    static std::map<std::string, std::string> problems;
    const auto [entry, is_new] = problems.try_emplace(name);
    if (is_new) {
        entry->second = check();
    }
    if (entry->second.empty()) {
        return true;
    }
    any_check_failed() = true;
    state.SkipWithError((name + ": " + entry->second).c_str());
    return false;
}

/// 1, and all threads of the machine where there are more.
[[nodiscard]] inline std::vector<std::int64_t> thread_counts() {
    const int all = Machine::get().n_threads();
    return all > 1 ? std::vector<std::int64_t>{1, all} : std::vector<std::int64_t>{1};
}

/// The main function of a benchmark program: tells what machine and build the figures belong to.
[[nodiscard]] inline int run(int argc, char** argv) {
    const Machine& machine = Machine::get();
    const auto giga = [](double value) { return std::to_string(value * 1e-9).substr(0, 5); };
    benchmark::AddCustomContext("cpu", Machine::cpu_name());
    benchmark::AddCustomContext("compiler", Machine::compiler());
    benchmark::AddCustomContext("build", Machine::flags());
    benchmark::AddCustomContext("fma_peak_gflops", giga(machine.fma_peak(1)) + " one thread, " +
                                                       giga(machine.fma_peak(machine.n_threads())) + " on " +
                                                       std::to_string(machine.n_threads()) + " (at the start)");
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return any_check_failed() ? 1 : 0;
}

}  // namespace bench

#endif
