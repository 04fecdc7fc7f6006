#include "requests.hpp"

#include "gru4rec/core/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <system_error>

#include "catalogue.hpp"
#include "json_document.hpp"
#include "json_text.hpp"

namespace cli::server {

namespace {

using nlohmann::json;

[[nodiscard]] HttpFailure unprocessable(std::string_view code, const std::string& message) {
    return {422, code, message};
}

/// Deep nesting, which no request needs, would take memory out of proportion to its bytes.
void require_shallow(std::string_view text) {
    constexpr int deepest = 8;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1U : 0U;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest) {
                throw HttpFailure(400, "bad_json", "the body is nested more than " + std::to_string(deepest) + " deep");
            }
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
}

[[nodiscard]] Document parsed(std::string_view body) {
    require_shallow(body);
    if (body.find('\0') != std::string_view::npos) {  // the parser would take it for the end
        throw HttpFailure(400, "bad_json", "the body has a byte 0");
    }
    Document document;
    DocumentBuilder builder(document.value);
    (void)json::sax_parse(body.begin(), body.end(), &builder);
    if (!document.value.is_object()) {
        throw unprocessable("wrong_type", std::string("the body is of type ") + document.value.type_name() +
                                              ", expected a JSON object");
    }
    return document;
}

[[nodiscard]] HttpFailure wrong_type(const std::string& field, const json& value, std::string_view expected) {
    return unprocessable("wrong_type",
                         field + " is of type " + value.type_name() + ", expected " + std::string(expected));
}

/// Where in a request a value is. Its text is for messages alone: made for each of thousands of ids, it would cost more
/// than they do.
struct Place {
    std::string_view prefix;
    std::string_view field;
    std::optional<std::size_t> index = {};

    [[nodiscard]] std::string text() const {
        std::string text(prefix);
        text += field;
        return index ? text + "[" + std::to_string(*index) + "]" : text;
    }
};

/// Ids may be numbers: 17 stands for "17".
[[nodiscard]] std::string id_of(const Place& place, const json& value) {
    if (const auto* const text = value.get_ptr<const json::string_t*>()) {
        return *text;
    }
    if (value.is_number_unsigned()) {
        return std::to_string(value.get<std::uint64_t>());
    }
    if (value.is_number_integer()) {
        return std::to_string(value.get<std::int64_t>());
    }
    throw wrong_type(place.text(), value, "an item id: a string or a whole number");
}

/// A whole number in a query; nullopt if the text is none, or one of more than 64 bits.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text) noexcept {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_whole = error == std::errc{} && end == text.data() + text.size();
    return is_whole ? std::optional(number) : std::nullopt;
}

[[nodiscard]] const json::array_t& list_of(const std::string& field, const json& value) {
    if (const auto* const list = value.get_ptr<const json::array_t*>()) {
        return *list;
    }
    throw wrong_type(field, value, "a list of item ids");
}

[[nodiscard]] UnknownIds unknown_ids_of(const std::string& field, std::string_view word) {
    if (word != "skip" && word != "error") {
        throw unprocessable("bad_value", field + " = " + in_quotes(word) + ", expected \"skip\" or \"error\"");
    }
    return word == "error" ? UnknownIds::error : UnknownIds::skip;
}

[[nodiscard]] UnknownIds unknown_ids_in(const std::string& prefix, const json& object) {
    const auto found = object.find("unknown");
    if (found == object.end()) {
        return UnknownIds::skip;
    }
    if (!found->is_string()) {
        throw wrong_type(prefix + "unknown", *found, "\"skip\" or \"error\"");
    }
    return unknown_ids_of(prefix + "unknown", found->get_ref<const std::string&>());
}

/// Turns ids into items, and counts them: all that one request has.
class Ids {
  public:
    explicit Ids(const RequestRules& rules) : items_(rules.items), most_(rules.limits.ids) {}

    /// The item of an id; nullopt, and the id in job.unknown, if the model has none and that is not an error.
    [[nodiscard]] std::optional<gru4rec::ItemIndex> find(const Place& place, std::string id, UnknownIds policy,
                                                         Job& job) {
        if (++n_ > most_) {
            throw unprocessable("too_many", "the request has more than " + std::to_string(most_) +
                                                " item ids, which is the limit (--max-ids)");
        }
        const auto item = items_.find(id);
        if (!item && policy == UnknownIds::error) {
            throw unprocessable("unknown_item", place.text() + " = " + in_quotes(id) +
                                                    " is not an item of the model; with \"unknown\": \"skip\" it is "
                                                    "left out");
        }
        if (!item) {
            job.unknown.push_back(std::move(id));
        }
        return item;
    }

