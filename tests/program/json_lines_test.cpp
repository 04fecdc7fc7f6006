#include "cli/json_lines.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/records.hpp"
#include "gru4rec/data/session_lines.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "support/contains.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::TextStream;
using gru4rec::detail::Random;
using nlohmann::json;

std::string read_all(TextStream stream, std::size_t piece = 4096) {
    std::string text;
    std::vector<char> buffer(piece);
    while (const std::size_t count = stream.read(buffer)) {
        text.append(buffer.data(), count);
    }
    return text;
}

std::string table_of(const std::string& lines) {
    return read_all(cli::json_lines_to_table(gru4rec::text_stream("clicks.jsonl", lines)));
}

std::string error_of(const std::string& lines) {
    try {
        static_cast<void>(table_of(lines));
    } catch (const FormatError& error) {
        return error.what();
    }
    return "no error";
}

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const std::string& table) {
    Rows rows;
    gru4rec::LineReader lines(gru4rec::text_stream("table", table));
    while (auto line = lines.next()) {
        gru4rec::detail::RecordFields fields;
        while (fields.add_line(*line, '\t', 1000) == gru4rec::detail::RecordFields::State::open) {
            line = lines.next();
            REQUIRE(line.has_value());
        }
        auto& row = rows.emplace_back();
        for (std::size_t i = 0; i < fields.size(); ++i) {
            row.emplace_back(fields[i]);
        }
    }
    return rows;
}

/// Values of all kinds, strings of any characters.
class RandomJson {
  public:
    explicit RandomJson(Random& random) : random_(random) {}

    json value(int depth = 0) {
        switch (random_.below(depth < 3 ? 9 : 7)) {
            case 0: return nullptr;
            case 1: return random_.below(2) == 0;
            case 2: return static_cast<std::int64_t>(random_.next());
            case 3: return random_.next();
            case 4: return static_cast<double>(random_.below(1000000)) / 128 - 1000;
            case 7: return array(depth);
            case 8: return object(depth);
            default: return string();
        }
    }

    std::string string() {
        std::string text;
        for (std::uint64_t n = random_.below(8); n > 0; --n) {
            const std::uint64_t kind = random_.below(4);
            const std::uint64_t code = kind == 0 ? random_.below(0x20) : kind == 1 ? random_.below(0xd800) : 0;
            if (code != 0 && code != '\n' && code != '\r') {  // lines are read with any line end as LF
                gru4rec::detail::append_utf8(text, static_cast<std::uint32_t>(code));
            } else {
                text += std::string_view("ab \t\"\\/,;x\n")[random_.below(11)];
            }
        }
        return text;
    }

  private:
    json array(int depth) {
        json result = json::array();
        for (std::uint64_t n = random_.below(4); n > 0; --n) {
            // Not an object: an array of objects may be the events of a session.
            json element = value(depth + 1);
            result.push_back(element.is_object() ? json(1) : std::move(element));
        }
        return result;
    }

    json object(int depth) {
        json result = json::object();
        for (std::uint64_t n = random_.below(4); n > 0; --n) {
            result[string()] = value(depth + 1);
        }
        return result;
    }

    Random& random_;
};

/// Compares a field of the table with the value that nlohmann-json has.
void check_field(const std::string& field, const json& value) {
    CAPTURE(value.dump());
    if (value.is_null()) {
        REQUIRE(field.empty());
    } else if (value.is_string()) {
        REQUIRE(field == value.get<std::string>());
    } else if (value.is_structured()) {
        REQUIRE(json::parse(field) == value);
    } else {
        REQUIRE(field == value.dump());
    }
}

}  // namespace

TEST_CASE("an object per event becomes a line whose columns are the keys") {
    CHECK(table_of("{\"session\": 1, \"item\": 70004, \"time\": 1431235772.404}\n\n"
                   " {\"time\": 5, \"session\": \"x y\", \"item\": true}\r\n") ==
          "session\titem\ttime\n1\t70004\t1431235772.404\nx y\ttrue\t5\n");
}

