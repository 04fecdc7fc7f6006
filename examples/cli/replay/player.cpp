#include "player.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>

#include "answer_reader.hpp"

namespace cli::playback {

namespace {

constexpr std::chrono::milliseconds tick_time{100};
/// Without a connection, or without an answer beyond the time limit of a request.
constexpr std::chrono::seconds patience{5};

[[nodiscard]] std::string kind_of(const Reply& reply) {
    switch (reply.kind) {
        case Reply::Kind::cannot_connect: return "no connection";
        case Reply::Kind::closed: return "connection ended";
        case Reply::Kind::not_http: return "not HTTP";
        case Reply::Kind::too_late: return "no answer in time";
        case Reply::Kind::answered: break;
    }
    return "status " + std::to_string(reply.status);
}

}  // namespace

Player::Player(const Parts& parts, const boost::asio::ip::tcp::endpoint& server)
    : parts_(parts),
      sent_(static_cast<std::size_t>(parts.options.connections)),
      dispatcher_(parts.order, parts.options.rate, parts.options.seconds > 0 ? Passes::any_number : Passes::one),
      results_(parts.options.n),
      n_events_(static_cast<std::size_t>(parts.order.n_sessions())) {
    for (std::size_t c = 0; c < sent_.size(); ++c) {
        connections_.push_back(std::make_unique<Connection>(context_, server, results_.connections));
        connections_.back()->number = c;
    }
}

Results Player::play() {
    open_connections();
    start_ = last_answer_ = silent_since_ = Clock::now();
    tick();
    pump();
    run_until(over_);
    results_.seconds = std::chrono::duration<double>(last_answer_ - start_).count();
    results_.n_held = dispatcher_.n_held();
    due_timer_.cancel();
    stopping_ = true;
    delete_sessions();
    tick_timer_.cancel();
    line_.clear();
    return std::move(results_);
}

/// So that no request of the replay waits for its connection.
void Player::open_connections() {
    std::size_t n_open = 0;
    bool done = false;
    tick();
    for (const auto& connection : connections_) {
        connection->send(parts_.requests.get("/healthz"), Repeatable::yes, deadline(), [&](Connection& opened) {
            free_.push_back(&opened);
            done = ++n_open == connections_.size();
        });
    }
    run_until(done);
}

void Player::run_until(const bool& done) {
    while (!done) {
        context_.run_one();
    }
}

void Player::pump() {
    while (!stopping_ && !free_.empty()) {
        const std::optional<Turn> turn = dispatcher_.take(now());
        if (!turn) {
            break;
        }
        Connection& connection = *free_.front();
        free_.pop_front();
        send(connection, *turn);
    }
    over_ = n_on_the_way_ == 0 && (stopping_ || dispatcher_.is_over());
    wait_for_due();
}

void Player::wait_for_due() {
    const std::int64_t due = dispatcher_.next_due();
    if (stopping_ || free_.empty() || due == Dispatcher::never || due == armed_for_) {
        return;
    }
    armed_for_ = due;
    due_timer_.expires_at(start_ + std::chrono::nanoseconds(due));
    due_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
            armed_for_ = Dispatcher::never;
            pump();
        }
    });
}

void Player::send(Connection& connection, const Turn& turn) {
    const auto session = parts_.order.session(turn.session);
    const auto position = static_cast<std::size_t>(turn.position);
    const bool stateless = parts_.options.stateless;
    if (turn.position == 0) {
        events_of(turn.session) = 0;
        if (!stateless) {
            live_.emplace_back(turn.pass, static_cast<std::int32_t>(turn.session));
        }
    }
    std::string request = stateless ? parts_.requests.recommend(session.first(position + 1), parts_.items)
                                    : parts_.requests.feed(turn.pass, turn.session, parts_.items.id(session[position]));
    if (n_on_the_way_++ == 0) {
        silent_since_ = Clock::now();
    }
    sent_[connection.number] = {turn, Clock::now()};
    connection.send(std::move(request), stateless ? Repeatable::yes : Repeatable::no, deadline(),
                    [this](Connection& done) { finished(done); });
}

void Player::finished(Connection& connection) {
    const Clock::time_point now = Clock::now();
    const Sent& sent = sent_[connection.number];
    const Reply& reply = connection.reply();
    --n_on_the_way_;
    dispatcher_.finish(sent.turn.session);
    if (reply.kind == Reply::Kind::answered) {
        last_answer_ = silent_since_ = now;
        unreachable_since_.reset();
    }
    if (reply.kind == Reply::Kind::answered && reply.status == 200) {
        count(reply, sent, now);
    } else {
        count_error(reply, sent.turn);
    }
    if (reply.kind == Reply::Kind::cannot_connect) {
        unreachable_since_ = unreachable_since_.value_or(now);
        resting_.push_back(&connection);
    } else {
        free_.push_back(&connection);
    }
    pump();
}

