#include "gru4rec/data/events.hpp"

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Events;
using gru4rec::ItemMap;
using gru4rec::to_item;
using gru4rec::to_session;
using gru4rec::detail::EventCollector;
using gru4rec::detail::EventProblem;
using gru4rec::detail::EventTime;

TEST_CASE("sessions and items are numbered by first appearance, whatever their time") {
    EventCollector collector;
    CHECK_FALSE(collector.add("s9", "b", {5, 0}));
    CHECK_FALSE(collector.add("s1", "a", {1, 0}));
    CHECK_FALSE(collector.add("s9", "a", {2, 0}));
    const Events events = std::move(collector).take();
    CHECK(events.size() == 3);
    CHECK(events.sessions == std::vector{to_session(0), to_session(1), to_session(0)});
    CHECK(events.items == std::vector{to_item(0), to_item(1), to_item(1)});
    CHECK(events.times.whole == std::vector<std::int64_t>{5, 1, 2});
    CHECK(events.session_ids.text(0) == "s9");
    CHECK(events.session_ids.text(1) == "s1");
    CHECK(events.item_map.id(to_item(0)) == "b");
}

TEST_CASE("the column of nanoseconds exists from the first fraction on") {
    EventCollector whole;
    CHECK_FALSE(whole.add("s", "a", {5, 0}));
    CHECK(std::move(whole).take().times.nanoseconds.empty());

    EventCollector mixed;
    CHECK_FALSE(mixed.add("s", "a", {5, 0}));
    CHECK_FALSE(mixed.add("s", "a", {6, 7}));
    CHECK_FALSE(mixed.add("s", "a", {8, 0}));
    const Events events = std::move(mixed).take();
    CHECK(events.times.nanoseconds == std::vector<std::uint32_t>{0, 7, 0});
    CHECK(events.time(0) == EventTime{5, 0});
    CHECK(events.time(1) == EventTime{6, 7});
    CHECK(events.time(2) == EventTime{8, 0});

    EventCollector first;
    CHECK_FALSE(first.add("s", "a", {5, 1}));
    CHECK(std::move(first).take().times.nanoseconds == std::vector<std::uint32_t>{1});
}

TEST_CASE("with known items, events of other items are counted and their sessions kept") {
    ItemMap known;
    known.insert("a");
    known.insert("b");
    EventCollector collector(&known);
    CHECK_FALSE(collector.add("s0", "z", {0, 0}));
    CHECK_FALSE(collector.add("s1", "b", {0, 0}));
    CHECK_FALSE(collector.add("s1", "y", {0, 0}));
    const Events events = std::move(collector).take();
    CHECK(events.n_sessions() == 2);
    CHECK(events.size() == 1);
    CHECK(events.sessions == std::vector{to_session(1)});
    CHECK(events.items == std::vector{to_item(1)});
    CHECK(events.n_unknown == 2);
    CHECK(events.item_map == known);
}

TEST_CASE("an event with an invalid id changes nothing and says which id") {
    ItemMap known;
    known.insert("a");
    for (const ItemMap* items : {static_cast<const ItemMap*>(nullptr), static_cast<const ItemMap*>(&known)}) {
        EventCollector collector(items);
        const EventProblem no_session = collector.add("", "a", {});
        CHECK(no_session);
        CHECK(no_session.field == gru4rec::detail::EventField::session);
        CHECK(no_session.text.find("session id is empty") != std::string::npos);
        const EventProblem no_item = collector.add("s", "", {});
        CHECK(no_item);
        CHECK(no_item.field == gru4rec::detail::EventField::item);
        CHECK(collector.add("s", "a\xff", {}).text.find("not valid UTF-8") != std::string::npos);
        const Events events = std::move(collector).take();
        CHECK(events.size() == 0);
        CHECK(events.n_sessions() == 0);
        CHECK(events.n_unknown == 0);
    }
}

}  // namespace
