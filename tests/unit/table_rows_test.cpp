// Which rows of a table become events: filters, missing values, repeated header lines.

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/read_options.hpp"
#include "support/contains.hpp"
#include "support/table_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::MissingRows;
using gru4rec::ReadOptions;
using gru4rec::RowFilter;
using gru4rec::TimeUnit;
using support::read_text;
using support::Told;

const std::string clicks =
    "SessionId,ItemId,Time,event,shop\n1,a,5,view,x\n1,b,6,buy,x\n2,c,7, cart ,y\n2,d,8,\"view\",y\n";

ReadOptions only(std::vector<RowFilter> where) {
    ReadOptions options;
    options.where = std::move(where);
    return options;
}

TEST_CASE("a filter keeps rows with one of its values, the others are counted") {
    const Told told(clicks, only({{"event", {"view"}}}));
    CHECK(told.events == "1:a@5 2:d@8");
    CHECK(told.report.n_filtered == 2);
    CHECK(told.report.n_skipped == 0);
    CHECK(read_text(clicks, only({{"event", {"view", "cart"}}})) == "1:a@5 2:c@7 2:d@8");
    CHECK(read_text(clicks, only({{"event", {"VIEW"}}})) == "");
    CHECK(Told(clicks).report.n_filtered == 0);
}

TEST_CASE("rows must pass all filters, several of one column too") {
    CHECK(read_text(clicks, only({{"event", {"view"}}, {"shop", {"y"}}})) == "2:d@8");
    CHECK(read_text(clicks, only({{"event", {"view", "buy"}}, {"event", {"buy", "cart"}}})) == "1:b@6");
}

TEST_CASE("a filter's column is given by name or number, and may be one of the event's") {
    CHECK(read_text(clicks, only({{"5", {"y"}}})) == "2:c@7 2:d@8");
    CHECK(read_text(clicks, only({{"SessionId", {"1"}}})) == "1:a@5 1:b@6");
    CHECK(read_text(clicks, only({{"ItemId", {"b", "c"}}})) == "1:b@6 2:c@7");
    CHECK(read_text(clicks, only({{"3", {"5", "8"}}})) == "1:a@5 2:d@8");
    ReadOptions no_times = only({{"Time", {"6"}}});
    no_times.layout.time_unit = TimeUnit::none;
    CHECK(read_text(clicks, no_times) == "1:b@1");
}

TEST_CASE("a filter's column that is missing or there twice is an error") {
    CHECK(contains(read_text(clicks, only({{"Event", {"view"}}})),
                   "file:1: the filter's column \"Event\" is missing; the table has \"SessionId\", \"ItemId\""));
    CHECK(contains(read_text(clicks, only({{"6", {"view"}}})), "the filter's column \"6\" is missing"));
    CHECK(contains(read_text("SessionId,ItemId,Time,x,x\n", only({{"x", {"1"}}})), "\"x\" occurs more than once"));
}

TEST_CASE("filters read at most eight columns besides those of the event") {
    std::string table = "SessionId,ItemId,Time";
    std::vector<RowFilter> filters{{"ItemId", {"a"}}};
    for (int i = 0; i < 8; ++i) {
        table += ",x" + std::to_string(i);
        filters.push_back({"x" + std::to_string(i), {"1"}});
    }
    table += ",y\n1,a,5,1,1,1,1,1,1,1,1,1\n1,a,6,1,1,1,1,1,1,1,0,1\n";
    CHECK(read_text(table, only(filters)) == "1:a@5");
    filters.push_back({"y", {"1"}});
    CHECK(read_text(table, only(filters)) == "gru4rec: where: at most 8 columns");
}

TEST_CASE("what a filter leaves out need not be an event") {
    CHECK(read_text("SessionId,ItemId,Time,event\n1,,noon,x\n,\xff,NA,x\n1,a,5,view\n", only({{"event", {"view"}}})) ==
          "1:a@5");
    CHECK(contains(read_text("SessionId,ItemId,Time,event\n1,a,5\n1,a,5,view\n", only({{"event", {"view"}}})),
                   "file:2: the line has 3 fields"));
}

