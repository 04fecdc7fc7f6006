#include "url.hpp"

#include "gru4rec/core/error.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace cli::playback {

namespace {

[[nodiscard]] bool is_port(std::string_view text) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number > 0;
}

}  // namespace

Url Url::parse(std::string_view text) {
    const auto refuse = [text](const std::string& problem) {
        return gru4rec::ConfigError("--url: '" + std::string(text) + "' " + problem +
                                    ", expected http://HOST:PORT such as http://127.0.0.1:8080");
    };
    constexpr std::string_view scheme = "http://";
    if (text.starts_with("https://")) {
        throw refuse(
            "asks for TLS, which this program does not speak; give the address of the server behind the TLS proxy");
    }
    if (!text.starts_with(scheme)) {
        throw refuse("does not begin with http://");
    }
    if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= 0x7f || c == '?' || c == '#'; })) {
        throw refuse("has a blank, a query or a character that is not ASCII");
    }
    std::string_view rest = text.substr(scheme.size());
    const std::size_t slash = (std::min)(rest.find('/'), rest.size());
    Url url;
    url.authority = rest.substr(0, slash);
    url.prefix = rest.substr(slash);
    while (url.prefix.ends_with('/')) {
        url.prefix.pop_back();
    }
    if (url.authority.find('@') != std::string::npos) {
        throw refuse("has a user's name; the server knows tokens alone (--token-file)");
    }
    const std::string_view authority = url.authority;
    const std::size_t bracket = authority.rfind(']');
    const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    std::string_view host = authority.substr(0, colon);
    url.port = colon == std::string_view::npos ? "80" : authority.substr(colon + 1);
    if (!is_port(url.port)) {
        throw refuse("has no port from 1 to 65535");
    }
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    url.host = host;
    if (url.host.empty()) {
        throw refuse("has no host");
    }
    return url;
}

}  // namespace cli::playback
