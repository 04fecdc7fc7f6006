// Which columns of a table are the sessions, items and times.

#include "gru4rec/data/column_names.hpp"

#include "gru4rec/data/read_options.hpp"
#include "support/contains.hpp"
#include "support/table_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::ColumnNames;
using gru4rec::ReadOptions;
using support::read_text;
using support::Told;

ReadOptions with_columns(ColumnNames columns) {
    ReadOptions options;
    options.columns = std::move(columns);
    return options;
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return result;
}

TEST_CASE("the names that people use are taken for the three columns, in any case, and said so") {
    const auto check = [](auto names, const std::string& usual, const std::string& before, const std::string& after) {
        for (const std::string_view plain : names) {
            for (const std::string& name : {std::string(plain), upper(plain), "_" + std::string(plain) + "-"}) {
                if (name == usual) {
                    continue;
                }
                CAPTURE(name);
                const Told told(before + name + after + "\n1,1,1\n");
                CHECK(told.events == "1:1@1");
                REQUIRE(told.report.notes.size() == 1);
                CHECK(told.report.notes[0] == "file: column \"" + name + "\" is read as " + usual);
            }
        }
    };
    check(gru4rec::detail::session_names, "SessionId", "", ",ItemId,Time");
    check(gru4rec::detail::item_names, "ItemId", "SessionId,", ",Time");
    check(gru4rec::detail::time_names, "Time", "SessionId,ItemId,", "");
}

TEST_CASE("headers of public data sets are understood") {
    for (const char* header : {"session_id,itemid,timestamp", "sessionId,itemId,eventdate",
                               "user_session,product_id,event_time", "session,aid,ts", "SessionID,Article.Id,Date"}) {
        CAPTURE(header);
        CHECK(read_text(std::string(header) + "\n1,a,5\n") == "1:a@5");
    }
}

TEST_CASE("a column of the very name comes before those with a known name") {
    const Told told("session_id,SessionId,item,ItemId,ts,Time\n0,1,0,a,0,5\n");
    CHECK(told.events == "1:a@5");
    CHECK(told.report.notes.empty());
}

TEST_CASE("two columns with known names are an error that names both and the option") {
    CHECK(contains(read_text("session_id,user_session,ItemId,Time\n"),
                   "file:1: both \"session_id\" and \"user_session\" could be column \"SessionId\"; set session_key "
                   "(option --session-key of the program)"));
    CHECK(contains(read_text("SessionId,item,aid,Time\n"),
                   "both \"item\" and \"aid\" could be column \"ItemId\"; set item_key"));
    CHECK(contains(read_text("SessionId,ItemId,ts,date\n"),
                   "both \"ts\" and \"date\" could be column \"Time\"; set time_key"));
    CHECK(read_text("SessionId,item,aid,Time\n1,a,b,5\n", with_columns({.item_key = "aid"})) == "1:b@5");
}

TEST_CASE("a name that is asked for has no other forms") {
    CHECK(contains(read_text("SessionId,ItemId,when\n1,a,5\n", with_columns({.time_key = "WHEN"})),
                   "column \"WHEN\" is missing"));
    CHECK(contains(read_text("SessionId,item_id,Time\n1,a,5\n", with_columns({.item_key = "itemid"})),
                   "column \"itemid\" is missing; the header line, separated by commas, names \"SessionId\", "
                   "\"item_id\", \"Time\""));
}

TEST_CASE("columns are given by number, with a header line or without, a name before a number") {
    CHECK(read_text("5,1,x,a\n6,1,x,b\n", with_columns({.session_key = "2", .item_key = "4", .time_key = "1"})) ==
          "1:a@5 1:b@6");
    CHECK(read_text("SessionId,a,b\n1,x,5\n", with_columns({.item_key = "2", .time_key = "3"})) == "1:x@5");
    CHECK(read_text("SessionId,ItemId,2,Time\n1,a,b,5\n", with_columns({.item_key = "2"})) == "1:b@5");
    for (const char* number : {"4", "0", "-1", "99999999999999999999"}) {
        CAPTURE(number);
        CHECK(contains(read_text("1,a,5\n", with_columns({.session_key = "1", .item_key = "2", .time_key = number})),
                       "file:1: column \"" + std::string(number) + "\" is missing; the first line"));
    }
}

TEST_CASE("RecBole's types are no part of the names") {
    CHECK(read_text("session_id:token\titem_id:token\ttimestamp:float\n1\ta\t5.5\n") == "1:a@5.5");
    CHECK(read_text("who:token,what:token_seq,price:float_seq,when:float\n1,a,9,5\n",
                    with_columns({.session_key = "who", .item_key = "what", .time_key = "when"})) == "1:a@5");
    CHECK(contains(read_text("session_id:token,item_id:token,Time\n1,a,5\n"), "column \"SessionId\" is missing"));
}

TEST_CASE("one column cannot be two") {
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,a,5\n", with_columns({.item_key = "1"})),
                   "file:1: column \"SessionId\" is asked for twice"));
    for (const ColumnNames& columns :
         {ColumnNames{.item_key = "SessionId"}, ColumnNames{.session_key = "Time"}, ColumnNames{.item_key = "Time"}}) {
        CHECK(contains(read_text("SessionId,ItemId,Time\n", with_columns(columns)),
                       "session_key, item_key and time_key must name three columns"));
    }
    CHECK(contains(read_text("SessionId,ItemId,Time\n", with_columns({.time_offset_key = "Time"})),
                   "is asked for twice"));
}

TEST_CASE("two columns of one name are an error if they are needed") {
    CHECK(contains(read_text("SessionId,ItemId,Time,ItemId\n"), "column \"ItemId\" occurs more than once"));
    CHECK(read_text("SessionId,ItemId,Time,x,x,,\n1,a,5,,,,\n") == "1:a@5");
}

TEST_CASE("without a column of sessions all events are of one") {
    CHECK(read_text("ItemId,Time\na,5\nb,6\n", with_columns({.session_key = ""})) == "1:a@5 1:b@6");
}

TEST_CASE("a table of visitors without sessions is sent to preprocess") {
    for (const char* name : {"visitorid", "user_id", "CustomerID"}) {
        CAPTURE(name);
        CHECK(contains(
            read_text("timestamp," + std::string(name) + ",itemid\n"),
            "to cut the events of each visitor into sessions: gru4rec preprocess --visitor-key " + std::string(name)));
    }
}

TEST_CASE("a message lists the first twenty columns") {
    std::string header = "c1";
    for (int i = 2; i < 30; ++i) {
        header += ",c" + std::to_string(i);
    }
    const std::string message = read_text(header + "\n");
    CHECK(contains(message, "\"c20\", ...;"));
    CHECK_FALSE(contains(message, "c21"));
}

TEST_CASE("names are compared without case, blanks, underscores, hyphens and points") {
    CHECK(gru4rec::detail::plain_name("User_ Session-I.D") == "usersessionid");
    CHECK(gru4rec::detail::plain_name("Größe:1") == "größe:1");
}

}  // namespace
