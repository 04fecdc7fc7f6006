#include "gru4rec/data/dataset.hpp"

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/session_source.hpp"
#include "support/equal_values.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace detail = gru4rec::detail;
using gru4rec::Dataset;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::ItemMap;
using gru4rec::KeepSessionIds;
using gru4rec::make_dataset;
using gru4rec::OrderedSessions;
using gru4rec::ReadOptions;
using gru4rec::SessionIndex;
using gru4rec::SessionOrder;
using gru4rec::SessionSource;
using gru4rec::to_item;
using gru4rec::to_session;
using gru4rec::detail::Random;

using Ints = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

/// The ids of a session's items.
Texts ids(const Dataset& dataset, Index session) {
    Texts result;
    for (const ItemIndex item : dataset.session(to_session(session))) {
        result.emplace_back(dataset.items().id(item));
    }
    return result;
}

std::vector<Index> time_order(const Dataset& dataset) {
    std::vector<Index> result;
    for (const SessionIndex session : dataset.time_order()) {
        result.push_back(to_index(session));
    }
    return result;
}

/// The lengths of the sessions that a source gives, in its order.
template <class Source>
std::vector<Index> lengths(Source& source, std::uint64_t epoch) {
    source.start_epoch(epoch);
    std::vector<Index> result;
    while (true) {
        const auto session = source.next_session();
        if (session.empty()) {
            return result;
        }
        result.push_back(static_cast<Index>(session.size()));
    }
}

TEST_CASE("sessions are numbered by first appearance, their events sorted by time") {
    const Dataset data = make_dataset(Ints{7, 3, 7, 3, 7}, Texts{"c", "a", "b", "c", "a"}, Ints{30, 5, 10, 4, 20});
    CHECK(data.n_sessions() == 2);
    CHECK(data.n_events() == 5);
    CHECK(data.n_items() == 3);
    CHECK(data.n_pairs() == 3);
    CHECK(ids(data, 0) == Texts{"b", "a", "c"});
    CHECK(ids(data, 1) == Texts{"c", "a"});
    CHECK(data.items().id(gru4rec::to_item(0)) == "c");  // numbered before anything is sorted
    CHECK(data.items().id(gru4rec::to_item(1)) == "a");
    CHECK(equal_values(data.supports(), Ints{2, 2, 1}));
    CHECK(time_order(data) == std::vector<Index>{1, 0});
    CHECK(data.n_unknown_events() == 0);
}

TEST_CASE("equal times keep the order of the rows, inside sessions and between them") {
    const Dataset data =
        make_dataset(Ints{1, 2, 1, 3, 2, 1}, Texts{"x", "y", "a", "z", "b", "c"}, Ints{9, 5, 5, 5, 5, 5});
    CHECK(ids(data, 0) == Texts{"a", "c", "x"});
    CHECK(ids(data, 1) == Texts{"y", "b"});
    CHECK(time_order(data) == std::vector<Index>{0, 1, 2});
}

TEST_CASE("a session that is grouped but not sorted is sorted") {
    const Dataset data = make_dataset(Ints{1, 1, 1, 2, 2}, Texts{"c", "a", "b", "e", "d"}, Ints{3, 1, 2, 9, 8});
    CHECK(ids(data, 0) == Texts{"a", "b", "c"});
    CHECK(ids(data, 1) == Texts{"d", "e"});
}

TEST_CASE("fractions of a second order events, also beyond the precision of double") {
    const Dataset data = make_dataset(Ints{1, 1, 1}, Texts{"c", "b", "a"}, std::vector<double>{2.5, 2.25, -0.5});
    CHECK(ids(data, 0) == Texts{"a", "b", "c"});
    constexpr std::int64_t big = std::int64_t{1} << 53U;
    const Dataset integers = make_dataset(Ints{1, 1}, Texts{"b", "a"}, Ints{big + 1, big});
    CHECK(ids(integers, 0) == Texts{"a", "b"});
}

