#include "worker.hpp"

#include "gru4rec/core/parallel.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "../messages.hpp"
#include "connection.hpp"
#include "http_date.hpp"

namespace cli::server {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds tick_time{500};
/// Requests with more jobs are ranked alone, after those with fewer have their answers.
constexpr std::size_t most_jobs_together = 16;
/// Of the log that are written at once, and that are kept at most while nobody takes them.
constexpr std::size_t log_bytes = 64 * 1024;
constexpr std::size_t most_log_bytes = 1024 * 1024;
constexpr std::chrono::seconds last_log_time{1};
/// After a failure for lack of memory, until the same is tried again.
constexpr std::chrono::milliseconds respite{10};

}  // namespace

Worker::Worker(Shared& shared, const RequestLog& log, Background& background)
    : shared_(shared),
      log_(log),
      background_(background),
      service_(shared, counters_),
      guard_(asio::make_work_guard(context_)),
      timer_(context_) {
    write_http_date(date_);
    service_.adopt();
}

Worker::~Worker() = default;

void Worker::run() {
    // What is ranked here is ranked by this thread alone: the others have requests of their own.
    gru4rec::with_threads(1, [&] {
        for (bool done = false; !done;) {
            try {
                if (!ticks_) {
                    tick();
                }
                context_.run();
                done = true;
            } catch (const std::exception& error) {
                tell_failure("a thread of the server begins again", error);
                std::this_thread::sleep_for(respite);
            }
        }
    });
    write_log(last_log_time);
    counters_.log_lines_dropped.add(std::count(log_lines_.begin(), log_lines_.end(), '\n'));
}

void Worker::take(asio::ip::tcp::socket socket) {
    asio::post(context_, [this, taken = std::move(socket)]() mutable {
        try {
            auto connection = std::make_shared<Connection>(*this, std::move(taken));
            connection->place = connections_.size();
            connections_.push_back(connection);
            connection->start();
            if (stopping_) {
                connection->drain();
            }
        } catch (const std::exception& error) {
            tell_failure("a connection was closed", error);
            shared_.state.connections.fetch_sub(1);
        }
    });
}

void Worker::notice_change() {
    asio::post(context_, [this] { adopt(); });
}

void Worker::stop() {
    asio::post(context_, [this] {
        stopping_ = true;
        for_each_connection([](Connection& connection) { connection.drain(); });
        guard_.reset();
        if (connections_.empty()) {
            timer_.cancel();
        }
    });
}

void Worker::count_bytes(std::size_t received, std::size_t sent) noexcept {
    counters_.received.add(static_cast<std::int64_t>(received));
    counters_.sent.add(static_cast<std::int64_t>(sent));
}

void Worker::adopt() noexcept {
    if (!waiting_.empty()) {
        return;
    }
    try {
        service_.adopt();
    } catch (const std::exception& error) {  // the next request tries it again
        tell_failure("the new model cannot be taken yet", error);
    }
}

void Worker::rank_later(std::shared_ptr<Connection> connection) {
    if (waiting_.empty()) {
        // Runs after the connections that are ready in this turn. Posted first: what waits is sure to be ranked.
        asio::post(context_, [this] { rank(); });
    }
    waiting_.push_back(std::move(connection));
}

void Worker::rank() {
    ranked_.swap(waiting_);
    const auto large = std::stable_partition(ranked_.begin(), ranked_.end(), [](const auto& connection) {
        return connection->exchange().jobs.size() <= most_jobs_together;
    });
    // No request is read before this function ends, so all of these were read with the present model.
    const std::span<const std::shared_ptr<Connection>> all(ranked_);
    const auto n_together = static_cast<std::size_t>(large - ranked_.begin());
    if (n_together > 0) {
        rank(all.first(n_together));
    }
    for (std::size_t i = n_together; i < all.size(); ++i) {
        rank(all.subspan(i, 1));
    }
    ranked_.clear();
    adopt();
}

void Worker::rank(std::span<const std::shared_ptr<Connection>> connections) noexcept {
    Outcome outcome = Outcome::answered;
    try {
        exchanges_.clear();
        for (const std::shared_ptr<Connection>& connection : connections) {
            exchanges_.push_back(&connection->exchange());
        }
        service_.rank(exchanges_);
    } catch (const std::exception& error) {
        tell_failure("requests failed", error);
        outcome = Outcome::failed;
    }
    for (const std::shared_ptr<Connection>& connection : connections) {
        outcome == Outcome::answered ? connection->answered() : connection->give_up();
    }
}

