#include "gru4rec/data/preprocess.hpp"

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/time_column.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Events;
using gru4rec::Index;
using gru4rec::preprocess;
using gru4rec::Preprocessed;
using gru4rec::PreprocessOptions;
using gru4rec::PreprocessStep;
using gru4rec::Repeats;
using gru4rec::detail::EventCollector;
using gru4rec::detail::EventTime;
using gru4rec::detail::Random;

struct Event {
    std::string session;
    std::string item;
    EventTime time;

    friend bool operator==(const Event&, const Event&) = default;
};

Events collect(const std::vector<Event>& events) {
    EventCollector collector;
    for (const Event& event : events) {
        REQUIRE_FALSE(collector.add(event.session, event.item, event.time));
    }
    return std::move(collector).take();
}

std::vector<Event> list(const Events& events) {
    std::vector<Event> result;
    for (Index e = 0; e < events.size(); ++e) {
        const auto at = static_cast<std::size_t>(e);
        result.push_back({std::string(events.session_ids.text(to_index(events.sessions[at]))),
                          std::string(events.item_map.id(events.items[at])), events.time(e)});
    }
    return result;
}

/// A session of the items that the letters of `text` name, a time unit apart.
std::vector<Event> session(const std::string& id, const std::string& text, std::int64_t start) {
    std::vector<Event> events;
    for (const char item : text) {
        events.push_back({id, std::string(1, item), {start++, 0}});
    }
    return events;
}

std::vector<Event> together(const std::vector<std::vector<Event>>& parts) {
    std::vector<Event> events;
    for (const std::vector<Event>& part : parts) {
        events.insert(events.end(), part.begin(), part.end());
    }
    return events;
}

/// What the filter alone leaves.
Events filtered(const Events& events, const PreprocessOptions& options, std::vector<PreprocessStep>& steps) {
    gru4rec::detail::Preprocessor recipe(events, options);
    recipe.filter();
    steps = recipe.take_steps();
    return recipe.events_of(recipe.events());
}

Events random_events(std::uint64_t seed) {
    Random random(seed, Random::Stream::test);
    std::vector<Event> events;
    for (int e = 0; e < 1500; ++e) {
        const std::uint64_t session = random.below(400);
        events.push_back({"s" + std::to_string(session),
                          "i" + std::to_string(random.below(1 + random.below(150))),
                          {static_cast<std::int64_t>(10 * session + random.below(60)),
                           static_cast<std::uint32_t>(500'000'000 * random.below(2))}});
    }
    return collect(events);
}

std::vector<PreprocessOptions> many_options() {
    return {{.test_duration = 500},
            {.repeats = Repeats::collapse, .test_duration = 500},
            {.min_session_length = 3, .min_item_support = 8, .repeats = Repeats::collapse, .test_duration = 700},
            {.min_item_support = 3, .repeats = Repeats::collapse, .max_gap = 12, .test_duration = 300},
            {.min_session_length = 1, .min_item_support = 1, .test_duration = 1000}};
}

TEST_CASE("filtering repeats until nothing changes, which takes more than one pass") {
    // x occurs twice: without it session 1 has one event; without that, b occurs once; without it session 2 is too
    // short.
    const std::vector<Event> kept = together({session("3", "acac", 100), session("4", "acca", 200)});
    const Events events =
        collect(together({session("1", "xb", 0), session("2", "bc", 10), session("5", "x", 20), kept}));
    std::vector<PreprocessStep> steps;
    CHECK(list(filtered(events, {.min_item_support = 2}, steps)) == kept);
    const auto pass = [&](const std::string& name) {
        return std::any_of(steps.begin(), steps.end(),
                           [&](const PreprocessStep& step) { return step.what.ends_with(name); });
    };
    CHECK(pass("sessions of fewer than 2 events, pass 2"));
    CHECK(pass("items of fewer than 2 events, pass 2"));
    CHECK(pass("sessions of fewer than 2 events, pass 3"));
}

