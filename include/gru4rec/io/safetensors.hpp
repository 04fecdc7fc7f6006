#ifndef GRU4REC_IO_SAFETENSORS_HPP
#define GRU4REC_IO_SAFETENSORS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/io/parse_safetensors_header.hpp"
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// The file format of https://github.com/huggingface/safetensors: the header's length in 8 bytes, a JSON header, raw
// little-endian values. Independent of what the tensors mean.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr std::size_t io_block_size = std::size_t{1} << 16U;  // bytes, a multiple of the size of every type

template <class Value>
[[nodiscard]] constexpr std::string_view dtype_of() noexcept {
    static_assert(std::is_same_v<Value, float> || std::is_same_v<Value, double> || std::is_same_v<Value, std::int64_t>);
    return std::is_same_v<Value, float> ? "F32" : std::is_same_v<Value, double> ? "F64" : "I64";
}

/// A safetensors file, open for reading. The constructor checks the whole header against the file's size. Values are
/// read in blocks, so a header cannot make the reader allocate more than the file holds.
///
/// Uses plain reads, not a memory map: a file that is truncated while it is read is an error, not a SIGBUS.
///
/// @throws IoError if the system cannot read; FormatError (path: field: expected, found) for the content
/// @threads one thread per object
class SafetensorsFile {
  public:
    explicit SafetensorsFile(const std::filesystem::path& path) : name_(path.string()) {
        std::error_code error;
        const std::filesystem::file_status status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status)) {
            throw_io(name_, "cannot read: " + (error ? system_message(error) : "no such file"));
        }
        if (!std::filesystem::is_regular_file(status)) {
            throw_io(name_, "cannot read: expected a regular file, found a folder, a pipe or a device");
        }
        file_ = open_file(path, "rb");
        if (!file_) {
            throw_io(name_, "cannot read: " + system_message(errno));
        }
        size_ = std::filesystem::file_size(path, error);
        if (error) {
            throw_io(name_, "cannot read: " + system_message(error));
        }
        read_header();
    }

    /// The path as given, for messages.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// In bytes.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    /// All tensors together, in bytes.
    [[nodiscard]] std::uint64_t data_size() const noexcept { return size_ - data_begin_; }
    [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
    /// In the order of their data.
    [[nodiscard]] std::span<const TensorInfo> tensors() const noexcept { return tensors_; }

    /// @returns an element of tensors(), or nullptr if there is no tensor of that name
    /// @complexity O(log n) for n tensors: a file of 100 MB may have a million, each of which is looked up
    [[nodiscard]] const TensorInfo* find(std::string_view name) const noexcept {
        const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                            [&](std::size_t i, std::string_view n) { return tensors_[i].name < n; });
        return found == by_name_.end() || tensors_[*found].name != name ? nullptr : &tensors_[*found];
    }

    /// Calls `visit(std::span<const std::byte>)` with the bytes of a tensor, in order, in blocks of whole values.
    template <class Visit>
    void read(const TensorInfo& tensor, Visit&& visit) {
        seek(data_begin_ + tensor.begin);
        std::vector<std::byte> block(
            static_cast<std::size_t>((std::min)(tensor.end - tensor.begin, std::uint64_t{io_block_size})));
        for (std::uint64_t left = tensor.end - tensor.begin; left > 0;) {
            const auto n = static_cast<std::size_t>((std::min)(left, std::uint64_t{block.size()}));
            read_exactly(block.data(), n);
            visit(std::span<const std::byte>(block).first(n));
            left -= n;
        }
    }

    /// All values of a tensor, row by row.
    ///
    /// @throws FormatError if its type is not Value
    template <class Value>
    [[nodiscard]] std::vector<Value> values(const TensorInfo& tensor) {
        if (tensor.dtype != dtype_of<Value>()) {
            throw_format(name_, "tensor " + quote(tensor.name) + ": expected dtype " + std::string(dtype_of<Value>()) +
                                    ", found " + tensor.dtype);
        }
        std::vector<Value> result;
        result.reserve(static_cast<std::size_t>(tensor.end - tensor.begin) / sizeof(Value));
        read(tensor, [&](std::span<const std::byte> bytes) {
            for (std::size_t at = 0; at < bytes.size(); at += sizeof(Value)) {
                result.push_back(from_little_endian<Value>(bytes.data() + at));
            }
        });
        return result;
    }

  private:
    void read_header() {
        constexpr std::uint64_t prefix = 8;
        std::array<std::byte, prefix> bytes{};
        if (size_ < prefix) {
            fail("header length: expected 8 bytes, found " + std::to_string(size_) + "; the file is truncated");
        }
        read_exactly(bytes.data(), bytes.size());
        const auto length = from_little_endian<std::uint64_t>(bytes.data());
        if (length > max_header_size || length > size_ - prefix) {
            fail("header length: expected at most " + std::to_string((std::min)(max_header_size, size_ - prefix)) +
                 " bytes, found " + std::to_string(length) +
                 "; the file is truncated, damaged or not a safetensors file");
        }
        data_begin_ = prefix + length;
        std::string text(static_cast<std::size_t>(length), '\0');
        read_exactly(reinterpret_cast<std::byte*>(text.data()), text.size());
        if (!text.starts_with('{')) {
            fail("header: expected JSON that starts with '{', found " + quote(text.substr(0, 1)) +
                 std::string(damaged_header));
        }
        SafetensorsHeader header = parse_safetensors_header(name_, text);
        metadata_ = std::move(header.metadata);
        tensors_ = std::move(header.tensors);
        sort_tensors();
        std::uint64_t end = 0;
        for (const TensorInfo& tensor : tensors_) {
            if (tensor.begin != end) {
                fail("tensor " + quote(tensor.name) + ": data_offsets: expected to begin at " + std::to_string(end) +
                     ", the end of the previous tensor, found " + std::to_string(tensor.begin) +
                     std::string(damaged_header));
            }
            end = tensor.end;
        }
        if (end != data_size()) {
            fail("data: expected " + std::to_string(end) + " bytes after the header, found " +
                 std::to_string(data_size()) + (end > data_size() ? "; the file is truncated" : "; too many"));
        }
    }

    /// Into the order of their data, and their indices into that of their names.
    void sort_tensors() {
        std::stable_sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
            return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
        });
        by_name_.resize(tensors_.size());
        std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
        std::sort(by_name_.begin(), by_name_.end(),
                  [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
    }

    [[noreturn]] void fail(const std::string& problem) const { throw_format(name_, problem); }

    void seek(std::uint64_t position) {
#if defined(_WIN32)
        const int result = ::_fseeki64(file_.get(), static_cast<std::int64_t>(position), SEEK_SET);
#elif GRU4REC_HAS_POSIX_FILES
        const int result = ::fseeko(file_.get(), static_cast<::off_t>(position), SEEK_SET);
#else
        const int result = std::fseek(file_.get(), static_cast<long>(position), SEEK_SET);
#endif
        if (result != 0) {
            throw_io(name_, "cannot read: " + system_message(errno));
        }
    }

    void read_exactly(std::byte* out, std::size_t n) {
        if (n > 0 && std::fread(out, 1, n, file_.get()) != n) {
            if (std::ferror(file_.get()) != 0) {
                throw_io(name_, "cannot read: " + system_message(errno));
            }
            fail("the file shrank while it was read; read it again when it is complete");
        }
    }

    std::string name_;
    FileHandle file_;
    std::uint64_t size_ = 0;
    std::uint64_t data_begin_ = 0;
    Metadata metadata_;
    std::vector<TensorInfo> tensors_;
    std::vector<std::size_t> by_name_;  // indices of tensors_
};

