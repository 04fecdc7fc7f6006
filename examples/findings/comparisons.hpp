#ifndef GRU4REC_FINDINGS_COMPARISONS_HPP
#define GRU4REC_FINDINGS_COMPARISONS_HPP

#include "gru4rec/model/hyperparameters.hpp"

#include <string>
#include <vector>

#include "settings.hpp"

namespace findings {

/// A published RSC15 setting with fewer epochs (docs/findings.md), without parameters that contradict `asked`: `logq`
/// with another loss than cross-entropy, `dropout_p_embed` with one-hot input.
[[nodiscard]] gru4rec::Hyperparameters default_parameters(const gru4rec::Hyperparameters& asked);

/// The comparisons named in a list such as `layers,width`, around `base`; all of them if it is empty.
///
/// @throws gru4rec::ConfigError naming an unknown comparison, or one that cannot be derived from the base
[[nodiscard]] std::vector<Comparison> make_comparisons(const gru4rec::Hyperparameters& base, const std::string& list);

/// Names of all comparisons, comma-separated.
[[nodiscard]] std::string comparison_names();

}  // namespace findings

#endif
