#ifndef GRU4REC_DATA_ID_TABLE_HPP
#define GRU4REC_DATA_ID_TABLE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Up to 16 bytes as two words. Together with the size they determine the text.
struct ShortText {
    std::uint64_t front = 0;
    std::uint64_t back = 0;

    [[nodiscard]] friend bool operator==(const ShortText&, const ShortText&) = default;
};

/// Two overlapping loads of fixed size: copying `size` bytes would call memcpy. @pre size <= 16
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

/// Eight bytes at a time through SplitMix64's finaliser. Without the seed, colliding texts cannot be constructed.
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

/// Maps strings to 0, 1, 2 ... in order of first appearance, and back. All characters are in one buffer and the slots
/// in one open-addressing table: an id costs its characters and about 20 bytes, without an allocation of its own.
class IdTable {
  public:
    /// The most strings in a table: indices have 32 bits.
    static constexpr Index max_size = (std::numeric_limits<std::int32_t>::max)();

    /// Result of find() for a string that is not in the table.
    static constexpr Index none = -1;

    IdTable() : seed_(new_seed(reinterpret_cast<std::uintptr_t>(this))) {}

    /// @returns the index of the text, new or old
    /// @throws  ConfigError if the table already holds max_size other strings
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
        const Index index = append(text);
        place(Slot{tag, static_cast<std::int32_t>(index)});
        return index;
    }

    /// Like insert(). As long as all strings come in ascending order, shorter ones first, they are only appended: no
    /// search, no slots.
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

    /// Makes find() O(1) after insert_ascending().
    void build_index() {
        if (!slots_.empty()) {
            return;
        }
        slots_.resize(std::bit_ceil((std::max)(std::size_t{16}, (ends_.size() + 1) * 4 / 3 + 1)));
        for (Index index = 0; index < size(); ++index) {
            place(Slot{hash(text(index)), static_cast<std::int32_t>(index)});
        }
    }

    /// True if all strings have slots; false after nothing but insert_ascending().
    [[nodiscard]] bool is_indexed() const noexcept { return !slots_.empty(); }

    void reserve(std::size_t n_strings, std::size_t n_characters) {
        ends_.reserve(n_strings);
        characters_.reserve(n_characters);
    }

    /// Determines the slot in which the search for a text starts; differs between tables.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE std::uint32_t hash(std::string_view text) const noexcept {
        return hash_text(text, seed_);
    }

    /// Prefetches the slot in which a search starts.
    GRU4REC_ALWAYS_INLINE void prefetch(std::uint32_t tag) const noexcept {
        if (!slots_.empty()) {
            detail::prefetch<Access::read>(&slots_[tag & (slots_.size() - 1)]);
        }
    }

    /// @returns the index of the text, or `none`
    [[nodiscard]] Index find(std::string_view text) const noexcept { return find(text, hash(text)); }

    /// @param tag  hash(text)
    [[nodiscard]] Index find(std::string_view text, std::uint32_t tag) const noexcept {
        if (slots_.empty()) {
            return find_ascending(text);
        }
        const std::size_t mask = slots_.size() - 1;
        for (std::size_t i = tag & mask;; i = (i + 1) & mask) {
            const Slot& slot = slots_[i];
            if (slot.index < 0) {
                return none;
            }
            if (slot.tag == tag && same_text(this->text(slot.index), text)) {
                return slot.index;
            }
        }
    }

    /// find() of many texts. Their cache misses overlap, of which each has up to three: the slot, the place of the
    /// string that it names, the string.
    ///
    /// @param indices  of the texts, or `none` [out]; at least as many
    void find(std::span<const std::string_view> texts, std::span<Index> indices) const noexcept {
        GRU4REC_ASSERT(indices.size() >= texts.size());
        if (slots_.empty()) {
            std::transform(texts.begin(), texts.end(), indices.begin(), [&](auto text) { return find(text); });
            return;
        }
        for (std::size_t begin = 0; begin < texts.size(); begin += most_at_once) {
            const std::size_t n = (std::min)(most_at_once, texts.size() - begin);
            find_block(texts.subspan(begin, n), indices.data() + begin);
        }
    }

    /// The string of an index; valid until the next insert. @pre 0 <= index < size()
    [[nodiscard]] std::string_view text(Index index) const noexcept {
        GRU4REC_ASSERT(index >= 0 && index < size());
        const std::size_t begin = index == 0 ? 0 : at(ends_, index - 1);
        return {characters_.data() + begin, at(ends_, index) - begin};
    }

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(ends_.size()); }

    /// The same strings with the same indices.
    [[nodiscard]] friend bool operator==(const IdTable& a, const IdTable& b) noexcept {
        return a.characters_ == b.characters_ && a.ends_ == b.ends_;
    }

  private:
    /// `tag` is half of the text's hash: the search starts at it, and it avoids most comparisons of characters.
    struct Slot {
        std::uint32_t tag = 0;
        std::int32_t index = -1;  // -1: free
    };

    /// From the address of the table and the time: indices never depend on it.
    [[nodiscard]] static std::uint64_t new_seed(std::uintptr_t place) noexcept {
        const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
        return mix64(mix64(static_cast<std::uint64_t>(now)) + place);
    }

    [[nodiscard]] static bool is_before(std::string_view a, std::string_view b) noexcept {
        return a.size() != b.size() ? a.size() < b.size() : a < b;
    }

    static constexpr std::size_t most_at_once = 64;

    /// @param texts  at most most_at_once
    void find_block(std::span<const std::string_view> texts, Index* indices) const noexcept {
        std::array<std::uint32_t, most_at_once> tags;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            tags[i] = hash(texts[i]);
            prefetch(tags[i]);
        }
        for (std::size_t i = 0; i < texts.size(); ++i) {
            indices[i] = first_with(tags[i]);
            detail::prefetch<Access::read>(ends_.data() + (std::max)(indices[i], Index{1}) - 1);
        }
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (indices[i] != none) {
                detail::prefetch<Access::read>(text(indices[i]).data());
            }
        }
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (indices[i] != none && !same_text(text(indices[i]), texts[i])) {
                indices[i] = find(texts[i], tags[i]);
            }
        }
    }

    /// The first string of this tag in the order of the search, or `none`.
    [[nodiscard]] GRU4REC_ALWAYS_INLINE Index first_with(std::uint32_t tag) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::size_t i = tag & mask;
        while (slots_[i].tag != tag && slots_[i].index >= 0) {
            i = (i + 1) & mask;
        }
        return slots_[i].index;
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
            throw_invalid("more than 2147483647 ids; split the data or drop rare items");
        }
        characters_.append(text);
        ends_.push_back(characters_.size());
        return size() - 1;
    }

    void place(Slot slot) noexcept {
        const std::size_t mask = slots_.size() - 1;
        std::size_t i = slot.tag & mask;
        while (slots_[i].index >= 0) {
            i = (i + 1) & mask;
        }
        slots_[i] = slot;
    }

    void grow() {
        const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
        for (const Slot& slot : old) {
            if (slot.index >= 0) {
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
