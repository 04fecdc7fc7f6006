#include "findings/tuning.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/events.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "findings/tuning_report.hpp"
#include "findings/validation.hpp"

// How findings chooses parameters with --tune, by results made up for it.
namespace {

using findings::Comparison;
using findings::Draw;
using findings::Run;
using findings::Setting;
using gru4rec::Hyperparameters;

[[nodiscard]] Setting of_width(int units) {
    return {std::to_string(units) + " units", {.layers = {units}, .learning_rate = 0.1, .dropout_p_embed = 0.1}};
}

[[nodiscard]] Comparison comparison_of(const std::string& name, std::vector<Setting> settings, bool tunable) {
    return {.name = name,
            .finding = {},
            .published = {},
            .favoured = {0},
            .others = {1},
            .settings = std::move(settings),
            .tunable = tunable};
}

[[nodiscard]] std::vector<Comparison> widths() { return {comparison_of("width", {of_width(10), of_width(20)}, true)}; }

const std::vector<Draw> two_draws{{0.5, 0.2, 0.3}, {0.25, 0, 0.5}};

/// Narrow layers are best with the shared rate, wide ones with half of it.
[[nodiscard]] Run wide_layers_learn_slowly(const Setting& trial) {
    const double best_rate = trial.parameters.layers.front() == 10 ? 0.1 : 0.05;
    return {.recall = 1 - std::abs(*trial.parameters.learning_rate - best_rate)};
}

void add(gru4rec::detail::EventCollector& events, const std::string& session, const std::string& item,
         std::int64_t time) {
    REQUIRE(!events.add(session, item, {time, 0}));
}

/// Events of session s at 10 s and 10 s + 1, items `a` and `b`.
[[nodiscard]] gru4rec::detail::EventCollector sessions_of_two(int n) {
    gru4rec::detail::EventCollector collector;
    for (int s = 0; s < n; ++s) {
        add(collector, std::to_string(s), "a", 10 * s);
        add(collector, std::to_string(s), "b", 10 * s + 1);
    }
    return collector;
}

}  // namespace

TEST_CASE("a seed makes the same draws again, more of them begin with the same ones, another seed makes others") {
    const std::vector<Draw> draws = findings::make_draws(7, 42);
    CHECK((draws == findings::make_draws(7, 42)));
    CHECK((draws != findings::make_draws(7, 43)));
    const std::vector<Draw> more = findings::make_draws(9, 42);
    CHECK(std::equal(draws.begin(), draws.end(), more.begin()));
    CHECK(more.size() == 9);
    CHECK(findings::make_draws(0, 42).empty());
}

TEST_CASE("draws stay within their ranges and cover them evenly") {
    constexpr std::size_t n = 1100;
    const auto expected_below = [](std::size_t step) { return n * std::sqrt(static_cast<double>(step) / 11); };
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        std::vector<int> with_rate(11, 0);
        std::vector<int> with_dropout_p_embed(11, 0);
        std::vector<int> with_dropout_p_hidden(11, 0);
        for (const Draw& draw : findings::make_draws(n, seed)) {
            const double share = std::log(draw.rate_factor / findings::smallest_rate_factor) /
                                 std::log(findings::largest_rate_factor / findings::smallest_rate_factor);
            ++with_rate.at(static_cast<std::size_t>(std::floor(11 * share + 1e-9)));
            for (const double dropout : {draw.dropout_p_embed, draw.dropout_p_hidden}) {
                REQUIRE(std::abs(20 * dropout - std::round(20 * dropout)) < 1e-9);
            }
            ++with_dropout_p_embed.at(static_cast<std::size_t>(std::lround(20 * draw.dropout_p_embed)));
            ++with_dropout_p_hidden.at(static_cast<std::size_t>(std::lround(20 * draw.dropout_p_hidden)));
        }
        // Independent draws would be off by 10 on average.
        for (std::size_t step = 0; step < 11; ++step) {
            CHECK(with_rate[step] == doctest::Approx(100).epsilon(0.08));
            const double expected = expected_below(step + 1) - expected_below(step);
            CHECK(std::abs(with_dropout_p_embed[step] - expected) <= 8);
            CHECK(std::abs(with_dropout_p_hidden[step] - expected) <= 8);
        }
    }
}

