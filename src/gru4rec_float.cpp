#include "instantiate.hpp"

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

GRU4REC_INSTANTIATE_DETAIL(float);

}  // namespace detail

GRU4REC_INSTANTIATE(float);

}  // namespace GRU4REC_ABI
}  // namespace gru4rec
