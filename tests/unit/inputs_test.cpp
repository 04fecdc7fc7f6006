#include "gru4rec/batch/inputs.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::to_item;
using gru4rec::detail::InputHistory;
using gru4rec::detail::InputItems;
using gru4rec::detail::LaneInputs;

using Shares = std::vector<std::pair<Index, double>>;

Shares shares_of(const InputItems& items, Index i) {
    Shares result;
    for (const InputItems::Share& share : items.shares(i)) {
        result.emplace_back(share.lane, share.weight);
    }
    return result;
}

}  // namespace

TEST_CASE("an item that several lanes feed, or one lane twice, has all their shares, lane by lane") {
    InputItems items(7);
    const std::vector<ItemIndex> fed = {to_item(5), to_item(2), to_item(5), to_item(2), to_item(8)};
    const std::vector<double> weights = {0.2, 0.3, 0.5, 1, 0.25};
    const std::vector<Index> ends = {3, 4, 5};
    items.build(LaneInputs(fed, weights, ends));
    REQUIRE(items.size() == 3);
    CHECK(std::vector<ItemIndex>(items.items().begin(), items.items().end()) ==
          std::vector<ItemIndex>{to_item(5), to_item(2), to_item(8)});
    CHECK(shares_of(items, 0) == Shares{{0, 0.2}, {0, 0.5}});
    CHECK(shares_of(items, 1) == Shares{{0, 0.3}, {1, 1}});
    CHECK(shares_of(items, 2) == Shares{{2, 0.25}});

    const std::vector<ItemIndex> one_each = {to_item(2), to_item(9), to_item(2)};
    items.build(one_each);  // of the step before nothing is left
    REQUIRE(items.size() == 2);
    CHECK(shares_of(items, 0) == Shares{{0, 1}, {2, 1}});
    CHECK(shares_of(items, 1) == Shares{{1, 1}});
    items.build(LaneInputs{});
    CHECK(items.size() == 0);
}

TEST_CASE("weights of a history decay with age, add up to one and end at the maximum age") {
    const InputHistory history(0.5, 3);
    CHECK(history.max_events() == 3);
    CHECK(history.length(1) == 1);
    CHECK(history.length(2) == 2);
    CHECK(history.length(9) == 3);
    CHECK(history.weight(0, 1) == 1);
    CHECK(history.weight(0, 2) == doctest::Approx(1 / 1.5));
    CHECK(history.weight(1, 2) == doctest::Approx(0.5 / 1.5));
    CHECK(history.weight(0, 3) == doctest::Approx(1 / 1.75));
    CHECK(history.weight(2, 3) == doctest::Approx(0.25 / 1.75));
    CHECK(InputHistory(1, 4).weight(3, 4) == 0.25);
    CHECK(InputHistory().length(7) == 1);
    CHECK(InputHistory().weight(0, 1) == 1);
}
