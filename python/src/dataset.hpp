#ifndef GRU4REC_PYTHON_DATASET_HPP
#define GRU4REC_PYTHON_DATASET_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"

#include <string>
#include <vector>

#include "item_ids.hpp"

namespace gru4rec_python {

/// A data set, the ids of its items, and messages about how it was read.
struct PythonDataset {
    gru4rec::Dataset data;
    ItemIds ids;
    std::vector<std::string> notes;     ///< what was inferred
    std::vector<std::string> warnings;  ///< what was left out
};

/// The warning about rows that were left out.
[[nodiscard]] inline std::string skipped_rows(gru4rec::Index n, const std::string& first) {
    return std::to_string(n) + (n == 1 ? " row" : " rows") + " skipped, the first one: " + first;
}

}  // namespace gru4rec_python

#endif
