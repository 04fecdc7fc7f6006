#include "gru4rec/batch/session_parallel.hpp"

#include "support/naive/network.hpp"
#include "support/naive/schedule.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::MiniBatch;
using gru4rec::SessionParallelBatcher;
using Items = std::vector<std::size_t>;
using Lanes = std::vector<Index>;

constexpr Index fresh = MiniBatch::fresh;

/// Sessions in the order given; remembers the epoch it was started for.
class ListedSessions {
  public:
    explicit ListedSessions(const std::vector<naive::Session>& sessions) {
        for (const naive::Session& session : sessions) {
            auto& copy = sessions_.emplace_back();
            for (const std::size_t item : session) {
                copy.push_back(gru4rec::to_item(static_cast<Index>(item)));
            }
        }
    }

    void start_epoch(std::uint64_t number) {
        next_ = 0;
        epoch = number;
    }
    [[nodiscard]] std::span<const ItemIndex> next_session() {
        return next_ < sessions_.size() ? std::span<const ItemIndex>(sessions_[next_++]) : std::span<const ItemIndex>();
    }
    [[nodiscard]] Index n_items() const { return 100; }
    [[nodiscard]] Index n_pairs() const { return 0; }

    std::uint64_t epoch = 99;

  private:
    std::vector<std::vector<ItemIndex>> sessions_;
    std::size_t next_ = 0;
};

/// Event e of session s, both from 1, is item 10 s + e.
std::vector<naive::Session> numbered_sessions(const std::vector<std::size_t>& lengths) {
    std::vector<naive::Session> sessions;
    for (std::size_t s = 1; s <= lengths.size(); ++s) {
        naive::Session& session = sessions.emplace_back();
        for (std::size_t e = 1; e <= lengths[s - 1]; ++e) {
            session.push_back(10 * s + e);
        }
    }
    return sessions;
}

struct Step {
    Items inputs, targets;
    Lanes previous;
};

Items numbers(std::span<const ItemIndex> items) {
    Items result;
    for (const ItemIndex item : items) {
        result.push_back(static_cast<std::size_t>(item));
    }
    return result;
}

std::vector<Step> rest_of_epoch(SessionParallelBatcher<ListedSessions>& batcher) {
    std::vector<Step> steps;
    for (MiniBatch batch = batcher.next(); batch.n_lanes() > 0; batch = batcher.next()) {
        steps.push_back({numbers(batch.inputs.items), numbers(batch.targets),
                         Lanes(batch.previous_lane.begin(), batch.previous_lane.end())});
    }
    return steps;
}

std::vector<Step> all_steps(const std::vector<naive::Session>& sessions, Index batch_size, Index min_lanes) {
    ListedSessions source(sessions);
    SessionParallelBatcher batcher(source, batch_size, min_lanes);
    batcher.start_epoch(0);
    return rest_of_epoch(batcher);
}

}  // namespace

TEST_CASE("three lanes walk through sessions of 4, 3, 6, 3 and 5 events as the worked example says") {
    const auto steps = all_steps(numbered_sessions({4, 3, 6, 3, 5}), 3, 2);
    REQUIRE(steps.size() == 5);
    CHECK(steps[0].inputs == Items{11, 21, 31});
    CHECK(steps[0].targets == Items{12, 22, 32});
    CHECK(steps[0].previous == Lanes{fresh, fresh, fresh});
    CHECK(steps[1].inputs == Items{12, 22, 32});
    CHECK(steps[1].targets == Items{13, 23, 33});
    CHECK(steps[1].previous == Lanes{0, 1, 2});
    // Session 2 is done: session 4 takes its lane, and that lane alone starts from zero.
    CHECK(steps[2].inputs == Items{13, 41, 33});
    CHECK(steps[2].targets == Items{14, 42, 34});
    CHECK(steps[2].previous == Lanes{0, fresh, 2});
    // Session 1 is done: session 5 takes its lane.
    CHECK(steps[3].inputs == Items{51, 42, 34});
    CHECK(steps[3].targets == Items{52, 43, 35});
    CHECK(steps[3].previous == Lanes{fresh, 1, 2});
    // Session 4 is done and none is left: its lane is dropped, the one behind it moves up.
    CHECK(steps[4].inputs == Items{52, 35});
    CHECK(steps[4].targets == Items{53, 36});
    CHECK(steps[4].previous == Lanes{0, 2});
}

