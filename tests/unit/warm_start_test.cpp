#include "gru4rec/baselines/popularity.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/eval/schedule.hpp"

#include "support/naive/evaluation.hpp"
#include "support/random_sessions.hpp"
#include "support/random_weights.hpp"
#include "support/small_models.hpp"
#include "support/twin_of_model.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::EvaluationOptions;
using gru4rec::Index;
using gru4rec::ItemMap;
using gru4rec::KeepSessionIds;
using Sessions = std::map<std::string, naive::Session>;

constexpr std::size_t n_items = 9;

ItemMap catalogue() {
    ItemMap items;
    for (std::size_t i = 0; i < n_items; ++i) {
        items.insert(std::to_string(i));
    }
    return items;
}

Dataset data_of(const Sessions& sessions, const ItemMap& items, KeepSessionIds keep = KeepSessionIds::yes) {
    std::vector<std::string> ids, names;
    std::vector<int> times;
    for (const auto& [id, session] : sessions) {
        for (const std::size_t item : session) {
            ids.push_back(id);
            names.push_back(std::to_string(item));
            times.push_back(static_cast<int>(times.size()));
        }
    }
    return gru4rec::make_dataset(ids, names, times, {.keep_session_ids = keep, .known_items = &items});
}

/// Many sessions under ids of both kinds; of the history some are not in the test, and the other way round.
struct Case {
    Case() {
        const auto make = [](std::size_t n, std::uint64_t seed, std::size_t first) {
            Sessions sessions;
            const auto random = uniform_sessions(n, n_items, seed);
            for (std::size_t s = 0; s < n; ++s) {
                sessions[(s % 2 == 0 ? "visitor " : "") + std::to_string(first + s)] = random[s];
            }
            return sessions;
        };
        test = make(300, 1, 0);
        history = make(200, 2, 200);
        history["visitor 200"].push_back(77);  // unknown
    }

    /// Naively: each session is fed whole, and what comes after the session's own first event is measured.
    [[nodiscard]] std::vector<naive::Ranks> ranks(const naive::Network& network) const {
        std::vector<naive::Ranks> result;
        for (const auto& [id, session] : test) {
            naive::Session whole = earlier(id);
            const std::size_t n_earlier = whole.size();
            whole.insert(whole.end(), session.begin(), session.end());
            const auto of_whole = naive::rank_sessions(network, {whole});
            for (std::size_t e = n_earlier + 1; e < whole.size(); ++e) {
                result.push_back(of_whole[e - 1]);
            }
        }
        return result;
    }

    [[nodiscard]] naive::Session earlier(const std::string& id) const {
        naive::Session events = history.contains(id) ? history.at(id) : naive::Session{};
        std::erase(events, std::size_t{77});
        return events;
    }

    Sessions test, history;
};

}  // namespace

TEST_CASE("earlier events are fed and not scored: as in a naive evaluation") {
    const Case sessions;
    const ItemMap items = catalogue();
    const Dataset test = data_of(sessions.test, items);
    const Dataset history = data_of(sessions.history, items);
    for (const small_models::Settings& settings :
         std::vector<small_models::Settings>{{{"layers", "4"}},
                                             {{"layers", "3/4"}, {"input", "history"}, {"history_max", "4"}},
                                             {{"constrained_embedding", "0"}, {"gru_variant", "reset_after"}}}) {
        gru4rec::Model<double> model(small_models::parameters(settings), items, std::vector<std::int64_t>(n_items, 1));
        randomise_weights(model, 3);
        const EvaluationOptions options{.cutoffs = {1, 3}, .coverage = true, .ranks = true};
        const auto warm = evaluate(model, test, options, {.history = &history});
        const auto cold = evaluate(model, test, options);
        const auto expected = sessions.ranks(twin_of(model));

        CHECK(warm.n_predictions == cold.n_predictions);
        CHECK(warm.coverage != std::vector<double>{});
        CHECK(warm.metrics[0].mrr != cold.metrics[0].mrr);
        REQUIRE(warm.ranks.size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CAPTURE(i);
            CHECK(warm.ranks[i].rank.rank(gru4rec::Ties::conservative) == expected[i].conservative);
            CHECK(warm.ranks[i].session == cold.ranks[i].session);
            CHECK(warm.ranks[i].position == cold.ranks[i].position);
            CHECK(warm.ranks[i].item == cold.ranks[i].item);
        }
        const auto measured = naive::measure(expected, &naive::Ranks::conservative, 3);
        CHECK(warm.recall_at(3) == doctest::Approx(measured.recall));
        CHECK(warm.mrr_at(3) == doctest::Approx(measured.mrr));
        Index n_warm = 0;
        Index n_events = 0;
        for (const auto& [id, session] : sessions.test) {
            const auto earlier = session.size() > 1 ? sessions.earlier(id) : naive::Session{};
            n_warm += earlier.empty() ? 0 : 1;
            n_events += static_cast<Index>(earlier.size());
        }
        CHECK(warm.n_warm_sessions == n_warm);
        CHECK(warm.n_history_events == n_events);
        CHECK(cold.n_warm_sessions == 0);
    }
}

