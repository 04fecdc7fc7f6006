#include "gru4rec/baselines/session_sets.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/baselines.hpp"
#include "support/random_sessions.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::to_item;
using gru4rec::detail::SessionSets;

TEST_CASE("sessions are numbered by age and hold each item once; those without events have no number") {
    const Dataset known =
        gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1}, std::vector<std::string>{"a", "b", "c"},
                              std::vector<std::int64_t>{1, 2, 3});
    // Session 7 starts last, 8 first; 9 holds an unknown item only.
    const Dataset data = gru4rec::make_dataset(
        std::vector<std::int64_t>{7, 7, 7, 8, 8, 9}, std::vector<std::string>{"c", "a", "c", "b", "c", "x"},
        std::vector<std::int64_t>{5, 6, 7, 1, 2, 0}, {.known_items = &known.items()});
    const SessionSets sets(data);
    REQUIRE(sets.n_sessions() == 2);
    REQUIRE(sets.n_items() == 3);
    const auto items = [&](Index s) {
        return std::vector<ItemIndex>(sets.items_of(s).begin(), sets.items_of(s).end());
    };
    CHECK(items(0) == std::vector<ItemIndex>{to_item(1), to_item(2)});
    CHECK(items(1) == std::vector<ItemIndex>{to_item(0), to_item(2)});
    const auto sessions = [&](Index item) {
        const auto of_item = sets.sessions_of(to_item(item));
        return std::vector<std::int32_t>(of_item.begin(), of_item.end());
    };
    CHECK(sessions(0) == std::vector<std::int32_t>{1});
    CHECK(sessions(1) == std::vector<std::int32_t>{0});
    CHECK(sessions(2) == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("random sessions become the sets that std::set makes of them") {
    constexpr std::uint64_t seed = 3;
    CAPTURE(seed);
    const Dataset data = random_sessions(200, 30, seed);
    const std::vector<naive::Session> sessions = sessions_by_time(data);
    const SessionSets sets(data);
    REQUIRE(sets.n_sessions() == 200);
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        const std::set<std::size_t> expected(sessions[s].begin(), sessions[s].end());
        std::vector<std::size_t> items;
        for (const ItemIndex item : sets.items_of(static_cast<Index>(s))) {
            items.push_back(static_cast<std::size_t>(item));
            const auto held = sets.sessions_of(item);
            CHECK(std::binary_search(held.begin(), held.end(), static_cast<std::int32_t>(s)));
        }
        CHECK(items == std::vector<std::size_t>(expected.begin(), expected.end()));
    }
    for (Index item = 0; item < data.n_items(); ++item) {
        CHECK(static_cast<double>(sets.sessions_of(to_item(item)).size()) ==
              naive::n_holding(sessions, {static_cast<std::size_t>(item)}));
    }
}

}  // namespace
