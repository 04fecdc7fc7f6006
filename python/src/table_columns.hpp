#ifndef GRU4REC_PYTHON_TABLE_COLUMNS_HPP
#define GRU4REC_PYTHON_TABLE_COLUMNS_HPP

#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_format.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec_python {

/// The places of the columns of sessions, items and times; -1: there is no such column.
using ColumnPlaces = std::array<int, 3>;

/// Finds columns by their names, as the reader of files does in a header line.
///
/// @param notes  what was inferred is appended [out]
/// @throws gru4rec::FormatError naming a column that is missing
[[nodiscard]] ColumnPlaces find_columns(const std::vector<std::string>& names, const gru4rec::ReadOptions& options,
                                        std::vector<std::string>& notes);

/// Detects how times are written as text, as the reader of files does from the first rows.
///
/// @param first  the first times, without missing ones; at least one
/// @throws gru4rec::FormatError for text that is neither numbers nor dates
[[nodiscard]] gru4rec::detail::TimeFormat find_time_format(const std::vector<std::string_view>& first);

}  // namespace gru4rec_python

#endif
