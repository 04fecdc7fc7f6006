#include "address.hpp"

#include "gru4rec/core/error.hpp"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace cli::server {

Address Address::parse(std::string_view text) {
    const auto refuse = [text](const std::string& problem) {
        return gru4rec::ConfigError("--listen: '" + std::string(text) + "' " + problem +
                                    ", expected ADDRESS:PORT such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        throw refuse("has no port");
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    Address address;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        throw refuse("has no port from 0 to 65535");
    }
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        throw refuse("is an IPv6 address without brackets");
    }
    address.host = host == "localhost" ? "127.0.0.1" : host;
    if (address.host.empty()) {
        throw refuse("has no address");
    }
    return address;
}

}  // namespace cli::server
