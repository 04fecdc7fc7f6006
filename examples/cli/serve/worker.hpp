#ifndef GRU4REC_CLI_SERVE_WORKER_HPP
#define GRU4REC_CLI_SERVE_WORKER_HPP

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "request_log.hpp"
#include "service.hpp"

namespace cli::server {

class Connection;

/// Threads for what takes long. Each kind has its own: a filter waits for no search, and nothing for a model.
struct Background {
    /// Searches that have not begun; more are refused, for each waits for all of those.
    static constexpr int most_waiting = 100;

    boost::asio::thread_pool searches{1};
    boost::asio::thread_pool filters{1};
    boost::asio::thread_pool models{1};  ///< that are loaded
    std::atomic<int> n_waiting = 0;      ///< searches
};

/// One thread of the server: its connections, its loop, and what answers its requests. What arrives in one turn of the
/// loop is ranked at its end, together.
class Worker {
  public:
    Worker(Shared& shared, const RequestLog& log, Background& background);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
    [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

    /// Runs until stop() has been called and all connections are closed.
    void run();

    /// @{
    /// @threads any
    void take(boost::asio::ip::tcp::socket socket);  ///< a connection; its executor is that of context()
    void notice_change();                            ///< there is another model or filter
    void stop();                                     ///< no new connections come; requests that have begun are finished
    /// @}

    // For the connections:
    using Buffer = std::array<char, 64 * 1024>;

    [[nodiscard]] Buffer& buffer() noexcept { return buffer_; }
    [[nodiscard]] Shared& shared() noexcept { return shared_; }
    [[nodiscard]] Service& service() noexcept { return service_; }
    [[nodiscard]] bool logs() const noexcept { return log_.is_on(); }
    [[nodiscard]] bool is_stopping() const noexcept { return stopping_; }
    [[nodiscard]] std::string_view date() const noexcept { return date_; }
    void count_bytes(std::size_t received, std::size_t sent) noexcept;

    /// Takes the newest model, unless requests wait that refer to the present one, or it cannot be taken.
    void adopt() noexcept;
    /// Its request is ranked at the end of the turn.
    void rank_later(std::shared_ptr<Connection> connection);
    /// @throws HttpFailure if too many searches wait
    void answer_in_background(std::shared_ptr<Connection> connection);
    /// An answer has been sent, or given up.
    void finished(const Exchange& exchange, std::string_view client) noexcept;
    void remove(Connection& connection);

  private:
    enum class Outcome { answered, failed, abandoned };

    void rank();
    void rank(std::span<const std::shared_ptr<Connection>> connections) noexcept;
    [[nodiscard]] Outcome finish(Connection& connection) const noexcept;
    void come_back(Connection& connection, Outcome outcome) noexcept;
    void welcome(Connection& connection, Outcome outcome);
    /// `use` may remove the connection that it is given, and no other.
    template <class Use>
    void for_each_connection(const Use& use);
    void tick();
    void write_log(std::chrono::milliseconds patience) noexcept;

    Shared& shared_;
    const RequestLog& log_;
    Background& background_;
    Counters counters_;
    Service service_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    boost::asio::steady_timer timer_;
    std::vector<std::shared_ptr<Connection>> connections_;
    std::vector<std::shared_ptr<Connection>> waiting_;  // to be ranked at the end of this turn
    std::vector<std::shared_ptr<Connection>> ranked_;
    std::vector<std::shared_ptr<Connection>> away_;  // in the background, which has no share in them
    std::vector<Exchange*> exchanges_;
    Buffer buffer_;
    std::string log_lines_;
    std::string date_;
    bool stopping_ = false;
    bool ticks_ = false;
};

}  // namespace cli::server

#endif
