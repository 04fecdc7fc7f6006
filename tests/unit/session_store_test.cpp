#include "gru4rec/serve/session_store.hpp"

#include "gru4rec/serve/recommender.hpp"
#include "support/contains.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::SessionState;
using gru4rec::SessionStore;
using gru4rec::SessionStoreCounts;
using gru4rec::SessionStoreOptions;
using gru4rec::to_item;
using State = SessionState<float>;

const gru4rec::Model<float>& small_model() {
    static const gru4rec::Model<float> model = small_models::make<float>({});
    return model;
}

/// A store whose clock we set.
struct Timed {
    explicit Timed(SessionStoreOptions options = {}) : store(small_model(), with_clock(std::move(options))) {}

    SessionStoreOptions with_clock(SessionStoreOptions options) {
        options.clock = [this] { return now; };
        return options;
    }
    void feed(const std::string& id, Index item = 1) {
        store.update(id, [&](State& session) { session.add_event(to_item(item)); });
    }
    /// Events of a session; -1: there is none.
    [[nodiscard]] Index n_events(const std::string& id) {
        State session(small_model());
        return store.find(id, session) ? session.n_events() : -1;
    }

    double now = 1000;
    SessionStore<float> store;
};

std::string refusal(const SessionStoreOptions& options) {
    try {
        const SessionStore<float> store(small_model(), options);
    } catch (const gru4rec::ConfigError& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("a session in a store goes on as one that is kept, to the bit, with every input") {
    for (const small_models::Settings& settings : {small_models::Settings{},
                                                   {{"layers", "5/2"}, {"gru_variant", "reset_after"}},
                                                   {{"layers", "3"}, {"input", "history"}, {"history_max", "4"}}}) {
        const auto model = small_models::make<double>(settings);
        SessionStore<double> store(model, {.max_sessions = 10});
        gru4rec::Recommender<double> recommender(model);
        std::vector<SessionState<double>> kept(3, SessionState<double>(model));
        SessionState<double> found(model);
        for (Index i = 0; i < 30; ++i) {
            const auto visitor = static_cast<std::size_t>(i * i % 3);
            const auto item = to_item(i * 7 % model.n_items());
            store.update(std::to_string(visitor),
                         [&](SessionState<double>& session) { recommender.advance(session, item); });
            recommender.advance(kept[visitor], item);
            REQUIRE(store.find(std::to_string(visitor), found));
            CHECK(found.n_events() == kept[visitor].n_events());
            CHECK(std::equal(found.values().begin(), found.values().end(), kept[visitor].values().begin()));
        }
    }
}

TEST_CASE("an update of an unknown id starts a new session, whatever the shard held before") {
    Timed timed({.n_shards = 1});
    timed.store.update("a", [](State& session) {
        session.add_event(to_item(2));
        session.values()[0] = 5;
    });
    timed.store.update("b", [](State& session) {
        CHECK(session.n_events() == 0);
        CHECK(std::all_of(session.values().begin(), session.values().end(), [](float value) { return value == 0; }));
    });
    CHECK(timed.n_events("b") == 0);
    CHECK(timed.n_events("c") == -1);
}

TEST_CASE("find of an unknown id leaves the session as it is") {
    Timed timed;
    State session(small_model());
    session.add_event(to_item(3));
    CHECK_FALSE(timed.store.find("nobody", session));
    CHECK(session.n_events() == 1);
}

TEST_CASE("if a change throws, the stored session is what it was, and a new one is not there") {
    Timed timed;
    timed.feed("a");
    const auto fail = [](State& session) {
        session.add_event(to_item(0));
        session.values()[0] = 9;
        throw std::runtime_error("no");
    };
    CHECK_THROWS_WITH_AS(timed.store.update("a", fail), "no", std::runtime_error);
    CHECK_THROWS_WITH_AS(timed.store.update("b", fail), "no", std::runtime_error);
    State session(small_model());
    REQUIRE(timed.store.find("a", session));
    CHECK(session.n_events() == 1);
    CHECK(session.values()[0] == 0);
    CHECK(timed.n_events("b") == -1);
    CHECK(timed.store.counts().created == 1);
}

TEST_CASE("a change that puts another model's session in place is refused, and the next one is not affected") {
    Timed timed({.n_shards = 1});
    timed.feed("a");
    const auto other = small_models::make<float>({{"layers", "7"}});
    CHECK_THROWS_AS(timed.store.update("a", [&](State& session) { session = State(other); }), gru4rec::ContractError);
    CHECK(timed.n_events("a") == 1);
    timed.feed("a");
    CHECK(timed.n_events("a") == 2);
    State wrong(other);
    CHECK_THROWS_AS((void)timed.store.find("a", wrong), gru4rec::ContractError);
}

TEST_CASE("a change that moves the session away is refused, and the next one is not affected") {
    Timed timed({.n_shards = 1});
    timed.feed("a");
    std::vector<State> taken;
    const auto take = [&](State& session) { taken.push_back(std::move(session)); };
    CHECK_THROWS_WITH_AS(timed.store.update("a", take), doctest::Contains("moved it away"), gru4rec::ContractError);
    CHECK_THROWS_AS(timed.store.update("b", take), gru4rec::ContractError);
    CHECK(taken.front().n_events() == 1);
    CHECK(timed.n_events("b") == -1);
    timed.feed("a");
    CHECK(timed.n_events("a") == 2);
}

TEST_CASE("ids are any bytes, 1 to 256 of them, and each length has its own session") {
    Timed timed;
    State session(small_model());
    for (std::size_t length = 1; length <= 256; ++length) {
        for (Index event = 0; event <= static_cast<Index>(length % 3); ++event) {
            timed.feed(std::string(length, '\0'));
        }
    }
    timed.feed(std::string("a\0b", 3));
    for (std::size_t length = 1; length <= 256; ++length) {
        CHECK(timed.n_events(std::string(length, '\0')) == static_cast<Index>(length % 3) + 1);
    }
    CHECK(timed.n_events("a") == -1);
    CHECK(timed.n_events(std::string("a\0b", 3)) == 1);
    for (const std::size_t length : std::vector<std::size_t>{0, 257, 100000}) {
        const std::string id(length, 'x');
        const auto message = doctest::Contains(
            ("session id: its length = " + std::to_string(length) + ", must satisfy 1 <= length <= 256").c_str());
        CHECK_THROWS_WITH_AS(timed.feed(id), message, gru4rec::ConfigError);
        CHECK_THROWS_WITH_AS((void)timed.store.find(id, session), message, gru4rec::ConfigError);
        CHECK_THROWS_WITH_AS(timed.store.erase(id), message, gru4rec::ConfigError);
    }
    CHECK(timed.store.counts().size == 257);
}

TEST_CASE("the least recently used session makes room, and to be read is to be used") {
    Timed timed({.max_sessions = 3, .n_shards = 1});
    timed.feed("a");
    timed.feed("b");
    timed.feed("c");
    CHECK(timed.n_events("a") == 1);
    timed.feed("d");
    CHECK(timed.n_events("b") == -1);
    timed.feed("c");
    timed.feed("e");
    CHECK(timed.n_events("a") == -1);
    CHECK(timed.n_events("c") == 2);
    const SessionStoreCounts counts = timed.store.counts();
    CHECK(counts.size == 3);
    CHECK(counts.created == 5);
    CHECK(counts.evicted == 2);
    CHECK(counts.expired == 0);
}

TEST_CASE("a session expires when it was idle for longer than the limit, counted from its last use") {
    Timed timed({.max_idle_seconds = 10});
    timed.feed("a");
    timed.feed("b");
    timed.now += 10;
    CHECK(timed.n_events("a") == 1);  // a use
    timed.now += 0.5;
    CHECK(timed.n_events("b") == -1);
    timed.now += 9.5;
    timed.feed("a");
    CHECK(timed.n_events("a") == 2);
    timed.now += 10.5;
    timed.feed("a");  // starts anew
    CHECK(timed.n_events("a") == 1);
    timed.now += 11;
    CHECK_FALSE(timed.store.erase("a"));
    const SessionStoreCounts counts = timed.store.counts();
    CHECK(counts.created == 3);
    CHECK(counts.expired == 3);
    CHECK(counts.erased == 0);
    CHECK(counts.size == 0);
}

TEST_CASE("expire removes the expired sessions of all shards, and no others") {
    Timed timed({.max_sessions = 10000, .max_idle_seconds = 5, .n_shards = 7});
    for (int i = 0; i < 3000; ++i) {
        timed.feed("old " + std::to_string(i));
    }
    timed.now += 4;
    timed.feed("young");
    CHECK(timed.store.expire() == 0);
    timed.now += 2;
    CHECK(timed.store.expire() == 3000);
    CHECK(timed.store.counts().size == 1);
    CHECK(timed.store.counts().expired == 3000);
    CHECK(timed.n_events("young") == 1);
}

TEST_CASE("a few expired sessions leave whenever a new one comes, and before others are evicted") {
    Timed timed({.max_sessions = 100, .max_idle_seconds = 5, .n_shards = 1});
    for (int i = 0; i < 100; ++i) {
        timed.feed("old " + std::to_string(i));
    }
    timed.now += 6;
    timed.feed("new");
    const SessionStoreCounts counts = timed.store.counts();
    CHECK(counts.expired == 8);
    CHECK(counts.evicted == 0);
    CHECK(counts.size == 93);
}

TEST_CASE("sessions never expire if the limit is infinite") {
    Timed timed({.max_idle_seconds = std::numeric_limits<double>::infinity()});
    timed.feed("a");
    timed.now += 1e12;
    CHECK(timed.store.expire() == 0);
    CHECK(timed.n_events("a") == 1);
}

TEST_CASE("a clock that goes back expires nothing, and keeps the order of use") {
    Timed timed({.max_sessions = 2, .max_idle_seconds = 10, .n_shards = 1});
    timed.feed("a");
    timed.now -= 500;
    timed.feed("b");
    timed.now += 505;
    CHECK(timed.store.expire() == 0);
    timed.feed("c");
    CHECK(timed.n_events("a") == -1);
    CHECK(timed.n_events("b") == 1);
}

TEST_CASE("without a clock of the caller's, time passes by itself") {
    SessionStore<float> store(small_model(), {.max_idle_seconds = 0.002});
    store.update("a", [](State&) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(store.expire() == 1);
}

TEST_CASE("an erased session is gone, and memory goes back with the sessions") {
    Timed timed({.max_sessions = 100000, .n_shards = 1});
    for (int i = 0; i < 20000; ++i) {
        timed.feed("visitor " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 60), 'x'));
    }
    const Index full = timed.store.counts().bytes;
    CHECK(timed.store.erase("visitor 0"));
    CHECK_FALSE(timed.store.erase("visitor 0"));
    CHECK(timed.n_events("visitor 0") == -1);
    for (int i = 1; i < 20000; ++i) {
        REQUIRE(timed.store.erase("visitor " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 60), 'x')));
    }
    const SessionStoreCounts counts = timed.store.counts();
    CHECK(counts.size == 0);
    CHECK(counts.erased == 20000);
    CHECK(counts.bytes < full / 8);  // the slots, and a slab
}

