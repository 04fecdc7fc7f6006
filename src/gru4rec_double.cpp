#include "instantiate.hpp"

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

GRU4REC_INSTANTIATE_DETAIL(double);

}  // namespace detail

GRU4REC_INSTANTIATE(double);

}  // namespace GRU4REC_ABI
}  // namespace gru4rec
