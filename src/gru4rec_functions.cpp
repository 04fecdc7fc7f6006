#define GRU4REC_SOURCE  // see core/config.hpp

#include "gru4rec/gru4rec.hpp"

namespace gru4rec {
inline namespace GRU4REC_ABI {
}  // namespace GRU4REC_ABI
}  // namespace gru4rec
