#ifndef GRU4REC_CLI_SERVE_TARGET_HPP
#define GRU4REC_CLI_SERVE_TARGET_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli::server {

/// A request's target, decoded.
struct Target {
    std::vector<std::string> segments;                            ///< of the path: /v1/items is {"v1", "items"}
    std::vector<std::pair<std::string, std::string>> parameters;  ///< of the query, in order

    /// @throws HttpFailure 400 unless it is a path that decodes to UTF-8
    static Target parse(std::string_view text);
};

/// The host of a target in absolute form, as proxies send it: "host:80" of http://host:80/path; empty: it has none.
[[nodiscard]] std::string_view authority_of(std::string_view target) noexcept;

}  // namespace cli::server

#endif
