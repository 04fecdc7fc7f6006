#include "gru4rec/core/packed_lists.hpp"

#include "gru4rec/core/types.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::detail::PackedLists;

std::vector<int> list(const PackedLists<int>& lists, Index i) { return {lists[i].begin(), lists[i].end()}; }

TEST_CASE("lists are read back as they were added, empty ones among them") {
    PackedLists<int> lists;
    CHECK(lists.size() == 0);
    lists.push_back(std::vector<int>{3, 1});
    lists.push_back({});
    lists.push_back(std::vector<int>{4});
    REQUIRE(lists.size() == 3);
    CHECK(list(lists, 0) == std::vector<int>{3, 1});
    CHECK(lists[1].empty());
    CHECK(list(lists, 2) == std::vector<int>{4});
    CHECK(std::vector<int>(lists.values().begin(), lists.values().end()) == std::vector<int>{3, 1, 4});
}

TEST_CASE("lists of known sizes may be filled in any order") {
    auto lists = PackedLists<int>::of_sizes(std::vector<int>{2, 0, 3, 1});
    REQUIRE(lists.size() == 4);
    for (const auto& [i, value] : {std::pair{2, 20}, {0, 0}, {3, 30}, {2, 21}, {0, 1}, {2, 22}}) {
        lists.append(i, value);
    }
    CHECK(list(lists, 0) == std::vector<int>{0, 1});
    CHECK(lists[1].empty());
    CHECK(list(lists, 2) == std::vector<int>{20, 21, 22});
    CHECK(list(lists, 3) == std::vector<int>{30});
}

TEST_CASE("new sizes replace all lists, within the memory that was reserved") {
    PackedLists<int> lists;
    lists.reserve(3, 4);
    lists.assign_sizes(std::vector<int>{1, 3});
    const int* const memory = lists.values().data();
    lists.append(0, 7);
    lists.assign_sizes(std::vector<int>{0, 2, 2});
    REQUIRE(lists.size() == 3);
    for (const auto& [i, value] : {std::pair{2, 20}, {1, 10}, {2, 21}, {1, 11}}) {
        lists.append(i, value);
    }
    CHECK(lists[0].empty());
    CHECK(list(lists, 1) == std::vector<int>{10, 11});
    CHECK(list(lists, 2) == std::vector<int>{20, 21});
    CHECK(lists.values().data() == memory);
}

TEST_CASE("zero lists are valid") {
    CHECK(PackedLists<int>::of_sizes(std::vector<int>{}).size() == 0);
    CHECK(PackedLists<int>::of_sizes(std::vector<int>{0, 0}).size() == 2);
}

}  // namespace
