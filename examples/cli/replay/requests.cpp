#include "requests.hpp"

#include <array>
#include <cstdio>
#include <random>
#include <utility>

#include "../serve/json_text.hpp"

namespace cli::playback {

namespace {

[[nodiscard]] std::string random_digits() {
    std::random_device device;
    std::array<char, 24> digits{};
    std::snprintf(digits.data(), digits.size(), "%08x%08x", static_cast<unsigned>(device()),
                  static_cast<unsigned>(device()));
    return digits.data();
}

}  // namespace

RequestWriter::RequestWriter(Url url, const std::string& token, gru4rec::Index n)
    : url_(std::move(url)), run_("replay-" + random_digits()), end_(",\"n\":" + std::to_string(n) + "}") {
    headers_ = " HTTP/1.1\r\nHost: " + url_.authority + "\r\nUser-Agent: gru4rec-replay\r\n";
    if (!token.empty()) {
        headers_ += "Authorization: Bearer " + token + "\r\n";
    }
}

std::string RequestWriter::feed(gru4rec::Index pass, gru4rec::Index session, std::string_view item) const {
    std::string body = "{\"item\":";
    server::append_string(body, item);
    return text("POST", path_of(pass, session) + "/events", body + end_);
}

std::string RequestWriter::end_session(gru4rec::Index pass, gru4rec::Index session) const {
    return text("DELETE", path_of(pass, session), {});
}

std::string RequestWriter::recommend(std::span<const gru4rec::ItemIndex> session, const gru4rec::ItemMap& items) const {
    std::string body = "{\"session\":[";
    for (const gru4rec::ItemIndex item : session) {
        body += body.back() == '[' ? "" : ",";
        server::append_string(body, items.id(item));
    }
    return text("POST", "/v1/recommend", body + "]" + end_);
}

std::string RequestWriter::text(std::string_view method, std::string_view path, std::string_view body) const {
    std::string out(method);
    out.append(" ").append(url_.prefix).append(path).append(headers_);
    if (method == "POST") {
        out += "Content-Type: application/json\r\nContent-Length: ";
        server::append_number(out, body.size());
        out += "\r\n";
    }
    return out.append("\r\n").append(body);
}

std::string RequestWriter::path_of(gru4rec::Index pass, gru4rec::Index session) const {
    return "/v1/sessions/" + run_ + "-" + std::to_string(pass) + "-" + std::to_string(session);
}

}  // namespace cli::playback
