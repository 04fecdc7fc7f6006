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

/// What a finding says of the best of its favoured settings against the best of the others.
enum class Claim { better, not_worse };

/// Settings around one base, and a finding about them that can be checked. They differ in what the name says and in
/// what follows from it: one-hot input has no `dropout_p_embed`, and eight times the lanes make an eighth of the
/// updates.
struct Comparison {
    std::string name = {};  ///< as --only takes it
    std::string finding;
    std::string published;  ///< what the papers reported
    Claim claim = Claim::better;
    std::vector<std::size_t> favoured;  ///< indices of settings
    std::vector<std::size_t> others;
    std::vector<Setting> settings;
};

/// A published RSC15 setting with fewer epochs (docs/findings.md), without what contradicts `asked`: `logq` with
/// another loss than cross-entropy, `dropout_p_embed` with one-hot input.
[[nodiscard]] gru4rec::Hyperparameters default_parameters(const gru4rec::Hyperparameters& asked);

/// The comparisons of a list `layers,width` around `base`; all of them where it is empty.
///
/// @throws gru4rec::ConfigError naming what is no comparison, or the comparison that cannot follow from the base
[[nodiscard]] std::vector<Comparison> make_comparisons(const gru4rec::Hyperparameters& base, const std::string& list);

/// Names of all comparisons, comma-separated.
[[nodiscard]] std::string comparison_names();

}  // namespace findings

#endif
