#include "gru4rec/core/parallel.hpp"
#include "gru4rec/serve/group_scan.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "support/computes_scores.hpp"
#include "support/items_of.hpp"
#include "support/naive/matrix.hpp"
#include "support/random_options.hpp"
#include "support/served_model.hpp"

#include <doctest/doctest.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::ContractError;
using gru4rec::Index;
using gru4rec::ItemFilter;
using gru4rec::ItemIndex;
using gru4rec::Model;
using gru4rec::QuantizedTable;
using gru4rec::Recommendation;
using gru4rec::Recommender;
using gru4rec::RecommendOptions;
using gru4rec::RecommendRequest;
using gru4rec::ScoreRequest;
using gru4rec::SessionState;
using gru4rec::to_item;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double no = std::numeric_limits<double>::quiet_NaN();

/// What a model's random requests are drawn from.
struct Load {
    int n_filters = 8;
    int n_rounds = 10;    ///< the requests of a round are also answered together
    int n_requests = 35;  ///< of a round: some tiles of lanes, and a few more
    unsigned seed = 1;
};

/// Serves one model in every way, and counts the lists that are not the full ranking filtered afterwards.
template <class Scalar>
class Comparison {
  public:
    Comparison(const Model<Scalar>& model, std::vector<SessionState<Scalar>> sessions)
        : model_(&model), table_(model), exact_(model), quantized_(table_), sessions_(std::move(sessions)) {
        for (const SessionState<Scalar>& session : sessions_) {
            const auto list = exact_.recommend(session, model.n_items());
            full_.emplace_back(list.begin(), list.end());
        }
    }

    [[nodiscard]] int differences(const Load& load) {
        naive::Engine engine(load.seed);
        std::vector<std::shared_ptr<const ItemFilter>> filters;
        for (int f = 0; f < load.n_filters; ++f) {
            filters.push_back(drawn_filter(engine, model_->n_items()));
        }
        int count = 0;
        for (int round = 0; round < load.n_rounds; ++round) {
            std::vector<DrawnOptions> drawn;
            std::vector<RecommendRequest<Scalar>> requests;
            std::vector<std::vector<Recommendation<Scalar>>> wanted;
            drawn.reserve(static_cast<std::size_t>(load.n_requests));
            for (int r = 0; r < load.n_requests; ++r) {
                const std::size_t s = naive::uniform_index(engine, sessions_.size());
                drawn.push_back(drawn_options(engine, model_->n_items(), filters));
                requests.push_back({&sessions_[s], drawn.back().options()});
                wanted.push_back(filtered<Scalar>(full_[s], drawn.back()));
            }
            count += round_differences(requests, wanted);
        }
        return count;
    }

  private:
    [[nodiscard]] int round_differences(const std::vector<RecommendRequest<Scalar>>& requests,
                                        const std::vector<std::vector<Recommendation<Scalar>>>& wanted) {
        int count = 0;
        for (Recommender<Scalar>* recommender : {&exact_, &quantized_}) {
            const auto together = recommender->recommend_many(requests);
            for (std::size_t r = 0; r < requests.size(); ++r) {
                const auto alone = recommender->recommend(*requests[r].session, requests[r].options);
                count += same_list<Scalar>(alone, wanted[r]) ? 0 : 1;
                count += same_list<Scalar>(together[r], wanted[r]) ? 0 : 1;
            }
        }
        return count;
    }

    const Model<Scalar>* model_;
    QuantizedTable<Scalar> table_;
    Recommender<Scalar> exact_, quantized_;
    std::vector<SessionState<Scalar>> sessions_;
    std::vector<std::vector<Recommendation<Scalar>>> full_;
};

/// Random states, one that is not a number, one that is zero, and a session without events.
template <class Scalar>
std::vector<SessionState<Scalar>> odd_sessions(const Model<Scalar>& model) {
    auto sessions = random_sessions(model, 5, 1);
    const auto width = static_cast<std::size_t>(model.network().output_width());
    sessions.push_back(session_in(model, std::vector<double>(width, no)));
    sessions.push_back(session_in(model, std::vector<double>(width, 0)));
    sessions.emplace_back(model);
    return sessions;
}

