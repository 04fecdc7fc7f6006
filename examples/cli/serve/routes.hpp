#ifndef GRU4REC_CLI_SERVE_ROUTES_HPP
#define GRU4REC_CLI_SERVE_ROUTES_HPP

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "http.hpp"
#include "target.hpp"

namespace cli::server {

/// What can be asked for: a path with one or more methods. `none` stands for requests that reach no route.
enum class Route {
    feed,
    recommendations,
    end_session,
    recommend,
    batch,
    similar,
    search,
    read_filter,
    write_filter,
    health,
    ready,
    metrics,
    openapi,
    page,
    page_file,
    none
};
inline constexpr std::size_t n_routes = static_cast<std::size_t>(Route::none) + 1;

enum class Body { none, normal, filter };
enum class Token { needed, not_needed };

struct RouteInfo {
    Route route;
    Method method;
    std::string_view path;  ///< {id} stands for any one segment
    Body body = Body::none;
    Token token = Token::needed;
};

inline constexpr std::array<RouteInfo, n_routes - 1> routes{{
    {Route::feed, Method::post, "/v1/sessions/{id}/events", Body::normal},
    {Route::recommendations, Method::get, "/v1/sessions/{id}/recommendations"},
    {Route::end_session, Method::remove, "/v1/sessions/{id}"},
    {Route::recommend, Method::post, "/v1/recommend", Body::normal},
    {Route::batch, Method::post, "/v1/recommend/batch", Body::normal},
    {Route::similar, Method::get, "/v1/items/{id}/similar"},
    {Route::search, Method::get, "/v1/items"},
    {Route::read_filter, Method::get, "/v1/filter"},
    {Route::write_filter, Method::put, "/v1/filter", Body::filter},
    {Route::health, Method::get, "/healthz", Body::none, Token::not_needed},
    {Route::ready, Method::get, "/readyz", Body::none, Token::not_needed},
    {Route::metrics, Method::get, "/metrics"},
    {Route::openapi, Method::get, "/openapi.json"},
    {Route::page, Method::get, "/", Body::none, Token::not_needed},
    {Route::page_file, Method::get, "/page/{id}", Body::none, Token::not_needed},
}};

/// As in a request line.
[[nodiscard]] std::string_view name_of(Method method) noexcept;

/// The path of a route as documented; "none" for Route::none.
[[nodiscard]] std::string_view path_of(Route route) noexcept;

/// The route of a request. A route that can be read answers HEAD, too.
///
/// @throws HttpFailure 404, or 405 with the methods that the path has
[[nodiscard]] const RouteInfo& find_route(const Target& target, Method method);

/// The segment that stands for {id}. @pre the target has this route, and the route has an {id}
[[nodiscard]] const std::string& id_in(const Target& target, const RouteInfo& route);

}  // namespace cli::server

#endif
