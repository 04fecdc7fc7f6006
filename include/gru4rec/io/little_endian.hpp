#ifndef GRU4REC_IO_LITTLE_ENDIAN_HPP
#define GRU4REC_IO_LITTLE_ENDIAN_HPP

#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

// Files are little-endian whatever the host is; on a little-endian host these are plain copies.
namespace gru4rec::inline GRU4REC_ABI::detail {

template <class Value>
void to_little_endian(const Value& value, std::byte* out) noexcept {
    static_assert(std::is_arithmetic_v<Value>);
    std::memcpy(out, &value, sizeof(Value));
    if constexpr (std::endian::native == std::endian::big) {
        std::reverse(out, out + sizeof(Value));
    }
}

template <class Value>
[[nodiscard]] Value from_little_endian(const std::byte* in) noexcept {
    static_assert(std::is_arithmetic_v<Value>);
    std::array<std::byte, sizeof(Value)> bytes{};
    std::memcpy(bytes.data(), in, sizeof(Value));
    if constexpr (std::endian::native == std::endian::big) {
        std::reverse(bytes.begin(), bytes.end());
    }
    return std::bit_cast<Value>(bytes);
}

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
