#ifndef GRU4REC_CLI_REDIS_CONNECTION_HPP
#define GRU4REC_CLI_REDIS_CONNECTION_HPP

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "redis_host.hpp"

// A connection to Redis that never hangs, and comes back by itself.
namespace cli {

/// Redis does not answer, or refuses to work. The text says why, without the password.
class Unavailable : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct RedisAddress {
    std::string host = "127.0.0.1";
    int port = 6379;
    int database = 0;
    std::string user;      ///< empty: the default user
    std::string password;  ///< empty: none

    /// For messages: host and port alone.
    [[nodiscard]] std::string text() const;
};

/// Reads `redis://[[user]:password@]host[:port][/database]`. Bytes of user and password may be written as %HH; an
/// address of IPv6 is written in brackets.
///
/// @param password_file  its first line is the password; empty: the URL has it, if there is one
/// @throws gru4rec::ConfigError, which names the option and does not contain the URL, as that may hold a password;
/// gru4rec::IoError
[[nodiscard]] RedisAddress redis_address(std::string_view url, const std::string& password_file = {});

struct RedisTimes {
    std::chrono::milliseconds connect{100};  ///< the longest wait for a connection, to whichever address of the host
    std::chrono::milliseconds command{100};  ///< the longest wait for bytes of an answer; for all, ten times as long
    std::chrono::milliseconds retry{1000};   ///< after a failure, until Redis is tried again
};

/// A reply of Redis. Kinds that none of our commands returns, such as lists, become errors.
struct RedisReply {
    enum class Kind { nothing, text, number, error };

    Kind kind = Kind::nothing;
    std::string text;  ///< bytes, or the message of an error
    long long number = 0;
};

/// A command: its name and its arguments, any bytes.
using RedisCommand = std::vector<std::string>;

/// Sends commands to Redis, many at once, and waits for the answers, but never for long. After a failure all that is
/// asked fails at once with the same reason, until it is time to try again.
///
/// @threads one at a time
class RedisConnection {
  public:
    /// Does not connect yet. Ignores SIGPIPE in the process, unless something handles it: a connection that was closed
    /// is an error, not the end.
    ///
    /// @param host  where the address is, shared by connections; null: looks it up here, and waits for that
    /// @throws gru4rec::ConfigError if the program was built without hiredis
    explicit RedisConnection(RedisAddress address, RedisTimes times = {}, std::shared_ptr<RedisHost> host = {});
    RedisConnection(RedisConnection&&) noexcept;
    RedisConnection& operator=(RedisConnection&&) noexcept;
    ~RedisConnection();

    /// The commands' replies, in their order. Connects if necessary.
    ///
    /// @throws Unavailable; how many of the commands were carried out is then not known
    [[nodiscard]] std::vector<RedisReply> exchange(std::span<const RedisCommand> commands);

    /// The same for commands that may be carried out twice: repeats them once on a new connection if Redis has closed
    /// this one, as it does with idle connections and when it is restarted.
    [[nodiscard]] std::vector<RedisReply> exchange_again_if_closed(std::span<const RedisCommand> commands);

    /// Exchanges that failed, those that were not tried left out.
    [[nodiscard]] long long n_failures() const noexcept;

    [[nodiscard]] const RedisAddress& address() const noexcept;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace cli

#endif