TEST_CASE("rows whose session or time is missing are skipped, counted, and the first one is named") {
    for (const std::string& marker : gru4rec::usual_missing_markers()) {
        CAPTURE(marker);
        const Told session("SessionId,ItemId,Time\n1,a,5\n" + marker + ",b,6\n\" " + marker + "\",c,7\n1,d,8\n");
        CHECK(session.events == "1:a@5 1:d@8");
        CHECK(session.report.n_skipped == 2);
        CHECK(session.report.first_skipped ==
              "file:3: column \"SessionId\": \"" + marker + "\" stands for a missing session id");
        const Told time("SessionId,ItemId,Time\n1,a,5\n1,b, " + marker + " \n1,d,8\n");
        CHECK(time.events == "1:a@5 1:d@8");
        CHECK(time.report.n_skipped == 1);
        CHECK(time.report.first_skipped == "file:3: column \"Time\": \"" + marker + "\" stands for a missing time");
    }
}

TEST_CASE("the first of several skipped rows is named, whatever it lacks") {
    CHECK(
        contains(Told("SessionId,ItemId,Time\nNA,a,5\n1,b,NA\n").report.first_skipped, "file:2: column \"SessionId\""));
    CHECK(contains(Told("SessionId,ItemId,Time\n1,a,NA\nNA,b,5\n").report.first_skipped, "file:2: column \"Time\""));
    const Told both("SessionId,ItemId,Time\nNA,a,NA\n");
    CHECK(both.report.n_skipped == 1);
    CHECK(both.events == "");
}

TEST_CASE("a row without a session or time is skipped whatever its item is") {
    const Told told("SessionId,ItemId,Time\nNA,,5\n\\N ,\xff,6\n1,,NA\n1,a,8\n");
    CHECK(told.events == "1:a@8");
    CHECK(told.report.n_skipped == 3);
}

TEST_CASE("missing values elsewhere are values") {
    CHECK(read_text("SessionId,ItemId,Time,x\n1,NA,5,NA\n1,null,6,\n") == "1:NA@5 1:null@6");
    CHECK(read_text("SessionId,ItemId,Time\nna,a,5\nNAN,b,6\n") == "na:a@5 NAN:b@6");
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,,5\n"), "file:2: column \"ItemId\": item id \"\" is empty"));
}

TEST_CASE("the list of missing values is an option, and may hold what looks like a time") {
    ReadOptions options;
    options.missing = {"-", "0", "1970-01-01"};
    const Told told("SessionId,ItemId,Time\nNA,a,5\n-,b,6\n1,c,0\n1,d,00\n0,e,8\n", options);
    CHECK(told.events == "NA:a@5 1:d@0");
    CHECK(told.report.n_skipped == 3);
    CHECK(read_text("SessionId,ItemId,Time\n1,a,1970-01-01\n1,b,2015-05-10\n", options) == "1:b@1431216000");
    CHECK(read_text("SessionId,ItemId,Time\n1,a,0\n1,b,1431235772404\n", options) == "1:b@1431235772.404");
    options.missing = {"1970-01-01"};
    CHECK(read_text("SessionId,ItemId,Time\n1,a,1970-01-01\n1,b,2015-05-10\n", options) == "1:b@1431216000");
    options.missing = {};
    CHECK(read_text("SessionId,ItemId,Time\nNA,a,5\n", options) == "NA:a@5");
    CHECK(contains(read_text("SessionId,ItemId,Time\n,a,5\n", options),
                   "file:2: column \"SessionId\": the session id is empty"));
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,a,\n", options),
                   "file:2: column \"Time\": \"\" is not a valid time"));
}

TEST_CASE("rows without a session or time can be refused") {
    ReadOptions options;
    options.missing_rows = MissingRows::refuse;
    CHECK(read_text("SessionId,ItemId,Time\n1,a,5\nNA,b,6\n", options) ==
          "file:3: column \"SessionId\": \"NA\" stands for a missing session id");
    CHECK(read_text("SessionId,ItemId,Time\n1,a,5\n1,b,\\N\n", options) ==
          "file:3: column \"Time\": \"\\N\" stands for a missing time");
    CHECK(read_text("SessionId,ItemId,Time\n1,a,5\n1,b,6\n", options) == "1:a@5 1:b@6");
    // Of several problems, the first row's is reported.
    CHECK(contains(read_text("SessionId,ItemId,Time\nNA,a,5\n1,b,noon\n", options), "file:2: "));
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,,5\nNA,b,5\n", options), "file:2: "));
}