/// A tensor to write. It refers to its values.
using TensorSource = std::variant<TensorView<const float>, TensorView<const double>, TensorView<const std::int64_t>>;

/// The shape of a tensor in a file of `n_items` items.
template <class Scalar>
[[nodiscard]] std::vector<Index> shape_in_file(const TensorView<Scalar>& view, Index n_items) {
    std::vector<Index> shape{view.by_item ? n_items : view.rows};
    if (!view.is_vector) {
        shape.push_back(view.cols);
    }
    return shape;
}

/// The header's entries for tensors that are written in this order.
[[nodiscard]] inline std::vector<TensorInfo> tensor_infos(std::span<const TensorSource> sources) {
    std::vector<TensorInfo> tensors;
    std::uint64_t end = 0;
    for (const TensorSource& source : sources) {
        std::visit(
            [&]<class Value>(const TensorView<const Value>& view) {
                TensorInfo& tensor = tensors.emplace_back();
                tensor.name = view.name;
                tensor.dtype = dtype_of<Value>();
                tensor.shape = shape_in_file(view, view.rows);
                tensor.begin = end;
                end += static_cast<std::uint64_t>(view.rows) * static_cast<std::uint64_t>(view.cols) * sizeof(Value);
                tensor.end = end;
            },
            source);
    }
    return tensors;
}

