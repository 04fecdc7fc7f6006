#ifndef GRU4REC_CORE_THREAD_TEAM_HPP
#define GRU4REC_CORE_THREAD_TEAM_HPP

#include "gru4rec/core/compiler.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

// Qt's `emit` macro breaks TBB's headers.
#pragma push_macro("emit")
#undef emit
#include <tbb/task_group.h>
#pragma pop_macro("emit")

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

namespace gru4rec::inline GRU4REC_ABI::detail {

/// Runs one loop after the other on the threads of the caller's TBB arena. Between two loops the helping threads stay
/// awake for a moment, so that the next loop starts in less than a microsecond: a training step is two dozen loops of
/// some ten microseconds, and waking a thread takes as long as such a loop.
///
/// A helper is a TBB task that takes chunks from whatever loop is running. Loops never wait for a helper that has not
/// come: without any, the owner runs every chunk. The owner takes chunks from the front and the helpers take them from
/// the back, so that with two threads each meets the same rows in loop after loop, and finds them in its own cache.
class ThreadTeam {
  public:
    explicit ThreadTeam(int n_threads) : n_threads_(n_threads), owner_(std::this_thread::get_id()) {}

    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    ~ThreadTeam() {
        closed_.store(true, std::memory_order_relaxed);
        helpers_.wait();
    }

    [[nodiscard]] int n_threads() const noexcept { return n_threads_; }

    /// The team whose owner is this thread, if any, and whether this thread is inside a chunk.
    struct Here {
        ThreadTeam* team = nullptr;
        bool in_chunk = false;
    };
    [[nodiscard]] static Here& here() noexcept {
        static thread_local constinit Here place;
        return place;
    }

