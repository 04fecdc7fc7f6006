#include "gru4rec/serve/recommender.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/model/passes.hpp"
#include "support/equal_values.hpp"
#include "support/naive/evaluation.hpp"
#include "support/random_weights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::ItemMap;
using gru4rec::Model;
using gru4rec::QuantizedTable;
using gru4rec::Recommendation;
using gru4rec::Recommender;
using gru4rec::SessionState;
using gru4rec::to_item;
using Entries = std::vector<std::pair<std::string, std::string>>;
using Numbers = std::vector<int>;

template <class Scalar>
Model<Scalar> model_of(const Entries& settings, std::size_t n_items, std::uint64_t seed = 3) {
    Hyperparameters p;
    p.layers = {4};
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    ItemMap items;
    std::vector<std::int64_t> supports;
    for (std::size_t i = 0; i < n_items; ++i) {
        items.insert(std::to_string(i));
        supports.push_back(static_cast<std::int64_t>((i * 7) % 5));
    }
    Model<Scalar> model(p, items, supports);
    randomise_weights(model, seed);
    return model;
}

template <class Scalar>
void set_biases(Model<Scalar>& model, const std::vector<Scalar>& biases) {
    model.item_vectors().setZero();
    std::copy(biases.begin(), biases.end(), model.item_biases().begin());
}

template <class Scalar>
Numbers items(std::span<const Recommendation<Scalar>> recommendations) {
    Numbers result;
    for (const auto& entry : recommendations) {
        result.push_back(static_cast<int>(entry.item));
    }
    return result;
}

}  // namespace

TEST_CASE("after every event all items are ranked by the naive twin's scores") {
    for (const Entries& settings :
         {Entries{{"layers", "9"}, {"logq", "1"}}, Entries{{"layers", "5/3"}, {"constrained_embedding", "0"}},
          Entries{{"layers", "7"}, {"constrained_embedding", "0"}, {"embedding", "4"}, {"dropout_p_hidden", "0.5"}},
          Entries{{"layers", "6/8"}, {"gru_variant", "reset_after"}},
          Entries{{"layers", "9"}, {"input", "history"}, {"input_decay", "0.5"}, {"history_max", "3"}},
          Entries{{"layers", "5/19/3"}, {"input", "history"}, {"deep_input", "1"}},
          Entries{{"layers", "5/19"}, {"embedding", "4"}, {"constrained_embedding", "0"}, {"deep_input", "1"}},
          Entries{{"layers", "5/19/3"}, {"constrained_embedding", "0"}, {"deep_input", "1"}, {"input", "history"}},
          Entries{{"layers", "19/6"},
                  {"constrained_embedding", "0"},
                  {"deep_input", "1"},
                  {"gru_variant", "reset_after"},
                  {"input", "history"}}}) {
        constexpr std::size_t n_items = 230;
        const auto model = model_of<double>(settings, n_items);
        naive::Network twin{naive::settings_from_text(model.hyperparameters().entries()), n_items, {}};
        twin.weights = twin.zeros();
        for (const auto& view : model.tensors()) {
            auto& matrix = twin.weights.at(view.name);
            for (std::size_t i = 0; i < matrix.values.size(); ++i) {
                matrix.values[i] = view(static_cast<Index>(i) / view.cols, static_cast<Index>(i) % view.cols);
            }
        }
        const naive::Session session = {3, 3, 229, 0, 77};
        const naive::Matrix scores = naive::scores_along(twin, session);
        Recommender<double> recommender(model);
        SessionState<double> state(model);
        for (std::size_t e = 0; e < session.size(); ++e) {
            recommender.advance(state, to_item(static_cast<Index>(session[e])));
            CHECK(state.n_events() == static_cast<Index>(e) + 1);
            const auto all = recommender.recommend(state, 1000);  // more than there are
            REQUIRE(all.size() == n_items);
            std::vector<bool> seen(n_items, false);
            for (std::size_t i = 0; i < n_items; ++i) {
                const auto item = static_cast<std::size_t>(all[i].item);
                seen[item] = true;
                CHECK(std::abs(all[i].score - scores(e, item)) < 1e-12);
                CHECK((i == 0 || all[i - 1].score >= all[i].score));
            }
            CHECK(std::find(seen.begin(), seen.end(), false) == seen.end());
            // The first of them are what a shorter list holds; items of the session stay in.
            const std::vector<Recommendation<double>> copy(all.begin(), all.end());
            const auto few = recommender.recommend(state, 20);
            CHECK(std::equal(few.begin(), few.end(), copy.begin(), copy.begin() + 20));
            CHECK(recommender.recommend(state, 0).empty());
        }
    }
}

