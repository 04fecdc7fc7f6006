#include "gru4rec/data/session_lines.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/data/item_list.hpp"
#include "gru4rec/data/records.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/contains.hpp"
#include "support/naive/session_lists.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::SessionTableColumns;
using gru4rec::TextStream;
using gru4rec::detail::ItemList;
using gru4rec::detail::Random;

/// Reads all, `piece` bytes at a time.
std::string read_all(TextStream stream, std::size_t piece = 4096) {
    std::string text;
    std::vector<char> buffer(piece);
    while (const std::size_t count = stream.read(buffer)) {
        text.append(buffer.data(), count);
    }
    return text;
}

std::string of_lines(const std::string& text, char separator = '\0') {
    return read_all(gru4rec::sessions_of_lines(gru4rec::text_stream("clicks.txt", text), separator));
}

std::string of_table(const std::string& text, const SessionTableColumns& columns = {}) {
    return read_all(gru4rec::sessions_of_table(gru4rec::text_stream("clicks.csv", text), columns));
}

template <class Convert>
std::string error_of(const Convert& convert) {
    try {
        static_cast<void>(convert());
    } catch (const FormatError& error) {
        return error.what();
    }
    return "no error";
}

std::optional<std::vector<std::string>> parse_list(std::string_view cell) {
    ItemList list;
    if (!list.parse(cell).empty()) {
        return std::nullopt;
    }
    std::vector<std::string> items;
    for (std::size_t i = 0; i < list.size(); ++i) {
        items.emplace_back(list[i]);
    }
    return items;
}

const std::string header = "SessionId\tItemId\n";

}  // namespace

