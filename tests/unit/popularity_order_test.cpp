#include "gru4rec/baselines/popularity.hpp"

#include "gru4rec/data/dataset.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

// a 1, b 3, c 1, d 2 events.
const gru4rec::Dataset data = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1, 1, 2, 2, 2},
                                                    std::vector<std::string>{"a", "b", "b", "c", "d", "d", "b"},
                                                    std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7});

TEST_CASE("items are ordered by popularity, equal ones by index, all strictly between 0 and 1") {
    CHECK(gru4rec::detail::popularity_order(data) == std::vector<double>{2.0 / 5, 4.0 / 5, 1.0 / 5, 3.0 / 5});
    CHECK(gru4rec::detail::popularity_order(gru4rec::Dataset()).empty());
}

TEST_CASE("the small order is the same below a millionth") {
    CHECK(gru4rec::detail::small_popularity_order(data) ==
          std::vector<double>{2.0 / 5 * 1e-6, 4.0 / 5 * 1e-6, 1.0 / 5 * 1e-6, 3.0 / 5 * 1e-6});
}

}  // namespace
