#ifndef GRU4REC_DATA_ITEM_MAP_HPP
#define GRU4REC_DATA_ITEM_MAP_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// The length of the UTF-8 sequence at the start of `text`, or 0 where there is none (also: overlong forms, surrogates,
/// code points above U+10FFFF). @pre !text.empty()
[[nodiscard]] inline std::size_t utf8_sequence(std::string_view text) noexcept {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const auto follows = [&](std::size_t at) { return (byte(at) & 0xc0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80U) {
        return 1;
    }
    if (first >= 0xc2U && first <= 0xdfU) {
        return follows(1) ? 2 : 0;
    }
    if (first >= 0xe0U && first <= 0xefU) {
        const bool overlong = first == 0xe0U && byte(1) < 0xa0U;
        const bool surrogate = first == 0xedU && byte(1) > 0x9fU;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xf0U && first <= 0xf4U) {
        const bool overlong = first == 0xf0U && byte(1) < 0x90U;
        const bool beyond = first == 0xf4U && byte(1) > 0x8fU;
        return follows(1) && follows(2) && follows(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

/// In quotation marks, control characters and stray bytes as \xHH.
[[nodiscard]] inline std::string quote_whole(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (length == 0 || is_control(byte)) {
            result += escaped(byte);
            text.remove_prefix(1);
        } else {
            result += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return result + "\"";
}

/// Where a character begins, at `at` or up to three bytes behind it.
[[nodiscard]] inline std::size_t next_character(std::string_view text, std::size_t at) noexcept {
    const std::size_t end = (std::min)(text.size(), at + 3);
    while (at < end && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U) {
        ++at;
    }
    return at;
}

/// A text of unknown origin for a message: in quotation marks, control characters and stray bytes as \xHH; of a long
/// one its begin and its end, by which ids of the same begin are told apart.
[[nodiscard]] inline std::string quote(std::string_view text) {
    constexpr std::size_t longest = 80;
    constexpr std::size_t begin = 60;
    constexpr std::size_t end = 15;
    if (text.size() <= longest) {
        return quote_whole(text);
    }
    return quote_whole(text.substr(0, next_character(text, begin))) + "..." +
           quote_whole(text.substr(next_character(text, text.size() - end)));
}

/// What keeps a text from being an item's id; empty where nothing does. Ids are stored in model files as lines of
/// TAB-separated UTF-8.
[[nodiscard]] inline std::string_view item_id_problem(std::string_view id) noexcept {
    if (id.empty()) {
        return "is empty";
    }
    if (id.find_first_of(std::string_view("\t\r\n\0", 4)) != std::string_view::npos) {
        return "holds a TAB, a line break or a NUL";
    }
    if (!is_utf8(id)) {
        return "is no valid UTF-8";
    }
    return {};
}

[[nodiscard]] inline std::string bad_item_id(std::string_view id, std::string_view problem) {
    return "item id " + quote(id) + " " + std::string(problem) + "; expected UTF-8 text without TAB, CR, LF and NUL";
}

}  // namespace detail

/// The catalogue: item ids, as text, to item indices 0 .. V-1 in order of first appearance, and back.
class ItemMap {
  public:
    /// @returns the index of the id, old or new.
    /// @throws  std::invalid_argument for an id that is empty, holds TAB, CR, LF or NUL, or is no valid UTF-8.
    ItemIndex insert(std::string_view id) {
        if (const Index known = ids_.find(id); known != IdTable::none) {
            return to_item(known);
        }
        if (const std::string_view problem = detail::item_id_problem(id); !problem.empty()) {
            detail::throw_invalid(detail::bad_item_id(id, problem));
        }
        return to_item(ids_.insert(id));
    }

    /// A number is stored as its decimal text.
    ItemIndex insert(std::int64_t id) { return insert(detail::format_number(id)); }

    [[nodiscard]] std::optional<ItemIndex> find(std::string_view id) const noexcept { return find(id, hash(id)); }

    [[nodiscard]] std::optional<ItemIndex> find(std::int64_t id) const { return find(detail::format_number(id)); }

    /// Where a search starts; find(id, hash(id)) is find(id).
    [[nodiscard]] std::uint32_t hash(std::string_view id) const noexcept { return ids_.hash(id); }

    /// @param tag  hash(id)
    [[nodiscard]] std::optional<ItemIndex> find(std::string_view id, std::uint32_t tag) const noexcept {
        const Index number = ids_.find(id, tag);
        return number == IdTable::none ? std::nullopt : std::optional(to_item(number));
    }

    /// Valid until the next insert. @pre the index is one of this map
    [[nodiscard]] std::string_view id(ItemIndex item) const noexcept { return ids_.text(to_index(item)); }

    /// V, the number of items.
    [[nodiscard]] Index size() const noexcept { return ids_.size(); }

    [[nodiscard]] friend bool operator==(const ItemMap& a, const ItemMap& b) noexcept = default;

  private:
    IdTable ids_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