TEST_CASE("arrays may be any containers of integers or strings") {
    const std::array<std::uint64_t, 3> sessions{18446744073709551615U, 1, 1};
    const std::array<const char*, 3> items{"a", "b", "a"};
    const std::deque<std::int32_t> times{3, 2, 1};
    const Dataset data = make_dataset(sessions, items, times, ReadOptions{.keep_session_ids = KeepSessionIds::yes});
    CHECK(data.session_id(to_session(0)) == "18446744073709551615");
    CHECK(data.session_id(to_session(1)) == "1");
    CHECK(ids(data, 1) == Texts{"a", "b"});

    const std::vector<std::string_view> texts{"s", "t", "s"};
    const std::vector<std::int64_t> numbers{-5, 6, -5};
    const std::vector<float> seconds{1.5F, 1.0F, 0.5F};
    const Dataset other = make_dataset(std::span<const std::string_view>(texts), std::span<const std::int64_t>(numbers),
                                       std::span<const float>(seconds));
    CHECK(ids(other, 0) == Texts{"-5", "-5"});
    CHECK(ids(other, 1) == Texts{"6"});
}

TEST_CASE("arrays may be Eigen vectors, columns and rows of Eigen matrices, and expressions") {
    Eigen::VectorXi sessions(4);
    sessions << 7, 3, 7, 3;
    Eigen::Matrix<std::int64_t, Eigen::Dynamic, 2, Eigen::RowMajor> table(4, 2);  // a column has a stride
    table << 30, 99, 10, 99, 20, 99, 40, 99;
    const Texts items{"a", "b", "c", "d"};
    const Dataset data = make_dataset(sessions, items, table.col(0));
    CHECK(ids(data, 0) == Texts{"c", "a"});
    CHECK(ids(data, 1) == Texts{"b", "d"});

    const Eigen::Map<const Eigen::VectorXi> mapped(sessions.data(), 4);
    const Eigen::RowVectorXd times = Eigen::RowVectorXd::LinSpaced(4, 0.5, 2);
    const Dataset other = make_dataset(mapped.array() + 1, sessions.cast<std::int64_t>().eval(), -times);
    CHECK(ids(other, 0) == Texts{"7", "7"});
    CHECK(time_order(other) == std::vector<Index>{1, 0});

    const int raw[] = {1, 2};
    CHECK(make_dataset(raw, raw, raw).n_sessions() == 2);
    static_assert(!detail::IdArray<Eigen::MatrixXi>);
    static_assert(!detail::IdArray<Eigen::VectorXd>);
    static_assert(!detail::IdArray<std::string>);
    static_assert(!detail::TimeArray<Texts>);
}

TEST_CASE("a list of sessions is a data set: session s is sessions[s], in this order in time") {
    const std::vector<Texts> sessions{{"tea", "milk", "tea"}, {}, {"sugar", "tea"}};
    const Dataset data = make_dataset(sessions, {.keep_session_ids = KeepSessionIds::yes});
    CHECK(data.n_sessions() == 3);
    CHECK(data.n_events() == 5);
    CHECK(data.n_pairs() == 3);
    CHECK(ids(data, 0) == Texts{"tea", "milk", "tea"});
    CHECK(ids(data, 1).empty());
    CHECK(ids(data, 2) == Texts{"sugar", "tea"});
    CHECK(data.session_id(to_session(2)) == "2");
    CHECK(equal_values(data.supports(), Ints{3, 1, 1}));
    CHECK(time_order(data) == std::vector<Index>{0, 2, 1});
    CHECK_FALSE(make_dataset(sessions).has_session_ids());

    std::vector<Eigen::VectorXi> numbers{Eigen::VectorXi::LinSpaced(3, 5, 7), Eigen::VectorXi::Constant(2, 6)};
    CHECK(ids(make_dataset(numbers), 1) == Texts{"6", "6"});
    const std::initializer_list<std::int64_t> lists[] = {{1, 2}, {2, 3}};
    CHECK(make_dataset(lists).n_items() == 3);
    CHECK(make_dataset(std::vector<Ints>{}).n_sessions() == 0);

    ItemMap known;
    known.insert("milk");
    const Dataset test = make_dataset(sessions, {.known_items = &known});
    CHECK(test.items() == known);
    CHECK(test.n_unknown_events() == 4);
    CHECK(ids(test, 0) == Texts{"milk"});
    CHECK_THROWS_WITH_AS(static_cast<void>(make_dataset(std::vector<Texts>{{"a"}, {"b", ""}})),
                         doctest::Contains("gru4rec: sessions[1][1]: item id \"\" is empty"), std::invalid_argument);
}

