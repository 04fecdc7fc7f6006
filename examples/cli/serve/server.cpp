#include "gru4rec/core/error.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../commands.hpp"
#include "../file_limit.hpp"
#include "../messages.hpp"
#include "access.hpp"
#include "address.hpp"
#include "model_holder.hpp"
#include "page.hpp"
#include "request_log.hpp"
#include "worker.hpp"

namespace cli {

namespace server {

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using Error = boost::system::error_code;

/// Descriptors besides those of connections.
constexpr std::int64_t other_files = 64;

/// @returns connections that the limit of open files allows
[[nodiscard]] std::int64_t allow_connections(std::int64_t wanted) {
    const std::int64_t files = raise_file_limit();
    const std::int64_t possible = (std::max)(std::int64_t{1}, files - other_files);
    if (possible < wanted) {
        tell("the system allows " + std::to_string(files) + " open files, so there are at most " +
             std::to_string(possible) + " connections; ulimit -n raises it");
    }
    return (std::min)(wanted, possible);
}

[[nodiscard]] tcp::endpoint endpoint_of(const ServeOptions& options, const Access& access) {
    const Address address = Address::parse(options.listen);
    Error error;
    const auto ip = asio::ip::make_address(address.host, error);
    if (error) {
        throw gru4rec::ConfigError("--listen: '" + address.host +
                                   "' is neither a numeric address nor localhost; 0.0.0.0 stands for all addresses of "
                                   "this machine");
    }
    if (!ip.is_loopback() && !access.needs_token() && !options.insecure) {
        throw gru4rec::ConfigError(
            "--listen: other machines reach " + address.host +
            ", and anyone who does could read and change what is served; give --token-file FILE, or --insecure if the "
            "network itself keeps others out");
    }
    return {ip, address.port};
}

[[nodiscard]] std::string url_of(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return "http://" + (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

class Server {
  public:
    struct Parts {
        const Access& access;
        const Page& page;
        const RequestLog& log;
    };

    Server(const ServeOptions& options, const Parts& parts, tcp::endpoint endpoint)
        : options_(options),
          log_(parts.log),
          most_connections_(allow_connections(options.limits.connections)),
          acceptor_(bound(control_, endpoint)),
          holder_(options),
          shared_{options_, parts.access, parts.page, holder_, {}, {}} {
        const int n = options.threads > 0 ? options.threads
                                          : static_cast<int>((std::max)(1U, std::thread::hardware_concurrency()));
        for (int i = 0; i < n; ++i) {
            workers_.push_back(std::make_unique<Worker>(shared_, log_, background_));
            shared_.counters.push_back(&workers_.back()->counters());
        }
        holder_.on_change = [this] {
            for (const auto& worker : workers_) {
                worker->notice_change();
            }
        };
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() = default;

    [[nodiscard]] ExitStatus run() {
        signals_.async_wait([this](const Error& error, int signal) { on_signal(error, signal); });
        listen();
        accept();
        poll();
        std::vector<std::thread> threads;
        for (const auto& worker : workers_) {
            threads.emplace_back([&worker] { worker->run(); });
        }
        control_.run();
        for (std::thread& thread : threads) {
            thread.join();
        }
        background_.join();
        tell("stopped");
        return stopped_by_ == SIGINT ? ExitStatus::interrupted : ExitStatus::ok;
    }

  private:
    /// Fails before the model is loaded, which may take a while.
    [[nodiscard]] static tcp::acceptor bound(asio::io_context& context, const tcp::endpoint& endpoint) {
        tcp::acceptor acceptor(context);
        Error error;
        acceptor.open(endpoint.protocol(), error);
        if (!error) {
            acceptor.set_option(tcp::acceptor::reuse_address(true), error);
            acceptor.bind(endpoint, error);
        }
        if (error) {
            throw gru4rec::IoError("--listen: cannot listen on " + url_of(endpoint) + ": " + error.message() +
                                   "; choose another address or port");
        }
        return acceptor;
    }

    void listen() {
        Error error;
        acceptor_.listen(4096, error);
        if (error) {
            throw gru4rec::IoError("--listen: cannot listen on " + options_.listen + ": " + error.message());
        }
        const ServedModel& model = *holder_.serving()->model;
        tell("serving " + options_.model + " (" + std::to_string(model.items().size()) + " items, hash " +
             model.hash() + ") at " + url_of(acceptor_.local_endpoint()));
    }

    /// Deals the connections to the threads in turn.
    void accept() {
        Worker& worker = *workers_[next_++ % workers_.size()];
        acceptor_.async_accept(worker.context(), [this, &worker](const Error& error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || !acceptor_.is_open()) {
                return;
            }
            if (error) {  // out of descriptors or memory: some become free
                pause_.expires_after(std::chrono::milliseconds(100));
                pause_.async_wait([this](const Error& cancelled) {
                    if (!cancelled) {
                        accept();
                    }
                });
                return;
            }
            take(worker, std::move(socket));
            accept();
        });
    }

    /// Those that the system has accepted on our behalf: they would be cut off with the acceptor.
    void accept_the_last() {
        Error error;
        acceptor_.non_blocking(true, error);
        for (std::int64_t n = 0; n < most_connections_ && !error; ++n) {
            Worker& worker = *workers_[next_++ % workers_.size()];
            tcp::socket socket(worker.context());
            acceptor_.accept(socket, error);
            if (!error) {
                take(worker, std::move(socket));
            }
        }
    }

    void take(Worker& worker, tcp::socket socket) {
        if (shared_.state.connections.load() >= most_connections_) {
            shared_.state.turned_away.fetch_add(1);
            turn_away(std::move(socket));
            return;
        }
        shared_.state.accepted.fetch_add(1);
        shared_.state.connections.fetch_add(1);
        worker.take(std::move(socket));
    }

    static void turn_away(tcp::socket socket) {
        const Answer answer = answer_of({503, "too_many_connections", "the server has as many connections as it may"});
        const std::string text =
            "HTTP/1.1 503 " + std::string(reason_of(503)) +
            "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n" +
            std::string(answer.more) + "Connection: close\r\n\r\n" + answer.body;
        Error ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(text), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        // What has arrived is read: closing with unread bytes would make the client lose the answer.
        std::array<char, 4096> sink;
        socket.read_some(asio::buffer(sink), ignored);
    }

    void poll() {
        if (!poll_runs_.exchange(true)) {
            asio::post(background_, [this] {
                try {
                    holder_.poll();
                } catch (const std::exception& failure) {
                    tell(failure.what());
                }
                poll_runs_ = false;
            });
        }
        timer_.expires_after(std::chrono::seconds(1));
        timer_.async_wait([this](const Error& cancelled) {
            if (!cancelled) {
                poll();
            }
        });
    }

    void on_signal(const Error& error, int signal) {
        if (error) {
            return;
        }
        if (signal == SIGHUP) {
            log_.reopen();
            asio::post(background_, [this] { holder_.reload(); });
            signals_.async_wait([this](const Error& failed, int next) { on_signal(failed, next); });
            return;
        }
        stopped_by_ = signal;
        Error ignored;
        signals_.clear(ignored);  // a second one ends the process at once
        shared_.state.stopping = true;
        accept_the_last();
        acceptor_.close(ignored);
        timer_.cancel();
        pause_.cancel();
        for (const auto& worker : workers_) {
            worker->stop();
        }
    }

    const ServeOptions& options_;
    const RequestLog& log_;
    std::int64_t most_connections_;
    asio::io_context control_{1};
    asio::thread_pool background_{1};
    asio::signal_set signals_{control_, SIGINT, SIGTERM, SIGHUP};
    asio::steady_timer timer_{control_};
    asio::steady_timer pause_{control_};
    tcp::acceptor acceptor_;
    ModelHolder holder_;
    Shared shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::size_t next_ = 0;
    std::atomic<bool> poll_runs_ = false;
    int stopped_by_ = 0;
};

}  // namespace

}  // namespace server

ExitStatus serve(const ServeOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    const server::Access access(options.token_file);
    const server::Page page(options.pictures);
    const server::RequestLog log(options.log);
    return server::Server(options, {access, page, log}, server::endpoint_of(options, access)).run();
}

}  // namespace cli
