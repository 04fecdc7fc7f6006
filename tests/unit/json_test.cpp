#include "gru4rec/io/json.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/io/safetensors.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::TensorInfo;
using gru4rec::detail::json_string;
using gru4rec::detail::JsonReader;
using gru4rec::detail::Metadata;
using gru4rec::detail::parse_json_object;
using gru4rec::detail::parse_safetensors_header;
using gru4rec::detail::SafetensorsHeader;

/// What `read(reader)` throws on reading the text, without the place and the hint at its end; else "accepted".
template <class Read>
std::string refusal(std::string_view text, Read&& read) {
    try {
        JsonReader reader("f", text);
        read(reader);
        reader.end();
    } catch (const FormatError& error) {
        const std::string message = error.what();
        const std::string hint = "; the file is damaged or is not a safetensors file";
        REQUIRE(message.starts_with("f: "));
        REQUIRE(message.ends_with(hint));
        return message.substr(3, message.size() - 3 - hint.size());
    }
    return "accepted";
}

/// Of an object of strings.
std::string refusal_of_object(std::string_view text) {
    return refusal(text, [&](JsonReader&) { (void)parse_json_object("f", text); });
}

/// Of an integer.
std::string refusal_of_integer(std::string_view text) {
    return refusal(text, [](JsonReader& reader) { (void)reader.integer("n"); });
}

std::string syntax_error(int byte) {
    return "expected JSON, found a syntax error or invalid UTF-8 at byte " + std::to_string(byte) + " of it";
}

/// The string between the quotation marks.
std::string string_of(const std::string& json) { return parse_json_object("f", "{\"a\":\"" + json + "\"}").at("a"); }

// --- the same with nlohmann-json ------------------------------------------------------------------------------------

using Json = nlohmann::ordered_json;

/// Nothing for a text that is not JSON, contains NUL bytes, or repeats a name within an object.
std::optional<Json> parse_by_nlohmann(const std::string& text) {
    std::vector<std::set<std::string>> names;
    bool unique = true;
    const auto watch = [&](int, Json::parse_event_t event, Json& value) {
        if (event == Json::parse_event_t::object_start) {
            names.emplace_back();
        } else if (event == Json::parse_event_t::object_end) {
            names.pop_back();
        } else if (event == Json::parse_event_t::key) {
            unique = names.back().insert(value.get<std::string>()).second && unique;
        }
        return true;
    };
    Json json = Json::parse(text, watch, false);
    if (json.is_discarded() || !unique || text.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    return json;
}

std::optional<Metadata> strings_of(const Json& json) {
    Metadata entries;
    if (!json.is_object()) {
        return std::nullopt;
    }
    for (const auto& [name, value] : json.items()) {
        if (!value.is_string()) {
            return std::nullopt;
        }
        entries[name] = value.get<std::string>();
    }
    return entries;
}

bool are_sizes(const Json& list, std::size_t least, std::size_t most) {
    if (!list.is_array() || list.size() < least || list.size() > most) {
        return false;
    }
    for (const Json& size : list) {
        if (!size.is_number_unsigned()) {
            return false;
        }
    }
    return true;
}

std::optional<TensorInfo> tensor_of(const std::string& name, const Json& json) {
    constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
    if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json["dtype"].is_string() ||
        !json.contains("shape") || !are_sizes(json["shape"], 0, 8) || !json.contains("data_offsets") ||
        !are_sizes(json["data_offsets"], 2, 2)) {
        return std::nullopt;
    }
    TensorInfo tensor{name, json["dtype"], {}, json["data_offsets"][0], json["data_offsets"][1]};
    std::uint64_t n_bytes = gru4rec::detail::dtype_size(tensor.dtype);
    bool is_empty = n_bytes == 0;
    bool is_known = n_bytes > 0;
    for (const std::uint64_t size : json["shape"]) {
        is_known = is_known && size <= largest / 2;
        is_empty = is_empty || size == 0;
        tensor.shape.push_back(static_cast<Index>(size));
    }
    for (const std::uint64_t size : json["shape"]) {
        if (!is_empty && n_bytes > largest / size) {
            return std::nullopt;
        }
        n_bytes = is_empty ? 0 : n_bytes * size;
    }
    const bool fits = tensor.end >= tensor.begin && tensor.end - tensor.begin == n_bytes;
    return is_known && fits ? std::optional(tensor) : std::nullopt;
}

