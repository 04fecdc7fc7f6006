#include "gru4rec/core/radix_sort.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using gru4rec::detail::Random;

TEST_CASE("keys and values come out as std::stable_sort brings them, with any number of threads") {
    constexpr std::uint64_t seed = 3;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    for (const std::size_t size : {0U, 1U, 2U, 255U, 1000U, 65'536U, 65'537U, 200'000U}) {
        for (const unsigned bits : {0U, 1U, 8U, 9U, 35U, 64U}) {
            CAPTURE(size);
            CAPTURE(bits);
            std::vector<std::pair<std::uint64_t, std::int32_t>> expected;
            for (std::size_t i = 0; i < size; ++i) {
                expected.emplace_back(bits == 0 ? 7 : random.next() >> (64 - bits), static_cast<std::int32_t>(i));
            }
            for (const int threads : {1, 2, 4}) {
                std::vector<std::uint64_t> keys;
                std::vector<std::int32_t> values;
                for (const auto& [key, value] : expected) {
                    keys.push_back(key);
                    values.push_back(value);
                }
                gru4rec::with_threads(threads, [&] { gru4rec::detail::radix_sort(keys, values); });
                auto sorted = expected;
                std::stable_sort(sorted.begin(), sorted.end(),
                                 [](const auto& a, const auto& b) { return a.first < b.first; });
                bool same = keys.size() == size && values.size() == size;
                for (std::size_t i = 0; same && i < size; ++i) {
                    same = keys[i] == sorted[i].first && values[i] == sorted[i].second;
                }
                CHECK(same);
            }
        }
    }
}

}  // namespace
