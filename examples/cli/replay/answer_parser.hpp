#ifndef GRU4REC_CLI_REPLAY_ANSWER_PARSER_HPP
#define GRU4REC_CLI_REPLAY_ANSWER_PARSER_HPP

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace cli::playback {

/// Reads an answer from the bytes of a connection: its status and its body.
class AnswerParser final : public boost::beast::http::basic_parser<false> {
  public:
    /// @param body  filled in; must outlive this object
    AnswerParser(std::string& body, std::size_t most_bytes) : body_(body), most_bytes_(most_bytes) {
        body_.clear();
        // Beast 1.74 takes `none` for a limit of 0. The body is counted below.
        body_limit((std::numeric_limits<std::uint64_t>::max)());
    }

    [[nodiscard]] int status() const noexcept { return status_; }

  private:
    using Error = boost::beast::error_code;
    using Text = boost::beast::string_view;
    using Length = boost::optional<std::uint64_t>;

    void on_request_impl(boost::beast::http::verb, Text, Text, int, Error&) override {}
    void on_response_impl(int status, Text, int, Error&) override { status_ = status; }
    void on_field_impl(boost::beast::http::field, Text, Text, Error&) override {}
    void on_header_impl(Error&) override {}
    void on_body_init_impl(const Length&, Error&) override {}
    std::size_t on_body_impl(Text part, Error& error) override { return take(part, error); }
    void on_chunk_header_impl(std::uint64_t, Text, Error&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, Text part, Error& error) override { return take(part, error); }
    void on_finish_impl(Error&) override {}

    std::size_t take(Text part, Error& error) {
        if (part.size() > most_bytes_ - body_.size()) {
            error = boost::beast::http::error::body_limit;
            return 0;
        }
        body_.append(part.data(), part.size());
        return part.size();
    }

    std::string& body_;
    std::size_t most_bytes_;
    int status_ = 0;
};

}  // namespace cli::playback

#endif
