#include "cli/live_sessions.hpp"

#include "support/contains.hpp"
#include "support/small_models.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using cli::Visit;
using cli::VisitKind;
using cli::VisitStatus;
using gru4rec::to_item;
using State = gru4rec::SessionState<float>;

TEST_CASE("visits of a batch are served in their order, each with the session after it") {
    const auto model = small_models::make<float>({});
    gru4rec::SessionStore<float> store(model);
    gru4rec::Recommender<float> recommender(model);
    cli::EmbeddedSessions<float> sessions(store, recommender);
    const std::vector items = {to_item(1), to_item(2), to_item(0)};
    const std::span all(items);
    std::vector<State> states(6, State(model));
    std::vector<Visit<float>> visits = {
        {.kind = VisitKind::read, .id = "a", .session = &states[0]},
        {.kind = VisitKind::feed, .id = "a", .items = all.first(2), .session = &states[1]},
        {.kind = VisitKind::feed, .id = "b", .items = all.last(1), .session = &states[2]},
        {.kind = VisitKind::feed, .id = "a", .items = all.last(1), .session = &states[3]},
        {.kind = VisitKind::read, .id = "a", .session = &states[4]},
        {.kind = VisitKind::erase, .id = "a"},
        {.kind = VisitKind::read, .id = "a", .session = &states[5]},
        {.kind = VisitKind::erase, .id = "a"},
        {.kind = VisitKind::feed, .id = "", .items = all, .session = &states[5]},
        {.kind = VisitKind::read, .id = std::string_view("b"), .session = &states[5]},
    };
    sessions.serve(visits);
    using enum VisitStatus;
    const std::vector expected = {absent, done, done, done, done, done, absent, absent, refused, done};
    for (std::size_t i = 0; i < visits.size(); ++i) {
        CAPTURE(i);
        CHECK(visits[i].status == expected[i]);
    }
    CHECK(contains(visits[8].reason, "session id: its length = 0"));
    CHECK(states[1].n_events() == 2);
    CHECK(states[3].n_events() == 3);
    State by_hand(model);
    for (const auto item : items) {
        recommender.advance(by_hand, item);
    }
    CHECK(std::equal(by_hand.values().begin(), by_hand.values().end(), states[4].values().begin()));
    CHECK(states[5].n_events() == 1);
    CHECK(sessions.figures().n_sessions == 1);
    CHECK(sessions.figures().n_created == 2);
    CHECK(sessions.problem().empty());
}

TEST_CASE("figures are those of the store, sessions that were idle for too long among them") {
    const auto model = small_models::make<float>({});
    double now = 0;
    gru4rec::SessionStore<float> store(model, {.max_idle_seconds = 10, .clock = [&now] { return now; }});
    gru4rec::Recommender<float> recommender(model);
    cli::EmbeddedSessions<float> sessions(store, recommender);
    State state(model);
    std::vector<Visit<float>> visits = {{.kind = VisitKind::feed, .id = "a", .session = &state}};
    sessions.serve(visits);
    now = 11;
    store.expire();
    CHECK(sessions.figures().n_sessions == 0);
    CHECK(sessions.figures().n_expired == 1);
    CHECK(sessions.figures().n_bytes > 0);
    CHECK(sessions.figures().n_evicted == 0);
}
