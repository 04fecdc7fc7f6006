#ifndef GRU4REC_CLI_ARGUMENTS_HPP
#define GRU4REC_CLI_ARGUMENTS_HPP

#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"

namespace cli {

/// The hyper-parameters of --param-file, then those of --params; checked.
///
/// @param parameters  those that are not named
/// @param lists  texts k=v,k=v
/// @param file   a JSON object, name to text, number, boolean or array; empty: none
/// @throws gru4rec::ConfigError, gru4rec::FormatError (the file's content), gru4rec::IoError
[[nodiscard]] gru4rec::Hyperparameters read_parameters(const std::vector<std::string>& lists, const std::string& file,
                                                       gru4rec::Hyperparameters parameters = {});

/// @throws gru4rec::ConfigError naming the option and the part of it that is wrong
[[nodiscard]] gru4rec::EvaluationOptions read_measures(const MeasureOptions& options, int threads);

/// A file that an option names.
struct NamedFile {
    std::string_view option;  ///< for messages
    std::string path;         ///< empty: not given
};

/// Whether a file is there. One that cannot be asked for, as its name is too long, is not.
[[nodiscard]] bool is_there(const std::string& path);

/// Finds out before the work whether its results can be written after it, so that hours are not lost.
///
/// @throws gru4rec::ConfigError where a destination is an input or another destination, gru4rec::IoError where one
///         cannot be written
void check_destinations(const std::vector<NamedFile>& destinations, const std::vector<NamedFile>& inputs);

}  // namespace cli

#endif