  private:
    const gru4rec::ItemMap& items_;
    std::int64_t most_;
    std::int64_t n_ = 0;
};

/// The fields that requests share, whether they come as JSON or in a query.
class OptionReader {
  public:
    OptionReader(const RequestRules& rules, std::string prefix, Ids& ids, Job& job)
        : rules_(rules), prefix_(std::move(prefix)), ids_(ids), job_(job) {
        job_.n = (std::min)(std::int64_t{20}, rules.limits.n);
    }

    UnknownIds policy = UnknownIds::skip;

    [[nodiscard]] std::string name(std::string_view field) const { return prefix_ + std::string(field); }

    /// @returns false if the field is not one of those
    [[nodiscard]] bool read(const std::string& field, const json& value) {
        if (field == "n") {
            read_n(value);
        } else if (field == "exclude") {
            append(field, value, job_.exclude);
        } else if (field == "only") {
            append(field, value, job_.only.emplace());
        } else {
            return field == "unknown";  // was read first
        }
        return true;
    }

    /// An id from a query.
    void read_text(std::string_view field, std::string id, std::vector<gru4rec::ItemIndex>& to) {
        read_at({prefix_, field}, std::move(id), to);
    }

    void read_one(std::string_view field, const json& value, std::vector<gru4rec::ItemIndex>& to) {
        const Place place{prefix_, field};
        read_at(place, id_of(place, value), to);
    }

    void append(const std::string& field, const json& value, std::vector<gru4rec::ItemIndex>& to) {
        Place place{prefix_, field, 0};
        for (const json& element : list_of(name(field), value)) {
            read_at(place, id_of(place, element), to);
            ++*place.index;
        }
    }

    void set_n(std::int64_t n) {
        if (n < 0 || n > rules_.limits.n) {
            throw n_out_of_range(std::to_string(n));
        }
        job_.n = n;
    }

    [[nodiscard]] HttpFailure n_out_of_range(const std::string& n) const {
        return unprocessable("out_of_range", name("n") + " = " + n + ", expected a whole number from 0 to " +
                                                 std::to_string(rules_.limits.n));
    }

  private:
    void read_at(const Place& place, std::string id, std::vector<gru4rec::ItemIndex>& to) {
        if (const auto item = ids_.find(place, std::move(id), policy, job_)) {
            to.push_back(*item);
        }
    }

    void read_n(const json& value) {
        if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(rules_.limits.n)) {
            throw n_out_of_range(std::to_string(value.get<std::uint64_t>()));
        }
        if (!value.is_number_integer()) {
            throw wrong_type(name("n"), value, "a whole number");
        }
        set_n(value.get<std::int64_t>());
    }

    const RequestRules& rules_;
    std::string prefix_;
    Ids& ids_;
    Job& job_;
};

[[nodiscard]] HttpFailure unknown_field(const std::string& field, std::string_view known) {
    return unprocessable("unknown_field",
                         "there is no field " + in_quotes(field) + " here, expected " + std::string(known));
}

/// {"session": [...], ...}
void read_whole_session(const RequestRules& rules, const std::string& prefix, const json& object, Ids& ids, Job& job) {
    OptionReader options(rules, prefix, ids, job);
    options.policy = unknown_ids_in(prefix, object);
    job.kind = Job::Kind::replay;
    if (!object.contains("session")) {
        throw unprocessable("missing_field",
                            prefix + "session is missing, expected a list of item ids, the oldest first");
    }
    for (const auto& [field, value] : object.items()) {
        if (field == "session") {
            options.append(field, value, job.events);
        } else if (!options.read(field, value)) {
            throw unknown_field(field, "session, n, exclude, only and unknown");
        }
    }
}

