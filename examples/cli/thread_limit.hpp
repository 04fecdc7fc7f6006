#ifndef GRU4REC_CLI_THREAD_LIMIT_HPP
#define GRU4REC_CLI_THREAD_LIMIT_HPP

#include <tbb/global_control.h>

#include <algorithm>
#include <cstddef>

namespace cli {

/// Limits the threads of the whole process during its lifetime. TBB's arenas keep their size, so pass max_threads to
/// calls as well; otherwise a loop on one thread would still call for helpers.
///
/// @param threads  0: one per core
class ThreadLimit {
  public:
    explicit ThreadLimit(int threads) : control_(kind, most(threads)) {}

  private:
    static constexpr auto kind = tbb::global_control::max_allowed_parallelism;

    [[nodiscard]] static std::size_t most(int threads) {
        const std::size_t allowed = tbb::global_control::active_value(kind);
        return threads > 0 ? (std::min)(allowed, static_cast<std::size_t>(threads)) : allowed;
    }

    tbb::global_control control_;
};

}  // namespace cli

#endif
