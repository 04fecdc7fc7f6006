#include "routes.hpp"

#include <algorithm>

namespace cli::server {

namespace {

/// Compares the segments of the path with those of the route. @returns the position of {id} + 1, or 1; 0: another path
[[nodiscard]] std::size_t matched(const Target& target, std::string_view path) noexcept {
    std::size_t id = 0;
    for (std::size_t i = 0; i < target.segments.size(); ++i) {
        if (!path.starts_with('/')) {
            return 0;
        }
        path.remove_prefix(1);
        const std::string_view segment = path.substr(0, path.find('/'));
        path.remove_prefix(segment.size());
        if (segment == "{id}") {
            id = i;
        } else if (segment != target.segments[i]) {
            return 0;
        }
    }
    return path.empty() ? id + 1 : 0;
}

}  // namespace

std::string_view name_of(Method method) noexcept {
    switch (method) {
        case Method::get: return "GET";
        case Method::head: return "HEAD";
        case Method::post: return "POST";
        case Method::put: return "PUT";
        case Method::remove: return "DELETE";
        case Method::other: break;
    }
    return "OTHER";
}

std::string_view path_of(Route route) noexcept {
    return route == Route::none ? "none" : routes[static_cast<std::size_t>(route)].path;
}

const RouteInfo& find_route(const Target& target, Method method) {
    const Method wanted = method == Method::head ? Method::get : method;
    std::string allowed;
    for (const RouteInfo& info : routes) {
        if (matched(target, info.path) == 0) {
            continue;
        }
        if (info.method == wanted) {
            return info;
        }
        allowed.append(allowed.empty() ? "" : ", ").append(name_of(info.method));
        allowed += info.method == Method::get ? ", HEAD" : "";
    }
    if (allowed.empty()) {
        throw HttpFailure(404, "unknown_route", "there is no such path; GET /openapi.json lists all of them");
    }
    throw HttpFailure(405, "method_not_allowed", "this path does not have the method; it has " + allowed)
        .allowing(std::move(allowed));
}

const std::string& id_in(const Target& target, const RouteInfo& route) {
    return target.segments[matched(target, route.path) - 1];
}

}  // namespace cli::server
