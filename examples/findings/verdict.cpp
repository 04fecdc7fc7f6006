#include "verdict.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>

namespace findings {

namespace {

[[nodiscard]] Spread spread_of(const std::vector<Run>& runs, double Run::*number) {
    Spread spread{0, runs.front().*number, runs.front().*number};
    for (const Run& run : runs) {
        spread.mean += run.*number / static_cast<double>(runs.size());
        spread.low = (std::min)(spread.low, run.*number);
        spread.high = (std::max)(spread.high, run.*number);
    }
    return spread;
}

[[nodiscard]] const Result& best_of(const std::vector<std::size_t>& numbers, const std::vector<Result>& results) {
    return results[*std::ranges::max_element(numbers, {}, [&](std::size_t i) { return results[i].recall.mean; })];
}

[[nodiscard]] Verdict decide(Claim claim, double difference, double noise) {
    if (std::abs(difference) <= noise) {
        return claim == Claim::not_worse ? Verdict::holds : Verdict::within_noise;
    }
    return difference > 0 ? Verdict::holds : Verdict::does_not_hold;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::holds: return "holds";
        case Verdict::does_not_hold: return "does not hold";
        case Verdict::within_noise: return "within noise";
        case Verdict::undecided: break;
    }
    return "undecided, one seed";
}

std::vector<Compared> collect(const std::vector<Comparison>& comparisons, const std::vector<Trained>& trained) {
    std::vector<Compared> all;
    for (const Comparison& comparison : comparisons) {
        Compared& compared = all.emplace_back(Compared{comparison, {}});
        for (const Setting& setting : comparison.settings) {
            const std::vector<Run>& runs = runs_of(trained, setting.parameters);
            compared.results.push_back({setting, runs, spread_of(runs, &Run::recall), spread_of(runs, &Run::mrr),
                                        spread_of(runs, &Run::seconds).mean});
        }
    }
    return all;
}

Judgement judge(const Compared& compared) {
    const Comparison& comparison = compared.comparison;
    const Result& favoured = best_of(comparison.favoured, compared.results);
    const Result& other = best_of(comparison.others, compared.results);
    const double difference = favoured.recall.mean - other.recall.mean;
    const double noise = (std::max)(favoured.recall.range(), other.recall.range());
    const Verdict verdict = favoured.runs.size() < 2 ? Verdict::undecided : decide(comparison.claim, difference, noise);
    std::array<char, 200> numbers{};
    std::snprintf(numbers.data(), numbers.size(), "%.4f against %.4f, a difference of %+.4f", favoured.recall.mean,
                  other.recall.mean, difference);
    std::string sentence = comparison.finding + ": " + std::string(to_string(verdict)) + ". Recall@20 of " +
                           favoured.setting.name + " against " + other.setting.name + ": " + numbers.data();
    if (verdict != Verdict::undecided) {
        std::snprintf(numbers.data(), numbers.size(), " where seeds make %.4f", noise);
        sentence += numbers.data();
    }
    return {verdict, sentence + "."};
}

}  // namespace findings
