#include "greeting.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/item_map.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <optional>

#include "../messages.hpp"
#include "answer_reader.hpp"
#include "connection.hpp"

namespace cli::playback {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Sends one request at a time, and waits for its answer.
class Caller {
  public:
    Caller(const tcp::endpoint& server, std::chrono::seconds time)
        : time_(time), connection_(context_, server, counts_) {}

    [[nodiscard]] const Reply& ask(std::string request) {
        const auto deadline = Clock::now() + time_;
        bool done = false;
        connection_.send(std::move(request), Repeatable::yes, deadline, [&done](Connection&) { done = true; });
        asio::steady_timer timer(context_, deadline + std::chrono::milliseconds(1));
        timer.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled) {
                connection_.check(Clock::now());
            }
        });
        while (!done) {
            context_.run_one();
        }
        return connection_.reply();
    }

  private:
    std::chrono::seconds time_;
    asio::io_context context_{1};
    ConnectionCounts counts_;
    Connection connection_;
};

/// The start of a text that a stranger sent, for a message.
[[nodiscard]] std::string excerpt(const std::string& text) {
    return one_line(text.substr(0, (std::min)(text.size(), text.find('\n'))).substr(0, 100));
}

class Greeting {
  public:
    Greeting(const RequestWriter& requests, std::chrono::seconds time) : requests_(requests), time_(time) {}

    [[nodiscard]] FoundServer greet() {
        connect();
        check_list();
        check_filter();
        return found_;
    }

  private:
    [[nodiscard]] std::string place() const {
        return "--url: http://" + requests_.url().authority + requests_.url().prefix;
    }

    [[nodiscard]] gru4rec::IoError no_server(const std::string& problem) const {
        return gru4rec::IoError(place() + " is not a server of gru4rec: " + problem +
                                "; expected `gru4rec serve MODEL`");
    }

    /// The first of the host's addresses that takes connections.
    void connect() {
        asio::io_context context;
        tcp::resolver resolver(context);
        boost::system::error_code error;
        const auto addresses = resolver.resolve(requests_.url().host, requests_.url().port, error);
        if (error) {
            throw gru4rec::IoError(place() + ": the host has no address: " + error.message());
        }
        std::string problem;
        for (const auto& address : addresses) {
            caller_.emplace(address.endpoint(), time_);
            const Reply& reply = caller_->ask(requests_.get("/readyz"));
            if (reply.kind != Reply::Kind::cannot_connect) {
                found_.endpoint = address.endpoint();
                check_ready(reply);
                return;
            }
            problem = reply.problem;
        }
        throw gru4rec::IoError(place() + ": " + problem + "; is `gru4rec serve MODEL` running there?");
    }

    void check_ready(const Reply& reply) {
        if (reply.kind != Reply::Kind::answered) {
            throw no_server(reply.problem);
        }
        const std::optional<ReadyAnswer> answer = read_ready(reply.body);
        if (!answer) {
            throw no_server("GET /readyz answers with status " + std::to_string(reply.status) + ", '" +
                            excerpt(reply.body) + "'");
        }
        if (reply.status != 200) {
            throw gru4rec::IoError(place() + ": the server is not ready: " + one_line(answer->status));
        }
        found_.model = answer->model;
    }

    void check_list() {
        const gru4rec::ItemMap no_items;
        const Reply& reply = caller_->ask(requests_.recommend({}, no_items));
        if (reply.kind != Reply::Kind::answered) {
            throw no_server(reply.problem);
        }
        if (reply.status == 200 && read_answer(reply.body, {})) {
            return;
        }
        const ReadError error = read_error(reply.body);
        const std::string said = error.message.empty() ? "'" + excerpt(reply.body) + "'" : one_line(error.message);
        if (reply.status == 401) {
            throw gru4rec::ConfigError("--token-file: the server does not take the token: " + said);
        }
        if (reply.status == 422) {
            throw gru4rec::ConfigError("--n: the server refuses the list, which has one item more than --n: " + said);
        }
        throw no_server("POST /v1/recommend answers with status " + std::to_string(reply.status) + ", " + said);
    }

    void check_filter() {
        const Reply& reply = caller_->ask(requests_.get("/v1/filter"));
        found_.leaves_out =
            reply.kind == Reply::Kind::answered && reply.status == 200 && playback::leaves_out(reply.body);
    }

    const RequestWriter& requests_;
    std::chrono::seconds time_;
    std::optional<Caller> caller_;
    FoundServer found_;
};

}  // namespace

FoundServer greet(const RequestWriter& requests, std::chrono::seconds time) { return Greeting(requests, time).greet(); }

}  // namespace cli::playback
