#include "gru4rec/core/text.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using gru4rec::detail::edit_distance;
using gru4rec::detail::format_number;
using gru4rec::detail::near_miss;
using gru4rec::detail::parse_number;
using gru4rec::detail::split;

TEST_CASE("a number is read from the whole text or not at all") {
    CHECK(parse_number<int>("42") == 42);
    CHECK(parse_number<int>("-7") == -7);
    CHECK(parse_number<double>("0.25") == 0.25);
    CHECK(parse_number<double>("1e-3") == 0.001);
    CHECK(parse_number<std::int64_t>("-9223372036854775808") == (std::numeric_limits<std::int64_t>::min)());
    for (const std::string_view text : {"", " ", "+1", " 1", "1 ", "1x", "0x10", "1.5", "--1", "-", "1e3", "１"}) {
        CAPTURE(text);
        CHECK(parse_number<int>(text) == std::nullopt);
    }
    for (const std::string_view text : {"", "+1.0", " 1.0", "1.0 ", "1,0", "e5", ".", "1.0f"}) {
        CAPTURE(text);
        CHECK(parse_number<double>(text) == std::nullopt);
    }
}

TEST_CASE("a number beyond its type is not read") {
    CHECK(parse_number<std::int8_t>("128") == std::nullopt);
    CHECK(parse_number<std::int64_t>("9223372036854775808") == std::nullopt);
    CHECK(parse_number<unsigned>("-1") == std::nullopt);
    CHECK(parse_number<double>("1e400") == std::nullopt);
}

TEST_CASE("parsing a number reads only the text given, not what follows it") {
    const std::string_view text = "12345";
    CHECK(parse_number<int>(text.substr(1, 2)) == 23);
}

TEST_CASE("a formatted number is short and reads back as itself") {
    CHECK(format_number(42) == "42");
    CHECK(format_number(-1.5) == "-1.5");
    CHECK(format_number(0.1) == "0.1");
    CHECK(format_number(0.1F) == "0.1");
    for (const double value : {1.0 / 3, 6.02214076e23, 5e-324, -0.0, (std::numeric_limits<double>::max)()}) {
        CAPTURE(value);
        CHECK(parse_number<double>(format_number(value)) == value);
    }
    for (const std::int64_t value : {(std::numeric_limits<std::int64_t>::min)(), std::int64_t{0}}) {
        CHECK(parse_number<std::int64_t>(format_number(value)) == value);
    }
}

TEST_CASE("a text is split at every separator, empty parts included") {
    using Parts = std::vector<std::string_view>;
    CHECK(split("a,b,c", ',') == Parts{"a", "b", "c"});
    CHECK(split("", ',') == Parts{""});
    CHECK(split(",", ',') == Parts{"", ""});
    CHECK(split("a,,b,", ',') == Parts{"a", "", "b", ""});
    CHECK(split("a,b", ';') == Parts{"a,b"});
}

TEST_CASE("the edit distance counts letters to change") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("layers", "layer") == 1);
    CHECK(edit_distance("abc", "abc") == 0);
}

TEST_CASE("a misspelt name is matched by initials, parts and typing errors") {
    const std::vector<std::string_view> known = {"layers", "lr_decay", "learning_rate", "n_epochs", "batch_size"};
    CHECK(near_miss("lr", known) == "learning_rate");
    CHECK(near_miss("bs", known) == "batch_size");
    CHECK(near_miss("epochs", known) == "n_epochs");
    CHECK(near_miss("batch", known) == "batch_size");
    CHECK(near_miss("learning-rate", known) == "learning_rate");
    CHECK(near_miss("layer", known) == "layers");
    CHECK(near_miss("lyaers", known) == "layers");
    CHECK(near_miss("", known).empty());
    CHECK(near_miss("l", known).empty());
    CHECK(near_miss("optimizer", known).empty());
    CHECK(near_miss(std::string(1000, 'n'), known).empty());
}

