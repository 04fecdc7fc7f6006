#include "request_log.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "json_text.hpp"

namespace cli::server {

namespace {

constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;
constexpr unsigned rights = 0640;

/// 2026-11-29T02:35:24.123Z
[[nodiscard]] std::string time_text() {
    using std::chrono::milliseconds;
    const auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(now.time_since_epoch().count() % 1000));
    return std::string(text.data(), length) + fraction.data();
}

/// Whole lines from the front that a pipe takes in one piece, and without waiting if poll() says that it is ready.
[[nodiscard]] std::string_view first_lines(std::string_view text) noexcept {
    return text.substr(0, text.substr(0, PIPE_BUF).rfind('\n') + 1);  // a line is much shorter
}

[[nodiscard]] gru4rec::IoError cannot_open(const std::string& path) {
    return gru4rec::IoError("--log: cannot open '" + path +
                            "' for appending: " + std::generic_category().message(errno));
}

}  // namespace

RequestLog::RequestLog(std::string path) : path_(std::move(path)) {
    if (path_ == "-") {
        descriptor_ = STDERR_FILENO;
    } else if (!path_.empty()) {
        descriptor_ = ::open(path_.c_str(), flags, rights);
        if (descriptor_ < 0) {
            throw cannot_open(path_);
        }
    }
}

RequestLog::~RequestLog() {
    if (descriptor_ > STDERR_FILENO) {
        ::close(descriptor_);
    }
}

std::int64_t RequestLog::write(std::string& lines, std::chrono::milliseconds patience) const noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto end = Clock::now() + patience;
    std::string_view rest = lines;
    std::int64_t n_lost = 0;
    bool is_torn = false;
    while (is_on() && !rest.empty()) {
        pollfd ready{descriptor_, POLLOUT, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        const int n_ready = ::poll(&ready, 1, static_cast<int>((std::max)(left, decltype(left){0})));
        if (n_ready == 0) {
            break;
        }
        const std::string_view part = first_lines(rest);
        const ssize_t written = n_ready < 0 ? -1 : ::write(descriptor_, part.data(), part.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (written <= 0) {
            n_lost = std::count(rest.begin(), rest.end(), '\n');
            is_torn = rest.size() < lines.size() && lines[lines.size() - rest.size() - 1] != '\n';
            rest = {};
            break;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    lines.erase(0, lines.size() - rest.size());
    if (is_torn) {
        lines = "\n";
    }
    return n_lost;
}

void RequestLog::reopen() const {
    if (descriptor_ <= STDERR_FILENO) {
        return;
    }
    const int again = ::open(path_.c_str(), flags, rights);
    if (again < 0) {
        throw cannot_open(path_);
    }
    ::dup3(again, descriptor_, O_CLOEXEC);
    ::close(again);
}

void append_log_line(std::string& lines, const Exchange& exchange, std::string_view client, std::int64_t microseconds) {
    lines.append("{\"time\":\"").append(time_text()).append("\",\"client\":\"").append(client);
    lines.append("\",\"method\":\"").append(name_of(exchange.request.method));
    lines.append("\",\"route\":\"").append(path_of(exchange.route_id())).append("\",\"status\":");
    append_number(lines, exchange.answer.status);
    if (!exchange.answer.code.empty()) {
        lines.append(",\"error\":\"").append(exchange.answer.code).append("\"");
    }
    lines += ",\"received\":";
    append_number(lines, exchange.request.body.size());
    lines += ",\"sent\":";
    append_number(lines, exchange.answer.body.size());
    lines += ",\"microseconds\":";
    append_number(lines, microseconds);
    lines += "}\n";
}

}  // namespace cli::server
