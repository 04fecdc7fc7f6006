#ifndef GRU4REC_CLI_FILE_LIMIT_HPP
#define GRU4REC_CLI_FILE_LIMIT_HPP

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>

namespace cli {

/// Raises the limit of open files as far as the system lets us.
///
/// @returns how many may be open then, at most 2^30
[[nodiscard]] inline std::int64_t raise_file_limit() {
    constexpr rlim_t most = rlim_t{1} << 30U;
    struct rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return static_cast<std::int64_t>(most);
    }
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::int64_t>((std::min)(limit.rlim_cur, most));
}

}  // namespace cli

#endif
