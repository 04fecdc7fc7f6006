#ifndef GRU4REC_CLI_SERVE_ADDRESS_HPP
#define GRU4REC_CLI_SERVE_ADDRESS_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace cli::server {

/// Where a server listens: a numeric address, or localhost, and a port.
struct Address {
    std::string host;  ///< without brackets
    std::uint16_t port = 0;

    /// Reads HOST:PORT, [HOST]:PORT for IPv6.
    ///
    /// @throws gru4rec::ConfigError naming --listen
    static Address parse(std::string_view text);
};

}  // namespace cli::server

#endif
