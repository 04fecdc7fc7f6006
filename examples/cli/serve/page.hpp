#ifndef GRU4REC_CLI_SERVE_PAGE_HPP
#define GRU4REC_CLI_SERVE_PAGE_HPP

#include <string>
#include <string_view>
#include <vector>

#include "http.hpp"

namespace cli::server {

/// The page at / and the files that it is made of, with headers that keep everything else out of it.
class Page {
  public:
    /// @param pictures  origins that pictures of items may come from
    /// @throws gru4rec::ConfigError naming --pictures
    explicit Page(const std::vector<std::string>& pictures);
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    /// The page itself. @threads any
    void answer(const Request& request, Answer& answer) const { this->answer("index.html", request, answer); }

    /// A file that the page refers to: 304 if the client has it already.
    ///
    /// @throws HttpFailure 404
    /// @threads any
    void answer(std::string_view name, const Request& request, Answer& answer) const;

  private:
    struct File {
        std::string_view name;
        std::string_view type;
        std::string_view bytes;
        std::string tag;      ///< in quotes, as in the header ETag
        std::string headers;  ///< lines
    };
    std::vector<File> files_;
};

}  // namespace cli::server

#endif