TEST_CASE("a draw changes learning rate and dropout, as far as the setting has them") {
    const Hyperparameters base{.learning_rate = 0.1, .dropout_p_embed = 0.1};
    Hyperparameters expected = base;
    expected.learning_rate = 0.0123;
    expected.dropout_p_embed = 0.25;
    expected.dropout_p_hidden = 0.4;
    CHECK(findings::with_draw(base, {0.1234, 0.25, 0.4}) == expected);

    const Hyperparameters one_hot{.constrained_embedding = false, .learning_rate = 0.1};
    CHECK(findings::with_draw(one_hot, {1, 0.25, 0.4}).dropout_p_embed == 0);
    CHECK_THROWS_AS((void)findings::with_draw({.learning_rate = 1e308}, {2, 0, 0}), gru4rec::ConfigError);
}

TEST_CASE("each setting gets the parameters of its best trial, the first of which has its own") {
    std::vector<Comparison> comparisons = widths();
    findings::tune(comparisons, two_draws, wide_layers_learn_slowly);
    const std::vector<Setting>& settings = comparisons.front().settings;
    CHECK(settings[0].parameters == of_width(10).parameters);
    CHECK(settings[1].parameters == findings::with_draw(of_width(20).parameters, two_draws.front()));
    for (const Setting& setting : settings) {
        REQUIRE(setting.trials.size() == 3);
        CHECK(setting.trials[1].parameters == findings::with_draw(setting.trials[0].parameters, two_draws[0]));
        CHECK(setting.trials[2].parameters == findings::with_draw(setting.trials[0].parameters, two_draws[1]));
    }
    CHECK(settings[1].trials[0].parameters == of_width(20).parameters);
    CHECK(settings[1].trials[1].run.recall == 1);
}

TEST_CASE("of equal trials the first is chosen, and MRR has no say") {
    std::vector<Comparison> comparisons = widths();
    findings::tune(comparisons, two_draws,
                   [](const Setting& trial) { return Run{.recall = 0.5, .mrr = 1 - *trial.parameters.learning_rate}; });
    CHECK(comparisons.front().settings[0].parameters == of_width(10).parameters);
}

TEST_CASE("trials that diverge are passed over; a setting of which all do is named") {
    const auto diverges_from = [](double rate) {
        return [rate](const Setting& trial) {
            return *trial.parameters.learning_rate >= rate ? Run{.recall = 9, .divergence = "the loss"}
                                                           : Run{.recall = 0.5};
        };
    };
    std::vector<Comparison> comparisons = widths();
    findings::tune(comparisons, two_draws, diverges_from(0.04));
    CHECK(*comparisons.front().settings[1].parameters.learning_rate == 0.025);
    comparisons = widths();
    CHECK_THROWS_WITH_AS(findings::tune(comparisons, two_draws, diverges_from(0.01)),
                         "--tune: all 3 trials of '10 units' diverged, the first: the loss; change what the settings "
                         "share with --params",
                         gru4rec::NonFiniteError);
}

TEST_CASE("a setting that several comparisons share is tuned once, and not where its comparison is not tuned") {
    std::vector<Comparison> comparisons{comparison_of("layers", {of_width(20), of_width(30)}, true), widths().front(),
                                        comparison_of("negatives", {of_width(20), of_width(40)}, false)};
    std::vector<std::string> names;
    findings::tune(comparisons, two_draws, [&](const Setting& trial) {
        names.push_back(trial.name);
        return wide_layers_learn_slowly(trial);
    });
    CHECK(names.size() == 9);
    CHECK(names[1] == "20 units, trial 2, learning_rate=0.05, dropout_p_embed=0.2, dropout_p_hidden=0.3");
    CHECK(comparisons[0].settings[0].parameters == comparisons[1].settings[1].parameters);
    CHECK(comparisons[1].settings[1].name == "20 units");
    CHECK(comparisons[2].settings[0].parameters == of_width(20).parameters);
    CHECK(comparisons[2].settings[0].trials.empty());
}

