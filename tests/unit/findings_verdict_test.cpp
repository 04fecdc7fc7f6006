#include "findings/verdict.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

// Whether a finding holds, by recalls made up for it: the rule of docs/findings.md, a case for each of its branches.
namespace {

using findings::Claim;
using findings::Comparison;
using findings::ConfigurationRuns;
using findings::Judgement;
using findings::Verdict;

/// Recall@20 of each run of a setting.
using Recalls = std::vector<double>;

constexpr double diverged = -1;

[[nodiscard]] findings::Run run_of(double recall) {
    return recall == diverged ? findings::Run{.divergence = "the loss"} : findings::Run{.recall = recall};
}

/// The judgement of settings 'a', 'b', ...; the first `n_favoured` are favoured, the others are not.
[[nodiscard]] Judgement judgement_of(const std::vector<Recalls>& settings, Claim claim = Claim::better,
                                     std::size_t n_favoured = 1) {
    Comparison comparison{
        .finding = "A finding", .published = {}, .claim = claim, .favoured = {}, .others = {}, .settings = {}};
    std::vector<ConfigurationRuns> trained;
    for (std::size_t i = 0; i < settings.size(); ++i) {
        (i < n_favoured ? comparison.favoured : comparison.others).push_back(i);
        const gru4rec::Hyperparameters parameters{.n_sample = static_cast<int>(i)};
        comparison.settings.push_back({std::string(1, static_cast<char>('a' + i)), parameters});
        ConfigurationRuns& runs = trained.emplace_back(ConfigurationRuns{parameters, {}});
        for (const double recall : settings[i]) {
            runs.runs.push_back(run_of(recall));
        }
    }
    return judge(findings::collect({comparison}, trained).front());
}

}  // namespace

TEST_CASE("a finding holds where its setting is ahead by more than the seeds make") {
    const Judgement judgement = judgement_of({{0.5, 0.625}, {0.25, 0.375}});
    CHECK(judgement.verdict == Verdict::holds);
    CHECK(judgement.sentence ==
          "A finding: holds. Recall@20 of a against b: 0.5625 against 0.3125, a difference of +0.2500; the spread of "
          "the seeds is 0.1250.");
}

TEST_CASE("a finding does not hold where its setting is behind by more than the seeds make") {
    const Judgement judgement = judgement_of({{0.25, 0.375}, {0.5, 0.625}});
    CHECK(judgement.verdict == Verdict::does_not_hold);
    CHECK(judgement.sentence ==
          "A finding: does not hold. Recall@20 of a against b: 0.3125 against 0.5625, a difference of -0.2500; the "
          "spread of "
          "the seeds is 0.1250.");
}

TEST_CASE("the larger of both spreads is the noise, whichever setting has it") {
    CHECK(judgement_of({{0.25, 0.75}, {0.375, 0.375}}).verdict == Verdict::within_noise);
    CHECK(judgement_of({{0.5, 0.5}, {0.125, 0.625}}).verdict == Verdict::within_noise);
}

TEST_CASE("a difference as large as the noise is within it") {
    CHECK(judgement_of({{0.5, 0.625}, {0.375, 0.5}}).verdict == Verdict::within_noise);
    CHECK(judgement_of({{0.375, 0.5}, {0.5, 0.625}}).verdict == Verdict::within_noise);
    CHECK(judgement_of({{0.5, 0.5}, {0.5, 0.5}}).verdict == Verdict::within_noise);
}

TEST_CASE("that nothing is gained holds within noise, and where the favoured setting is ahead") {
    CHECK(judgement_of({{0.375, 0.5}, {0.5, 0.625}}, Claim::not_worse).verdict == Verdict::holds);
    CHECK(judgement_of({{0.25, 0.75}, {0.625, 0.625}}, Claim::not_worse).verdict == Verdict::holds);
    CHECK(judgement_of({{0.5, 0.625}, {0.25, 0.375}}, Claim::not_worse).verdict == Verdict::holds);
}

TEST_CASE("that nothing is gained does not hold where the favoured setting is behind by more than noise") {
    CHECK(judgement_of({{0.25, 0.375}, {0.5, 0.625}}, Claim::not_worse).verdict == Verdict::does_not_hold);
}

TEST_CASE("one seed leaves a finding undecided") {
    for (const Recalls& other : {Recalls{0.25}, Recalls{0.75}, Recalls{diverged}}) {
        CHECK(judgement_of({{0.5}, other}).verdict == Verdict::undecided);
    }
    CHECK(judgement_of({{0.5}, {0.25}}).sentence ==
          "A finding: undecided, one seed. Recall@20 of a against b: 0.5000 against 0.2500, a difference of +0.2500.");
}

TEST_CASE("the best of several settings by its mean stands for its side") {
    // 'c' has the best single run and 'd' the better mean.
    const Judgement judgement =
        judgement_of({{0.25, 0.25}, {0.75, 0.75}, {0.0, 0.625}, {0.375, 0.5}}, Claim::better, 2);
    CHECK(judgement.verdict == Verdict::holds);
    CHECK(judgement.sentence.find("of b against d: 0.7500 against 0.4375") != std::string::npos);
    CHECK(judgement_of({{0.5, 0.5}, {0.25, 0.25}, {0.75, 0.75}}).verdict == Verdict::does_not_hold);
    CHECK(judgement_of({{0.5, 0.5}, {0.75, 0.75}, {0.25, 0.25}}).verdict == Verdict::does_not_hold);
}

TEST_CASE("a setting of which one run diverged loses, whatever the others reached") {
    const Judgement lost = judgement_of({{0.75, diverged}, {0.25, 0.25}}, Claim::not_worse);
    CHECK(lost.verdict == Verdict::does_not_hold);
    CHECK(lost.sentence == "A finding: does not hold. Recall@20 of a against b: diverged against 0.2500.");
    const Judgement won = judgement_of({{0.25, 0.25}, {diverged, 0.75}});
    CHECK(won.verdict == Verdict::holds);
    CHECK(won.sentence == "A finding: holds. Recall@20 of a against b: 0.2500 against diverged.");
}

TEST_CASE("a setting that diverged does not stand for its side where another did not") {
    CHECK(judgement_of({{0.25, 0.25}, {0.75, diverged}, {0.125, 0.125}}).sentence.find("a against c") !=
          std::string::npos);
    CHECK(judgement_of({{0.25, 0.25}, {0.75, diverged}, {0.0, 0.0}}).sentence.find("a against c") != std::string::npos);
}

TEST_CASE("where both sides diverged nothing is decided") {
    const Judgement judgement = judgement_of({{diverged, diverged}, {0.5, diverged}});
    CHECK(judgement.verdict == Verdict::undecided);
    CHECK(judgement.sentence ==
          "A finding: undecided, both sides diverged. Recall@20 of a against b: diverged against diverged.");
}
