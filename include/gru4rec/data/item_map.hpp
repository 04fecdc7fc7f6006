#ifndef GRU4REC_DATA_ITEM_MAP_HPP
#define GRU4REC_DATA_ITEM_MAP_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/version.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {

namespace detail {

/// Why a text cannot be an item id; empty if it can. Model files store ids as TAB-separated UTF-8.
[[nodiscard]] GRU4REC_INLINE std::string_view item_id_problem(std::string_view id) noexcept;

[[nodiscard]] GRU4REC_INLINE std::string bad_item_id(std::string_view id, std::string_view problem);

}  // namespace detail

/// The catalogue: maps item ids (text) to item indices 0 .. V-1, in order of first appearance, and back.
class ItemMap {
  public:
    /// @returns the index of the id, old or new.
    /// @throws  ConfigError for an id that is empty, contains TAB, CR, LF or NUL, or is not valid UTF-8.
    GRU4REC_INLINE ItemIndex insert(std::string_view id);

    /// An integer is stored as its decimal text.
    ItemIndex insert(std::int64_t id) { return insert(detail::format_number(id)); }

    /// The index of an id; nullopt if the map does not contain it.
    /// @complexity O(1) on average
    [[nodiscard]] std::optional<ItemIndex> find(std::string_view id) const noexcept {
        const Index index = ids_.find(id);
        return index == detail::IdTable::none ? std::nullopt : std::optional(to_item(index));
    }

    /// The same for an id that is a number: finds its decimal text.
    [[nodiscard]] std::optional<ItemIndex> find(std::int64_t id) const { return find(detail::format_number(id)); }

    /// Looks up many ids, in less time than one by one: their cache misses overlap.
    ///
    /// @param indices  of their items, -1 for an id that the map does not contain [out]; at least as many
    /// @complexity O(ids) on average
    void find(std::span<const std::string_view> ids, std::span<Index> indices) const noexcept {
        ids_.find(ids, indices);
    }

    /// The id of an item; valid until the next insert. @pre the item is in this map
    [[nodiscard]] std::string_view id(ItemIndex item) const noexcept { return ids_.text(to_index(item)); }

    /// V, the number of items.
    [[nodiscard]] Index size() const noexcept { return ids_.size(); }

    [[nodiscard]] friend bool operator==(const ItemMap& a, const ItemMap& b) noexcept = default;

  private:
    detail::IdTable ids_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::string_view detail::item_id_problem(std::string_view id) noexcept {
    if (id.empty()) {
        return "is empty";
    }
    if (id.find_first_of(std::string_view("\t\r\n\0", 4)) != std::string_view::npos) {
        return "contains a TAB, a line break or a NUL";
    }
    if (!is_utf8(id)) {
        return "is not valid UTF-8";
    }
    return {};
}

GRU4REC_INLINE std::string detail::bad_item_id(std::string_view id, std::string_view problem) {
    return "item id " + quote(id) + " " + std::string(problem) + "; expected UTF-8 text without TAB, CR, LF and NUL";
}

GRU4REC_INLINE ItemIndex ItemMap::insert(std::string_view id) {
    if (const Index known = ids_.find(id); known != detail::IdTable::none) {
        return to_item(known);
    }
    if (const std::string_view problem = detail::item_id_problem(id); !problem.empty()) {
        detail::throw_invalid(detail::bad_item_id(id, problem));
    }
    return to_item(ids_.insert(id));
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
