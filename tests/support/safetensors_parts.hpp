#ifndef GRU4REC_TESTS_SUPPORT_SAFETENSORS_PARTS_HPP
#define GRU4REC_TESTS_SUPPORT_SAFETENSORS_PARTS_HPP

#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "support/temporary_folder.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

[[nodiscard]] inline std::string with_length(const std::string& header, const std::string& data) {
    std::string bytes;
    for (unsigned k = 0; k < 8; ++k) {
        bytes += static_cast<char>(std::uint64_t{header.size()} >> (8 * k));
    }
    return bytes + header + data;
}

/// The parts of a file, to change one at a time. bytes() recomputes the hash, as a hostile author would.
struct Parts {
    explicit Parts(const std::filesystem::path& path) {
        gru4rec::detail::SafetensorsFile file(path);
        metadata = file.metadata();
        tensors.assign(file.tensors().begin(), file.tensors().end());
        const std::string bytes = read_bytes(path);
        data = bytes.substr(bytes.size() - file.data_size());
    }

    [[nodiscard]] std::string bytes() const {
        gru4rec::detail::Metadata with_hash = metadata;
        if (with_hash.contains("content_hash")) {
            gru4rec::detail::ContentHash hash;
            gru4rec::detail::hash_metadata(hash, metadata);
            std::vector<gru4rec::TensorInfo> hashed = tensors;
            const auto version = metadata.find("format_version");
            if (version != metadata.end() && version->second != "1") {
                std::sort(hashed.begin(), hashed.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
            }
            for (const gru4rec::TensorInfo& tensor : hashed) {
                gru4rec::detail::hash_tensor_info(hash, tensor);
                hash.update(std::as_bytes(std::span(data).subspan(tensor.begin, tensor.end - tensor.begin)));
            }
            with_hash["content_hash"] = hash.hex();
        }
        return with_length(gru4rec::detail::header_json(with_hash, tensors), data);
    }

    [[nodiscard]] gru4rec::TensorInfo& tensor(std::string_view name) {
        for (gru4rec::TensorInfo& info : tensors) {
            if (info.name == name) {
                return info;
            }
        }
        throw std::runtime_error("no such tensor");
    }

    void erase(std::string_view name) {
        const gru4rec::TensorInfo gone = tensor(name);
        const std::uint64_t size = gone.end - gone.begin;
        data.erase(gone.begin, size);
        std::erase(tensors, gone);
        for (gru4rec::TensorInfo& info : tensors) {
            if (info.begin >= gone.end) {
                info.begin -= size;
                info.end -= size;
            }
        }
    }

    /// Puts the tensors and their data in another order: the tensor at order[i] becomes the i-th.
    void reorder(const std::vector<std::size_t>& order) {
        std::vector<gru4rec::TensorInfo> moved;
        std::string moved_data;
        for (const std::size_t i : order) {
            gru4rec::TensorInfo& tensor = moved.emplace_back(tensors.at(i));
            moved_data += data.substr(tensor.begin, tensor.end - tensor.begin);
            tensor.begin = moved_data.size() - (tensor.end - tensor.begin);
            tensor.end = moved_data.size();
        }
        tensors = moved;
        data = moved_data;
    }

    /// As another program would save it: with the hash that is there.
    [[nodiscard]] std::string bytes_with_old_hash() const {
        return with_length(gru4rec::detail::header_json(metadata, tensors), data);
    }

    void append_empty(const std::string& name) {
        gru4rec::TensorInfo more = tensors.back();
        more.name = name;
        more.begin = more.end;
        more.shape = {0};
        tensors.push_back(more);
    }

    gru4rec::detail::Metadata metadata;
    std::vector<gru4rec::TensorInfo> tensors;
    std::string data;
};

/// The outcome of changing one thing in a good file. `good` must outlive this object.
///
/// @tparam Outcome  callable as std::string(const std::string& bytes), with the bytes of a file
template <class Outcome>
struct ChangedParts {
    const Parts& good;
    Outcome outcome;

    template <class Change>
    [[nodiscard]] std::string with(const Change& change) const {
        Parts parts = good;
        change(parts);
        return outcome(parts.bytes());
    }
    [[nodiscard]] std::string entry(const std::string& name, const std::string& value) const {
        return with([&](Parts& parts) { parts.metadata[name] = value; });
    }
};

#endif
