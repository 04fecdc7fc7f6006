// Whatever bytes a file holds, reading it ends in a data set or in a FormatError that points at the place.

#include "gru4rec/data/files.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/reader.hpp"
#include "support/reading.hpp"
#include "support/sweep.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::FormatError;
using gru4rec::Index;
using gru4rec::detail::Random;

enum class Outcome { data, error };

/// Reads `content` from a buffer of exactly its size, so that a sanitizer sees every step beyond it.
Outcome parse(const std::string& content) {
    const std::vector<char> exact(content.begin(), content.end());
    const std::string_view bytes(exact.data(), exact.size());
    try {
        const Dataset data = support::read_sessions(bytes, {});
        Index n_events = 0;
        for (Index s = 0; s < data.n_sessions(); ++s) {
            const auto session = data.session(gru4rec::to_session(s));
            REQUIRE_FALSE(session.empty());
            n_events += static_cast<Index>(session.size());
            for (const auto item : session) {
                REQUIRE(to_index(item) >= 0);
                REQUIRE(to_index(item) < data.n_items());
            }
        }
        REQUIRE(n_events == data.n_events());
        return Outcome::data;
    } catch (const FormatError& error) {
        REQUIRE(std::string_view(error.what()).starts_with("file:"));
        REQUIRE(std::string_view(error.what()).size() > 20);
        return Outcome::error;
    }
}

const std::string tsv = "SessionId\tItemId\tTime\textra\n1\ta\t1.5\t\n2\tbb\t-3e2\tx\n1\tcä\t2\ty\n";
const std::string csv = "Time,\"ItemId\",SessionId\r\n1,\"a,\"\"b\"\"\",s\r\n2,c,s\r\n3,d,t";

TEST_CASE("a file cut off at any byte") {
    for (const std::string& content : {tsv, csv}) {
        REQUIRE(parse(content) == Outcome::data);
        for (std::size_t size = 0; size < content.size(); ++size) {
            CAPTURE(size);
            parse(content.substr(0, size));
        }
    }
    CHECK(parse(tsv.substr(0, 10)) == Outcome::error);
    CHECK(parse(tsv.substr(0, tsv.size() - 5)) == Outcome::error);  // the last line lacks fields
}

TEST_CASE("a file with any byte replaced, put in or taken out") {
    const std::vector<char> bytes{'\0', '\t', '\n', '\r',   ' ',    '"',    ',',   '-',
                                  '.',  '0',  'e',  '\x7f', '\x80', '\xc3', '\xff'};
    for (const std::string& content : {tsv, csv}) {
        for (std::size_t at = 0; at < content.size(); ++at) {
            CAPTURE(at);
            for (const char byte : bytes) {
                std::string changed = content;
                changed[at] = byte;
                parse(changed);
                changed = content;
                changed.insert(at, 1, byte);
                parse(changed);
            }
            std::string shorter = content;
            shorter.erase(at, 1);
            parse(shorter);
        }
    }
}

