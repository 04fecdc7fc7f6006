#ifndef GRU4REC_BATCH_ITEM_NUMBERS_HPP
#define GRU4REC_BATCH_ITEM_NUMBERS_HPP

#include "gru4rec/core/types.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Maps items to small integers; `clear()` is O(1). Finds the duplicates within a step.
class ItemNumbers {
  public:
    /// @param capacity  maximum number of items inserted between two calls of `clear`
    explicit ItemNumbers(Index capacity) : slots_(std::bit_ceil(4 * static_cast<std::size_t>(capacity) + 1)) {}

    void clear() noexcept { ++stamp_; }

    /// The value stored for the item, or -1.
    [[nodiscard]] std::int32_t find(ItemIndex item) const noexcept {
        const Slot& slot = slots_[slot_of(item)];
        return slot.stamp == stamp_ ? slot.value : -1;
    }

    /// The value stored for the item, after storing `value` if there was none.
    std::int32_t find_or_insert(ItemIndex item, std::int32_t value) noexcept {
        Slot& slot = slots_[slot_of(item)];
        if (slot.stamp != stamp_) {
            slot = {stamp_, item, value};
        }
        return slot.value;
    }

  private:
    struct Slot {
        std::uint64_t stamp = 0;
        ItemIndex item{};
        std::int32_t value = 0;
    };

    /// The slot of the item, or the free slot where it belongs.
    [[nodiscard]] std::size_t slot_of(ItemIndex item) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::size_t slot = (static_cast<std::uint32_t>(item) * 0x9e3779b1U >> 7) & mask;
        while (slots_[slot].stamp == stamp_ && slots_[slot].item != item) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    std::vector<Slot> slots_;
    std::uint64_t stamp_ = 1;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
