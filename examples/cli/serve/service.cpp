#include "service.hpp"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>

#include "../any_case.hpp"
#include "../messages.hpp"
#include "compiled_files.hpp"
#include "json_text.hpp"
#include "requests.hpp"

namespace cli::server {

namespace {

[[nodiscard]] bool is_json(std::string_view content_type) noexcept {
    content_type = content_type.substr(0, content_type.find(';'));
    while (!content_type.empty() && (content_type.back() == ' ' || content_type.back() == '\t')) {
        content_type.remove_suffix(1);
    }
    return equals_in_any_case(content_type, json_type);
}

void append_strings(std::string& out, const std::vector<std::string>& texts) {
    out += '[';
    for (const std::string& text : texts) {
        if (&text != &texts.front()) {
            out += ',';
        }
        append_string(out, text);
    }
    out += ']';
}

/// "items": [...], "events": ..., "unknown": [...]
void append_result(std::string& out, const Job& job) {
    out.append("\"items\":").append(job.list);
    if (job.kind != Job::Kind::similar) {
        out += ",\"events\":";
        append_number(out, job.n_events);
    }
    out += ",\"unknown\":";
    append_strings(out, job.unknown);
}

/// , "model": ..., "microseconds": ...}
void append_ending(std::string& out, const Exchange& exchange, const Serving& serving) {
    out += ",\"model\":";
    append_string(out, serving.model->hash());
    out += ",\"microseconds\":";
    append_number(out, exchange.microseconds());
    out += "}\n";
}

/// A web page that is open in a browser on this machine can have its own name resolve to 127.0.0.1, and the browser
/// then takes this server for a part of the page. The name is in what the browser sends.
void require_own_host(const Request& request) {
    const std::string_view authority = authority_of(request.target);
    const bool is_own = (request.n_hosts == 0 || is_numeric_or_localhost(request.host)) &&
                        (authority.empty() || is_numeric_or_localhost(authority));
    if (!is_own) {
        throw HttpFailure(421, "wrong_host",
                          "a server without a token answers for numeric addresses and localhost alone, as a web page "
                          "could give it any other name; ask http://127.0.0.1 or http://localhost with its port, or "
                          "start it with --token-file, or with --insecure");
    }
}

[[nodiscard]] HttpFailure unknown_session() {
    return {404, "unknown_session", "there is no such live session: it has not begun, or it has expired"};
}

}  // namespace

std::uint64_t Service::check_header(Exchange& exchange, std::uint64_t content_length) const {
    const Request& request = exchange.request;
    if (request.n_hosts > 1 || (request.version == 11 && request.n_hosts == 0)) {
        throw HttpFailure(400, "bad_host",
                          "the request has " + std::to_string(request.n_hosts) + " headers named Host, expected one");
    }
    if (!shared_.access.needs_token() && !shared_.options.insecure) {
        require_own_host(request);
    }
    if (request.has_other_coding) {
        throw HttpFailure(400, "bad_request", "the only Transfer-Encoding that is accepted is chunked, with HTTP/1.1");
    }
    exchange.target = Target::parse(request.target);
    exchange.route = &find_route(exchange.target, request.method);
    if (exchange.route->token == Token::needed && !shared_.access.allows(request.authorization)) {
        throw HttpFailure(401, "unauthorized",
                          "this server answers those who send its token: Authorization: Bearer TOKEN");
    }
    if (request.expects_other) {
        throw HttpFailure(417, "expectation_failed", "the only expectation that is accepted is 100-continue");
    }
    const ServeLimits& limits = shared_.options.limits;
    const auto most =
        static_cast<std::uint64_t>(exchange.route->body == Body::filter ? limits.filter_body : limits.body);
    if (content_length > most) {
        throw HttpFailure(413, "body_too_large",
                          "the body has " + std::to_string(content_length) + " bytes, more than the limit of " +
                              std::to_string(most) +
                              (exchange.route->body == Body::filter ? " (--max-filter-body)" : " (--max-body)"));
    }
    if (exchange.route->body != Body::none && !is_json(request.content_type)) {
        throw HttpFailure(415, "not_json", "the request must say Content-Type: application/json");
    }
    return most;
}

Service::Next Service::begin(Exchange& exchange) {
    switch (exchange.route_id()) {
        case Route::feed:
        case Route::recommendations:
        case Route::end_session:
        case Route::recommend:
        case Route::batch:
        case Route::similar: read_jobs({serving_->model->items(), shared_.options.limits}, exchange); return Next::rank;
        case Route::search: return begin_search(exchange);
        case Route::page: shared_.page.answer(exchange.request, exchange.answer); return Next::answered;
        case Route::page_file:
            shared_.page.answer(id_in(exchange.target, *exchange.route), exchange.request, exchange.answer);
            return Next::answered;
        case Route::write_filter: require_no_query(exchange); return Next::background;
        case Route::read_filter:
        case Route::health:
        case Route::ready:
        case Route::metrics:
        case Route::openapi:
        case Route::none: break;
    }
    require_no_query(exchange);
    write_report(exchange);
    return Next::answered;
}

void Service::write_report(Exchange& exchange) const {
    Answer& answer = exchange.answer;
    switch (exchange.route_id()) {
        case Route::read_filter: answer.body = *shared_.holder.filter_text(); break;
        case Route::health: answer.body = "{\"status\":\"ok\"}\n"; break;
        case Route::ready: write_ready(exchange); break;
        case Route::metrics:
            answer.type = "text/plain; version=0.0.4; charset=utf-8";
            answer.body = metrics_text(shared_.counters, shared_.state, shared_.holder);
            break;
        case Route::openapi: answer.body = openapi_document(); break;
        case Route::feed:
        case Route::recommendations:
        case Route::end_session:
        case Route::recommend:
        case Route::batch:
        case Route::similar:
        case Route::search:
        case Route::write_filter:
        case Route::page:
        case Route::page_file:
        case Route::none: break;  // have other answers
    }
}

Service::Next Service::begin_search(Exchange& exchange) const {
    constexpr std::size_t most = std::size_t{1} << 20;  // others would wait
    exchange.search = read_search(shared_.options.limits, exchange);
    if (serving_->catalogue->searched_bytes() > most) {
        return Next::background;
    }
    write_found(exchange, *serving_);
    return Next::answered;
}

void Service::write_found(Exchange& exchange, const Serving& serving) {
    const Catalogue::Found found = serving.catalogue->search(exchange.search.text, exchange.search.n);
    std::string& body = exchange.answer.body;
    body = "{\"items\":[";
    for (const gru4rec::ItemIndex item : found.items) {
        body += body.back() == '[' ? "{" : ",{";
        serving.catalogue->append_fields(body, item);
        body += '}';
    }
    body += "],\"total\":";
    append_number(body, found.total);
    append_ending(body, exchange, serving);
}

void Service::rank(std::span<Exchange* const> exchanges) {
    jobs_.clear();
    for (Exchange* const exchange : exchanges) {
        for (Job& job : exchange->jobs) {
            jobs_.push_back(&job);
        }
    }
    ranker_->run(jobs_, *serving_->catalogue, serving_->filter.filter.get());
    const std::int64_t n_lists =
        std::count_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return job->has_list(); });
    counters_.lists.add(n_lists);
    counters_.turns.add(n_lists > 0 ? 1 : 0);
    const SessionFigures now = ranker_->shared_figures();
    counters_.sessions_created.add(now.n_created - figures_.n_created);
    counters_.session_conflicts.add(now.n_conflicts - figures_.n_conflicts);
    counters_.session_failures.add(now.n_failures - figures_.n_failures);
    figures_ = now;
    for (Exchange* const exchange : exchanges) {
        try {
            write_lists(*exchange);
        } catch (const std::exception& error) {  // the text of its lists is too long; the others have theirs
            tell_failure("a request failed", error);
            exchange->answer = answer_of(internal_failure());
        }
    }
}

