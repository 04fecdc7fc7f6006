#include "worker.hpp"

#include "gru4rec/core/parallel.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <exception>
#include <utility>

#include "../messages.hpp"
#include "connection.hpp"

namespace cli::server {

namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds tick_time{500};
/// Requests with more jobs are ranked alone, after those with fewer have their answers.
constexpr std::size_t most_jobs_together = 16;
constexpr std::size_t log_bytes = 64 * 1024;

}  // namespace

Worker::Worker(Shared& shared, const RequestLog& log, asio::thread_pool& background)
    : shared_(shared),
      log_(log),
      background_(background),
      service_(shared, counters_),
      guard_(asio::make_work_guard(context_)),
      timer_(context_) {
    write_date();
    service_.adopt();
}

Worker::~Worker() = default;

void Worker::run() {
    // What is ranked here is ranked by this thread alone: the others have requests of their own.
    gru4rec::with_threads(1, [&] {
        tick();
        for (bool done = false; !done;) {
            try {
                context_.run();
                done = true;
            } catch (const std::exception& error) {
                tell(std::string("a connection failed: ") + error.what());
            }
        }
    });
    log_.write(log_lines_);
}

void Worker::take(asio::ip::tcp::socket socket) {
    asio::post(context_, [this, taken = std::move(socket)]() mutable {
        if (stopping_) {
            shared_.state.connections.fetch_sub(1);
            return;
        }
        auto connection = std::make_shared<Connection>(*this, std::move(taken));
        connection->place = connections_.size();
        connections_.push_back(connection);
        connection->start();
    });
}

void Worker::notice_change() {
    asio::post(context_, [this] { adopt(); });
}

void Worker::stop() {
    asio::post(context_, [this] {
        stopping_ = true;
        const std::vector<std::shared_ptr<Connection>> all = connections_;
        for (const std::shared_ptr<Connection>& connection : all) {
            connection->drain();
        }
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

void Worker::adopt() {
    if (waiting_.empty()) {
        service_.adopt();
    }
}

void Worker::rank_later(std::shared_ptr<Connection> connection) {
    waiting_.push_back(std::move(connection));
    if (waiting_.size() == 1) {
        // Runs after the connections that are ready in this turn.
        asio::post(context_, [this] { rank(); });
    }
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

void Worker::rank(std::span<const std::shared_ptr<Connection>> connections) {
    exchanges_.clear();
    for (const std::shared_ptr<Connection>& connection : connections) {
        exchanges_.push_back(&connection->exchange());
    }
    service_.rank(exchanges_);
    for (const std::shared_ptr<Connection>& connection : connections) {
        connection->answered();
    }
}

void Worker::answer_in_background(std::shared_ptr<Connection> connection) {
    asio::post(background_, [this, held = std::move(connection)]() mutable {
        service_.finish_in_background(held->exchange());
        Connection& answered = *held;
        asio::post(context_, [kept = std::move(held), &answered] { answered.answered(); });
    });
}

void Worker::finished(const Exchange& exchange, std::string_view client) {
    const std::int64_t microseconds = exchange.microseconds();
    counters_.count(exchange.route_id(), exchange.answer.status, microseconds);
    if (log_.is_on()) {
        append_log_line(log_lines_, exchange, client, microseconds);
        if (log_lines_.size() > log_bytes) {
            log_.write(log_lines_);
        }
    }
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
    write_date();
    log_.write(log_lines_);
    const auto now = Clock::now();
    std::vector<std::shared_ptr<Connection>> late;
    std::copy_if(connections_.begin(), connections_.end(), std::back_inserter(late),
                 [now](const auto& connection) { return connection->deadline() < now; });
    for (const std::shared_ptr<Connection>& connection : late) {
        connection->expire();
    }
    if (stopping_ && connections_.empty()) {
        return;
    }
    timer_.expires_after(tick_time);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            tick();
        }
    });
}

/// Sun, 29 Nov 2026 02:35:24 GMT
void Worker::write_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 64> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date_.assign(text.data(), length);
}

}  // namespace cli::server