TEST_CASE("equal scores are ordered by item, and NaN comes last, across the blocks that are scored") {
    const std::size_t n_items = 400;
    auto model = model_of<float>({}, n_items);
    std::vector<float> biases(n_items, 0.5F);
    biases[0] = std::numeric_limits<float>::quiet_NaN();
    biases[150] = std::numeric_limits<float>::quiet_NaN();
    biases[399] = 2;
    biases[7] = -1;
    set_biases(model, biases);
    Recommender<float> recommender(model);
    SessionState<float> state(model);
    recommender.advance(state, to_item(5));
    CHECK(items(recommender.recommend(state, 6)) == Numbers{399, 1, 2, 3, 4, 5});
    const Numbers all = items(recommender.recommend(state, 400));
    CHECK(Numbers(all.end() - 3, all.end()) == Numbers{7, 0, 150});
}

TEST_CASE("a session without events gets the most frequent items, scored by their support") {
    const auto model = model_of<float>({}, 12);  // supports 0 2 4 1 3 0 2 4 1 3 0 2
    Recommender<float> recommender(model);
    SessionState<float> state(model);
    const auto top = recommender.recommend(state, 5);
    CHECK(items(top) == Numbers{2, 7, 4, 9, 1});
    CHECK(top[0].score == 4);
    recommender.advance(state, to_item(0));
    const Numbers after = items(recommender.recommend(state, 12));
    state.reset();
    CHECK(items(recommender.recommend(state, 5)) == Numbers{2, 7, 4, 9, 1});
    recommender.advance(state, to_item(0));
    CHECK(items(recommender.recommend(state, 12)) == after);
}

TEST_CASE("a session that was reset has forgotten its history, and copies are independent") {
    const auto model = model_of<double>({{"layers", "6"}, {"input", "history"}, {"history_max", "3"}}, 30);
    Recommender<double> recommender(model);
    SessionState<double> used(model), fresh(model);
    for (const int event : {4, 9, 17, 2, 8}) {
        recommender.advance(used, to_item(event));
    }
    SessionState<double> copy = used;
    recommender.advance(copy, to_item(1));
    recommender.advance(used, to_item(1));
    CHECK(equal_values(copy.values(), used.values()));
    used.reset();
    for (const int event : {5, 6, 7, 5, 20}) {
        recommender.advance(used, to_item(event));
        recommender.advance(fresh, to_item(event));
        CHECK(equal_values(used.values(), fresh.values()));
    }
}

TEST_CASE("visitors who take turns do not affect each other, on one recommender or on two") {
    const auto model = model_of<double>({{"layers", "6/5"}}, 30);
    Recommender<double> shared(model), own(model);
    SessionState<double> a(model), b(model), alone(model);
    for (const int event : {4, 9, 9, 17}) {
        shared.advance(a, to_item(event));
        shared.advance(b, to_item(29 - event));
        static_cast<void>(shared.recommend(b, 3));
        own.advance(alone, to_item(event));
    }
    CHECK(std::equal(a.values().begin(), a.values().end(), alone.values().begin()));
    CHECK(!std::equal(b.values().begin(), b.values().end(), alone.values().begin()));
    const auto of_a = shared.recommend(a, 30);
    const auto of_alone = own.recommend(alone, 30);
    CHECK(std::equal(of_a.begin(), of_a.end(), of_alone.begin()));
    // Asking for recommendations in between does not change the state.
    SessionState<double> fed(model);
    for (const int event : {4, 9, 9, 17}) {
        own.advance(fed, to_item(event));
    }
    CHECK(std::equal(fed.values().begin(), fed.values().end(), a.values().begin()));
}