void Service::write_lists(Exchange& exchange) const {
    for (const Job& job : exchange.jobs) {
        if (job.failure) {
            exchange.answer = answer_of(*job.failure);
            return;
        }
        if (!job.found) {
            exchange.answer = answer_of(unknown_session());
            return;
        }
    }
    if (exchange.route_id() == Route::end_session) {
        exchange.answer.status = 204;
        return;
    }
    std::string& body = exchange.answer.body;
    if (exchange.route_id() == Route::batch) {
        body = "{\"results\":[";
        for (const Job& job : exchange.jobs) {
            body += body.back() == '[' ? "{" : ",{";
            append_result(body, job);
            body += '}';
        }
        body += ']';
    } else {
        body = '{';
        append_result(body, exchange.jobs.front());
    }
    append_ending(body, exchange, *serving_);
}

void Service::write_ready(Exchange& exchange) const {
    Answer& answer = exchange.answer;
    const auto serving = shared_.holder.serving();
    const ReloadReport reloads = shared_.holder.reloads();
    std::string detail = ranker_->problem();
    const std::string_view status = shared_.state.stopping ? "stopping" : !detail.empty() ? "unavailable" : "ready";
    if (!detail.empty() && !shared_.access.allows(exchange.request.authorization)) {
        detail = "live sessions cannot be served now; a request that shows the token is told why";
    } else if (!detail.empty()) {
        detail = "live sessions cannot be served now: " + std::string(without_prefix(detail));
    } else if (!reloads.problem.empty()) {
        detail = "the last reload failed, and what was served before is still served; the server's messages say why";
    }
    answer.status = status == "ready" ? 200 : 503;
    answer.code = status == "ready" ? "" : status;
    answer.body = "{\"status\":";
    append_string(answer.body, status);
    answer.body += ",\"model\":";
    append_string(answer.body, serving->model->hash());
    answer.body += ",\"items\":";
    append_number(answer.body, serving->model->items().size());
    answer.body += ",\"last_reload\":";
    append_string(answer.body, !reloads.problem.empty() ? "failed" : reloads.loaded > 0 ? "loaded" : "none");
    answer.body += ",\"detail\":";
    append_string(answer.body, detail);
    answer.body += "}\n";
}