TEST_CASE("what matches a name has a least length, and a name a largest") {
    const std::vector<std::string_view> known = {"n_epochs", "layers", "adapt", "a__b"};
    CHECK(near_miss("n_e", known) == "n_epochs");
    CHECK(near_miss("la", known).empty());
    CHECK(near_miss("lyrs", known) == "layers");
    CHECK(near_miss("adp", known).empty());
    CHECK(near_miss("lxxers", known) == "layers");
    CHECK(near_miss("lxxxrs", known).empty());
    CHECK(near_miss("ab", known) == "a__b");
    const std::string longest(40, 'n');
    const std::string longer = longest + "n";
    CHECK(near_miss(longest, std::vector<std::string_view>{longer}) == longer);
    CHECK(near_miss(longer, std::vector<std::string_view>{longer}).empty());
}

TEST_CASE("UTF-8 is valid to the ends of its ranges and not beyond them") {
    using gru4rec::detail::append_utf8;
    using gru4rec::detail::utf8_sequence;
    struct Character {
        std::uint32_t code_point;
        std::string bytes;
    };
    for (const Character& character : {Character{0x7f, "\x7f"},
                                       {0x80, "\xc2\x80"},
                                       {0x7ff, "\xdf\xbf"},
                                       {0x800, "\xe0\xa0\x80"},
                                       {0x1000, "\xe1\x80\x80"},
                                       {0xd7ff, "\xed\x9f\xbf"},
                                       {0xe000, "\xee\x80\x80"},
                                       {0xffff, "\xef\xbf\xbf"},
                                       {0x10000, "\xf0\x90\x80\x80"},
                                       {0x1f600, "\xf0\x9f\x98\x80"},
                                       {0x40000, "\xf1\x80\x80\x80"},
                                       {0x10ffff, "\xf4\x8f\xbf\xbf"}}) {
        CAPTURE(character.code_point);
        std::string appended = "a";
        append_utf8(appended, character.code_point);
        CHECK(appended == "a" + character.bytes);
        CHECK(utf8_sequence(character.bytes + "\x80") == character.bytes.size());
        CHECK(gru4rec::detail::is_utf8(appended + appended));
        for (std::size_t i = 1; i < character.bytes.size(); ++i) {
            CHECK(utf8_sequence(character.bytes.substr(0, i)) == 0);
            for (const char other : {'(', '\xc3'}) {
                std::string wrong = character.bytes;
                wrong[i] = other;
                CHECK(utf8_sequence(wrong) == 0);
            }
        }
    }
    for (const std::string wrong :
         {"\x80\x80\x80\x80", "\xbf", "\xc0\x80\x80\x80", "\xc1\xbf\xbf\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff\xbf\xbf\xbf"}) {
        CHECK(utf8_sequence(wrong) == 0);
        CHECK_FALSE(gru4rec::detail::is_utf8("a" + wrong));
    }
}

TEST_CASE(
    "control characters and bytes that are no text are shown as numbers, and long text is cut between characters") {
    using gru4rec::detail::printable;
    using gru4rec::detail::quote;
    CHECK(printable("a\x1f\x7f\xc2\x80\xc2\x9f\xff") == R"(a\x1f\x7f\xc2\x80\xc2\x9f\xff)");
    for (const std::string shown : {" ~", "\xc2\xa0", "\xc3\x85", "\xe2\x82\x85", "\xf0\x9f\x98\x80"}) {
        CHECK(printable(shown) == shown);
    }
    const std::string eighty(80, 'a');
    CHECK(quote(eighty) == "\"" + eighty + "\"");
    CHECK(quote(eighty + "b") == "\"" + std::string(60, 'a') + "\"...\"" + std::string(14, 'a') + "b\"");
    const std::string smile = "\xf0\x9f\x98\x80";
    CHECK(quote(std::string(59, 'a') + smile + std::string(40, 'b') + smile + std::string(12, 'c')) ==
          "\"" + std::string(59, 'a') + smile + "\"...\"" + std::string(12, 'c') + "\"");
    std::string escapes;
    for (int i = 0; i < 63; ++i) {
        escapes += R"(\x80)";
    }
    CHECK(quote(std::string(100, '\x80')) == "\"" + escapes + "\"...\"" + escapes.substr(0, 4 * 12) + "\"");
}

}  // namespace
