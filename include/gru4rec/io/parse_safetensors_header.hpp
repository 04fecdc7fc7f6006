#ifndef GRU4REC_IO_PARSE_SAFETENSORS_HEADER_HPP
#define GRU4REC_IO_PARSE_SAFETENSORS_HEADER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/json.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Defines the functions of io/safetensors_header.hpp that read and write JSON.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr std::string_view each_name_once = "each name once";

[[nodiscard]] inline std::vector<Index> read_shape(JsonReader& reader, std::string_view expected_field) {
    constexpr std::string_view expected = "shape: at most 8 integers >= 0";
    std::vector<Index> shape;
    reader.list(expected_field, [&] {
        const std::uint64_t n = reader.integer(expected);
        if (shape.size() == max_tensor_rank) {
            reader.refuse(expected, std::to_string(n));
        }
        if (n > static_cast<std::uint64_t>((std::numeric_limits<Index>::max)())) {
            reader.fail("shape: expected a tensor that fits in memory, found " + std::to_string(n));
        }
        shape.push_back(static_cast<Index>(n));
    });
    return shape;
}

/// The first byte and one past the last.
[[nodiscard]] inline std::array<std::uint64_t, 2> read_offsets(JsonReader& reader, std::string_view expected_field) {
    constexpr std::string_view expected = "data_offsets: 2 integers >= 0";
    std::array<std::uint64_t, 2> offsets{};
    std::size_t count = 0;
    reader.list(expected_field, [&] {
        const std::uint64_t offset = reader.integer(expected);
        if (count == offsets.size()) {
            reader.refuse(expected, std::to_string(offset));
        }
        offsets[count] = offset;
        ++count;
    });
    if (count != offsets.size()) {
        reader.refuse(expected, std::to_string(count) + " number(s)");
    }
    return offsets;
}

/// Refuses a tensor whose type is unknown or whose range of bytes does not match its type and shape.
inline void check_tensor(const JsonReader& reader, const TensorInfo& tensor) {
    std::uint64_t n_bytes = dtype_size(tensor.dtype);
    if (n_bytes == 0) {
        reader.fail("dtype: expected F32, F64 or another type of safetensors, found " + quote(tensor.dtype));
    }
    const bool is_empty = std::count(tensor.shape.begin(), tensor.shape.end(), 0) > 0;
    for (const Index n : tensor.shape) {
        const auto size = is_empty ? std::uint64_t{0} : static_cast<std::uint64_t>(n);
        if (size != 0 && n_bytes > (std::numeric_limits<std::uint64_t>::max)() / size) {
            reader.fail("shape: expected a tensor that fits in memory, found " + tensor.shape_text());
        }
        n_bytes *= size;
    }
    if (tensor.end < tensor.begin || tensor.end - tensor.begin != n_bytes) {
        reader.fail("data_offsets: expected " + std::to_string(n_bytes) + " bytes for " + tensor.dtype + " " +
                    tensor.shape_text() + ", found " + std::to_string(tensor.begin) + " to " +
                    std::to_string(tensor.end));
    }
}

/// After the opening brace of its object.
[[nodiscard]] inline TensorInfo read_tensor(JsonReader& reader, std::string name) {
    constexpr std::string_view expected = "dtype (a string), shape and data_offsets (lists of integers)";
    constexpr std::array<std::string_view, 3> fields = {"dtype", "shape", "data_offsets"};
    std::array<bool, 3> is_set{};
    TensorInfo tensor;
    tensor.name = std::move(name);
    reader.members(each_name_once, [&](std::string&& field) {
        const auto found = std::find(fields.begin(), fields.end(), field);
        if (found == fields.end()) {
            reader.refuse(expected, quote(field));
        }
        at(is_set, found - fields.begin()) = true;
        if (field == "dtype") {
            tensor.dtype = reader.string(expected);
        } else if (field == "shape") {
            tensor.shape = read_shape(reader, expected);
        } else {
            const auto [begin, end] = read_offsets(reader, expected);
            tensor.begin = begin;
            tensor.end = end;
        }
    });
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (!is_set[i]) {
            reader.refuse(fields[i], "none");
        }
    }
    check_tensor(reader, tensor);
    return tensor;
}

GRU4REC_INLINE SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json) {
    SafetensorsHeader header;
    JsonReader reader(path + ": header", json);
    reader.begin_object("a JSON object");
    reader.members(each_name_once, [&](std::string&& name) {
        reader.begin_object("a JSON object for each tensor and for __metadata__");
        if (name == "__metadata__") {
            reader.set_place(path + ": metadata");
            reader.members(each_name_once, [&](std::string&& entry) {
                std::string value = reader.string("a string for " + quote(entry));
                header.metadata.emplace(std::move(entry), std::move(value));
            });
        } else {
            reader.set_place(path + ": tensor " + quote(name));
            header.tensors.push_back(read_tensor(reader, std::move(name)));
        }
        reader.set_place(path + ": header");
    });
    reader.end();
    return header;
}

GRU4REC_INLINE Metadata parse_json_object(const std::string& place, std::string_view json) {
    constexpr std::string_view expected = "a JSON object of strings, each name once";
    Metadata entries;
    JsonReader reader(place, json);
    reader.begin_object(expected);
    reader.members(expected, [&](std::string&& name) { entries.emplace(std::move(name), reader.string(expected)); });
    reader.end();
    return entries;
}

GRU4REC_INLINE void read_json_list(const std::string& place, std::string_view json,
                                   FunctionRef<void(std::string_view)> use) {
    constexpr std::string_view expected = "a JSON list of strings and integers";
    JsonReader reader(place, json, "");
    reader.list(expected, [&] { use(reader.string_or_integer(expected)); });
    reader.end();
}

GRU4REC_INLINE std::string json_string(std::string_view text) {
    constexpr std::string_view escaped_characters = "\"\\\b\f\n\r\t";
    constexpr std::string_view letters = "\"\\bfnrt";
    constexpr std::string_view digits = "0123456789abcdef";
    if (!is_utf8(text)) {
        throw_invalid("a safetensors header holds UTF-8 only, got " + quote(text));
    }
    std::string json = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const std::size_t letter = escaped_characters.find(c);
        if (letter != std::string_view::npos) {
            json += '\\';
            json += letters[letter];
        } else if (byte < 0x20U) {
            json += "\\u00";
            json += digits[byte >> 4U];
            json += digits[byte & 0xfU];
        } else {
            json += c;
        }
    }
    return json += '"';
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
