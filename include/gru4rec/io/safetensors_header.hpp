#ifndef GRU4REC_IO_SAFETENSORS_HEADER_HPP
#define GRU4REC_IO_SAFETENSORS_HEADER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// The header of a safetensors file. io/parse_safetensors_header.hpp parses its JSON, io/safetensors.hpp reads the file.
namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

/// `(37, 100)`
[[nodiscard]] inline std::string shape_text(std::span<const Index> shape) {
    std::string text = "(";
    for (const Index n : shape) {
        text += text.size() > 1 ? ", " : "";
        text += std::to_string(n);
    }
    return text + ")";
}

}  // namespace detail

/// A tensor as the header of its file describes it.
struct TensorInfo {
    std::string name;          ///< unique in its file
    std::string dtype;         ///< "F32", "F64", ...
    std::vector<Index> shape;  ///< row-major
    std::uint64_t begin = 0;   ///< first byte, counted from the end of the header
    std::uint64_t end = 0;     ///< one past the last byte

    /// `(37, 100)`
    [[nodiscard]] std::string shape_text() const { return detail::shape_text(shape); }

    friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

namespace detail {

/// The text entries of a file by name, written in this order.
using Metadata = std::map<std::string, std::string, std::less<>>;

struct SafetensorsHeader {
    Metadata metadata;
    std::vector<TensorInfo> tensors;
};

/// Longer headers are refused, as other readers of the format do.
inline constexpr std::uint64_t max_header_size = 100'000'000;
inline constexpr std::size_t max_tensor_rank = 8;
inline constexpr std::string_view damaged_header = "; the file is damaged or is not a safetensors file";

/// Parses the header's JSON. Nothing unexpected is stored, whatever its size or depth.
///
/// @param path  for messages
/// @throws FormatError for anything but tensors, each with a type, a shape and a matching range of bytes, and metadata
[[nodiscard]] GRU4REC_INLINE SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json);

/// Parses a JSON object whose values are strings.
///
/// @param place  `path: field`, for messages
/// @throws FormatError for any other JSON, and for a name that occurs twice
[[nodiscard]] GRU4REC_INLINE Metadata parse_json_object(const std::string& place, std::string_view json);

/// Calls `use(text)` for each element of a JSON list of strings and integers.
///
/// @param place  `path: field`, for messages
/// @throws FormatError for any other JSON
GRU4REC_INLINE void read_json_list(const std::string& place, std::string_view json,
                                   FunctionRef<void(std::string_view)> use);

/// A JSON string literal.
///
/// @throws ConfigError for text that is not valid UTF-8
[[nodiscard]] GRU4REC_INLINE std::string json_string(std::string_view text);

/// Bytes of one value; 0 for a type that the format does not have.
[[nodiscard]] inline std::uint64_t dtype_size(std::string_view dtype) noexcept {
    if (dtype == "F64" || dtype == "I64" || dtype == "U64") {
        return 8;
    }
    if (dtype == "F32" || dtype == "I32" || dtype == "U32") {
        return 4;
    }
    if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") {
        return 2;
    }
    return dtype == "I8" || dtype == "U8" || dtype == "BOOL" || dtype == "F8_E4M3" || dtype == "F8_E5M2" ? 1 : 0;
}

// Files are little-endian on every host. On a little-endian host these are plain copies.

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

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