namespace {

/// Both cells, all inputs, one layer and several, every activation.
const std::vector<Entries> networks = {
    {{"layers", "9"}},
    {{"layers", "33/20/17"}, {"hidden_act", "leaky-0.1"}},
    {{"layers", "5/19"}, {"constrained_embedding", "0"}},
    {{"layers", "19/5"}, {"constrained_embedding", "0"}, {"gru_variant", "reset_after"}},
    {{"layers", "7"}, {"constrained_embedding", "0"}, {"embedding", "40"}, {"hidden_act", "elu-1"}},
    {{"layers", "16/8"}, {"gru_variant", "reset_after"}},
    {{"layers", "18"}, {"constrained_embedding", "0"}, {"embedding", "3"}, {"gru_variant", "reset_after"}},
    {{"layers", "33/20/17"}, {"deep_input", "1"}},
    {{"layers", "5/19"}, {"constrained_embedding", "0"}, {"deep_input", "1"}}};

/// Sessions that were fed 0 to 5 events, all of them together.
template <class Scalar>
std::vector<SessionState<Scalar>> fed_together(const Model<Scalar>& model, Recommender<Scalar>& recommender, int n) {
    std::vector<SessionState<Scalar>> sessions(static_cast<std::size_t>(n), SessionState<Scalar>(model));
    for (int event = 0; event < 5; ++event) {
        std::vector<SessionState<Scalar>*> live;
        std::vector<gru4rec::ItemIndex> items;
        for (int s = 0; s < n; ++s) {
            if (event < s % 6) {
                live.push_back(&sessions[static_cast<std::size_t>(s)]);
                items.push_back(to_item((s * 5 + event * 3) % model.n_items()));
            }
        }
        recommender.advance_many(live, items);
    }
    return sessions;
}

}  // namespace

TEST_CASE("states equal those of the training's forward pass, up to rounding") {
    for (const Entries& settings : networks) {
        CAPTURE(settings[0].second);
        const auto model = model_of<float>(settings, 40);
        Recommender<float> recommender(model);
        SessionState<float> state(model);
        gru4rec::detail::NetworkTape<float> tape(model.network(), 1);
        for (const int event : {3, 3, 39, 0, 17, 8}) {
            recommender.advance(state, to_item(event));
            const std::vector<Index> same_lane = {0};
            tape.enter_step(same_lane);
            const std::vector<gru4rec::ItemIndex> inputs = {to_item(event)};
            gru4rec::detail::forward(model.network(), inputs, gru4rec::detail::DropoutStep{}, tape);
            auto value = state.values().begin();
            for (auto& layer : tape.layers()) {
                for (Index k = 0; k < layer.units(); ++k) {
                    const float wanted = layer.out().column(k)[0];
                    CHECK(std::abs(*value++ - wanted) <= 1e-4F * (1 + std::abs(wanted)));
                }
            }
            CHECK(value == state.values().end());
        }
    }
}

TEST_CASE("many sessions at once get the same bits as one by one, with any number of threads") {
    for (const Entries& settings : networks) {
        CAPTURE(settings[0].second);
        const auto model = model_of<float>(settings, 301);
        const QuantizedTable<float> table(model);
        Recommender<float> alone(model), together(model), quantized(table);
        const auto wanted = fed_together(model, together, 53);
        std::vector<const SessionState<float>*> sessions;
        for (int s = 0; s < 53; ++s) {
            SessionState<float> state(model);
            for (int event = 0; event < s % 6 && event < 5; ++event) {
                alone.advance(state, to_item((s * 5 + event * 3) % model.n_items()));
            }
            sessions.push_back(&wanted[static_cast<std::size_t>(s)]);
            CHECK(equal_values(state.values(), sessions.back()->values()));
            CHECK(state.n_events() == sessions.back()->n_events());
        }
        for (const int threads : {1, 2}) {
            gru4rec::with_threads(threads, [&] {
                const auto fed = fed_together(model, together, 53);
                const auto lists = together.recommend_many(sessions, 20);
                const auto by_table = quantized.recommend_many(sessions, 20);
                REQUIRE(lists.size() == 53);
                for (std::size_t s = 0; s < 53; ++s) {
                    CHECK(equal_values(fed[s].values(), wanted[s].values()));
                    CHECK(equal_values(lists[s], alone.recommend(*sessions[s], 20)));
                    CHECK(equal_values(by_table[s], lists[s]));
                    CHECK(equal_values(quantized.recommend(*sessions[s], 20), lists[s]));
                }
            });
        }
        CHECK(together.recommend_many({}, 20).empty());
        CHECK(together.recommend_many(sessions, 1000)[1].size() == 301);
    }
}