TEST_CASE("a list of sessions of item indices takes the ids of a catalogue") {
    ItemMap items;
    items.insert("tea");
    items.insert("milk");
    const std::vector<std::vector<ItemIndex>> sessions{{to_item(1), to_item(1)}, {to_item(0)}};
    const Dataset data = make_dataset(sessions, items);
    CHECK(data.items() == items);
    CHECK(ids(data, 0) == Texts{"milk", "milk"});
    CHECK(ids(data, 1) == Texts{"tea"});
    CHECK(equal_values(data.supports(), Ints{1, 2}));
    for (const Index beyond : {-1, 2}) {
        CHECK_THROWS_WITH_AS(static_cast<void>(make_dataset(
                                 std::vector<std::vector<ItemIndex>>{{}, {static_cast<ItemIndex>(beyond)}}, items)),
                             doctest::Contains("gru4rec: sessions[1][0] = "), std::invalid_argument);
    }
}

TEST_CASE("a source of sessions refuses a temporary data set") {
    static_assert(std::is_constructible_v<OrderedSessions, const Dataset&>);
    static_assert(std::is_constructible_v<OrderedSessions, Dataset&, SessionOrder, std::uint64_t>);
    static_assert(!std::is_constructible_v<OrderedSessions, Dataset>);
    static_assert(!std::is_constructible_v<OrderedSessions, const Dataset>);
    static_assert(!std::is_constructible_v<OrderedSessions, Dataset, SessionOrder>);
    static_assert(!std::is_constructible_v<OrderedSessions, Dataset, SessionOrder, std::uint64_t>);
}

TEST_CASE("the caller's arrays keep their values and their order") {
    const Ints sessions{3, 1, 3, 2, 1, 2};
    const Texts items{"c", "b", "a", "c", "a", "b"};
    const Ints times{60, 50, 40, 30, 20, 10};
    Ints own_sessions = sessions;
    Texts own_items = items;
    Ints own_times = times;
    // Spans through which the elements could be written.
    const Dataset data = make_dataset(std::span(own_sessions), std::span(own_items), std::span(own_times));
    CHECK(ids(data, 0) == Texts{"a", "c"});
    CHECK(own_sessions == sessions);
    CHECK(own_items == items);
    CHECK(own_times == times);
}

TEST_CASE("no events make an empty data set") {
    const Dataset none = make_dataset(Ints{}, Texts{}, Ints{});
    for (const Dataset& data : {none, Dataset()}) {
        CHECK(data.n_sessions() == 0);
        CHECK(data.n_events() == 0);
        CHECK(data.n_pairs() == 0);
        CHECK(data.n_items() == 0);
        CHECK(data.time_order().empty());
        OrderedSessions source(data);
        CHECK(source.next_session().empty());
    }
}

TEST_CASE(
    "with known items their indices are used, other items are left out, and emptied sessions are kept, last in time") {
    ItemMap known;
    known.insert("z");
    known.insert("a");
    known.insert("b");
    const Dataset data = make_dataset(Ints{5, 6, 7, 6, 7, 7}, Texts{"q", "b", "a", "q", "q", "b"},
                                      Ints{0, 2, 1, 3, 2, 3}, ReadOptions{.known_items = &known});
    CHECK(data.items() == known);
    CHECK(data.n_items() == 3);
    CHECK(data.n_sessions() == 3);
    CHECK(data.n_events() == 3);
    CHECK(data.n_unknown_events() == 3);
    CHECK(data.session(to_session(0)).empty());
    CHECK(ids(data, 1) == Texts{"b"});
    CHECK(ids(data, 2) == Texts{"a", "b"});
    CHECK(data.n_pairs() == 1);
    CHECK(equal_values(data.supports(), Ints{0, 1, 2}));
    CHECK(time_order(data) == std::vector<Index>{2, 1, 0});
    OrderedSessions source(data);
    CHECK(lengths(source, 0) == std::vector<Index>{2, 1});  // the emptied one does not end the epoch
    OrderedSessions in_file_order(data, SessionOrder::file);
    CHECK(lengths(in_file_order, 0) == std::vector<Index>{1, 2});
}