TEST_CASE("bytes stay below their limit, whatever the ids, and the sessions used last are kept") {
    const auto id_of = [](int i) {  // long ones first
        return std::to_string(i) + std::string(static_cast<std::size_t>(i < 2000 ? 200 + i % 50 : i % 30), 'x');
    };
    for (const Index max_bytes : {Index{2000}, Index{20000}, Index{200000}}) {
        Timed timed({.max_sessions = 100000, .max_bytes = max_bytes, .n_shards = 1});
        for (int i = 0; i < 4000; ++i) {
            timed.feed(id_of(i));
            REQUIRE(timed.store.counts().bytes <= max_bytes);
        }
        const SessionStoreCounts counts = timed.store.counts();
        CHECK(counts.evicted == 4000 - counts.size);
        CHECK(counts.size >= max_bytes / 200);  // a session of three units takes less than 100 bytes
        for (int i = 4000 - static_cast<int>(counts.size); i < 4000; ++i) {
            REQUIRE(timed.n_events(id_of(i)) == 1);
        }
    }
}

TEST_CASE("the number of shards follows from the limits, and every shard has its share of them") {
    const auto shards = [](const SessionStoreOptions& options) {
        return SessionStore<float>(small_model(), options).n_shards();
    };
    CHECK(shards({}) == 64);
    CHECK(shards({.max_sessions = 1}) == 1);
    CHECK(shards({.max_sessions = 10 * 256}) == 10);
    CHECK(shards({.max_bytes = 5 << 20}) == 5);
    CHECK(shards({.n_shards = 3}) == 3);
    Timed timed({.max_sessions = 5000, .n_shards = 8});
    for (int i = 0; i < 20000; ++i) {
        timed.feed(std::to_string(i));
    }
    CHECK(timed.store.counts().size == 5000);
}

