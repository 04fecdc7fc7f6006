#ifndef GRU4REC_IO_WEIGHTS_HPP
#define GRU4REC_IO_WEIGHTS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A 64-bit hash of a stream of bytes, to notice damage; no defence against intent. How the stream is cut into updates
/// does not matter. Its definition, for other readers, is in docs/file_format.md#content-hash.
///
/// Four lanes take 8-byte words in turn. Every step is invertible in the lane and in the word, so that a change
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

    /// The hash of everything so far.
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

    /// The value as 16 hexadecimal digits.
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

// Between the tensors of a safetensors file and those in memory: matched by name and shape, hashed, filled in.

[[noreturn]] inline void throw_format(const SafetensorsFile& file, std::string_view field, std::string_view problem) {
    throw_format(file.name() + ": " + std::string(field), problem);
}

/// @returns nullptr where the file has no such entry
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

[[nodiscard]] inline std::string tensor_field(std::string_view name) { return "tensor " + quote(name); }

/// For each tensor of the file, in its order, the model's; neither may have one that the other lacks.
template <class Scalar>
[[nodiscard]] std::vector<TensorView<Scalar>> match_tensors(const SafetensorsFile& file,
                                                            std::span<const TensorView<Scalar>> views,
                                                            Index n_file_items) {
    for (const TensorView<Scalar>& view : views) {
        const TensorInfo* tensor = file.find(view.name);
        const std::vector<Index> shape = shape_in_file(view, n_file_items);
        if (tensor == nullptr) {
            throw_format(file, tensor_field(view.name),
                         "expected F32 or F64 " + shape_text(shape) +
                             ", found none; are layers, gru_variant, embedding and constrained_embedding this file's?");
        }
        if (tensor->dtype != "F32" && tensor->dtype != "F64") {
            throw_format(file, tensor_field(view.name), "dtype: expected F32 or F64, found " + tensor->dtype);
        }
        if (tensor->shape != shape) {
            throw_format(file, tensor_field(view.name),
                         "shape: expected " + shape_text(shape) + ", found " + shape_text(tensor->shape) +
                             "; are layers, embedding and the number of items this file's?");
        }
    }
    std::vector<TensorView<Scalar>> matched;
    for (const TensorInfo& tensor : file.tensors()) {
        const auto view =
            std::find_if(views.begin(), views.end(), [&](const auto& v) { return v.name == tensor.name; });
        if (view == views.end()) {
            throw_format(file, tensor_field(tensor.name),
                         "expected no such tensor; are layers, gru_variant, embedding and constrained_embedding this "
                         "file's?");
        }
        matched.push_back(*view);
    }
    return matched;
}

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

/// Reads the whole file once, shows it to `visit(number of the tensor, bytes)` and then checks the hash, so that a file
/// which changes meanwhile is noticed as well. A file without a hash is taken as it is.
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
                     "expected " + quote(*expected) + ", found content of " + quote(hash.hex()) +
                         "; the file is damaged: copy or save it again");
    }
}

/// Takes the values of one tensor as the bytes come, row by row.
template <class Scalar>
class TensorFiller {
  public:
    /// @param rows  of the file's row r goes to row rows[r] of the view, or nowhere where that is -1; empty: to row r
    TensorFiller(const TensorInfo& info, TensorView<Scalar> view, std::span<const Index> rows)
        : info_(&info), view_(std::move(view)), rows_(view_.by_item ? rows : std::span<const Index>()) {}

    void take(std::span<const std::byte> bytes) {
        if (info_->dtype == "F32") {
            take_as<float>(bytes);
        } else {
            take_as<double>(bytes);
        }
    }

    /// @throws FormatError if one of the values that were taken is not finite
    void require_finite(const SafetensorsFile& file) const {
        if (bad_row_ >= 0) {
            throw_format(file, tensor_field(info_->name),
                         "row " + std::to_string(bad_row_) + ": expected finite numbers" +
                             (std::is_same_v<Scalar, float> ? " within the range of float" : "") + ", found " +
                             text_of(bad_value_));
        }
    }

  private:
    template <class Stored>
    void take_as(std::span<const std::byte> bytes) {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(Stored)) {
            const auto stored = from_little_endian<Stored>(bytes.data() + at);
            // A double beyond float is refused before it is converted.
            const bool fits = std::abs(static_cast<double>(stored)) <= double{(std::numeric_limits<Scalar>::max)()};
            if (!fits && bad_row_ < 0) {
                bad_row_ = row_;
                bad_value_ = static_cast<double>(stored);
            }
            const Index to = rows_.empty() ? row_ : rows_[static_cast<std::size_t>(row_)];
            if (fits && to >= 0) {
                view_(to, col_) = static_cast<Scalar>(stored);
            }
            if (++col_ == view_.cols) {
                col_ = 0;
                ++row_;
            }
        }
    }

    const TensorInfo* info_;
    TensorView<Scalar> view_;
    std::span<const Index> rows_;
    Index row_ = 0;
    Index col_ = 0;
    Index bad_row_ = -1;
    double bad_value_ = 0;
};

/// Fills the tensors of a model from a file that match_tensors() has accepted.
template <class Scalar>
void fill_tensors(SafetensorsFile& file, std::span<const TensorView<Scalar>> matched, std::span<const Index> rows) {
    std::vector<TensorFiller<Scalar>> fillers;
    for (std::size_t i = 0; i < matched.size(); ++i) {
        fillers.emplace_back(file.tensors()[i], matched[i], rows);
    }
    read_hashed(file, [&](std::size_t i, std::span<const std::byte> bytes) { fillers[i].take(bytes); });
    for (const TensorFiller<Scalar>& filler : fillers) {
        filler.require_finite(file);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
