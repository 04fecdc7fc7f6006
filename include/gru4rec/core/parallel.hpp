#ifndef GRU4REC_CORE_PARALLEL_HPP
#define GRU4REC_CORE_PARALLEL_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/thread_team.hpp"
#include "gru4rec/core/types.hpp"

// Qt's `emit` macro breaks TBB's headers.
#pragma push_macro("emit")
#undef emit
#include <tbb/global_control.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>
#pragma pop_macro("emit")

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Threads that a parallel loop started here would use.
[[nodiscard]] inline int available_threads() { return tbb::this_task_arena::max_concurrency(); }

/// Runs `work()` with at most `max_threads` threads, and no more than TBB has: one per core, or what a
/// tbb::global_control allows. 0 means the caller's own TBB arena.
///
/// @throws std::invalid_argument for a negative limit, and whatever `work` throws
template <class Work>
void with_threads(int max_threads, const Work& work) {
    if (max_threads < 0) {
        detail::throw_invalid("max_threads", max_threads, "max_threads >= 0 (0: as many as the caller's arena has)");
    }
    const auto on_team = [&] {
        const detail::TeamScope team(available_threads());
        work();
    };
    if (max_threads == 0) {
        on_team();
    } else {
        const auto allowed = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
        const auto most = static_cast<int>((std::min)(allowed, static_cast<std::size_t>(max_threads)));
        tbb::task_arena(most).execute(on_team);
    }
}

namespace detail {

/// Calls `body(chunk)` for chunk = 0 .. n_chunks-1, in any order, possibly at the same time; inside a chunk of several,
/// loops run on its own thread. The caller chooses the chunks from the size of the problem, never from the number of
/// threads, so results do not depend on that number. Loops that follow each other closely belong into one
/// `with_threads`.
template <class Body>
void parallel_chunks(Index n_chunks, const Body& body) {
    using Team = detail::ThreadTeam;
    const int n_threads = available_threads();
    if (n_chunks <= 1 || n_threads == 1 || Team::here().in_chunk) {
        for (Index chunk = 0; chunk < n_chunks; ++chunk) {
            body(chunk);
        }
        return;
    }
    Team* const team = Team::here().team;
    if (team != nullptr && team->n_threads() == n_threads) {  // else the caller has gone to another arena
        team->run(n_chunks, body);
    } else {
        Team(n_threads).run(n_chunks, body);
    }
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
[[nodiscard]] inline Chunks chunks_by_work(Index size, Index unit, double work_per_unit, double work_per_chunk) {
    const double wanted = (std::max)(work_per_chunk / (std::max)(work_per_unit, 1.0), 1.0);
    const auto units = static_cast<Index>((std::min)(std::ceil(wanted), static_cast<double>((std::max)(size, unit))));
    const auto rounded = [unit](Index n) { return (n + unit - 1) / unit * unit; };
    const Index n_chunks = Chunks{size, rounded(units)}.count();
    return {size, n_chunks > 1 ? rounded((size + n_chunks - 1) / n_chunks) : rounded(units)};
}

/// Numbers of a chunk of an element-wise pass, which moves about one a nanosecond: docs/performance.md.
inline constexpr double numbers_per_chunk = 16e3;

/// Cuts columns of lanes into chunks for an element-wise pass.
[[nodiscard]] inline Chunks column_chunks(Index columns, Index lanes) {
    return chunks_by_work(columns, 16, static_cast<double>(lanes), numbers_per_chunk);
}

/// Calls `body(begin, end)` for each chunk.
template <class Body>
void parallel_ranges(const Chunks& chunks, const Body& body) {
    parallel_chunks(chunks.count(), [&](Index chunk) { body(chunks.begin(chunk), chunks.end(chunk)); });
}

/// Sorts by operator<, in parallel. Not stable: values that compare equal must be equal, or the result depends on the
/// number of threads.
template <class Value>
void parallel_sort(std::span<Value> values) {
    tbb::parallel_sort(values.begin(), values.end());
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
