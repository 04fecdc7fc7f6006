#include "request_log.hpp"

#include "gru4rec/core/error.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "json_text.hpp"

namespace cli::server {

namespace {

constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
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

}  // namespace

RequestLog::RequestLog(std::string path) : path_(std::move(path)) {
    if (path_ == "-") {
        descriptor_ = STDERR_FILENO;
    } else if (!path_.empty()) {
        descriptor_ = ::open(path_.c_str(), flags, rights);
        if (descriptor_ < 0) {
            throw gru4rec::IoError("--log: cannot open '" + path_ +
                                   "' for appending: " + std::generic_category().message(errno));
        }
    }
}

RequestLog::~RequestLog() {
    if (descriptor_ > STDERR_FILENO) {
        ::close(descriptor_);
    }
}

void RequestLog::write(std::string& lines) const noexcept {
    std::string_view rest = lines;
    while (is_on() && !rest.empty()) {
        const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            break;  // a full disk does not stop the server
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    lines.clear();
}

void RequestLog::reopen() const noexcept {
    if (descriptor_ <= STDERR_FILENO) {
        return;
    }
    if (const int again = ::open(path_.c_str(), flags, rights); again >= 0) {
        ::dup3(again, descriptor_, O_CLOEXEC);
        ::close(again);
    }
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
