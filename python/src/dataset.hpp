#ifndef GRU4REC_PYTHON_DATASET_HPP
#define GRU4REC_PYTHON_DATASET_HPP

#include "gru4rec/data/dataset.hpp"

#include <string>
#include <vector>

#include "item_ids.hpp"

namespace gru4rec_python {

/// A data set, the ids of its items, and what is worth knowing of how it was read.
struct PythonDataset {
    gru4rec::Dataset data;
    ItemIds ids;
    std::vector<std::string> notes;     ///< what was inferred
    std::vector<std::string> warnings;  ///< what was left out
};

}  // namespace gru4rec_python

#endif
