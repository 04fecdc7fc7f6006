#ifndef GRU4REC_DATA_ID_TABLE_HPP
#define GRU4REC_DATA_ID_TABLE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// Eight bytes at a time through SplitMix64's finaliser.
[[nodiscard]] inline std::uint64_t hash_text(std::string_view text) noexcept {
    std::uint64_t hash = (text.size() + 1) * 0x9e3779b97f4a7c15ULL;
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), sizeof(word));
        hash = mix64(hash ^ word) + 0x9e3779b97f4a7c15ULL;
        text.remove_prefix(sizeof(word));
    }
    if (!text.empty()) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), text.size());
        hash ^= word;
    }
    return mix64(hash);
}

}  // namespace detail

/// Numbers texts 0, 1, 2 ... in order of first appearance. All characters lie in one arena and the numbers in one
/// open-addressing table, so that millions of ids cost their characters and about 20 bytes each, and no allocation.
class IdTable {
  public:
    /// The most texts that a table can hold; numbers are 32-bit.
    static constexpr Index max_size = (std::numeric_limits<std::int32_t>::max)();

    /// Result of find() for a text that has no number.
    static constexpr Index none = -1;

    /// @returns the text's number, new or old.
    /// @throws  std::invalid_argument when the table holds max_size texts already.
    Index insert(std::string_view text) {
        const auto tag = static_cast<std::uint32_t>(detail::hash_text(text) >> 32);
        if (const Index known = find(text, tag); known != none) {
            return known;
        }
        if (size() == max_size) {
            detail::throw_invalid("an id table holds at most 2147483647 ids");
        }
        if ((ends_.size() + 1) * 4 > slots_.size() * 3) {
            grow();
        }
        const auto number = static_cast<std::int32_t>(ends_.size());
        characters_.append(text);
        ends_.push_back(characters_.size());
        place(Slot{tag, number});
        return number;
    }

    /// @returns the text's number or `none`.
    [[nodiscard]] Index find(std::string_view text) const noexcept {
        return find(text, static_cast<std::uint32_t>(detail::hash_text(text) >> 32));
    }

    /// The text of a number; valid until the next insert. @pre 0 <= number < size()
    [[nodiscard]] std::string_view text(Index number) const noexcept {
        GRU4REC_ASSERT(number >= 0 && number < size());
        const auto at = static_cast<std::size_t>(number);
        const std::size_t begin = at == 0 ? 0 : ends_[at - 1];
        return {characters_.data() + begin, ends_[at] - begin};
    }

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(ends_.size()); }

    /// The same texts with the same numbers.
    [[nodiscard]] friend bool operator==(const IdTable& a, const IdTable& b) noexcept {
        return a.characters_ == b.characters_ && a.ends_ == b.ends_;
    }

  private:
    /// `tag` is half of the text's hash: it says where the search starts and spares most comparisons of characters.
    struct Slot {
        std::uint32_t tag = 0;
        std::int32_t number = -1;
    };

    [[nodiscard]] Index find(std::string_view text, std::uint32_t tag) const noexcept {
        if (slots_.empty()) {
            return none;
        }
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t at = tag & mask;; at = (at + 1) & mask) {
            const Slot& slot = slots_[at];
            if (slot.number < 0) {
                return none;
            }
            if (slot.tag == tag && this->text(slot.number) == text) {
                return slot.number;
            }
        }
    }

    void place(Slot slot) noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::size_t at = slot.tag & mask;
        while (slots_[at].number >= 0) {
            at = (at + 1) & mask;
        }
        slots_[at] = slot;
    }

    void grow() {
        const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 16 : 2 * slots_.size()));
        for (const Slot& slot : old) {
            if (slot.number >= 0) {
                place(slot);
            }
        }
    }

    std::string characters_;
    std::vector<std::size_t> ends_;
    std::vector<Slot> slots_;  // a power of two, at most three quarters full
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
