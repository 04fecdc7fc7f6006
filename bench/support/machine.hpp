#ifndef GRU4REC_BENCH_SUPPORT_MACHINE_HPP
#define GRU4REC_BENCH_SUPPORT_MACHINE_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // register types as template arguments: meant, as in Eigen
#endif

namespace bench {

using gru4rec::Index;
using gru4rec::detail::AlignedBuffer;

using Clock = std::chrono::steady_clock;

[[nodiscard]] inline double seconds_between(Clock::time_point start, Clock::time_point end) {
    return std::chrono::duration<double>(end - start).count();
}

/// What a kernel may hope for, measured in this process: multiply-adds from registers alone, and streams through
/// memory. Neighbours and clock move from second to second, so that every benchmark measures again and the best is
/// kept.
class Machine {
  public:
    static Machine& get() {
        static Machine machine;
        return machine;
    }

    /// Measures the FMA peaks again, in about 10 ms.
    void refresh() {
        for (int burst = 0; burst < 8; ++burst) {
            fma_one_ = (std::max)(fma_one_, fma_burst(1));
            fma_all_ = (std::max)(fma_all_, n_threads_ > 1 ? fma_burst(n_threads_) : fma_one_);
        }
    }

    /// Measures the streams again, in about 50 ms.
    void refresh_streams() {
        if (memory_.size() == 0) {
            memory_ = AlignedBuffer<float>(stream_floats);
        }
        for (int burst = 0; burst < 2; ++burst) {
            for (const int threads : {1, n_threads_}) {
                Streams& best = threads == 1 ? one_ : all_;
                best.read = (std::max)(best.read, read_burst(threads));
                best.update = (std::max)(best.update, update_burst(threads));
            }
        }
    }

    /// Threads that TBB would use.
    [[nodiscard]] int n_threads() const noexcept { return n_threads_; }
    /// fp32 flop/s, a multiply-add counted as two.
    [[nodiscard]] double fma_peak(int threads) const noexcept { return threads == 1 ? fma_one_ : fma_all_; }
    /// Bytes read per second.
    [[nodiscard]] double read_stream(int threads) const noexcept { return (threads == 1 ? one_ : all_).read; }
    /// Bytes read and written per second where every value is read, changed and written back.
    [[nodiscard]] double update_stream(int threads) const noexcept { return (threads == 1 ? one_ : all_).update; }

    [[nodiscard]] static std::string cpu_name() {
        std::ifstream file("/proc/cpuinfo");
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("model name")) {
                return line.substr(line.find(':') + 2);
            }
        }
        return "unknown";
    }

    [[nodiscard]] static std::string compiler() {
#if defined(__clang__)
        return "clang " __clang_version__;
#elif defined(__GNUC__)
        return "g++ " __VERSION__;
#else
        return "unknown";
#endif
    }

    /// The flags of the build where it told them, and what they mean for the kernels.
    [[nodiscard]] static std::string flags() {
        std::string text;
#if defined(GRU4REC_BENCH_FLAGS)
        text = GRU4REC_BENCH_FLAGS ", ";
#endif
#if defined(__AVX512F__)
        text += "AVX-512";
#elif defined(__AVX2__)
        text += "AVX2";
#elif defined(__AVX__)
        text += "AVX";
#elif defined(__SSE2__)
        text += "SSE2";
#elif defined(__ARM_NEON)
        text += "NEON";
#endif
        return text + (has_fma ? " with FMA, " : ", ") + std::to_string(gru4rec::detail::packet_size<float>) +
               " floats in a register, " + std::to_string(gru4rec::detail::many_registers ? 32 : 16) + " registers";
    }

  private:
    using Lanes = gru4rec::SimdVector<float>;

    struct Streams {
        double read = 0;
        double update = 0;
    };

#if defined(__FMA__) || defined(__AVX512F__) || defined(__ARM_FEATURE_FMA)
    static constexpr bool has_fma = true;
#else
    static constexpr bool has_fma = false;
