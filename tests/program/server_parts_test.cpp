#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/data/item_map.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/serve/access.hpp"
#include "cli/serve/address.hpp"
#include "cli/serve/filter_keeper.hpp"
#include "cli/serve/http.hpp"
#include "cli/serve/json_text.hpp"
#include "cli/serve/requests.hpp"
#include "cli/serve/routes.hpp"
#include "cli/serve/target.hpp"
#include "support/contains.hpp"
#include "support/temporary_folder.hpp"

// The parts of the server that need no connection. What it is as a whole is tested in end_to_end/serve_test.py.
namespace {

using namespace cli::server;
using gru4rec::detail::Random;
using Texts = std::vector<std::string>;

/// The status, the code and the message of what is thrown; empty if nothing is.
template <class Work>
[[nodiscard]] std::string failure_of(const Work& work) {
    try {
        work();
        return {};
    } catch (const HttpFailure& failure) {
        return std::to_string(failure.status()) + " " + std::string(failure.code()) + ": " + failure.what();
    }
}

[[nodiscard]] gru4rec::ItemMap catalogue() {
    gru4rec::ItemMap items;
    for (const std::string_view id : {"1", "2", "red shoes", "é", "-5"}) {
        items.insert(id);
    }
    return items;
}

[[nodiscard]] Exchange exchange_for(Method method, std::string_view target, std::string_view body = {}) {
    Exchange exchange;
    exchange.request.method = method;
    exchange.request.body = body;
    exchange.target = Target::parse(target);
    exchange.route = &find_route(exchange.target, method);
    return exchange;
}

[[nodiscard]] std::vector<int> numbers_of(const std::vector<gru4rec::ItemIndex>& items) {
    std::vector<int> numbers;
    std::transform(items.begin(), items.end(), std::back_inserter(numbers),
                   [](gru4rec::ItemIndex item) { return static_cast<int>(gru4rec::to_index(item)); });
    return numbers;
}

}  // namespace

TEST_CASE("targets are cut at slashes and decoded, the query at ampersands") {
    const Target plain = Target::parse("/v1/sessions/a%2Fb%20%C3%A9+/events");
    CHECK(plain.segments == Texts{"v1", "sessions", "a/b é+", "events"});
    CHECK(plain.parameters.empty());
    const Target query = Target::parse("/x?n=5&exclude=a+b&exclude=%26&&empty=&bare#fragment?n=6");
    CHECK(query.segments == Texts{"x"});
    CHECK(query.parameters == std::vector<std::pair<std::string, std::string>>{
                                  {"n", "5"}, {"exclude", "a b"}, {"exclude", "&"}, {"empty", ""}, {"bare", ""}});
    CHECK(Target::parse("/").segments == Texts{""});
    CHECK(Target::parse("http://host:80/a/b?c=1").segments == Texts{"a", "b"});
    CHECK(Target::parse("http://host").segments == Texts{""});
    CHECK(Target::parse("/a?u=http://b/c").segments == Texts{"a"});
    for (const std::string_view bad :
         {"", "x", "*", "host:80", "?n=1", "/%", "/%2", "/%2g", "/a?b=%ff", "/%c3", "http://host?u=/b"}) {
        CAPTURE(bad);
        CHECK(contains(failure_of([&] { (void)Target::parse(bad); }), "400 bad_target"));
    }
}

TEST_CASE("routes are found by path and method, HEAD with GET") {
    CHECK(exchange_for(Method::post, "/v1/sessions/x/events").route_id() == Route::feed);
    CHECK(exchange_for(Method::remove, "/v1/sessions/x").route_id() == Route::end_session);
    CHECK(exchange_for(Method::head, "/metrics").route_id() == Route::metrics);
    CHECK(exchange_for(Method::put, "/v1/filter").route_id() == Route::write_filter);
    CHECK(exchange_for(Method::get, "/v1/filter").route_id() == Route::read_filter);
    const Exchange similar = exchange_for(Method::get, "/v1/items/red%20shoes/similar");
    CHECK(id_in(similar.target, *similar.route) == "red shoes");
    for (std::size_t i = 0; i + 1 < n_routes; ++i) {
        CHECK(routes[i].route == static_cast<Route>(i));
        CHECK(find_route(Target::parse(routes[i].path), routes[i].method).route == routes[i].route);
    }
    CHECK(contains(failure_of([] { (void)exchange_for(Method::get, "/v1/recommend/"); }), "404 unknown_route"));
    CHECK(contains(failure_of([] { (void)exchange_for(Method::post, "/v1/filter"); }), "GET, HEAD, PUT"));
}

