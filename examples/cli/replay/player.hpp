#ifndef GRU4REC_CLI_REPLAY_PLAYER_HPP
#define GRU4REC_CLI_REPLAY_PLAYER_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/item_map.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "../commands.hpp"
#include "../interruption.hpp"
#include "connection.hpp"
#include "dispatcher.hpp"
#include "play_order.hpp"
#include "requests.hpp"
#include "results.hpp"
#include "support/status_line.hpp"

namespace cli::playback {

/// Plays a test set: sends its requests over some connections, on one thread, and measures the answers.
class Player {
  public:
    /// All must outlive this object.
    struct Parts {
        const ReplayOptions& options;
        const PlayOrder& order;
        const gru4rec::ItemMap& items;
        const RequestWriter& requests;
        const Interruption& interruption;
    };

    Player(const Parts& parts, const boost::asio::ip::tcp::endpoint& server);

    /// Once. Ends early if it is interrupted, the time is up, or nobody answers any more.
    [[nodiscard]] Results play();

  private:
    struct Sent {
        Turn turn;
        Clock::time_point when;
    };

    void open_connections();
    void pump();
    void send(Connection& connection, const Turn& turn);
    void finished(Connection& connection);
    void count(const Reply& reply, const Sent& sent, Clock::time_point now);
    void count_events(const Turn& turn, gru4rec::Index n_events, gru4rec::Index n_unknown);
    void count_error(const Reply& reply, const Turn& turn);
    void wait_for_due();
    void tick();
    void give_up_if_silent(Clock::time_point now);
    void delete_sessions();
    void delete_next(Connection& connection);
    void draw();
    void run_until(const bool& done);

    [[nodiscard]] std::int64_t now() const {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
    }
    [[nodiscard]] Clock::time_point deadline() const {
        return Clock::now() + std::chrono::seconds(parts_.options.request.value);
    }
    [[nodiscard]] std::int32_t& events_of(gru4rec::Index session) {
        return n_events_[static_cast<std::size_t>(session)];
    }

    Parts parts_;
    boost::asio::io_context context_{1};
    boost::asio::steady_timer due_timer_{context_};
    boost::asio::steady_timer tick_timer_{context_};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Sent> sent_;  // what each connection has on the way
    std::deque<Connection*> free_;
    std::vector<Connection*> resting_;  // could not connect; free again at the next tick
    Dispatcher dispatcher_;
    Results results_;
    StatusLine line_;

    Clock::time_point start_;
    Clock::time_point last_answer_;
    Clock::time_point silent_since_;
    std::optional<Clock::time_point> unreachable_since_;
    std::int64_t armed_for_ = Dispatcher::never;
    std::size_t n_on_the_way_ = 0;
    bool stopping_ = false;
    bool over_ = false;

    std::vector<std::int32_t> n_events_;                         // that the server has of each session; -1: not known
    std::vector<std::pair<gru4rec::Index, std::int32_t>> live_;  // passes and sessions to be deleted
    std::size_t next_to_delete_ = 0;
};

}  // namespace cli::playback

#endif
