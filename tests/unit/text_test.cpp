#include "gru4rec/core/text.hpp"

#include <doctest/doctest.h>

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

}  // namespace
