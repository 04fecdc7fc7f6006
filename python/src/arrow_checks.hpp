#ifndef GRU4REC_PYTHON_ARROW_CHECKS_HPP
#define GRU4REC_PYTHON_ARROW_CHECKS_HPP

#include "gru4rec/core/types.hpp"

#include "arrow.hpp"

namespace gru4rec_python {

// A stream's producer may be any code, and its arrays are read through bare pointers. What Arrow's structures tell
// about these is checked; the number of bytes that a buffer of numbers has is not among it.

/// Checks that a batch has the columns of the table.
///
/// @throws std::invalid_argument naming a column that is missing
void require_fit(const ArrowSchema& table, const ArrowArray& batch);

/// Checks that an array is one of the schema's type, if that is numbers, times or text, and has this many rows.
///
/// @throws std::invalid_argument naming the column
void require_fit(const ArrowSchema& schema, const ArrowArray& array, gru4rec::Index n_rows);

}  // namespace gru4rec_python

#endif
