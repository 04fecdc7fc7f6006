#include "cli/replay/answer_reader.hpp"
#include "cli/replay/hits.hpp"
#include "cli/replay/latencies.hpp"
#include "cli/replay/url.hpp"

#include "support/contains.hpp"

#include "gru4rec/core/error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

using cli::playback::Hits;
using cli::playback::Latencies;
using cli::playback::leaves_out;
using cli::playback::read_answer;
using cli::playback::read_error;
using cli::playback::read_ready;
using cli::playback::Url;

namespace {

/// An answer with the items a, b, c, ... and these scores.
[[nodiscard]] std::string answer_of(const std::vector<std::string>& scores) {
    std::string text = R"({"items":[)";
    for (std::size_t i = 0; i < scores.size(); ++i) {
        text += i == 0 ? "" : ",";
        text += R"({"id":")" + std::string(1, static_cast<char>('a' + i)) + R"(","score":)" + scores[i] + "}";
    }
    return text + R"(],"events":3,"unknown":["x","y"],"model":"0123","microseconds":61})";
}

[[nodiscard]] gru4rec::Index rank_of(const std::string& target, const std::vector<std::string>& scores) {
    const auto answer = read_answer(answer_of(scores), target);
    REQUIRE(answer);
    return answer->rank;
}

}  // namespace

TEST_CASE("an answer says where the next item is, how many events the session has, and which model made it") {
    const auto answer = read_answer(answer_of({"3.5", "2", "-1.5"}), "b");
    REQUIRE(answer);
    CHECK(answer->rank == 2);
    CHECK(answer->n_events == 3);
    CHECK(answer->n_unknown == 2);
    CHECK(answer->model == "0123");
    CHECK(rank_of("a", {"3.5", "2", "-1.5"}) == 1);
    CHECK(rank_of("c", {"3.5", "2", "-1.5"}) == 3);
    CHECK(rank_of("d", {"3.5", "2", "-1.5"}) == 0);
    CHECK(rank_of("a", {}) == 0);
    CHECK(rank_of("0123", {"1"}) == 0);
}

TEST_CASE("items of equal score count as better than the one that is looked for") {
    const std::vector<std::string> scores{"5", "4", "4", "4.0", "3", "3", "2"};
    CHECK(rank_of("a", scores) == 1);
    for (const char* const target : {"b", "c", "d"}) {
        CHECK(rank_of(target, scores) == 4);
    }
    CHECK(rank_of("e", scores) == 6);
    CHECK(rank_of("g", scores) == 7);
    CHECK(rank_of("b", {"1e-3", "0.0010000001", "0.001"}) == 2);
}

TEST_CASE("a score of NaN is never a hit") {
    CHECK(rank_of("b", {"1", "null", "null"}) == 0);
    CHECK(rank_of("a", {"1", "null", "null"}) == 1);
}

TEST_CASE("what is not an answer is told from one") {
    for (const char* const text :
         {"", "{", "[]", "{}", "hello", "null", R"({"items":[]})", R"({"events":3})", R"({"items":3,"events":3})",
          R"({"items":[],"events":"3"})", R"({"items":[],"events":3)", R"({"items":[],"events":3}x)",
          R"({"items":[[[[[[[[[[]]]]]]]]]],"events":3})", R"({"a":{"items":[],"events":3}})"}) {
        CAPTURE(text);
        CHECK_FALSE(read_answer(text, "a"));
    }
    CHECK(read_answer(R"({"events":0,"items":[]})", "a"));
    CHECK_FALSE(read_answer(std::string(1'000'000, '['), "a"));
}

