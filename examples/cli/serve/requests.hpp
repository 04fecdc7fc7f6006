#ifndef GRU4REC_CLI_SERVE_REQUESTS_HPP
#define GRU4REC_CLI_SERVE_REQUESTS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "../commands.hpp"
#include "exchange.hpp"

// From the texts of requests to jobs. Whatever a request holds that is not described is refused: a misspelt field that
// is ignored would go unnoticed.
namespace cli::server {

/// What requests are checked against.
struct RequestRules {
    const gru4rec::ItemMap& items;
    const ServeLimits& limits;
};

/// @{
/// Appends jobs to exchange.jobs.
///
/// @throws HttpFailure 400 for a body that is not JSON, 422 for one that does not say what it should
void read_feed(const RequestRules& rules, Exchange& exchange);             ///< POST /v1/sessions/{id}/events
void read_recommendations(const RequestRules& rules, Exchange& exchange);  ///< GET /v1/sessions/{id}/recommendations
void read_end(Exchange& exchange);                                         ///< DELETE /v1/sessions/{id}
void read_recommend(const RequestRules& rules, Exchange& exchange);        ///< POST /v1/recommend
void read_batch(const RequestRules& rules, Exchange& exchange);            ///< POST /v1/recommend/batch
void read_similar(const RequestRules& rules, Exchange& exchange);          ///< GET /v1/items/{id}/similar
void read_jobs(const RequestRules& rules, Exchange& exchange);             ///< the one of these that its route names
/// @}

/// GET /v1/items: ?search=TEXT&n=20. @throws HttpFailure 422
[[nodiscard]] Search read_search(const ServeLimits& limits, const Exchange& exchange);

/// @throws HttpFailure 422 if there is a query
void require_no_query(const Exchange& exchange);

enum class UnknownIds { skip, error };

/// What may be recommended, in item ids: all but these, or only these. Ids that the model lacks are kept, because a
/// later model may have them.
struct FilterText {
    enum class Kind { exclude, only };
    Kind kind = Kind::exclude;
    std::vector<std::string> ids;
    UnknownIds unknown = UnknownIds::skip;
};

/// @throws HttpFailure as above
[[nodiscard]] FilterText read_filter(std::string_view body);

/// {"exclude":[...]} or {"only":[...]}
[[nodiscard]] std::string write_filter(const FilterText& filter);

}  // namespace cli::server

#endif
