#ifndef GRU4REC_PYTHON_PARAMETERS_HPP
#define GRU4REC_PYTHON_PARAMETERS_HPP

#include "gru4rec/model/hyperparameters.hpp"

#include <string>
#include <utility>
#include <vector>

namespace gru4rec_python {

/// Names and values as text, as Hyperparameters::set reads them.
using ParameterTexts = std::vector<std::pair<std::string, std::string>>;

/// @throws gru4rec::ConfigError for an unknown name, a bad value, or values that do not go together
[[nodiscard]] gru4rec::Hyperparameters parse_parameters(const ParameterTexts& texts);

}  // namespace gru4rec_python

#endif