TEST_CASE("every text and every finite number is written so that a JSON parser reads it back") {
    Random random(7, Random::Stream::test);
    for (int i = 0; i < 2000; ++i) {
        std::string text;
        for (std::uint64_t n = random.below(12); n > 0; --n) {
            constexpr std::array<std::string_view, 8> parts{"\"",   "\\", "\n",   "é",
                                                            "\x7f", "a",  "\x01", "\xf0\x9f\x91\x9f"};
            text += parts[random.below(parts.size())];
        }
        std::string written;
        append_string(written, text);
        CHECK(nlohmann::json::parse(written).get<std::string>() == text);
        const auto bits = random.below(std::uint64_t{1} << 32U);
        const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        const auto whole = std::bit_cast<double>(bits << 32U | random.below(std::uint64_t{1} << 32U));
        written = "[";
        append_number(written, single);
        written += ',';
        append_number(written, whole);
        const auto read = nlohmann::json::parse(written + "]");
        CHECK(read[0].is_null() == !std::isfinite(single));
        CHECK(read[1].is_null() == !std::isfinite(whole));
        CHECK((read[0].is_null() || static_cast<float>(read[0].get<double>()) == single));
        CHECK((read[1].is_null() || read[1].get<double>() == whole));
    }
}

TEST_CASE("bodies become jobs with the items of the model") {
    const gru4rec::ItemMap items = catalogue();
    const cli::ServeLimits limits;
    const RequestRules rules{items, limits};
    Exchange feed = exchange_for(Method::post, "/v1/sessions/v/events",
                                 R"({"items": ["2", -5, 1, "gone"], "n": 3, "exclude": ["é"], "only": [2, "lost"]})");
    read_feed(rules, feed);
    const Job& job = feed.jobs.at(0);
    CHECK(job.kind == Job::Kind::feed);
    CHECK(job.id == "v");
    CHECK(numbers_of(job.events) == std::vector<int>{1, 4, 0});
    CHECK(job.n == 3);
    CHECK(numbers_of(job.exclude) == std::vector<int>{3});
    REQUIRE(job.only.has_value());
    CHECK(numbers_of(*job.only) == std::vector<int>{1});
    auto unknown = job.unknown;
    std::sort(unknown.begin(), unknown.end());
    CHECK(unknown == Texts{"gone", "lost"});

    Exchange batch = exchange_for(Method::post, "/v1/recommend/batch",
                                  R"({"requests": [{"session": []}, {"session": ["red shoes"], "only": []}]})");
    read_batch(rules, batch);
    REQUIRE(batch.jobs.size() == 2);
    CHECK(batch.jobs[0].n == 20);
    CHECK_FALSE(batch.jobs[0].only.has_value());
    CHECK(batch.jobs[1].only.value().empty());
    CHECK(numbers_of(batch.jobs[1].events) == std::vector<int>{2});

    Exchange query = exchange_for(Method::get, "/v1/items/red%20shoes/similar?only=1&only=%C3%A9&n=0&unknown=error");
    read_similar(rules, query);
    CHECK(numbers_of(query.jobs.at(0).only.value()) == std::vector<int>{0, 3});
    CHECK(query.jobs[0].n == 0);
}

TEST_CASE("the ids of all fields and sessions of a request count together") {
    const gru4rec::ItemMap items = catalogue();
    cli::ServeLimits limits;
    limits.ids = 4;
    const RequestRules rules{items, limits};
    const auto read = [&](std::string_view body) {
        Exchange exchange = exchange_for(Method::post, "/v1/recommend/batch", body);
        return failure_of([&] { read_batch(rules, exchange); });
    };
    CHECK(read(R"({"requests": [{"session": [1, 2], "exclude": [1]}, {"session": [2]}]})").empty());
    CHECK(contains(read(R"({"requests": [{"session": [1, 2], "exclude": [1]}, {"session": [2], "only": [1]}]})"),
                   "422 too_many"));
}

