#ifndef GRU4REC_FINDINGS_VERDICT_HPP
#define GRU4REC_FINDINGS_VERDICT_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "runs.hpp"

namespace findings {

/// A measure over the seeds.
struct Spread {
    double mean = 0;
    double low = 0;
    double high = 0;

    [[nodiscard]] double range() const noexcept { return high - low; }
};

/// The results of a setting.
struct Result {
    Setting setting;
    std::vector<Run> runs;
    Spread recall;
    Spread mrr;
    double seconds = 0;  ///< mean

    /// True if any run diverged; recall and mrr are then meaningless.
    [[nodiscard]] bool diverged() const {
        return std::any_of(runs.begin(), runs.end(), [](const Run& run) { return !run.divergence.empty(); });
    }
};

/// A comparison with its results, in the order of its settings.
struct ComparedSettings {
    Comparison comparison;
    std::vector<Result> results;
};

enum class Verdict { holds, does_not_hold, within_noise, undecided };

[[nodiscard]] std::string_view to_string(Verdict verdict);

struct Judgement {
    Verdict verdict = Verdict::undecided;
    std::string sentence;
};

/// How a difference is distinguished from noise, as a sentence.
inline constexpr std::string_view noise_rule =
    "Two settings differ if their mean Recall@20 over the seeds are further apart than the larger of their two spreads "
    "(maximum minus minimum over the seeds); a smaller difference is noise. One seed shows no spread and decides "
    "nothing.";

/// @pre all settings of the comparisons were trained
[[nodiscard]] std::vector<ComparedSettings> collect(const std::vector<Comparison>& comparisons,
                                                    const std::vector<ConfigurationRuns>& trained);

/// Whether a finding holds for the results, with the evidence. The best setting of a side represents it; one that
/// diverged loses to all that did not.
[[nodiscard]] Judgement judge(const ComparedSettings& compared);

}  // namespace findings

#endif
