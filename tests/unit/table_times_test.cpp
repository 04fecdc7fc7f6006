// The times of tables: units, dates, a column of milliseconds, no times.

#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_format.hpp"
#include "support/contains.hpp"
#include "support/table_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::ReadOptions;
using gru4rec::TimeUnit;
using support::read_text;
using support::Told;

const std::string header = "SessionId,ItemId,Time\n";

ReadOptions in_unit(TimeUnit unit) {
    ReadOptions options;
    options.layout.time_unit = unit;
    return options;
}

/// What one time is read as.
std::string time_of(std::string_view text, const ReadOptions& options = {}) {
    const std::string read = read_text(header + "1,a,\"" + std::string(text) + "\"\n", options);
    return read.starts_with("1:a@") ? read.substr(4) : read;
}

TEST_CASE("numbers are seconds, milli-, micro- or nanoseconds by their size, and said so") {
    CHECK(time_of("1431235772") == "1431235772");
    CHECK(time_of("1431235772404") == "1431235772.404");
    CHECK(time_of("1431235772404123") == "1431235772.404123");
    CHECK(time_of("1431235772404123456") == "1431235772.404123456");
    CHECK(Told(header + "1,a,1431235772\n").report.notes.empty());
    CHECK(Told(header + "1,a,5\n").report.notes.empty());
    CHECK(Told(header + "1,a,1431235772404\n").report.notes ==
          std::vector<std::string>{"file: times are milliseconds, such as 1431235772404"});
    CHECK(contains(Told(header + "1,a,1431235772404123\n").report.notes.at(0), "times are microseconds"));
    CHECK(contains(Told(header + "1,a,1431235772404123456\n").report.notes.at(0), "times are nanoseconds"));
}

