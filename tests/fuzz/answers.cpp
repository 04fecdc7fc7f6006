// Answers of a server to `gru4rec replay`. The first byte of the input says how the bytes are cut.

#include "cli/replay/answer_parser.hpp"
#include "cli/replay/answer_reader.hpp"

#include <boost/asio/buffer.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/target.hpp"

namespace {

using cli::playback::ReadAnswer;

struct Received {
    int status = 0;
    std::string body;

    friend bool operator==(const Received&, const Received&) = default;
};

/// The answer that a connection brings in pieces of this size; nullopt if it is none, or not a whole one.
[[nodiscard]] std::optional<Received> received(std::string_view bytes, std::size_t piece) {
    constexpr std::size_t most_bytes = 3000;
    Received answer;
    cli::playback::AnswerParser parser(answer.body, most_bytes);
    std::string pending;
    for (; !bytes.empty() && !parser.is_done(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
        pending += bytes.substr(0, piece);
        std::string_view rest = pending;
        while (!rest.empty() && !parser.is_done()) {
            boost::system::error_code error;
            rest.remove_prefix(parser.put(boost::asio::buffer(rest.data(), rest.size()), error));
            if (error == boost::beast::http::error::need_more) {
                break;
            }
            if (error) {
                return std::nullopt;
            }
        }
        pending.erase(0, pending.size() - rest.size());
    }
    fuzz::require(answer.body.size() <= most_bytes, "an answer has a limit");
    answer.status = parser.status();
    return parser.is_done() ? std::optional(answer) : std::nullopt;
}

void read(const std::string& body) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (const std::optional<ReadAnswer> answer = cli::playback::read_answer(body, "7")) {
        fuzz::require(json.is_object() && json.contains("items") && json.contains("events"),
                      "what is taken for an answer is one");
        fuzz::require(answer->rank >= 0 && answer->rank <= static_cast<gru4rec::Index>(body.size()),
                      "a rank is a place in the list");
        fuzz::require(answer->n_events >= 0 && answer->n_events <= cli::playback::most_events,
                      "a session has a number of events that can be counted on from");
    }
    const cli::playback::ReadError error = cli::playback::read_error(body);
    fuzz::require((error.code.empty() && error.message.empty()) || json.contains("error"),
                  "what is taken for an error is one");
    const std::optional<cli::playback::ReadyAnswer> ready = cli::playback::read_ready(body);
    fuzz::require(!ready || json["model"] == ready->model, "a server that is ready names its model");
    fuzz::require(!cli::playback::leaves_out(body) || json.is_object(), "a filter is an object");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Taker input({data, size});
    const unsigned how = input.byte();
    const std::string_view bytes = input.rest();
    if (how < 128) {
        read(std::string(bytes));
    } else if (const auto whole = received(bytes, bytes.size())) {
        fuzz::require(received(bytes, how - 127) == whole, "an answer does not depend on how it is cut");
        read(whole->body);
    }
    return 0;
}