namespace {

/// Live sessions of 0 .. n - 1 events, and what each of them gets when served by itself.
struct Served {
    Served(const Model<float>& model, int n) : sessions(static_cast<std::size_t>(n), SessionState(model)) {
        Recommender recommender(model);
        for (int s = 0; s < n; ++s) {
            SessionState<float>& session = sessions[static_cast<std::size_t>(s)];
            for (int event = 0; event < s; ++event) {
                recommender.advance(session, to_item((s * 5 + event * 3) % model.n_items()));
            }
            const auto list = recommender.recommend(session, 7);
            lists.emplace_back(list.begin(), list.end());
        }
    }

    [[nodiscard]] bool equals(std::span<const Recommender<float>::List> others) const {
        return std::equal(lists.begin(), lists.end(), others.begin(), others.end(),
                          [](const auto& a, const auto& b) { return equal_values(a, b); });
    }

    std::vector<SessionState<float>> sessions;
    std::vector<std::vector<Recommendation<float>>> lists;
};

bool equal_states(const std::vector<SessionState<float>>& a, const std::vector<SessionState<float>>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return equal_values(x.values(), y.values()); });
}

}  // namespace

TEST_CASE("many sessions are an array of sessions or an array of pointers to them") {
    const auto model = model_of<float>({{"layers", "9"}}, 90);
    Recommender recommender(model);
    Served served(model, 40);
    const std::vector<SessionState<float>>& sessions = served.sessions;
    CHECK(served.equals(recommender.recommend_many(sessions, 7)));
    CHECK(served.equals(recommender.recommend_many(served.sessions, 7)));
    CHECK(served.equals(recommender.recommend_many(std::span(sessions), 7)));
    CHECK(served.equals(recommender.recommend_many(std::vector(sessions), 7)));
    std::vector<const SessionState<float>*> readable;
    std::vector<SessionState<float>*> writable;
    for (SessionState<float>& session : served.sessions) {
        readable.push_back(&session);
        writable.push_back(&session);
    }
    CHECK(served.equals(recommender.recommend_many(readable, 7)));
    CHECK(served.equals(recommender.recommend_many(writable, 7)));
    CHECK(served.equals(recommender.recommend_many(std::span(readable), 7)));

    std::vector<ItemIndex> items;
    for (Index s = 0; s < 40; ++s) {
        items.push_back(to_item(s));
    }
    std::vector<SessionState<float>> one_by_one = sessions;
    for (std::size_t s = 0; s < 40; ++s) {
        recommender.advance(one_by_one[s], items[s]);
    }
    std::vector<SessionState<float>> together = sessions;
    recommender.advance_many(together, items);
    CHECK(equal_states(together, one_by_one));
    std::vector<SessionState<float>> halves = sessions;
    recommender.advance_many(std::span(halves).first(20), std::span(items).first(20));
    recommender.advance_many(std::span(halves).last(20), std::span(items).last(20));
    CHECK(equal_states(halves, one_by_one));
    recommender.advance_many(writable, items);
    CHECK(equal_states(served.sessions, one_by_one));
    // Sessions that may only be read cannot be advanced.
    static_assert(!std::is_convertible_v<decltype(sessions), Recommender<float>::Sessions>);
    static_assert(!std::is_convertible_v<decltype(readable), Recommender<float>::Sessions>);
}

TEST_CASE("the scores of all items are those in the lists, to the bit") {
    for (const Entries& settings : networks) {
        CAPTURE(settings[0].second);
        const auto model = model_of<float>(settings, 301);
        const QuantizedTable table(model);
        Recommender exact(model), quantized(table);
        SessionState visitor(model);
        std::vector<float> scores(301);
        for (const int event : {-1, 3, 300, 0}) {
            if (event >= 0) {
                exact.advance(visitor, to_item(event));
            }
            for (Recommender<float>* recommender : {&exact, &quantized}) {
                std::fill(scores.begin(), scores.end(), -1e9F);
                recommender->scores(visitor, scores);
                for (const auto& [item, score] : recommender->recommend(visitor, 301)) {
                    CHECK(gru4rec::detail::at(scores, gru4rec::to_index(item)) == score);
                }
            }
        }
    }
}