TEST_CASE("nesting that no request has is refused before it takes memory") {
    CHECK(contains(failure_of([] { (void)read_filter(std::string(1'000'000, '[')); }), "400 bad_json"));
    CHECK(contains(failure_of([] { (void)read_filter(R"({"only": [[[[[[[[1]]]]]]]]})"); }), "8 deep"));
    CHECK(read_filter(R"({"only": ["[[[[[[[[[[{{{{", "\"[[[[[[[[["]})").ids.size() == 2);
}

TEST_CASE("whatever comes as a target or a body is read or refused") {
    const gru4rec::ItemMap items = catalogue();
    const cli::ServeLimits limits;
    const RequestRules rules{items, limits};
    const std::array<std::string, 4> seeds{
        R"({"session": ["1", 2, "red shoes"], "n": 20, "exclude": ["\u00e9"], "only": [1], "unknown": "skip"})",
        R"({"requests": [{"session": ["1"]}, {"session": [], "n": 0}]})",
        R"({"exclude": ["1", "x"], "unknown": "error"})",
        "/v1/items/red%20shoes/similar?n=5&exclude=1&only=2&unknown=skip"};
    Random random(11, Random::Stream::test);
    int n_read = 0;
    int n_refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = seeds[random.below(seeds.size())];
        for (std::uint64_t n = random.below(4); n > 0; --n) {
            const auto at = static_cast<std::size_t>(random.below(text.size()));
            const auto byte = static_cast<char>(random.below(256));
            switch (random.below(4)) {
                case 0: text[at] = byte; break;
                case 1: text.insert(at, 1, byte); break;
                case 2: text.erase(at, random.below(4)); break;
                default: text.insert(at, text.substr(text.size() - at / 2)); break;
            }
        }
        CAPTURE(text);
        const auto count = [&](const std::string& failure) {
            ++(failure.empty() ? n_read : n_refused);
            CHECK((failure.empty() || failure.starts_with("4")));
        };
        count(failure_of([&] { (void)read_filter(text); }));
        count(failure_of([&] {
            Exchange exchange = exchange_for(Method::post, "/v1/recommend", text);
            read_recommend(rules, exchange);
        }));
        count(failure_of([&] {
            Exchange exchange = exchange_for(Method::post, "/v1/recommend/batch", text);
            read_batch(rules, exchange);
        }));
        count(failure_of([&] {
            Exchange exchange = exchange_for(Method::get, text);
            if (exchange.route_id() == Route::similar) {
                read_similar(rules, exchange);
            }
        }));
    }
    CHECK(n_read > 1000);
    CHECK(n_refused > 1000);
}

TEST_CASE("a token is accepted as it is and refused with any difference") {
    const TemporaryFolder folder;
    const auto write = [&](std::string_view text) {
        const std::string path = (folder.path() / "token").string();
        std::ofstream(path, std::ios::binary) << text;
        std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return path;
    };
    const std::string token = "0123456789abcdef";
    const Access access(write(token + "\r\nsecond line"));
    CHECK(access.needs_token());
    CHECK(access.allows("Bearer " + token));
    CHECK(access.allows("bEARER   " + token));
    CHECK_FALSE(Access().needs_token());
    CHECK(Access().allows(""));
    for (std::size_t i = 0; i < token.size(); ++i) {
        std::string other = token;
        other[i] ^= 1;
        CHECK_FALSE(access.allows("Bearer " + other));
        CHECK_FALSE(access.allows("Bearer " + token.substr(i + 1)));
        CHECK_FALSE(access.allows("Bearer " + token + token.substr(i)));
    }
    for (const std::string& other :
         Texts{"", "Bearer", "Bearer ", "Bearer  ", token, "Basic " + token, "Bearer" + token}) {
        CHECK_FALSE(access.allows(other));
    }
    for (const std::string& bad :
         Texts{"", "\n", "short", "0123456789 abcdef", "0123456789\tabcdef", std::string(1025, 'x')}) {
        CHECK_THROWS_AS(Access{write(bad)}, gru4rec::ConfigError);
    }
}

TEST_CASE("numeric hosts and localhost are told from names, which may resolve to any address") {
    for (const std::string_view host :
         {"localhost", "localhost:8080", "LocalHost:1", "127.0.0.1", "127.0.0.1:8080", "10.1.2.3:", "0.0.0.0:80",
          "[::1]", "[::1]:8080", "[FE80::1:2]", "[::ffff:1.2.3.4]:1"}) {
        CAPTURE(host);
        CHECK(is_numeric_or_localhost(host));
    }
    for (const std::string_view host : {"",
                                        "x",
                                        "example.org",
                                        "example.org:80",
                                        "localhost.example.org",
                                        "xlocalhost",
                                        "localhost:80x",
                                        "localhost.",
                                        "127.0.0.1.example.org",
                                        "127.0.0.1:80:80",
                                        "1.2.3.4@example.org",
                                        "example.org@127.0.0.1",
                                        "127.0.0.1.",
                                        "::1",
                                        "[]",
                                        "[]:80",
                                        "[::1",
                                        "::1]",
                                        "[::1]x",
                                        "[::1]:x",
                                        "[example]",
                                        "[::1%eth0]",
                                        "127.0.0.1 example.org",
                                        "ex\xc3\xa4mple",
                                        ".",
                                        ":",
                                        ":80",
                                        "0x7f.1",
                                        "127.0.0.1,example.org"}) {
        CAPTURE(host);
        CHECK_FALSE(is_numeric_or_localhost(host));
    }
    CHECK(authority_of("http://example.org:80/a?b") == "example.org:80");
    CHECK(authority_of("http://user@example.org#/") == "user@example.org");
    CHECK(authority_of("x://y?z") == "y");
    CHECK(authority_of("/a?b=http://c/d").empty());
    CHECK(authority_of("/").empty());
    CHECK(authority_of("").empty());
}

TEST_CASE("a search has a limited number of different words") {
    const cli::ServeLimits limits;
    const auto search = [&](const std::string& text) {
        Exchange exchange = exchange_for(Method::get, "/v1/items?search=" + text);
        return failure_of([&] { (void)read_search(limits, exchange); });
    };
    CHECK(search("a+b+c+d+e+f+g+h+i+j+k+l").empty());
    CHECK(contains(search("a+b+c+d+e+f+g+h+i+j+k+l+m"), "422 too_many: search has 13 different words"));
    std::string repeated = "x";
    for (int i = 0; i < 60; ++i) {
        repeated += "+a+B";
    }
    CHECK(search(repeated).empty());
    CHECK(contains(search(std::string(257, 'x')), "422 too_long"));
}

TEST_CASE("addresses are read with their port, or refused by a message that shows one") {
    const auto is = [](std::string_view text, std::string_view host, int port) {
        const Address address = Address::parse(text);
        return address.host == host && address.port == port;
    };
    CHECK(is("127.0.0.1:8080", "127.0.0.1", 8080));
    CHECK(is("localhost:0", "127.0.0.1", 0));
    CHECK(is("[::1]:65535", "::1", 65535));
    for (const char* const bad : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                                  "127.0.0.1: 1", "::1:80", ":80", "[]:80"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(Address::parse(bad), gru4rec::ConfigError);
    }
}

TEST_CASE("a filter is what its ids say of the model's items, and is kept with those that the model lacks") {
    const gru4rec::ItemMap items = catalogue();
    const BuiltFilter none = build_filter(read_filter(R"({"exclude": ["gone"]})"), items);
    CHECK(none.filter == nullptr);
    CHECK(none.n_allowed == 5);
    CHECK(none.unknown == Texts{"gone"});
    const BuiltFilter only = build_filter(read_filter(R"({"only": [2, "2", "é", "gone"]})"), items);
    CHECK(only.n_allowed == 2);
    CHECK(only.filter->allows(gru4rec::to_item(1)));
    CHECK_FALSE(only.filter->allows(gru4rec::to_item(0)));
    CHECK(build_filter(read_filter(R"({"only": []})"), items).n_allowed == 0);
    std::string many = R"({"exclude": ["1")";
    for (int i = 0; i < 300; ++i) {
        many += ",\"gone " + std::to_string(i) + "\"";
    }
    const BuiltFilter built = build_filter(read_filter(many + "]}"), items);
    CHECK(built.n_unknown == 300);
    CHECK(built.unknown.size() == 100);

    const TemporaryFolder folder;
    const FilterFile file(folder.path().string());
    CHECK(write_filter(file.read()) == "{\"exclude\":[]}\n");
    file.write(read_filter(R"({"only": ["é\"", 2]})"));
    CHECK(write_filter(file.read()) == "{\"only\":[\"é\\\"\",\"2\"]}\n");
    std::ofstream(folder.path() / "filter.json") << "{}";
    CHECK_THROWS_AS((void)file.read(), gru4rec::FormatError);
    FilterFile("").write({});
    CHECK(write_filter(FilterFile("").read()) == "{\"exclude\":[]}\n");
}
