#ifndef GRU4REC_CLI_ARGUMENTS_HPP
#define GRU4REC_CLI_ARGUMENTS_HPP

#include "gru4rec/eval/metrics.hpp"
#include "gru4rec/model/hyperparameters.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands.hpp"

namespace cli {

/// Names and values of parameters.
using ParameterEntries = std::vector<std::pair<std::string, std::string>>;

/// The parameters of --param-file, then those of --params, each of which Hyperparameters::set takes.
///
/// @param lists  strings k=v,k=v
/// @param file   a JSON object: name to string, number, boolean or array; empty: none
/// @throws gru4rec::ConfigError, gru4rec::FormatError (the file's content), gru4rec::IoError
[[nodiscard]] ParameterEntries read_parameter_entries(const std::vector<std::string>& lists, const std::string& file);

/// The same as hyper-parameters, checked together.
///
/// @param parameters  values of the parameters that are not named
/// @throws gru4rec::ConfigError, gru4rec::FormatError (the file's content), gru4rec::IoError
[[nodiscard]] gru4rec::Hyperparameters read_parameters(const std::vector<std::string>& lists, const std::string& file,
                                                       gru4rec::Hyperparameters parameters = {});

/// @throws gru4rec::ConfigError naming the option and the part of it that is wrong
[[nodiscard]] gru4rec::EvaluationOptions read_measures(const MeasureOptions& options, int threads);

/// A file named by an option.
struct NamedFile {
    std::string_view option;  ///< for messages
    std::string path;         ///< empty: not given
};

/// True if the file exists; false if that cannot be determined, as with too long a name.
[[nodiscard]] bool is_there(const std::string& path);

/// @throws gru4rec::ConfigError if a destination is an input or another destination
void refuse_overwriting(const std::vector<NamedFile>& destinations, const std::vector<NamedFile>& inputs);

/// Checks before the work that its results can be written, so that no hours are lost.
///
/// @throws gru4rec::ConfigError if a destination is an input or another destination, gru4rec::IoError if one cannot
///         be written
void check_destinations(const std::vector<NamedFile>& destinations, const std::vector<NamedFile>& inputs);

}  // namespace cli

#endif