/// Calls `visit(std::span<const std::byte>)` with the values of a tensor as they are stored in a file, row by row.
template <class Visit>
void visit_bytes(const TensorSource& source, Visit&& visit) {
    std::visit(
        [&]<class Value>(const TensorView<const Value>& view) {
            std::vector<std::byte> block(io_block_size);
            std::size_t used = 0;
            for (Index r = 0; r < view.rows; ++r) {
                for (Index c = 0; c < view.cols;) {
                    const auto room = static_cast<Index>((block.size() - used) / sizeof(Value));
                    const Index end = c + (std::min)(room, view.cols - c);
                    for (; c < end; ++c, used += sizeof(Value)) {
                        to_little_endian(view(r, c), block.data() + used);
                    }
                    if (used == block.size()) {
                        visit(std::span<const std::byte>(block));
                        used = 0;
                    }
                }
            }
            visit(std::span<const std::byte>(block).first(used));
        },
        source);
}

[[nodiscard]] inline std::string json_object(const Metadata& entries) {
    std::string json = "{";
    for (const auto& [name, value] : entries) {
        json += json.size() > 1 ? "," : "";
        json += json_string(name) + ":" + json_string(value);
    }
    return json + "}";
}

[[nodiscard]] inline std::string json_list(std::span<const Index> values) {
    std::string text = shape_text(values);
    std::erase(text, ' ');
    text.front() = '[';
    text.back() = ']';
    return text;
}

/// The header's JSON, padded with spaces so that the data begin at a multiple of 8 bytes.
///
/// @throws ConfigError for a tensor's name that occurs twice, and for text that is not valid UTF-8
[[nodiscard]] inline std::string header_json(const Metadata& metadata, std::span<const TensorInfo> tensors) {
    std::set<std::string_view> names = {"__metadata__"};
    std::string json = metadata.empty() ? "{" : "{\"__metadata__\":" + json_object(metadata);
    for (const TensorInfo& tensor : tensors) {
        if (!names.insert(tensor.name).second) {
            throw_invalid("each tensor of a safetensors file needs its own name, got " + quote(tensor.name) + " twice");
        }
        json += json.size() > 1 ? "," : "";
        json += json_string(tensor.name) + ":{\"dtype\":\"" + tensor.dtype + "\",\"shape\":" + json_list(tensor.shape) +
                ",\"data_offsets\":[" + std::to_string(tensor.begin) + "," + std::to_string(tensor.end) + "]}";
    }
    json += "}";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    return json;
}

/// Writes a safetensors file atomically: tensors in the given order, without gaps. The same arguments produce the same
/// bytes on every machine. Needs memory for the header and one block.
///
/// @throws IoError; ConfigError for a name that occurs twice, text that is not valid UTF-8, or more than 100 MB of
///         names and metadata, which readers of the format refuse. The file at `path` is then unchanged.
inline void write_safetensors(const std::filesystem::path& path, const Metadata& metadata,
                              std::span<const TensorSource> tensors) {
    const std::string header = header_json(metadata, tensor_infos(tensors));
    if (header.size() > max_header_size) {
        throw_invalid(path.string() + ": names and metadata take " + std::to_string(header.size()) +
                      " bytes; a safetensors header may have " + std::to_string(max_header_size));
    }
    std::array<std::byte, 8> length{};
    to_little_endian(std::uint64_t{header.size()}, length.data());
    AtomicFile file(path);
    file.write(std::span<const std::byte>(length));
    file.write(header);
    for (const TensorSource& tensor : tensors) {
        visit_bytes(tensor, [&](std::span<const std::byte> bytes) { file.write(bytes); });
    }
    file.commit();
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
