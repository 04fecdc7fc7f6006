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

/// Settings that differ in one thing, and a finding about them that can be checked.
struct Comparison {
    std::string name;  ///< as --only takes it
    std::string finding;
    std::string published;  ///< what the papers reported
    Claim claim = Claim::better;
    std::vector<std::size_t> favoured;  ///< numbers of settings
    std::vector<std::size_t> others;
    std::vector<Setting> settings;
};

/// A published RSC15 setting with fewer epochs (docs/findings.md).
[[nodiscard]] gru4rec::Hyperparameters default_parameters();

/// All comparisons around `base`, whose one layer and whose n_sample give the widths and the samples of the others.
///
/// @throws std::invalid_argument where a setting that follows from the base is not valid
[[nodiscard]] std::vector<Comparison> make_comparisons(const gru4rec::Hyperparameters& base);

/// The comparisons of a list `layers,width`; all of them where it is empty.
///
/// @throws std::invalid_argument naming what is no comparison
[[nodiscard]] std::vector<Comparison> choose(std::vector<Comparison> comparisons, const std::string& list);

/// Names of all comparisons, comma-separated.
[[nodiscard]] std::string names_of(const std::vector<Comparison>& comparisons);

}  // namespace findings

#endif
