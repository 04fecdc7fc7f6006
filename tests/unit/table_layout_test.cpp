// How tables are written: separators, quotes, blanks, line ends, header lines.

#include "gru4rec/data/read_options.hpp"
#include "support/contains.hpp"
#include "support/table_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

namespace {

using gru4rec::HeaderLine;
using gru4rec::Quotes;
using gru4rec::ReadOptions;
using gru4rec::TimeUnit;
using support::read_text;
using support::Told;

/// A table with commas, written with another separator.
std::string with(char separator, std::string table) {
    for (char& c : table) {
        c = c == ',' ? separator : c;
    }
    return table;
}

ReadOptions with_layout(gru4rec::TableLayout layout) {
    ReadOptions options;
    options.layout = layout;
    return options;
}

ReadOptions by_number(std::string session, std::string item, std::string time) {
    ReadOptions options;
    options.columns.session_key = std::move(session);
    options.columns.item_key = std::move(item);
    options.columns.time_key = std::move(time);
    return options;
}

TEST_CASE("the separator is found: TAB, comma, semicolon or |") {
    for (const char separator : {'\t', ',', ';', '|'}) {
        CAPTURE(separator);
        CHECK(read_text(with(separator, "SessionId,ItemId,Time\n1,a,5\n1,b,6\n")) == "1:a@5 1:b@6");
        CHECK(read_text(with(separator, "\"SessionId\",\"ItemId\",Time\n1,\"a\",5\n")) == "1:a@5");
        CHECK(read_text(with(separator, "1,a,5\n"), by_number("1", "2", "3")) == "1:a@5");
    }
}

TEST_CASE("the most frequent separator counts, outside of quotes; a TAB before all others") {
    CHECK(read_text("SessionId;ItemId;Time;a,b\n1;x;5;,\n") == "1:x@5");
    CHECK(read_text("\"a;b;c;d;e\",SessionId,ItemId,Time\n0,1,x;y,5\n") == "1:x;y@5");
    CHECK(read_text("SessionId\tItemId,x,y,z,w\tTime\tItemId\n1\t0\t5\tx,y\n") == "1:x,y@5");
}

TEST_CASE("a separator that is named is the only one") {
    const std::string table = "SessionId;ItemId;Time;a,b,c,d,e,f\n1;x,y;5;\n";
    CHECK(read_text(table, with_layout({.separator = ';'})) == "1:x,y@5");
    CHECK(contains(read_text("SessionId\tItemId\tTime\n", with_layout({.separator = ','})),
                   "the header line, separated by commas, names \"SessionId\\x09ItemId\\x09Time\""));
    CHECK(contains(read_text(table, with_layout({.separator = ' '})), "separator = \" \", must satisfy TAB, comma"));
}

TEST_CASE("a first line with a known name, or without data, is the header") {
    CHECK(read_text("SessionId,ItemId,Time\n1,a,5\n") == "1:a@5");
    CHECK(read_text("2015,itemid,Time,SessionId\n0,a,5,1\n") == "1:a@5");  // a column called 2015
    CHECK(read_text("v,p,when\n1,a,5\n", by_number("1", "2", "3")) == "1:a@5");
    CHECK(read_text("7,a,5\n1,b,6\n", by_number("1", "2", "3")) == "7:a@5 1:b@6");
    CHECK(read_text("x,a,2015-05-10\n", by_number("1", "2", "3")) == "x:a@1431216000");
}

TEST_CASE("a header line without known names is said to be one if columns are numbers") {
    const Told told("v,p,when\n1,a,5\n", by_number("1", "2", "3"));
    REQUIRE(told.report.notes.size() == 1);
    CHECK(told.report.notes[0] ==
          "file: the first line, \"v p when\", is taken for the names of the columns; if it is data, set "
          "TableLayout::header (option --header no of the program)");
    CHECK(Told("SessionId,p,when\n1,a,5\n", by_number("1", "2", "3")).report.notes.empty());
}

TEST_CASE("a header line is present or absent if one says so") {
    ReadOptions options = by_number("1", "2", "3");
    options.layout.header = HeaderLine::present;
    CHECK(read_text("7,8,9\n1,a,5\n", options) == "1:a@5");
    options.layout.header = HeaderLine::absent;
    options.layout.time_unit = TimeUnit::none;
    CHECK(read_text("SessionId,ItemId,Time\n1,a,5\n", options) == "SessionId:ItemId@1 1:a@2");
    CHECK(contains(read_text("1,a,5\n", with_layout({.header = HeaderLine::absent})),
                   "file:1: column \"SessionId\" is missing; the first line, separated by commas, holds \"1\", \"a\", "
                   "\"5\""));
}

TEST_CASE("without a header line, the message shows how to name the columns, each once") {
    CHECK(contains(read_text("1,a,1431235772\n"),
                   "file:1: found no header line: the first line is \"1 a 1431235772\"; name the columns by number"));
    CHECK(contains(read_text("1,a,1431235772\n"), "--session-key 1 --item-key 2 --time-key 3"));
    CHECK(contains(read_text("1,2015-05-10,a\n"), "--session-key 1 --item-key 3 --time-key 2"));
    CHECK(contains(read_text("1431235772404,1,a\n"), "--session-key 2 --item-key 3 --time-key 1"));
    CHECK(contains(read_text("1,a,5,6\n"), "--session-key 1 --item-key 2 --time-key 3"));
}

TEST_CASE("an empty field is no header, not even of a table without a column of sessions") {
    ReadOptions options = by_number("", "1", "2");
    CHECK(read_text("a,5,\nb,6,\n", options) == "1:a@5 1:b@6");
}

TEST_CASE("fields may be quoted, with any separator") {
    for (const char separator : {'\t', ',', ';', '|'}) {
        CAPTURE(separator);
        const std::string table =
            with(separator, "SessionId,ItemId,Time,note\n\"1\",\"a \"\"b\"\"\",\"5\",\"\"\n1,\"\"\"\",6,\"x,,\"\n");
        CHECK(read_text(table) == "1:a \"b\"@5 1:\"@6");
    }
    CHECK(read_text("SessionId,ItemId,Time\n1,\"a,b;c|d\",5\n") == "1:a,b;c|d@5");
    CHECK(read_text("SessionId,ItemId,Time\n\"a\tb\",x,5\n") == "a\tb:x@5");
}

TEST_CASE("a quoted field may hold line breaks, in any column, the header line too") {
    CHECK(read_text("note,SessionId,ItemId,Time\n\"a\nb\r\n\n\",1,a,5\n\"\n\",1,b,6\n") == "1:a@5 1:b@6");
    CHECK(read_text("SessionId,ItemId,Time\n\"x\r\ny\",a,5\n") == "x\r\ny:a@5");
    CHECK(read_text("SessionId,ItemId,Time,note\n1,a,5,\"p\nq\"\n1,b,6,\n") == "1:a@5 1:b@6");
    CHECK(read_text("\"no\nte\",SessionId,ItemId,Time\n0,1,a,5\n\"no\nte\",SessionId,ItemId,Time\n0,1,b,6\n") ==
          "1:a@5 1:b@6");
}

TEST_CASE("line numbers count the line breaks in quotes") {
    CHECK(contains(read_text("SessionId,ItemId,Time,note\n1,a,5,\"p\nq\n\"\n1,b,noon,\n"), "file:5: column \"Time\""));
    CHECK(contains(read_text("\"no\nte\",SessionId,ItemId,Time\n0,1,a,5\n0,1,b,noon\n"), "file:4: column \"Time\""));
    CHECK(contains(read_text("SessionId,ItemId,Time,note\n1,a,noon,\"p\nq\n\"\n"), "file:2: column \"Time\""));
}

TEST_CASE("a header line with a line break in quotes is recognised as a whole") {
    const Told told("\"a\nb\",SessionId,ItemId,Time\n0,1,a,5\n\"a\nb\",SessionId,ItemId,Time\n0,1,b,6\n");
    CHECK(told.report.n_skipped == 1);
    CHECK(contains(read_text("\"a\nb\",SessionId,ItemId,Time\n0,1,a,5\n\"a\nc\",SessionId,ItemId,Time\n"), "file:4: "));
}

TEST_CASE("quotation marks may be part of the values") {
    const ReadOptions literal = with_layout({.quotes = Quotes::literal});
    CHECK(read_text("SessionId,ItemId,Time\n\"1,5\" disk,6\n\"1\",\"a,7\n", literal) == "\"1:5\" disk@6 \"1\":\"a@7");
    CHECK(read_text("\"SessionId;x;\"\tItemId\tTime\tSessionId\n\"\ta\t5\t1\n", literal) == "1:a@5");
    CHECK(contains(read_text("SessionId,ItemId,Time\n1,\"a,b\",5\n", literal), "has 4 fields, the header 3"));
}

TEST_CASE("a quotation mark within a field is part of it") {
    CHECK(read_text("SessionId,ItemId,Time\n1,5\" disk,6\n1,a\"\"b,7\n1,c\",8\n") == "1:5\" disk@6 1:a\"\"b@7 1:c\"@8");
}

TEST_CASE("blanks round a field are dropped, in quotes and before them too") {
    CHECK(read_text("SessionId , ItemId, Time\n1, \"a\" ,5\n 1,b , 6 \n\" 1 \",\" b\",\"7 \"\n1,c\t,\t8\n") ==
          "1:a@5 1:b@6 1:b@7 1:c@8");
    CHECK(read_text("\" SessionId \",ItemId,Time\n1,a,5\n") == "1:a@5");
    CHECK(read_text("SessionId\tItemId\tTime\n1\t a b \t5\n") == "1:a b@5");
}

TEST_CASE("an empty field between TABs is a field") {
    CHECK(read_text("SessionId\tx\tItemId\ty\tTime\n1\t\ta\t\t5\n") == "1:a@5");
    CHECK(contains(read_text("SessionId\tItemId\tTime\n\t1\ta\t5\n"), "has 4 fields"));
}

TEST_CASE("CR LF, a byte-order mark, empty lines and a missing last line end change nothing") {
    for (const char* table :
         {"SessionId,ItemId,Time\n1,a,5\n1,b,6", "\xef\xbb\xbfSessionId,ItemId,Time\r\n1,a,5\r\n1,b,6\r\n",
          "SessionId,ItemId,Time\n\n\r\n1,a,5\n\n1,b,6\n\n",
          "\xef\xbb\xbf\"SessionId\",ItemId,Time\n1,a,\"5\"\r\n1,b,\"6\"\r\n"}) {
        CAPTURE(table);
        CHECK(read_text(table) == "1:a@5 1:b@6");
    }
}

TEST_CASE("an empty line of a table with one column is no row") {
    ReadOptions options = by_number("", "ItemId", "Time");
    options.layout.time_unit = TimeUnit::none;
    CHECK(read_text("ItemId\na\n\nb\n\r\n \"c\"\r\nd", options) == "1:a@1 1:b@2 1:c@3 1:d@4");
    CHECK(contains(read_text("ItemId\na\nb,c,d\n", options), "file:3: the line has 3 fields, the header 1"));
}

TEST_CASE("a table without rows has no events, one without a line is an error") {
    CHECK(read_text("SessionId,ItemId,Time\n") == "");
    CHECK(read_text("SessionId,ItemId,Time") == "");
    CHECK(read_text("SessionId,ItemId,Time\n\n\n") == "");
    CHECK(contains(read_text(""), "file:1: found no header line"));
    CHECK(contains(read_text("\xef\xbb\xbf"), "file:1: found no header line"));
    CHECK(contains(read_text("\nSessionId,ItemId,Time\n"), "file:1: found no header line"));
}

TEST_CASE("line ends of CR alone are an error") {
    CHECK(contains(read_text("SessionId,ItemId,Time\r1,a,5\r"), "file:1: found CR within the line"));
}

TEST_CASE("quotes that do not match are an error in the line where they begin") {
    const std::string header = "SessionId,ItemId,Time\n1,a,5\n";
    for (const char* row : {"1,\"b,6\n1,c,7\n", "1,\"b\"x,6\n", "1,\"b\" \"c\",6\n", "\"", "1,b,\"6\n\n\n"}) {
        CAPTURE(row);
        CHECK(contains(read_text(header + row), "file:3: the quotes of a field do not match; a quoted field must end"));
    }
    CHECK(contains(read_text("SessionId,ItemId,\"Time\n1,a,5\n"), "file:1: the quotes of a field do not match"));
    CHECK(contains(read_text(header + "1,\"b,6\n"), "Quotes::literal, option --no-quotes"));
}

TEST_CASE("a quoted field of a mebibyte is read, a longer one has lost its closing quote") {
    const std::string header = "SessionId,ItemId,Time,note\n";
    const std::string mebibyte(std::size_t{1} << 20U, 'x');
    const std::string more = "\n1,b,6,\"\"\n";
    CHECK(read_text(header + "1,a,5,\"" + mebibyte + "\"" + more) == "1:a@5 1:b@6");
    CHECK(contains(read_text(header + "1,a,5,\"" + mebibyte + "x\"" + more), "file:2: the quotes of a field"));
    CHECK(read_text(header + "1,a,5," + mebibyte + "xyz" + more) == "1:a@5 1:b@6");
}

TEST_CASE("a row with more or fewer fields than the header or the first row is an error") {
    CHECK(contains(
        read_text("SessionId;ItemId;Time\n1;a\n"),
        "file:2: the line has 2 fields, the header 3: \"1;a\"; look for a missing or an additional semicolon"));
    CHECK(contains(read_text("SessionId|ItemId|Time\n1|a|5|6\n"), "file:2: the line has 4 fields, the header 3"));
    CHECK(contains(read_text("1,a,5\n1,b\n", by_number("1", "2", "3")),
                   "file:2: the line has 2 fields, the first line 3"));
}

TEST_CASE("a first line of separators alone is refused before it takes memory for its fields") {
    CHECK(contains(read_text(std::string(70'000, ',')), "file:1: the first line has more than 65536 fields"));
    std::string header = "SessionId,ItemId,Time";
    std::string row = "1,a,5";
    for (int i = 0; i < 1000; ++i) {
        header += ",x" + std::to_string(i);
        row += ",";
    }
    CHECK(read_text(header + "\n" + row + "\n") == "1:a@5");
}

}  // namespace