std::optional<SafetensorsHeader> header_by_nlohmann(const std::string& text) {
    const std::optional<Json> json = parse_by_nlohmann(text);
    if (!json || !json->is_object()) {
        return std::nullopt;
    }
    SafetensorsHeader header;
    for (const auto& [name, value] : json->items()) {
        if (name == "__metadata__") {
            const std::optional<Metadata> entries = strings_of(value);
            if (!entries) {
                return std::nullopt;
            }
            header.metadata = *entries;
        } else {
            const std::optional<TensorInfo> tensor = tensor_of(name, value);
            if (!tensor) {
                return std::nullopt;
            }
            header.tensors.push_back(*tensor);
        }
    }
    return header;
}

/// What `parse()` returns; nothing if it throws a FormatError.
template <class Parse>
auto accepted(Parse&& parse) -> std::optional<decltype(parse())> {
    try {
        return parse();
    } catch (const FormatError&) {
        return std::nullopt;
    }
}

// --- random texts ---------------------------------------------------------------------------------------------------

class Mutator {
  public:
    explicit Mutator(unsigned seed) : engine_(seed) {}

    [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

    /// One to three changes: an insertion, a deletion, a replaced byte, a doubled part, or a cut at the end.
    [[nodiscard]] std::string mutated(std::string text) {
        for (std::size_t n = 1 + below(3); n > 0; --n) {
            const std::size_t at = below(text.size() + 1);
            const std::size_t length = below(12);
            switch (below(10)) {
                case 0: text.erase(at, length); break;
                case 1: text.insert(at, text.substr(below(text.size() + 1), length)); break;
                case 2: text.resize(at); break;
                case 3: text.replace(at, at < text.size() ? 1 : 0, 1, static_cast<char>(below(256))); break;
                case 4: text.replace(at, at < text.size() ? 1 : 0, token()); break;
                default: text.insert(at, token()); break;
            }
        }
        return text;
    }

    /// Bytes that often are UTF-8.
    [[nodiscard]] std::string string() {
        std::string text;
        for (std::size_t n = below(12); n > 0; --n) {
            switch (below(40)) {
                case 0: text += static_cast<char>(below(256)); break;
                case 1: text += token(); break;
                default: {
                    const std::array<std::size_t, 5> limits = {0x20, 0x80, 0x800, 0xd800, 0x110000};
                    const auto code_point = static_cast<std::uint32_t>(below(limits[below(5)]));
                    gru4rec::detail::append_utf8(text, code_point >> 11U == 0x1bU ? 0x7fU : code_point);
                }
            }
        }
        return text;
    }

  private:
    [[nodiscard]] std::string token() {
        static const std::vector<std::string> tokens = {"{",
                                                        "}",
                                                        "[",
                                                        "]",
                                                        ",",
                                                        ":",
                                                        "\"",
                                                        "\\",
                                                        " ",
                                                        "\t\r\n ",
                                                        "0",
                                                        "1",
                                                        "9",
                                                        "-",
                                                        "-0",
                                                        ".5",
                                                        "1.0",
                                                        "e1",
                                                        "1e400",
                                                        "null",
                                                        "true",
                                                        "false",
                                                        "\"a\"",
                                                        "\"\":\"\"",
                                                        "\"x\":\"\"",
                                                        "\\n",
                                                        "\\/",
                                                        "\\x",
                                                        "\\u00e9",
                                                        "\\u0000",
                                                        "\\ud83d",
                                                        "\\udE00",
                                                        "\\ud83d\\ude00",
                                                        "\xc3\xa9",
                                                        "\xf0\x9f\x98\x80",
                                                        "\xc0\x80",
                                                        "\xed\xa0\x80",
                                                        "\xff",
                                                        "\x1f",
                                                        "\x7f",
                                                        "//",
                                                        "/**/",
                                                        "\xef\xbb\xbf",
                                                        "18446744073709551615",
                                                        "18446744073709551616",
                                                        "9223372036854775808",
                                                        ",\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}",
                                                        "\"__metadata__\"",
                                                        std::string(1, '\0')};
        return tokens[below(tokens.size())];
    }

    std::mt19937 engine_;
};

}  // namespace

