#include "lingering.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace cli::server {

namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr int most_lingering = 32;
constexpr std::chrono::seconds longest_linger{1};
/// A client that sends fast is not to keep the thread.
constexpr int reads_in_a_row = 16;

}  // namespace

void Lingering::begin(asio::io_context& context, asio::ip::tcp::socket socket, int& n_there) {
    if (n_there >= most_lingering) {
        std::array<char, 4096> sink;
        Error ignored;
        socket.read_some(asio::buffer(sink), ignored);  // all of a usual request
        return;
    }
    const auto lingering = std::make_shared<Lingering>(context, n_there);
    const auto protocol = socket.local_endpoint().protocol();
    lingering->socket_.assign(protocol, socket.release());
    lingering->socket_.non_blocking(true);
    lingering->timer_.expires_after(longest_linger);
    lingering->timer_.async_wait([lingering](const Error&) {
        Error ignored;
        lingering->socket_.close(ignored);
    });
    lingering->wait();
}

void Lingering::wait() {
    socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](const Error& error) {
        if (error) {
            self->timer_.cancel();
        } else {
            self->read();
        }
    });
}

void Lingering::read() {
    std::array<char, 16 * 1024> sink;
    Error error;
    for (int n = 0; n < reads_in_a_row && !error; ++n) {
        socket_.read_some(asio::buffer(sink), error);
    }
    if (!error || error == asio::error::would_block || error == asio::error::interrupted) {
        wait();
    } else {
        timer_.cancel();  // whose handler closes it
    }
}

}  // namespace cli::server
