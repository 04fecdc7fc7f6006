#include "gru4rec/batch/item_numbers.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>

using gru4rec::to_item;
using gru4rec::detail::ItemNumbers;

TEST_CASE("an item keeps the first value stored for it until all are cleared") {
    ItemNumbers slots(3);
    CHECK(slots.find(to_item(7)) == -1);
    CHECK(slots.find(to_item(0)) == -1);  // an empty slot holds a zero, but no item 0
    CHECK(slots.find_or_insert(to_item(7), 4) == 4);
    CHECK(slots.find_or_insert(to_item(7), 5) == 4);
    CHECK(slots.find_or_insert(to_item(0), 0) == 0);
    CHECK(slots.find(to_item(7)) == 4);
    CHECK(slots.find(to_item(0)) == 0);
    slots.clear();
    CHECK(slots.find(to_item(7)) == -1);
    CHECK(slots.find_or_insert(to_item(7), 9) == 9);
}

TEST_CASE("up to its capacity, no item is lost or mistaken for another, near or far") {
    for (const std::size_t capacity : {std::size_t{1}, std::size_t{2}, std::size_t{31}, std::size_t{500}}) {
        ItemNumbers slots(static_cast<gru4rec::Index>(capacity));
        naive::Engine engine(capacity);
        for (int round = 0; round < 30; ++round) {
            slots.clear();
            std::map<gru4rec::Index, std::int32_t> expected;
            while (expected.size() < capacity) {
                // Small numbers, multiples of a power of two, and anything up to the largest item.
                const std::size_t n = naive::uniform_index(engine, 2 * capacity);
                const auto item =
                    static_cast<gru4rec::Index>(round % 3 == 0   ? n
                                                : round % 3 == 1 ? n << 16U
                                                                 : naive::uniform_index(engine, 2'147'483'648U));
                const auto value = static_cast<std::int32_t>(expected.size());
                const std::int32_t first = expected.try_emplace(item, value).first->second;
                CHECK(slots.find_or_insert(to_item(item), value) == first);
            }
            for (const auto& [item, value] : expected) {
                CHECK(slots.find(to_item(item)) == value);
                CHECK((expected.contains(item + 1) || item == 2'147'483'647 || slots.find(to_item(item + 1)) == -1));
            }
        }
    }
}