TEST_CASE("texts that are not an object of strings are refused by what was found") {
    const std::string expected = "expected a JSON object of strings, each name once, found ";
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"[]", expected + "a list"},
        {"null", expected + "null"},
        {"true", expected + "true or false"},
        {"false", expected + "true or false"},
        {"\"a\"", expected + "\"a\""},
        {"7", expected + "7"},
        {"{\"a\":{}}", expected + "an object"},
        {"{\"a\":[]}", expected + "a list"},
        {"{\"a\":-1}", expected + "-1"},
        {"{\"a\":1.5}", expected + "\"1.5\""},
        {"{\"a\":null}", expected + "null"},
        {"{\"a\":\"\",\"\\u0061\":\"\"}", expected + "\"a\" twice"},
        {"", syntax_error(1)},
        {"  ", syntax_error(3)},
        {"\xef\xbb", syntax_error(1)},
        {"{", syntax_error(2)},
        {"{a}", syntax_error(2)},
        {"{1:2}", syntax_error(2)},
        {"{,}", syntax_error(2)},
        {"{\"a\"}", syntax_error(5)},
        {"{\"a\":}", syntax_error(6)},
        {"{\"a\":nul}", syntax_error(6)},
        {"{\"a\":'b'}", syntax_error(6)},
        {"{\"a\":\"b\" \"c\":\"d\"}", syntax_error(10)},
        {"{\"a\":\"b\",}", syntax_error(10)},
        {"{\"a\":\"b\"]", syntax_error(9)},
        {"{\"a\":\"b\"", syntax_error(9)},
        {"{\"a\":\"b", syntax_error(8)},
        {"{\"a\":\"\t\"}", syntax_error(7)},
        {"{\"a\":\"\xc3\"}", syntax_error(7)},
        {"{\"a\":\"\\", syntax_error(8)},
        {"{\"a\":\"\\x\"}", syntax_error(8)},
        {"{\"a\":\"\\u00", syntax_error(11)},
        {"{\"a\":\"\\u00g0\"}", syntax_error(11)},
        {"{\"a\":\"\\u+123\"}", syntax_error(9)},
        {"{\"a\":\"\\ude00\"}", syntax_error(13)},
        {"{\"a\":\"\\ud83d\"}", syntax_error(13)},
        {"{\"a\":\"\\ud83d\\n\"}", syntax_error(14)},
        {"{\"a\":\"\\ud83d\\u0041\"}", syntax_error(19)},
        {"{\"a\":\"\\ud83d\\ud83d\"}", syntax_error(19)},
        {"{}}", syntax_error(3)},
        {"{} {}", syntax_error(4)},
        {"{} // end", syntax_error(4)},
        {"{\xc2\xa0}", syntax_error(2)},
        {std::string("{}\0", 3), "expected JSON, found a NUL byte in it"},
        {std::string("{\"a\":\"\0\"}", 9), "expected JSON, found a NUL byte in it"},
    };
    for (const auto& refused : cases) {
        CAPTURE(refused.first);
        CHECK(refusal_of_object(refused.first) == refused.second);
    }
}

TEST_CASE("blanks and a byte order mark around values are accepted") {
    CHECK(parse_json_object("f", "{}").empty());
    CHECK(parse_json_object("f", "\xef\xbb\xbf \t\r\n{ \n} ").empty());
    CHECK(parse_json_object("f", " { \"b\" : \"\" , \"a\":\"1\" } ") == Metadata{{"a", "1"}, {"b", ""}});
}

