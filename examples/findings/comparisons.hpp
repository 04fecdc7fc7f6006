#ifndef GRU4REC_FINDINGS_COMPARISONS_HPP
#define GRU4REC_FINDINGS_COMPARISONS_HPP

#include "gru4rec/model/hyperparameters.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace findings {

struct Setting {
    std::string name;
    gru4rec::Hyperparameters parameters;
};

/// What a finding claims about the best of its favoured settings against the best of the others.
enum class Claim { better, not_worse };

/// Variations of one base setting, and a finding about them that can be checked. They differ in what the name says and
/// its consequences: one-hot input has no `dropout_p_embed`, and eight times the lanes mean an eighth of the updates.
struct Comparison {
    std::string name = {};  ///< as in --only
    std::string finding;
    std::string published;  ///< what the papers reported
    Claim claim = Claim::better;
    std::vector<std::size_t> favoured;  ///< indices of settings
    std::vector<std::size_t> others;
    std::vector<Setting> settings;
};

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
