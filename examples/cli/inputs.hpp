#ifndef GRU4REC_CLI_INPUTS_HPP
#define GRU4REC_CLI_INPUTS_HPP

#include "gru4rec/data/dataset.hpp"

#include <string>

namespace cli {

/// @throws gru4rec::IoError; gru4rec::FormatError, also if no session has two events
[[nodiscard]] gru4rec::Dataset read_training_set(const std::string& path, const gru4rec::ColumnNames& columns);

/// Events of items other than `items` are left out and counted.
///
/// @throws gru4rec::IoError; gru4rec::FormatError, also if no next item is left to predict
[[nodiscard]] gru4rec::Dataset read_test_set(const std::string& path, const gru4rec::ColumnNames& columns,
                                             const gru4rec::ItemMap& items,
                                             gru4rec::KeepSessionIds keep_session_ids = gru4rec::KeepSessionIds::no);

/// Earlier events of test sessions. Events of items other than `items` are left out and counted.
///
/// @throws gru4rec::IoError, gru4rec::FormatError
[[nodiscard]] gru4rec::Dataset read_history(const std::string& path, const gru4rec::ColumnNames& columns,
                                            const gru4rec::ItemMap& items);

}  // namespace cli

#endif