void Player::count(const Reply& reply, const Sent& sent, Clock::time_point now) {
    const auto session = parts_.order.session(sent.turn.session);
    const gru4rec::ItemIndex target = session[static_cast<std::size_t>(sent.turn.position) + 1];
    const std::optional<ReadAnswer> answer = read_answer(reply.body, parts_.items.id(target));
    if (!answer) {
        results_.add_error("not an answer", "the body is not that of an answer: " + reply.body.substr(0, 200));
        events_of(sent.turn.session) = -1;
        return;
    }
    const auto due = start_ + std::chrono::nanoseconds(sent.turn.due);
    results_.from_due.add(std::chrono::nanoseconds(now - due).count());
    results_.from_sent.add(std::chrono::nanoseconds(now - sent.when).count());
    results_.hits.add(answer->rank);
    results_.add_model(answer->model);
    count_events(sent.turn, answer->n_events, answer->n_unknown);
}

/// A server that was started anew, or that had no room, has lost what the session was.
void Player::count_events(const Turn& turn, gru4rec::Index n_events, gru4rec::Index n_unknown) {
    results_.n_unknown += n_unknown;
    std::int32_t& known = events_of(turn.session);
    const gru4rec::Index fed = parts_.options.stateless ? turn.position + 1 : known + 1;
    if (known >= 0 && n_events != fed - n_unknown) {
        ++results_.n_lost_sessions;
    }
    known = static_cast<std::int32_t>(n_events);
}

void Player::count_error(const Reply& reply, const Turn& turn) {
    events_of(turn.session) = -1;  // nobody knows whether the event was fed
    if (reply.kind != Reply::Kind::answered) {
        results_.add_error(kind_of(reply), reply.problem);
        return;
    }
    const ReadError error = read_error(reply.body);
    results_.add_error(kind_of(reply) + (error.code.empty() ? "" : " " + error.code),
                       error.message.empty() ? reply.body.substr(0, 200) : error.message);
}

void Player::tick() {
    const Clock::time_point now = Clock::now();
    for (const auto& connection : connections_) {
        connection->check(now);
    }
    free_.insert(free_.end(), resting_.begin(), resting_.end());
    resting_.clear();
    const std::int64_t seconds = parts_.options.seconds;
    if (start_ != Clock::time_point{}) {
        stopping_ = stopping_ || parts_.interruption.requested() ||
                    (seconds > 0 && now - start_ > std::chrono::seconds(seconds));
        give_up_if_silent(now);
        draw();
        pump();
    }
    tick_timer_.expires_after(tick_time);
    tick_timer_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
            tick();
        }
    });
}

void Player::give_up_if_silent(Clock::time_point now) {
    const auto limit = std::chrono::seconds(parts_.options.request.value) + patience;
    const bool is_silent = n_on_the_way_ > 0 && now - silent_since_ > limit;
    if (!stopping_ && (is_silent || (unreachable_since_ && now - *unreachable_since_ > patience))) {
        stopping_ = results_.gave_up = true;
    }
}

void Player::delete_sessions() {
    results_.n_left = std::ssize(live_);
    if (results_.gave_up) {
        return;
    }
    for (Connection* const connection : free_) {
        delete_next(*connection);
    }
    while (n_on_the_way_ > 0) {
        context_.run_one();
    }
}

void Player::delete_next(Connection& connection) {
    if (next_to_delete_ == live_.size()) {
        return;
    }
    const auto [pass, session] = live_[next_to_delete_++];
    ++n_on_the_way_;
    connection.send(parts_.requests.end_session(pass, session), Repeatable::yes, deadline(), [this](Connection& done) {
        --n_on_the_way_;
        const Reply& reply = done.reply();
        const bool answered = reply.kind == Reply::Kind::answered;
        results_.n_deleted += answered && reply.status == 204 ? 1 : 0;
        results_.n_gone += answered && reply.status == 404 ? 1 : 0;
        results_.n_left -= answered && (reply.status == 204 || reply.status == 404) ? 1 : 0;
        if (answered) {  // else nobody is there any more, and the others would wait in vain, too
            delete_next(done);
        }
    });
}

void Player::draw() {
    if (!line_.is_due()) {
        return;
    }
    const ReplayOptions& options = parts_.options;
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const auto answered = static_cast<double>(results_.from_due.count());
    const double done = answered + static_cast<double>(results_.n_errors());
    const double share = options.seconds > 0 ? seconds / static_cast<double>(options.seconds)
                                             : done / static_cast<double>(parts_.order.n_steps());
    const gru4rec::Evaluation evaluation = results_.hits.evaluation();
    std::array<char, 200> text{};
    std::snprintf(text.data(), text.size(), "%5.1f %%  %.0f requests/s  Recall@%d %.4f  p99 %.2f ms  %lld errors",
                  100 * (std::min)(share, 1.0), seconds > 0 ? answered / seconds : 0, options.n,
                  evaluation.metrics.front().recall.front(),
                  static_cast<double>(results_.from_due.quantile(0.99)) / 1e6,
                  static_cast<long long>(results_.n_errors()));
    line_.draw("replay ", (std::min)(share, 1.0), text.data());
}

}  // namespace cli::playback
