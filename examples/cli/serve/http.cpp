#include "http.hpp"

#include <algorithm>
#include <array>

#include "json_text.hpp"

namespace cli::server {

namespace {

constexpr std::array<std::pair<int, std::string_view>, 18> reasons{{{200, "OK"},
                                                                    {204, "No Content"},
                                                                    {304, "Not Modified"},
                                                                    {400, "Bad Request"},
                                                                    {401, "Unauthorized"},
                                                                    {404, "Not Found"},
                                                                    {405, "Method Not Allowed"},
                                                                    {408, "Request Timeout"},
                                                                    {413, "Content Too Large"},
                                                                    {414, "URI Too Long"},
                                                                    {415, "Unsupported Media Type"},
                                                                    {417, "Expectation Failed"},
                                                                    {421, "Misdirected Request"},
                                                                    {422, "Unprocessable Content"},
                                                                    {431, "Request Header Fields Too Large"},
                                                                    {500, "Internal Server Error"},
                                                                    {503, "Service Unavailable"},
                                                                    {505, "HTTP Version Not Supported"}}};

}  // namespace

std::string_view reason_of(int status) noexcept {
    const auto* const found =
        std::find_if(reasons.begin(), reasons.end(), [&](const auto& entry) { return entry.first == status; });
    return found == reasons.end() ? "Unknown" : found->second;
}

Answer answer_of(const HttpFailure& failure) {
    Answer answer;
    answer.status = failure.status();
    answer.code = failure.code();
    answer.allow = failure.allow();
    answer.more = failure.status() == 401   ? "WWW-Authenticate: Bearer\r\n"
                  : failure.status() == 503 ? "Retry-After: 1\r\n"
                                            : "";
    answer.body = "{\"error\":{\"code\":";
    append_string(answer.body, failure.code());
    answer.body += ",\"message\":";
    append_string(answer.body, failure.what());
    answer.body += "}}\n";
    return answer;
}

}  // namespace cli::server
