#ifndef GRU4REC_CLI_SERVE_REQUEST_LOG_HPP
#define GRU4REC_CLI_SERVE_REQUEST_LOG_HPP

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "exchange.hpp"

namespace cli::server {

/// A file to which lines are appended, one JSON object for each request.
class RequestLog {
  public:
    /// @param path  empty: no log; "-": standard error
    /// @throws gru4rec::IoError
    explicit RequestLog(std::string path);
    RequestLog(const RequestLog&) = delete;
    RequestLog& operator=(const RequestLog&) = delete;
    ~RequestLog();

    [[nodiscard]] bool is_on() const noexcept { return descriptor_ >= 0; }

    /// Appends whole lines. A pipe whose reader is slow is waited for no longer than `patience`; what it does not take
    /// stays in the text.
    ///
    /// @returns lines that are lost because the file cannot be written, on a full disk for example. If a part of a line
    ///          was written, that line is ended before the next one
    /// @threads any
    [[nodiscard]] std::int64_t write(std::string& lines, std::chrono::milliseconds patience) const noexcept;

    /// Opens the file again, because the old one may have been renamed.
    ///
    /// @throws gru4rec::IoError; lines then go where they went before
    /// @threads any
    void reopen() const;

  private:
    std::string path_;
    int descriptor_ = -1;
    mutable std::mutex mutex_;  // of writing: two threads could take the same room in a pipe for theirs
};

/// Appends the line of a request. It names the route, not the path: neither session nor items nor the token are in it.
void append_log_line(std::string& lines, const Exchange& exchange, std::string_view client, std::int64_t microseconds);

}  // namespace cli::server

#endif
