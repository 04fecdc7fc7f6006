#ifndef GRU4REC_SERVE_RECORD_SLABS_HPP
#define GRU4REC_SERVE_RECORD_SLABS_HPP

#include "gru4rec/version.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Records of equal size, numbered 0 .. size() - 1, in slabs of memory: growing moves none of them and takes one slab
/// more at a time. A record is bytes, aligned as std::max_align_t if its size is a multiple of that alignment.
class RecordSlabs {
  public:
    /// @param slab_bytes  about as many; a slab holds at least one record
    RecordSlabs(std::size_t record_bytes, std::size_t slab_bytes)
        : record_bytes_(record_bytes),
          shift_(static_cast<unsigned>(std::bit_width((std::max)(slab_bytes / record_bytes, std::size_t{1})) - 1)) {}

    [[nodiscard]] std::byte* operator[](std::uint32_t number) const noexcept {
        return slabs_[number >> shift_].get() + (number & (per_slab() - 1)) * record_bytes_;
    }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return record_bytes_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return slabs_.size() * slab_bytes(); }
    /// What bytes() will be after push_back().
    [[nodiscard]] std::size_t next_bytes() const noexcept { return bytes() + (is_full() ? slab_bytes() : 0); }
    /// A slab's bytes, those of its management included.
    [[nodiscard]] std::size_t slab_bytes() const noexcept { return per_slab() * record_bytes_ + overhead; }

    /// @throws std::bad_alloc; nothing is changed then
    void push_back() {
        if (is_full()) {
            // Without the zeros that make_unique would write.
            slabs_.push_back(std::unique_ptr<std::byte[]>(new std::byte[per_slab() * record_bytes_]));
        }
        ++size_;
    }

    /// Keeps one slab for the next push_back().
    void pop_back() noexcept {
        --size_;
        const std::size_t needed = (size_ + per_slab() - 1) >> shift_;
        while (slabs_.size() > needed + 1) {
            slabs_.pop_back();
        }
    }

  private:
    static constexpr std::size_t overhead = 32;  // a pointer to the slab, up to twice, and what the allocator adds

    [[nodiscard]] std::size_t per_slab() const noexcept { return std::size_t{1} << shift_; }
    [[nodiscard]] bool is_full() const noexcept { return size_ == slabs_.size() << shift_; }

    std::size_t record_bytes_;
    unsigned shift_;
    std::uint32_t size_ = 0;
    std::vector<std::unique_ptr<std::byte[]>> slabs_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
