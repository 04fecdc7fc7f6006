#ifndef GRU4REC_CLI_SERVE_CONNECTION_HPP
#define GRU4REC_CLI_SERVE_CONNECTION_HPP

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exchange.hpp"
#include "request_parser.hpp"

namespace cli::server {

class Worker;

/// One client's connection: reads a request, has it answered, writes the answer, and begins again. While it waits for a
/// request it holds no buffer: what arrives is read into the thread's, and only the rest of an incomplete header is
/// kept.
///
/// @threads that of its worker
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(Worker& worker, boost::asio::ip::tcp::socket socket);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() = default;

    void start() noexcept;

    /// The answer is complete: sends it and goes on.
    void answered() noexcept;

    /// There will be no answer: says that the server has failed, or closes the connection.
    void give_up() noexcept;

    /// Its time is up.
    void expire() noexcept;

    /// The server stops: closes it if it is idle.
    void drain() noexcept;

    void close() noexcept;

    /// Whether the client has closed its end, so that nobody waits for the answer.
    ///
    /// @threads any, while its request is answered in the background
    [[nodiscard]] bool is_abandoned() noexcept;

    [[nodiscard]] Exchange& exchange() noexcept { return exchange_; }
    [[nodiscard]] Clock::time_point deadline() const noexcept { return deadline_; }

    /// In the list of the worker.
    std::size_t place = 0;

  private:
    enum class State {
        reading,    ///< a request, or waiting for one
        working,    ///< the request is being answered
        writing,    ///< the answer
        lingering,  ///< the answer was the last one: reads what still comes, so that the client reads the answer first
        closed
    };
    using Error = boost::system::error_code;

    /// Runs the step; an exception, such as bad_alloc, closes the connection, which nothing else would ever close.
    template <class Step>
    void guarded(const Step& step) noexcept;
    void wait_readable();
    void on_readable(const Error& error);
    void send();
    /// Serves what is in the text, one request after another. @returns the bytes that are done with
    std::size_t consume(std::string_view input);
    void begin_request();
    void check_header();
    void complete();
    void fail(const HttpFailure& failure);
    void fail(const Error& error);
    void write();
    void on_written(const Error& error);
    void forget_request();
    void go_on();

    Worker& worker_;
    boost::asio::ip::tcp::socket socket_;
    State state_ = State::reading;
    Clock::time_point deadline_;
    std::optional<RequestParser> parser_;  // of a request that has begun
    Exchange exchange_;
    std::string pending_;          // received, not parsed yet
    std::string out_;              // the answer
    std::string client_;           // its address, for the log
    std::uint64_t most_body_ = 0;  // bytes, once the header was checked
    std::size_t sent_in_a_row_ = 0;
    bool header_checked_ = false;
    bool last_ = false;       // the connection ends with this answer
    bool consuming_ = false;  // consume() is on the stack
    bool more_ = false;       // there may be another request in pending_
};

}  // namespace cli::server

#endif
