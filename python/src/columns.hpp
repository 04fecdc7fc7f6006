#ifndef GRU4REC_PYTHON_COLUMNS_HPP
#define GRU4REC_PYTHON_COLUMNS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/time_column.hpp"

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "item_ids.hpp"

namespace gru4rec_python {

/// What the values of a column of times are.
enum class TimesAre {
    numbers,  ///< of some unit, or a counter
    dates     ///< in the unit of the column's type
};

/// A column of a table in memory, which belongs to Python or to an Arrow array and is read in place.
class Column {
  public:
    Column() = default;
    Column(const Column&) = delete;
    Column& operator=(const Column&) = delete;
    virtual ~Column() = default;

    [[nodiscard]] virtual gru4rec::Index size() const noexcept = 0;
    [[nodiscard]] virtual bool is_missing(gru4rec::Index row) const = 0;
    /// The value as the text of an id. @param buffer  may hold the text @pre not missing
    [[nodiscard]] virtual std::string_view text(gru4rec::Index row, std::string& buffer) const = 0;
    /// The value as a time, if it is a number or a date; nullopt for text. @pre not missing
    [[nodiscard]] virtual std::optional<gru4rec::detail::EventTime> time(gru4rec::Index row) const = 0;
    /// What the value is as a time: dates have no unit that a user could name. @pre not missing
    [[nodiscard]] virtual TimesAre times_are(gru4rec::Index) const { return TimesAre::numbers; }
    /// What ids of this column are in Python; `object` for a column of objects, each of which may be of any kind.
    [[nodiscard]] virtual IdKind kind() const noexcept = 0;
    /// The value of a column of objects; invalid for other columns.
    [[nodiscard]] virtual nanobind::handle object(gru4rec::Index) const { return {}; }
};

/// A one-dimensional NumPy array of numbers, or a list or tuple of objects.
///
/// @param values  must outlive the column
/// @throws std::invalid_argument naming the column for anything else
[[nodiscard]] std::unique_ptr<Column> column_of(nanobind::handle values, std::string_view name);

}  // namespace gru4rec_python

#endif