TEST_CASE("the newest tenth of the sessions is split off, with items known from before it") {
    gru4rec::detail::EventCollector collector = sessions_of_two(20);
    add(collector, "3", "late", 185);   // of an early session, in the time of the newest
    add(collector, "19", "late", 192);  // so this is not known
    add(collector, "19", "a", 193);
    const findings::TrainAndTest split = findings::split_off_newest(std::move(collector).take());
    CHECK(split.train.n_sessions() == 18);
    CHECK(split.train.n_events() == 36);
    CHECK_FALSE(split.train.items().find("late").has_value());
    CHECK(split.test.n_sessions() == 2);
    CHECK(split.test.n_events() == 5);
    CHECK(split.test.items().size() == split.train.items().size());
    CHECK(*split.test.items().find("b") == *split.train.items().find("b"));
}

TEST_CASE("training data that leave nothing to train on or to predict are refused") {
    CHECK_NOTHROW((void)findings::split_off_newest(sessions_of_two(3).take()));
    CHECK_THROWS_WITH_AS((void)findings::split_off_newest(sessions_of_two(2).take()),
                         doctest::Contains("newest tenth of their 2 sessions for validation: 1 earlier sessions"),
                         gru4rec::ConfigError);
    gru4rec::detail::EventCollector at_once;
    for (const char* const session : {"1", "2", "3"}) {
        add(at_once, session, "a", 7);
        add(at_once, session, "b", 7);
    }
    CHECK_THROWS_AS((void)findings::split_off_newest(std::move(at_once).take()), gru4rec::ConfigError);
}

TEST_CASE("times as far apart as they can be leave nothing to predict, and that is said") {
    using Limits = std::numeric_limits<std::int64_t>;
    gru4rec::detail::EventCollector collector;
    for (const std::int64_t start : {(Limits::min)(), (Limits::min)() + 9, (Limits::min)() + 19}) {
        add(collector, std::to_string(start), "a", start);
        add(collector, std::to_string(start), "b", (Limits::max)());
    }
    CHECK_THROWS_AS((void)findings::split_off_newest(std::move(collector).take()), gru4rec::ConfigError);
}

TEST_CASE("the report names what was tuned, how, and the values chosen") {
    std::vector<Comparison> comparisons = widths();
    findings::tune(comparisons, two_draws, [](const Setting& trial) {
        return *trial.parameters.learning_rate == 0.1 && trial.parameters.layers.front() == 20
                   ? Run{.divergence = "the loss"}
                   : wide_layers_learn_slowly(trial);
    });
    comparisons.push_back(comparison_of("negatives", {of_width(10), of_width(40)}, false));
    std::vector<findings::ConfigurationRuns> trained;
    for (const Setting& setting : findings::different_settings(comparisons)) {
        trained.push_back({setting.parameters, {Run{.recall = 0.5}}});
    }
    const auto compared = findings::collect(comparisons, trained);
    const findings::Tuning tuning{3, 42, "5 sessions before it"};
    CHECK(findings::tuning_summary(compared, tuning) ==
          "except for what is compared and, in width, for learning rate and dropout, which are the best of 3 trials of "
          "each setting (table below). The settings of negatives are not tuned.");
    const std::string section = findings::tuning_section(compared, tuning);
    CHECK(section.find("were chosen by Recall@20 on the newest tenth of the training sessions: 5 sessions before it. A "
                       "setting was tried with the shared values and with 2 draws") != std::string::npos);
    CHECK(section.find("0.125 to 2 times the shared one (log-uniform), dropouts of 0 to 0.5, small ones more often; "
                       "all with seed 42") != std::string::npos);
    CHECK(section.find("| width | 10 units | 0.1 | 0.1 | 0 | 1.0000 | 1.0000 | 0 |\n"
                       "| width | 20 units | 0.05 | 0.2 | 0.3 | 1.0000 | diverged | 1 |\n") != std::string::npos);
    CHECK(section.find("| negatives") == std::string::npos);
}
