#include "http.hpp"

#include <algorithm>

#include "json_text.hpp"

namespace cli::server {

void append_head(std::string& out, const Answer& answer, std::string_view date, std::string_view connection) {
    const auto* const status = std::find_if(statuses.begin(), statuses.end(),
                                            [&](const Status& entry) { return entry.number == answer.status; });
    out += "HTTP/1.1 ";
    append_number(out, answer.status);
    out.append(" ").append(status == statuses.end() ? "Unknown" : status->reason);
    out.append("\r\nDate: ").append(date).append("\r\n");
    if (has_body(answer.status)) {
        out.append("Content-Type: ").append(answer.type).append("\r\nContent-Length: ");
        append_number(out, answer.body.size());
        out += "\r\n";
    }
    out.append("Cache-Control: ").append(answer.cache).append("\r\nX-Content-Type-Options: nosniff\r\n");
    out += answer.extra_headers;
    if (!answer.allow.empty()) {
        out.append("Allow: ").append(answer.allow).append("\r\n");
    }
    if (!connection.empty()) {
        out.append("Connection: ").append(connection).append("\r\n");
    }
    out += "\r\n";
}

Answer answer_of(const HttpFailure& failure) {
    Answer answer;
    answer.status = failure.status();
    answer.code = failure.code();
    answer.allow = failure.allow();
    answer.extra_headers = failure.status() == 401   ? "WWW-Authenticate: Bearer\r\n"
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