/// Whole numbers: many scores are equal.
void fill_ties(naive::Engine& engine, Index, double* row, Index width) {
    for (Index k = 0; k <= width; ++k) {
        row[k] = k < 2 || k == width ? static_cast<double>(naive::uniform_index(engine, 3)) - 1 : 0;
    }
}

void fill_not_finite(naive::Engine& engine, Index item, double* row, Index width) {
    fill_random(engine, item, row, width);
    row[width] = item % 3 == 0 ? no : item % 3 == 1 ? -infinity : row[width];
}

template <class List>
std::vector<int> numbers_of(const List& list) {
    std::vector<int> numbers;
    for (const auto& entry : list) {
        numbers.push_back(static_cast<int>(entry.item));
    }
    return numbers;
}

}  // namespace

TEST_CASE("lists equal the full ranking filtered afterwards, to the bit: exact, quantised, alone and together") {
    unsigned seed = 0;
    for (const Index n_items : {1, 2, 15, 17, 63, 64, 65, 127, 128, 129, 331, 1003}) {
        for (const auto& fill : {FillRow(fill_random), FillRow(fill_ties), FillRow(fill_not_finite)}) {
            const Index units = 1 + 7 * (++seed % 7);
            CAPTURE(n_items);
            CAPTURE(units);
            const auto model = served_model<float>(n_items, units, fill);
            CHECK(Comparison<float>(model, odd_sessions(model)).differences({.seed = seed}) == 0);
        }
    }
    const auto wide = served_model<float>(500, 700, fill_trained);
    CHECK(Comparison<float>(wide, odd_sessions(wide)).differences({.seed = 50}) == 0);
    const auto precise = served_model<double>(700, 33, fill_trained);
    CHECK(Comparison<double>(precise, odd_sessions(precise)).differences({.seed = 51}) == 0);
}

// By hand: gru4rec_unit_tests --no-skip --test-case="ten thousand requests*"; a quarter of an hour, 2 GB.
TEST_CASE("ten thousand requests to catalogues of ten thousand and a million items get the filtered full ranking" *
          doctest::skip()) {
    for (const Index n_items : {10'000, 1'000'000}) {
        CAPTURE(n_items);
        const auto model = served_model<float>(n_items, 100, fill_trained);
        auto sessions = random_sessions(model, 20, 1);
        sessions.emplace_back(model);
        Comparison<float> comparison(model, std::move(sessions));
        for (unsigned part = 0; part < 10; ++part) {
            CHECK(comparison.differences({.n_filters = 16, .n_rounds = 10, .n_requests = 100, .seed = part}) == 0);
        }
    }
}

TEST_CASE("what is left out can be a filter, a short list, or all but a short list, and all of these at once") {
    const auto model = served_model<float>(10, 3, [](naive::Engine&, Index item, double* row, Index width) {
        row[width] = -static_cast<double>(item);  // item 0 is the best
    });
    Recommender recommender(model);
    const SessionState session = session_in(model, {0, 0, 0});
    const auto list = [&](const RecommendOptions& options) {
        return numbers_of(recommender.recommend(session, options));
    };
    const ItemFilter even = ItemFilter::only(10, items_of({0, 2, 4, 6, 8}));
    const auto seen = items_of({4, 0, 4, 9});
    const auto offered = items_of({7, 6, 2, 4, 6});
    CHECK(list({.n = 3}) == std::vector{0, 1, 2});
    CHECK(list({}) == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(list({.n = 3, .filter = &even}) == std::vector{0, 2, 4});
    CHECK(list({.filter = &even}) == std::vector{0, 2, 4, 6, 8});
    CHECK(list({.n = 4, .exclude = seen}) == std::vector{1, 2, 3, 5});
    CHECK(list({.only = offered}) == std::vector{2, 4, 6, 7});
    CHECK(list({.n = 1, .only = offered}) == std::vector{2});
    CHECK(list({.n = 9, .filter = &even, .exclude = seen}) == std::vector{2, 6, 8});
    CHECK(list({.filter = &even, .exclude = seen, .only = offered}) == std::vector{2, 6});
    CHECK(list({.n = 0, .filter = &even}).empty());
    const ItemFilter none = ItemFilter::only(10, {});
    CHECK(list({.filter = &none}).empty());
    CHECK(list({.filter = &none, .only = offered}).empty());
    CHECK(list({.only = std::span<const ItemIndex>()}).empty());
    CHECK(list({.exclude = items_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9})}).empty());
    // A call leaves nothing behind for the next.
    CHECK(numbers_of(recommender.recommend(session, 3)) == std::vector{0, 1, 2});
}

