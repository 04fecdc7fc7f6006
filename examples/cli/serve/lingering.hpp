#ifndef GRU4REC_CLI_SERVE_LINGERING_HPP
#define GRU4REC_CLI_SERVE_LINGERING_HPP

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace cli::server {

/// A connection that has had its last answer: reads what the client still sends, for a second at most. A connection
/// that is closed with bytes unread is reset, and the client would lose the answer.
///
/// @threads that of its context
class Lingering : public std::enable_shared_from_this<Lingering> {
  public:
    /// Lets a connection linger, or closes it at once if there are many of them.
    ///
    /// @param socket   of any context, non-blocking, nothing going on
    /// @param n_there  connections that linger; must outlive the context's last turn
    static void begin(boost::asio::io_context& context, boost::asio::ip::tcp::socket socket, int& n_there);

    Lingering(boost::asio::io_context& context, int& n_there) : socket_(context), timer_(context), n_there_(n_there) {
        ++n_there_;
    }
    Lingering(const Lingering&) = delete;
    Lingering& operator=(const Lingering&) = delete;
    ~Lingering() { --n_there_; }

  private:
    void wait();
    void read();

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    int& n_there_;
};

}  // namespace cli::server

#endif
