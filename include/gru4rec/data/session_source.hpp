#ifndef GRU4REC_DATA_SESSION_SOURCE_HPP
#define GRU4REC_DATA_SESSION_SOURCE_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <concepts>
#include <cstdint>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The order in which training sees the sessions of a data set.
enum class SessionOrder {
    time,    ///< by the time of the first event, ties by session index
    file,    ///< by session index, that is by first appearance
    random,  ///< a new permutation every epoch
};

/// A source that yields every session once per epoch, in training order: OrderedSessions of a Dataset, SessionList, or
/// the user's own, such as one over a memory-mapped file.
template <class Source>
concept SessionSource = requires(Source& source, std::uint64_t epoch) {
    source.start_epoch(epoch);  // rewinds; epochs count from 0
    {
        source.next_session()
        } -> std::same_as<std::span<const ItemIndex>>;   // empty: end of the epoch;
                                                         // valid until the next start_epoch
    { source.n_items() } -> std::convertible_to<Index>;  // V; every item index is below it
    { source.n_pairs() } -> std::convertible_to<Index>;  // sum of (length - 1) over the sessions
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
