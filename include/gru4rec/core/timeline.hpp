#ifndef GRU4REC_CORE_TIMELINE_HPP
#define GRU4REC_CORE_TIMELINE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"

#if defined(GRU4REC_TIMELINE)
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Names a parallel loop and says what all its chunks do together. Without GRU4REC_TIMELINE nothing reads it, and the
/// compiler drops it.
struct LoopWork {
    const char* label = nullptr;
    double flops = 0;  ///< a multiply-add is two, padded lanes count, element-wise work does not
    double bytes = 0;  ///< of all operands, each counted once where it is read and once where it is written

    constexpr LoopWork& operator+=(const LoopWork& other) noexcept {
        flops += other.flops;
        bytes += other.bytes;
        return *this;
    }
};

/// A product of (lanes, width) with `rows` rows of a matrix, or of its transpose.
template <class Scalar>
[[nodiscard]] constexpr LoopWork product_work(const char* label, Index lanes, Index rows, Index width) noexcept {
    return {label, 2.0 * static_cast<double>(lanes * rows * width),
            static_cast<double>(sizeof(Scalar)) * static_cast<double>(rows * width + lanes * (rows + width))};
}

/// An element-wise pass that reads or writes `matrices` matrices of (lanes, columns).
template <class Scalar>
[[nodiscard]] constexpr LoopWork pass_work(const char* label, Index lanes, Index columns, Index matrices) noexcept {
    return {label, 0, static_cast<double>(sizeof(Scalar)) * static_cast<double>(lanes * columns * matrices)};
}

#if defined(GRU4REC_TIMELINE)

/// Where the time of labelled parallel loops goes. A program that defines GRU4REC_TIMELINE in all its translation units
/// records between `start` and `stop`; without the macro there is no code and no memory for it. The macro has an inline
/// namespace of its own: code compiled with it cannot end up with functions that were compiled without.
///
/// One thread at a time may run labelled loops while it records. All times are in ticks of the processor's clock.
class Timeline {
  public:
    using Ticks = std::uint64_t;

    /// The sums over all loops of one label. With n threads, n times `wall` is the sum of `busy`, `late`, `between`,
    /// `waiting` and `absent`, each of them summed over the threads.
    struct Totals {
        LoopWork work;  ///< of all loops
        std::uint64_t n_loops = 0;
        std::uint64_t n_chunks = 0;
        std::uint64_t n_shared = 0;  ///< loops in which more than one thread ran chunks
        Ticks before = 0;            ///< from the end of the loop before, serial code
        Ticks wall = 0;
        Ticks busy = 0;     ///< in chunks
        Ticks late = 0;     ///< from the loop's start to a thread's first chunk
        Ticks between = 0;  ///< from the end of a chunk to the thread's next one
        Ticks waiting = 0;  ///< from a thread's last chunk to the loop's end
        Ticks absent = 0;   ///< the whole loop, for threads that ran no chunk
        Ticks longest = 0;  ///< the longest chunk of each loop
    };

    [[nodiscard]] static Timeline& get() {
        static Timeline timeline;
        return timeline;
    }

    /// Forgets what was recorded and records from now on.
    void start() {
        totals_.clear();
        next_ = 0;
        ticks_ = 0;
        started_at_ = std::chrono::steady_clock::now();
        started_ = last_end_ = now();
        recording_ = true;
    }

    void stop() {
        const Ticks end = now();
        seconds_ = seconds_since(started_at_);
        ticks_ = end - started_;
        after_ = end - last_end_;
        recording_ = false;
    }

    /// By label, in the order of their first loops. After `stop`:
    [[nodiscard]] const std::vector<Totals>& totals() const noexcept { return totals_; }
    [[nodiscard]] Ticks ticks() const noexcept { return ticks_; }       ///< from start to stop
    [[nodiscard]] Ticks after() const noexcept { return after_; }       ///< from the last loop's end to stop
    [[nodiscard]] double seconds() const noexcept { return seconds_; }  ///< from start to stop

    [[nodiscard]] static Ticks now() noexcept {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
        return __builtin_ia32_rdtsc();
#else
        return static_cast<Ticks>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
    }

    /// Runs a loop of chunks and records it. `run(body)` calls body for each chunk; `thread()` is the number of the
    /// calling thread in its arena.
    template <class Body, class Run, class Thread>
    void record(const LoopWork& work, int n_threads, const Body& body, const Run& run, const Thread& thread) {
        if (!recording_ || inside_.exchange(true)) {
            run(body);
            return;
        }
        const Inside inside{inside_};
        threads_.assign(static_cast<std::size_t>(n_threads), ThreadTime{});
        const Ticks start = now();
        run([&](Index chunk) {
            ThreadTime& time = threads_[static_cast<std::size_t>((std::min)((std::max)(thread(), 0), n_threads - 1))];
            const Ticks begin = now();
            body(chunk);
            time.add(begin, now());
        });
        const Ticks end = now();
        add(work, start, end);
    }

  private:
    /// What one thread did in the present loop; on cache lines of its own.
    struct alignas(128) ThreadTime {
        void add(Ticks begin, Ticks end) noexcept {
            first_begin = n_chunks == 0 ? begin : first_begin;
            last_end = end;
            busy += end - begin;
            longest = (std::max)(longest, end - begin);
            ++n_chunks;
        }

        std::uint64_t n_chunks = 0;
        Ticks first_begin = 0;
        Ticks last_end = 0;
        Ticks busy = 0;
        Ticks longest = 0;
    };

    /// Ends with the loop, also if it throws.
    struct Inside {
        std::atomic<bool>& flag;
        ~Inside() { flag = false; }
    };

    void add(const LoopWork& work, Ticks start, Ticks end) {
        Totals& totals = totals_of(work.label);
        totals.work += work;
        totals.n_loops += 1;
        totals.before += start - last_end_;
        totals.wall += end - start;
        last_end_ = end;
        Ticks longest = 0;
        std::uint64_t n_present = 0;
        for (const ThreadTime& time : threads_) {
            if (time.n_chunks == 0) {
                totals.absent += end - start;
                continue;
            }
            n_present += 1;
            totals.n_chunks += time.n_chunks;
            totals.busy += time.busy;
            totals.late += time.first_begin - start;
            totals.between += time.last_end - time.first_begin - time.busy;
            totals.waiting += end - time.last_end;
            longest = (std::max)(longest, time.longest);
        }
        totals.longest += longest;
        totals.n_shared += n_present > 1 ? 1 : 0;
    }

    /// Steps repeat their loops, so the label sought most often follows the one found last.
    [[nodiscard]] Totals& totals_of(std::string_view label) {
        for (std::size_t tried = 0; tried < totals_.size(); ++tried) {
            next_ = next_ < totals_.size() ? next_ : 0;
            if (totals_[next_++].work.label == label) {
                return totals_[next_ - 1];
            }
        }
        next_ = totals_.size() + 1;
        return totals_.emplace_back(Totals{.work = {label.data()}});
    }

    bool recording_ = false;
    std::atomic<bool> inside_ = false;
    std::vector<ThreadTime> threads_;  // of the present loop
    std::vector<Totals> totals_;
    std::size_t next_ = 0;
    std::chrono::steady_clock::time_point started_at_;
    Ticks started_ = 0;
    Ticks last_end_ = 0;
    Ticks ticks_ = 0;
    Ticks after_ = 0;
    double seconds_ = 0;
};

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
