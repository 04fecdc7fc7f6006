#include "connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/types.h>

#include "../messages.hpp"
#include "worker.hpp"

namespace cli::server {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

/// Requests of one client that are served before the others have their turn, and bytes that answer them: a thousand
/// clients who ask for large answers and do not take them would otherwise hold up others for seconds.
constexpr int most_in_a_row = 8;
constexpr std::size_t most_bytes_in_a_row = 16 * 1024;
constexpr std::chrono::seconds linger_time{2};
/// What an idle connection keeps: a larger text or list is given back.
constexpr std::size_t kept_bytes = 4096;
constexpr std::size_t kept_jobs = 16;
/// Bodies of refused requests that are read to their end, so that the connection can go on.
constexpr std::uint64_t most_discarded = 64 * 1024;

void trim(std::string& text) {
    text.clear();
    if (text.capacity() > kept_bytes) {
        std::string().swap(text);
    }
}

}  // namespace

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket) : worker_(worker), socket_(std::move(socket)) {
    Error ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    if (worker_.logs()) {
        const auto remote = socket_.remote_endpoint(ignored);
        client_ = ignored ? "" : remote.address().to_string();
    }
}

template <class Step>
void Connection::guarded(const Step& step) noexcept {
    try {
        step();
    } catch (const std::exception& error) {
        tell_failure("a connection was closed", error);
        close();
    }
}

void Connection::start() noexcept {
    deadline_ = Clock::now() + std::chrono::seconds(worker_.shared().options.limits.idle.value);
    guarded([this] { wait_readable(); });
}

void Connection::wait_readable() {
    socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](const Error& error) {
        self->guarded([&] { self->on_readable(error); });
    });
}

void Connection::on_readable(const Error& waited) {
    if (state_ == State::closed) {
        return;
    }
    Worker::Buffer& buffer = worker_.buffer();
    Error error = waited;
    const std::size_t n = error ? 0 : socket_.read_some(asio::buffer(buffer), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) {
        wait_readable();
        return;
    }
    if (error) {
        close();
        return;
    }
    worker_.count_bytes(n, 0);
    if (state_ == State::lingering) {
        wait_readable();
        return;
    }
    if (pending_.empty()) {
        const std::string_view input(buffer.data(), n);
        pending_ = input.substr(consume(input));
    } else {
        pending_.append(buffer.data(), n);
        pending_.erase(0, consume(pending_));
    }
    go_on();
}

std::size_t Connection::consume(std::string_view input) {
    std::string_view rest = input;
    consuming_ = true;
    more_ = false;
    sent_in_a_row_ = 0;
    for (int served = 0; state_ == State::reading && !rest.empty();) {
        if (served == most_in_a_row || sent_in_a_row_ >= most_bytes_in_a_row) {
            more_ = true;
            break;
        }
        if (!parser_) {
            rest.remove_prefix((std::min)(rest.find_first_not_of("\r\n"), rest.size()));
            if (rest.empty()) {
                break;
            }
            begin_request();
        }
        Error error;
        const std::size_t used = parser_->put(asio::buffer(rest.data(), rest.size()), error);
        rest.remove_prefix(used);
        if (error == http::error::need_more) {
            break;
        }
        if (error) {
            fail(error);
            break;
        }
        if (parser_->is_header_done() && !header_checked_) {
            check_header();
        }
        if (state_ == State::reading && parser_->is_done()) {
            ++served;
            complete();
        }
    }
    consuming_ = false;
    return input.size() - rest.size();
}

void Connection::begin_request() {
    const ServeLimits& limits = worker_.shared().options.limits;
    parser_.emplace(exchange_.request, static_cast<std::uint64_t>(limits.header));
    deadline_ = Clock::now() + std::chrono::seconds(limits.request.value);
}

void Connection::check_header() {
    header_checked_ = true;
    const auto announced = parser_->content_length();
    const std::uint64_t length = announced ? *announced : 0;
    try {
        most_body_ = worker_.service().check_header(exchange_, length);
        parser_->set_body_limit(most_body_);
        if (exchange_.request.expects_100 && !parser_->is_done()) {
            constexpr std::string_view go_ahead = "HTTP/1.1 100 Continue\r\n\r\n";
            Error ignored;  // the client sends the body sooner or later anyway
            socket_.write_some(asio::buffer(go_ahead.data(), go_ahead.size()), ignored);
        }
    } catch (const HttpFailure& failure) {
        if (!parser_->is_done() && (!announced || length > most_discarded || exchange_.request.expects_100)) {
            last_ = true;
            fail(failure);
            return;
        }
        last_ = failure.status() == 400;  // who knows where the next request begins
        exchange_.refusal = failure;
        parser_->set_body_limit(most_discarded);
        parser_->discard_body();
    }
}

void Connection::complete() {
    state_ = State::working;
    deadline_ = Clock::time_point::max();
    exchange_.start = Clock::now();
    if (exchange_.refusal) {
        fail(*exchange_.refusal);
        return;
    }
    try {
        worker_.adopt();
        switch (worker_.service().begin(exchange_)) {
            case Service::Next::answered: answered(); break;
            case Service::Next::rank: worker_.rank_later(shared_from_this()); break;
            case Service::Next::background: worker_.answer_in_background(shared_from_this()); break;
        }
    } catch (const HttpFailure& failure) {
        fail(failure);
    } catch (const std::exception& error) {
        tell_failure("a request failed", error);
        give_up();
    }
}

void Connection::fail(const HttpFailure& failure) {
    if (state_ == State::reading) {
        exchange_.start = Clock::now();
    }
    exchange_.answer = answer_of(failure);
    answered();
}