TEST_CASE("the size of a unit is that of dates from 1973-03-03 to 2100") {
    using gru4rec::detail::unit_of_size;
    CHECK(unit_of_size(99'999'999) == TimeUnit::number);
    CHECK(unit_of_size(100'000'000) == TimeUnit::seconds);
    CHECK(unit_of_size(4'102'444'799) == TimeUnit::seconds);
    CHECK(unit_of_size(4'102'444'800) == TimeUnit::number);
    CHECK(unit_of_size(99'999'999'999) == TimeUnit::number);
    CHECK(unit_of_size(100'000'000'000) == TimeUnit::milliseconds);
    CHECK(unit_of_size(4'102'444'799'999) == TimeUnit::milliseconds);
    CHECK(unit_of_size(100'000'000'000'000) == TimeUnit::microseconds);
    CHECK(unit_of_size(100'000'000'000'000'000) == TimeUnit::nanoseconds);
    CHECK(unit_of_size(4'102'444'799'999'999'999) == TimeUnit::nanoseconds);
    CHECK(unit_of_size(4'102'444'800'000'000'000) == TimeUnit::number);
    CHECK(unit_of_size(-1'431'235'772) == TimeUnit::number);
}

TEST_CASE("plain counters stay what they are") {
    CHECK(read_text(header + "1,a,1\n1,b,2\n1,c,-7\n1,d,1e3\n1,e,.5\n1,f,20150510\n") ==
          "1:a@1 1:b@2 1:c@-7 1:d@1000 1:e@0.5 1:f@20150510");
    CHECK(Told(header + "1,a,1\n").report.time_unit == TimeUnit::number);
    CHECK(Told(header + "1,a,1431235772\n").report.time_unit == TimeUnit::seconds);
    CHECK(Told(header + "1,a,1431235772404\n").report.time_unit == TimeUnit::seconds);
}

TEST_CASE("fractions and negative numbers are exact in every unit") {
    CHECK(time_of("1431235772.123456789") == "1431235772.123456789");
    CHECK(time_of("1431235772404.5") == "1431235772.4045");
    CHECK(time_of("-1500", in_unit(TimeUnit::milliseconds)) == "-1.5");
    CHECK(time_of("-1", in_unit(TimeUnit::nanoseconds)) == "-0.000000001");
    CHECK(time_of("-0.001", in_unit(TimeUnit::milliseconds)) == "-0.000001");
    CHECK(time_of("1.5", in_unit(TimeUnit::microseconds)) == "0.0000015");
    CHECK(time_of("0.5", in_unit(TimeUnit::nanoseconds)) == "0");
    CHECK(time_of("9223372036854775807", in_unit(TimeUnit::nanoseconds)) == "9223372036.854775807");
    CHECK(time_of("-9223372036854775808", in_unit(TimeUnit::milliseconds)) == "-9223372036854775.808");
}

TEST_CASE("a unit that is named is taken for numbers of any size") {
    CHECK(time_of("5", in_unit(TimeUnit::seconds)) == "5");
    CHECK(time_of("5000", in_unit(TimeUnit::milliseconds)) == "5");
    CHECK(time_of("1431235772", in_unit(TimeUnit::microseconds)) == "1431.235772");
    CHECK(time_of("1431235772404", in_unit(TimeUnit::seconds)) == "1431235772404");
    CHECK(time_of("1431235772404", in_unit(TimeUnit::number)) == "1431235772404");
    const std::string mixed = header + "1,a,5\n1,b,1431235772404\n";
    CHECK(read_text(mixed, in_unit(TimeUnit::milliseconds)) == "1:a@0.005 1:b@1431235772.404");
    CHECK(Told(mixed, in_unit(TimeUnit::milliseconds)).report.notes.empty());
    CHECK(Told(mixed, in_unit(TimeUnit::milliseconds)).report.time_unit == TimeUnit::seconds);
    CHECK(Told(mixed, in_unit(TimeUnit::number)).report.time_unit == TimeUnit::number);
}

TEST_CASE("a date where the named unit expects numbers is an error") {
    CHECK(contains(time_of("2015-05-10", in_unit(TimeUnit::seconds)),
                   "file:2: column \"Time\": \"2015-05-10\" is a date; expected, as the unit of times "
                   "(TableLayout::time_unit, option --time-unit of the program) says, an integer or a decimal"));
}

TEST_CASE("dates are recognised in ISO 8601 and its common forms") {
    for (const char* text :
         {"2015-05-10T05:29:32Z", "2015-05-10 05:29:32", "2015/05/10 05:29:32 UTC", "2015-05-10t05:29:32z",
          "2015-05-10T07:29:32+02:00", "2015-05-10T03:59:32 -0130", "2015-05-10 05:29:32 GMT"}) {
        CAPTURE(text);
        CHECK(time_of(text) == "1431235772");
    }
    CHECK(time_of("2015-05-10") == "1431216000");
    CHECK(time_of("2015-05-10 05:29") == "1431235740");
    CHECK(time_of("2015-05-10T05:29:32.404Z") == "1431235772.404");
    CHECK(time_of("2015-05-10T05:29:32,404") == "1431235772.404");
    CHECK(time_of("1969-12-31 23:59:59.5") == "-0.5");
    CHECK(Told(header + "1,a,2015-05-10\n").report.time_unit == TimeUnit::seconds);
    CHECK(
        read_text(header +
                  "1,a,2015-05-10\n1,b,2015-05-10T00:00:01.5\n1,c,2015-05-11 00:00 +01\n1,d,2015-05-10T00:00:02Z\n") ==
        "1:a@1431216000 1:b@1431216001.5 1:c@1431298800 1:d@1431216002");
}

TEST_CASE("a text that is neither a number nor a date is an error, in the first row too") {
    CHECK(contains(time_of("noon"), "file:2: column \"Time\": \"noon\" is not a valid time; expected an integer"));
    CHECK(contains(time_of("2015-02-29"), "\"2015-02-29\" is not a valid time"));
    CHECK(contains(read_text(header + "1,a,2015-05-10\n1,b,2015-05-32\n"),
                   "file:3: column \"Time\": \"2015-05-32\" is not a valid time; expected a date, such as"));
    CHECK(contains(read_text(header + "1,a,2015-05-10\n1,b," + std::string(10, '\0') + "T05:29:32\n"), "file:3: "));
}

TEST_CASE("times of two units among the first are an error that names both") {
    CHECK(
        read_text(header + "1,a,1431235772\n1,b,1431235773404\n") ==
        "file:3: the time \"1431235773404\" looks like milliseconds, but \"1431235772\" (file:2) like seconds; set the "
        "unit (TableLayout::time_unit, option --time-unit of the program), or add a value that stands for a missing "
        "one to the list (ReadOptions::missing, option --missing)");
    CHECK(contains(read_text(header + "1,a,1431235772\n1,b,2015-05-10\n"),
                   "file:3: the time \"2015-05-10\" looks like a date, but \"1431235772\" (file:2) like seconds"));
    CHECK(contains(read_text(header + "1,a,2015-05-10\n1,b,5\n"),
                   "file:3: the time \"5\" looks like plain numbers, but"));
    CHECK(contains(read_text(header + "1,a,0\n1,b,1431235773404\n"), "file:3: the time \"1431235773404\""));
    CHECK(read_text(header + "1,a,0\n1,b,1431235773\n") == "1:a@0 1:b@1431235773");  // seconds since 1970 both
}

TEST_CASE("a time of another unit after the first ones is an error in its row") {
    const auto beyond_first = [](const std::string& usual, const std::string& odd) {
        std::string table = header;
        for (int row = 0; row < 200; ++row) {
            table += "1,a," + usual + "\n";
        }
        return read_text(table + "1,b," + odd + "\n");
    };
    CHECK(
        beyond_first("1431235772", "1431235773404") ==
        "file:202: column \"Time\": \"1431235773404\" looks like milliseconds, but the first time of the file, "
        "\"1431235772\", like seconds; correct the row or set the unit (TableLayout::time_unit, option --time-unit of "
        "the program)");
    CHECK(contains(beyond_first("1431235772404", "1431235773"), "\"1431235773\" looks like seconds"));
    CHECK(contains(beyond_first("1431235772404", "1431235773404123"), "looks like microseconds"));
    CHECK(contains(beyond_first("1431235772404123", "1431235773404"), "looks like milliseconds"));
    CHECK(contains(beyond_first("1431235772404123456", "1431235773404123"), "looks like microseconds"));
    CHECK(contains(beyond_first("1431235772404123456", "5"), "looks like plain numbers"));
    CHECK(contains(beyond_first("1431235772", "2015-05-10"),
                   "\"2015-05-10\" is a date; expected, as in the first rows, an integer"));
    CHECK(contains(beyond_first("2015-05-10", "1431235772"), "\"1431235772\" is not a valid time; expected a date"));
    CHECK(beyond_first("1431235772404123456", "1431235773404123457").ends_with("1:b@1431235773.404123457"));
    CHECK(beyond_first("5", "1431235773404").ends_with("1:b@1431235773404"));  // a counter has no unit
}

TEST_CASE("milliseconds in a column of their own are added to a date") {
    const std::string table = "sessionId;itemId;timeframe;eventdate\n1;a;265218;2015-05-10\n1;b;-1.5;2015-05-10\n";
    CHECK(read_text(table) == "1:a@1431216265.218 1:b@1431215999.9985");
    const Told told(table);
    CHECK(told.report.notes.back() == "file: column \"timeframe\" is added to the date as milliseconds");
    ReadOptions options;
    options.columns.time_offset_key = "since";
    CHECK(read_text("SessionId,ItemId,Time,since\n1,a,2015-05-10T00:00:00.75,250\n1,b,2015-05-10,999\n", options) ==
          "1:a@1431216001 1:b@1431216000.999");
    options.columns.time_offset_key = "4";
    CHECK(read_text("SessionId,ItemId,Time,since\n1,a,1431216000,1500\n", options) == "1:a@1431216001.5");
}

TEST_CASE("a column of milliseconds that is not there, not a number or missing") {
    ReadOptions options;
    options.columns.time_offset_key = "since";
    CHECK(contains(
        read_text("SessionId,ItemId,Time\n1,a,5\n", options),
        "file:1: column \"since\" is missing; the table has \"SessionId\", \"ItemId\", \"Time\"; set time_offset_key"));
    CHECK(contains(read_text("SessionId,ItemId,Time,since,since\n1,a,5,1,1\n", options),
                   "column \"since\" occurs more than once"));
    CHECK(contains(read_text("SessionId,ItemId,Time,since\n1,a,5,x\n", options),
                   "file:2: column \"since\": \"x\" is not a valid number of milliseconds"));
    const Told told("SessionId,ItemId,Time,since\n1,a,5,NA\n1,b,6,0\n", options);
    CHECK(told.events == "1:b@6");
    CHECK(told.report.first_skipped == "file:2: column \"since\": \"NA\" stands for a missing time");
    // Without an event date, a column called timeframe is one like any other.
    CHECK(read_text("SessionId,ItemId,Time,timeframe\n1,a,5,x\n") == "1:a@5");
}

TEST_CASE("without times, the order of the rows is the order of time") {
    const std::string table = "SessionId,ItemId,Time\n1,a,9\n2,b,x\n1,c,\n";
    const Told told(table, in_unit(TimeUnit::none));
    CHECK(told.events == "1:a@1 2:b@2 1:c@3");
    CHECK(told.report.time_unit == TimeUnit::none);
    CHECK(told.report.notes.empty());
    CHECK(read_text("ItemId,SessionId,x\na,1,\nb,1,\n", in_unit(TimeUnit::none)) == "1:a@1 1:b@2");
}

TEST_CASE("a table of sessions and items alone has no times, and that is said") {
    const Told told("SessionId,ItemId\n1,a\n2,b\n1,c\n");
    CHECK(told.events == "1:a@1 2:b@2 1:c@3");
    CHECK(told.report.time_unit == TimeUnit::none);
    CHECK(told.report.notes ==
          std::vector<std::string>{"file: there is no column of times; events are taken in the order of the rows"});
    CHECK(contains(read_text("SessionId,ItemId,x\n1,a,\n"), "column \"Time\" is missing"));
    ReadOptions named;
    named.columns.time_key = "when";
    CHECK(contains(read_text("SessionId,ItemId\n1,a\n", named), "column \"when\" is missing"));
}

}  // namespace