#endif
    static constexpr Index stream_floats = Index{32} << 20;  // 128 MiB: no cache holds them

    Machine() : n_threads_((std::max)(1, gru4rec::available_threads())) {
        for (int i = 0; i < 8; ++i) {
            refresh();
        }
    }

    /// Runs `work(thread)` on threads that start together; seconds from the first start to the last end.
    template <class Work>
    [[nodiscard]] static double seconds_together(int n_threads, const Work& work) {
        const auto n = static_cast<std::size_t>(n_threads);
        std::vector<Clock::time_point> starts(n);
        std::vector<Clock::time_point> ends(n);
        std::barrier ready(n_threads);
        const auto run = [&](std::size_t thread) {
            ready.arrive_and_wait();
            starts[thread] = Clock::now();
            work(static_cast<Index>(thread));
            ends[thread] = Clock::now();
        };
        {
            std::vector<std::jthread> others;
            for (std::size_t thread = 1; thread < n; ++thread) {
                others.emplace_back(run, thread);
            }
            run(0);
        }
        return seconds_between(*std::min_element(starts.begin(), starts.end()),
                               *std::max_element(ends.begin(), ends.end()));
    }

    /// As many accumulators as registers allow: more than the latency of a multiply-add times the units that do them.
    [[nodiscard]] static double fma_burst(int threads) {
        using Register = gru4rec::detail::Register<float>;
        constexpr Index size = Register::size;
        constexpr int n_sums = gru4rec::detail::many_registers ? 24 : 12;
        constexpr std::int64_t rounds = 200'000;
        const double seconds = seconds_together(threads, [](Index) {
            // Different values that the compiler cannot see: it would compute equal sums only once.
            alignas(gru4rec::detail::cache_line) float values[static_cast<std::size_t>((n_sums + 2) * size)];
            for (std::size_t i = 0; i < std::size(values); ++i) {
                values[i] = 0.5F + static_cast<float>(i) * 1e-4F;
            }
            benchmark::DoNotOptimize(values);
            const auto factor = Register::load(values);
            const auto term = Register::load(values + size);
            gru4rec::detail::CArray<Register, n_sums> sum;
            GRU4REC_UNROLL
            for (int i = 0; i < n_sums; ++i) {
                sum[i] = Register::load(values + (i + 2) * size);
            }
            for (std::int64_t round = 0; round < rounds; ++round) {
                GRU4REC_UNROLL
                for (int i = 0; i < n_sums; ++i) {
                    // Without fused operations the product would be the same for all sums, and computed once.
                    sum[i] = has_fma ? multiply_add(factor, term, sum[i]) : multiply_add(factor, sum[i], term);
                }
            }
            GRU4REC_UNROLL
            for (int i = 0; i < n_sums; ++i) {
                sum[i].store(values + i * size);
            }
            benchmark::DoNotOptimize(values);
        });
        return 2.0 * static_cast<double>(rounds * n_sums * size) * threads / seconds;
    }

    static void keep(Lanes value) {
        alignas(gru4rec::detail::cache_line) float values[static_cast<std::size_t>(Lanes::size)];
        value.store(values);
        benchmark::DoNotOptimize(values);
    }

    [[nodiscard]] double read_burst(int threads) {
        const Index share = stream_floats / threads / (4 * Lanes::size) * (4 * Lanes::size);
        const double seconds = seconds_together(threads, [&](Index thread) {
            const float* const from = memory_.data() + thread * share;
            Lanes sum[4] = {Lanes(0), Lanes(0), Lanes(0), Lanes(0)};
            for (Index i = 0; i < share; i += 4 * Lanes::size) {
                GRU4REC_UNROLL
                for (int s = 0; s < 4; ++s) {
                    sum[s] += Lanes::load(from + i + s * Lanes::size);
                }
            }
            keep(sum[0] + sum[1] + sum[2] + sum[3]);
        });
        return static_cast<double>(share * threads) * sizeof(float) / seconds;
    }

    [[nodiscard]] double update_burst(int threads) {
        const Index share = stream_floats / threads / Lanes::size * Lanes::size;
        const double seconds = seconds_together(threads, [&](Index thread) {
            float* const values = memory_.data() + thread * share;
            const Lanes half(0.5F);
            for (Index i = 0; i < share; i += Lanes::size) {
                multiply_add(Lanes::load(values + i), half, half).store(values + i);
            }
            benchmark::ClobberMemory();
        });
        return 2.0 * static_cast<double>(share * threads) * sizeof(float) / seconds;
    }

    int n_threads_;
    double fma_one_ = 0;
    double fma_all_ = 0;
    Streams one_;
    Streams all_;
    AlignedBuffer<float> memory_;
};

}  // namespace bench

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