TEST_CASE("a pass that drops only rare items is not the last") {
    const std::vector<Event> kept = session("2", "aaaaa", 10);
    std::vector<PreprocessStep> steps;
    CHECK(list(filtered(collect(together({session("1", "xa", 0), kept})), {}, steps)) == kept);
}

TEST_CASE("filtering twice gives the same as filtering once") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (const PreprocessOptions& options : many_options()) {
            CAPTURE(seed);
            std::vector<PreprocessStep> steps;
            const Events once = filtered(random_events(seed), options, steps);
            REQUIRE(once.size() > 0);
            const Events twice = filtered(once, options, steps);
            CHECK(list(twice) == list(once));
            for (const PreprocessStep& step : steps) {
                CHECK(step.n_dropped == 0);
            }
            std::map<std::string, Index> of_session;
            std::map<std::string, Index> of_item;
            for (const Event& event : list(once)) {
                ++of_session[event.session];
                ++of_item[event.item];
            }
            CHECK(std::all_of(of_session.begin(), of_session.end(),
                              [&](const auto& s) { return s.second >= options.min_session_length; }));
            CHECK(std::all_of(of_item.begin(), of_item.end(),
                              [&](const auto& i) { return i.second >= options.min_item_support; }));
        }
    }
}

/// The parts of a split keep every promise of the recipe.
void check_split(const Events& train, const Events& test, const PreprocessOptions& options) {
    REQUIRE(train.size() > 0);
    REQUIRE(test.size() > 0);
    std::map<std::string, Index> lengths;
    EventTime last_training{(std::numeric_limits<std::int64_t>::min)(), 0};
    for (const Event& event : list(train)) {
        last_training = (std::max)(last_training, event.time);
        ++lengths[event.session];
    }
    for (const Event& event : list(test)) {
        CHECK(train.item_map.find(event.item).has_value());
        CHECK(last_training < event.time);
        CHECK_FALSE(lengths.contains(event.session));
    }
    for (const Event& event : list(test)) {
        ++lengths[event.session];
    }
    CHECK(std::all_of(lengths.begin(), lengths.end(),
                      [&](const auto& s) { return s.second >= options.min_session_length; }));
}

TEST_CASE("training has no event at or after the split, the test no item that training lacks") {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        for (const PreprocessOptions& options : many_options()) {
            CAPTURE(seed);
            const Preprocessed data = preprocess(random_events(seed), options);
            check_split(data.train_full, data.test, options);
            check_split(data.train_tr, data.train_valid, options);
            for (const Event& event : list(data.train_valid)) {
                CHECK(data.train_full.session_ids.find(event.session) >= 0);
            }
        }
    }
}

// The last event is at 1000, so that with a duration of 100 the split is at 900.
const std::vector<Event> around_the_split = together({session("old", "aba", 10),
                                                      session("runs into it", "abab", 898),
                                                      session("at it", "ab", 900),
                                                      session("after it", "bab", 901),
                                                      session("alone", "ab", 899),
                                                      session("new", "xab", 950),
                                                      session("strange", "xa", 960),
                                                      {{"last", "b", {999, 0}}, {"last", "a", {1000, 0}}}});

TEST_CASE("the test has the sessions that start after the split, training the events before it") {
    const Preprocessed data = preprocess(collect(around_the_split), {.min_item_support = 1, .test_duration = 100});
    CHECK(list(data.train_full) == together({session("old", "aba", 10), session("runs into it", "ab", 898)}));
    CHECK(list(data.test) == together({session("after it", "bab", 901),
                                       session("new", "ab", 951),
                                       {{"last", "b", {999, 0}}},
                                       {{"last", "a", {1000, 0}}}}));
}

