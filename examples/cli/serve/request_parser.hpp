#ifndef GRU4REC_CLI_SERVE_REQUEST_PARSER_HPP
#define GRU4REC_CLI_SERVE_REQUEST_PARSER_HPP

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "http.hpp"

namespace cli::server {

/// Reads a request from the bytes of a connection: of its headers only those that the server looks at, without an
/// allocation for each.
class RequestParser final : public boost::beast::http::basic_parser<true> {
  public:
    /// @param request  filled in; must outlive this object
    RequestParser(Request& request, std::uint64_t header_limit) : request_(request) {
        this->header_limit(static_cast<std::uint32_t>(header_limit));
        // Beast 1.74 takes `none` for a limit of 0. The body is counted below.
        body_limit((std::numeric_limits<std::uint64_t>::max)());
    }

    /// To be called when the header is there.
    void set_body_limit(std::uint64_t bytes) noexcept { limit_ = bytes; }

    /// The body is read, and not kept.
    void discard_body() noexcept { keeps_body_ = false; }

  private:
    using Error = boost::beast::error_code;
    using Text = boost::beast::string_view;
    using Length = boost::optional<std::uint64_t>;

    void on_request_impl(boost::beast::http::verb method, Text, Text target, int version, Error&) override {
        using boost::beast::http::verb;
        request_.method = method == verb::get       ? Method::get
                          : method == verb::head    ? Method::head
                          : method == verb::post    ? Method::post
                          : method == verb::put     ? Method::put
                          : method == verb::delete_ ? Method::remove
                                                    : Method::other;
        request_.target.assign(target.data(), target.size());
        request_.version = version;
    }
    void on_response_impl(int, Text, int, Error&) override {}

    void on_field_impl(boost::beast::http::field name, Text, Text value, Error&) override {
        using boost::beast::http::field;
        if (header_is_complete_) {
            return;  // trailers after the body say nothing
        }
        if (name == field::authorization) {
            // Several make a list, as of every header, and no list is a token.
            request_.authorization.append(request_.authorization.empty() ? "" : ", ");
            request_.authorization.append(value.data(), value.size());
        } else if (name == field::content_type) {
            request_.content_type.assign(value.data(), value.size());
        } else if (name == field::if_none_match) {
            request_.if_none_match.assign(value.data(), value.size());
        } else if (name == field::host) {
            request_.host.assign(value.data(), value.size());
            ++request_.n_hosts;
        } else if (name == field::expect) {
            const bool is_100 = boost::beast::iequals(value, "100-continue");
            (is_100 ? request_.expects_100 : request_.expects_other) = true;
        } else if (name == field::transfer_encoding &&
                   (request_.version < 11 || !boost::beast::iequals(value, "chunked"))) {
            request_.has_other_coding = true;  // which Beast takes for a request without a body, or a proxy might
        }
    }
    void on_header_impl(Error&) override { header_is_complete_ = true; }

    void on_body_init_impl(const Length& length, Error&) override {
        constexpr std::uint64_t most = 64 * 1024;  // a promise, so far
        if (keeps_body_ && length) {
            request_.body.reserve(static_cast<std::size_t>((std::min)(*length, most)));
        }
    }
    std::size_t on_body_impl(Text part, Error& error) override { return take(part, error); }
    void on_chunk_header_impl(std::uint64_t, Text, Error&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, Text part, Error& error) override { return take(part, error); }
    void on_finish_impl(Error&) override {}

    std::size_t take(Text part, Error& error) {
        received_ += part.size();
        if (received_ > limit_) {
            error = boost::beast::http::error::body_limit;
            return 0;
        }
        if (keeps_body_) {
            request_.body.append(part.data(), part.size());
        }
        return part.size();
    }

    Request& request_;
    std::uint64_t limit_ = 0;
    std::uint64_t received_ = 0;
    bool keeps_body_ = true;
    bool header_is_complete_ = false;
};

}  // namespace cli::server

#endif
