#include "gru4rec/data/synthetic.hpp"

#include "gru4rec/baselines/last_item.hpp"
#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "support/scorer_ranks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Events;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::split_synthetic;
using gru4rec::SyntheticData;
using gru4rec::SyntheticOptions;
using gru4rec::SyntheticOracle;
using gru4rec::SyntheticShop;
using gru4rec::to_item;
using gru4rec::to_session;
using gru4rec::detail::EventTime;

using Items = std::vector<std::int32_t>;

Items session(const SyntheticShop& shop, Index number) {
    Items items;
    shop.session(number, items);
    return items;
}

/// All of the shop's items, item i of the shop as item i.
ItemMap all_items(const SyntheticShop& shop) {
    ItemMap items;
    for (Index item = 0; item < shop.n_items(); ++item) {
        items.insert(SyntheticShop::item_id(item));
    }
    return items;
}

// Worked out with an independent program: the shop of a seed is the same on every platform.
TEST_CASE("the sessions of the default shop are pinned") {
    const SyntheticShop shop;
    CHECK(shop.n_intents() == 52);
    CHECK(session(shop, 0) == Items{415, 166});
    CHECK(session(shop, 1) == Items{312, 336, 100, 437, 463, 347});
    CHECK(session(shop, 2) == Items{208, 65});
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (Index s = 0; s < 2000; ++s) {
        const Items items = session(shop, s);
        hash = (hash ^ items.size()) * 0x100000001b3U;
        for (const std::int32_t item : items) {
            hash = (hash ^ static_cast<std::uint64_t>(item)) * 0x100000001b3U;
        }
    }
    CHECK(hash == 0x50ca21bd815d2989U);
    const Events events = shop.events(0, 2);
    CHECK(events.time(0) == EventTime{1'700'000'013, 0});
    CHECK(events.time(1) == EventTime{1'700'000'128, 0});
    CHECK(events.session_ids.text(0) == "1");
    CHECK(events.item_map.id(events.items[0]) == "416");
}

TEST_CASE("session lengths follow P(n or more) = 6 / (n (n + 1)), four events on average") {
    constexpr std::uint64_t strata = 1U << 20U;
    std::vector<Index> at_least(20, 0);
    double sum = 0;
    for (std::uint64_t i = 0; i < strata; ++i) {
        const Index length = SyntheticShop::session_length((i << 44U) + (1ULL << 43U));
        sum += static_cast<double>(length);
        for (Index n = 0; n <= (std::min)(length, Index{19}); ++n) {
            ++at_least[static_cast<std::size_t>(n)];
        }
    }
    CHECK(at_least[2] == static_cast<Index>(strata));
    for (std::size_t n = 2; n < at_least.size(); ++n) {
        CAPTURE(n);
        const double expected = 6.0 / static_cast<double>(n * (n + 1)) * static_cast<double>(strata);
        CHECK(std::abs(static_cast<double>(at_least[n]) - expected) <= 1);
    }
    // The largest of the strata stands for all above: what is missing of the tail is about sqrt(6 / strata).
    CHECK(std::abs(sum / static_cast<double>(strata) - 4) < 0.005);
    CHECK(SyntheticShop::session_length((std::numeric_limits<std::uint64_t>::max)()) == 2);
    CHECK(SyntheticShop::session_length(0) > 200'000'000);         // solved exactly, beyond what double tells apart
    CHECK(SyntheticShop::session_length(1ULL << 63U) == 2);        // u just above 1/2
    CHECK(SyntheticShop::session_length((1ULL << 63U) - 1) == 3);  // u = 1/2
}

TEST_CASE("every item belongs to as many intents as asked for, each at most once") {
    for (const SyntheticOptions& options :
         {SyntheticOptions{}, SyntheticOptions{.n_items = 7, .items_per_intent = 3, .intents_per_item = 5},
          SyntheticOptions{.n_items = 1}, SyntheticOptions{.n_items = 90, .items_per_intent = 40, .seed = 3}}) {
        const SyntheticShop shop(options);
        std::vector<Index> intents_of(static_cast<std::size_t>(shop.n_items()), 0);
        for (Index intent = 0; intent < shop.n_intents(); ++intent) {
            const auto offers = shop.offers(intent);
            REQUIRE_FALSE(offers.empty());
            CHECK(static_cast<Index>(offers.size()) <= options.items_per_intent);
            std::set<std::int32_t> different;
            for (std::size_t rank = 0; rank < offers.size(); ++rank) {
                different.insert(offers[rank].item);
                CHECK(offers[rank].weight == (1U << 31U) / (rank + 1));
                ++intents_of[static_cast<std::size_t>(offers[rank].item)];
            }
            CHECK(different.size() == offers.size());
        }
        CHECK(
            std::all_of(intents_of.begin(), intents_of.end(), [&](Index n) { return n == options.intents_per_item; }));
        std::vector<double> sums(static_cast<std::size_t>(shop.n_intents()), 0.0);
        for (Index item = 0; item < shop.n_items(); ++item) {
            for (const auto& membership : shop.memberships(item)) {
                sums[static_cast<std::size_t>(membership.intent)] += membership.probability;
            }
        }
        CHECK(std::all_of(sums.begin(), sums.end(), [](double sum) { return std::abs(sum - 1) < 1e-12; }));
    }
}

TEST_CASE("items are drawn by their weight within an intent") {
    const SyntheticShop shop(
        SyntheticOptions{.n_sessions = 20'000, .n_items = 4, .items_per_intent = 4, .intents_per_item = 1});
    REQUIRE(shop.n_intents() == 1);
    const Dataset data(shop.events());
    for (const auto& offer : shop.offers(0)) {
        const auto item = data.items().find(SyntheticShop::item_id(offer.item));
        REQUIRE(item.has_value());
        const double share = static_cast<double>(data.supports()[static_cast<std::size_t>(*item)]) /
                             static_cast<double>(data.n_events());
        CHECK(std::abs(share - shop.memberships(offer.item)[0].probability) < 0.01);  // standard deviation below 0.002
    }
}

TEST_CASE("intents stay, or move to a neighbour on the ring") {
    // With one item per intent, the items are the intents.
    const SyntheticShop shop(SyntheticOptions{
        .n_sessions = 20'000, .n_items = 5, .items_per_intent = 1, .intents_per_item = 1, .drift = 0.3});
    REQUIRE(shop.n_intents() == 5);
    std::vector<Index> intent_of(5);
    for (Index intent = 0; intent < 5; ++intent) {
        intent_of[static_cast<std::size_t>(shop.offers(intent)[0].item)] = intent;
    }
    std::vector<double> moves(5, 0);
    std::vector<double> starts(5, 0);
    double n = 0;
    for (Index s = 0; s < 20'000; ++s) {
        const Items items = session(shop, s);
        ++starts[static_cast<std::size_t>(intent_of[static_cast<std::size_t>(items[0])])];
        for (std::size_t e = 1; e < items.size(); ++e) {
            const Index move =
                intent_of[static_cast<std::size_t>(items[e])] - intent_of[static_cast<std::size_t>(items[e - 1])];
            ++moves[static_cast<std::size_t>((move + 5) % 5)];
            ++n;
        }
    }
    CHECK(std::abs(moves[0] / n - 0.7) < 0.01);
    CHECK(std::abs(moves[1] / n - 0.15) < 0.01);
    CHECK(std::abs(moves[4] / n - 0.15) < 0.01);
    CHECK(moves[2] + moves[3] == 0);
    for (const double count : starts) {
        CHECK(std::abs(count / 20'000 - 0.2) < 0.015);
    }
}

TEST_CASE("a session depends only on the seed and its index") {
    const SyntheticShop small(SyntheticOptions{.n_sessions = 10});
    const SyntheticShop large(SyntheticOptions{.n_sessions = 1000});
    const SyntheticShop other(SyntheticOptions{.seed = 43});
    CHECK(session(small, 5) == session(large, 5));
    CHECK(session(small, 5) != session(other, 5));
}

TEST_CASE("the newest sessions are the test set, with the items of the training set") {
    const SyntheticShop shop(SyntheticOptions{.n_sessions = 1000});
    const SyntheticData data = split_synthetic(shop, 0.2);
    CHECK(data.train.n_sessions() == 800);
    CHECK(data.test.n_sessions() == 200);
    CHECK(data.test.items() == data.train.items());
    const Dataset all(shop.events());
    CHECK(all.n_events() == data.train.n_events() + data.test.n_events() + data.test.n_unknown_events());
    for (Index s = 0; s < 1000; ++s) {
        REQUIRE(to_index(all.time_order()[static_cast<std::size_t>(s)]) == s);  // numbers in order of time
        REQUIRE(static_cast<Index>(all.session(to_session(s)).size()) == static_cast<Index>(session(shop, s).size()));
    }
    CHECK(split_synthetic(shop, 0).test.n_sessions() == 0);
    CHECK(split_synthetic(shop, 1).train.n_sessions() == 0);
    CHECK_THROWS_AS(static_cast<void>(split_synthetic(shop, 1.5)), std::invalid_argument);
}

TEST_CASE("a setting out of range is named with its value and range") {
    const auto message = [](const SyntheticOptions& options) -> std::string {
        try {
            static_cast<void>(SyntheticShop(options));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "accepted";
    };
    CHECK(message({.n_items = 0}) == "gru4rec: n_items = 0, must satisfy 1 <= n_items <= 100000000");
    CHECK(message({.n_sessions = -1}).find("n_sessions = -1") != std::string::npos);
    CHECK(message({.items_per_intent = 0}).find("items_per_intent = 0") != std::string::npos);
    CHECK(message({.intents_per_item = 0}).find("intents_per_item = 0") != std::string::npos);
    CHECK(message({.n_items = 100'000'000, .items_per_intent = 10, .intents_per_item = 1'000})
              .find("makes 10000000000 intents, at most 2147483647") != std::string::npos);
    CHECK(message({.drift = 1.5}) == "gru4rec: drift = 1.5, must satisfy 0 <= drift <= 1");
    CHECK(message({.drift = std::numeric_limits<double>::quiet_NaN()}) != "accepted");
}

/// P(the items in this order), by summing over every path of intents.
double probability(const SyntheticShop& shop, const Items& items) {
    const Index n_intents = shop.n_intents();
    const double drift = shop.options().drift;
    const std::function<double(Index, std::size_t)> rest = [&](Index intent, std::size_t position) {
        double own = 0;
        double weights = 0;
        for (const auto& offer : shop.offers(intent)) {
            weights += offer.weight;
            own += offer.item == items[position] ? offer.weight : 0;
        }
        own /= weights;
        if (own == 0 || position + 1 == items.size()) {
            return own;
        }
        return own *
               ((1 - drift) * rest(intent, position + 1) + drift / 2 * rest((intent + 1) % n_intents, position + 1) +
                drift / 2 * rest((intent + n_intents - 1) % n_intents, position + 1));
    };
    double sum = 0;
    for (Index intent = 0; intent < n_intents; ++intent) {
        sum += rest(intent, 0) / static_cast<double>(n_intents);
    }
    return sum;
}

TEST_CASE("the oracle's scores are the exact probabilities of the next item") {
    for (const SyntheticOptions& options :
         {SyntheticOptions{.n_items = 8, .items_per_intent = 4, .intents_per_item = 3, .drift = 0.2},
          SyntheticOptions{.n_items = 6, .items_per_intent = 6, .intents_per_item = 2, .drift = 0.5},  // a ring of two
          SyntheticOptions{.n_items = 5, .items_per_intent = 5, .intents_per_item = 1, .drift = 0.1},  // a ring of one
          SyntheticOptions{.n_items = 9, .items_per_intent = 3, .intents_per_item = 2, .drift = 0}}) {
        const SyntheticShop shop(options);
        SyntheticOracle oracle(shop, all_items(shop));
        std::vector<double> scores(static_cast<std::size_t>(shop.n_items()));
        for (Index s = 0; s < 20; ++s) {
            Items items = session(shop, s);
            items.resize((std::min)(items.size(), std::size_t{6}));
            oracle.reset();
            Items history;
            for (const std::int32_t item : items) {
                oracle.scores(scores);
                CHECK(std::abs(std::accumulate(scores.begin(), scores.end(), 0.0) - 1) < 1e-12);
                const double so_far = history.empty() ? 1.0 : probability(shop, history);
                for (Index next = 0; next < shop.n_items(); ++next) {
                    Items longer = history;
                    longer.push_back(static_cast<std::int32_t>(next));
                    REQUIRE(std::abs(scores[static_cast<std::size_t>(next)] - probability(shop, longer) / so_far) <
                            1e-12);
                }
                history.push_back(item);
                oracle.observe(to_item(item));
            }
        }
    }
}

TEST_CASE("the oracle uses the indices of its catalogue and accepts unknown items") {
    const SyntheticShop shop(SyntheticOptions{.n_items = 6, .items_per_intent = 3, .intents_per_item = 2});
    SyntheticOracle straight(shop, all_items(shop));
    ItemMap some;
    some.insert("not sold here");
    some.insert(SyntheticShop::item_id(4));
    some.insert(SyntheticShop::item_id(2));
    SyntheticOracle mapped(shop, some);
    CHECK(mapped.n_items() == 3);
    straight.observe(to_item(2));
    mapped.observe(to_item(2));
    std::vector<double> all(6);
    std::vector<double> three(3);
    straight.scores(all);
    mapped.scores(three);
    CHECK(three == std::vector<double>{0, all[4], all[2]});

    mapped.observe(to_item(0));  // tells nothing, but an event went by
    double sum = 0;
    for (const double p : mapped.belief()) {
        sum += p;
    }
    CHECK(std::abs(sum - 1) < 1e-12);

    SyntheticOracle copy = mapped;
    copy.reset();
    CHECK(copy.belief()[0] == doctest::Approx(1.0 / static_cast<double>(shop.n_intents())));
    CHECK(copy.belief()[0] != mapped.belief()[0]);
}

TEST_CASE("in the default shop the history matters: popularity, Markov chain and oracle are far apart") {
    for (const std::uint64_t seed : {42U, 1U}) {
        CAPTURE(seed);
        const SyntheticShop shop(SyntheticOptions{.seed = seed});
        const SyntheticData data = split_synthetic(shop);
        const auto recall = [&](const auto& scorer) {
            return naive::measure(scorer_ranks(scorer, data.test), &naive::Ranks::standard, 20).recall;
        };
        const double popularity = recall(gru4rec::Popularity(data.train));
        const double markov = recall(gru4rec::Markov(data.train));
        const double oracle = recall(SyntheticOracle(shop, data.train.items()));
        MESSAGE("Recall@20: popularity " << popularity << ", Markov " << markov << ", oracle " << oracle);
        CHECK(markov > popularity + 0.3);
        CHECK(oracle > markov + 0.1);
        CHECK(oracle < 0.8);
    }
}

TEST_CASE("the oracle is calibrated: events of predicted probability p occur with frequency p") {
    const SyntheticShop shop(SyntheticOptions{.n_sessions = 4000});
    SyntheticOracle oracle(shop, all_items(shop));
    std::vector<double> scores(static_cast<std::size_t>(shop.n_items()));
    double expected = 0;
    double happened = 0;
    for (Index s = 0; s < 4000; ++s) {
        oracle.reset();
        const Items items = session(shop, s);
        for (std::size_t e = 0; e < items.size(); ++e) {
            oracle.scores(scores);
            for (std::size_t item = 0; item < scores.size(); ++item) {
                if (scores[item] > 0.1) {
                    expected += scores[item];
                    happened += static_cast<std::int32_t>(item) == items[e] ? 1 : 0;
                }
            }
            oracle.observe(to_item(items[e]));
        }
    }
    CHECK(expected > 2000);
    CHECK(std::abs(happened / expected - 1) < 0.06);  // about three standard deviations
}

}  // namespace
