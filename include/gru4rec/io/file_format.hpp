#ifndef GRU4REC_IO_FILE_FORMAT_HPP
#define GRU4REC_IO_FILE_FORMAT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What gru4rec adds to safetensors: the name and version of a format, and a hash of the content. Specified in
// docs/file_format.md.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr std::string_view model_format = "gru4rec";
inline constexpr std::string_view model_format_version = "1";
inline constexpr std::string_view checkpoint_format = "gru4rec-checkpoint";
inline constexpr std::string_view checkpoint_format_version = "1";

enum class FileKind {
    weights,     ///< any other safetensors file
    model,       ///< written by save_model
    checkpoint,  ///< written by Checkpoint
};

[[noreturn]] GRU4REC_COLD inline void throw_format(const SafetensorsFile& file, std::string_view field,
                                                   std::string_view problem) {
    throw_format(file.name() + ": " + std::string(field), problem);
}

/// @returns nullptr if the file has no such entry
[[nodiscard]] inline const std::string* find_entry(const SafetensorsFile& file, std::string_view name) {
    const auto found = file.metadata().find(name);
    return found == file.metadata().end() ? nullptr : &found->second;
}

[[nodiscard]] inline const std::string& require_entry(const SafetensorsFile& file, std::string_view name) {
    const std::string* entry = find_entry(file, name);
    if (entry == nullptr) {
        throw_format(file, "metadata", "expected an entry " + quote(name) + ", found none; the file is damaged");
    }
    return *entry;
}

[[nodiscard]] inline FileKind kind_of(const SafetensorsFile& file) {
    const std::string* format = find_entry(file, "format");
    return format == nullptr              ? FileKind::weights
           : *format == model_format      ? FileKind::model
           : *format == checkpoint_format ? FileKind::checkpoint
                                          : FileKind::weights;
}

/// @param wanted  model or checkpoint
/// @throws FormatError unless the file is of this kind and of a version that can be read
inline void require_kind(const SafetensorsFile& file, FileKind wanted) {
    const bool wants_model = wanted == FileKind::model;
    if (const FileKind kind = kind_of(file); kind != wanted) {
        const std::string* format = find_entry(file, "format");
        const std::string_view hint =
            !wants_model
                ? (kind == FileKind::model ? "; to train a model further use load_model / train --continue" : "")
            : kind == FileKind::checkpoint ? "; this file is a checkpoint of a training run: use it with train --resume"
                                           : "; this file holds weights only: use it with load_weights / train --init";
        throw_format(file, "format",
                     "expected " + quote(wants_model ? model_format : checkpoint_format) + " in the metadata, found " +
                         (format == nullptr ? "none" : quote(*format)) + std::string(hint));
    }
    const std::string_view expected = wants_model ? model_format_version : checkpoint_format_version;
    if (const std::string& version = require_entry(file, "format_version"); version != expected) {
        throw_format(file, "format_version",
                     "expected " + std::string(expected) + ", found " + quote(version) +
                         "; read it with the version of gru4rec that wrote it");
    }
    (void)require_entry(file, "content_hash");
}

/// A 64-bit hash of a stream of bytes. Detects damage; does not protect against intent. Independent of how the stream
/// is split into updates. Defined for other readers in docs/file_format.md#content-hash.
///
/// Four lanes take 8-byte words in turn. Every step is invertible in the lane and in the word, so a change that is
/// confined to one word always changes the hash.
class ContentHash {
  public:
    void update(std::span<const std::byte> bytes) noexcept {
        total_ += bytes.size();
        if (used_ > 0) {
            const std::size_t taken = (std::min)(bytes.size(), block_.size() - used_);
            std::copy_n(bytes.begin(), taken, block_.begin() + static_cast<std::ptrdiff_t>(used_));
            used_ += taken;
            bytes = bytes.subspan(taken);
            if (used_ < block_.size()) {
                return;
            }
            absorb(block_.data());
            used_ = 0;
        }
        for (; bytes.size() >= block_.size(); bytes = bytes.subspan(block_.size())) {
            absorb(bytes.data());
        }
        std::copy(bytes.begin(), bytes.end(), block_.begin());
        used_ = bytes.size();
    }