TEST_CASE("random bytes from the alphabet of such files") {
    constexpr std::string_view alphabet = "01.-e\t\t,,\n\n\r\"\"ab\xc3\xa4\xff";
    constexpr std::uint64_t seed = 1;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    int data = 0;
    const int n_rounds = sweep::part_of(20'000);
    for (int round = 0; round < n_rounds; ++round) {
        std::string content = random.below(2) == 0 ? "SessionId\tItemId\tTime\n" : "SessionId,ItemId,Time\n";
        const std::uint64_t size = random.below(24);
        for (std::uint64_t i = 0; i < size; ++i) {
            content += alphabet[random.below(alphabet.size())];
        }
        CAPTURE(content);
        data += parse(content) == Outcome::data ? 1 : 0;
    }
    CHECK(data > n_rounds / 200);  // or the test would have tried errors only
    CHECK(data < n_rounds * 19 / 20);
}

TEST_CASE("mutated files read the same however they are cut, and as a naive reader reads them") {
    constexpr std::string_view alphabet = "019.-e\t\t,,\n\n\r\"\"ab\xc3\xff";
    constexpr std::uint64_t seed = 2;
    CAPTURE(seed);
    Random random(seed, Random::Stream::test);
    int failed = 0;
    constexpr int n_rounds = sweep::part_of(4000);
    for (int round = 0; round < n_rounds; ++round) {
        std::string content = round % 2 == 0 ? tsv + "1\ta\t1\t\n3\tbb\t1396310400.25\t\n3\ta\t1396310400\t\n"
                                             : csv + "\n\"t\"\"\",d,1396310400\nt,\"a\",1396310400.5\n";
        for (std::uint64_t n = 1 + random.below(2); n > 0; --n) {
            const std::size_t body = content.find('\n') + 1;
            const auto at = body + static_cast<std::size_t>(random.below(content.size() - body));
            const char c = alphabet[static_cast<std::size_t>(random.below(alphabet.size()))];
            switch (random.below(4)) {
                case 0: content[at] = c; break;
                case 1: content.insert(at, 1, c); break;
                case 2: content.erase(at, 1); break;
                default: content.insert(at, content.substr(at / 2, static_cast<std::size_t>(random.below(30))));
            }
        }
        CAPTURE(content);
        const std::vector<char> exact(content.begin(), content.end());
        const std::string_view bytes(exact.data(), exact.size());
        const gru4rec::detail::ReadSettings cuts{static_cast<std::size_t>(random.below(40)),
                                                 static_cast<std::size_t>(1 + random.below(4))};
        const auto read = [&](const gru4rec::detail::ReadSettings& settings) {
            return support::outcome([&] { return support::text_of(support::read_sessions(bytes, {}, settings)); });
        };
        const auto whole = read({});
        REQUIRE(read(cuts) == whole);
        REQUIRE(support::agrees(whole, support::outcome([&] {
                                    return support::text_of(support::sessions_of(support::read_naively(bytes, {})));
                                })));
        failed += whole.failed ? 1 : 0;
    }
    CHECK(failed > n_rounds / 10);
    CHECK(failed < n_rounds * 9 / 10);
}

TEST_CASE("long lines, many columns, many lines") {
    const std::string header = "SessionId\tItemId\tTime\n";
    CHECK(parse(header + "1\t" + std::string(1'000'000, 'x') + "\t1\n") == Outcome::data);
    CHECK(parse(header + "1\ta\t" + std::string(1'000'000, '9') + "\n") == Outcome::error);
    CHECK(parse(header + "1\ta\t" + std::string(1'000'000, '0') + "1\n") == Outcome::data);
    CHECK(parse(header + "1\ta\t0." + std::string(1'000'000, '1') + "\n") == Outcome::data);
    CHECK(parse(header + std::string(1'000'000, '\n') + "1\ta\t1\n") == Outcome::data);
    CHECK(parse(header + std::string(100'000, '\t') + "\n") == Outcome::error);
    CHECK(parse(std::string(100'000, '\t') + "\n") == Outcome::error);
    CHECK(parse("SessionId,ItemId,Time\n1,\"" + std::string(200'000, '"') + "\",1\n") == Outcome::data);
}

TEST_CASE("nothing is lost between a file on disk and its bytes in memory, at the sizes of pages and blocks") {
    const auto path =
        std::filesystem::temp_directory_path() /
        ("gru4rec_robustness_tsv_test" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
    const std::string start = "SessionId\tItemId\tTime\n1\ta\t1\n1\t";
    const std::string end = "\t2\n";
    for (const std::size_t size : {4095U, 4096U, 4097U, 8192U, 65535U, 65536U, 65537U}) {
        CAPTURE(size);
        const std::string item(size - start.size() - end.size(), 'x');
        std::ofstream(path, std::ios::binary) << start << item << end;
        REQUIRE(std::filesystem::file_size(path) == size);
        const Dataset data = gru4rec::read_sessions(path);
        CHECK(data.n_events() == 2);
        CHECK(data.items().id(gru4rec::to_item(1)) == item);
        std::ofstream(path, std::ios::binary) << start << item << "\t2";
        CHECK(gru4rec::read_sessions(path).n_events() == 2);
    }
    std::filesystem::remove(path);
}

}  // namespace
