#include "gru4rec/serve/session_store.hpp"

#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::SessionState;
using gru4rec::SessionStore;
using gru4rec::SessionStoreCounts;
using gru4rec::to_item;
using State = SessionState<float>;

/// What a store of one shard does, with the plainest means. Content of a session: its events so far.
class NaiveStore {
  public:
    NaiveStore(std::size_t max_sessions, double max_idle) : max_sessions_(max_sessions), max_idle_(max_idle) {}

    void update(const std::string& id, double now, int item) {
        if (!use(id, now)) {
            for (int i = 0; i < 8 && !by_use_.empty() && expired(by_use_.back(), now); ++i) {
                remove_oldest(now);
            }
            while (sessions_.size() >= max_sessions_) {
                remove_oldest(now);
            }
            sessions_[id].last_use = now;
            by_use_.push_front(id);
            ++counts.created;
        }
        sessions_[id].events.push_back(item);
    }

    [[nodiscard]] const std::vector<int>* find(const std::string& id, double now) {
        return use(id, now) ? &sessions_[id].events : nullptr;
    }

    bool erase(const std::string& id, double now) {
        if (!use(id, now)) {
            return false;
        }
        ++counts.erased;
        remove(id);
        return true;
    }

    Index expire(double now) {
        Index n = 0;
        for (; !by_use_.empty() && expired(by_use_.back(), now); ++n) {
            remove_oldest(now);
        }
        return n;
    }

    [[nodiscard]] const std::list<std::string>& by_use() const noexcept { return by_use_; }

    SessionStoreCounts counts;  // without bytes and size

  private:
    struct Session {
        std::vector<int> events;
        double last_use = 0;
    };

    [[nodiscard]] bool expired(const std::string& id, double now) {
        return now - sessions_.at(id).last_use > max_idle_;
    }
    [[nodiscard]] bool use(const std::string& id, double now) {
        if (!sessions_.contains(id)) {
            return false;
        }
        if (expired(id, now)) {
            ++counts.expired;
            remove(id);
            return false;
        }
        sessions_[id].last_use = now;
        by_use_.remove(id);
        by_use_.push_front(id);
        return true;
    }
    void remove_oldest(double now) {
        ++(expired(by_use_.back(), now) ? counts.expired : counts.evicted);
        remove(std::string(by_use_.back()));
    }
    void remove(const std::string& id) {
        sessions_.erase(id);
        by_use_.remove(id);
    }

    std::size_t max_sessions_;
    double max_idle_;
    std::map<std::string, Session> sessions_;
    std::list<std::string> by_use_;  // the last used first
};

/// A sum over the events, in the order that a state holds them: stands for the hidden states.
void feed(State& session, int item) {
    session.add_event(to_item(item));
    session.values()[0] = session.values()[0] * 0.5F + static_cast<float>(item);
    session.values()[2] = static_cast<float>(session.n_events());
}

void check_same(const State& found, const std::vector<int>& events) {
    float sum = 0;
    for (const int item : events) {
        sum = sum * 0.5F + static_cast<float>(item);
    }
    REQUIRE(found.n_events() == static_cast<Index>(events.size()));
    REQUIRE(found.values()[0] == sum);
    REQUIRE(found.values()[2] == static_cast<float>(events.size()));
    for (std::size_t age = 0; age < (std::min)(events.size(), std::size_t{3}); ++age) {
        REQUIRE(found.recent(static_cast<Index>(age)) == to_item(events[events.size() - 1 - age]));
    }
}

void check_same_counts(const SessionStoreCounts& counts, const NaiveStore& twin) {
    REQUIRE(counts.size == static_cast<Index>(twin.by_use().size()));
    REQUIRE(counts.created == twin.counts.created);
    REQUIRE(counts.expired == twin.counts.expired);
    REQUIRE(counts.evicted == twin.counts.evicted);
    REQUIRE(counts.erased == twin.counts.erased);
}

struct Shape {
    int n_ids;
    Index max_sessions;
    double max_idle;
    std::size_t longest_id;
};

