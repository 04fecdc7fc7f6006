#ifndef GRU4REC_FINDINGS_TUNING_REPORT_HPP
#define GRU4REC_FINDINGS_TUNING_REPORT_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "verdict.hpp"

namespace findings {

/// How parameters were chosen.
struct Tuning {
    std::size_t n_trials = 0;  ///< of each setting
    std::uint64_t seed = 0;    ///< of the draws and of all trials
    std::string validation;    ///< what was trained on and what was predicted, without a full stop
};

/// How the settings differ apart from what is compared, as the end of a sentence.
[[nodiscard]] std::string tuning_summary(const std::vector<ComparedSettings>& compared, const Tuning& tuning);

/// How the parameters were chosen, and a table of them.
[[nodiscard]] std::string tuning_section(const std::vector<ComparedSettings>& compared, const Tuning& tuning);

/// The values of the tuned parameters, as in `0.0312, 0.1, 0.25`.
[[nodiscard]] std::string tuned_values(const gru4rec::Hyperparameters& parameters, std::string_view separator);

}  // namespace findings

#endif