TEST_CASE("a number of events that no session has is not that of an answer") {
    const auto with_events = [](const std::string& number) {
        return read_answer(R"({"items":[],"events":)" + number + "}", "a");
    };
    CHECK(with_events("1000000000")->n_events == 1'000'000'000);
    for (const char* const number : {"1000000001", "2147483647", "4294967297", "18446744073709551615", "-1", "3.0"}) {
        CAPTURE(number);
        CHECK_FALSE(with_events(number));
    }
}

TEST_CASE("a server that is ready names its model") {
    const auto ready = read_ready(R"({"status":"ready","model":"0123","sessions":3})");
    REQUIRE(ready);
    CHECK(ready->status == "ready");
    CHECK(ready->model == "0123");
    for (const char* const text : {"", "<html>", "[]", "{}", R"({"status":"ready"})", R"({"model":"0123"})",
                                   R"({"status":1,"model":"0123"})", R"({"status":"ready","model":null})"}) {
        CAPTURE(text);
        CHECK_FALSE(read_ready(text));
    }
}

TEST_CASE("a filter leaves items out if it names some, or some alone") {
    for (const char* const text :
         {R"({"exclude":["7"]})", R"({"exclude":[7]})", R"({"only":[]})", R"({"only":["7"]})"}) {
        CAPTURE(text);
        CHECK(leaves_out(text));
    }
    for (const char* const text : {"", "<html>", "[]", "{}", R"({"exclude":[]})", R"({"exclude":["7"])", R"(["only"])",
                                   R"({"other":["7"],"exclude":[]})", "7", R"("only")"}) {
        CAPTURE(text);
        CHECK_FALSE(leaves_out(text));
    }
    std::string many = R"({"exclude":[)";
    for (int id = 0; id < 100'000; ++id) {
        many += std::to_string(id) + ",";
    }
    CHECK(leaves_out(many + "7]}"));
}

TEST_CASE("what a strange server answers is not made a tree of values, which takes many times its memory") {
    const std::string deep(1'000'000, '[');
    CHECK_FALSE(read_answer(deep, "a"));
    CHECK_FALSE(read_ready(deep));
    CHECK_FALSE(leaves_out(deep));
    CHECK_FALSE(leaves_out(R"({"only":)" + deep));
    const std::string long_text =
        R"({"status":"ready","model":"0123","error":{"code":"x"},"more":[)" + std::string(100'000, ' ') + "]}";
    CHECK_FALSE(read_ready(long_text));
    CHECK(read_error(long_text).code.empty());
    CHECK(read_error(deep).message.empty());
}

TEST_CASE("errors of the server are read, and those of others are not mistaken for them") {
    const auto error = read_error(R"({"error":{"code":"unauthorized","message":"send a token"}})");
    CHECK(error.code == "unauthorized");
    CHECK(error.message == "send a token");
    for (const char* const text : {"", "<html>", "[]", R"({"error":"x"})", R"({"error":{"code":3}})"}) {
        CHECK(read_error(text).code.empty());
    }
}

TEST_CASE("ranks become the measures of an evaluation with one cutoff") {
    Hits hits(5);
    for (const gru4rec::Index rank : {1, 1, 2, 5, 6, 0, 1000}) {
        hits.add(rank);
    }
    const gru4rec::Evaluation evaluation = hits.evaluation();
    CHECK(evaluation.n_predictions == 7);
    CHECK(evaluation.recall_at(5) == doctest::Approx(4.0 / 7));
    CHECK(evaluation.mrr_at(5) == doctest::Approx((2 + 0.5 + 0.2) / 7));
    CHECK(evaluation.ndcg_at(5) == doctest::Approx((2 + 1 / std::log2(3) + 1 / std::log2(6)) / 7));
    CHECK(Hits(3).evaluation().recall_at(3) == 0);
}

TEST_CASE("quantiles of latencies are those of the sorted times, at most 0.1 % too large") {
    std::mt19937_64 random(3);
    std::lognormal_distribution<double> times(13, 3);
    for (const int n : {1, 2, 3, 10, 99, 1000, 20'000}) {
        Latencies latencies;
        std::vector<std::int64_t> sorted;
        for (int i = 0; i < n; ++i) {
            sorted.push_back(static_cast<std::int64_t>(times(random)));
            latencies.add(sorted.back());
        }
        std::sort(sorted.begin(), sorted.end());
        for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
            const auto place = static_cast<std::size_t>((std::max)(1.0, std::ceil(q * n))) - 1;
            CAPTURE(n);
            CAPTURE(q);
            CHECK(latencies.quantile(q) >= sorted[place]);
            CHECK(static_cast<double>(latencies.quantile(q)) <= 1.001 * static_cast<double>(sorted[place]) + 1);
        }
        CHECK(latencies.maximum() == sorted.back());
        CHECK(latencies.quantile(1) == sorted.back());
        CHECK(latencies.count() == n);
    }
}

TEST_CASE("latencies of any size are counted, and of none every quantile is 0") {
    Latencies latencies;
    CHECK(latencies.quantile(0.5) == 0);
    CHECK(latencies.mean() == 0);
    const std::int64_t largest = (std::numeric_limits<std::int64_t>::max)();
    latencies.add(largest);
    CHECK(latencies.quantile(0.5) == largest);
    latencies.add(-5);
    CHECK(latencies.quantile(0.5) == 0);
    for (const std::int64_t time : {2047, 2048, 2049, 4095, 4096}) {
        Latencies one;
        one.add(time);
        one.add(largest);
        CHECK(one.quantile(0.5) >= time);
        CHECK(one.quantile(0.5) <= time + 3);
    }
}

TEST_CASE("the URL of a server is taken apart") {
    const Url plain = Url::parse("http://127.0.0.1:8080");
    CHECK(plain.host == "127.0.0.1");
    CHECK(plain.port == "8080");
    CHECK(plain.authority == "127.0.0.1:8080");
    CHECK(plain.prefix.empty());
    const Url longer = Url::parse("http://[::1]:81/shop/api/");
    CHECK(longer.host == "::1");
    CHECK(longer.port == "81");
    CHECK(longer.authority == "[::1]:81");
    CHECK(longer.prefix == "/shop/api");
    CHECK(Url::parse("http://shop.example").port == "80");
    CHECK(Url::parse("http://[::1]/").port == "80");
}

TEST_CASE("what is not the URL of a server is refused with the reason") {
    const auto problem_of = [](const char* text) -> std::string {
        try {
            static_cast<void>(Url::parse(text));
        } catch (const gru4rec::ConfigError& error) {
            return error.what();
        }
        return {};
    };
    CHECK(contains(problem_of("https://shop.example"), "TLS"));
    CHECK(contains(problem_of("127.0.0.1:8080"), "does not begin with http://"));
    CHECK(contains(problem_of("http://:8080"), "no host"));
    CHECK(contains(problem_of("http://a:b"), "port"));
    CHECK(contains(problem_of("http://a:0"), "port"));
    CHECK(contains(problem_of("http://a:65536"), "port"));
    CHECK(contains(problem_of("http://a:"), "port"));
    CHECK(contains(problem_of("http://me:secret@a:80"), "--token-file"));
    CHECK(contains(problem_of("http://a:80/?x=1"), "query"));
    CHECK(contains(problem_of("http://a b"), "blank"));
    CHECK(contains(problem_of("http://a\r\nX: y"), "blank"));
}
