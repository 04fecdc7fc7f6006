#ifndef GRU4REC_IO_FILE_FORMAT_HPP
#define GRU4REC_IO_FILE_FORMAT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/io/content_hash.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
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
inline constexpr std::string_view model_format_version = "2";
inline constexpr std::string_view checkpoint_format = "gru4rec-checkpoint";
inline constexpr std::string_view checkpoint_format_version = "2";

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

/// A model may lack a hash, for instance if another program has saved it again. One whose hash has lost its name does
/// not lack it.
inline void refuse_renamed_hash(const SafetensorsFile& file) {
    constexpr std::string_view name = "content_hash";
    constexpr std::size_t most_changes = 2;  // of one damaged byte, which may become a backslash
    for (const auto& [entry, value] : file.metadata()) {
        if (entry.size() <= name.size() + most_changes && edit_distance(entry, name) <= most_changes) {
            throw_format(file, "metadata",
                         "expected an entry " + quote(name) + ", found " + quote(entry) + "; the file is damaged");
        }
    }
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
            : kind == FileKind::checkpoint
                ? "; this file is a checkpoint of a training run: use it with train --resume"
                : "; this file holds weights only: use it with load_weights / train --init, or make a "
                  "model of it with import_model / gru4rec import";
        throw_format(file, "format",
                     "expected " + quote(wants_model ? model_format : checkpoint_format) + " in the metadata, found " +
                         (format == nullptr ? "none" : quote(*format)) + std::string(hint));
    }
    const std::string_view newest = wants_model ? model_format_version : checkpoint_format_version;
    if (const std::string& version = require_entry(file, "format_version"); version != "1" && version != newest) {
        throw_format(file, "format_version",
                     "expected 1 or " + std::string(newest) + ", found " + quote(version) +
                         "; read it with the version of gru4rec that wrote it");
    }
    if (!wants_model) {
        (void)require_entry(file, "content_hash");
    } else if (find_entry(file, "content_hash") == nullptr) {
        refuse_renamed_hash(file);
    }
}

/// Calls `visit(index of the tensor, bytes)` for each block of the file, tensors in the given order.
///
/// @returns the hash of all that was visited
template <class Visit>
[[nodiscard]] std::string read_in_order(SafetensorsFile& file, const TensorOrder& order, Visit&& visit) {
    ContentHash hash;
    hash_metadata(hash, file.metadata());
    for (const std::size_t i : order) {
        const TensorInfo& tensor = file.tensors()[i];
        hash_tensor_info(hash, tensor);
        file.read(tensor, [&](std::span<const std::byte> bytes) {
            hash.update(bytes);
            visit(i, bytes);
        });
    }
    return hash.hex();
}

/// The order in which the tensors of a file are hashed: by name, in version 1 that of the data. A program that saved a
/// file of version 1 again may have changed that order and kept the hash. Such a file is read twice: first to find out
/// whether the hash is that of the order in which version 1 wrote.
[[nodiscard]] inline TensorOrder hash_order(SafetensorsFile& file) {
    const std::string* const version = find_entry(file, "format_version");
    if (kind_of(file) != FileKind::weights && version != nullptr && *version != "1") {
        return order_by_name(file.tensors());
    }
    TensorOrder in_file = order_in_file(file.tensors());
    if (const std::string* const expected = find_entry(file, "content_hash")) {
        TensorOrder written = order_of_version_1(file.tensors());
        const auto ignore = [](std::size_t, std::span<const std::byte>) {};
        if (written != in_file && read_in_order(file, written, ignore) == *expected) {
            return written;
        }
    }
    return in_file;
}

/// Reads the file, calls `visit(index of the tensor, bytes)` for each block, and checks the hash at the end: the bytes
/// that were visited are those that were hashed, even if the file changes meanwhile. A file without a hash is not
/// checked.
template <class Visit>
void read_hashed(SafetensorsFile& file, Visit&& visit) {
    const std::string* expected = find_entry(file, "content_hash");
    const std::string found = read_in_order(file, hash_order(file), visit);
    if (expected != nullptr && *expected != found) {
        throw_format(file, "content_hash",
                     "expected " + quote(*expected) + ", found content with hash " + quote(found) +
                         "; the file is damaged: copy or save it again");
    }
}

/// The hash of a file of this content.
[[nodiscard]] inline ContentHash content_hash(const Metadata& metadata, const std::vector<TensorSource>& tensors) {
    ContentHash hash;
    hash_metadata(hash, metadata);
    const std::vector<TensorInfo> infos = tensor_infos(tensors);
    for (const std::size_t i : order_by_name(infos)) {
        hash_tensor_info(hash, infos[i]);
        visit_bytes(tensors[i], [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    return hash;
}

/// Writes a safetensors file with the hash of its content. @throws as write_safetensors
inline void write_hashed(const std::filesystem::path& path, Metadata metadata,
                         const std::vector<TensorSource>& tensors) {
    metadata["content_hash"] = content_hash(metadata, tensors).hex();
    write_safetensors(path, metadata, tensors);
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