TEST_CASE("an object per session becomes a line for each event of its array") {
    CHECK(
        table_of(
            "{\"session\": 1, \"events\": [{\"aid\": 7, \"ts\": 1431235772404, \"type\": \"clicks\"}, {\"aid\": 8}]}\n"
            "{\"session\": 2, \"events\": []}\n{\"session\": 3, \"events\": null}\n"
            "{\"events\": [{\"ts\": 2, \"aid\": 9}], \"session\": 4}") ==
        "session\taid\tts\ttype\n1\t7\t1431235772404\tclicks\n1\t8\t\t\n4\t9\t2\t\n");
    CHECK(table_of("{\"type\":\"a\",\"clicks\":[{\"type\":\"b\",\"x\":1}]}") == "type\tclicks.type\tx\na\tb\t1\n");
}

TEST_CASE("an array that not every object has is a value, not the events") {
    CHECK(table_of("{\"item\":1,\"products\":[{\"id\":2}]}\n{\"item\":3}\n") ==
          "item\tproducts\n1\t\"[{\"\"id\"\":2}]\"\n3\t\n");
    CHECK(table_of("{\"item\":1,\"tags\":[\"a\", \"b\"]}") == "item\ttags\n1\t\"[\"\"a\"\",\"\"b\"\"]\"\n");
    CHECK(contains(error_of("{\"x\":[{\"a\":1}],\"y\":[{\"a\":1}]}"), "the keys \"x\" and \"y\" both hold arrays"));
    CHECK(table_of("{\"x\":[{\"a\":1}],\"events\":[{\"b\":1}]}") == "x\tb\n\"[{\"\"a\"\":1}]\"\t1\n");
}

TEST_CASE("an object per session with a list of items is a session per line") {
    const auto events_of = [](const std::string& lines) {
        return read_all(
            gru4rec::sessions_of_table(cli::json_lines_to_table(gru4rec::text_stream("clicks.jsonl", lines))));
    };
    CHECK(events_of("{\"session_id\":7,\"items\":[\"a\\t\\u00e9\", \"b\"]}\n{\"session_id\":8,\"items\":[1,2]}\n") ==
          "SessionId\tItemId\n7\t\"a\té\"\n7\tb\n8\t1\n8\t2\n");
    CHECK_THROWS_WITH_AS(events_of("{\"items\":[1]}\n{\"items\":[[2]]}\n"),
                         doctest::Contains("clicks.jsonl, event 2: column \"items\": found"), FormatError);
}

TEST_CASE("keys may be missing, and the first thousand objects say which there are") {
    CHECK(table_of("{\"a\":1}\n{\"b\":2}\n{\"a\":3,\"c\":null}\n") == "a\tb\tc\n1\t\t\n\t2\t\n3\t\t\n");
    std::string lines;
    for (int i = 0; i < 1000; ++i) {
        lines += "{\"a\":" + std::to_string(i) + "}\n";
    }
    const std::string table = table_of(lines + "{\"late\":[1,{}],\"a\":-1}\n");
    CHECK(table.starts_with("a\n0\n1\n"));
    CHECK(table.ends_with("\n999\n-1\n"));
    CHECK(contains(error_of(lines + "{\"late\":01}\n"), "clicks.jsonl:1001: found \"01\""));
}

TEST_CASE("numbers are written as they stand") {
    for (const char* number : {"0", "-0", "70004.0", "1e3", "-0.5E+10", "18446744073709551615",
                               "123456789012345678901234", "1.4312357724040001", "1e999"}) {
        CHECK(table_of(std::string("{\"a\":[],\"n\":") + number + "}") == std::string("a\tn\n[]\t") + number + "\n");
    }
    for (const char* number :
         {"01", "1.", ".5", "+1", "1e", "1e+", "-", "0x1", "1_0", "NaN", "Infinity", "1.5.2", "1e5x", "1e5.0"}) {
        CAPTURE(number);
        CHECK(contains(error_of(std::string("{\"n\":") + number + "}"), "clicks.jsonl:1: "));
    }
}

