#include "access.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file_bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "../any_case.hpp"
#include "../messages.hpp"

namespace cli::server {

namespace {

constexpr std::size_t shortest = 16;
constexpr std::size_t longest = 1024;

[[nodiscard]] bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The characters of RFC 6750, and a few more that do no harm in a header.
[[nodiscard]] bool is_token_character(char c) noexcept { return c > ' ' && c < 0x7f && c != '"' && c != ','; }

}  // namespace

void warn_if_others_may_read(const std::string& option, const std::string& file) {
    using std::filesystem::perms;
    std::error_code error;
    const perms rights = std::filesystem::status(file, error).permissions();
    if (!error && (rights & (perms::group_read | perms::others_read)) != perms::none) {
        tell(option + ": other users of this machine may read '" + file + "'; chmod 600 keeps it to yourself");
    }
}

Access::Access(const std::string& file) {
    if (file.empty()) {
        return;
    }
    std::string text(gru4rec::detail::FileBytes(file).view().substr(0, longest + 1));
    text.erase(std::find_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }), text.end());
    if (text.size() < shortest || text.size() > longest || !std::all_of(text.begin(), text.end(), is_token_character)) {
        throw gru4rec::ConfigError("--token-file: expected a first line of " + std::to_string(shortest) + " to " +
                                   std::to_string(longest) +
                                   " printable characters without blanks, commas and quotation marks in '" + file +
                                   "'; this makes a good one: head -c 32 /dev/urandom | base64 > FILE");
    }
    warn_if_others_may_read("--token-file", file);
    token_ = std::move(text);
}

bool Access::allows(std::string_view authorization) const noexcept {
    if (!needs_token()) {
        return true;
    }
    constexpr std::string_view scheme = "bearer ";
    const bool is_bearer =
        authorization.size() > scheme.size() && equals_in_any_case(authorization.substr(0, scheme.size()), scheme);
    if (!is_bearer) {
        return false;
    }
    authorization.remove_prefix(scheme.size());
    authorization.remove_prefix((std::min)(authorization.find_first_not_of(' '), authorization.size()));
    // Looks at as many characters of whatever is sent, wherever the first difference is.
    auto difference = static_cast<unsigned>(authorization.size() != token_.size());
    for (std::size_t i = 0; i < authorization.size(); ++i) {
        difference |= static_cast<unsigned>(static_cast<unsigned char>(authorization[i])) ^
                      static_cast<unsigned>(static_cast<unsigned char>(token_[i % token_.size()]));
    }
    const volatile unsigned result = difference;
    return result == 0;
}

bool is_numeric_or_localhost(std::string_view host) noexcept {
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string_view port = colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1);
    host = host.substr(0, colon);
    if (!std::all_of(port.begin(), port.end(), is_digit)) {
        return false;
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {  // IPv6
        host = host.substr(1, host.size() - 2);
        return std::all_of(host.begin(), host.end(), [](char c) {
            return is_digit(c) || c == ':' || c == '.' || (small_letter(c) >= 'a' && small_letter(c) <= 'f');
        });
    }
    // No name of the DNS ends in a number: what has digits and dots alone is an address of IPv4, or nothing.
    const bool is_ipv4 = !host.empty() && is_digit(host.back()) &&
                         std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; });
    return is_ipv4 || equals_in_any_case(host, "localhost");
}

}  // namespace cli::server
