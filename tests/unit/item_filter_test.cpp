#include "gru4rec/serve/item_filter.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemFilter;
using gru4rec::ItemIndex;
using gru4rec::to_item;

/// Compares all that a filter tells with a plain array.
void check_equal(const ItemFilter& filter, const std::vector<bool>& wanted) {
    CHECK(filter.n_items() == static_cast<Index>(wanted.size()));
    CHECK(filter.n_allowed() == std::count(wanted.begin(), wanted.end(), true));
    CHECK(filter.words().size() == (wanted.size() + 63) / 64);
    std::vector<std::uint64_t> words((wanted.size() + 63) / 64, 0);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        CHECK(filter.allows(to_item(static_cast<Index>(i))) == wanted[i]);
        words[i / 64] |= std::uint64_t{wanted[i]} << (i % 64);
    }
    CHECK(std::equal(words.begin(), words.end(), filter.words().begin()));
    CHECK_FALSE(filter.allows(to_item(static_cast<Index>(wanted.size()))));
    CHECK_FALSE(filter.allows(ItemIndex{-1}));
}

}  // namespace

TEST_CASE("a filter allows all items, certain ones, or all but certain ones, however often these are named") {
    naive::Engine engine(1);
    for (const std::size_t n : std::vector<std::size_t>{0, 1, 63, 64, 65, 128, 1000}) {
        CAPTURE(n);
        const auto n_items = static_cast<Index>(n);
        check_equal(ItemFilter(n_items), std::vector<bool>(n, true));
        check_equal(ItemFilter::only(n_items, {}), std::vector<bool>(n, false));
        check_equal(ItemFilter::exclude(n_items, {}), std::vector<bool>(n, true));
        for (int round = 0; round < 10 && n > 0; ++round) {
            std::vector<ItemIndex> items;
            std::vector<bool> named(n, false);
            for (std::size_t left = 2 * naive::uniform_index(engine, n + 1); left > 0; --left) {
                items.push_back(to_item(static_cast<Index>(naive::uniform_index(engine, n))));
                named[static_cast<std::size_t>(items.back())] = true;
            }
            check_equal(ItemFilter::only(n_items, items), named);
            std::vector<bool> others = named;
            others.flip();
            check_equal(ItemFilter::exclude(n_items, items), others);
        }
    }
}

TEST_CASE("items are allowed and forbidden one by one, and copies are independent") {
    constexpr std::size_t n = 131;
    naive::Engine engine(2);
    ItemFilter filter(n);
    std::vector<bool> wanted(n, true);
    for (int step = 0; step < 1000; ++step) {
        const std::size_t i = naive::uniform_index(engine, n);
        const bool allow = naive::uniform(engine) < 0.4;
        if (allow) {
            filter.allow(to_item(static_cast<Index>(i)));
        } else {
            filter.forbid(to_item(static_cast<Index>(i)));
        }
        wanted[i] = allow;
    }
    check_equal(filter, wanted);
    ItemFilter copy = filter;
    CHECK(copy == filter);
    copy.allow(ItemIndex{130});
    copy.forbid(ItemIndex{0});
    check_equal(filter, wanted);
    CHECK(copy != filter);
}

TEST_CASE("items that the catalogue does not have and impossible sizes are refused") {
    using gru4rec::ContractError;
    ItemFilter filter(64);
    CHECK_THROWS_WITH_AS(filter.allow(ItemIndex{64}), "gru4rec: item = 64, must satisfy 0 <= item < 64", ContractError);
    CHECK_THROWS_WITH_AS(filter.forbid(ItemIndex{-1}), "gru4rec: item = -1, must satisfy 0 <= item < 64",
                         ContractError);
    CHECK(filter == ItemFilter(64));
    const std::vector<ItemIndex> items = {ItemIndex{3}, ItemIndex{70}};
    CHECK_THROWS_WITH_AS(static_cast<void>(ItemFilter::only(64, items)), doctest::Contains("item = 70"), ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(ItemFilter::exclude(64, items)), doctest::Contains("item = 70"),
                         ContractError);
    CHECK_THROWS_WITH_AS(ItemFilter(-1), doctest::Contains("n_items = -1"), ContractError);
    constexpr std::int64_t too_many = std::int64_t{1} << 31;
    if (too_many <= (std::numeric_limits<Index>::max)()) {
        CHECK_THROWS_WITH_AS(ItemFilter(static_cast<Index>(too_many)), doctest::Contains("n_items = 2147483648"),
                             ContractError);
    }
}