TEST_CASE("a string that would be misread is written in quotes, and empty lines do not occur") {
    CHECK(table_of(R"({"a":" x","b":"y ","c":"1\t2","d":"\"q\"","e":"l\nm","f":"é'"})") ==
          "a\tb\tc\td\te\tf\n\" x\"\t\"y \"\t\"1\t2\"\t\"\"\"q\"\"\"\t\"l\nm\"\té'\n");
    CHECK(table_of("{\"\":\"\"}\n{\"\":null}\n{}\n") == "\"\"\n\"\"\n\"\"\n\"\"\n");
}

TEST_CASE("random objects become the fields that nlohmann-json reads") {
    constexpr std::uint64_t seed = 14;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    RandomJson any(random);
    for (int round = 0; round < 300; ++round) {
        std::vector<json> objects(1 + random.below(5));
        std::string lines;
        std::size_t n_keys = 0;
        for (json& object : objects) {
            object = json::object();
            for (std::uint64_t n = random.below(5); n > 0; --n) {
                object["k" + any.string()] = any.value();
            }
            n_keys += object.size();
            lines += object.dump() + "\n";
        }
        if (n_keys == 0) {
            continue;
        }
        CAPTURE(lines);
        const Rows rows = rows_of(table_of(lines));
        REQUIRE(rows.size() == objects.size() + 1);
        for (std::size_t i = 0; i < objects.size(); ++i) {
            std::size_t n_found = 0;
            for (std::size_t column = 0; column < rows[0].size(); ++column) {
                const auto found = objects[i].find(rows[0][column]);
                n_found += found == objects[i].end() ? 0U : 1U;
                check_field(rows[i + 1][column], found == objects[i].end() ? json(nullptr) : *found);
            }
            REQUIRE(n_found == objects[i].size());
        }
    }
}

TEST_CASE("random sessions become the events that nlohmann-json reads") {
    Random random(15, Random::Stream::test);
    RandomJson any(random);
    for (int round = 0; round < 100; ++round) {
        std::string lines = "{\"s\":0,\"t\":1,\"events\":[{\"a\":1,\"b\":2}]}\n";
        Rows expected = {{"s", "t", "a", "b"}, {"0", "1", "1", "2"}};
        for (std::uint64_t n = random.below(4); n > 0; --n) {
            json session = {{"s", any.string()}, {"events", json::array()}};
            for (std::uint64_t e = random.below(4); e > 0; --e) {
                session["events"].push_back({{"a", any.string()}, {"b", random.next()}});
                const json& event = session["events"].back();
                expected.push_back({session["s"], "", event["a"], event["b"].dump()});
            }
            lines += session.dump() + "\n";
        }
        CAPTURE(lines);
        REQUIRE(rows_of(table_of(lines)) == expected);
    }
}

