#ifndef GRU4REC_CLI_INPUTS_HPP
#define GRU4REC_CLI_INPUTS_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/read_options.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "table_options.hpp"

// From the files, folders and `-` (standard input) of a command line to events. Packed files, archives, JSON lines and
// sessions per line are recognised by their content. What a reader inferred goes to standard error.
namespace cli {

/// The files that paths stand for: of a folder all its files that are not hidden, by name.
///
/// @throws gru4rec::IoError for a folder that is empty or cannot be read; gru4rec::ConfigError if `-` is given twice
[[nodiscard]] std::vector<std::string> files_of(const std::vector<std::string>& paths);

/// The same as inputs for check_destinations.
[[nodiscard]] std::vector<NamedFile> named_files(std::string_view option, const std::vector<std::string>& paths);

/// What messages and reports call several inputs: the first one, and how many more there are.
[[nodiscard]] std::string name_of(const std::vector<std::string>& paths);

/// Events of all the paths, as from one file.
///
/// @param report  filled in; its notes go to standard error
/// @throws gru4rec::IoError, gru4rec::FormatError, gru4rec::ConfigError
[[nodiscard]] gru4rec::Events read_event_files(const std::vector<std::string>& paths, const TableOptions& table,
                                               gru4rec::ReadReport& report);

/// @throws as above; gru4rec::FormatError also if no session has two events
[[nodiscard]] gru4rec::Dataset read_training_set(const std::vector<std::string>& paths, const TableOptions& table);

/// The same events with their times, in the order of the files. @throws as above
[[nodiscard]] gru4rec::Events read_training_events(const std::vector<std::string>& paths, const TableOptions& table);

/// Events of items other than `items` are left out and counted.
///
/// @throws as above; gru4rec::FormatError also if no next item is left to predict
[[nodiscard]] gru4rec::Dataset read_test_set(const std::vector<std::string>& paths, const TableOptions& table,
                                             const gru4rec::ItemMap& items,
                                             gru4rec::KeepSessionIds keep_session_ids = gru4rec::KeepSessionIds::no);

/// The same events with their times, in the order of the files. @throws as above
[[nodiscard]] gru4rec::Events read_test_events(const std::vector<std::string>& paths, const TableOptions& table,
                                               const gru4rec::ItemMap& items);

/// Sessions with their ids, such as earlier events of test sessions. Events of items other than `items` are left out
/// and counted.
[[nodiscard]] gru4rec::Dataset read_sessions_with_ids(const std::vector<std::string>& paths, const TableOptions& table,
                                                      const gru4rec::ItemMap& items);

}  // namespace cli

#endif