void compare_with_twin(const Shape& shape, unsigned seed) {
    CAPTURE(shape.n_ids);
    CAPTURE(shape.max_sessions);
    CAPTURE(seed);
    const auto model = small_models::make<float>({{"input", "history"}, {"history_max", "3"}});
    double now = 0;
    SessionStore<float> store(model, {.max_sessions = shape.max_sessions,
                                      .max_idle_seconds = shape.max_idle,
                                      .n_shards = 1,
                                      .hash_seed = seed,
                                      .clock = [&now] { return now; }});
    NaiveStore twin(static_cast<std::size_t>(shape.max_sessions), shape.max_idle);
    std::mt19937 random(seed);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    State found(model);
    for (int step = 0; step < 4000; ++step) {
        const int number = (std::min)(below(shape.n_ids), below(shape.n_ids));  // some come often
        const std::string id =
            std::string(static_cast<std::size_t>(number) % shape.longest_id, 'v') + std::to_string(number);
        const int item = below(5);
        now += below(3) == 0 ? below(4) : 0;
        switch (below(12)) {
            case 0: REQUIRE(store.erase(id) == twin.erase(id, now)); break;
            case 1:
            case 2:
                if (const std::vector<int>* const events = twin.find(id, now)) {
                    REQUIRE(store.find(id, found));
                    check_same(found, *events);
                } else {
                    REQUIRE_FALSE(store.find(id, found));
                }
                break;
            case 3:
                if (below(20) == 0) {
                    now += below(3) * shape.max_idle * 0.4;
                    REQUIRE(store.expire() == twin.expire(now));
                }
                break;
            default: store.update(id, [&](State& session) { feed(session, item); }); twin.update(id, now, item);
        }
        check_same_counts(store.counts(), twin);
    }
    const std::list<std::string> ids = twin.by_use();
    for (const std::string& id : ids) {
        const std::vector<int>* const events = twin.find(id, now);
        REQUIRE(store.find(id, found) == (events != nullptr));
        if (events != nullptr) {
            check_same(found, *events);
        }
    }
    check_same_counts(store.counts(), twin);
}

}  // namespace

TEST_CASE("a store does what a map and a list do: random updates, reads, removals, expiries and limits") {
    for (unsigned seed = 1; seed <= 3; ++seed) {
        compare_with_twin({30, 1, 50, 3}, seed);
        compare_with_twin({60, 20, 40, 250}, seed);
        compare_with_twin({300, 64, 1000, 60}, seed);
        compare_with_twin({300, 1000, 300, 60}, seed);
        compare_with_twin({2000, 700, 1e9, 20}, seed);
    }
}

TEST_CASE("where bytes are short, the sessions that are left are the ones used last, with all their events") {
    const auto model = small_models::make<float>({{"input", "history"}, {"history_max", "3"}});
    for (unsigned seed = 1; seed <= 5; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const Index max_bytes = 1500 + static_cast<Index>(random() % 40000);
        SessionStore<float> store(model, {.max_bytes = max_bytes, .n_shards = 1, .hash_seed = seed});
        std::map<std::string, std::vector<int>> events;  // of the sessions that are there
        std::list<std::string> by_use;
        State found(model);
        for (int step = 0; step < 4000; ++step) {
            const auto number = static_cast<std::size_t>(random() % 500);
            const std::string id = std::string(number * 7 % 240, 'v') + std::to_string(number);
            const int item = static_cast<int>(random() % 5);
            by_use.remove(id);
            by_use.push_front(id);
            events[id].push_back(item);
            store.update(id, [&](State& session) { feed(session, item); });
            const SessionStoreCounts counts = store.counts();
            REQUIRE(counts.bytes <= max_bytes);
            REQUIRE(counts.size >= 1);
            while (static_cast<Index>(by_use.size()) > counts.size) {
                events.erase(by_use.back());
                by_use.pop_back();
            }
            REQUIRE(counts.size == static_cast<Index>(by_use.size()));
        }
        CHECK(store.counts().evicted > 100);
        const std::list<std::string> ids = by_use;
        for (const std::string& id : ids) {
            REQUIRE(store.find(id, found));
            check_same(found, events.at(id));
        }
    }
}