TEST_CASE("a single remaining lane continues with samples and ends the epoch without") {
    const auto sessions = numbered_sessions({4, 3, 6, 3, 5});
    const auto with_samples = all_steps(sessions, 3, 1);
    REQUIRE(with_samples.size() == 7);
    CHECK(with_samples[5].inputs == Items{53});
    CHECK(with_samples[5].previous == Lanes{0});
    CHECK(with_samples[6].targets == Items{55});
    CHECK(all_steps(numbered_sessions({3}), 3, 2).empty());
    CHECK(all_steps(numbered_sessions({3}), 3, 1).size() == 2);
}

TEST_CASE("lanes that finish together take new sessions in lane order, and close up when none is left") {
    const auto steps = all_steps(numbered_sessions({2, 2, 4, 2, 3}), 3, 1);
    REQUIRE(steps.size() == 3);
    CHECK(steps[1].inputs == Items{41, 51, 32});
    CHECK(steps[1].previous == Lanes{fresh, fresh, 2});
    CHECK(steps[2].inputs == Items{52, 33});
    CHECK(steps[2].previous == Lanes{1, 2});
}

TEST_CASE("sessions of one event have no pair and take no lane, wherever they occur") {
    const auto steps = all_steps(numbered_sessions({1, 3, 1, 1, 2, 1, 2, 1}), 2, 1);
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].inputs == Items{21, 51});
    CHECK(steps[1].inputs == Items{22, 71});
    CHECK(steps[1].previous == Lanes{0, fresh});
    CHECK(all_steps(numbered_sessions({1, 1, 1}), 2, 1).empty());
}

TEST_CASE("no sessions, fewer sessions than lanes, and a lane per event are handled") {
    CHECK(all_steps({}, 4, 1).empty());
    const auto steps = all_steps(numbered_sessions({3, 2}), 5, 1);
    REQUIRE(steps.size() == 2);
    CHECK(steps[0].inputs == Items{11, 21});
    CHECK(steps[1].inputs == Items{12});
    const auto alone = all_steps(numbered_sessions({2, 3}), 1, 1);
    REQUIRE(alone.size() == 3);
    CHECK(alone[1].inputs == Items{21});
    CHECK(alone[1].previous == Lanes{fresh});
    CHECK(alone[2].previous == Lanes{0});
}

TEST_CASE("every epoch restarts the source with its own number, and all lanes") {
    const auto sessions = numbered_sessions({3, 2, 4});
    ListedSessions source(sessions);
    SessionParallelBatcher batcher(source, 2, 1);
    batcher.start_epoch(0);
    CHECK(source.epoch == 0);
    const auto first = rest_of_epoch(batcher);
    CHECK(batcher.next().n_lanes() == 0);
    batcher.start_epoch(1);
    CHECK(source.epoch == 1);
    static_cast<void>(batcher.next());
    batcher.start_epoch(2);  // broken off before its end
    CHECK(source.epoch == 2);
    const auto third = rest_of_epoch(batcher);
    REQUIRE(third.size() == first.size());
    for (std::size_t k = 0; k < first.size(); ++k) {
        CHECK(third[k].inputs == first[k].inputs);
        CHECK(third[k].previous == first[k].previous);
    }
}

