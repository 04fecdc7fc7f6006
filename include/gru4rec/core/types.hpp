#ifndef GRU4REC_CORE_TYPES_HPP
#define GRU4REC_CORE_TYPES_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>

// The letters used everywhere, for shapes and in comments:
//   B configured batch_size     M lanes live in the current step, M <= B     V items     H units of a GRU layer
//   E width of the input embedding     K scored candidates: M targets of the lanes + n_sample drawn items
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Signed size, as Eigen's.
using Index = std::ptrdiff_t;

/// An item of the catalogue: 0 .. V-1, in order of first appearance.
enum class ItemIndex : std::int32_t {};

/// A session of a data set: 0 .. n_sessions-1, in order of first appearance.
enum class SessionIndex : std::int32_t {};

/// @{
/// The position of an item or a session in arrays that hold one entry for each.
[[nodiscard]] constexpr Index to_index(ItemIndex item) noexcept { return static_cast<Index>(item); }
[[nodiscard]] constexpr Index to_index(SessionIndex session) noexcept { return static_cast<Index>(session); }
/// @}

/// @pre 0 <= index < 2^31; see checked_item()
[[nodiscard]] constexpr ItemIndex to_item(Index index) noexcept {
    GRU4REC_ASSERT(index >= 0 && index <= (std::numeric_limits<std::int32_t>::max)());
    return static_cast<ItemIndex>(index);
}

/// to_item() for an index of unknown origin, which would wrap around if it did not fit.
///
/// @throws ContractError unless 0 <= index < 2^31
[[nodiscard]] inline ItemIndex checked_item(Index index) {
    GRU4REC_REQUIRE(index >= 0 && index <= (std::numeric_limits<std::int32_t>::max)(),
                    "item index " + detail::text_of(index) + " is out of range, must satisfy 0 <= index < 2147483648");
    return to_item(index);
}

/// @pre 0 <= index < 2^31; not checked
[[nodiscard]] constexpr SessionIndex to_session(Index index) noexcept { return static_cast<SessionIndex>(index); }

namespace detail {

/// values[i] for a signed index or a strong one: standard containers count in std::size_t, the library in Index.
template <class Values, class Position>
[[nodiscard]] constexpr decltype(auto) at(Values&& values, Position i) noexcept {
    return values[static_cast<std::size_t>(i)];
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
