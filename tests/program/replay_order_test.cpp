#include "cli/replay/dispatcher.hpp"
#include "cli/replay/play_order.hpp"

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using cli::playback::Dispatcher;
using cli::playback::Passes;
using cli::playback::PlayOrder;
using cli::playback::Turn;
using gru4rec::Index;
using Steps = std::vector<std::pair<Index, Index>>;  // session and position

namespace {

constexpr std::int64_t second = 1'000'000'000;

struct Row {
    std::string session;
    std::string item;
    std::int64_t time;
};

[[nodiscard]] gru4rec::Events events_of(const std::vector<Row>& rows, const gru4rec::ItemMap* known = nullptr) {
    gru4rec::detail::EventCollector collector(known);
    for (const Row& row : rows) {
        REQUIRE_FALSE(collector.add(row.session, row.item, {row.time, 0}));
    }
    return std::move(collector).take();
}

/// Sessions and positions in the order of play.
[[nodiscard]] Steps steps_of(const PlayOrder& order) {
    Steps steps(static_cast<std::size_t>(order.n_steps()));
    for (Index s = 0; s < order.n_sessions(); ++s) {
        for (Index p = 0; p + 1 < std::ssize(order.session(s)); ++p) {
            const Index step = order.step_of(s, p);
            CHECK(order.session_of(step) == s);
            steps[static_cast<std::size_t>(step)] = {s, p};
        }
    }
    return steps;
}

/// Takes all that can be taken at a time, and leaves it on the way.
[[nodiscard]] Steps take_all(Dispatcher& dispatcher, std::int64_t now) {
    Steps taken;
    while (const auto turn = dispatcher.take(now)) {
        taken.emplace_back(turn->session, turn->position);
    }
    return taken;
}

}  // namespace

TEST_CASE("events are played by time, equal times in the order of the file, without the last one of a session") {
    const PlayOrder order(events_of({{"a", "x", 10},
                                     {"a", "y", 30},
                                     {"b", "x", 20},
                                     {"c", "z", 5},
                                     {"b", "y", 20},
                                     {"a", "z", 20},
                                     {"b", "z", 25}}));
    CHECK(order.n_sessions() == 3);
    CHECK(steps_of(order) == Steps{{0, 0}, {1, 0}, {1, 1}, {0, 1}});
    CHECK(order.session(0).size() == 3);
    CHECK(order.session(0)[1] == gru4rec::to_item(2));  // z at 20, before y at 30
    CHECK(order.session(2).size() == 1);
}

TEST_CASE("sessions have the events and the order of a Dataset, and as many steps as it has pairs") {
    std::mt19937 random(7);
    const gru4rec::ItemMap known = events_of({{"s", "1", 0}, {"s", "2", 0}, {"s", "3", 0}, {"s", "5", 0}}).item_map;
    for (const unsigned n_rows : {0U, 1U, 2U, 17U, 400U}) {
        std::vector<Row> rows;
        for (unsigned r = 0; r < n_rows; ++r) {
            rows.push_back({std::to_string(random() % 23), std::to_string(random() % 7),
                            static_cast<std::int64_t>(random() % 50)});
        }
        const PlayOrder order(events_of(rows, &known));
        const gru4rec::Dataset data(events_of(rows, &known));
        REQUIRE(order.n_sessions() == data.n_sessions());
        CHECK(order.n_steps() == data.n_pairs());
        for (Index s = 0; s < data.n_sessions(); ++s) {
            const auto expected = data.session(gru4rec::to_session(s));
            CHECK(std::equal(expected.begin(), expected.end(), order.session(s).begin(), order.session(s).end()));
        }
        CHECK(std::ssize(steps_of(order)) == data.n_pairs());
    }
}

TEST_CASE("without a rate everything is due at once, but a session has one request on the way") {
    const PlayOrder order(events_of({{"a", "x", 1}, {"a", "y", 2}, {"b", "x", 3}, {"a", "z", 4}, {"b", "y", 5}}));
    Dispatcher dispatcher(order, 0, Passes::one);
    CHECK(dispatcher.next_due() == Dispatcher::never);
    const auto first = dispatcher.take(100);
    CHECK(first == Turn{0, 0, 0, 100});
    CHECK(dispatcher.take(200) == Turn{0, 1, 0, 200});
    CHECK(dispatcher.take(300) == std::nullopt);
    CHECK(dispatcher.n_held() == 1);
    dispatcher.finish(1);
    CHECK(dispatcher.take(300) == std::nullopt);
    CHECK_FALSE(dispatcher.is_over());
    dispatcher.finish(0);
    CHECK(dispatcher.take(400) == Turn{0, 0, 1, 400});
    CHECK_FALSE(dispatcher.is_over());
    dispatcher.finish(0);
    CHECK(dispatcher.is_over());
    CHECK(dispatcher.take(500) == std::nullopt);
}

