#ifndef GRU4REC_PYTHON_ITEM_IDS_HPP
#define GRU4REC_PYTHON_ITEM_IDS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>

namespace gru4rec_python {

/// What item ids are in Python. The library knows them as text.
enum class IdKind {
    text,     ///< str
    integer,  ///< int
    real,     ///< float
    object    ///< objects of any other type, or of several types; kept, and looked up by their str()
};

/// The text of an id. For a float it is the shortest, without ".0", so that 7.0 is the item 7: a missing value turns a
/// column of integers into floats. For other objects it is their str().
///
/// @param buffer  holds the text if it does not lie in the object
/// @returns a text that is valid as long as the object and the buffer are
[[nodiscard]] std::string_view id_text(nanobind::handle id, std::string& buffer);

/// The kind of a single id.
[[nodiscard]] IdKind kind_of(nanobind::handle id) noexcept;

/// Whether a value stands for a missing one: None, pandas.NA, and any value that differs from itself, such as NaN, NaT.
[[nodiscard]] bool is_missing(nanobind::handle value);

/// Adds an id to the keys of a dict, unless that has one that equals it.
///
/// @throws TypeError for an id that is not hashable
void note_distinct(nanobind::dict& distinct, nanobind::handle id);

/// Checks that ids differ exactly if their texts do, since the model finds items by their texts.
///
/// @param objects  its keys are the ids of the items, in their order, without those that equal an earlier one
/// @throws ValueError that names two different ids with the same text, or an id that equals another one with a
///         different text
void require_texts(const nanobind::dict& objects, const gru4rec::ItemMap& items);

/// Returns the ids of items in Python as they were given.
class ItemIds {
  public:
    ItemIds() = default;
    explicit ItemIds(IdKind kind) noexcept : kind_(kind) {}
    /// @param objects  one per item
    explicit ItemIds(nanobind::list objects) : kind_(IdKind::object), objects_(std::move(objects)) {}

    /// The ids of a list, one per item. The objects are kept only if they cannot be made from the library's text again.
    ///
    /// @throws ValueError or TypeError as require_texts() and note_distinct() do
    [[nodiscard]] static ItemIds of(const nanobind::list& objects, const gru4rec::ItemMap& items);

    [[nodiscard]] IdKind kind() const noexcept { return kind_; }

    /// @pre the map has the item
    [[nodiscard]] nanobind::object id(const gru4rec::ItemMap& items, gru4rec::Index item) const;

    /// Starts to load the data that an id is made from into the cache. @pre the map has the item
    GRU4REC_ALWAYS_INLINE void prefetch(const gru4rec::ItemMap& items, gru4rec::Index item) const noexcept {
        const void* const place = kind_ == IdKind::object
                                      ? static_cast<const void*>(PyList_GET_ITEM(objects_.ptr(), item))
                                      : static_cast<const void*>(items.id(gru4rec::to_item(item)).data());
        gru4rec::detail::prefetch<gru4rec::detail::Access::read>(place);
    }

    /// The ids of items[begin], items[begin + 1], ...
    [[nodiscard]] nanobind::list list(const gru4rec::ItemMap& items, gru4rec::Index begin = 0) const;

    /// The ids of a catalogue that begins with these items and goes on with others.
    ///
    /// @param added  ids of the items of `more`, which all are in `all`
    [[nodiscard]] ItemIds extended(const gru4rec::ItemMap& old, const gru4rec::ItemMap& all,
                                   const gru4rec::ItemMap& more, const ItemIds& added) const;

    /// For the garbage collector.
    [[nodiscard]] nanobind::handle objects() const noexcept { return objects_; }

  private:
    IdKind kind_ = IdKind::text;
    nanobind::object objects_;  // a list, with IdKind::object
};

}  // namespace gru4rec_python

#endif