TEST_CASE("what is no JSON line is refused with its line and what was expected") {
    const std::string good = "{\"a\":1}\n";
    for (const char* line : {"{\"a\":1", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{\"a\":1,}", "{\"a\":\"b}",
                             "{\"a\":nul}", "{\"a\":\"\\q\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\x01\"}",
                             "{\"a\":[1 2]}", "{\"a\":{\"b\"}}", "{\"a\":1}}", "{\"a\":[1}"}) {
        CAPTURE(line);
        CHECK(contains(error_of(good + line), "clicks.jsonl:2: "));
    }
    CHECK(contains(error_of(good + "{\"a\":\"\xff\"}"), "clicks.jsonl:2: the line is not valid UTF-8"));
    CHECK(contains(error_of(good + "{\"a\":1} {\"a\":2}"), "clicks.jsonl:2: found more after the object"));
    CHECK(contains(error_of(good + "[{\"a\":1}]"), "jq -c '.[]' FILE"));
    CHECK(contains(error_of("{\n  \"a\": 1\n}\n"), "jq -c . FILE puts each object on one line"));
    CHECK(contains(error_of(good + "a,b"), "clicks.jsonl:2: found \"a,b\"; expected a JSON object, such as {"));
    CHECK(contains(error_of(good + "{\"a\":1,\"a\":2}"), "clicks.jsonl:2: key \"a\" occurs twice"));
    CHECK(contains(error_of("{}\n{}"), "clicks.jsonl: the objects have no keys"));
    CHECK(contains(error_of("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"),
                   "nested more than 64 deep"));
    CHECK(table_of("") == "");
}

TEST_CASE("a session without its array of events is refused") {
    std::string lines;
    for (int i = 0; i < 1000; ++i) {
        lines += "{\"s\":1,\"e\":[{\"a\":1}]}\n";
    }
    CHECK(contains(error_of(lines + "{\"s\":2}\n"), "clicks.jsonl:1001: the key \"e\" is missing"));
    CHECK(
        contains(error_of(lines + "{\"s\":2,\"e\":5}\n"), "clicks.jsonl:1001: key \"e\": expected an array of events"));
    CHECK(contains(error_of(lines + "{\"e\":[{\"a\":1},2]}\n"),
                   "clicks.jsonl:1001: key \"e\": expected an array of objects"));
    CHECK(contains(error_of(lines + "{\"e\":[],\"e\":[]}\n"), "clicks.jsonl:1001: key \"e\" occurs twice"));
}

TEST_CASE("more keys than a table can have are refused") {
    json object;
    for (int i = 0; i <= 1000; ++i) {
        object["k" + std::to_string(i)] = i;
    }
    CHECK(contains(error_of(object.dump()), "more than 1000 different keys"));
    object.erase("k7");
    CHECK(rows_of(table_of(object.dump())).at(1).size() == 1000);
}

TEST_CASE("JSON lines that are cut off or damaged give a table or one error") {
    const std::string good =
        "{\"session\":1,\"events\":[{\"aid\":70004,\"type\":\"c\\u00e9\\n\"},{}]}\n{\"session\":2,\"events\":[]}\n";
    const auto check = [](const std::string& lines) {
        const std::string error = error_of(lines);
        REQUIRE((error == "no error" || error.starts_with("clicks.jsonl:")));
    };
    for (std::size_t i = 0; i < good.size(); ++i) {
        CAPTURE(i);
        check(good.substr(0, i));
        for (const int bit : {1, 4, 16, 64, 128}) {
            std::string changed = good;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            check(changed);
        }
    }
}

TEST_CASE("a line without an end is refused before it fills the memory") {
    std::size_t n_read = 0;
    TextStream endless{.name = "clicks.jsonl", .read = [&](std::span<char> buffer) {
                           std::fill(buffer.begin(), buffer.end(), 'x');
                           buffer[0] = n_read == 0 ? '{' : 'x';
                           n_read += buffer.size();
                           return buffer.size();
                       }};
    CHECK_THROWS_AS(read_all(cli::json_lines_to_table(std::move(endless))), FormatError);
    CHECK(n_read <= std::size_t{129} << 20U);
}

TEST_CASE("the table is the same however the input and the output are cut") {
    std::string lines;
    for (int i = 0; i < 5000; ++i) {
        lines += "{\"s\":" + std::to_string(i) + ",\"e\":[{\"a\":\"x\\t" + std::to_string(i) +
                 "\"},{\"a\":" + std::string(static_cast<std::size_t>(i % 60), ' ') + "1}]}\n";
    }
    const std::string expected = table_of(lines);
    CHECK(rows_of(expected).size() == 10001);
    for (const std::size_t piece : {1U, 13U, 4096U}) {
        TextStream slow{.name = "clicks.jsonl",
                        .read = [rest = std::string_view(lines), piece](std::span<char> buffer) mutable {
                            const std::size_t count = rest.copy(buffer.data(), (std::min)(piece, buffer.size()));
                            rest.remove_prefix(count);
                            return count;
                        }};
        CHECK(read_all(cli::json_lines_to_table(std::move(slow)), piece) == expected);
    }
}

TEST_CASE("JSON lines are told by their first byte") {
    CHECK(cli::is_json_lines("{\"a\":1}"));
    CHECK(cli::is_json_lines("\xef\xbb\xbf \r\n{"));
    CHECK_FALSE(cli::is_json_lines("a,{b"));
    CHECK_FALSE(cli::is_json_lines(""));
    CHECK_FALSE(cli::is_json_lines("[{\"a\":1}]"));
}
