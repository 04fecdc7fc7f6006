#ifndef GRU4REC_CORE_THREAD_TEAM_HPP
#define GRU4REC_CORE_THREAD_TEAM_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/function_ref.hpp"
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
#include <cstdint>
#include <exception>
#include <thread>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A group of tasks that can be waited for even if there was no memory for one of them.
class TaskGroup : public tbb::task_group {
  public:
    using tbb::task_group::task_group;

    /// @returns false, and `work` will not be called, where the task cannot be made
    template <class Work>
    [[nodiscard]] bool try_run(const Work& work) noexcept {
        GRU4REC_TRY {
            run(work);
            return true;
        }
        GRU4REC_CATCH_ALL {
            uncount(*this);
            return false;
        }
    }

  private:
    /// oneTBB 2021.8 counts a task before it asks for its memory, and would wait for it for ever.
    template <class Group>
    static void uncount(Group& group) noexcept {
        if constexpr (requires { group.m_wait_ctx.release(); }) {
            group.m_wait_ctx.release();
        }
    }
};

/// The body of a loop, called with the number of a chunk.
using ChunkBody = FunctionRef<void(Index)>;

/// Runs one loop after the other on the threads of the caller's TBB arena. Between two loops the helping threads stay
/// awake for a moment: in a training step up to two dozen loops of 7 us and more follow each other, and waking a thread
/// takes as long as the short ones (docs/performance.md, "Dead ends", has what this gains).
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
    /// @throws what the first chunk to fail has thrown; most of those that have not begun by then are left out
    void run(Index n_chunks, ChunkBody body) {
        const Index n_units = (std::min)(n_chunks, most_units);
        body_.store(&body, std::memory_order_relaxed);
        n_chunks_.store(n_chunks, std::memory_order_relaxed);
        n_units_.store(n_units, std::memory_order_relaxed);
        n_done_.store(0, std::memory_order_relaxed);
        failed_.store(false, std::memory_order_relaxed);
        const std::uint64_t loop = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
        ticket_.store(loop << 32 | static_cast<std::uint64_t>(n_units), std::memory_order_release);
        Index n_own = 0;
        do {
            call_helpers(n_units_left());
        } while (take_unit(End::front) && ++n_own < n_units);
        for (std::uint32_t waits = 0; n_done_.load(std::memory_order_acquire) != n_units - n_own; ++waits) {
            wait_a_little(waits);
        }
        if (failed_.load(std::memory_order_relaxed)) {
            std::rethrow_exception(std::exchange(error_, nullptr));
        }
    }

  private:
    enum class End { front, back };

    /// The two ends of a ticket have 16 bits each; longer loops hand out several chunks at a time.
    static constexpr Index most_units = 0xffff;

    /// Waits without sleeping; after a while other programs get their turn.
    static void wait_a_little(std::uint32_t n_waits) noexcept {
        if (n_waits < 512) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }

    [[nodiscard]] Index n_units_left() const noexcept {
        const std::uint64_t ticket = ticket_.load(std::memory_order_relaxed);
        return static_cast<Index>(ticket & 0xffff) - static_cast<Index>(ticket >> 16 & 0xffff);
    }

    /// Sees to it that there is a helper for each unit but the owner's next one. Called before each of the owner's
    /// units, as helpers leave.
    void call_helpers(Index n_units) noexcept {
        const Index wanted = (std::min)(Index{n_threads_}, n_units) - 1;
        while (n_helpers_.load(std::memory_order_relaxed) < wanted && call_helper()) {
        }
    }

    /// @returns false where there is no memory for another task: the loop goes on with the helpers that it has
    bool call_helper() noexcept {
        n_helpers_.fetch_add(1, std::memory_order_relaxed);
        const bool called = helpers_.try_run([this] { help(); });
        if (!called) {
            n_helpers_.fetch_sub(1, std::memory_order_relaxed);
        }
        return called;
    }

    /// Takes units until none has come for a while, or for one turn: the thread may have other things to do, even wait
    /// here for a short loop of its own. The owner's next unit calls it again.
    void help() noexcept {
        using Clock = std::chrono::steady_clock;
        if (std::this_thread::get_id() != owner_) {
            const auto turn_ends = Clock::now() + std::chrono::milliseconds(5);
            auto idle_since = Clock::now();
            for (std::uint32_t waits = 0; !closed_.load(std::memory_order_relaxed);) {
                if (take_unit(End::back)) {
                    waits = 0;
                    idle_since = Clock::now();
                    if (idle_since > turn_ends) {
                        break;
                    }
                } else {
                    wait_a_little(waits);
                    if (++waits % 32 == 0 && Clock::now() - idle_since > std::chrono::microseconds(300)) {
                        break;
                    }
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
            const ChunkBody* const body = body_.load(std::memory_order_relaxed);
            const Index n_chunks = n_chunks_.load(std::memory_order_relaxed);
            const Index n_units = n_units_.load(std::memory_order_relaxed);
            const std::uint64_t next = end == End::front ? ticket + (std::uint64_t{1} << 16) : ticket - 1;
            if (ticket_.compare_exchange_weak(ticket, next, std::memory_order_acq_rel, std::memory_order_acquire)) {
                const Index unit = end == End::front ? first : last - 1;
                run_chunks(*body, unit * n_chunks / n_units, (unit + 1) * n_chunks / n_units);
                if (end == End::back) {
                    n_done_.fetch_add(1, std::memory_order_release);
                }
                return true;
            }
        }
    }

    void run_chunks(ChunkBody body, Index begin, Index end) noexcept {
        Here& place = here();
        const bool nested = std::exchange(place.in_chunk, true);
        GRU4REC_TRY {
            if (!failed_.load(std::memory_order_relaxed)) {
                for (Index chunk = begin; chunk < end; ++chunk) {
                    body(chunk);
                }
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
    std::atomic<bool> closed_ = false;
    alignas(cache_line) std::atomic<std::uint64_t> ticket_ = 0;
    alignas(cache_line) std::atomic<const ChunkBody*> body_ = nullptr;
    std::atomic<Index> n_chunks_ = 0;
    std::atomic<Index> n_units_ = 0;
    std::atomic<bool> failed_ = false;
    alignas(cache_line) std::atomic<Index> n_done_ = 0;
    alignas(cache_line) std::atomic<Index> n_helpers_ = 0;
    // Isolated: the group must not be bound to whatever task the first loop happens to run in.
    tbb::task_group_context context_{tbb::task_group_context::isolated};
    TaskGroup helpers_{context_};
};

/// Makes a team that of this thread for as long as it lives.
class TeamScope {
  public:
    explicit TeamScope(int n_threads)
        : team_(n_threads), outer_(std::exchange(ThreadTeam::here(), ThreadTeam::Here{.team = &team_})) {}

    TeamScope(const TeamScope&) = delete;
    TeamScope& operator=(const TeamScope&) = delete;

    ~TeamScope() { ThreadTeam::here() = outer_; }

  private:
    ThreadTeam team_;
    ThreadTeam::Here outer_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