TEST_CASE("the training data are split once more in the same way") {
    std::vector<Event> events;
    for (std::int64_t day = 0; day < 5; ++day) {
        for (std::int64_t n = 0; n < 3; ++n) {
            const std::string id = std::to_string(day) + "." + std::to_string(n);
            events = together({events, session(id, "abc", day * 1000 + n * 10 + 1)});
        }
    }
    const Preprocessed data = preprocess(collect(events), {.test_duration = 1000});
    const auto sessions_of = [](const Events& part) {
        std::set<std::string> ids;
        for (const Event& event : list(part)) {
            ids.insert(event.session.substr(0, 1));
        }
        return ids;
    };
    CHECK(sessions_of(data.test) == std::set<std::string>{"4"});
    CHECK(sessions_of(data.train_full) == std::set<std::string>{"0", "1", "2", "3"});
    CHECK(sessions_of(data.train_valid) == std::set<std::string>{"3"});
    CHECK(sessions_of(data.train_tr) == std::set<std::string>{"0", "1", "2"});
}

TEST_CASE("repeats collapse to their first event, including those that a rare item separated") {
    const Events events =
        collect(together({session("1", "aabbba", 0), session("2", "abxab", 10), session("3", "axaa", 20)}));
    std::vector<PreprocessStep> steps;
    const Events kept = filtered(events, {.min_item_support = 3}, steps);
    CHECK(kept.size() == 6 + 4 + 3);
    const Events collapsed = filtered(events, {.min_item_support = 3, .repeats = Repeats::collapse}, steps);
    CHECK(list(collapsed) == std::vector<Event>{{"1", "a", {0, 0}},
                                                {"1", "b", {2, 0}},
                                                {"1", "a", {5, 0}},
                                                {"2", "a", {10, 0}},
                                                {"2", "b", {11, 0}},
                                                {"2", "a", {13, 0}},
                                                {"2", "b", {14, 0}}});
}

TEST_CASE("repeats also collapse when the test loses an item that training lacks") {
    const Events events = collect(together({session("1", "abab", 0), session("2", "axab", 100)}));
    const auto test = [&](Repeats repeats) {
        return list(preprocess(events, {.min_item_support = 1, .repeats = repeats, .test_duration = 50}).test);
    };
    CHECK(test(Repeats::keep) == std::vector<Event>{{"2", "a", {100, 0}}, {"2", "a", {102, 0}}, {"2", "b", {103, 0}}});
    CHECK(test(Repeats::collapse) == std::vector<Event>{{"2", "a", {100, 0}}, {"2", "b", {103, 0}}});
}

TEST_CASE("gaps cut sessions before the split, and only if asked for") {
    const Events events = collect(together({session("1", "abab", 0), session("1", "ab", 100)}));
    PreprocessOptions options{.min_item_support = 1, .test_duration = 50};
    CHECK(preprocess(events, options).test.size() == 0);
    options.max_gap = 90;
    CHECK(list(preprocess(events, options).test) == session("1:2", "ab", 100));
}

TEST_CASE("sessions are cut at gaps, and each part gets its own id") {
    const std::vector<Event> events{{"v", "a", {0, 0}},  {"v", "b", {10, 0}}, {"v", "c", {21, 0}},
                                    {"v", "d", {31, 1}}, {"w", "a", {40, 0}}, {"v:2", "a", {50, 0}},
                                    {"v", "e", {100, 0}}};
    gru4rec::detail::Preprocessor recipe(collect(events), {});
    recipe.cut_at_gaps(10);
    CHECK(list(recipe.events_of(recipe.events())) == std::vector<Event>{{"v", "a", {0, 0}},
                                                                        {"v", "b", {10, 0}},
                                                                        {"v:3", "c", {21, 0}},
                                                                        {"v:4", "d", {31, 1}},
                                                                        {"v:5", "e", {100, 0}},
                                                                        {"w", "a", {40, 0}},
                                                                        {"v:2", "a", {50, 0}}});
}

TEST_CASE("the first event of the first session may be a part by itself") {
    gru4rec::detail::Preprocessor recipe(collect({{"v", "a", {0, 0}}, {"v", "b", {100, 0}}, {"v", "c", {101, 0}}}), {});
    recipe.cut_at_gaps(10);
    CHECK(list(recipe.events_of(recipe.events())) ==
          std::vector<Event>{{"v", "a", {0, 0}}, {"v:2", "b", {100, 0}}, {"v:2", "c", {101, 0}}});
}

