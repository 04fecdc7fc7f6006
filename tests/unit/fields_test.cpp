#include "gru4rec/data/fields.hpp"

#include "gru4rec/data/read_options.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::Quotes;
using gru4rec::detail::FieldReader;
using Found = FieldReader::Found;

/// The fields of the first row as `a|b|c`, then what follows it after `>`; or the kind of the broken quotes.
std::string fields(std::string_view text, char separator = ',', Quotes quotes = Quotes::enclose) {
    const std::vector<char> exact(text.begin(), text.end());
    FieldReader reader({exact.data(), exact.size()}, separator, quotes);
    std::string result;
    std::string unescaped;
    unescaped.reserve(text.size());
    for (;;) {
        std::string_view value;
        switch (reader.next(unescaped, value)) {
            case Found::field: result += std::string(value) + "|"; break;
            case Found::last_field: return result + std::string(value) + ">" + std::string(reader.rest());
            case Found::open_quote: return "open";
            default: return "bad";
        }
    }
}

TEST_CASE("fields end at separators, rows at line ends outside of quotes") {
    CHECK(fields("") == ">");
    CHECK(fields("\nx") == ">x");
    CHECK(fields("a,b\nc,d\n") == "a|b>c,d\n");
    CHECK(fields(",,") == "||>");
    CHECK(fields("a\tb,c", '\t') == "a|b,c>");
    CHECK(fields("\"a\nb\",c\nd") == "a\nb|c>d");
    CHECK(fields("a\r\nb") == "a>b");
    CHECK(fields("\"a\"\r\nb") == "a>b");
}

TEST_CASE("blanks around a field are dropped, but not a separator") {
    CHECK(fields(" a ,\t\"b\" , c d ") == "a|b|c d>");
    CHECK(fields("\t a\t\t", '\t') == "|a||>");
    CHECK(fields("\" a \"") == " a >");  // left to those who know the column
}

TEST_CASE("doubled quotes are one, wherever they stand") {
    CHECK(fields("\"\"\"\",\"a\"\"b\",\"\"\"\"\"\"") == "\"|a\"b|\"\">");
    CHECK(fields("\"\",a") == "|a>");
    CHECK(fields("a\"b,\"\"\"") == "open");
}

TEST_CASE("quotes may stay open or be followed by text") {
    CHECK(fields("\"a") == "open");
    CHECK(fields("a,\"b,c\nd") == "open");
    CHECK(fields("\"a\"b") == "bad");
    CHECK(fields("\"a\" \"b\"") == "bad");
    CHECK(fields("\"a\"b,\"c\"", ',', Quotes::literal) == "\"a\"b|\"c\">");
}

TEST_CASE("a quoted field is at most a mebibyte long, and no more than that is searched") {
    const std::string longest(FieldReader::longest_quoted, 'x');
    CHECK(fields("\"" + longest + "\",a").ends_with("|a>"));
    CHECK(fields("\"" + longest + "x\",a") == "bad");
    CHECK(fields("\"" + longest) == "open");
    CHECK(fields("\"" + longest + "xx") == "bad");
    const std::string doubled(FieldReader::longest_quoted, '"');
    CHECK(fields("\"" + doubled + "\"").size() == doubled.size() / 2 + 1);
    CHECK(fields("\"" + doubled + "\"\"\"") == "bad");
}

TEST_CASE("lines are cut off without their line ends") {
    std::string_view text = "a\r\n\nb\r\r\nc";
    const auto next = [&] { return std::string(gru4rec::detail::take_line(text)); };
    CHECK(next() == "a");
    CHECK(next() == "");
    CHECK(next() == "b\r");
    CHECK(text == "c");
    CHECK(next() == "c");
    CHECK(next() == "");
}

}  // namespace