TEST_CASE("a hash seed makes a store that evicts the same sessions again") {
    const auto survivors = [](std::uint64_t seed) {
        Timed timed({.max_sessions = 50, .n_shards = 5, .hash_seed = seed});
        for (int i = 0; i < 200; ++i) {
            timed.feed(std::to_string(i));
        }
        std::string found;
        for (int i = 0; i < 200; ++i) {
            found += timed.n_events(std::to_string(i)) > 0 ? '1' : '0';
        }
        return found;
    };
    CHECK(survivors(1) == survivors(1));
    CHECK(survivors(1) != survivors(2));
}

TEST_CASE("options out of range are refused by a message with their name, their value and the range") {
    CHECK(contains(refusal({.max_sessions = 0}), "max_sessions = 0, must satisfy max_sessions >= 1"));
    CHECK(contains(refusal({.max_sessions = -5}), "max_sessions = -5"));
    CHECK(contains(refusal({.max_bytes = 100}), "max_bytes = 100, must satisfy max_bytes >= "));
    CHECK(contains(refusal({.max_bytes = -1}), "max_bytes = -1, must satisfy max_bytes >= "));
    CHECK(contains(refusal({.max_bytes = 10000, .n_shards = 4096}), "in each of 4096 shards"));
    CHECK(contains(refusal({.max_idle_seconds = 0}), "max_idle_seconds = 0, must satisfy max_idle_seconds > 0"));
    CHECK(contains(refusal({.max_idle_seconds = std::nan("")}), "max_idle_seconds = nan"));
    CHECK(contains(refusal({.n_shards = -1}), "n_shards = -1, must satisfy 0 <= n_shards <= 4096"));
    CHECK(contains(refusal({.n_shards = 4097}), "n_shards = 4097"));
    CHECK(contains(refusal({.max_sessions = 3, .n_shards = 4}), "n_shards = 4, must satisfy n_shards <= max_sessions"));
}

