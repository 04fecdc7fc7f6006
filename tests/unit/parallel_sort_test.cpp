#include "gru4rec/core/parallel_sort.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace {

using gru4rec::detail::Random;

TEST_CASE("distinct values come out as std::sort orders them, with any number of threads") {
    constexpr std::uint64_t seed = 3;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    for (const std::size_t size : {0U, 1U, 2U, 255U, 1000U, 65'536U, 65'537U, 200'000U}) {
        if (sweep::is_thin && size > 65'537) {
            continue;
        }
        for (const unsigned bits : {0U, 1U, 8U, 9U, 35U, 64U}) {
            CAPTURE(size);
            CAPTURE(bits);
            std::vector<std::pair<std::uint64_t, std::int32_t>> values;  // the second makes equal keys distinct
            for (std::size_t i = 0; i < size; ++i) {
                values.emplace_back(bits == 0 ? 7 : random.next() >> (64 - bits), static_cast<std::int32_t>(i));
            }
            auto expected = values;
            std::sort(expected.begin(), expected.end());
            for (const int threads : {1, 2, 4}) {
                auto sorted = values;
                gru4rec::with_threads(threads, [&] { gru4rec::detail::parallel_sort(std::span(sorted)); });
                CHECK(sorted == expected);
            }
        }
    }
}

}  // namespace