TEST_CASE("a list of items is read as NumPy, Python, JSON and PostgreSQL print it") {
    using Items = std::vector<std::string>;
    const Items two{"a", "b"};
    for (const char* cell : {"['a' 'b']", "['a'\n 'b']", "['a', 'b']", "[\"a\",\"b\"]", "[a b]", "[a, b]", "(a, b)",
                             "{a,b}", "a b", " a\t b ", "a,b", "a , b", "'a' 'b'", "[np.str_('a'), np.str_('b')]"}) {
        CAPTURE(cell);
        CHECK(parse_list(cell) == two);
    }
    CHECK(parse_list("[1 2]") == Items{"1", "2"});
    CHECK(parse_list("[ 1.  2.]") == Items{"1.", "2."});
    CHECK(parse_list("[np.int64(70004), np.int64(7)]") == Items{"70004", "7"});
    CHECK(parse_list("[np.str_(\"it's\")]") == Items{"it's"});
    CHECK(parse_list("[np.nan]") == Items{"np.nan"});
    CHECK(parse_list("('a',)") == Items{"a"});
    CHECK(parse_list("") == Items{});
    CHECK(parse_list("[ ]") == Items{});
    CHECK(parse_list("[]") == Items{});
    CHECK(parse_list(R"("\ud800\udc00\udbff\udfff\U0010ffff\ud7ff\ue000")") ==
          Items{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"});
    CHECK(parse_list("O'Neil shoe(red)") == Items{"O'Neil", "shoe(red)"});
    CHECK(parse_list(R"(['a b' "it's" 'it\'s' 'a\\b'])") == Items{"a b", "it's", "it's", "a\\b"});
    CHECK(parse_list(R"(["\u00e9\ud83d\ude00", "\x41\U0001f600\n"])") ==
          Items{"\xc3\xa9\xf0\x9f\x98\x80", "A\xf0\x9f\x98\x80\n"});
}

TEST_CASE("a malformed list is refused and says what is wrong") {
    const auto problem = [](std::string_view cell) { return ItemList().parse(cell); };
    CHECK(contains(problem("['a' 'b'"), "does not end with ]"));
    CHECK(contains(problem("['a' 'b]"), "is not closed"));
    CHECK(contains(problem("['a''b']"), "a blank or a comma is missing"));
    CHECK(contains(problem("[1, , 2]"), "before a comma"));
    CHECK(contains(problem("[1, 2,]"), "after the last comma"));
    CHECK(contains(problem("(1, 2,)"), "after the last comma"));
    CHECK(contains(problem("[1, 2 3]"), "some items are separated by commas and some by blanks"));
    CHECK(contains(problem("['a', '']"), "an item is empty"));
    CHECK(contains(problem("[1 2 ... 8 9]"), "set_printoptions"));
    CHECK(contains(problem("[[1, 2], [3]]"), "must be in quotes"));
    CHECK(contains(problem("array(['a', 'b'], dtype=object)"), "must be in quotes"));
    CHECK(contains(problem(R"(['\q'])"), "escape"));
    CHECK(contains(problem(R"(['\ud800'])"), "escape"));
    for (const char* const pair :
         {R"(\ud800\u0041)", R"(\ud83d\udbff)", R"(\ud83d\ue000)", R"(\udc00\udc00)", R"(\ud83dxxdc00)",
          R"(\U0000d83d\udc00)", R"(\udfff)", R"(\U00110000)", R"(\x4)", R"(\x4g)"}) {
        CAPTURE(pair);
        CHECK(contains(problem("['" + std::string(pair) + "']"), "escape"));
    }
    CHECK(contains(problem(R"("\x4)"), "escape"));
    CHECK(contains(problem(R"("\xg4")"), "escape"));
    CHECK(contains(problem(R"("\ud83d\u12")"), "escape"));
    CHECK(contains(problem("["), "does not end with ]"));
    CHECK(contains(problem("[np.str_('')]"), "an item is empty"));
    CHECK(contains(problem("[np.int64()]"), "an item is empty"));
    CHECK(contains(problem("[np.str_('a']"), "the ) after an item is missing"));
}

TEST_CASE("lists are read as their slow twin reads them") {
    constexpr std::uint64_t seed = 14;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    constexpr std::string_view letters = "ac1.'\"\\, \t\n[]()n";
    std::size_t n_valid = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string cell(random.below(12), ' ');
        for (char& c : cell) {
            c = letters[random.below(letters.size())];
        }
        if (random.below(2) == 0) {
            cell = "['" + cell + "']";
        }
        CAPTURE(cell);
        const auto twin = naive::parse_list(cell);
        n_valid += twin ? 1U : 0U;
        REQUIRE(parse_list(cell) == twin);
    }
    CHECK(n_valid > 2000);
    CHECK(n_valid < 18000);
}

TEST_CASE("text with a session per line becomes events whose session is the line number") {
    CHECK(of_lines("70004 70000\n70025\t70028\n\n70003 70004 70001") ==
          header + "1\t70004\n1\t70000\n2\t70025\n2\t70028\n4\t70003\n4\t70004\n4\t70001\n");
    CHECK(of_lines("['a', 'b']\r\n[1 2]\r\na,b\r\n") == header + "1\ta\n1\tb\n2\t1\n2\t2\n3\ta\n3\tb\n");
    CHECK(of_lines("").empty() == false);  // a table without events
    CHECK(of_lines("") == header);
}

TEST_CASE("a given separator parts the items and nothing else does") {
    CHECK(of_lines("a b; c,d;e\n", ';') == header + "1\ta b\n1\tc,d\n1\te\n");
    CHECK(of_lines("a,b  c\td\n", ' ') == header + "1\ta,b\n1\tc\n1\td\n");
    CHECK(of_lines("\"x\",y\n", ',') == header + "1\t\"\"\"x\"\"\"\n1\ty\n");
    CHECK(contains(error_of([] { return of_lines("a;b\na;;b\n", ';'); }), "clicks.txt:2: an item is missing"));
    CHECK(contains(error_of([] { return of_lines("a;b;\n", ';'); }), "clicks.txt:1: an item is missing"));
}

TEST_CASE("blanks beside items, of whatever kind, are no part of them") {
    using Items = std::vector<std::string>;
    const auto parts = [](std::string_view line, char separator) {
        ItemList list;
        CHECK(list.parse_separated(line, separator).empty());
        Items items;
        for (std::size_t i = 0; i < list.size(); ++i) {
            items.emplace_back(list[i]);
        }
        return items;
    };
    for (const char blank : {' ', '\t', '\n', '\v', '\f', '\r'}) {
        const std::string two(2, blank);
        CHECK(parse_list(two + "[" + two + "a" + two + "b" + two + "]" + two) == Items{"a", "b"});
        CHECK(parts(two + "a" + two + ";" + two + "b c" + two, ';') == Items{"a", "b c"});
        CHECK(parts(two + "a" + two + "b" + two, ' ') == Items{"a", "b"});
        CHECK(parts(two, ';').empty());
        CHECK(parts(two, ' ').empty());
    }
    for (const char other : {'\b', '\x0e', '!', '\x1f'}) {
        CHECK(parse_list(std::string("a") + other) == Items{std::string("a") + other});
    }
}

TEST_CASE("an item that would be misread is written in quotes") {
    CHECK(of_lines(R"(['a b', 'c"d', ' e', 'f\tg', 'h\ni'])") ==
          header + "1\ta b\n1\t\"c\"\"d\"\n1\t\" e\"\n1\t\"f\tg\"\n1\t\"h\ni\"\n");
}

TEST_CASE("a malformed list names its line and its column and shows itself") {
    CHECK(error_of([] { return of_lines("a b\n['a' 'b'\n"); }) ==
          "clicks.txt:2: the list does not end with ]: \"['a' 'b'\"");
    CHECK(error_of([] { return of_table("id,prev_items\n1,\"a b\"\n2,\"[a\"\n"); }) ==
          "clicks.csv:3: column \"prev_items\": the list does not end with ]: \"[a\"");
}

TEST_CASE("a table of lists and next items becomes events in the order of the lists") {
    CHECK(of_table("prev_items,next_item,locale\n\"['B1' 'B2'\n 'B3']\",B4,UK\n\"['B5']\",,DE\n") ==
          header + "2\tB1\n2\tB2\n2\tB3\n2\tB4\n4\tB5\n");
    CHECK(of_table("session_id:token\titem_id_list:token_seq\titem_id:token\n1\t7 8\t9\n5\t7\t8\n") ==
          header + "1\t7\n1\t8\n1\t9\n5\t7\n5\t8\n");
    CHECK(of_table("session;items\n\"x;y\";\"[\"\"a\"\", \"\"b\"\"]\"\n") == header + "x;y\ta\nx;y\tb\n");
    CHECK(of_table("\xef\xbb\xbfitems\r\na b\r\n \r\n\"c\"\r\n") == header + "2\ta\n2\tb\n4\tc\n");
    CHECK(of_table("session_id,items\n1,[]\n2,\n3,a\n") == header + "3\ta\n");
}

TEST_CASE("the columns of a session table can be named") {
    const std::string table = "a,b,c:token\nx,\"1 2\",9\n";
    CHECK(of_table(table, {.items_key = "b"}) == header + "2\t1\n2\t2\n");
    CHECK(of_table(table, {.items_key = "b", .next_item_key = "c", .session_key = "a"}) ==
          header + "x\t1\nx\t2\nx\t9\n");
    const std::string usual = "session_id,item_ids,target\n8,1 2,3\n";
    CHECK(of_table(usual) == header + "8\t1\n8\t2\n8\t3\n");
    CHECK(of_table(usual, {.next_item_key = "", .session_key = ""}) == header + "2\t1\n2\t2\n");
    CHECK(error_of([&] { return of_table(table, {.items_key = "d"}); }) ==
          "clicks.csv:1: column \"d\" is missing; the header line names \"a\", \"b\", \"c:token\"");
    CHECK(contains(error_of([&] { return of_table(table, {.items_key = "b", .session_key = "b"}); }), "two things"));
    CHECK(contains(error_of([] { return of_table("b,b\n1,2\n", {.items_key = "b"}); }), "more than once"));
    CHECK(contains(error_of([&] { return of_table(table); }), "no column, or more than one, may hold lists"));
}

TEST_CASE("blanks around a field of a session table, and around its quotes, are no part of it") {
    const std::string expected = header + "s 1\ta\ns 1\tb\nt\tc\n";
    const SessionTableColumns columns{.items_key = "items", .session_key = "who"};
    CHECK(of_table("who,items\n  s 1 \t, \"a b\" \t\nt , \tc  \n", columns) == expected);
    CHECK(of_table(" who ,\"items\" \n\"s 1\" ,\"a\nb\"\t\nt,c\n", columns) == expected);
    CHECK(contains(error_of([] { return of_table("items,x\n\"a\" b,1\n"); }), "clicks.csv:2: the quotes of a field"));
}

TEST_CASE("a malformed session table is refused with the line where a record begins") {
    CHECK(contains(error_of([] { return of_table(""); }), "clicks.csv: found no header line"));
    CHECK(contains(error_of([] { return of_table("items,x\na,1\n\"b\n c\",1,2\n"); }),
                   "clicks.csv:3: the line has more than 2 fields, the header 2"));
    CHECK(contains(error_of([] { return of_table("items,x\na\n"); }), "clicks.csv:2: the line has 1 fields"));
    CHECK(contains(error_of([] { return of_table("items,x\n\"a\nb,1\n"); }), "clicks.csv:2: a quote"));
    CHECK(contains(error_of([] { return of_table("items,x\n\"a\"b,1\n"); }), "clicks.csv:2: the quotes of a field"));
    CHECK(
        contains(error_of([] { return of_table("items,x\na,1\nitems,x\n"); }), "clicks.csv:3: found the header line"));
    CHECK(contains(error_of([] { return of_lines("a b\na\rb\n"); }), "clicks.txt:2: found CR within the line"));
    const std::string longest(4096, 'u');
    const SessionTableColumns of_users{.session_key = "user_id"};
    CHECK(of_table("user_id,items\n" + longest + ",a\n", of_users) == header + longest + "\ta\n");
    CHECK(contains(error_of([&] { return of_table("user_id,items\nu" + longest + ",a\n", of_users); }),
                   "has more than 4096 bytes"));
    std::string many = "items";
    for (int i = 1; i < 10'000; ++i) {
        many += ",x";
    }
    CHECK(contains(error_of([&] { return of_table(many + "\n"); }), "no error"));
    CHECK(contains(error_of([&] { return of_table(many + ",x\n"); }), "more than 10000 columns"));
    CHECK(contains(error_of([] { return of_table("user_id,items\n1,a\n1,a b\n"); }),
                   "clicks.csv:3: column \"user_id\": the session \"1\" has two lines in a row"));
}

TEST_CASE("a header line that names a list of items is told from one of events") {
    for (const char* line : {"prev_items,next_item,locale", "session_id:token\titem_id_list:token_seq\titem_id:token",
                             "session_id,items", "items\r\n", "\"session_items\";\"x\"", "session_id|ItemList",
                             "user:token\tclicked:token_seq", "\xef\xbb\xbfitem_ids,target"}) {
        CAPTURE(line);
        CHECK(gru4rec::is_session_table(line));
    }
    for (const char* line : {"SessionId,ItemId,Time", "session_id,item_id,items,time", "70004 70000", "", "\"items",
                             "session_id:token\titem_id:token\ttimestamp:float", "a:token_seq\tb:token_seq"}) {
        CAPTURE(line);
        CHECK_FALSE(gru4rec::is_session_table(line));
    }
}

TEST_CASE("the text is the same however the input and the output are cut") {
    std::string table = "session_id,prev_items,next_item\n";
    for (int i = 0; i < 3000; ++i) {
        table += std::to_string(i) + ",\"['a" + std::to_string(i) + "'\n 'b']\",\"c \"\"" + std::to_string(i) + "\"\n";
    }
    const std::string expected = of_table(table);
    for (const std::size_t piece : {1U, 7U, 4096U}) {
        TextStream slow{.name = "clicks.csv",
                        .read = [rest = std::string_view(table), piece](std::span<char> buffer) mutable {
                            const std::size_t count = rest.copy(buffer.data(), (std::min)(piece, buffer.size()));
                            rest.remove_prefix(count);
                            return count;
                        }};
        CHECK(read_all(gru4rec::sessions_of_table(std::move(slow)), piece) == expected);
    }
}

TEST_CASE("what was peeked at is read again") {
    TextStream stream = gru4rec::text_stream("a", "0123456789");
    CHECK(gru4rec::peek(stream, 4) == "0123");
    CHECK(gru4rec::peek(stream, 6) == "012345");
    CHECK(gru4rec::peek(stream, 100) == "0123456789");
    CHECK(read_all(std::move(stream), 3) == "0123456789");
}

TEST_CASE("lines end with LF or CR LF, and may not be endless") {
    gru4rec::LineReader lines(gru4rec::text_stream("a",
                                                   "\xef\xbb\xbf"
                                                   "1\r\n\n\xef\xbb\xbf"
                                                   "3\r"));
    CHECK(lines.next() == "1");
    CHECK(lines.next() == "");
    CHECK(lines.place() == "a:2");
    CHECK(lines.next() ==
          "\xef\xbb\xbf"
          "3");
    CHECK(lines.next() == std::nullopt);
    CHECK(lines.next() == std::nullopt);

    std::size_t n_read = 0;
    TextStream zeros{.name = "zeros", .read = [&](std::span<char> buffer) {
                         n_read += buffer.size();
                         return buffer.size();
                     }};
    gru4rec::LineReader endless(std::move(zeros), 1000000);
    CHECK(contains(error_of([&] { return endless.next().has_value(); }),
                   "zeros:1: the line has more than 1000000 bytes"));
    CHECK(n_read < 4000000);
}
