#ifndef GRU4REC_PYTHON_EVALUATION_HPP
#define GRU4REC_PYTHON_EVALUATION_HPP

#include "gru4rec/eval/metrics.hpp"

#include <string>
#include <vector>

namespace gru4rec_python {

/// @throws gru4rec::ConfigError for a name that is not a rule
[[nodiscard]] gru4rec::EvaluationOptions evaluation_options(const std::vector<int>& cutoffs,
                                                            const std::vector<std::string>& ties, int threads);

}  // namespace gru4rec_python

#endif