TEST_CASE("with a rate each request is due at its place, whatever became of those before it") {
    const PlayOrder order(events_of(
        {{"a", "x", 1}, {"b", "x", 2}, {"a", "y", 3}, {"c", "x", 4}, {"a", "z", 5}, {"b", "y", 6}, {"c", "y", 7}}));
    Dispatcher dispatcher(order, 4, Passes::one);
    CHECK(dispatcher.next_due() == 0);
    CHECK(take_all(dispatcher, 0) == Steps{{0, 0}});
    CHECK(dispatcher.next_due() == second / 4);
    CHECK(take_all(dispatcher, second / 4 - 1).empty());
    CHECK(take_all(dispatcher, second / 4) == Steps{{1, 0}});
    // The server stalls: a's second event waits for the answer to the first, c's goes.
    CHECK(take_all(dispatcher, 3 * second / 4) == Steps{{2, 0}});
    CHECK(dispatcher.next_due() == Dispatcher::never);
    dispatcher.finish(0);
    CHECK(dispatcher.take(5 * second) == Turn{0, 0, 1, second / 2});
}

TEST_CASE("times of a long schedule do not drift") {
    std::vector<Row> rows;
    for (int s = 0; s < 1000; ++s) {
        rows.push_back({std::to_string(s), "x", s});
        rows.push_back({std::to_string(s), "y", 100'000});
    }
    const PlayOrder order(events_of(rows));
    Dispatcher dispatcher(order, 7, Passes::any_number);
    std::int64_t place = 0;
    for (int pass = 0; pass < 3; ++pass) {
        for (int s = 0; s < 1000; ++s, ++place) {
            const std::int64_t due = dispatcher.next_due() == Dispatcher::never ? 0 : dispatcher.next_due();
            const auto turn = dispatcher.take((std::max)(due, place * second));
            REQUIRE(turn);
            CHECK(turn->pass == pass);
            CHECK(turn->session == s);
            CHECK(turn->due == place * second / 7);
            dispatcher.finish(s);
        }
    }
    CHECK_FALSE(dispatcher.is_over());
}

TEST_CASE("a file that is played again waits until everything of it is answered") {
    const PlayOrder order(events_of({{"a", "x", 1}, {"b", "x", 2}, {"a", "y", 3}, {"b", "y", 4}}));
    Dispatcher dispatcher(order, 0, Passes::any_number);
    CHECK(take_all(dispatcher, 1) == Steps{{0, 0}, {1, 0}});
    dispatcher.finish(1);
    CHECK(take_all(dispatcher, 2).empty());
    dispatcher.finish(0);
    CHECK(dispatcher.take(3) == Turn{1, 0, 0, 3});
}

TEST_CASE("every step is taken once and in order within its session, in whatever order answers come") {
    std::mt19937 random(11);
    std::vector<Row> rows;
    for (int r = 0; r < 3000; ++r) {
        rows.push_back(
            {std::to_string(random() % 40), std::to_string(random() % 9), static_cast<std::int64_t>(random() % 500)});
    }
    const PlayOrder order(events_of(rows));
    for (const std::int64_t rate : {std::int64_t{0}, std::int64_t{1000}}) {
        Dispatcher dispatcher(order, rate, Passes::one);
        std::vector<Index> on_the_way;
        std::map<Index, Index> next;
        Index n_taken = 0;
        for (std::int64_t now = 0; !dispatcher.is_over(); now += second / 3000) {
            REQUIRE(now < 10 * second);
            while (on_the_way.size() < 16) {
                const auto turn = dispatcher.take(now);
                if (!turn) {
                    break;
                }
                CHECK(turn->due <= now);
                CHECK(turn->position == next[turn->session]++);
                CHECK(std::count(on_the_way.begin(), on_the_way.end(), turn->session) == 0);
                on_the_way.push_back(turn->session);
                ++n_taken;
            }
            for (auto answers = random() % 6; answers > 0 && !on_the_way.empty(); --answers) {
                std::swap(on_the_way[random() % on_the_way.size()], on_the_way.back());
                dispatcher.finish(on_the_way.back());
                on_the_way.pop_back();
            }
        }
        CHECK(n_taken == order.n_steps());
    }
}