TEST_CASE("a gap is measured exactly, over the whole range of times") {
    using gru4rec::detail::is_gap;
    constexpr std::int64_t low = (std::numeric_limits<std::int64_t>::min)();
    constexpr std::int64_t high = (std::numeric_limits<std::int64_t>::max)();
    CHECK_FALSE(is_gap({0, 0}, {10, 0}, 10));
    CHECK(is_gap({0, 0}, {10, 1}, 10));
    CHECK_FALSE(is_gap({0, 0}, {9, 1}, 10));
    CHECK_FALSE(is_gap({0, 900'000'000}, {10, 100'000'000}, 10));
    CHECK(is_gap({0, 900'000'000}, {11, 0}, 10));
    CHECK(is_gap({low, 0}, {high, 0}, high));
    CHECK_FALSE(is_gap({-1, 0}, {high - 1, 0}, high));
    CHECK(is_gap({5, 0}, {5, 1}, 0));
    CHECK_FALSE(is_gap({5, 1}, {5, 1}, 0));
}

TEST_CASE("cutting at gaps twice changes nothing") {
    const PreprocessOptions options{.max_gap = 7};
    gru4rec::detail::Preprocessor once(random_events(5), options);
    once.cut_at_gaps(7);
    const Events cut = once.events_of(once.events());
    gru4rec::detail::Preprocessor twice(cut, options);
    twice.cut_at_gaps(7);
    CHECK(list(twice.events_of(twice.events())) == list(cut));
    CHECK(cut.n_sessions() > random_events(5).n_sessions());
}

TEST_CASE("events are grouped by session and sorted by time, equal times as given") {
    const std::vector<Event> mixed{{"1", "a", {5, 0}}, {"2", "b", {1, 0}}, {"1", "c", {3, 0}},
                                   {"2", "d", {1, 0}}, {"1", "e", {3, 0}}, {"2", "f", {0, 0}}};
    std::vector<PreprocessStep> steps;
    CHECK(list(filtered(collect(mixed), {.min_item_support = 1}, steps)) == std::vector<Event>{{"1", "c", {3, 0}},
                                                                                               {"1", "e", {3, 0}},
                                                                                               {"1", "a", {5, 0}},
                                                                                               {"2", "f", {0, 0}},
                                                                                               {"2", "b", {1, 0}},
                                                                                               {"2", "d", {1, 0}}});
}

TEST_CASE("the log adds up") {
    for (const PreprocessOptions& options : many_options()) {
        const Preprocessed data = preprocess(random_events(6), options);
        Index left = 1500;
        for (const PreprocessStep& step : data.steps) {
            const bool divides = step.what.find("sessions that start") != std::string::npos;
            CHECK((divides || step.n_events == left - step.n_dropped));
            left = step.n_events;
        }
        const auto last_of = [&](const std::string& name) {
            PreprocessStep last;
            for (const PreprocessStep& step : data.steps) {
                last = step.what.starts_with(name + ":") ? step : last;
            }
            return last;
        };
        const auto check = [&](const std::string& name, const Events& events) {
            const PreprocessStep last = last_of(name);
            CHECK(last.n_events == events.size());
            CHECK(last.n_sessions == events.n_sessions());
            CHECK(last.n_items == events.item_map.size());
        };
        check("train_full", data.train_full);
        check("test", data.test);
        check("train_tr", data.train_tr);
        check("train_valid", data.train_valid);
    }
}

/// "what [setting] dropped: sessions items events" of every step.
std::vector<std::string> log_of(const std::vector<Event>& events, const PreprocessOptions& options) {
    std::vector<std::string> lines;
    for (const PreprocessStep& step : preprocess(collect(events), options).steps) {
        const auto number = [](Index n) { return " " + std::to_string(n); };
        lines.push_back(step.what + " [" + step.setting + "]" + number(step.n_dropped) + ":" + number(step.n_sessions) +
                        number(step.n_items) + number(step.n_events));
    }
    return lines;
}