/// Options in a query: n=20&exclude=17&exclude=18
void read_query(const RequestRules& rules, const Target& target, Ids& ids, Job& job) {
    OptionReader options(rules, "", ids, job);
    bool has_n = false;
    bool has_unknown = false;
    for (const auto& [name, value] : target.parameters) {
        if (name == "unknown") {
            options.policy = unknown_ids_of(name, value);
        }
    }
    for (const auto& [name, value] : target.parameters) {
        if (name == "exclude") {
            options.read_text(name, value, job.exclude);
        } else if (name == "only") {
            options.read_text(name, value, job.only ? *job.only : job.only.emplace());
        } else if (name == "n" && !has_n) {
            has_n = true;
            const auto n = whole_number(value);
            if (!n) {
                throw options.n_out_of_range(in_quotes(value));
            }
            options.set_n(*n);
        } else if (name == "unknown" && !has_unknown) {
            has_unknown = true;
        } else {
            throw unprocessable("unknown_parameter",
                                "the query has " + in_quotes(name) +
                                    ", expected n and unknown, once each, and exclude and only, any number of times");
        }
    }
}

[[nodiscard]] const std::string& session_id_of(const Exchange& exchange) {
    constexpr std::size_t longest = 256;
    const std::string& id = id_in(exchange.target, *exchange.route);
    const bool has_control =
        std::any_of(id.begin(), id.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7f; });
    if (id.empty() || id.size() > longest || has_control) {
        throw unprocessable("bad_session_id", "the id of the session has " + std::to_string(id.size()) +
                                                  (has_control ? " bytes, control characters among them" : " bytes") +
                                                  ", expected 1 to " + std::to_string(longest) +
                                                  " bytes without control characters");
    }
    return id;
}

}  // namespace

void read_feed(const RequestRules& rules, Exchange& exchange) {
    const Document document = parsed(exchange.request.body);
    const json& object = document.value;
    Job& job = exchange.jobs.emplace_back();
    job.kind = Job::Kind::feed;
    job.id = session_id_of(exchange);
    Ids ids(rules);
    OptionReader options(rules, "", ids, job);
    options.policy = unknown_ids_in("", object);
    if (object.contains("item") == object.contains("items")) {
        throw unprocessable("missing_field",
                            "expected either item, an item id, or items, a list of them, the oldest first");
    }
    for (const auto& [field, value] : object.items()) {
        if (field == "item") {
            options.read_one(field, value, job.events);
        } else if (field == "items") {
            options.append(field, value, job.events);
        } else if (!options.read(field, value)) {
            throw unknown_field(field, "item or items, n, exclude, only and unknown");
        }
    }
}

void read_recommendations(const RequestRules& rules, Exchange& exchange) {
    Job& job = exchange.jobs.emplace_back();
    job.kind = Job::Kind::look;
    job.id = session_id_of(exchange);
    Ids ids(rules);
    read_query(rules, exchange.target, ids, job);
}

void read_end(Exchange& exchange) {
    require_no_query(exchange);
    Job& job = exchange.jobs.emplace_back();
    job.kind = Job::Kind::end;
    job.id = session_id_of(exchange);
}

void read_recommend(const RequestRules& rules, Exchange& exchange) {
    const Document document = parsed(exchange.request.body);
    const json& object = document.value;
    Ids ids(rules);
    read_whole_session(rules, "", object, ids, exchange.jobs.emplace_back());
}

void read_batch(const RequestRules& rules, Exchange& exchange) {
    const Document document = parsed(exchange.request.body);
    const json& object = document.value;
    const auto requests = object.find("requests");
    if (requests == object.end()) {
        throw unprocessable("missing_field",
                            "requests is missing, expected a list of objects such as {\"session\": []}");
    }
    if (object.size() > 1) {
        const bool is_first = object.begin().key() != "requests";
        throw unknown_field(is_first ? object.begin().key() : std::prev(object.end()).key(), "requests alone");
    }
    if (!requests->is_array()) {
        throw wrong_type("requests", *requests, "a list of objects");
    }
    if (std::ssize(*requests) > rules.limits.batch) {
        throw unprocessable("too_many", "requests has " + std::to_string(requests->size()) +
                                            " elements, more than the limit of " + std::to_string(rules.limits.batch) +
                                            " (--max-batch)");
    }
    Ids ids(rules);
    exchange.jobs.reserve(requests->size());
    for (const json& request : *requests) {
        const std::string place = "requests[" + std::to_string(exchange.jobs.size()) + "]";
        if (!request.is_object()) {
            throw wrong_type(place, request, "an object");
        }
        read_whole_session(rules, place + ".", request, ids, exchange.jobs.emplace_back());
    }
}