void Worker::answer_in_background(std::shared_ptr<Connection> connection) {
    const bool is_search = connection->exchange().route_id() == Route::search;
    if (is_search && background_.n_waiting.load() >= Background::most_waiting) {
        throw HttpFailure(503, "too_many_searches",
                          std::to_string(Background::most_waiting) + " searches wait already; try again");
    }
    away_.push_back(std::move(connection));
    try {
        asio::post(is_search ? background_.searches : background_.filters,
                   [this, &away = *away_.back()] { come_back(away, finish(away)); });
    } catch (...) {
        away_.pop_back();
        throw;
    }
    background_.n_waiting.fetch_add(is_search ? 1 : 0);
}

Worker::Outcome Worker::finish(Connection& connection) const noexcept {
    Exchange& exchange = connection.exchange();
    try {
        if (exchange.route_id() == Route::search) {
            background_.n_waiting.fetch_sub(1);
            if (connection.is_abandoned()) {
                return Outcome::abandoned;
            }
        }
        service_.finish_in_background(exchange);
        return Outcome::answered;
    } catch (const std::exception& error) {
        tell_failure("a request failed", error);
        return Outcome::failed;
    }
}

/// Hands a connection back to the loop, from another thread.
void Worker::come_back(Connection& connection, Outcome outcome) noexcept {
    while (true) {
        try {
            asio::post(context_, [this, &connection, outcome] { welcome(connection, outcome); });
            return;
        } catch (const std::exception&) {  // there is nobody else who could answer
            std::this_thread::sleep_for(respite);
        }
    }
}

void Worker::welcome(Connection& connection, Outcome outcome) {
    const auto place =
        std::find_if(away_.begin(), away_.end(), [&](const auto& away) { return away.get() == &connection; });
    const std::shared_ptr<Connection> kept = std::move(*place);
    away_.erase(place);
    switch (outcome) {
        case Outcome::answered: connection.answered(); break;
        case Outcome::failed: connection.give_up(); break;
        case Outcome::abandoned: connection.close(); break;
    }
}

void Worker::finished(const Exchange& exchange, std::string_view client) noexcept {
    const std::int64_t microseconds = exchange.microseconds();
    counters_.count(exchange.route_id(), exchange.answer.status, microseconds);
    if (!log_.is_on()) {
        return;
    }
    const std::size_t before = log_lines_.size();
    if (before >= most_log_bytes) {
        counters_.log_lines_dropped.add();
        return;
    }
    try {
        append_log_line(log_lines_, exchange, client, microseconds);
    } catch (const std::exception&) {
        log_lines_.resize(before);
        counters_.log_lines_dropped.add();
    }
    if (log_lines_.size() > log_bytes) {
        write_log(std::chrono::milliseconds(0));
    }
}

void Worker::write_log(std::chrono::milliseconds patience) noexcept {
    counters_.log_lines_dropped.add(log_.write(log_lines_, patience));
}

void Worker::remove(Connection& connection) {
    const std::size_t place = connection.place;
    connections_.back()->place = place;
    connections_[place].swap(connections_.back());
    connections_.pop_back();  // the caller holds it further, or is done with it
    shared_.state.connections.fetch_sub(1);
    if (stopping_ && connections_.empty()) {
        timer_.cancel();
    }
}

void Worker::tick() {
    ticks_ = false;
    write_http_date(date_);
    write_log(std::chrono::milliseconds(0));
    for_each_connection([now = Clock::now()](Connection& connection) {
        if (connection.deadline() < now) {
            connection.expire();
        }
    });
    if (stopping_ && connections_.empty()) {
        return;
    }
    timer_.expires_after(tick_time);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            tick();
        }
    });
    ticks_ = true;
}

template <class Use>
void Worker::for_each_connection(const Use& use) {
    for (std::size_t place = connections_.size(); place-- > 0;) {
        const std::shared_ptr<Connection> connection = connections_[place];
        use(*connection);
    }
}

}  // namespace cli::server