    /// Calls `body(chunk)` for every chunk and returns when all are done. Called by the owner, not from inside a chunk.
    ///
    /// @throws what a chunk has thrown; chunks that have not begun by then are left out
    template <class Body>
    void run(Index n_chunks, const Body& body) {
        const Index n_units = (std::min)(n_chunks, most_units);
        body_.store(&body, std::memory_order_relaxed);
        call_.store(
            [](const void* callee, Index begin, Index end) {
                for (Index chunk = begin; chunk < end; ++chunk) {
                    (*static_cast<const Body*>(callee))(chunk);
                }
            },
            std::memory_order_relaxed);
        n_chunks_.store(n_chunks, std::memory_order_relaxed);
        n_units_.store(n_units, std::memory_order_relaxed);
        n_done_.store(0, std::memory_order_relaxed);
        failed_.store(false, std::memory_order_relaxed);
        const std::uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
        ticket_.store(loop << 32 | static_cast<std::uint64_t>(n_units), std::memory_order_release);
        call_helpers(n_units - 1);
        Index n_own = 0;
        while (take_unit(End::front)) {
            ++n_own;
        }
        Idle idle;
        while (n_done_.load(std::memory_order_acquire) != n_units - n_own) {
            idle.wait();
        }
        if (failed_.load(std::memory_order_relaxed)) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

  private:
    enum class End { front, back };
    using Call = void (*)(const void* body, Index begin, Index end);

    /// The two ends of a ticket have 16 bits each; longer loops hand out several chunks at a time.
    static constexpr Index most_units = 0xffff;

    /// Waits without sleeping; after a while other programs get their turn.
    class Idle {
      public:
        void wait() noexcept {
            if (++n_waits_ < 512) {
                pause();
            } else {
                std::this_thread::yield();
            }
        }

        [[nodiscard]] std::chrono::steady_clock::time_point since() const noexcept { return since_; }

        /// Whether it is not worth waiting any longer.
        [[nodiscard]] bool is_over() const noexcept {
            return n_waits_ % 32 == 31 && std::chrono::steady_clock::now() - since_ > std::chrono::microseconds(300);
        }

      private:
        std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
        std::uint32_t n_waits_ = 0;
    };

    void call_helpers(Index n_useful) noexcept {
        const Index wanted = (std::min)(Index{n_threads_} - 1, n_useful);
        while (n_helpers_.load(std::memory_order_relaxed) < wanted) {
            n_helpers_.fetch_add(1, std::memory_order_relaxed);
            GRU4REC_TRY {
                helpers_.run([this] { help(); });
            }
            GRU4REC_CATCH_ALL {  // no memory for a task: the owner does it all
                n_helpers_.fetch_sub(1, std::memory_order_relaxed);
                return;
            }
        }
    }

    /// Takes units until none has come for a while, or for one turn: the thread may have other things to do, even wait
    /// here for a short loop of its own. The next loop calls it again.
    void help() noexcept {
        if (std::this_thread::get_id() != owner_) {
            Idle idle;
            const auto turn_ends = idle.since() + std::chrono::milliseconds(5);
            while (!closed_.load(std::memory_order_relaxed) && !idle.is_over() && idle.since() < turn_ends) {
                if (take_unit(End::back)) {
                    idle = Idle();
                } else {
                    idle.wait();
                }
            }
        }
        n_helpers_.fetch_sub(1, std::memory_order_relaxed);
    }

    /// Runs one unit of the loop, if one is left. A ticket names the loop (upper half), the first unit that is left and
    /// the one behind the last. Who exchanges it against the next one has the unit; the loop cannot end before that
    /// unit is done, so what was read of the loop in between belongs to it.
    bool take_unit(End end) noexcept {
        std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
        for (;;) {
            const auto first = static_cast<Index>(ticket >> 16 & 0xffff);
            const auto last = static_cast<Index>(ticket & 0xffff);
            if (first >= last) {
                return false;
            }
            const void* const body = body_.load(std::memory_order_relaxed);
            const Call call = call_.load(std::memory_order_relaxed);
            const Index n_chunks = n_chunks_.load(std::memory_order_relaxed);
            const Index n_units = n_units_.load(std::memory_order_relaxed);
            const std::uint64_t next = end == End::front ? ticket + (std::uint64_t{1} << 16) : ticket - 1;
            if (ticket_.compare_exchange_weak(ticket, next, std::memory_order_acq_rel, std::memory_order_acquire)) {
                const Index unit = end == End::front ? first : last - 1;
                run_chunks(call, body, unit * n_chunks / n_units, (unit + 1) * n_chunks / n_units);
                if (end == End::back) {
                    n_done_.fetch_add(1, std::memory_order_release);
                }
                return true;
            }
        }
    }

    void run_chunks(Call call, const void* body, Index begin, Index end) noexcept {
        Here& place = here();
        const bool nested = std::exchange(place.in_chunk, true);
        GRU4REC_TRY {
            if (!failed_.load(std::memory_order_relaxed)) {
                call(body, begin, end);
            }
        }
        GRU4REC_CATCH_ALL {
            if (!failed_.exchange(true, std::memory_order_relaxed)) {
                error_ = std::current_exception();
            }
        }
        place.in_chunk = nested;
    }

    int n_threads_;
    std::thread::id owner_;
    std::exception_ptr error_;
    alignas(cache_line) std::atomic<std::uint64_t> ticket_ = 0;
    alignas(cache_line) std::atomic<const void*> body_ = nullptr;
    std::atomic<Call> call_ = nullptr;
    std::atomic<Index> n_chunks_ = 0;
    std::atomic<Index> n_units_ = 0;
    alignas(cache_line) std::atomic<Index> n_done_ = 0;
    std::atomic<bool> failed_ = false;
    std::atomic<bool> closed_ = false;
    std::atomic<Index> n_helpers_ = 0;
    tbb::task_group helpers_;
};

/// Makes a team that of this thread for as long as it lives.
class TeamScope {
  public:
    explicit TeamScope(int n_threads)
        : team_(n_threads), outer_(std::exchange(ThreadTeam::here(), ThreadTeam::Here{&team_, false})) {}

    TeamScope(const TeamScope&) = delete;
    TeamScope& operator=(const TeamScope&) = delete;

    ~TeamScope() { ThreadTeam::here() = outer_; }

  private:
    ThreadTeam team_;
    ThreadTeam::Here outer_;
};

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
