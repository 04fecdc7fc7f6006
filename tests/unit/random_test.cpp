#include "gru4rec/core/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <vector>

namespace {

using gru4rec::detail::Random;
using Stream = Random::Stream;

// Worked out with an independent program (Python integers). Every seeded result of the library depends on these
// numbers: if one of these tests is red, the stream has changed, and with it what every seed means.

TEST_CASE("the stream of a key is pinned") {
    Random random(42, Stream::test);
    CHECK(random.next() == 0x93601b4d88231d26U);
    CHECK(random.next() == 0xc848dfa0be273f58U);
    CHECK(random.next() == 0x6fc5093bfa10dbf6U);
    CHECK(random.next() == 0x2a537bc1a1d746f5U);

    Random positioned(42, Stream::dropout, {3, 7});
    CHECK(positioned.next() == 0x00cc4e0db76a8b61U);
    CHECK(positioned.next() == 0x5c540b7749774e56U);

    Random zero(0, Stream::initialise);
    CHECK(zero.next() == 0x9bb90c1a59528ba8U);
    CHECK(zero.next() == 0xf9583d461dfaa746U);
}

TEST_CASE("the stream is the same at compile time") {
    static_assert(Random(42, Stream::test).bits(0) == 0x93601b4d88231d26U);
    static_assert(Random(42, Stream::test).bits(3) == 0x2a537bc1a1d746f5U);
}

TEST_CASE("bounded numbers, uniform numbers and permutations are pinned") {
    Random random(42, Stream::test);
    CHECK(random.below(1) == 0U);
    CHECK(random.below(2) == 1U);
    CHECK(random.below(10) == 4U);
    CHECK(random.below(1000) == 165U);
    CHECK(random.below(std::uint64_t{3} << 62U) == 10569397784004852415U);
    CHECK(random.below(0xffffffffffffffffU) == 5123206238591685644U);
    CHECK(random.below((std::uint64_t{1} << 63U) + 1) == 8282037390047170595U);

    Random reals(42, Stream::test);
    CHECK(reals.uniform() == 0.5756852211271845);
    CHECK(reals.uniform() == 0.7823619620741312);

    std::array<int, 10> values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    Random(7, Stream::test).shuffle(std::span<int>(values));
    CHECK(values == std::array<int, 10>{4, 5, 7, 1, 8, 2, 3, 0, 6, 9});
}

TEST_CASE("bounded numbers of bounds of every size are pinned") {
    Random random(9, Stream::test);
    Random bounds(10, Stream::test);
    std::uint64_t all = 0;
    for (unsigned i = 0; i < 500; ++i) {
        all = gru4rec::detail::mix64(all ^ random.below((bounds.next() >> (i % 64)) + 1));
    }
    CHECK(all == 0x4e1195a5476f33dfU);
}

TEST_CASE("normal numbers are pinned") {
    const Random random(42, Stream::test);
    CHECK(random.normal(0) == doctest::Approx(0.26441990766333456).epsilon(1e-13));
    CHECK(random.normal(1) == doctest::Approx(0.5433501239644032).epsilon(1e-13));
    CHECK(random.normal(2) == doctest::Approx(-0.2945666302929489).epsilon(1e-13));
    CHECK(random.normal(3) == doctest::Approx(2.117422337814859).epsilon(1e-13));
}

TEST_CASE("any number of the stream can be computed without those before it") {
    Random random(5, Stream::sample, {1, 2});
    const Random same(5, Stream::sample, {1, 2});
    for (std::uint64_t n = 0; n < 100; ++n) {
        CHECK(random.next() == same.bits(n));
    }
}

TEST_CASE("seed, purpose and every part of the position select different streams") {
    const std::vector<Random> streams{
        Random(1, Stream::test),         Random(2, Stream::test),         Random(1, Stream::sample),
        Random(1, Stream::test, {0}),    Random(1, Stream::test, {1}),    Random(1, Stream::test, {0, 0}),
        Random(1, Stream::test, {0, 1}), Random(1, Stream::test, {1, 0}), Random(1, Stream::test, {2})};
    std::vector<std::uint64_t> numbers;
    for (const Random& stream : streams) {
        for (std::uint64_t n = 0; n < 1000; ++n) {
            numbers.push_back(stream.bits(n));
        }
    }
    std::sort(numbers.begin(), numbers.end());
    CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
}

TEST_CASE("uniform numbers lie in [0, 1) and fill it evenly") {
    Random random(11, Stream::test);
    constexpr int n = 100'000;
    std::array<int, 10> histogram{};
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const double x = random.uniform();
        REQUIRE(x >= 0);
        REQUIRE(x < 1);
        sum += x;
        ++histogram[static_cast<std::size_t>(x * 10)];
    }
    CHECK(sum / n == doctest::Approx(0.5).epsilon(0.01));  // standard deviation of the mean: 0.0009
    for (const int count : histogram) {
        CHECK(count > 10'000 - 500);  // standard deviation: 95
        CHECK(count < 10'000 + 500);
    }
}

TEST_CASE("bounded numbers are below their bound and equally frequent") {
    for (const std::uint64_t bound : {1U, 2U, 3U, 7U, 10U}) {
        CAPTURE(bound);
        Random random(3, Stream::test, {bound});
        std::vector<int> histogram(bound);
        const auto n = static_cast<int>(bound) * 10'000;
        for (int i = 0; i < n; ++i) {
            const std::uint64_t x = random.below(bound);
            REQUIRE(x < bound);
            ++histogram[x];
        }
        for (const int count : histogram) {
            CHECK(count > 10'000 - 500);
            CHECK(count < 10'000 + 500);
        }
    }
}

TEST_CASE("bounded numbers are unbiased even if the bound is not small against 2^64") {
    // Of every four 64-bit words, a plain scaling to 3/4 of their range would send two to a multiple of 3.
    Random random(17, Stream::test);
    std::array<int, 3> residues{};
    for (int i = 0; i < 30'000; ++i) {
        ++residues[random.below(std::uint64_t{3} << 62U) % 3];
    }
    for (const int count : residues) {
        CHECK(count > 10'000 - 500);
        CHECK(count < 10'000 + 500);
    }
}

TEST_CASE("a shuffle permutes, and every permutation is equally likely") {
    Random random(23, Stream::test);
    std::map<std::vector<int>, int> seen;
    for (int i = 0; i < 60'000; ++i) {
        std::vector<int> values{0, 1, 2};
        random.shuffle(std::span<int>(values));
        ++seen[values];
    }
    REQUIRE(seen.size() == 6U);
    for (const auto& [values, count] : seen) {
        CHECK(count > 10'000 - 500);
        CHECK(count < 10'000 + 500);
    }

    std::vector<int> none;
    random.shuffle(std::span<int>(none));
    std::vector<int> many(1000);
    std::iota(many.begin(), many.end(), 0);
    std::vector<int> shuffled = many;
    random.shuffle(std::span<int>(shuffled));
    CHECK(shuffled != many);
    std::sort(shuffled.begin(), shuffled.end());
    CHECK(shuffled == many);
}

}  // namespace
