#include "gru4rec/data/time_order.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/time_column.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::SessionIndex;
using gru4rec::detail::EventTime;
using gru4rec::detail::Random;
using gru4rec::detail::TimeColumn;

struct Times {
    std::uint64_t range;  ///< of the whole seconds
    std::uint32_t unit;   ///< of the fractions, in nanoseconds; 0: none
    std::int64_t first = 0;
};

void check_order(std::uint64_t seed, Index n_sessions, const Times& kind, std::uint64_t one_in_empty) {
    Random random(seed, Random::Stream::test);
    std::vector<Index> offsets{0};
    TimeColumn times;
    for (Index s = 0; s < n_sessions; ++s) {
        offsets.push_back(offsets.back() + (random.below(one_in_empty) == 0 ? 0 : 2));
        const auto whole = static_cast<std::int64_t>(static_cast<std::uint64_t>(kind.first) + random.below(kind.range));
        const auto steps = kind.unit == 0 ? 0 : random.below(1'000'000'000 / kind.unit);
        times.push_back({whole, static_cast<std::uint32_t>(steps) * kind.unit});
    }
    const auto has_events = [&](SessionIndex s) {
        const auto at = static_cast<std::size_t>(to_index(s));
        return offsets[at] < offsets[at + 1];
    };
    std::vector<SessionIndex> expected;
    for (Index s = 0; s < n_sessions; ++s) {
        expected.push_back(gru4rec::to_session(s));
    }
    const auto empty = std::stable_partition(expected.begin(), expected.end(), has_events);
    std::stable_sort(expected.begin(), empty, [&](SessionIndex a, SessionIndex b) {
        return times[static_cast<std::size_t>(to_index(a))] < times[static_cast<std::size_t>(to_index(b))];
    });
    for (const int threads : {1, 2, 4}) {
        gru4rec::with_threads(threads, [&] { CHECK(gru4rec::detail::order_by_time(offsets, times) == expected); });
    }
}

TEST_CASE("sessions come in the order of their times and indices, whatever unit the times have") {
    constexpr auto least = (std::numeric_limits<std::int64_t>::min)();
    constexpr auto all = (std::numeric_limits<std::uint64_t>::max)();
    std::uint64_t seed = 0;
    for (const Index n : {0, 1, 2, 3, 100, sweep::is_thin ? 1000 : 20'000}) {
        for (const Times& kind : {Times{1, 0}, Times{50, 0}, Times{15'000'000, 0, 1'396'310'400},
                                  Times{15'000'000, 1'000'000, 1'396'310'400}, Times{50, 250'000'000, -25},
                                  Times{15'000'000, 1'000, 1'396'310'400}, Times{15'000'000, 1, 1'396'310'400},
                                  Times{3, 7, -1}, Times{all, 0, least}, Times{all, 1, least}}) {
            CAPTURE(n);
            CAPTURE(kind.range);
            CAPTURE(kind.unit);
            check_order(++seed, n, kind, 1'000'000);
            check_order(++seed, n, kind, 3);
        }
    }
}

TEST_CASE("times are packed if they fit into 64 bits together with the index of the session") {
    const std::vector<SessionIndex> sessions{gru4rec::to_session(0), gru4rec::to_session(1)};
    const auto is_packed = [&](EventTime first, EventTime second) {
        TimeColumn times;
        times.push_back(first);
        times.push_back(second);
        std::vector<SessionIndex> order = sessions;
        return gru4rec::detail::sort_packed(order, times);
    };
    CHECK(is_packed({(std::int64_t{1} << 62U) - 1, 0}, {0, 0}));
    CHECK_FALSE(is_packed({std::int64_t{1} << 62U, 0}, {0, 0}));
    CHECK(is_packed({15'000'000, 1}, {0, 0}));
    CHECK(is_packed({(std::int64_t{1} << 52U) - 1, 500'000'000}, {0, 0}));
    CHECK(is_packed({(std::int64_t{1} << 52U) - 1, 500'000}, {0, 0}));
    CHECK_FALSE(is_packed({(std::int64_t{1} << 52U) - 1, 250'000}, {0, 0}));
}

TEST_CASE("values with equal high bits stay in their order") {
    Random random(9, Random::Stream::test);
    for (const unsigned first_bit : {0U, 5U, 20U}) {
        for (const unsigned n_bits : {0U, 1U, 10U, 11U, 12U, 33U, 64U}) {
            std::vector<std::uint64_t> values;
            for (int i = 0; i < 3000; ++i) {
                values.push_back(n_bits == 0 ? 0 : random.next() >> (64 - n_bits));
            }
            std::vector<std::uint64_t> expected = values;
            std::stable_sort(expected.begin(), expected.end(),
                             [&](std::uint64_t a, std::uint64_t b) { return a >> first_bit < b >> first_bit; });
            gru4rec::detail::radix_sort(values, first_bit);
            CHECK(values == expected);
        }
    }
}

}  // namespace
