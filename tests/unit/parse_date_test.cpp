#include "gru4rec/data/parse_date.hpp"

#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/time_column.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string_view>

namespace {

using gru4rec::detail::EventTime;
using gru4rec::detail::parse_date;

/// Days since 1970-01-01 of the proleptic Gregorian calendar, counted year by year.
[[nodiscard]] std::int64_t naive_days(int year, int month, int day) {
    const auto is_leap = [](int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; };
    std::int64_t days = 0;
    for (int y = 1970; y < year; ++y) {
        days += is_leap(y) ? 366 : 365;
    }
    for (int y = year; y < 1970; ++y) {
        days -= is_leap(y) ? 366 : 365;
    }
    const int lengths[] = {31, is_leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int m = 1; m < month; ++m) {
        days += lengths[m - 1];
    }
    return days + day - 1;
}

}  // namespace

TEST_CASE("ISO 8601 dates and their common forms are seconds since 1970") {
    struct Row {
        std::string_view text;
        EventTime time;
    };
    for (const Row& row : {
             Row{"1970-01-01", {0, 0}},
             Row{"2015-05-10T05:29:32.404Z", {1'431'235'772, 404'000'000}},
             Row{"2015-05-10t05:29:32z", {1'431'235'772, 0}},
             Row{"2015-05-10 05:29:32 UTC", {1'431'235'772, 0}},
             Row{"2015-05-10 05:29:32", {1'431'235'772, 0}},
             Row{"2015-05-10  05:29:32 GMT", {1'431'235'772, 0}},
             Row{"2015-05-10 05:29", {1'431'235'740, 0}},
             Row{"2015-05-10", {1'431'216'000, 0}},
             Row{"2015-05-10T07:29:32+02:00", {1'431'235'772, 0}},
             Row{"2015-05-10T07:29:32+0200", {1'431'235'772, 0}},
             Row{"2015-05-10T07:29:32 +02", {1'431'235'772, 0}},
             Row{"2015-05-09T21:59:32-07:30", {1'431'235'772, 0}},
             Row{"2015-05-10 07:29:32 UTC+02:00", {1'431'235'772, 0}},
             Row{"2015-05-10T05:29:32,123456789Z", {1'431'235'772, 123'456'789}},
             Row{"2015-05-10T05:29:32.1234567891Z", {1'431'235'772, 123'456'789}},
             Row{"2016-12-31T23:59:60Z", {1'483'228'800, 0}},
             Row{"1969-12-31T23:59:59.5Z", {-1, 500'000'000}},
             Row{"0001-01-01", {-62'135'596'800, 0}},
             Row{"9999-12-31", {253'402'214'400, 0}},
         }) {
        CAPTURE(row.text);
        CHECK(parse_date(row.text) == std::optional(row.time));
    }
}

TEST_CASE("what is not a date, or not an existing one, is refused") {
    for (const std::string_view text : {"",
                                        "2015",
                                        "2015-05",
                                        "2015-5-10",
                                        "15-05-2015",
                                        "2015/05-10",
                                        "2015-13-01",
                                        "2015-00-01",
                                        "2015-02-29",
                                        "2015-04-31",
                                        "2015-05-00",
                                        "0000-01-01",
                                        "2015-05-10T",
                                        "2015-05-10T5:29",
                                        "2015-05-10T24:00",
                                        "2015-05-10T05:60",
                                        "2015-05-10T05:29:61",
                                        "2015-05-10T05:29:32.",
                                        "2015-05-10T05:29:32.Z",
                                        "2015-05-10T05:29:32Zx",
                                        "2015-05-10T05:29:32 CET",
                                        "2015-05-10T05:29:32+",
                                        "2015-05-10T05:29:32+2",
                                        "2015-05-10T05:29:32+02:",
                                        "2015-05-10T05:29:32+02:0",
                                        "2015-05-10T05:29:32+24:00",
                                        "2015-05-10x",
                                        "NA",
                                        "1431235772",
                                        "2015-05-10T05:29:32Z+02:00",
                                        "-2015-05-10",
                                        "+2015-05-10",
                                        " 2015-05-10"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_date(text));
    }
}

TEST_CASE("parsing a date reads only the text given, not what follows it") {
    const std::string_view text = "2015-05-10T05:29:32.45";
    CHECK(parse_date(text.substr(0, 21)) == std::optional(EventTime{1'431'235'772, 400'000'000}));
    CHECK(parse_date(text.substr(0, 19)) == std::optional(EventTime{1'431'235'772, 0}));
    CHECK(parse_date(text.substr(0, 16)) == std::optional(EventTime{1'431'235'740, 0}));
    CHECK_FALSE(parse_date(text.substr(0, 18)));
}

TEST_CASE("every day from 1600 to 2400 has the number that counting gives") {
    const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    char text[16];
    for (int year = 1600; year <= 2400; ++year) {
        for (int month = 1; month <= 12; ++month) {
            for (int day = 1; day <= 32; ++day) {
                std::snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, day);
                const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
                const bool exists = day <= lengths[month - 1] && !(month == 2 && day == 29 && !leap);
                const auto time = parse_date(text);
                REQUIRE(time.has_value() == exists);
                if (exists) {
                    REQUIRE(time->whole == 86'400 * naive_days(year, month, day));
                }
            }
        }
    }
}

TEST_CASE("dates one after another, of the same day or another, are read as each by itself") {
    gru4rec::detail::DateReader reader;
    const char* const times[] = {"T05:29:32Z",  " 23:59:59.404", "T24:00:00Z",      "",
                                 "T05:29",      "T05:29:60Z",    "T05:29:32+02:00", "T05:29:32.Z",
                                 "x05:29:32",   "T0::29:32",     "T05:2::32",       "T05:29:3:",
                                 "T05x29:32",   "T05:29x32",     "T05:60:32",       "T05:29:61",
                                 "T05:29:32Z5", " 05:29:32 UTC", "T05:29:32.409Z"};
    char text[64];
    for (int i = 0; i < 4000; ++i) {
        const int day = i / 3 * 7919 % 33;  // some do not exist, some repeat
        std::snprintf(text, sizeof(text), i % 5 == 0 ? "%04d/%02d/%02d%s" : "%04d-%02d-%02d%s", 2014 + i / 7 % 3,
                      i / 11 % 13, day, times[static_cast<std::size_t>(i) * 31 % std::size(times)]);
        const auto expected = parse_date(text);
        EventTime time;
        REQUIRE(reader.read(text, time) == expected.has_value());
        if (expected) {
            REQUIRE(time == *expected);
        }
    }
}

TEST_CASE("a date is written as it is read") {
    using gru4rec::detail::format_date;
    CHECK(format_date({1'431'235'772, 404'000'000}) == "2015-05-10 05:29:32 UTC");
    CHECK(format_date({0, 0}) == "1970-01-01 00:00:00 UTC");
    CHECK(format_date({-1, 0}) == "1969-12-31 23:59:59 UTC");
    CHECK(format_date({-62'167'219'201, 0}) == "-62167219201");
    CHECK(format_date({253'402'300'800, 0}) == "253402300800");
    for (std::int64_t seconds = -62'135'596'800; seconds < 253'402'300'800; seconds += 999'999'937) {
        const auto read = parse_date(format_date({seconds, 0}));
        REQUIRE(read.has_value());
        CHECK(read->whole == seconds);
    }
}
