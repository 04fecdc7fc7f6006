#ifndef GRU4REC_CORE_PARALLEL_HPP
#define GRU4REC_CORE_PARALLEL_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/timeline.hpp"
#include "gru4rec/core/types.hpp"

#if GRU4REC_DEFINITIONS || defined(GRU4REC_TIMELINE)  // the timeline asks TBB for the number of the thread
// Qt's `emit` macro breaks TBB's headers.
#pragma push_macro("emit")
#undef emit
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#pragma pop_macro("emit")
#endif

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <exception>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Threads that a parallel loop started here would use.
[[nodiscard]] GRU4REC_INLINE int available_threads();

/// Runs `work()` with at most `max_threads` threads, and no more than TBB has: one per core, or what a
/// tbb::global_control allows. 0 means the caller's own TBB arena.
///
/// @throws ConfigError for a negative limit, and whatever `work` throws
GRU4REC_INLINE void with_threads(int max_threads, detail::FunctionRef<void()> work);

namespace detail {

/// Calls `body(chunk)` for chunk = 0 .. n_chunks-1, in any order, possibly at the same time. The caller chooses the
/// chunks from the size of the problem, never from the number of threads, so results do not depend on that number.
///
/// The loop is isolated: it is not cancelled with a task of the caller's, and while it waits it does not run the
/// caller's other tasks.
///
/// @throws what the first chunk to fail threw; chunks that have not begun by then may be skipped
GRU4REC_INLINE void parallel_chunks(Index n_chunks, FunctionRef<void(Index)> body);

/// The same for a loop that the timeline records: core/timeline.hpp.
GRU4REC_ALWAYS_INLINE void parallel_chunks(Index n_chunks, const LoopWork& work, FunctionRef<void(Index)> body) {
#if defined(GRU4REC_TIMELINE)
    Timeline::get().record(
        work, available_threads(), body, [n_chunks](FunctionRef<void(Index)> run) { parallel_chunks(n_chunks, run); },
        [] { return tbb::this_task_arena::current_thread_index(); });
#else
    static_cast<void>(work);
    parallel_chunks(n_chunks, body);
#endif
}

/// A range of units cut into chunks of equal size (the last may be shorter).
struct Chunks {
    Index size = 0;   ///< units in all
    Index grain = 1;  ///< units in a chunk

    [[nodiscard]] Index count() const noexcept { return (size + grain - 1) / grain; }
    [[nodiscard]] Index begin(Index chunk) const noexcept { return chunk * grain; }
    [[nodiscard]] Index end(Index chunk) const noexcept { return (std::min)(size, (chunk + 1) * grain); }
};

/// Cuts `size` units into chunks of a multiple of `unit` that each hold about `work_per_chunk` of work, as equal as the
/// unit allows.
[[nodiscard]] GRU4REC_INLINE Chunks chunks_by_work(Index size, Index unit, double work_per_unit, double work_per_chunk);

/// Numbers of a chunk of an element-wise pass, which moves about one a nanosecond: docs/performance.md.
inline constexpr double numbers_per_chunk = 16e3;

/// Cuts columns of lanes into chunks for an element-wise pass.
[[nodiscard]] inline Chunks column_chunks(Index columns, Index lanes) {
    return chunks_by_work(columns, 16, static_cast<double>(lanes), numbers_per_chunk);
}

/// Calls `body(begin, end)` for each chunk.
inline void parallel_ranges(const Chunks& chunks, FunctionRef<void(Index, Index)> body) {
    parallel_chunks(chunks.count(), [&](Index chunk) { body(chunks.begin(chunk), chunks.end(chunk)); });
}

/// The same for a loop that the timeline records.
GRU4REC_ALWAYS_INLINE void parallel_ranges(const Chunks& chunks, const LoopWork& work,
                                           FunctionRef<void(Index, Index)> body) {
#if defined(GRU4REC_TIMELINE)
    parallel_chunks(chunks.count(), work, [&](Index chunk) { body(chunks.begin(chunk), chunks.end(chunk)); });
#else
    static_cast<void>(work);
    parallel_ranges(chunks, body);
#endif
}

}  // namespace detail

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE int available_threads() { return tbb::this_task_arena::max_concurrency(); }

GRU4REC_INLINE void with_threads(int max_threads, detail::FunctionRef<void()> work) {
    if (max_threads < 0) {
        detail::throw_invalid("max_threads", max_threads, "max_threads >= 0 (0: as many as the caller's arena has)");
    }
    if (max_threads == 0) {
        work();
    } else {
        const auto allowed = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
        const auto most = static_cast<int>((std::min)(allowed, static_cast<std::size_t>(max_threads)));
        tbb::task_arena(most).execute([&] { work(); });
    }
}

GRU4REC_INLINE void detail::parallel_chunks(Index n_chunks, FunctionRef<void(Index)> body) {
    if (n_chunks <= 1 || available_threads() == 1) {
        for (Index chunk = 0; chunk < n_chunks; ++chunk) {
            body(chunk);
        }
        return;
    }
    tbb::task_group_context context(tbb::task_group_context::isolated);
    // Kept here, not by TBB, whose library may have another C++ runtime than the program: libc++ with Debian's libtbb.
    std::exception_ptr failure;
    std::atomic<bool> failed = false;
    tbb::this_task_arena::isolate([&] {
        tbb::parallel_for(
            tbb::blocked_range<Index>(0, n_chunks),
            [&](const tbb::blocked_range<Index>& chunks) {
                GRU4REC_TRY {
                    for (Index chunk = chunks.begin(); chunk < chunks.end(); ++chunk) {
                        body(chunk);
                    }
                }
                GRU4REC_CATCH_ALL {
                    if (!failed.exchange(true)) {
                        failure = std::current_exception();
                    }
                    context.cancel_group_execution();
                }
            },
            tbb::auto_partitioner(), context);
    });
    if (failure) {
        std::rethrow_exception(failure);
    }
}

GRU4REC_INLINE detail::Chunks detail::chunks_by_work(Index size, Index unit, double work_per_unit,
                                                     double work_per_chunk) {
    const double wanted = (std::max)(work_per_chunk / (std::max)(work_per_unit, 1.0), 1.0);
    const auto units = static_cast<Index>((std::min)(std::ceil(wanted), static_cast<double>((std::max)(size, unit))));
    const auto rounded = [unit](Index n) { return (n + unit - 1) / unit * unit; };
    const Index n_chunks = Chunks{size, rounded(units)}.count();
    return {size, n_chunks > 1 ? rounded((size + n_chunks - 1) / n_chunks) : rounded(units)};
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
