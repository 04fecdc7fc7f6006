#ifndef GRU4REC_TESTS_FUZZ_MENDED_FILE_HPP
#define GRU4REC_TESTS_FUZZ_MENDED_FILE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/io/content_hash.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fuzz {

/// One past the end of the first JSON object of a text; the text's size if it does not end.
[[nodiscard]] inline std::size_t end_of_object(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1U : 0U;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '}' && --depth <= 0) {
            return i + 1;
        }
    }
    return text.size();
}

/// The hash that a file of this content has, or an empty text if its tensors are not in the data.
[[nodiscard]] inline std::string hash_of(const gru4rec::detail::SafetensorsHeader& header, std::string_view data) {
    gru4rec::detail::ContentHash hash;
    gru4rec::detail::hash_metadata(hash, header.metadata);
    const auto version = header.metadata.find("format_version");
    const bool in_order_of_version_1 = version == header.metadata.end() || version->second == "1";
    for (const std::size_t i : in_order_of_version_1 ? gru4rec::detail::order_of_version_1(header.tensors)
                                                     : gru4rec::detail::order_by_name(header.tensors)) {
        const gru4rec::TensorInfo& tensor = header.tensors[i];
        if (tensor.end > data.size() || tensor.begin > tensor.end) {
            return {};
        }
        gru4rec::detail::hash_tensor_info(hash, tensor);
        hash.update(std::as_bytes(std::span(data).subspan(static_cast<std::size_t>(tensor.begin),
                                                          static_cast<std::size_t>(tensor.end - tensor.begin))));
    }
    return hash.hex();
}

/// A safetensors file out of an input of a header's length, its JSON and data: the length becomes that of the JSON, the
/// data get the size that the tensors need, and the hash, if the file has one, is made right. `change(metadata)` may
/// change more.
template <class Change>
[[nodiscard]] std::string mended_file(std::string_view bytes, const Change& change) {
    constexpr std::size_t prefix = 8;
    bytes.remove_prefix(std::min(prefix, bytes.size()));
    const std::size_t end = end_of_object(bytes);
    std::string json(bytes.substr(0, end));
    std::string data(bytes.substr(end));
    try {
        gru4rec::detail::SafetensorsHeader header = gru4rec::detail::parse_safetensors_header("input", json);
        std::uint64_t size = 0;
        for (const gru4rec::TensorInfo& tensor : header.tensors) {
            size = std::max(size, tensor.end);
        }
        constexpr std::uint64_t most = std::uint64_t{1} << 16U;
        data.resize(static_cast<std::size_t>(std::min(size, most)));
        change(header.metadata);
        if (header.metadata.contains("content_hash")) {
            header.metadata["content_hash"] = hash_of(header, data);
        }
        json = gru4rec::detail::header_json(header.metadata, header.tensors);
    } catch (const gru4rec::Error&) {  // no header, or none that can be written again: only the length is right
    }
    std::array<std::byte, prefix> length{};
    gru4rec::detail::to_little_endian(std::uint64_t{json.size()}, length.data());
    return std::string(reinterpret_cast<const char*>(length.data()), prefix) + json + data;
}

}  // namespace fuzz

#endif
