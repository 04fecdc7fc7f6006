#ifndef GRU4REC_CLI_REPLAY_CONNECTION_HPP
#define GRU4REC_CLI_REPLAY_CONNECTION_HPP

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answer_parser.hpp"

namespace cli::playback {

using Clock = std::chrono::steady_clock;

/// Whether a request may reach the server twice without harm.
enum class Repeatable { no, yes };

/// What came of a request.
struct Reply {
    enum class Kind {
        answered,        ///< `status` and `body` are set
        cannot_connect,  ///< `problem` says why, as in the following cases
        closed,          ///< the connection ended before the answer was complete
        not_http,        ///< what came is not an HTTP answer
        too_late
    };
    Kind kind = Kind::answered;
    int status = 0;
    std::string body;
    std::string problem;
};

/// What happened to connections.
struct ConnectionCounts {
    std::int64_t opened = 0;
    std::int64_t closed_by_server = 0;  ///< between two requests
    std::int64_t sent_again = 0;        ///< requests that a closed connection had not answered
};

/// A connection to the server that is kept: sends one request at a time and opens itself when it has to. If the server
/// closes it before anything of an answer has come, the request is sent once more on a new connection, provided that it
/// is repeatable or that its end had not been sent.
///
/// @threads that of its context
class Connection {
  public:
    using Done = std::function<void(Connection&)>;

    /// @param counts  shared by all connections, must outlive this object
    Connection(boost::asio::io_context& context, boost::asio::ip::tcp::endpoint server, ConnectionCounts& counts);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() = default;

    /// Sends a request and calls `done` once, from the context, when reply() says what came of it. Until then the
    /// connection is busy.
    void send(std::string request, Repeatable repeatable, Clock::time_point deadline, Done done);

    /// Gives a request up whose deadline has passed. To be called now and then.
    void check(Clock::time_point now);

    [[nodiscard]] bool is_busy() const noexcept { return busy_; }
    [[nodiscard]] const Reply& reply() const noexcept { return reply_; }

    /// Chosen by the owner.
    std::size_t number = 0;

  private:
    using Error = boost::system::error_code;

    void begin();
    void connect();
    void write();
    void read();
    void take(std::string_view bytes);
    void lost(const Error& error);
    void drop();
    void fail(Reply::Kind kind, const std::string& problem);
    void finish();

    boost::asio::io_context& context_;
    boost::asio::ip::tcp::endpoint server_;
    ConnectionCounts& counts_;
    boost::asio::ip::tcp::socket socket_;
    std::uint64_t life_ = 0;  // of the socket: handlers of an earlier one find another number
    std::vector<char> buffer_;
    std::string pending_;  // received, not parsed yet
    std::optional<AnswerParser> parser_;

    std::string request_;
    std::size_t written_ = 0;
    Repeatable repeatable_ = Repeatable::no;
    Clock::time_point deadline_;
    Done done_;
    Reply reply_;
    bool busy_ = false;
    bool received_ = false;  // something of the answer
    bool again_ = false;     // the request was sent a second time
};

}  // namespace cli::playback

#endif