    /// Eight bytes, little-endian.
    void update(std::uint64_t number) noexcept {
        std::array<std::byte, sizeof(number)> bytes{};
        to_little_endian(number, bytes.data());
        update(std::span<const std::byte>(bytes));
    }

    /// The length, then the characters: "ab" + "c" differs from "a" + "bc".
    void update(std::string_view text) noexcept {
        update(std::uint64_t{text.size()});
        update(std::as_bytes(std::span(text.data(), text.size())));
    }

    /// The hash of all updates so far.
    [[nodiscard]] std::uint64_t value() const noexcept {
        ContentHash last = *this;
        if (last.used_ > 0) {
            std::fill(last.block_.begin() + static_cast<std::ptrdiff_t>(last.used_), last.block_.end(), std::byte{0});
            last.absorb(last.block_.data());
        }
        std::uint64_t hash = total_;
        for (const std::uint64_t lane : last.lanes_) {
            hash = mixed(hash, lane);
        }
        return mixed(hash, 0);
    }

    /// The value in 16 hexadecimal digits.
    [[nodiscard]] std::string hex() const {
        std::string text(16, '0');
        std::uint64_t rest = value();
        for (auto digit = text.rbegin(); digit != text.rend(); ++digit, rest >>= 4U) {
            *digit = "0123456789abcdef"[rest & 0xfU];
        }
        return text;
    }

  private:
    [[nodiscard]] static std::uint64_t mixed(std::uint64_t state, std::uint64_t word) noexcept {
        const std::uint64_t product = (state ^ word) * 0x9e3779b97f4a7c15U;
        return product ^ (product >> 32U);
    }

    void absorb(const std::byte* block) noexcept {
        for (std::size_t k = 0; k < lanes_.size(); ++k) {
            lanes_[k] = mixed(lanes_[k], from_little_endian<std::uint64_t>(block + 8 * k));
        }
    }

    std::array<std::uint64_t, 4> lanes_ = {1, 2, 3, 4};
    std::array<std::byte, 32> block_{};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

inline void hash_metadata(ContentHash& hash, const Metadata& metadata) {
    for (const auto& [name, value] : metadata) {
        if (name != "content_hash") {
            hash.update(std::string_view(name));
            hash.update(std::string_view(value));
        }
    }
}

inline void hash_tensor_info(ContentHash& hash, const TensorInfo& tensor) {
    hash.update(std::string_view(tensor.name));
    hash.update(std::string_view(tensor.dtype));
    hash.update(std::uint64_t{tensor.shape.size()});
    for (const Index n : tensor.shape) {
        hash.update(static_cast<std::uint64_t>(n));
    }
}

/// Reads the whole file once, calls `visit(index of the tensor, bytes)` for each block, and checks the hash at the end:
/// the bytes that were visited are those that were hashed, even if the file changes meanwhile. A file without a hash is
/// not checked.
template <class Visit>
void read_hashed(SafetensorsFile& file, Visit&& visit) {
    const std::string* expected = find_entry(file, "content_hash");
    ContentHash hash;
    hash_metadata(hash, file.metadata());
    std::size_t i = 0;
    for (const TensorInfo& tensor : file.tensors()) {
        hash_tensor_info(hash, tensor);
        file.read(tensor, [&](std::span<const std::byte> bytes) {
            hash.update(bytes);
            visit(i, bytes);
        });
        ++i;
    }
    if (expected != nullptr && *expected != hash.hex()) {
        throw_format(file, "content_hash",
                     "expected " + quote(*expected) + ", found content with hash " + quote(hash.hex()) +
                         "; the file is damaged: copy or save it again");
    }
}

/// Writes a safetensors file with the hash of its content. @throws as write_safetensors
inline void write_hashed(const std::filesystem::path& path, Metadata metadata,
                         const std::vector<TensorSource>& tensors) {
    ContentHash hash;
    hash_metadata(hash, metadata);
    const std::vector<TensorInfo> infos = tensor_infos(tensors);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        hash_tensor_info(hash, infos[i]);
        visit_bytes(tensors[i], [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    metadata["content_hash"] = hash.hex();
    write_safetensors(path, metadata, tensors);
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