TEST_CASE("sessions of another model, unknown items and negative lengths are refused, and nothing has changed") {
    const auto model = model_of<float>({{"layers", "6/5"}}, 30);
    const auto wider = model_of<float>({{"layers", "5/6"}}, 30);
    const auto larger = model_of<float>({{"layers", "6/5"}}, 31);
    const auto longer = model_of<float>({{"layers", "6/5"}, {"input", "history"}}, 30);
    Recommender recommender(model);
    const auto other_model = doctest::Contains("another model");
    for (const Model<float>* other : {&wider, &larger, &longer}) {
        SessionState foreign(*other);
        CHECK_FALSE(foreign.fits(model));
        CHECK_THROWS_WITH_AS(recommender.advance(foreign, to_item(0)), other_model, gru4rec::ContractError);
        CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend(foreign, 3)), other_model, gru4rec::ContractError);
        std::vector<float> scores(30);
        CHECK_THROWS_WITH_AS(recommender.scores(foreign, scores), other_model, gru4rec::ContractError);
        CHECK(foreign.n_events() == 0);
    }
    // A copy of the model, and a session copied from one of its own, fit.
    const Model<float> copy = model;
    CHECK(SessionState(copy).fits(model));

    SessionState visitor(model);
    CHECK_THROWS_WITH_AS(recommender.advance(visitor, to_item(30)), doctest::Contains("item = 30"),
                         gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(recommender.advance(visitor, ItemIndex{-1}), doctest::Contains("0 <= item < 30"),
                         gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend(visitor, -1)), doctest::Contains("n = -1"),
                         gru4rec::ContractError);
    std::vector<float> scores(29);
    CHECK_THROWS_WITH_AS(recommender.scores(visitor, scores), doctest::Contains("29 scores; the model has 30 items"),
                         gru4rec::ContractError);
    CHECK(visitor.n_events() == 0);

    std::vector<SessionState<float>> visitors(20, visitor);
    std::vector<ItemIndex> items(20, to_item(3));
    CHECK_THROWS_WITH_AS(recommender.advance_many(visitors, std::span(items).first(19)),
                         doctest::Contains("20 sessions and 19 items"), gru4rec::ContractError);
    items[18] = to_item(30);
    CHECK_THROWS_WITH_AS(recommender.advance_many(visitors, items), doctest::Contains("items[18] = 30"),
                         gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend_many(visitors, -1)), doctest::Contains("n = -1"),
                         gru4rec::ContractError);
    items[18] = to_item(3);
    visitors[19] = SessionState(wider);
    const auto which = doctest::Contains("request 19: the session was made for another model");
    CHECK_THROWS_WITH_AS(recommender.advance_many(visitors, items), which, gru4rec::ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend_many(visitors, 5)), which, gru4rec::ContractError);
    CHECK(std::all_of(visitors.begin(), visitors.end(), [](const auto& session) { return session.n_events() == 0; }));
    CHECK(recommender.recommend_many(std::span(visitors).first(19), 5).size() == 19);
}

TEST_CASE("a session is fed by item ids: unknown ones are skipped and counted, or an error that changes nothing") {
    using gru4rec::FedItems;
    using gru4rec::UnknownItems;
    const auto model = model_of<float>({{"layers", "6/5"}}, 30);
    Recommender recommender(model);
    SessionState wanted(model);
    for (const int item : {3, 29, 3}) {
        recommender.advance(wanted, to_item(item));
    }
    const std::vector<std::string_view> known = {"3", "29", "3"};
    const std::vector<std::string_view> some = {"3", "30", "29", "", "3"};
    const std::vector<std::string_view> none = {"x", "03"};
    const auto equals = [](const FedItems& fed, Index n_fed, Index n_unknown, std::optional<std::size_t> first) {
        return fed.n_fed == n_fed && fed.n_unknown == n_unknown && fed.first_unknown == first;
    };
    SessionState session(model);
    CHECK(equals(recommender.feed(session, known), 3, 0, {}));
    CHECK(equal_values(session.values(), wanted.values()));
    CHECK(equals(recommender.feed(session, {}), 0, 0, {}));
    CHECK(equals(recommender.feed(session, none), 0, 2, 0));
    CHECK(session.n_events() == 3);
    session.reset();
    CHECK(equals(recommender.feed(session, some, UnknownItems::skip), 3, 2, 1));
    CHECK(equal_values(session.values(), wanted.values()));
    CHECK(session.n_events() == 3);

    CHECK_THROWS_WITH_AS(recommender.feed(session, some, UnknownItems::error),
                         "gru4rec: ids[1] = \"30\" is none of the 30 items that the model knows; nothing was fed. "
                         "UnknownItems::skip leaves it out",
                         gru4rec::ConfigError);
    CHECK(session.n_events() == 3);
    CHECK(equal_values(session.values(), wanted.values()));
    session.reset();
    CHECK(equals(recommender.feed(session, known, UnknownItems::error), 3, 0, {}));
    CHECK(equal_values(session.values(), wanted.values()));
    SessionState foreign(model_of<float>({{"layers", "5/6"}}, 30));
    CHECK_THROWS_WITH_AS(recommender.feed(foreign, known), doctest::Contains("another model"), gru4rec::ContractError);
}

