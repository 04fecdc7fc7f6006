#include "gru4rec/core/types.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

using gru4rec::checked_item;
using gru4rec::Index;
using gru4rec::to_index;

TEST_CASE("an index that fits becomes an item and comes back") {
    for (const Index index : {Index{0}, Index{7}, Index{2147483647}}) {
        CHECK(to_index(checked_item(index)) == index);
    }
}

TEST_CASE("an index that does not fit throws instead of wrapping around to another item") {
    CHECK_THROWS_WITH_AS((void)checked_item(-1),
                         "gru4rec: item index -1 is out of range, must satisfy 0 <= index < 2147483648",
                         gru4rec::ContractError);
    if constexpr (sizeof(Index) > 4) {
        CHECK_THROWS_AS((void)checked_item(static_cast<Index>((std::int64_t{1} << 32) + 5)), gru4rec::ContractError);
        CHECK_THROWS_AS((void)checked_item((std::numeric_limits<Index>::max)()), gru4rec::ContractError);
    }
}
