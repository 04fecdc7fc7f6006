// Requests to the server, as bytes of a connection: however they are cut, each gives the same jobs or the same refusal.
// The first byte of the input says where they are cut.

#include "cli/serve/requests.hpp"

#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <boost/asio/buffer.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/serve/access.hpp"
#include "cli/serve/json_text.hpp"
#include "cli/serve/request_parser.hpp"
#include "cli/serve/routes.hpp"
#include "fuzz/target.hpp"

namespace {

using namespace cli::server;
using cli::ServeLimits;

constexpr std::uint64_t header_limit = 1000;
constexpr std::uint64_t body_limit = 3000;

[[nodiscard]] const gru4rec::ItemMap& items() {
    static const gru4rec::ItemMap map = [] {
        gru4rec::ItemMap made;
        for (const std::string_view id : {"7", "17", "-3", "shoe \"red\"", "\xc3\xa9"}) {
            made.insert(id);
        }
        return made;
    }();
    return map;
}

void append(std::string& text, const std::vector<gru4rec::ItemIndex>& list) {
    for (const gru4rec::ItemIndex item : list) {
        const gru4rec::Index i = gru4rec::to_index(item);
        fuzz::require(i >= 0 && i < items().size(), "a job has items of the model");
        text += " " + std::to_string(i);
    }
    text += ";";
}

[[nodiscard]] std::string text_of(const Exchange& exchange, const ServeLimits& limits) {
    std::string text;
    for (const Job& job : exchange.jobs) {
        fuzz::require(job.n >= 0 && job.n <= limits.n, "a list is not longer than the limit");
        text += std::to_string(static_cast<int>(job.kind)) + " " + job.id + " " + std::to_string(job.n);
        append(text, job.events);
        append(text, job.exclude);
        append(text, job.only.value_or(std::vector<gru4rec::ItemIndex>()));
        text += job.only ? "only" : "";
        for (const std::string& id : job.unknown) {
            std::string json;
            append_string(json, id);
            fuzz::require(nlohmann::json::parse(json).get<std::string>() == id, "an unknown id is answered with");
            text += json;
        }
    }
    return text + exchange.search.text + std::to_string(exchange.search.n);
}

[[nodiscard]] std::string filter_of(const std::string& body) {
    const FilterText filter = read_filter(body);
    const std::string written = write_filter(filter);
    const FilterText again = read_filter(written);
    fuzz::require(again.ids == filter.ids && again.kind == filter.kind, "a filter is read as it was written");
    return written;
}

/// What the server makes of a request.
[[nodiscard]] std::string served(Exchange& exchange) {
    static const ServeLimits limits{.n = 50, .ids = 40, .batch = 5};
    const RequestRules rules{items(), limits};
    const Request& request = exchange.request;
    exchange.target = Target::parse(request.target);
    exchange.route = &find_route(exchange.target, request.method);
    switch (exchange.route_id()) {
        case Route::feed:
        case Route::recommendations:
        case Route::end_session:
        case Route::recommend:
        case Route::batch:
        case Route::similar: read_jobs(rules, exchange); break;
        case Route::search: exchange.search = read_search(limits, exchange); break;
        case Route::write_filter: return filter_of(request.body);
        default: require_no_query(exchange);
    }
    return text_of(exchange, limits);
}

/// The outcome of a request: what is served, or the refusal.
[[nodiscard]] std::string outcome_of(Exchange& exchange) {
    const Request& request = exchange.request;
    std::string text = std::string(authority_of(request.target)) + (is_numeric_or_localhost(request.host) ? "+" : "-") +
                       std::to_string(request.n_hosts) + request.if_none_match + "|" + request.authorization + "|" +
                       request.content_type + "|";
    try {
        return text + served(exchange);
    } catch (const HttpFailure& failure) {
        const std::string_view message = failure.what();
        fuzz::require(failure.status() >= 400 && failure.status() < 500, "a refusal is the client's fault");
        fuzz::require(message.find('\n') == std::string_view::npos && message.size() < 1000, "a refusal is a line");
        fuzz::require(gru4rec::detail::is_utf8(message), "a refusal is text");
        fuzz::require(nlohmann::json::accept(answer_of(failure).body), "an answer is JSON");
        return text + std::to_string(failure.status()) + std::string(message);
    }
}

/// The outcomes of the requests of a connection whose bytes come in pieces of this size.
[[nodiscard]] std::vector<std::string> received(std::string_view bytes, std::size_t piece) {
    std::vector<std::string> all;
    std::string pending;
    Exchange exchange;
    std::optional<RequestParser> parser;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        pending += bytes.substr(0, piece);
        std::string_view rest = pending;
        while (!rest.empty()) {
            if (!parser) {
                exchange = {};
                parser.emplace(exchange.request, header_limit);
                parser->set_body_limit(body_limit);
            }
            boost::system::error_code error;
            const std::size_t used = parser->put(boost::asio::buffer(rest.data(), rest.size()), error);
            fuzz::require(used <= rest.size(), "the parser takes bytes that are there");
            rest.remove_prefix(used);
            if (error == boost::beast::http::error::need_more) {
                break;
            }
            if (error) {
                all.emplace_back("error");
                return all;
            }
            if (parser->is_done()) {
                all.push_back(outcome_of(exchange));
                parser.reset();
            }
        }
        pending.erase(0, pending.size() - rest.size());
    }
    return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const std::size_t piece = 1 + input.byte() % 64;
    const std::string_view bytes = input.rest();
    const std::vector<std::string> whole = received(bytes, bytes.size());
    const std::vector<std::string> cut = received(bytes, piece);
    // What is wrong with a header may be noticed at its end only.
    const bool is_undecided =
        cut.size() + 1 == whole.size() && whole.back() == "error" && std::equal(cut.begin(), cut.end(), whole.begin());
    fuzz::require(cut == whole || is_undecided, "the requests of a connection do not depend on how it is cut");
    return 0;
}
