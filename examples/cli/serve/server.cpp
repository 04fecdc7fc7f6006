#include "gru4rec/core/error.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../commands.hpp"
#include "../file_limit.hpp"
#include "../messages.hpp"
#include "../redis_connection.hpp"
#include "access.hpp"
#include "address.hpp"
#include "http_date.hpp"
#include "lingering.hpp"
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
/// What the system keeps for a client that does not take its answers; by itself it may grow to 4 MB for each.
constexpr int send_buffer = 128 * 1024;
/// After a failure for lack of memory or descriptors, until the same is tried again.
constexpr std::chrono::milliseconds respite{100};

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
            "--listen: other machines can reach " + address.host +
            ", and anyone who does could read and change what is served; give --token-file FILE, or --insecure if the "
            "network itself keeps others out");
    }
    return {ip, address.port};
}

[[nodiscard]] std::string url_of(const tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return "http://" + (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

/// Warns if other users of this machine can see the password of Redis.
void warn_of_open_password(const ServeOptions& options) {
    if (!options.redis_password_file.empty()) {
        warn_if_others_may_read("--redis-password-file", options.redis_password_file);
    } else if (!options.redis.empty() && !redis_address(options.redis).password.empty()) {
        tell("--redis: other users can see the password in the list of processes; --redis-password-file hides it");
    }
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
        std::vector<std::thread> threads = start_workers();
        run_control();
        for (std::thread& thread : threads) {
            thread.join();
        }
        // What has not begun: nobody waits for it. A filter that has come is kept.
        background_.searches.stop();
        background_.models.stop();
        background_.searches.join();
        background_.filters.join();
        background_.models.join();
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
            Error ignored;
            acceptor.set_option(asio::socket_base::send_buffer_size(send_buffer), ignored);  // connections inherit it
            acceptor.set_option(tcp::acceptor::reuse_address(true), error);
            acceptor.bind(endpoint, error);
        }
        if (error) {
            throw gru4rec::IoError("--listen: cannot listen on " + url_of(endpoint) + ": " + error.message() +
                                   "; choose another address or port");
        }
        return acceptor;
    }

    /// @throws what keeps the server from its start; no thread is left then, as one that is not joined would end the
    ///         process
    [[nodiscard]] std::vector<std::thread> start_workers() {
        std::vector<std::thread> threads;
        threads.reserve(workers_.size());
        try {
            for (const auto& worker : workers_) {
                threads.emplace_back([&worker] { worker->run(); });
            }
            listen();
        } catch (const std::exception& error) {
            const bool lacks_thread = threads.size() < workers_.size();
            for (const auto& worker : workers_) {
                worker->stop();
            }
            for (std::thread& thread : threads) {
                thread.join();
            }
            if (lacks_thread) {
                throw std::runtime_error("--threads: the system starts " + std::to_string(threads.size()) + " of " +
                                         std::to_string(workers_.size()) + " threads: " + error.what() +
                                         "; choose fewer");
            }
            throw;
        }
        return threads;
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

    /// Accepts, looks at the files, and heeds signals, until the stop.
    void run_control() {
        for (bool done = false; !done;) {
            try {
                restart_what_ended();
                control_.run();
                done = true;
            } catch (const std::exception& error) {
                tell_failure("the server begins again to accept connections", error);
                std::this_thread::sleep_for(respite);
            }
        }
    }

    void restart_what_ended() {
        if (stopped_by_ != 0) {
            stop();
            return;
        }
        if (!heeds_signals_) {
            heed_signals();
        }
        if (!accepts_) {
            accept();
        }
        if (!polls_) {
            poll();
        }
    }

    /// Deals the connections to the threads in turn.
    void accept() {
        Worker& worker = *workers_[next_++ % workers_.size()];
        acceptor_.async_accept(worker.context(), [this, &worker](const Error& error, tcp::socket socket) {
            accepts_ = false;
            if (!error) {
                take(worker, std::move(socket));  // if the stop has come meanwhile, too
            }
            if (acceptor_.is_open()) {
                error ? pause() : accept();
            }
        });
        accepts_ = true;
    }

    /// Out of descriptors or memory: some become free.
    void pause() {
        pause_.expires_after(respite);
        pause_.async_wait([this](const Error& cancelled) {
            accepts_ = false;
            if (!cancelled) {
                accept();
            }
        });
        accepts_ = true;
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
        try {
            worker.take(std::move(socket));
        } catch (...) {
            shared_.state.connections.fetch_sub(1);
            throw;
        }
    }

    void turn_away(tcp::socket socket) {
        const Answer answer = answer_of({503, "too_many_connections",
                                         "the server has all " + std::to_string(most_connections_) +
                                             " connections that it allows (--max-connections); try again"});
        std::string date;
        write_http_date(date);
        std::string text;
        append_head(text, answer, date, "close");
        text += answer.body;
        Error ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(text), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        Lingering::begin(control_, std::move(socket), lingering_);
    }

    void poll() {
        timer_.expires_after(std::chrono::seconds(1));
        timer_.async_wait([this](const Error& cancelled) {
            polls_ = false;
            if (!cancelled) {
                poll();
            }
        });
        polls_ = true;
        if (!poll_runs_.exchange(true)) {
            try {
                asio::post(background_.models, [this] {
                    look_after_model(&ModelHolder::poll);
                    poll_runs_ = false;
                });
            } catch (...) {
                poll_runs_ = false;
                throw;
            }
        }
    }

    /// In the background, whose threads must not be left by an exception.
    void look_after_model(void (ModelHolder::*task)()) noexcept {
        try {
            (holder_.*task)();
        } catch (const std::exception& failure) {
            tell_failure("looking after the model failed", failure);
        }
    }

    void heed_signals() {
        signals_.async_wait([this](const Error& error, int signal) {
            heeds_signals_ = false;
            if (error) {
                return;
            }
            if (signal == SIGHUP) {
                try {
                    log_.reopen();
                } catch (const std::exception& failure) {
                    tell_failure("lines of the log go where they went before", failure);
                }
                asio::post(background_.models, [this] { look_after_model(&ModelHolder::reload); });
                heed_signals();
            } else {
                stopped_by_ = signal;
                stop();
            }
        });
        heeds_signals_ = true;
    }

    /// May be called again, if it has failed.
    void stop() {
        Error ignored;
        signals_.clear(ignored);  // a second one ends the process at once
        shared_.state.stopping = true;
        if (acceptor_.is_open()) {
            accept_the_last();
            acceptor_.close(ignored);
        }
        timer_.cancel();
        pause_.cancel();
        // After a connection that the acceptor had accepted before: its handler is due.
        asio::post(control_, [this] {
            for (const auto& worker : workers_) {
                worker->stop();
            }
        });
    }

    const ServeOptions& options_;
    const RequestLog& log_;
    std::int64_t most_connections_;
    int lingering_ = 0;
    asio::io_context control_{1};
    Background background_;
    asio::signal_set signals_{control_, SIGINT, SIGTERM, SIGHUP};
    asio::steady_timer timer_{control_};
    asio::steady_timer pause_{control_};
    tcp::acceptor acceptor_;
    ModelHolder holder_;
    Shared shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::size_t next_ = 0;
    std::atomic<bool> poll_runs_ = false;  // or waits for a model that is being loaded
    bool heeds_signals_ = false;
    bool accepts_ = false;
    bool polls_ = false;
    int stopped_by_ = 0;
};

}  // namespace

}  // namespace server

ExitStatus serve(const ServeOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    refuse_overwriting({{"--log", options.log == "-" ? std::string() : options.log}},
                       {{"MODEL", options.model},
                        {"--catalogue", options.catalogue},
                        {"--token-file", options.token_file},
                        {"--redis-password-file", options.redis_password_file}});
    const server::Access access(options.token_file);
    server::warn_of_open_password(options);
    const server::Page page(options.pictures);
    const server::RequestLog log(options.log);
    return server::Server(options, {access, page, log}, server::endpoint_of(options, access)).run();
}

}  // namespace cli
