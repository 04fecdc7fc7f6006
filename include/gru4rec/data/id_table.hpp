#ifndef GRU4REC_DATA_ID_TABLE_HPP
#define GRU4REC_DATA_ID_TABLE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Up to 16 bytes as two words; with the number of bytes they say it all.
struct ShortText {
    std::uint64_t front = 0;
    std::uint64_t back = 0;

    [[nodiscard]] friend bool operator==(const ShortText&, const ShortText&) = default;
};

/// Loads of fixed size that overlap: a copy of `size` bytes would be a call of memcpy. @pre size <= 16
[[nodiscard]] GRU4REC_ALWAYS_INLINE ShortText short_text(const char* text, std::size_t size) noexcept {
    if (size >= 8) {
        return {load_word<std::uint64_t>(text), load_word<std::uint64_t>(text + size - 8)};
    }
    if (size >= 4) {
        return {load_word<std::uint32_t>(text), load_word<std::uint32_t>(text + size - 4)};
    }
    const auto byte = [&](std::size_t at) { return static_cast<std::uint64_t>(static_cast<unsigned char>(text[at])); };
    return size == 0 ? ShortText{} : ShortText{byte(0) | byte(size / 2) << 8U, byte(size - 1)};
}

/// a == b, faster for short texts.
[[nodiscard]] GRU4REC_ALWAYS_INLINE bool same_text(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    return a.size() <= 16 ? short_text(a.data(), a.size()) == short_text(b.data(), b.size()) : a == b;
}

/// Eight bytes at a time through SplitMix64's finaliser. Whoever does not know the seed cannot find texts that collide.
[[nodiscard]] GRU4REC_ALWAYS_INLINE std::uint32_t hash_text(std::string_view text, std::uint64_t seed) noexcept {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15ULL;
    std::uint64_t hash = seed + text.size() * odd;
    while (text.size() > 16) {
        hash = mix64(hash ^ load_word<std::uint64_t>(text.data())) + odd;
        text.remove_prefix(8);
    }
    const ShortText rest = short_text(text.data(), text.size());
    return static_cast<std::uint32_t>(mix64((mix64(hash ^ rest.front) + odd) ^ rest.back) >> 32);
}

/// Numbers texts 0, 1, 2 ... in order of first appearance. All characters lie in one arena and the numbers in one
/// open-addressing table, so that millions of ids cost their characters and about 20 bytes each, and no allocation.
class IdTable {
  public:
    /// The most texts that a table can hold; numbers are 32-bit.
    static constexpr Index max_size = (std::numeric_limits<std::int32_t>::max)();

    /// Result of find() for a text that has no number.
    static constexpr Index none = -1;

    IdTable() : seed_(new_seed(reinterpret_cast<std::uintptr_t>(this))) {}

    /// @returns the text's number, new or old.
    /// @throws  std::invalid_argument when the table holds max_size texts already.
    Index insert(std::string_view text) { return insert(text, hash(text)); }

    /// @param tag  hash(text)
    Index insert(std::string_view text, std::uint32_t tag) {
        build_index();
        if (const Index known = find(text, tag); known != none) {
            return known;
        }
        if ((ends_.size() + 1) * 4 > slots_.size() * 3) {
            grow();
        }
        const Index number = append(text);
        place(Slot{tag, static_cast<std::int32_t>(number)});
        return number;
    }

    /// As insert(). As long as all texts come in ascending order, shorter ones first, they are only stored, without
    /// a search and without slots.
    Index insert_ascending(std::string_view text) {
        if (!slots_.empty()) {
            return insert(text);
        }
        if (size() == 0) {
            return append(text);
        }
        const std::string_view last = this->text(size() - 1);
        if (same_text(last, text)) {
            return size() - 1;
        }
        return is_before(last, text) ? append(text) : insert(text);
    }

    /// Makes find() as fast as it can be after insert_ascending().
    void build_index() {
        if (!slots_.empty()) {
            return;
        }
        slots_.resize(std::bit_ceil((std::max)(std::size_t{16}, (ends_.size() + 1) * 4 / 3 + 1)));
        for (Index number = 0; number < size(); ++number) {
            place(Slot{hash(text(number)), static_cast<std::int32_t>(number)});
        }
    }

    /// Whether all texts have slots; false after insert_ascending() alone.
    [[nodiscard]] bool is_indexed() const noexcept { return !slots_.empty(); }

    void reserve(std::size_t n_texts, std::size_t n_characters) {
        ends_.reserve(n_texts);
        characters_.reserve(n_characters);
    }

    /// Where the search for a text starts; differs from table to table.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE std::uint32_t hash(std::string_view text) const noexcept {
        return hash_text(text, seed_);
    }

    /// Fetches the slot in which a search starts.
    GRU4REC_ALWAYS_INLINE void prefetch(std::uint32_t tag) const noexcept {
        if (!slots_.empty()) {
            detail::prefetch<Access::read>(&slots_[tag & (slots_.size() - 1)]);
        }
    }

    /// @returns the text's number or `none`.
    [[nodiscard]] Index find(std::string_view text) const noexcept { return find(text, hash(text)); }

    /// @param tag  hash(text)
    [[nodiscard]] Index find(std::string_view text, std::uint32_t tag) const noexcept {
        if (slots_.empty()) {
            return find_ascending(text);
        }
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t at = tag & mask;; at = (at + 1) & mask) {
            const Slot& slot = slots_[at];
            if (slot.number < 0) {
                return none;
            }
            if (slot.tag == tag && same_text(this->text(slot.number), text)) {
                return slot.number;
            }
        }
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

    /// The place and the time of a table's birth: the order of numbers never depends on it.
    [[nodiscard]] static std::uint64_t new_seed(std::uintptr_t place) noexcept {
        const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
        return mix64(mix64(static_cast<std::uint64_t>(now)) + place);
    }

    [[nodiscard]] static bool is_before(std::string_view a, std::string_view b) noexcept {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    }

    [[nodiscard]] Index find_ascending(std::string_view text) const noexcept {
        Index begin = 0;
        for (Index end = size(); begin < end;) {
            const Index middle = begin + (end - begin) / 2;
            if (is_before(this->text(middle), text)) {
                begin = middle + 1;
            } else {
                end = middle;
            }
        }
        return begin < size() && this->text(begin) == text ? begin : none;
    }

    Index append(std::string_view text) {
        if (size() == max_size) {
            throw_invalid("an id table holds at most 2147483647 ids");
        }
        characters_.append(text);
        ends_.push_back(characters_.size());
        return size() - 1;
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
        const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
        for (const Slot& slot : old) {
            if (slot.number >= 0) {
                place(slot);
            }
        }
    }

    std::uint64_t seed_;
    std::string characters_;
    std::vector<std::size_t> ends_;
    std::vector<Slot> slots_;  // a power of two, at most three quarters full
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