TEST_CASE("a session without events gets the most frequent of the items that it may get") {
    const auto model = served_model<float>(12, 3, fill_random);  // supports 0 2 4 1 3 0 2 4 1 3 0 2
    const QuantizedTable table(model);
    const ItemFilter filter = ItemFilter::exclude(12, items_of({2, 9}));
    const SessionState fresh(model);
    for (Recommender<float> recommender : {Recommender(model), Recommender(table)}) {
        CHECK(numbers_of(recommender.recommend(fresh, {.n = 4, .filter = &filter})) == std::vector{7, 4, 1, 6});
        CHECK(numbers_of(recommender.recommend(fresh, {.n = 3, .exclude = items_of({7})})) == std::vector{2, 4, 9});
        const auto only = recommender.recommend(fresh, {.only = items_of({9, 0, 4, 9})});
        CHECK(numbers_of(only) == std::vector{4, 9, 0});
        CHECK(only[0].score == 3);
    }
}

TEST_CASE("a large catalogue is cut into parts if there are fewer groups of requests than threads") {
    for (const Index n_requests : {1, 15, 16, 17, 64, 65, 300}) {
        for (const Index n_items : {1, 127, 16'384, 32'767, 32'768, 100'000}) {
            for (const Index threads : {1, 2, 3, 4, 64}) {
                const auto [requests, items] = gru4rec::detail::plan_scan(n_requests, n_items, threads);
                CHECK(requests.size == n_requests);
                CHECK(requests.grain <= gru4rec::detail::group_sessions);
                CHECK(items.size == n_items);
                CHECK((items.count() == 1 || items.grain % gru4rec::detail::quantized_chunk_items == 0));
                CHECK((items.count() == 1 || requests.count() * items.count() <= threads));
                CHECK((items.count() > 1) == (n_items >= 32'768 && 2 * requests.count() <= threads));
            }
        }
    }
    constexpr Index n_items = 33'000;
    const auto model = served_model<float>(n_items, 5, fill_trained);
    const QuantizedTable table(model);
    auto sessions = odd_sessions(model);
    naive::Engine engine(6);
    const std::vector<std::shared_ptr<const ItemFilter>> filters = {drawn_filter(engine, n_items),
                                                                    drawn_filter(engine, n_items)};
    std::vector<DrawnOptions> drawn;
    for (std::size_t r = 0; r < 20; ++r) {
        drawn.push_back(drawn_options(engine, n_items, filters));
    }
    Recommender alone(model);
    for (Recommender<float> together : {Recommender(model), Recommender(table)}) {
        for (const std::size_t n_requests : {std::size_t{1}, drawn.size()}) {
            for (std::size_t first = 0; first < drawn.size(); first += n_requests) {
                std::vector<RecommendRequest<float>> requests;
                for (std::size_t r = first; r < first + n_requests; ++r) {
                    requests.push_back({&sessions[r % sessions.size()], drawn[r].options()});
                }
                tbb::task_arena(2).execute([&] {
                    const auto lists = together.recommend_many(requests);
                    for (std::size_t r = 0; r < n_requests; ++r) {
                        CHECK(same_list<float>(lists[r], alone.recommend(*requests[r].session, requests[r].options)));
                    }
                });
            }
        }
    }
}

TEST_CASE("requests of one batch may differ in all respects, and get the same with any number of threads") {
    const auto model = served_model<float>(331, 17, fill_trained);
    const QuantizedTable table(model);
    const auto sessions = odd_sessions(model);
    naive::Engine engine(5);
    std::vector<std::shared_ptr<const ItemFilter>> filters = {drawn_filter(engine, 331), drawn_filter(engine, 331)};
    std::vector<DrawnOptions> drawn;
    for (int r = 0; r < 100; ++r) {
        drawn.push_back(drawn_options(engine, 331, filters));
    }
    std::vector<RecommendRequest<float>> requests;
    for (std::size_t r = 0; r < drawn.size(); ++r) {
        requests.push_back({&sessions[r % sessions.size()], drawn[r].options()});
    }
    Recommender alone(model);
    for (Recommender<float> together : {Recommender(model), Recommender(table)}) {
        for (const int threads : {1, 2}) {
            gru4rec::with_threads(threads, [&] {
                const auto lists = together.recommend_many(requests);
                REQUIRE(lists.size() == requests.size());
                for (std::size_t r = 0; r < requests.size(); ++r) {
                    CHECK(same_list<float>(lists[r], alone.recommend(*requests[r].session, requests[r].options)));
                }
            });
        }
        CHECK(together.recommend_many(std::span<const RecommendRequest<float>>()).empty());
    }
}

TEST_CASE("candidates are scored in the caller's order, with the bits that lists have") {
    for (const Index units : {5, 33}) {
        const auto model = served_model<float>(301, units, fill_random);
        const QuantizedTable table(model);
        for (Recommender<float> recommender : {Recommender(model), Recommender(table)}) {
            naive::Engine engine(7);
            for (const SessionState<float>& session : odd_sessions(model)) {
                std::vector<float> all(301);
                recommender.scores(session, all);
                for (const Index count : {0, 1, 3, 4, 5, 130, 500}) {
                    const auto items = drawn_items(engine, 301, count);
                    std::vector<float> scores(items.size(), -1e9F);
                    recommender.scores(session, items, scores);
                    for (std::size_t i = 0; i < items.size(); ++i) {
                        const float wanted = gru4rec::detail::at(all, items[i]);
                        CHECK((scores[i] == wanted || (std::isnan(scores[i]) && std::isnan(wanted))));
                    }
                }
            }
        }
    }
}

TEST_CASE("candidates of many sessions get the scores that they get alone, with any number of threads") {
    const auto model = served_model<float>(301, 33, fill_random);
    const QuantizedTable table(model);
    const auto sessions = odd_sessions(model);
    naive::Engine engine(8);
    std::vector<std::vector<ItemIndex>> items;
    std::vector<std::vector<float>> together, alone;
    for (Index r = 0; r < 53; ++r) {
        items.push_back(drawn_items(engine, 301, r % 10 == 0 ? 0 : drawn_below(engine, 150)));
        together.emplace_back(items.back().size());
        alone.emplace_back(items.back().size());
    }
    std::vector<ScoreRequest<float>> requests;
    for (std::size_t r = 0; r < items.size(); ++r) {
        requests.push_back({&sessions[r % sessions.size()], items[r], together[r]});
    }
    for (Recommender<float> recommender : {Recommender(model), Recommender(table)}) {
        for (const int threads : {1, 2}) {
            std::for_each(together.begin(), together.end(),
                          [](auto& out) { std::fill(out.begin(), out.end(), -1e9F); });
            gru4rec::with_threads(threads, [&] { recommender.scores_many(requests); });
            for (std::size_t r = 0; r < items.size(); ++r) {
                recommender.scores(*requests[r].session, items[r], alone[r]);
                for (std::size_t i = 0; i < items[r].size(); ++i) {
                    CHECK((together[r][i] == alone[r][i] || (std::isnan(together[r][i]) && std::isnan(alone[r][i]))));
                }
            }
        }
        recommender.scores_many({});
    }
}

TEST_CASE("a list of no items is empty without a score") {
    const auto model = served_model<float>(300, 3, fill_tell_tale);
    const QuantizedTable table(model);
    const SessionState session = session_in(model, {0, 0, 0});
    const ItemFilter none = ItemFilter::only(300, {});
    for (Recommender<float> recommender : {Recommender(model), Recommender(table)}) {
        const auto computes = [&](const RecommendOptions& options) {
            const std::vector<RecommendRequest<float>> requests(3, {&session, options});
            const bool together = computes_scores([&] { CHECK(recommender.recommend_many(requests).size() == 3); });
            const bool one = computes_scores([&] { static_cast<void>(recommender.recommend(session, options)); });
            CHECK(one == together);
            return one;
        };
        CHECK(computes({.n = 1}));
        CHECK_FALSE(computes({.n = 0}));
        CHECK_FALSE(computes({.n = 5, .filter = &none}));
        CHECK(recommender.recommend(session, 0).empty());
        CHECK(recommender.recommend(SessionState(model), 0).empty());
    }
}

TEST_CASE("options and candidates that do not fit the model are refused, and the message says which") {
    const auto model = served_model<float>(30, 4, fill_random);
    const auto other = served_model<float>(30, 5, fill_random);
    Recommender recommender(model);
    const SessionState session(model);
    const ItemFilter filter(31);
    const auto seen = items_of({0, 30});
    const auto offered = items_of({3, 4, -1});
    const auto refuses = [&](const RecommendOptions& options, const char* message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend(session, options)),
                             ("gru4rec: " + std::string(message)).c_str(), ContractError);
        std::vector<RecommendRequest<float>> requests(20, {&session, {}});
        requests[17].options = options;
        CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend_many(requests)),
                             ("gru4rec: request 17: " + std::string(message)).c_str(), ContractError);
    };
    refuses({.n = -1}, "n = -1, must satisfy n >= 0");
    refuses({.filter = &filter}, "filter was made for 31 items; the model has 30");
    refuses({.exclude = seen}, "exclude[1] = 30, must satisfy 0 <= item < 30");
    refuses({.only = offered}, "only[2] = -1, must satisfy 0 <= item < 30");

    const SessionState foreign(other);
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend(foreign, RecommendOptions{})),
                         doctest::Contains("gru4rec: the session was made for another model"), ContractError);
    std::vector<RecommendRequest<float>> requests = {{&session, {}}, {&foreign, {}}};
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend_many(requests)),
                         doctest::Contains("request 1: the session was made for another model"), ContractError);
    requests[1].session = nullptr;
    CHECK_THROWS_WITH_AS(static_cast<void>(recommender.recommend_many(requests)), "gru4rec: request 1 has no session",
                         ContractError);

    std::vector<float> scores(3);
    CHECK_THROWS_WITH_AS(recommender.scores(session, offered, scores), doctest::Contains("items[2] = -1"),
                         ContractError);
    CHECK_THROWS_WITH_AS(recommender.scores(session, items_of({1, 2}), scores),
                         doctest::Contains("2 items and room for 3 scores"), ContractError);
    CHECK_THROWS_WITH_AS(recommender.scores(foreign, items_of({1, 2, 3}), scores), doctest::Contains("another model"),
                         ContractError);

    const auto three = items_of({1, 2, 3});
    std::vector<std::vector<float>> out(20, std::vector<float>(3, -1));
    std::vector<ScoreRequest<float>> candidates;
    for (std::vector<float>& of_request : out) {
        candidates.push_back({&session, three, of_request});
    }
    const auto refuses_candidates = [&](const ScoreRequest<float>& request, const char* message) {
        const ScoreRequest<float> kept = std::exchange(candidates[17], request);
        CHECK_THROWS_WITH_AS(recommender.scores_many(candidates), doctest::Contains(message), ContractError);
        candidates[17] = kept;
        CHECK(out[0] == std::vector<float>(3, -1));  // nothing is written
    };
    refuses_candidates({nullptr, three, scores}, "request 17 has no session");
    refuses_candidates({&foreign, three, scores}, "request 17: the session was made for another model");
    refuses_candidates({&session, offered, scores}, "request 17: items[2] = -1, must satisfy 0 <= item < 30");
    refuses_candidates({&session, std::span(three).first(2), scores}, "request 17: scores got 2 items and room for 3");
    recommender.scores_many(candidates);
    CHECK(out[19] == out[0]);
    CHECK(out[0] != std::vector<float>(3, -1));
}