void Service::change_filter(Exchange& exchange) const {
    const auto serving = shared_.holder.set_filter(read_filter(exchange.request.body));
    std::string& body = exchange.answer.body;
    body = "{\"items\":";
    append_number(body, serving->model->items().size());
    body += ",\"allowed\":";
    append_number(body, serving->filter.n_allowed);
    body += ",\"n_unknown\":";
    append_number(body, serving->filter.n_unknown);
    body += ",\"unknown\":";
    append_strings(body, serving->filter.unknown);
    body += "}\n";
}

void Service::finish_in_background(Exchange& exchange) const {
    try {
        if (exchange.route_id() == Route::search) {
            write_found(exchange, *shared_.holder.serving());
        } else {
            change_filter(exchange);
        }
    } catch (const HttpFailure& failure) {
        exchange.answer = answer_of(failure);
    }
}

void Service::adopt() {
    const std::uint64_t generation = shared_.holder.generation();
    if (generation == generation_) {
        return;
    }
    std::shared_ptr<const Serving> next = shared_.holder.serving();
    if (!serving_ || next->model != serving_->model) {
        ranker_ = next->model->make_ranker();
        figures_ = {};
    }
    serving_ = std::move(next);
    generation_ = generation;
}

std::string_view openapi_document() noexcept {
    for (const CompiledFile& file : compiled_files()) {
        if (file.name == "openapi.json") {
            return file.bytes;
        }
    }
    return {};
}

}  // namespace cli::server