TEST_CASE("a string is read with all of its escapes") {
    CHECK(string_of(R"(\"\\\/\b\f\n\r\t)") == "\"\\/\b\f\n\r\t");
    CHECK(string_of(R"(\u0041\u00e9\u20AC\ud83D\uDe00)") == "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK(string_of(R"(\ud800\udc00\udbff\udfff\ud7ff\ue000\uffff)") ==
          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf");
    CHECK(string_of(R"(a\u0000b)") == std::string("a\0b", 3));
    CHECK(string_of("/\x7f\xc3\xa9") == "/\x7f\xc3\xa9");
}

TEST_CASE("only an integer of 64 bits without sign is read as one") {
    CHECK(JsonReader("f", "18446744073709551615").integer("n") == 18446744073709551615U);
    CHECK(JsonReader("f", " 0").integer("n") == 0);
    for (const std::string number : {"-0", "-1", "-9223372036854775808"}) {
        CHECK(refusal_of_integer(number) == "expected n, found " + number);
    }
    for (const std::string number : {"18446744073709551616", "-9223372036854775809", "1.0", "0e0", "1E+2", "-1e-2"}) {
        CHECK(refusal_of_integer(number) == "expected n, found \"" + number + "\"");
    }
    CHECK(refusal_of_integer("\"1\"") == "expected n, found \"1\"");
    CHECK(refusal_of_integer("{") == "expected n, found an object");
    CHECK(refusal_of_integer(std::string(1'000'000, '1')).size() < 200);
    const std::vector<std::pair<std::string, int>> no_numbers = {{"-", 2},  {"-a", 2},  {"1.", 3}, {"1.e1", 3},
                                                                 {"1e", 3}, {"1e+", 4}, {"01", 2}, {"0x1", 2},
                                                                 {"+1", 1}, {".5", 1},  {"NaN", 1}};
    for (const auto& refused : no_numbers) {
        CAPTURE(refused.first);
        CHECK(refusal_of_integer(refused.first) == syntax_error(refused.second));
    }
}

TEST_CASE("a list is read element by element") {
    const auto integers = [](std::string_view text) {
        std::vector<std::uint64_t> values;
        JsonReader reader("f", text);
        reader.list("a list", [&] { values.push_back(reader.integer("n")); });
        reader.end();
        return values;
    };
    CHECK(integers("[]").empty());
    CHECK(integers(" [ 1 ,2,\n3 ] ") == std::vector<std::uint64_t>{1, 2, 3});
    const auto refused = [](std::string_view text) {
        return refusal(text, [](JsonReader& reader) { reader.list("a list", [&] { (void)reader.integer("n"); }); });
    };
    CHECK(refused("{}") == "expected a list, found an object");
    CHECK(refused("[1,[]]") == "expected n, found a list");
    CHECK(refused("[1,]") == syntax_error(4));
    CHECK(refused("[1 2]") == syntax_error(4));
    CHECK(refused("[1}") == syntax_error(3));
    CHECK(refused("[1") == syntax_error(3));
}

TEST_CASE("a list of strings and integers is read as texts, and any other list is refused") {
    const auto list_of = [](std::string_view json) {
        std::vector<std::string> texts;
        gru4rec::detail::read_json_list("f", json, [&](std::string_view text) { texts.emplace_back(text); });
        return texts;
    };
    CHECK(list_of("[]").empty());
    CHECK(list_of(R"( ["a", "\u00e9\t", "", 0, -5, 18446744073709551615, -9223372036854775808] )") ==
          std::vector<std::string>{"a", "\xc3\xa9\t", "", "0", "-5", "18446744073709551615", "-9223372036854775808"});
    const std::vector<std::pair<std::string, std::string>> refused = {
        {"[70004.0]", "found \"70004.0\""},
        {"[1e3]", "found \"1e3\""},
        {"[18446744073709551616]", "found \"18446744073709551616\""},
        {"[null]", "found null"},
        {"[true]", "found true or false"},
        {"[[1]]", "found a list"},
        {"[{}]", "found an object"},
        {"{}", "found an object"},
        {"\"a\"", "found \"a\""},
        {"[1 2]", "syntax error or invalid UTF-8 at byte 4"},
        {"[1,]", "syntax error or invalid UTF-8 at byte 4"},
        {"[01]", "syntax error or invalid UTF-8 at byte 3"},
        {"['a']", "syntax error or invalid UTF-8 at byte 2"},
        {"[1]]", "syntax error or invalid UTF-8 at byte 4"},
        {"[\"\xc3\x28\"]", "syntax error or invalid UTF-8"},
        {"[", "syntax error or invalid UTF-8 at byte 2"},
    };
    for (const auto& entry : refused) {
        const std::string& json = entry.first;
        CAPTURE(json);
        try {
            (void)list_of(json);
            FAIL("accepted");
        } catch (const FormatError& error) {
            const std::string message = error.what();
            CHECK(message.starts_with("f: expected "));
            CHECK(message.find(entry.second) != std::string::npos);
            CHECK(message.find("safetensors") == std::string::npos);
        }
    }
}

TEST_CASE("a header of a million brackets is refused without a call for each") {
    for (const std::string begin : {"", "{\"v\":", "{\"v\":{\"shape\":", "{\"__metadata__\":{\"a\":"}) {
        for (const char bracket : {'[', '{'}) {
            CHECK_THROWS_AS((void)parse_safetensors_header("f", begin + std::string(1'000'000, bracket)), FormatError);
        }
    }
}

TEST_CASE("a changed header is read as nlohmann-json reads it, or refused by both") {
    const std::vector<std::string> headers = {
        R"({"__metadata__":{"a":"x\t\"y\"","b":"2"},"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
        R"({"v":{"data_offsets":[8,24],"dtype":"I64","shape":[1,2]},"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
        R"( { "\u00e9\ud83d\ude00" : { "dtype" : "F64" , "shape" : [ 0 , 7 ] , "data_offsets" : [ 3 , 3 ] } } )",
        R"({"__metadata__":{"":"","items":"\u0000/\\","é😀":"é\/"}})",
        R"({"v":{"dtype":"BF16","shape":[1,1,1,1,1,1,1,2],"data_offsets":[18446744073709551611,18446744073709551615]}})",
    };
    constexpr unsigned seed = 20'260'713;
    CAPTURE(seed);
    Mutator mutator(seed);
    int n_accepted = 0;
    for (int n = 0; n < sweep::part_of(40'000); ++n) {
        const std::string text = mutator.mutated(headers[mutator.below(headers.size())]);
        CAPTURE(n);
        CAPTURE(text);
        const auto expected = header_by_nlohmann(text);
        const auto found = accepted([&] { return parse_safetensors_header("f", text); });
        REQUIRE(found.has_value() == expected.has_value());
        if (found) {
            REQUIRE(found->metadata == expected->metadata);
            REQUIRE(found->tensors == expected->tensors);
            ++n_accepted;
        }
    }
    CHECK(n_accepted > sweep::part_of(1'000));
}

TEST_CASE("a changed object of strings is read as nlohmann-json reads it, or refused by both") {
    constexpr unsigned seed = 20'260'714;
    CAPTURE(seed);
    Mutator mutator(seed);
    int n_accepted = 0;
    for (int n = 0; n < sweep::part_of(40'000); ++n) {
        const std::string text = mutator.mutated(R"({"epoch":"3","loss":"0.25 \u20ac\n","é😀":"\ud83d\ude00"})");
        CAPTURE(n);
        CAPTURE(text);
        const auto json = parse_by_nlohmann(text);
        const auto expected = json ? strings_of(*json) : std::nullopt;
        const auto found = accepted([&] { return parse_json_object("f", text); });
        REQUIRE(found == expected);
        n_accepted += found ? 1 : 0;
    }
    CHECK(n_accepted > sweep::part_of(4'000));
}

TEST_CASE("a string is written with the bytes of nlohmann-json and comes back") {
    constexpr unsigned seed = 20'260'715;
    CAPTURE(seed);
    Mutator mutator(seed);
    int n_refused = 0;
    for (int n = 0; n < sweep::part_of(20'000); ++n) {
        const std::string text = mutator.string();
        CAPTURE(n);
        CAPTURE(text);
        if (gru4rec::detail::is_utf8(text)) {
            const std::string json = json_string(text);
            REQUIRE(json == nlohmann::json(text).dump());
            REQUIRE(parse_json_object("f", "{\"a\":" + json + "}").at("a") == text);
        } else {
            REQUIRE_THROWS_AS((void)json_string(text), gru4rec::ConfigError);
            REQUIRE_THROWS((void)nlohmann::json(text).dump());
            ++n_refused;
        }
    }
    CHECK(n_refused > sweep::part_of(500));
    for (unsigned byte = 0; byte < 0x80; ++byte) {
        const std::string text(1, static_cast<char>(byte));
        CHECK(json_string(text) == nlohmann::json(text).dump());
    }
}
