#ifndef GRU4REC_TESTS_SUPPORT_HOSTILE_TENSORS_HPP
#define GRU4REC_TESTS_SUPPORT_HOSTILE_TENSORS_HPP

#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "support/safetensors_parts.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What every format of tensors has in common: copies of a good file that are damaged in one place each.
namespace hostile {

struct Copy {
    std::string what;       ///< for messages
    std::string bytes;      ///< of the file
    std::string complaint;  ///< that the reader's message contains
};

/// Ends of the types that a size, a shape or an offset may pass through, and what is no such number.
inline constexpr std::array<std::string_view, 12> numbers = {"0",
                                                             "2147483647",
                                                             "2147483648",
                                                             "4294967296",
                                                             "9007199254740992",
                                                             "9223372036854775807",
                                                             "9223372036854775808",
                                                             "18446744073709551615",
                                                             "18446744073709551616",
                                                             "-1",
                                                             "1e3",
                                                             "1.5"};

/// The header's JSON with the nth number behind a tensor's field replaced.
[[nodiscard]] inline std::string with_number(std::string json, const std::string& tensor, std::string_view field,
                                             std::size_t n, std::string_view number) {
    std::size_t begin = json.find(gru4rec::detail::json_string(tensor) + ":{");
    begin = json.find('[', json.find(field, begin)) + 1;
    for (; n > 0; --n) {
        begin = json.find(',', begin) + 1;
    }
    return json.replace(begin, json.find_first_of(",]", begin) - begin, number);
}

/// Lengths of the header that are not its own.
inline void add_lengths(const Parts& good, std::vector<Copy>& copies) {
    const std::string bytes = good.bytes();
    const std::uint64_t own = bytes.size() - good.data.size() - 8;
    std::vector<std::uint64_t> lengths = {0, 1, own - 1, own + 1};
    for (const unsigned bit : {31U, 32U, 53U, 63U}) {
        lengths.insert(lengths.end(), {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit});
    }
    lengths.insert(lengths.end(), {~std::uint64_t{0} - 8, ~std::uint64_t{0} - 7, ~std::uint64_t{0}});
    for (const std::uint64_t length : lengths) {
        std::string changed = bytes;
        gru4rec::detail::to_little_endian(length, reinterpret_cast<std::byte*>(changed.data()));
        // One blank less still is the header, and leaves a byte too many.
        const std::string complaint = length == own - 1 ? ": " : ": header";
        copies.push_back({"header of " + std::to_string(length) + " bytes", changed, complaint});
    }
}

/// Shapes and offsets of each tensor, at the ends of the types.
inline void add_numbers(const Parts& good, std::vector<Copy>& copies) {
    const std::string json = gru4rec::detail::header_json(good.metadata, good.tensors);
    for (const gru4rec::TensorInfo& tensor : good.tensors) {
        const auto add = [&](std::string_view field, std::size_t n, const std::string& own) {
            for (const std::string_view number : numbers) {
                if (number != own) {
                    copies.push_back({tensor.name + " " + std::string(field) + " " + std::string(number),
                                      with_length(with_number(json, tensor.name, field, n, number), good.data),
                                      ": tensor \"" + tensor.name + "\": "});
                }
            }
        };
        for (std::size_t n = 0; n < tensor.shape.size(); ++n) {
            add("shape", n, std::to_string(tensor.shape[n]));
        }
        add("data_offsets", 0, std::to_string(tensor.begin));
        add("data_offsets", 1, std::to_string(tensor.end));
    }
}

/// Tensors that share bytes, that leave some out, and that reach beyond the data.
inline void add_places(const Parts& good, std::vector<Copy>& copies) {
    const auto add = [&](const std::string& what, const Parts& parts, const std::string& complaint) {
        copies.push_back({what, parts.bytes_with_old_hash(), complaint});
    };
    for (std::size_t i = 1; i < good.tensors.size(); ++i) {
        const std::string& name = good.tensors[i].name;
        Parts overlapping = good;
        Parts gapped = good;
        gapped.data.insert(good.tensors[i].begin, 8, '\0');
        for (std::size_t later = i; later < good.tensors.size(); ++later) {
            overlapping.tensors[later].begin -= 4;
            overlapping.tensors[later].end -= 4;
            gapped.tensors[later].begin += 8;
            gapped.tensors[later].end += 8;
        }
        add(name + " overlaps the tensor before", overlapping, "\": data_offsets: expected to begin at ");
        add(name + " leaves a gap", gapped, "tensor \"" + name + "\": data_offsets: expected to begin at ");
        Parts beyond = good;
        const std::uint64_t size = beyond.tensors[i].end - beyond.tensors[i].begin;
        beyond.tensors[i].end = ~std::uint64_t{0};
        beyond.tensors[i].begin = beyond.tensors[i].end - size;
        add(name + " ends with the numbers", beyond, "\": data_offsets: expected to begin at ");
    }
    Parts less = good;
    less.data.resize(less.data.size() - 1);
    add("a byte less", less, ": data: expected ");
    Parts more = good;
    more.data += '\0';
    add("a byte more", more, ": data: expected ");
}

/// All of them. Their hashes, if the format has any, are as those of a good file: what is wrong is found before them.
[[nodiscard]] inline std::vector<Copy> copies_of(const Parts& good) {
    std::vector<Copy> copies;
    add_lengths(good, copies);
    add_numbers(good, copies);
    add_places(good, copies);
    return copies;
}

/// A value that is no number to compute with, as a tensor of this type stores it. @param which  0 .. 2
[[nodiscard]] inline std::string not_finite(const std::string& dtype, unsigned which) {
    constexpr std::array<unsigned, 3> high_bits = {0x7fc0U, 0x7f80U, 0xff80U};  // NaN, infinity, -infinity of F32
    constexpr std::array<unsigned, 3> high_bits_of_double = {0x7ff8U, 0x7ff0U, 0xfff0U};
    const bool is_double = dtype == "F64";
    const unsigned bits = (is_double ? high_bits_of_double : high_bits)[which];
    std::string value(is_double ? 6U : 2U, '\0');
    value += static_cast<char>(bits & 0xffU);
    value += static_cast<char>(bits >> 8U);
    return value;
}

}  // namespace hostile

#endif
