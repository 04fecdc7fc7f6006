#ifndef GRU4REC_CLI_REPLAY_GREETING_HPP
#define GRU4REC_CLI_REPLAY_GREETING_HPP

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>

#include "requests.hpp"

namespace cli::playback {

/// The server that a URL leads to.
struct FoundServer {
    boost::asio::ip::tcp::endpoint endpoint;
    std::string model;        ///< hash of the model that it serves
    bool leaves_out = false;  ///< it has a filter that leaves items out
};

/// Connects, and asks for what every request of a replay needs: that this is our server, that it is ready, takes the
/// token and makes lists of this length.
///
/// @param time  limit of each request
/// @throws gru4rec::IoError if there is no such server; gru4rec::ConfigError naming the option that it refuses
[[nodiscard]] FoundServer greet(const RequestWriter& requests, std::chrono::seconds time);

}  // namespace cli::playback

#endif
