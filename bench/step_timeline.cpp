// Where the time of a training step goes, loop by loop, for the published settings with one thread and with all. Built
// with GRU4REC_TIMELINE. Prints tables; writes the figures that bench/step_model.py reads.
//
//     step_timeline [JSON-FILE [SETTING...]]
//
// A setting is the name of a published one, or a number: the first of them with that many items.
#include "support/machine.hpp"
#include "support/measure.hpp"
#include "support/training.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/timeline.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace bench {
namespace {

using gru4rec::detail::Timeline;

/// One recorded stretch of steps.
struct Record {
    std::vector<Timeline::Totals> loops;
    double us_per_tick = 0;
    double step_us = 0;   ///< of the whole step
    double after_us = 0;  ///< serial code after the last loop of the stretch, per step
};

/// The figures of a setting with one number of threads, per step.
struct Measured {
    std::string setting;
    int threads = 0;
    int n_steps = 0;
    double flops = 0;
    double unrecorded_us = 0;  ///< steps without timers
    Record record;
};

Record record(Training& training, int n_steps) {
    Timeline& timeline = Timeline::get();
    timeline.start();
    for (int s = 0; s < n_steps; ++s) {
        benchmark::DoNotOptimize(training.step());
    }
    timeline.stop();
    const double us_per_tick = timeline.seconds() * 1e6 / static_cast<double>(timeline.ticks());
    return {timeline.totals(), us_per_tick, timeline.seconds() * 1e6 / n_steps,
            static_cast<double>(timeline.after()) * us_per_tick / n_steps};
}

/// Stretches with and without timers, turn by turn; of both the fastest, as neighbours only ever add time.
Measured measure_setting(const Setting& setting, int threads) {
    constexpr double seconds_per_round = 0.03;
    Training training(setting);
    Measured measured{setting.name, threads, 0, training.flops(), 0, {}};
    gru4rec::with_threads(threads, [&] {
        const auto seconds_of = [&](int n) {
            const auto start = Clock::now();
            for (int s = 0; s < n; ++s) {
                benchmark::DoNotOptimize(training.step());
            }
            return seconds_between(start, Clock::now());
        };
        static_cast<void>(seconds_of(16));
        // Negatives are drawn for 16 steps at once.
        const double seconds = seconds_of(16);
        measured.n_steps = (std::max)(1, static_cast<int>(seconds_per_round / seconds)) * 16;
        const int n_rounds = std::clamp(static_cast<int>(1 / seconds), 5, 15);
        std::vector<Record> records;
        std::vector<double> unrecorded;
        for (int round = 0; round < n_rounds; ++round) {
            unrecorded.push_back(seconds_of(measured.n_steps) * 1e6 / measured.n_steps);
            records.push_back(record(training, measured.n_steps));
        }
        measured.record = *std::min_element(records.begin(), records.end(),
                                            [](const auto& a, const auto& b) { return a.step_us < b.step_us; });
        measured.unrecorded_us = *std::min_element(unrecorded.begin(), unrecorded.end());
    });
    return measured;
}

/// Microseconds of a loop whose chunks do nothing.
double empty_loop_us(int threads, Index n_chunks) {
    std::vector<double> times;
    gru4rec::with_threads(threads, [&] {
        for (int round = 0; round < 21; ++round) {
            constexpr int n_loops = 1000;
            const auto start = Clock::now();
            for (int i = 0; i < n_loops; ++i) {
                gru4rec::detail::parallel_chunks(n_chunks, [](Index chunk) { benchmark::DoNotOptimize(chunk); });
            }
            times.push_back(seconds_between(start, Clock::now()) * 1e6 / n_loops);
        }
    });
    return median(times);
}

void print_table(const Measured& m) {
    const Record& r = m.record;
    const auto us = [&](Timeline::Ticks ticks) { return static_cast<double>(ticks) * r.us_per_tick / m.n_steps; };
    const double peak = Machine::get().fma_peak(m.threads);
    std::printf("\n### %s, %d thread%s: %.1f us a step, %.1f without timers, %.1f %% of the FMA peak\n\n",
                m.setting.c_str(), m.threads, m.threads == 1 ? "" : "s", r.step_us, m.unrecorded_us,
                100 * m.flops / (m.unrecorded_us * 1e-6) / peak);
    std::printf(
        "us per step. GFLOP/s and GB/s: per thread, while it works. before: serial code that leads to the loop.\n"
        "The rest is thread time: late (to a thread's first chunk), between chunks, waiting (after its last\n"
        "chunk), absent (no chunk in the whole loop).\n\n");
    std::printf(
        "| loop | times | chunks | share %% | wall | GFLOP/s | GB/s | before | late | between | waiting | absent |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    Timeline::Totals sum;
    for (const Timeline::Totals& t : r.loops) {
        const double busy = us(t.busy) * m.n_steps;
        std::printf("| %s | %.2g | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n",
                    t.work.label, static_cast<double>(t.n_loops) / m.n_steps,
                    static_cast<double>(t.n_chunks) / static_cast<double>(t.n_loops), 100 * us(t.wall) / r.step_us,
                    us(t.wall), busy > 0 ? t.work.flops / busy * 1e-3 : 0.0,
                    busy > 0 ? t.work.bytes / busy * 1e-3 : 0.0, us(t.before), us(t.late), us(t.between), us(t.waiting),
                    us(t.absent));
        sum.n_loops += t.n_loops;
        sum.wall += t.wall;
        sum.before += t.before;
        sum.late += t.late;
        sum.between += t.between;
        sum.waiting += t.waiting;
        sum.absent += t.absent;
    }
    std::printf("| all | %.1f | | %.1f | %.1f | | | %.1f | %.1f | %.1f | %.1f | %.1f |\n",
                static_cast<double>(sum.n_loops) / m.n_steps, 100 * us(sum.wall) / r.step_us, us(sum.wall),
                us(sum.before) + r.after_us, us(sum.late), us(sum.between), us(sum.waiting), us(sum.absent));
    std::fflush(stdout);
}

Setting setting_of(const std::string& name) {
    for (const Setting& setting : settings()) {
        if (setting.name == name) {
            return setting;
        }
    }
    return changed("items", std::stoll(name));
}

void write_loops(std::ostream& out, const Measured& m) {
    const auto us = [&](Timeline::Ticks ticks) {
        return static_cast<double>(ticks) * m.record.us_per_tick / m.n_steps;
    };
    const char* separator = "";
    for (const Timeline::Totals& t : m.record.loops) {
        out << separator << "\n   {\"label\": \"" << t.work.label
            << "\", \"loops\": " << static_cast<double>(t.n_loops) / m.n_steps
            << ", \"chunks\": " << static_cast<double>(t.n_chunks) / static_cast<double>(t.n_loops)
            << ", \"shared\": " << static_cast<double>(t.n_shared) / m.n_steps
            << ", \"flops\": " << t.work.flops / m.n_steps << ", \"bytes\": " << t.work.bytes / m.n_steps
            << ", \"before_us\": " << us(t.before) << ", \"wall_us\": " << us(t.wall) << ", \"busy_us\": " << us(t.busy)
            << ", \"late_us\": " << us(t.late) << ", \"between_us\": " << us(t.between)
            << ", \"waiting_us\": " << us(t.waiting) << ", \"absent_us\": " << us(t.absent)
            << ", \"longest_us\": " << us(t.longest) << "}";
        separator = ",";
    }
}

void write_json(const std::string& path, const std::vector<Measured>& all) {
    Machine& machine = Machine::get();
    machine.refresh_streams();
    const int n = machine.n_threads();
    std::ofstream out(path);
    out << "{\"cpu\": \"" << Machine::cpu_name() << "\", \"threads\": " << n
        << ",\n \"fma_peak\": " << machine.fma_peak(1) << ", \"stream_one\": " << machine.update_stream(1)
        << ", \"stream_all\": " << machine.update_stream(n) << ",\n \"empty_loop_us\": {";
    for (const Index chunks : {Index{2}, Index{8}, Index{32}}) {
        out << (chunks == 2 ? "\"" : ", \"") << chunks << "\": " << empty_loop_us(n, chunks);
    }
    out << "},\n \"measured\": [";
    const char* separator = "";
    for (const Measured& m : all) {
        out << separator << "\n  {\"setting\": \"" << m.setting << "\", \"threads\": " << m.threads
            << ", \"step_us\": " << m.record.step_us << ", \"unrecorded_us\": " << m.unrecorded_us
            << ", \"after_us\": " << m.record.after_us << ", \"flops\": " << m.flops << ", \"loops\": [";
        write_loops(out, m);
        out << "]}";
        separator = ",";
    }
    out << "]}\n";
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    using namespace bench;
    std::vector<Setting> wanted;
    for (int i = 2; i < argc; ++i) {
        wanted.push_back(setting_of(argv[i]));
    }
    std::vector<Measured> all;
    for (const Setting& setting : wanted.empty() ? settings() : wanted) {
        for (const std::int64_t threads : thread_counts()) {
            all.push_back(measure_setting(setting, static_cast<int>(threads)));
            print_table(all.back());
        }
    }
    if (argc > 1) {
        write_json(argv[1], all);
    }
    return 0;
}