TEST_CASE("a header line in the middle is skipped and counted") {
    for (const char* more : {"SessionId,ItemId,Time\n1,b,6\n", "SessionId,ItemId,Time\r\n1,b,6\r\n",
                             "\xef\xbb\xbfSessionId,ItemId,Time\n1,b,6\n"}) {
        CAPTURE(more);
        const Told told(std::string("\xef\xbb\xbfSessionId,ItemId,Time\n1,a,5\n") + more);
        CHECK(told.events == "1:a@5 1:b@6");
        CHECK(told.report.n_skipped == 1);
        CHECK(told.report.first_skipped == "file:3: the header line is repeated");
    }
    CHECK(Told("SessionId,ItemId\n1,a\nSessionId,ItemId").events == "1:a@1");
    CHECK(Told("Time,SessionId,ItemId,event\n5,1,a,view\nTime,SessionId,ItemId,event\n", only({{"event", {"view"}}}))
              .report.n_skipped == 1);
    CHECK(contains(read_text("SessionId,ItemId\n1,a\nSessionId,ItemId\rb\n"), "file:3: "));
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,a,5\nSessionId,ItemId,time\n"),
                   "file:3: column \"Time\": \"time\""));
    ReadOptions strict;
    strict.missing_rows = MissingRows::refuse;
    CHECK(contains(read_text("SessionId,ItemId,Time\nSessionId,ItemId,Time\n1,a,5\n", strict),
                   "file:2: the header line is repeated"));
    strict.where.push_back({"ItemId", {"a"}});
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,a,5\nSessionId,ItemId,Time\n", strict),
                   "file:3: the header line is repeated"));
}

TEST_CASE("a row with a valid time is an event, even if it equals the header line") {
    for (const std::string time : {"5", "2015-01-01"}) {
        CAPTURE(time);
        ReadOptions named;
        named.columns.time_key = time;
        named.layout.header = gru4rec::HeaderLine::present;
        const std::string header = "SessionId,ItemId," + time + "\n";
        const Told told(header + "1,a," + time + "\n" + header, named);
        CHECK(told.events.starts_with("1:a@"));
        CHECK(contains(told.events, " SessionId:ItemId@"));
        CHECK(told.report.n_skipped == 0);
    }
}

TEST_CASE("a stray quotation mark that would make one field of many rows is an error") {
    const std::string stray = "SessionId,ItemId,Time,title\n1,a,5,\"tall\n1,b,6,x\n1,c,7,wide\"\n";
    CHECK(contains(read_text(stray), "file:2: the quotation marks of a field enclose another row, \"1,b,6,x\"; "));
    ReadOptions literal;
    literal.layout.quotes = gru4rec::Quotes::literal;
    CHECK(Told(stray, literal).events == "1:a@5 1:b@6 1:c@7");
    // Lines with as many separators, but without a time, are text.
    CHECK(Told("SessionId,ItemId,Time,title\n1,a,5,\"one\ntwo, three, four, five\nsix\"\n").events == "1:a@5");
}

TEST_CASE("the first item that is not known is named") {
    gru4rec::ItemMap known;
    known.insert("a");
    ReadOptions options;
    options.known_items = &known;
    const Told told("SessionId,ItemId,Time\n1,a,5\n1,a.0 ,6\n1,b,7\n", options);
    CHECK(told.events == "1:a@5");
    CHECK(told.report.first_unknown_item == "a.0");
    CHECK(Told("SessionId,ItemId,Time\n1,a,5\n", options).report.first_unknown_item.empty());
    options.layout.time_unit = TimeUnit::none;
    CHECK(read_text("SessionId,ItemId,Time\n1,b,5\n1,a,6\n", options) == "1:a@1");
}

TEST_CASE("a report is filled in anew, also if reading fails") {
    gru4rec::ReadReport report;
    report.notes = {"old"};
    report.n_skipped = 7;
    ReadOptions options;
    options.report = &report;
    CHECK(contains(read_text("session_id,ItemId,Time\n1,a,noon\n", options), "file:2: "));
    CHECK(report.n_skipped == 0);
    REQUIRE(report.notes.size() == 1);
    CHECK(contains(report.notes[0], "column \"session_id\" is read as SessionId"));
}

}  // namespace
