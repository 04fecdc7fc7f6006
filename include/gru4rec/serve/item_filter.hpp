#ifndef GRU4REC_SERVE_ITEM_FILTER_HPP
#define GRU4REC_SERVE_ITEM_FILTER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

/// The message on an item that a catalogue of n_items does not have.
[[nodiscard]] GRU4REC_INLINE std::string item_out_of_range(ItemIndex item, Index n_items);

}  // namespace detail

/// Which items of the catalogue may be recommended: what is in stock, say. Made once for any number of requests
/// (RecommendOptions::filter). One bit per item. A filter that was moved from may only be assigned to or destroyed.
///
/// @threads const members are safe to call at the same time. To change what a running server offers, make a new filter
///          and hand it to later requests; change this one only while no request uses it
class ItemFilter {
  public:
    /// Allows every item of a catalogue of n_items.
    ///
    /// @throws ContractError unless 0 <= n_items < 2^31
    /// @complexity O(n_items / 64)
    GRU4REC_INLINE explicit ItemFilter(Index n_items);

    /// Allows the given items and no others.
    ///
    /// @param items  in any order, repeats allowed
    /// @throws ContractError as the constructor, and if the catalogue has no such item
    /// @complexity O(n_items / 64 + items)
    [[nodiscard]] GRU4REC_INLINE static ItemFilter only(Index n_items, std::span<const ItemIndex> items);

    /// Allows all items but the given ones; otherwise as `only`.
    [[nodiscard]] GRU4REC_INLINE static ItemFilter exclude(Index n_items, std::span<const ItemIndex> items);

    /// @{
    /// Changes what holds for one item; no effect if it holds already.
    ///
    /// @throws ContractError if the catalogue has no such item
    /// @complexity O(1)
    GRU4REC_INLINE void allow(ItemIndex item);
    GRU4REC_INLINE void forbid(ItemIndex item);
    /// @}

    /// Whether the item may be recommended; false for one that the catalogue does not have.
    [[nodiscard]] bool allows(ItemIndex item) const noexcept {
        const Index i = to_index(item);
        return i >= 0 && i < n_items_ && (detail::at(words_, i / word_bits) >> (i % word_bits) & 1) != 0;
    }

    /// The number of items in the catalogue.
    [[nodiscard]] Index n_items() const noexcept { return n_items_; }

    /// The number of items that may be recommended.
    [[nodiscard]] Index n_allowed() const noexcept { return n_allowed_; }

    /// Bit i % 64 of word i / 64 is set if item i may be recommended. Bits after the last item are not set.
    [[nodiscard]] std::span<const std::uint64_t> words() const noexcept { return words_; }

    [[nodiscard]] friend bool operator==(const ItemFilter&, const ItemFilter&) = default;

  private:
    static constexpr Index word_bits = 64;

    GRU4REC_INLINE void set(ItemIndex item, std::uint64_t value);

    Index n_items_;
    Index n_allowed_;
    std::vector<std::uint64_t> words_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string detail::item_out_of_range(ItemIndex item, Index n_items) {
    return "item = " + std::to_string(to_index(item)) + ", must satisfy 0 <= item < " + std::to_string(n_items);
}

GRU4REC_INLINE ItemFilter::ItemFilter(Index n_items) : n_items_(n_items), n_allowed_(n_items) {
    GRU4REC_REQUIRE(n_items >= 0 && n_items <= (std::numeric_limits<std::int32_t>::max)(),
                    "n_items = " + std::to_string(n_items) + ", must satisfy 0 <= n_items < 2147483648");
    words_.assign(static_cast<std::size_t>((n_items + word_bits - 1) / word_bits), ~std::uint64_t{0});
    if (n_items % word_bits != 0) {
        words_.back() >>= word_bits - n_items % word_bits;
    }
}

GRU4REC_INLINE ItemFilter ItemFilter::only(Index n_items, std::span<const ItemIndex> items) {
    ItemFilter filter(n_items);
    filter.words_.assign(filter.words_.size(), 0);
    filter.n_allowed_ = 0;
    for (const ItemIndex item : items) {
        filter.allow(item);
    }
    return filter;
}

GRU4REC_INLINE ItemFilter ItemFilter::exclude(Index n_items, std::span<const ItemIndex> items) {
    ItemFilter filter(n_items);
    for (const ItemIndex item : items) {
        filter.forbid(item);
    }
    return filter;
}

GRU4REC_INLINE void ItemFilter::allow(ItemIndex item) { set(item, 1); }

GRU4REC_INLINE void ItemFilter::forbid(ItemIndex item) { set(item, 0); }

GRU4REC_INLINE void ItemFilter::set(ItemIndex item, std::uint64_t value) {
    const Index i = to_index(item);
    GRU4REC_REQUIRE(i >= 0 && i < n_items_, detail::item_out_of_range(item, n_items_));
    std::uint64_t& word = detail::at(words_, i / word_bits);
    const std::uint64_t bit = std::uint64_t{1} << (i % word_bits);
    const bool is_set = (word & bit) != 0;
    if (is_set != (value != 0)) {
        word ^= bit;
        n_allowed_ += value != 0 ? 1 : -1;
    }
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
