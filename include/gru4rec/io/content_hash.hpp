#ifndef GRU4REC_IO_CONTENT_HASH_HPP
#define GRU4REC_IO_CONTENT_HASH_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The hash of a file's content, and the order in which its tensors are hashed. Specified in
// docs/file_format.md#content-hash.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A hash in 16 hexadecimal digits.
[[nodiscard]] inline std::string hash_digits(std::uint64_t hash) {
    std::string text(16, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, hash >>= 4U) {
        *digit = "0123456789abcdef"[hash & 0xfU];
    }
    return text;
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
    [[nodiscard]] std::string hex() const { return hash_digits(value()); }

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

/// Indices of tensors.
using TensorOrder = std::vector<std::size_t>;

/// The order of the data.
[[nodiscard]] inline TensorOrder order_in_file(std::span<const TensorInfo> tensors) {
    TensorOrder order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
}

/// The order of the hash since version 2, which a program that saves the file again cannot change.
[[nodiscard]] inline TensorOrder order_by_name(std::span<const TensorInfo> tensors) {
    TensorOrder order = order_in_file(tensors);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return tensors[a].name < tensors[b].name; });
    return order;
}

/// Sorts the names of tensors as version 1 wrote them: input tables, layers from the first to the last, output table,
/// then what checkpoints add.
[[nodiscard]] inline std::vector<std::uint64_t> key_of_version_1(std::string_view name) {
    constexpr std::size_t longest = 64;  // of all that version 1 wrote
    constexpr auto before_numbers = std::to_array<std::string_view>({"Wx0", "Wx", "weight_ih"});
    constexpr auto after_numbers = std::to_array<std::string_view>(
        {"E",       "GE",      "G",     "Wy",       "By",      "best",         "hidden", "optimizer", "output",
         "input",   "dense",   "Bh",    "Bh0",      "Wrz",     "Wrz0",         "Wh",     "Wh0",       "weight_hh",
         "bias_ih", "bias_hh", "state", "velocity", "updates", "bias_updates", "weight"});
    const auto index_in = [](const auto& words, std::string_view word) {
        return static_cast<std::size_t>(std::find(words.begin(), words.end(), word) - words.begin());
    };
    std::vector<std::uint64_t> key = {name.ends_with("updates") ? 1U : 0U};  // counts come last
    for_each_part(name.substr(0, longest), '.', [&](std::string_view part) {
        const auto number = parse_number<std::uint32_t>(part);
        const bool is_first = index_in(before_numbers, part) < before_numbers.size();
        key.push_back(number ? *number : is_first ? 0 : (std::uint64_t{1} << 32U) + index_in(after_numbers, part));
    });
    return key;
}

/// The order in which version 1 wrote and hashed these tensors.
[[nodiscard]] inline TensorOrder order_of_version_1(std::span<const TensorInfo> tensors) {
    std::vector<std::vector<std::uint64_t>> keys;
    for (const TensorInfo& tensor : tensors) {
        keys.push_back(key_of_version_1(tensor.name));
    }
    TensorOrder order = order_in_file(tensors);
    // Not `<` of vectors, which libstdc++ 12 gets wrong on big-endian machines (GCC bug 113960).
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::lexicographical_compare(keys[a].begin(), keys[a].end(), keys[b].begin(), keys[b].end());
    });
    return order;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
