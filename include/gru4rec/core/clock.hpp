#ifndef GRU4REC_CORE_CLOCK_HPP
#define GRU4REC_CORE_CLOCK_HPP

#include "gru4rec/version.hpp"

#include <chrono>

namespace gru4rec::inline GRU4REC_ABI::detail {

[[nodiscard]] inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