TEST_CASE("on random sessions the steps are those of the naive schedule, and every pair occurs exactly once") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        naive::Engine engine(seed);
        std::vector<std::size_t> lengths(naive::uniform_index(engine, 40));
        for (std::size_t& length : lengths) {
            length = 1 + naive::uniform_index(engine, 9);
        }
        const std::size_t batch_size = 1 + naive::uniform_index(engine, 12);
        const Index min_lanes = batch_size == 1 ? 1 : 1 + static_cast<Index>(naive::uniform_index(engine, 2));
        CAPTURE(seed);
        CAPTURE(lengths.size());
        CAPTURE(batch_size);
        CAPTURE(min_lanes);
        const auto sessions = numbered_sessions(lengths);
        const auto steps = all_steps(sessions, static_cast<Index>(batch_size), min_lanes);
        const auto expected =
            naive::schedule(sessions, naive::file_order(sessions.size()), batch_size, min_lanes == 1 ? 1 : 0);
        REQUIRE(steps.size() == expected.size());
        std::map<std::pair<std::size_t, std::size_t>, int> pairs;
        for (std::size_t k = 0; k < steps.size(); ++k) {
            CHECK(steps[k].inputs == expected[k].inputs);
            CHECK(steps[k].targets == expected[k].targets);
            for (std::size_t m = 0; m < steps[k].inputs.size(); ++m) {
                const Index previous = steps[k].previous[m];
                CHECK(previous == (expected[k].resets[m] ? fresh : static_cast<Index>(expected[k].previous_rows[m])));
                CHECK((previous == fresh || previous >= static_cast<Index>(m)));
                ++pairs[{steps[k].inputs[m], steps[k].targets[m]}];
            }
        }
        std::size_t n_pairs = 0;
        for (const std::size_t length : lengths) {
            n_pairs += length - 1;
        }
        CHECK((min_lanes == 1 ? pairs.size() == n_pairs : pairs.size() <= n_pairs));
        for (const auto& [pair, count] : pairs) {
            CHECK(count == 1);
            CHECK(pair.second == pair.first + 1);
        }
    }
}

TEST_CASE(
    "with a history, lanes feed the last events of their session, weighted by age, and none of the session before") {
    naive::Settings settings;
    settings.input_history = true;
    settings.input_decay = 0.5;
    for (const std::size_t history_max : {std::size_t{1}, std::size_t{3}, std::size_t{20}}) {
        settings.history_max = history_max;
        const auto sessions = numbered_sessions({4, 3, 9, 2, 7, 1, 5});
        const auto expected = naive::schedule(sessions, naive::file_order(sessions.size()), 3, 1);
        ListedSessions source(sessions);
        SessionParallelBatcher batcher(source, 3, 1,
                                       gru4rec::detail::InputHistory(0.5, static_cast<Index>(history_max)));
        batcher.start_epoch(0);
        for (const naive::Step& step : expected) {
            const MiniBatch batch = batcher.next();
            REQUIRE(batch.n_lanes() == static_cast<Index>(step.lanes()));
            REQUIRE(batch.inputs.n_lanes() == batch.n_lanes());
            for (std::size_t m = 0; m < step.lanes(); ++m) {
                const naive::Session& history = step.histories[m];
                const std::vector<double> weights = naive::event_weights(settings, history.size());
                const std::size_t n = std::min(history.size(), history_max);
                const Index begin = batch.inputs.begin(static_cast<Index>(m));
                REQUIRE(batch.inputs.end(static_cast<Index>(m)) - begin == static_cast<Index>(n));
                for (std::size_t i = 0; i < n; ++i) {
                    const std::size_t s = history.size() - n + i;
                    CHECK(batch.inputs.item(begin + static_cast<Index>(i)) ==
                          gru4rec::to_item(static_cast<Index>(history[s])));
                    CHECK(batch.inputs.weight(begin + static_cast<Index>(i)) ==
                          doctest::Approx(weights[s]).epsilon(1e-14));
                }
            }
        }
        CHECK(batcher.next().n_lanes() == 0);
    }
}