TEST_CASE("a wrong array is refused with its row") {
    const auto message = [](const auto& sessions, const auto& items, const auto& times) -> std::string {
        try {
            static_cast<void>(make_dataset(sessions, items, times));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "accepted";
    };
    CHECK(message(Ints{1, 2}, Texts{"a"}, Ints{1, 2, 3}) ==
          "gru4rec: make_dataset got 2 session ids, 1 item ids and 3 times; the arrays must be of equal length");
    CHECK(message(Ints{1, 2}, Texts{"a", "a\tb"}, Ints{1, 2}).find("row 1 of the arrays: item id \"a\\x09b\"") !=
          std::string::npos);
    CHECK(message(Texts{"s", ""}, Texts{"a", "b"}, Ints{1, 2}).find("row 1 of the arrays: the session id is empty") !=
          std::string::npos);
    CHECK(message(Ints{1, 2}, Ints{1, 2}, std::vector<double>{0.0, std::numeric_limits<double>::quiet_NaN()}) ==
          "gru4rec: times[1] = nan, must satisfy a finite number within 64 bits");
    CHECK(message(Ints{1}, Ints{1}, std::vector<double>{1e19}) != "accepted");
    CHECK(message(Ints{1}, Ints{1}, std::vector<std::uint64_t>{1ULL << 63U}) != "accepted");
}

TEST_CASE("sessions come by time, by index, or in a new permutation each epoch") {
    static_assert(SessionSource<OrderedSessions>);
    Ints sessions;
    Ints items;
    Ints times;
    for (std::int64_t s = 1; s <= 6; ++s) {  // session s has s events, later sessions start earlier
        for (std::int64_t e = 0; e < s; ++e) {
            sessions.push_back(s);
            items.push_back(e);
            times.push_back(100 - 10 * s + e);
        }
    }
    const Dataset data = make_dataset(sessions, items, times);

    OrderedSessions by_time(data);
    CHECK(lengths(by_time, 0) == std::vector<Index>{6, 5, 4, 3, 2, 1});
    CHECK(lengths(by_time, 1) == std::vector<Index>{6, 5, 4, 3, 2, 1});
    CHECK(by_time.next_session().empty());
    CHECK(by_time.n_items() == 6);
    CHECK(by_time.n_pairs() == 15);

    OrderedSessions by_number(data, SessionOrder::file);
    CHECK(lengths(by_number, 0) == std::vector<Index>{1, 2, 3, 4, 5, 6});

    // From an independent program: the permutations are what a seed means.
    OrderedSessions shuffled(data, SessionOrder::random, 42);
    CHECK(lengths(shuffled, 0) == std::vector<Index>{3, 6, 5, 2, 4, 1});
    CHECK(lengths(shuffled, 1) == std::vector<Index>{6, 5, 3, 1, 2, 4});
    CHECK(lengths(shuffled, 0) == std::vector<Index>{3, 6, 5, 2, 4, 1});  // whatever epoch came before
    OrderedSessions other_seed(data, SessionOrder::random, 43);
    CHECK(lengths(other_seed, 0) != lengths(shuffled, 0));
}

TEST_CASE("a source rewinds in the middle of an epoch and its spans stay valid") {
    const Dataset data = make_dataset(Ints{1, 1, 2, 2, 2}, Ints{1, 2, 3, 4, 5}, Ints{1, 2, 3, 4, 5});
    OrderedSessions source(data);
    const auto first = source.next_session();
    const auto second = source.next_session();
    CHECK(first.data() == data.session(to_session(0)).data());
    CHECK(second.data() == data.session(to_session(1)).data());
    source.start_epoch(1);
    CHECK(source.next_session().data() == first.data());
}

TEST_CASE("sessions sort by time for any range and any fractions") {
    constexpr std::int64_t largest = (std::numeric_limits<std::int64_t>::max)();
    constexpr std::int64_t smallest = (std::numeric_limits<std::int64_t>::min)();
    using gru4rec::detail::EventTime;
    const std::vector<std::vector<EventTime>> cases{
        {{largest, 0}, {smallest, 0}, {0, 0}, {-1, 0}, {largest, 0}},
        {{largest, 1}, {smallest, 2}, {0, 999'999'999}, {0, 3}, {largest, 0}, {smallest, 1}},
        {{5, 500'000'000}, {5, 250'000'000}, {4, 999'000'000}, {5, 500'000'000}, {5, 0}},
        {{5, 500}, {5, 499}, {4, 999'000'000}, {5, 1'000}, {5, 0}},
        {{5, 500'001}, {5, 1'000'000}, {-4, 999'000'000}, {5, 1'000}, {5, 0}},
    };
    for (const auto& times : cases) {
        gru4rec::detail::EventCollector collector;
        std::vector<std::pair<EventTime, Index>> expected;
        for (std::size_t s = 0; s < times.size(); ++s) {
            REQUIRE_FALSE(collector.add(std::to_string(s), "a", times[s]));
            expected.emplace_back(times[s], static_cast<Index>(s));
        }
        std::sort(expected.begin(), expected.end());
        std::vector<Index> wanted;
        for (const auto& session : expected) {
            wanted.push_back(session.second);
        }
        CHECK(time_order(Dataset(std::move(collector).take())) == wanted);
    }
}

TEST_CASE("random events give the sessions that std::map and std::stable_sort give") {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        CAPTURE(seed);
        Random random(seed, Random::Stream::test);
        const std::uint64_t n = random.below(300);
        const std::uint64_t n_ids = 1 + random.below(40);
        const std::uint64_t n_times = 1 + random.below(200);
        Ints sessions;
        Ints items;
        std::vector<double> times;
        for (std::uint64_t e = 0; e < n; ++e) {
            sessions.push_back(static_cast<std::int64_t>(random.below(n_ids)));
            items.push_back(static_cast<std::int64_t>(random.below(n_ids)));
            times.push_back(static_cast<double>(random.below(n_times)) / 4 - 10);
        }
        if (seed % 3 == 0) {
            std::sort(sessions.begin(), sessions.end());  // grouped
        }
        if (seed % 5 == 0) {
            std::sort(times.begin(), times.end());
        }
        const Dataset data = make_dataset(sessions, items, times, ReadOptions{.keep_session_ids = KeepSessionIds::yes});

        std::vector<std::int64_t> order;  // session ids by first appearance
        std::map<std::int64_t, std::vector<std::pair<double, std::string>>> expected;
        std::map<std::string, std::int64_t> supports;
        for (std::size_t e = 0; e < n; ++e) {
            if (!expected.contains(sessions[e])) {
                order.push_back(sessions[e]);
            }
            expected[sessions[e]].emplace_back(times[e], std::to_string(items[e]));
            ++supports[std::to_string(items[e])];
        }
        REQUIRE(data.n_sessions() == static_cast<Index>(order.size()));
        std::vector<std::pair<double, Index>> firsts;
        for (std::size_t s = 0; s < order.size(); ++s) {
            auto& events = expected[order[s]];
            std::stable_sort(events.begin(), events.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; });
            Texts wanted;
            for (const auto& event : events) {
                wanted.push_back(event.second);
            }
            REQUIRE(ids(data, static_cast<Index>(s)) == wanted);
            REQUIRE(data.session_id(to_session(static_cast<Index>(s))) == std::to_string(order[s]));
            firsts.emplace_back(events.front().first, static_cast<Index>(s));
        }
        std::sort(firsts.begin(), firsts.end());
        std::vector<Index> wanted_order;
        for (const auto& first : firsts) {
            wanted_order.push_back(first.second);
        }
        REQUIRE(time_order(data) == wanted_order);
        for (Index item = 0; item < data.n_items(); ++item) {
            REQUIRE(data.supports()[static_cast<std::size_t>(item)] ==
                    supports.at(std::string(data.items().id(gru4rec::to_item(item)))));
        }
        REQUIRE(data.n_items() == static_cast<Index>(supports.size()));
        REQUIRE(data.n_pairs() == data.n_events() - data.n_sessions());
    }
}

}  // namespace