TEST_CASE("the log names every step, the setting behind it and what it left, and later passes only if they dropped") {
    const std::vector<Event> events = together({session("1", "xb", 0),
                                                session("2", "bc", 10),
                                                session("3", "aaca", 100),
                                                session("4", "acca", 200),
                                                session("5", "caca", 300),
                                                {{"5", "a", {900, 0}}, {"5", "c", {901, 500'000'000}}}});
    PreprocessOptions options{.min_item_support = 2, .repeats = Repeats::collapse, .max_gap = 50, .test_duration = 700};
    std::vector<std::string> expected{"read [] 0: 5 4 18",
                                      "sessions cut at gaps of more than 50 [max_gap] 0: 6 4 18",
                                      "consecutive repeats [repeats] 2: 6 4 16",
                                      "sessions of fewer than 2 events [min_session_length] 0: 6 4 16",
                                      "items of fewer than 2 events [min_item_support] 1: 6 3 15",
                                      "sessions of fewer than 2 events, pass 2 [min_session_length] 1: 5 3 14",
                                      "items of fewer than 2 events, pass 2 [min_item_support] 1: 5 2 13",
                                      "sessions of fewer than 2 events, pass 3 [min_session_length] 1: 4 2 12",
                                      "train_full: sessions that start until 201.5 [test_duration] 0: 2 2 6",
                                      "train_full: events from then on cut [test_duration] 1: 2 2 5",
                                      "train_full: sessions of fewer than 2 events [min_session_length] 0: 2 2 5",
                                      "test: sessions that start later [test_duration] 0: 2 2 6",
                                      "test: items that train_full lacks [] 0: 2 2 6",
                                      "test: consecutive repeats [repeats] 0: 2 2 6",
                                      "test: sessions of fewer than 2 events [min_session_length] 0: 2 2 6",
                                      "train_tr: sessions that start until -499 [test_duration] 0: 0 0 0",
                                      "train_tr: events from then on cut [test_duration] 0: 0 0 0",
                                      "train_tr: sessions of fewer than 2 events [min_session_length] 0: 0 0 0",
                                      "train_valid: sessions that start later [test_duration] 0: 2 2 5",
                                      "train_valid: items that train_tr lacks [] 5: 0 0 0",
                                      "train_valid: consecutive repeats [repeats] 0: 0 0 0",
                                      "train_valid: sessions of fewer than 2 events [min_session_length] 0: 0 0 0"};
    CHECK(log_of(events, options) == expected);
    options.time_unit = gru4rec::TimeUnit::seconds;
    expected[8] = "train_full: sessions that start until 1970-01-01 00:03:21 UTC [test_duration] 0: 2 2 6";
    expected[15] = "train_tr: sessions that start until 1969-12-31 23:51:41 UTC [test_duration] 0: 0 0 0";
    CHECK(log_of(events, options) == expected);
}

TEST_CASE("no events, one event and extreme times are handled") {
    const Preprocessed nothing = preprocess(Events());
    CHECK(nothing.train_full.size() + nothing.test.size() + nothing.train_tr.size() == 0);
    const Preprocessed one =
        preprocess(collect({{"1", "a", {0, 0}}}), {.min_session_length = 1, .min_item_support = 1});
    CHECK(one.train_full.size() == 0);
    CHECK(one.test.size() == 0);  // its item is not in training
    constexpr std::int64_t low = (std::numeric_limits<std::int64_t>::min)();
    const Preprocessed early = preprocess(collect(session("1", "ab", low)), {.min_item_support = 1});
    CHECK(early.train_full.size() == 0);
}

TEST_CASE("options out of range are refused by name") {
    const auto refused = [](const PreprocessOptions& options, const char* text) {
        CHECK_THROWS_WITH_AS(static_cast<void>(preprocess(Events(), options)), doctest::Contains(text),
                             std::invalid_argument);
    };
    refused({.min_session_length = 0}, "min_session_length = 0");
    refused({.min_item_support = 0}, "min_item_support = 0");
    refused({.max_gap = -1}, "max_gap = -1");
    refused({.test_duration = 0}, "test_duration = 0");
}

}  // namespace