void read_similar(const RequestRules& rules, Exchange& exchange) {
    const std::string& id = id_in(exchange.target, *exchange.route);
    const auto item = rules.items.find(id);
    if (!item) {
        throw HttpFailure(404, "unknown_item", in_quotes(id) + " is not an item of the model");
    }
    Job& job = exchange.jobs.emplace_back();
    job.kind = Job::Kind::similar;
    job.events = {*item};
    Ids ids(rules);
    read_query(rules, exchange.target, ids, job);
}

void read_jobs(const RequestRules& rules, Exchange& exchange) {
    switch (exchange.route_id()) {
        case Route::feed: read_feed(rules, exchange); break;
        case Route::recommendations: read_recommendations(rules, exchange); break;
        case Route::end_session: read_end(exchange); break;
        case Route::recommend: read_recommend(rules, exchange); break;
        case Route::batch: read_batch(rules, exchange); break;
        case Route::similar: read_similar(rules, exchange); break;
        case Route::search:
        case Route::read_filter:
        case Route::write_filter:
        case Route::health:
        case Route::ready:
        case Route::metrics:
        case Route::openapi:
        case Route::page:
        case Route::page_file:
        case Route::none: return;  // ask for no lists
    }
    if (exchange.route->body != Body::none) {
        require_no_query(exchange);
    }
}

Search read_search(const ServeLimits& limits, const Exchange& exchange) {
    constexpr std::size_t longest = 256;
    Search search{"", (std::min)(std::int64_t{20}, limits.n)};
    bool has_text = false;
    bool has_n = false;
    for (const auto& [name, value] : exchange.target.parameters) {
        if (name == "search" && !has_text) {
            has_text = true;
            search.text = value;
        } else if (name == "n" && !has_n) {
            has_n = true;
            const auto n = whole_number(value);
            if (!n || *n < 0 || *n > limits.n) {
                throw unprocessable("out_of_range", "n = " + in_quotes(value) + ", expected a whole number from 0 to " +
                                                        std::to_string(limits.n));
            }
            search.n = *n;
        } else {
            throw unprocessable("unknown_parameter",
                                "the query has " + in_quotes(name) + ", expected search and n, once each");
        }
    }
    if (search.text.size() > longest) {
        throw unprocessable("too_long", "search has " + std::to_string(search.text.size()) +
                                            " bytes, expected at most " + std::to_string(longest));
    }
    if (const std::size_t n = Catalogue::count_words(search.text); n > Catalogue::most_words) {
        throw unprocessable("too_many", "search has " + std::to_string(n) + " different words, expected at most " +
                                            std::to_string(Catalogue::most_words));
    }
    return search;
}

void require_no_query(const Exchange& exchange) {
    if (!exchange.target.parameters.empty()) {
        throw unprocessable(
            "unknown_parameter",
            "the query has " + in_quotes(exchange.target.parameters.front().first) + ", expected no query");
    }
}

FilterText read_filter(std::string_view body) {
    const Document document = parsed(body);
    const json& object = document.value;
    FilterText filter;
    filter.unknown = unknown_ids_in("", object);
    const bool only = object.contains("only");
    if (only == object.contains("exclude")) {
        throw unprocessable("missing_field", "expected either exclude or only, a list of item ids");
    }
    for (const auto& [field, value] : object.items()) {
        if (field != "unknown" && field != "only" && field != "exclude") {
            throw unknown_field(field, "exclude or only, and unknown");
        }
    }
    const std::string field = only ? "only" : "exclude";
    const json::array_t& list = list_of(field, object.at(field));
    filter.kind = only ? FilterText::Kind::only : FilterText::Kind::exclude;
    filter.ids.reserve(list.size());
    for (const json& element : list) {
        filter.ids.push_back(id_of({"", field, filter.ids.size()}, element));
    }
    return filter;
}

std::string write_filter(const FilterText& filter) {
    std::string text = filter.kind == FilterText::Kind::only ? "{\"only\":[" : "{\"exclude\":[";
    for (const std::string& id : filter.ids) {
        append_string(text, id);
        text += ',';
    }
    if (text.back() == ',') {
        text.pop_back();
    }
    return text + "]}\n";
}

}  // namespace cli::server
