#ifndef GRU4REC_CLI_SERVE_HTTP_DATE_HPP
#define GRU4REC_CLI_SERVE_HTTP_DATE_HPP

#include <array>
#include <cstddef>
#include <ctime>
#include <string>

namespace cli::server {

/// Writes the time of now over a text: Sun, 29 Nov 2026 02:35:24 GMT
inline void write_http_date(std::string& text) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 64> written{};
    const std::size_t length = std::strftime(written.data(), written.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(written.data(), length);
}

}  // namespace cli::server

#endif
