#include "verdict.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "support/formatted.hpp"

namespace findings {

namespace {

[[nodiscard]] const std::vector<Run>& runs_of(const std::vector<ConfigurationRuns>& trained,
                                              const gru4rec::Hyperparameters& parameters) {
    const auto found =
        std::find_if(trained.begin(), trained.end(), [&](const auto& each) { return each.parameters == parameters; });
    GRU4REC_ASSERT(found != trained.end() && !found->runs.empty());
    return found->runs;
}

[[nodiscard]] Spread spread_of(const std::vector<Run>& runs, double Run::*measure) {
    Spread spread{0, runs.front().*measure, runs.front().*measure};
    for (const Run& run : runs) {
        spread.mean += run.*measure / static_cast<double>(runs.size());
        spread.low = (std::min)(spread.low, run.*measure);
        spread.high = (std::max)(spread.high, run.*measure);
    }
    return spread;
}

[[nodiscard]] const Result& best_of(const std::vector<std::size_t>& indices, const std::vector<Result>& results) {
    const auto rank = [&](std::size_t i) { return results[i].diverged() ? -1 : results[i].recall.mean; };
    const auto below = [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); };
    return results[*std::max_element(indices.begin(), indices.end(), below)];
}

/// The two settings that represent their sides.
struct Contest {
    const Result& favoured;
    const Result& other;

    [[nodiscard]] double difference() const { return favoured.recall.mean - other.recall.mean; }
    [[nodiscard]] double noise() const { return (std::max)(favoured.recall.range(), other.recall.range()); }
    [[nodiscard]] bool both_diverged() const { return favoured.diverged() && other.diverged(); }
    [[nodiscard]] bool one_seed() const { return favoured.runs.size() < 2; }
};

[[nodiscard]] Verdict decide(Claim claim, const Contest& contest) {
    if (contest.both_diverged() || contest.one_seed()) {
        return Verdict::undecided;
    }
    if (contest.favoured.diverged() || contest.other.diverged()) {
        return contest.other.diverged() ? Verdict::holds : Verdict::does_not_hold;
    }
    if (std::abs(contest.difference()) <= contest.noise()) {
        return claim == Claim::not_worse ? Verdict::holds : Verdict::within_noise;
    }
    return contest.difference() > 0 ? Verdict::holds : Verdict::does_not_hold;
}

[[nodiscard]] std::string four_digits(double value) { return formatted("%.4f", value); }

[[nodiscard]] std::string recall_text(const Result& result) {
    return result.diverged() ? "diverged" : four_digits(result.recall.mean);
}

[[nodiscard]] std::string numbers_of(const Contest& contest) {
    std::string text = recall_text(contest.favoured) + " against " + recall_text(contest.other);
    if (!contest.favoured.diverged() && !contest.other.diverged()) {
        text += std::string(", a difference of ") + (contest.difference() < 0 ? "" : "+") +
                four_digits(contest.difference());
        text += contest.one_seed() ? "" : "; the spread of the seeds is " + four_digits(contest.noise());
    }
    return text;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::holds: return "holds";
        case Verdict::does_not_hold: return "does not hold";
        case Verdict::within_noise: return "within noise";
        case Verdict::undecided: break;
    }
    return "undecided";
}

std::vector<ComparedSettings> collect(const std::vector<Comparison>& comparisons,
                                      const std::vector<ConfigurationRuns>& trained) {
    std::vector<ComparedSettings> all;
    for (const Comparison& comparison : comparisons) {
        ComparedSettings& compared = all.emplace_back(ComparedSettings{comparison, {}});
        for (const Setting& setting : comparison.settings) {
            const std::vector<Run>& runs = runs_of(trained, setting.parameters);
            compared.results.push_back({setting, runs, spread_of(runs, &Run::recall), spread_of(runs, &Run::mrr),
                                        spread_of(runs, &Run::seconds).mean});
        }
    }
    return all;
}

Judgement judge(const ComparedSettings& compared) {
    const Comparison& comparison = compared.comparison;
    const Contest contest{best_of(comparison.favoured, compared.results), best_of(comparison.others, compared.results)};
    const Verdict verdict = decide(comparison.claim, contest);
    const char* const reason = verdict != Verdict::undecided ? ""
                               : contest.both_diverged()     ? ", both sides diverged"
                                                             : ", one seed";
    return {verdict, comparison.finding + ": " + std::string(to_string(verdict)) + reason + ". Recall@20 of " +
                         contest.favoured.setting.name + " against " + contest.other.setting.name + ": " +
                         numbers_of(contest) + "."};
}

}  // namespace findings
