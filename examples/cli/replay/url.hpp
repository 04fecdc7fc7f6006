#ifndef GRU4REC_CLI_REPLAY_URL_HPP
#define GRU4REC_CLI_REPLAY_URL_HPP

#include <string>
#include <string_view>

namespace cli::playback {

/// Where a server is: http://HOST[:PORT][/PATH].
struct Url {
    std::string host;       ///< without brackets
    std::string port;       ///< a number
    std::string authority;  ///< host and port as in the URL, for the header Host
    std::string prefix;     ///< of the paths, without a slash at the end; empty or "/..."

    /// @throws gru4rec::ConfigError naming --url
    static Url parse(std::string_view text);
};

}  // namespace cli::playback

#endif
