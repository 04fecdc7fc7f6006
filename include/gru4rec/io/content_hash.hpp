#ifndef GRU4REC_IO_CONTENT_HASH_HPP
#define GRU4REC_IO_CONTENT_HASH_HPP

#include "gru4rec/io/little_endian.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gru4rec::inline GRU4REC_ABI {

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
        detail::to_little_endian(number, bytes.data());
        update(std::span<const std::byte>(bytes));
    }

    /// The length, then the characters: "ab" + "c" differs from "a" + "bc".
    void update(std::string_view text) noexcept {
        update(std::uint64_t{text.size()});
        update(std::as_bytes(std::span(text)));
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
            lanes_[k] = mixed(lanes_[k], detail::from_little_endian<std::uint64_t>(block + 8 * k));
        }
    }

    std::array<std::uint64_t, 4> lanes_ = {1, 2, 3, 4};
    std::array<std::byte, 32> block_{};
    std::size_t used_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
