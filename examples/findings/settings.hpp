#ifndef GRU4REC_FINDINGS_SETTINGS_HPP
#define GRU4REC_FINDINGS_SETTINGS_HPP

#include "gru4rec/model/hyperparameters.hpp"

#include <cstddef>
#include <string>
#include <vector>

// What is compared, and what came of it.
namespace findings {

/// One training run and its results on sessions held out; 0 if it diverged.
struct Run {
    double recall = 0;            ///< Recall@20, conservative ties
    double mrr = 0;               ///< MRR@20
    double seconds = 0;           ///< of the completed epochs
    std::string divergence = {};  ///< what became non-finite, and the likely cause; empty if training succeeded
};

/// Parameters that were tried for a setting, and their run on the validation data.
struct Trial {
    gru4rec::Hyperparameters parameters;
    Run run = {};
};

struct Setting {
    std::string name;
    gru4rec::Hyperparameters parameters;  ///< if it was tuned, those of the best trial
    std::vector<Trial> trials = {};       ///< the first has the parameters before tuning; empty: not tuned
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
    bool tunable = false;  ///< --tune chooses parameters for each setting
};

/// The distinct configurations of all comparisons, each under its first name.
[[nodiscard]] std::vector<Setting> different_settings(const std::vector<Comparison>& comparisons);

}  // namespace findings

#endif