TEST_CASE("a recommender serves the sessions that were made before the model's history was changed, and no others") {
    auto model = model_of<float>({{"input", "history"}, {"history_max", "3"}}, 30);
    const auto unchanged = model;
    Recommender recommender(model);
    Recommender expected(unchanged);
    SessionState<float> before(model);
    SessionState<float> twin(unchanged);
    Hyperparameters p = model.hyperparameters();
    p.input = gru4rec::InputContent::last;
    model.set_hyperparameters(p);
    for (const Index item : {3, 1, 4}) {
        recommender.advance(before, to_item(item));
        expected.advance(twin, to_item(item));
    }
    CHECK(std::equal(before.values().begin(), before.values().end(), twin.values().begin()));
    // It remembers one item, of which the recommender would make three.
    SessionState<float> after(model);
    CHECK_THROWS_WITH_AS(recommender.advance(after, to_item(0)), doctest::Contains("another model"),
                         gru4rec::ContractError);
    CHECK_NOTHROW(Recommender(std::as_const(model)).advance(after, to_item(0)));
}

TEST_CASE("what keeps a reference refuses temporaries, and scalar types are deduced") {
    static_assert(std::is_constructible_v<Recommender<float>, Model<float>&>);
    static_assert(std::is_constructible_v<Recommender<float>, const Model<float>&>);
    static_assert(!std::is_constructible_v<Recommender<float>, Model<float>>);
    static_assert(!std::is_constructible_v<Recommender<float>, const Model<float>>);
    static_assert(std::is_constructible_v<QuantizedTable<float>, const Model<float>&>);
    static_assert(!std::is_constructible_v<QuantizedTable<float>, Model<float>>);
    static_assert(!std::is_constructible_v<QuantizedTable<float>, const Model<float>>);
    static_assert(std::is_constructible_v<Recommender<float>, const QuantizedTable<float>&>);
    static_assert(!std::is_constructible_v<Recommender<float>, QuantizedTable<float>>);
    static_assert(!std::is_constructible_v<Recommender<float>, const QuantizedTable<float>>);
    static_assert(std::is_nothrow_move_constructible_v<Model<float>>);
    static_assert(std::is_nothrow_move_constructible_v<Recommender<float>>);

    const auto model = model_of<double>({}, 5);
    const QuantizedTable table(model);
    static_assert(std::is_same_v<decltype(table), const QuantizedTable<double>>);
    static_assert(std::is_same_v<decltype(Recommender(table)), Recommender<double>>);
    static_assert(std::is_same_v<decltype(Recommender(model)), Recommender<double>>);
    // A session does not refer to its model.
    SessionState visitor(model_of<double>({}, 5));
    static_assert(std::is_same_v<decltype(visitor), SessionState<double>>);
    Recommender(table).advance(visitor, to_item(2));
    CHECK(visitor.n_events() == 1);
}

TEST_CASE("copies and moved recommenders serve as the first one did") {
    const auto model = model_of<float>({{"layers", "9"}}, 90);
    const Served served(model, 40);
    Recommender first(model);
    CHECK(served.equals(first.recommend_many(served.sessions, 7)));
    Recommender copy(first);
    CHECK(served.equals(copy.recommend_many(served.sessions, 7)));
    Recommender moved(std::move(first));
    CHECK(served.equals(moved.recommend_many(served.sessions, 7)));
    const auto other = model_of<float>({{"layers", "3"}}, 20);
    Recommender assigned(other);
    assigned = moved;
    CHECK(served.equals(assigned.recommend_many(served.sessions, 7)));
    first = moved;
    CHECK(served.equals(first.recommend_many(served.sessions, 7)));
    assigned = Recommender(other);
    SessionState visitor(other);
    assigned.advance(visitor, to_item(19));
    CHECK(assigned.recommend(visitor, 30).size() == 20);
}
