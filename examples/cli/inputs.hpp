#ifndef GRU4REC_CLI_INPUTS_HPP
#define GRU4REC_CLI_INPUTS_HPP

#include "gru4rec/data/dataset.hpp"

#include <string>

namespace cli {

/// @throws gru4rec::IoError, gru4rec::FormatError; also where there is nothing to learn
[[nodiscard]] gru4rec::Dataset read_training_set(const std::string& path, const gru4rec::ColumnNames& columns);

/// Events of items that are not among `items` are left out and counted.
///
/// @throws gru4rec::IoError, gru4rec::FormatError; also where no next item is left to predict
[[nodiscard]] gru4rec::Dataset read_test_set(const std::string& path, const gru4rec::ColumnNames& columns,
                                             const gru4rec::ItemMap& items,
                                             gru4rec::KeepSessionIds keep_session_ids = gru4rec::KeepSessionIds::no);

/// Earlier events of test sessions. Events of items that are not among `items` are left out and counted.
///
/// @throws gru4rec::IoError, gru4rec::FormatError
[[nodiscard]] gru4rec::Dataset read_history(const std::string& path, const gru4rec::ColumnNames& columns,
                                            const gru4rec::ItemMap& items);

}  // namespace cli

#endif
