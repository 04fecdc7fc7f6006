#ifndef GRU4REC_CLI_SERVE_HTTP_HPP
#define GRU4REC_CLI_SERVE_HTTP_HPP

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// Requests and answers as the server's own parts see them, without the framework that carries them.
namespace cli::server {

enum class Method { get, head, post, put, remove, other };

/// A request as it came over the wire. Texts are not checked yet.
struct Request {
    Method method = Method::other;
    int version = 11;           ///< 10: HTTP/1.0
    std::string target;         ///< path and query, still encoded
    std::string host;           ///< the value of the header; empty: none
    std::string authorization;  ///< likewise
    std::string content_type;   ///< likewise
    std::string if_none_match;  ///< likewise
    std::string body;
    int n_hosts = 0;           ///< headers named Host
    bool expects_100 = false;  ///< waits for `100 Continue` before it sends the body
    bool expects_other = false;
    bool has_other_coding = false;  ///< a Transfer-Encoding that is not `chunked` alone: nobody knows where it ends

    /// Keeps the memory of the texts.
    void clear() {
        method = Method::other;
        version = 11;
        for (std::string* const text : {&target, &host, &authorization, &content_type, &if_none_match, &body}) {
            text->clear();
        }
        n_hosts = 0;
        expects_100 = expects_other = has_other_coding = false;
    }
};

struct Status {
    int number;
    std::string_view reason;  ///< the phrase that follows the number
};

/// What the server answers with.
inline constexpr std::array<Status, 18> statuses{{{200, "OK"},
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

inline constexpr std::string_view json_type = "application/json";

struct Answer {
    int status = 200;
    std::string_view type = json_type;
    std::string_view code;                ///< of an error, for the log and the metrics; refers to a literal
    std::string allow;                    ///< the value of the header Allow; empty: none
    std::string_view extra_headers;       ///< further header lines, each with its line break; outlive the answer
    std::string_view cache = "no-store";  ///< the value of the header Cache-Control; a literal
    std::string body;
};

/// Why a request is not served: the status, a code for programs and a message for people.
class HttpFailure : public std::runtime_error {
  public:
    /// @param code  a literal
    HttpFailure(int status, std::string_view code, const std::string& message)
        : std::runtime_error(message), status_(status), code_(code) {}

    [[nodiscard]] int status() const noexcept { return status_; }
    [[nodiscard]] std::string_view code() const noexcept { return code_; }

    /// The methods that the route has, for status 405.
    [[nodiscard]] const std::string& allow() const noexcept { return allow_; }
    [[nodiscard]] HttpFailure allowing(std::string methods) && {
        allow_ = std::move(methods);
        return std::move(*this);
    }

  private:
    int status_;
    std::string_view code_;
    std::string allow_;
};

/// Something that is not the client's fault.
[[nodiscard]] inline HttpFailure internal_failure() {
    return {500, "internal", "the server failed, perhaps for lack of memory; its messages say more"};
}

/// Whether an answer of this status has a body.
[[nodiscard]] constexpr bool has_body(int status) noexcept { return status != 204 && status != 304; }

/// Appends the first line and the headers of an answer, and the empty line after them.
///
/// @param date        the value of the header
/// @param connection  likewise; empty: none
void append_head(std::string& out, const Answer& answer, std::string_view date, std::string_view connection);

/// {"error": {"code": ..., "message": ...}} and the headers that belong to the status.
[[nodiscard]] Answer answer_of(const HttpFailure& failure);

}  // namespace cli::server

#endif
