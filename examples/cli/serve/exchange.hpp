#ifndef GRU4REC_CLI_SERVE_EXCHANGE_HPP
#define GRU4REC_CLI_SERVE_EXCHANGE_HPP

#include "gru4rec/core/types.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http.hpp"
#include "routes.hpp"

namespace cli::server {

using Clock = std::chrono::steady_clock;

/// One list to make. The items are those of the model that the thread has at that time.
struct Job {
    enum class Kind {
        feed,    ///< events to the live session `id`, then its list
        look,    ///< the list of the live session `id`
        end,     ///< of the live session `id`; no list
        replay,  ///< the list of a session that consists of `events`
        similar  ///< items similar to events[0]
    };
    Kind kind = Kind::replay;
    std::string id;
    std::vector<gru4rec::ItemIndex> events;
    gru4rec::Index n = 0;  ///< 0: no list
    std::vector<gru4rec::ItemIndex> exclude;
    std::optional<std::vector<gru4rec::ItemIndex>> only;
    std::vector<std::string> unknown;  ///< ids that the model does not have

    // What comes out
    bool found = true;            ///< there is such a live session
    gru4rec::Index n_events = 0;  ///< that the session has then
    std::string list;             ///< a JSON array
    std::optional<HttpFailure> failure;

    /// Whether there is a list to be made, once the live sessions have been visited.
    [[nodiscard]] bool has_list() const noexcept { return kind != Kind::end && found && !failure && n > 0; }
};

/// What GET /v1/items asks for.
struct Search {
    std::string text;
    gru4rec::Index n = 0;
};

/// A request on its way to its answer.
struct Exchange {
    Request request;
    Target target;
    const RouteInfo* route = nullptr;    ///< null: none, or none yet
    std::optional<HttpFailure> refusal;  ///< found in the header; the body is not kept
    Clock::time_point start;             ///< when the request was complete
    std::vector<Job> jobs;
    Search search;
    Answer answer;

    [[nodiscard]] Route route_id() const noexcept { return route == nullptr ? Route::none : route->route; }
    [[nodiscard]] std::int64_t microseconds() const {
        return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
    }
};

}  // namespace cli::server

#endif
