#ifndef GRU4REC_CORE_PARALLEL_SORT_HPP
#define GRU4REC_CORE_PARALLEL_SORT_HPP

#include "gru4rec/version.hpp"

// Qt's `emit` macro breaks TBB's headers.
#pragma push_macro("emit")
#undef emit
#include <tbb/parallel_sort.h>
#pragma pop_macro("emit")

#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

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
