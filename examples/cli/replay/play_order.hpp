#ifndef GRU4REC_CLI_REPLAY_PLAY_ORDER_HPP
#define GRU4REC_CLI_REPLAY_PLAY_ORDER_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cli::playback {

/// The requests that a test set consists of, in the order in which its events happened: by time, equal times in the
/// order of the files. A step feeds an event that has a successor in its session, which is what the answer has to name.
///
/// Sessions have the events and the order that a Dataset of the same events gives them.
class PlayOrder {
  public:
    explicit PlayOrder(const gru4rec::Events& events);

    [[nodiscard]] gru4rec::Index n_sessions() const noexcept { return std::ssize(offsets_) - 1; }
    [[nodiscard]] gru4rec::Index n_steps() const noexcept { return std::ssize(sessions_of_steps_); }

    /// All known items of a session.
    [[nodiscard]] std::span<const gru4rec::ItemIndex> session(gru4rec::Index session) const noexcept {
        const auto s = static_cast<std::size_t>(session);
        return std::span(items_).subspan(offsets_[s], offsets_[s + 1] - offsets_[s]);
    }

    [[nodiscard]] gru4rec::Index session_of(gru4rec::Index step) const noexcept {
        return sessions_of_steps_[static_cast<std::size_t>(step)];
    }

    /// The step that feeds an event of a session. @pre 0 <= position < session(session).size() - 1
    [[nodiscard]] gru4rec::Index step_of(gru4rec::Index session, gru4rec::Index position) const noexcept {
        return steps_of_events_[offsets_[static_cast<std::size_t>(session)] + static_cast<std::size_t>(position)];
    }

  private:
    std::vector<gru4rec::ItemIndex> items_;        // by session, oldest first
    std::vector<std::size_t> offsets_;             // of the sessions in items_
    std::vector<std::int32_t> sessions_of_steps_;  // in the order of play
    std::vector<gru4rec::Index> steps_of_events_;  // -1 for the last one of a session
};

}  // namespace cli::playback

#endif
