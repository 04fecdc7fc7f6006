#include "gru4rec/core/random.hpp"

#include <doctest/doctest.h>
#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/request_parser.hpp"
#include "cli/serve/routes.hpp"

namespace {

using namespace cli::server;
using gru4rec::detail::Random;

constexpr std::uint64_t header_limit = 300;
constexpr std::uint64_t body_limit = 100;

/// The requests that a connection brings in these pieces, one text for each, and the error that ends it.
[[nodiscard]] std::vector<std::string> received(const std::vector<std::string>& pieces) {
    std::vector<std::string> all;
    std::string pending;
    Request request;
    std::optional<RequestParser> parser;
    bool checked = false;
    for (const std::string& piece : pieces) {
        pending += piece;
        std::string_view rest = pending;
        while (!rest.empty()) {
            if (!parser) {
                request.clear();
                parser.emplace(request, header_limit);
                checked = false;
            }
            boost::system::error_code error;
            rest.remove_prefix(parser->put(boost::asio::buffer(rest.data(), rest.size()), error));
            if (error == boost::beast::http::error::need_more) {
                break;
            }
            if (error) {
                all.push_back("error: " + error.message());
                return all;
            }
            if (parser->is_header_done() && !checked) {
                parser->set_body_limit(body_limit);
                checked = true;
            }
            if (parser->is_done()) {
                all.push_back(std::string(name_of(request.method)) + request.target + "|" + request.authorization +
                              "|" + request.content_type + "|" + std::to_string(request.n_hosts) +
                              (parser->keep_alive() ? "|on|" : "|end|") + request.body);
                parser.reset();
            }
        }
        pending.erase(0, pending.size() - rest.size());
    }
    return all;
}

[[nodiscard]] std::vector<std::string> cut(const std::string& text, Random& random) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = 1 + static_cast<std::size_t>(random.below(random.below(2) == 0 ? 3 : 60));
        pieces.push_back(text.substr(at, size));
        at += size;
    }
    return pieces;
}

const std::array<std::string, 6> requests{
    "GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer abc\r\n\r\n",
    "POST /v1/recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    "14\r\n\r\n{\"session\":[]}",
    "PUT /v1/filter HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n2;x=y\r\nfg\r\n0\r\n"
    "Authorization: late\r\n\r\n",
    "DELETE /a%20b?c=d HTTP/1.0\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    "BREW /pot HTTP/1.1\r\nHost:  x \r\nX: " + std::string(100, 'y') + "\r\n\r\n"};

}  // namespace

TEST_CASE("requests are read with the headers that matter, and trailers are not headers") {
    CHECK(received({requests[0]}) == std::vector<std::string>{"GET/healthz|Bearer abc||1|on|"});
    CHECK(received({requests[1]}) ==
          std::vector<std::string>{"POST/v1/recommend||application/json|1|on|{\"session\":[]}"});
    CHECK(received({requests[2]}) == std::vector<std::string>{"PUT/v1/filter|||1|on|abcdefg"});
    CHECK(received({requests[3]}) == std::vector<std::string>{"DELETE/a%20b?c=d|||0|end|"});
    CHECK(received({requests[4]}) == std::vector<std::string>{"HEAD/|||2|end|"});
    CHECK(received({requests[5]}) == std::vector<std::string>{"OTHER/pot|||1|on|"});
}

TEST_CASE("bodies and headers above their limits end with an error") {
    const auto chunked = [](std::size_t size) {
        std::string text = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (std::size_t i = 0; i < size; ++i) {
            text += "1\r\nz\r\n";
        }
        return text + "0\r\n\r\n";
    };
    CHECK(received({chunked(100)}).at(0).ends_with(std::string(100, 'z')));
    CHECK(received({chunked(101)}).at(0).starts_with("error: "));
    const auto with_header = [](std::size_t size) {
        return "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(size, 'y') + "\r\n\r\n";
    };
    CHECK(received({with_header(200)}).at(0).starts_with("GET/"));
    CHECK(received({with_header(300)}).at(0).starts_with("error: "));
}

TEST_CASE("the requests of a connection are the same however its bytes are cut, also if they are damaged") {
    Random random(5, Random::Stream::test);
    std::size_t n_read = 0;
    std::size_t n_errors = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
            text += requests[random.below(requests.size())];
        }
        for (std::uint64_t n = random.below(3); n > 0; --n) {
            const auto at = static_cast<std::size_t>(random.below(text.size()));
            constexpr std::string_view bytes("\r\n :/\0aZ0f\x80\xff", 12);
            const char byte = bytes[random.below(bytes.size())];
            switch (random.below(3)) {
                case 0: text[at] = byte; break;
                case 1: text.insert(at, 1, byte); break;
                default: text.erase(at, random.below(5)); break;
            }
        }
        CAPTURE(text);
        const std::vector<std::string> whole = received({text});
        std::vector<std::string> pieces = cut(text, random);
        if (received(pieces) != whole) {
            pieces.emplace_back("\r\n\r\n");  // what is wrong with a header may be noticed at its end only
            CHECK(received(pieces) == whole);
            CHECK(whole.back().starts_with("error: "));
        }
        n_read += whole.size();
        n_errors += !whole.empty() && whole.back().starts_with("error: ") ? 1U : 0U;
    }
    CHECK(n_read > 10'000);
    CHECK(n_errors > 1'000);
}
