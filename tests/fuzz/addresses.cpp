// Addresses in options: of Redis, of a server to replay to, to listen at, and of pictures. The first byte of the input
// says which.

#include "gru4rec/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/redis_connection.hpp"
#include "cli/replay/url.hpp"
#include "cli/serve/address.hpp"
#include "cli/serve/catalogue.hpp"
#include "fuzz/target.hpp"

namespace {

/// What stands before the last @ may be a password, so no message shows it.
void hide_password(std::string_view text) {
    constexpr std::string_view secret = "QXJZ";
    std::string with_secret(text);
    with_secret.insert(text.rfind('@'), secret);
    try {
        (void)cli::redis_address(with_secret);
    } catch (const gru4rec::ConfigError& error) {
        fuzz::require(std::string_view(error.what()).find(secret) == std::string_view::npos, "a password is not shown");
    }
}

void read_redis(std::string_view text) {
    if (text.find('@') != std::string_view::npos) {
        hide_password(text);
    }
    const cli::RedisAddress address = cli::redis_address(text);
    fuzz::require(!address.host.empty() && address.port > 0 && address.port <= 65535 && address.database >= 0,
                  "an address of Redis has a host, a port and a database");
    const cli::RedisAddress again =
        cli::redis_address("redis://" + address.text() + "/" + std::to_string(address.database));
    fuzz::require(again.port == address.port && again.database == address.database && again.host == address.host,
                  "an address of Redis is read as it is shown");
}

void read_url(std::string_view text) {
    const auto url = cli::playback::Url::parse(text);
    const auto again = cli::playback::Url::parse("http://" + url.authority + url.prefix);
    fuzz::require(again.host == url.host && again.port == url.port && again.prefix == url.prefix,
                  "a URL is read as it is shown");
    fuzz::require((url.authority + url.prefix).find_first_of("\r\n ") == std::string::npos,
                  "a URL cannot end the line of a request");
}

void read_listen(std::string_view text) {
    const auto address = cli::server::Address::parse(text);
    const auto again = cli::server::Address::parse("[" + address.host + "]:" + std::to_string(address.port));
    fuzz::require(again.host == (address.host == "localhost" ? "127.0.0.1" : address.host), "a host is read as shown");
    fuzz::require(again.port == address.port, "a port is read as shown");
}

void read_origin(std::string_view text) {
    const std::string origin = cli::server::parse_origin(text);
    fuzz::require(cli::server::parse_origin(origin) == origin, "an origin is read as it is shown");
    fuzz::require(origin.find_first_of(" ;,'\"*\r\n") == std::string::npos, "an origin stays one word of a header");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const unsigned which = input.byte() % 4;
    const std::string_view text = input.rest();
    constexpr std::string_view names[] = {"--redis: ", "--url: ", "--listen: ", "--pictures: "};
    try {
        switch (which) {
            case 0: read_redis(text); break;
            case 1: read_url(text); break;
            case 2: read_listen(text); break;
            default: read_origin(text);
        }
    } catch (const gru4rec::ConfigError& error) {
        fuzz::require(std::string_view(error.what()).starts_with(names[which]), "the message names the option");
    }
    return 0;
}
