#define GRU4REC_SOURCE  // see core/config.hpp

#include "gru4rec/gru4rec.hpp"

namespace gru4rec {
inline namespace GRU4REC_ABI {

template class SessionParallelBatcher<OrderedSessions>;
template class SessionParallelBatcher<detail::LongestFirst>;

}  // namespace GRU4REC_ABI
}  // namespace gru4rec