void Connection::fail(const Error& error) {
    const ServeLimits& limits = worker_.shared().options.limits;
    last_ = true;
    if (error == http::error::header_limit) {
        const bool in_first_line = exchange_.request.target.empty();
        const std::string limit = std::to_string(limits.header) + " bytes (--max-header)";
        fail(in_first_line ? HttpFailure(414, "target_too_long", "the first line has more than " + limit)
                           : HttpFailure(431, "header_too_large", "the headers have more than " + limit));
    } else if (error == http::error::body_limit) {
        const bool is_filter = exchange_.route != nullptr && exchange_.route->body == Body::filter;
        fail(HttpFailure(413, "body_too_large",
                         "the body has more than " + std::to_string(most_body_) + " bytes (" +
                             (is_filter ? "--max-filter-body" : "--max-body") + ")"));
    } else if (error == http::error::bad_version) {
        fail(HttpFailure(505, "bad_version", "the version of HTTP is not supported, expected HTTP/1.1 or HTTP/1.0"));
    } else {
        fail(HttpFailure(400, "bad_request", "the request is not HTTP: " + error.message()));
    }
}

void Connection::answered() noexcept {
    guarded([this] {
        if (state_ != State::closed) {
            send();
        }
    });
}

void Connection::give_up() noexcept {
    guarded([this] {
        if (state_ != State::closed) {
            fail(internal_failure());
        }
    });
}

void Connection::send() {
    last_ = last_ || !parser_ || !parser_->keep_alive() || worker_.is_stopping();
    out_.clear();
    append_head(out_, exchange_.answer, worker_.date(),
                last_                             ? "close"
                : exchange_.request.version == 10 ? "keep-alive"
                                                  : "");
    if (exchange_.request.method != Method::head && has_body(exchange_.answer.status)) {
        out_ += exchange_.answer.body;
    }
    state_ = State::writing;
    deadline_ = Clock::now() + std::chrono::seconds(worker_.shared().options.limits.request.value);
    write();
}

void Connection::write() {
    Error error;
    const std::size_t written = socket_.write_some(asio::buffer(out_), error);
    if (error == asio::error::would_block || error == asio::error::interrupted || (!error && written < out_.size())) {
        asio::async_write(socket_, asio::buffer(out_) + written,
                          [self = shared_from_this()](const Error& failed, std::size_t) {
                              self->guarded([&] { self->on_written(failed); });
                          });
        return;
    }
    on_written(error);
}

void Connection::on_written(const Error& error) {
    if (state_ == State::closed) {
        return;
    }
    worker_.count_bytes(0, out_.size());
    sent_in_a_row_ += out_.size();
    worker_.finished(exchange_, client_);
    if (error) {
        close();
        return;
    }
    forget_request();
    header_checked_ = false;
    if (last_) {
        Error ignored;
        socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        state_ = State::lingering;
        deadline_ = Clock::now() + linger_time;
        pending_.clear();
    } else {
        state_ = State::reading;
        deadline_ = Clock::now() + std::chrono::seconds(worker_.shared().options.limits.idle.value);
    }
    if (!consuming_) {
        more_ = !pending_.empty();
        go_on();
    }
}

void Connection::forget_request() {
    Request& request = exchange_.request;
    request.clear();
    for (std::string* const text : {&request.target, &request.host, &request.authorization, &request.content_type,
                                    &request.if_none_match, &request.body, &out_}) {
        trim(*text);
    }
    exchange_.target = {};
    exchange_.route = nullptr;
    exchange_.refusal.reset();
    exchange_.jobs.clear();
    if (exchange_.jobs.capacity() > kept_jobs) {
        std::vector<Job>().swap(exchange_.jobs);
    }
    exchange_.answer = {};
    parser_.reset();
}

void Connection::go_on() {
    if (state_ == State::reading && more_) {
        // Posted, so that the other clients have their turn, and the stack stays flat.
        more_ = false;
        asio::post(socket_.get_executor(), [self = shared_from_this()] {
            self->guarded([&] {
                if (self->state_ == State::reading) {
                    self->pending_.erase(0, self->consume(self->pending_));
                    self->go_on();
                }
            });
        });
    } else if (state_ == State::reading) {
        const auto most = static_cast<std::size_t>(worker_.shared().options.limits.header) + worker_.buffer().size();
        if (pending_.size() > most) {  // of a chunked body, say
            last_ = true;
            fail(HttpFailure(431, "header_too_large",
                             "the header of a chunk has more than " + std::to_string(most) + " bytes (--max-header)"));
            return;
        }
        if (worker_.is_stopping()) {  // it has not said so in an answer that was on its way when the stop came
            drain();
        }
        if (pending_.empty()) {
            trim(pending_);
        }
        if (state_ == State::reading) {
            wait_readable();
        }
    } else if (state_ == State::lingering) {
        std::string().swap(pending_);
        wait_readable();
    }
}

void Connection::expire() noexcept {
    if (state_ == State::reading && parser_) {
        guarded([this] {
            last_ = true;
            fail(HttpFailure(408, "too_slow",
                             "the request took longer than " +
                                 std::to_string(worker_.shared().options.limits.request.value) + " seconds to arrive"));
        });
    } else {
        if (state_ == State::writing) {  // the client did not take its answer
            worker_.finished(exchange_, client_);
        }
        close();
    }
}

void Connection::drain() noexcept {
    Error error;
    if (state_ == State::reading && !parser_ && pending_.empty() && (socket_.available(error) == 0 || error)) {
        close();
    }
}

bool Connection::is_abandoned() noexcept {
    char next = 0;
    const ssize_t n = ::recv(socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Connection::close() noexcept {
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closed;
    Error ignored;
    socket_.close(ignored);
    worker_.remove(*this);
}

}  // namespace cli::server
