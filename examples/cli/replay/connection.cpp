#include "connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace cli::playback {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::size_t read_bytes = 4096;
/// Of an answer, so that a server that never stops takes no memory without bound. A filter of millions of ids fits.
constexpr std::size_t most_bytes = std::size_t{128} << 20;

}  // namespace

Connection::Connection(asio::io_context& context, tcp::endpoint server, ConnectionCounts& counts)
    : context_(context), server_(std::move(server)), counts_(counts), socket_(context), buffer_(read_bytes) {}

void Connection::send(std::string request, Repeatable repeatable, Clock::time_point deadline, Done done) {
    request_ = std::move(request);
    repeatable_ = repeatable;
    deadline_ = deadline;
    done_ = std::move(done);
    busy_ = true;
    again_ = false;
    begin();
}

void Connection::check(Clock::time_point now) {
    if (busy_ && now > deadline_) {
        drop();
        fail(Reply::Kind::too_late, "no answer within the time limit (--request-time)");
    }
}

void Connection::begin() {
    written_ = 0;
    received_ = false;
    parser_.emplace(reply_.body, most_bytes);
    if (socket_.is_open()) {
        write();
    } else {
        connect();
    }
}

void Connection::connect() {
    socket_.async_connect(server_, [this, life = ++life_](const Error& error) {
        if (life != life_) {
            return;
        }
        if (error) {
            drop();
            fail(Reply::Kind::cannot_connect, "cannot connect: " + error.message());
            return;
        }
        ++counts_.opened;
        Error ignored;
        socket_.non_blocking(true, ignored);
        socket_.set_option(tcp::no_delay(true), ignored);
        read();
        write();
    });
}

void Connection::write() {
    Error error;
    while (!error && written_ < request_.size()) {
        written_ += socket_.write_some(asio::buffer(request_) + written_, error);
    }
    if (error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted) {
        socket_.async_wait(tcp::socket::wait_write, [this, life = life_](const Error& waited) {
            if (life == life_ && busy_) {
                waited ? lost(waited) : write();
            }
        });
    } else if (error) {
        lost(error);
    }
}

void Connection::read() {
    // Reads between requests, too: a connection that the server has closed is noticed before it is used.
    socket_.async_read_some(asio::buffer(buffer_), [this, life = life_](const Error& error, std::size_t n) {
        if (life != life_) {
            return;
        }
        if (error) {
            lost(error);
            return;
        }
        if (!busy_) {  // a last word before the server closes it, such as status 408
            drop();
            ++counts_.closed_by_server;
            return;
        }
        received_ = true;
        if (pending_.empty()) {
            take({buffer_.data(), n});
        } else {
            const std::string before = std::exchange(pending_, {});
            take(before + std::string(buffer_.data(), n));
        }
        if (life == life_) {
            read();
        }
    });
}

void Connection::take(std::string_view bytes) {
    while (!bytes.empty() && !parser_->is_done()) {
        Error error;
        const std::size_t used = parser_->put(asio::buffer(bytes.data(), bytes.size()), error);
        bytes.remove_prefix(used);
        if (error == http::error::need_more) {
            pending_ = bytes;
            return;
        }
        if (error) {
            drop();
            fail(Reply::Kind::not_http, "the answer is not HTTP: " + error.message());
            return;
        }
    }
    if (!parser_->is_done()) {
        return;
    }
    reply_.kind = Reply::Kind::answered;
    reply_.status = parser_->status();
    if (!parser_->keep_alive() || !bytes.empty() || written_ < request_.size()) {
        drop();
    }
    finish();
}

void Connection::lost(const Error& error) {
    drop();
    if (!busy_) {
        ++counts_.closed_by_server;
        return;
    }
    Error incomplete;
    if (received_) {
        parser_->put_eof(incomplete);
        if (!incomplete && parser_->is_done()) {  // an answer may end with its connection
            reply_.kind = Reply::Kind::answered;
            reply_.status = parser_->status();
            finish();
            return;
        }
    } else if (!again_ && (repeatable_ == Repeatable::yes || written_ < request_.size())) {
        again_ = true;
        ++counts_.sent_again;
        begin();
        return;
    }
    fail(Reply::Kind::closed, std::string("the connection ended ") +
                                  (received_ ? "within an answer: " : "without an answer: ") + error.message());
}

void Connection::drop() {
    ++life_;
    Error ignored;
    socket_.close(ignored);
    pending_.clear();
}

void Connection::fail(Reply::Kind kind, const std::string& problem) {
    reply_.kind = kind;
    reply_.problem = problem;
    deadline_ = Clock::time_point::max();
    // Posted: send() may have got here, and its caller must return before done_ runs.
    asio::post(context_, [this] { finish(); });
}

void Connection::finish() {
    busy_ = false;
    const Done done = std::exchange(done_, nullptr);
    done(*this);
}

}  // namespace cli::playback