TEST_CASE("the smallest store that is accepted holds one session of any id") {
    const std::string text = refusal({.max_bytes = 1, .n_shards = 1});
    const std::string before = "max_bytes >= ";
    const auto least = static_cast<Index>(std::stol(text.substr(text.find(before) + before.size())));
    Timed timed({.max_bytes = least, .n_shards = 1});
    for (const std::size_t length : std::vector<std::size_t>{1, 256, 41, 40, 256, 3}) {
        timed.feed(std::string(length, 'x'));
        CHECK(timed.n_events(std::string(length, 'x')) == 1);
        CHECK(timed.store.counts().bytes <= least);
    }
    CHECK(contains(refusal({.max_bytes = least - 1, .n_shards = 1}), before));
}

TEST_CASE("a store keeps the layout of sessions that its model had when it was made") {
    auto model = small_models::make<float>({});
    SessionStore<float> store(model);
    const State before(model);
    gru4rec::Hyperparameters p = model.hyperparameters();
    p.set("input", "history");
    model.set_hyperparameters(p);
    State session = before;
    store.update("a", [](State& stored) { stored.add_event(to_item(4)); });
    REQUIRE(store.find("a", session));
    CHECK(session.recent(0) == to_item(4));
    State after(model);
    CHECK_THROWS_AS((void)store.find("a", after), gru4rec::ContractError);
}

TEST_CASE("threads that feed the same sessions lose no event, while others read, erase and expire") {
    constexpr int n_threads = 4;
    constexpr int n_updates = 3000;
    static_assert(!std::is_copy_constructible_v<SessionStore<float>> &&
                  !std::is_copy_assignable_v<SessionStore<float>>);
    static_assert(!std::is_move_constructible_v<SessionStore<float>> &&
                  !std::is_move_assignable_v<SessionStore<float>>);
    SessionStore<float> store(small_model(), {.max_sessions = 4000, .n_shards = 3});
    std::atomic<Index> fed_to_common = 0;
    std::atomic<int> n_torn = 0;
    const auto work = [&](int thread) {
        State session(small_model());
        for (int i = 0; i < n_updates; ++i) {
            store.update("common " + std::to_string(i % 3), [&](State& stored) {
                if (i % 8 == 0) {
                    std::this_thread::yield();  // where one core has all threads, they would hardly ever meet
                }
                stored.add_event(to_item(1));
                for (float& value : stored.values()) {
                    value += 1;
                }
            });
            ++fed_to_common;
            const std::string own = std::to_string(thread) + "/" + std::to_string(i % 500);
            store.update(own, [](State& stored) { stored.add_event(to_item(2)); });
            if (store.find("common " + std::to_string((i + thread) % 3), session)) {
                const float first = session.values()[0];
                const bool whole = first == static_cast<float>(session.n_events()) && session.values()[2] == first;
                n_torn += whole ? 0 : 1;
            }
            if (i % 7 == 0) {
                store.erase(own);
            }
            if (i % 500 == 0) {
                store.expire();
                (void)store.counts();
            }
        }
    };
    std::vector<std::thread> threads;
    for (int thread = 0; thread < n_threads; ++thread) {
        threads.emplace_back(work, thread);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    Index found = 0;
    State session(small_model());
    for (int i = 0; i < 3; ++i) {
        REQUIRE(store.find("common " + std::to_string(i), session));
        CHECK(session.values()[0] == static_cast<float>(session.n_events()));
        found += session.n_events();
    }
    CHECK(found == n_threads * n_updates);
    CHECK(found == fed_to_common);
    CHECK(n_torn == 0);
    const SessionStoreCounts counts = store.counts();
    CHECK(counts.size == counts.created - counts.erased - counts.expired - counts.evicted);
}
