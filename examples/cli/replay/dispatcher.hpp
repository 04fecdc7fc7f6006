#ifndef GRU4REC_CLI_REPLAY_DISPATCHER_HPP
#define GRU4REC_CLI_REPLAY_DISPATCHER_HPP

#include "gru4rec/core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <vector>

#include "play_order.hpp"

namespace cli::playback {

/// What is to be sent.
struct Turn {
    gru4rec::Index pass = 0;  ///< how often the file has been played before
    gru4rec::Index session = 0;
    gru4rec::Index position = 0;  ///< of the event that is fed
    std::int64_t due = 0;         ///< when it was to be sent, in nanoseconds from the start

    friend bool operator==(const Turn&, const Turn&) = default;
};

enum class Passes { one, any_number };

/// Says which request is sent next. Each is due at its place in the order of play: with a rate at a fixed time,
/// whatever became of those before it, and without one as soon as somebody can send it. A session has one request at a
/// time on the way; what is due in the meantime waits for its answer, and others go first.
class Dispatcher {
  public:
    static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::max)();

    /// @param order  must outlive this object
    /// @param rate   requests per second; 0: none is given
    Dispatcher(const PlayOrder& order, std::int64_t rate, Passes passes);

    /// Takes the first request that can be sent; nullopt if none is due, or all that are wait for their session.
    ///
    /// @param now  in nanoseconds from the start
    [[nodiscard]] std::optional<Turn> take(std::int64_t now);

    /// The answer for a session that was taken is there, or will not come.
    void finish(gru4rec::Index session);

    /// When take() should be asked again, even if nothing finishes; `never` if there is no such time.
    [[nodiscard]] std::int64_t next_due() const noexcept;

    /// Nothing is left to take or on the way.
    [[nodiscard]] bool is_over() const noexcept {
        return passes_ == Passes::one && next_ == order_.n_steps() && n_waiting_ == 0 && n_taken_ == 0;
    }
    /// Requests that were due while their session still waited for an answer.
    [[nodiscard]] gru4rec::Index n_held() const noexcept { return n_held_; }

  private:
    struct State {
        std::int32_t next = 0;    // position that is taken next
        std::int32_t passed = 0;  // positions that the order of play has come to
        bool taken = false;
    };

    [[nodiscard]] State& state_of(gru4rec::Index session) { return states_[static_cast<std::size_t>(session)]; }
    [[nodiscard]] std::int64_t due_of(gru4rec::Index step) const noexcept;
    [[nodiscard]] Turn take_from(gru4rec::Index session, std::int64_t now);
    void start_pass();

    const PlayOrder& order_;
    std::int64_t rate_;
    Passes passes_;
    std::vector<State> states_;  // of the sessions
    // Steps whose session has become free again.
    std::priority_queue<gru4rec::Index, std::vector<gru4rec::Index>, std::greater<>> ready_;
    gru4rec::Index pass_ = 0;
    gru4rec::Index next_ = 0;       // step that the order of play comes to next
    gru4rec::Index n_waiting_ = 0;  // steps before it that are not taken yet
    gru4rec::Index n_taken_ = 0;    // sessions on the way
    gru4rec::Index n_held_ = 0;
};

}  // namespace cli::playback

#endif
