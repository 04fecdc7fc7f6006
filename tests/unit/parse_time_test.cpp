#include "gru4rec/data/parse_time.hpp"

#include "gru4rec/core/random.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::detail::EventTime;
using gru4rec::detail::format_time;
using gru4rec::detail::parse_time;
using gru4rec::detail::Random;
using gru4rec::detail::to_event_time;

constexpr std::int64_t largest = (std::numeric_limits<std::int64_t>::max)();
constexpr std::int64_t smallest = (std::numeric_limits<std::int64_t>::min)();

TEST_CASE("the fast path takes 8 to 18 digits and a fraction of up to 7, and nothing else") {
    using gru4rec::detail::parse_plain_time;
    EventTime time;
    constexpr std::string_view fraction = ".1234567";
    std::uint32_t nanoseconds = 0;
    std::uint32_t unit = 100'000'000;
    for (std::size_t n = 1; n <= 7; ++n, unit /= 10) {
        nanoseconds += unit * static_cast<std::uint32_t>(n);
        const std::string text = "1396310400" + std::string(fraction.substr(0, n + 1));
        REQUIRE(parse_plain_time(text, time));
        CHECK(time == EventTime{1396310400, nanoseconds});
    }
    REQUIRE(parse_plain_time("00000007", time));
    CHECK(time == EventTime{7, 0});
    REQUIRE(parse_plain_time("123456789012345678.7654321", time));
    CHECK(time == EventTime{123'456'789'012'345'678, 765'432'100});
    for (const std::string_view text : {"",
                                        "1234567",
                                        "1234567.5",
                                        "abcdefgh",
                                        "zzzzzzzz",
                                        "////////",
                                        "1234567:",
                                        "1234567/",
                                        "12345678:",
                                        "12345678/",
                                        "12345678.",
                                        "12345678x5",
                                        "12345678.x",
                                        "12345678.1x3",
                                        "12345678.12345678",
                                        "12345678.123456789",
                                        "1234567890123456789",
                                        "1234567890123456789.5",
                                        "-12345678",
                                        "12345678e1"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_plain_time(text, time));
    }
}

TEST_CASE("times are integers, decimals and powers of ten") {
    const std::vector<std::pair<std::string_view, EventTime>> table{
        {"0", {0, 0}},
        {"-0", {0, 0}},
        {"0.0", {0, 0}},
        {"-0.000", {0, 0}},
        {"007", {7, 0}},
        {"1396310400", {1396310400, 0}},
        {"1396310400.25", {1396310400, 250'000'000}},
        {"1.", {1, 0}},
        {".5", {0, 500'000'000}},
        {"-.5", {-1, 500'000'000}},
        {"-1.25", {-2, 750'000'000}},
        {"-2.0", {-2, 0}},
        {"1.4e9", {1'400'000'000, 0}},
        {"1.396310400125E+09", {1396310400, 125'000'000}},
        {"1.5e+12", {1'500'000'000'000, 0}},
        {"25e-1", {2, 500'000'000}},
        {"0.00012e4", {1, 200'000'000}},
        {"1e-9", {0, 1}},
        {"4e-10", {0, 0}},
        {"5e-10", {0, 1}},
        {"-1e-9", {-1, 999'999'999}},
        {"0.123456789", {0, 123'456'789}},
        {"0.1234567894", {0, 123'456'789}},
        {"0.1234567896", {0, 123'456'790}},
        {"1.9999999999", {2, 0}},
        {"-1.9999999999", {-2, 0}},
        {"9223372036854775807", {largest, 0}},
        {"-9223372036854775808", {smallest, 0}},
        {"9223372036854775807.5", {largest, 500'000'000}},
        {"-9223372036854775808.0", {smallest, 0}},
        {"-9223372036854775807.5", {smallest, 500'000'000}},
        {"922337203685477580.7e1", {largest, 0}},
        {"0e2000000000", {0, 0}},
        {"1e-2000000000", {0, 0}},
        {"00000000000000000000000000000000000000000000000001.5", {1, 500'000'000}},
        {"1.50000000000000000000000000000000000000000000000000", {1, 500'000'000}},
        {"10000000000000000000000000000000000000000000000000e-49", {1, 0}}};
    for (const auto& row : table) {
        CAPTURE(row.first);
        const auto time = parse_time(row.first);
        REQUIRE(time.has_value());
        CHECK(time->whole == row.second.whole);
        CHECK(time->nanoseconds == row.second.nanoseconds);
    }
}

TEST_CASE("text that is not a number or does not fit is not a time") {
    for (const std::string_view text : {"",
                                        " ",
                                        "-",
                                        ".",
                                        "-.",
                                        "+1",
                                        "1 ",
                                        " 1",
                                        "1.2.3",
                                        "1e",
                                        "1e+",
                                        "1e+-1",
                                        "1e1.5",
                                        "e5",
                                        "--1",
                                        "1-",
                                        "1,5",
                                        "0x1",
                                        "nan",
                                        "inf",
                                        "-inf",
                                        "NaN",
                                        "2015-04-01",
                                        "2015-04-01T10:00:00Z",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "9223372036854775807.9999999999",
                                        "-9223372036854775808.1",
                                        "1e19",
                                        "1e30",
                                        "99999999999999999999",
                                        "18446744073709551616",
                                        "1e99999999999"}) {
        CAPTURE(text);
        CHECK(parse_time(text) == std::nullopt);
    }
}

TEST_CASE("times sort as the numbers do, near zero and far from it") {
    const std::vector<std::string_view> ascending{"-9223372036854775808",
                                                  "-2.5",
                                                  "-2",
                                                  "-1.000000001",
                                                  "-1",
                                                  "-0.999999999",
                                                  "0",
                                                  "0.000000001",
                                                  "1",
                                                  "1.5",
                                                  "9007199254740993",
                                                  "9007199254740993.5",
                                                  "9007199254740994"};
    for (std::size_t i = 1; i < ascending.size(); ++i) {
        CAPTURE(ascending[i]);
        CHECK(parse_time(ascending[i - 1]) < parse_time(ascending[i]));
    }
}

TEST_CASE("floating-point seconds are rounded to the nearest nanosecond") {
    CHECK(to_event_time(1.1) == EventTime{1, 100'000'000});
    CHECK(to_event_time(-1.25) == EventTime{-2, 750'000'000});
    CHECK(to_event_time(1.9999999999) == EventTime{2, 0});
    CHECK(to_event_time(-0.0) == EventTime{0, 0});
    CHECK(to_event_time(-0x1p63) == EventTime{smallest, 0});
    CHECK(to_event_time(0x1p63) == std::nullopt);
    CHECK(to_event_time(std::nextafter(0x1p63, 0.0)).has_value());
    CHECK(to_event_time(std::numeric_limits<double>::quiet_NaN()) == std::nullopt);
    CHECK(to_event_time(std::numeric_limits<double>::infinity()) == std::nullopt);
    CHECK(to_event_time(-std::numeric_limits<double>::infinity()) == std::nullopt);
}

TEST_CASE("a formatted time reads back as itself") {
    CHECK(format_time({12, 0}) == "12");
    CHECK(format_time({12, 500'000'000}) == "12.5");
    CHECK(format_time({0, 1}) == "0.000000001");
    CHECK(format_time({-1, 500'000'000}) == "-0.5");
    CHECK(format_time({-2, 750'000'000}) == "-1.25");
    CHECK(format_time({smallest, 0}) == "-9223372036854775808");
    constexpr std::uint64_t seed = 4;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    for (int i = 0; i < 10'000; ++i) {
        const EventTime time{static_cast<std::int64_t>(random.next()) >> random.below(64),
                             static_cast<std::uint32_t>(random.below(1'000'000'000))};
        CAPTURE(format_time(time));
        REQUIRE(parse_time(format_time(time)) == time);
    }
    for (const EventTime time : {EventTime{smallest, 1}, EventTime{largest, 999'999'999}}) {
        CHECK(parse_time(format_time(time)) == time);
    }
}

}  // namespace