TEST_CASE("a history of sessions that the test has none of changes nothing") {
    const ItemMap items = catalogue();
    const Dataset test = data_of({{"1", {0, 1, 2}}, {"2", {3, 4}}}, items);
    const Dataset history = data_of({{"01", {5, 6, 7}}, {"x", {0}}}, items);
    gru4rec::Model<float> model(small_models::parameters({}), items, std::vector<std::int64_t>(n_items, 1));
    const auto cold = evaluate(model, test);
    const auto warm = evaluate(model, test, {}, {.history = &history});
    CHECK(warm.metrics[0].mrr == cold.metrics[0].mrr);
    CHECK(warm.n_warm_sessions == 0);
}

TEST_CASE("a scorer observes earlier events, too") {
    const ItemMap items = catalogue();
    const Dataset train = data_of({{"a", {0, 1, 2, 3, 4, 5, 6, 7, 8}}}, items);
    const Dataset test = data_of({{"1", {5, 6}}, {"2", {5, 6}}}, items);
    const Dataset history = data_of({{"2", {6, 6}}}, items);
    const gru4rec::SessionPopularity scorer(train);
    const EvaluationOptions options{.cutoffs = {1}, .ranks = true};
    CHECK(evaluate(scorer, test, options).recall_at(1) == 0);
    const auto warm = evaluate(scorer, test, options, {.history = &history});
    CHECK(warm.recall_at(1) == 0.5);
    CHECK(warm.n_predictions == 2);
    CHECK(warm.n_history_events == 2);
}

TEST_CASE("a history must name its sessions and count the items as the test data do") {
    const ItemMap items = catalogue();
    const Sessions sessions = {{"1", {0, 1, 2}}};
    const Dataset test = data_of(sessions, items);
    const Dataset nameless = data_of(sessions, items, KeepSessionIds::no);
    gru4rec::Model<float> model(small_models::parameters({}), items, std::vector<std::int64_t>(n_items, 1));
    CHECK_THROWS_AS((void)evaluate(model, nameless, {}, {.history = &test}), std::invalid_argument);
    CHECK_THROWS_AS((void)evaluate(model, test, {}, {.history = &nameless}), std::invalid_argument);
    const Dataset other = gru4rec::make_dataset(std::vector<int>{1}, std::vector<int>{1}, std::vector<int>{1},
                                                {.keep_session_ids = KeepSessionIds::yes});
    CHECK_THROWS_AS((void)evaluate(model, test, {}, {.history = &other}), std::invalid_argument);
}

TEST_CASE("a history that holds the test data is refused, one session that comes again is not") {
    const ItemMap items = catalogue();
    const Dataset test = data_of({{"1", {0, 1, 2}}, {"2", {3, 4}}, {"3", {5}}}, items);
    const Dataset all = data_of({{"1", {7, 0, 1, 2}}, {"2", {3, 4}}, {"3", {6, 5}}}, items);
    const Dataset repeated = data_of({{"1", {7, 0, 1, 2}}, {"2", {4, 3}}}, items);
    const gru4rec::Model<float> model(small_models::parameters({}), items, std::vector<std::int64_t>(n_items, 1));
    for (const Dataset* const history : {&test, &all}) {
        CHECK_THROWS_WITH_AS((void)evaluate(model, test, {}, {.history = history}),
                             doctest::Contains("not the test data themselves"), std::invalid_argument);
    }
    CHECK(evaluate(model, test, {}, {.history = &repeated}).n_warm_sessions == 2);
}
