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

}  // namespace cli::server

#endif
