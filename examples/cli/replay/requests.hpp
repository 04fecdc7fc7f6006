#ifndef GRU4REC_CLI_REPLAY_REQUESTS_HPP
#define GRU4REC_CLI_REPLAY_REQUESTS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <span>
#include <string>
#include <string_view>

#include "url.hpp"

namespace cli::playback {

/// Writes the requests of one run. Its session ids begin with a random number, so that runs do not meet.
class RequestWriter {
  public:
    /// @param token  empty: none
    /// @param n      length of the lists that are asked for
    RequestWriter(Url url, const std::string& token, gru4rec::Index n);

    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] std::string get(std::string_view path) const { return text("GET", path, {}); }

    /// Feeds an event to a live session. @param pass  how often the file was played before
    [[nodiscard]] std::string feed(gru4rec::Index pass, gru4rec::Index session, std::string_view item) const;
    [[nodiscard]] std::string end_session(gru4rec::Index pass, gru4rec::Index session) const;

    /// Asks for the list of a session that is sent along.
    [[nodiscard]] std::string recommend(std::span<const gru4rec::ItemIndex> session,
                                        const gru4rec::ItemMap& items) const;

  private:
    [[nodiscard]] std::string text(std::string_view method, std::string_view path, std::string_view body) const;
    [[nodiscard]] std::string path_of(gru4rec::Index pass, gru4rec::Index session) const;

    Url url_;
    std::string headers_;  // of all requests
    std::string run_;      // begins the session ids
    std::string end_;      // of the bodies that ask for a list
};

}  // namespace cli::playback

#endif
