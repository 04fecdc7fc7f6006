#include "gru4rec/core/error.hpp"

#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "percent_decoding.hpp"
#include "redis_connection.hpp"

namespace cli {

namespace {

/// The URL itself is not shown: it may hold a password.
[[noreturn]] void refuse(const std::string& problem) {
    throw gru4rec::ConfigError("--redis: the address of Redis: " + problem +
                               "; write redis://[[user]:password@]host[:port][/database]");
}

[[nodiscard]] std::optional<int> number_of(std::string_view digits) {
    int number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size() && digits.front() != '-';
    return whole ? std::optional(number) : std::nullopt;
}

[[nodiscard]] std::string decoded(std::string_view text) {
    std::optional<std::string> bytes = percent_decoded(text);
    if (!bytes) {
        refuse("a % in user or password must be followed by two hexadecimal digits (%25 is the % itself)");
    }
    return *std::move(bytes);
}

void read_user_and_password(std::string_view text, RedisAddress& address) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        refuse("a user needs a colon and a password before the @; with --redis-password-file write user:@host");
    }
    address.user = decoded(text.substr(0, colon));
    address.password = decoded(text.substr(colon + 1));
}

void read_host_and_port(std::string_view text, RedisAddress& address) {
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            refuse("an address in brackets lacks the ]");
        }
        address.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else {
        const std::size_t colon = text.find(':');
        address.host = text.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    }
    if (address.host.empty()) {
        refuse("the host is missing");
    }
    if (!port.empty()) {
        const std::optional<int> number = port.size() > 1 && port[0] == ':' ? number_of(port.substr(1)) : std::nullopt;
        if (!number || *number < 1 || *number > 65535) {
            refuse("the port must be a number from 1 to 65535");
        }
        address.port = *number;
    }
}

[[nodiscard]] std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line)) {
        throw gru4rec::IoError("--redis-password-file: cannot read " + path +
                               "; expected a file whose first line is the password of Redis");
    }
    if (line.ends_with('\r')) {
        line.pop_back();
    }
    if (line.empty()) {
        throw gru4rec::ConfigError("--redis-password-file: the first line of " + path +
                                   " is empty, expected the password of Redis");
    }
    return line;
}

}  // namespace

std::string RedisAddress::text() const {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

RedisAddress redis_address(std::string_view url, const std::string& password_file) {
    constexpr std::string_view scheme = "redis://";
    if (url.starts_with("rediss://")) {
        refuse("rediss://, that is TLS, is not supported; use a tunnel such as stunnel");
    }
    if (!url.starts_with(scheme)) {
        refuse("it does not begin with redis://");
    }
    url.remove_prefix(scheme.size());
    RedisAddress address;
    if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
        read_user_and_password(url.substr(0, at), address);
        url.remove_prefix(at + 1);
    }
    const std::size_t slash = url.find('/');
    read_host_and_port(url.substr(0, slash), address);
    if (slash != std::string_view::npos && slash + 1 < url.size()) {
        const std::optional<int> database = number_of(url.substr(slash + 1));
        if (!database) {
            refuse("what follows the / must be the number of a database");
        }
        address.database = *database;
    }
    if (!password_file.empty()) {
        if (!address.password.empty()) {
            throw gru4rec::ConfigError(
                "--redis-password-file: the password of Redis is given twice, in the address of --redis and in this "
                "file; leave out one of them");
        }
        address.password = first_line(password_file);
    }
    return address;
}

}  // namespace cli
