#ifndef GRU4REC_CLI_LIVE_SESSIONS_HPP
#define GRU4REC_CLI_LIVE_SESSIONS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/session_store.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// The sessions of visitors as the server sees them, wherever they are kept.
namespace cli {

enum class VisitKind {
    feed,  ///< feeds items to the session, a new one if there is none
    read,
    erase,
};

enum class VisitStatus {
    done,         ///< `session` is the visitor's session, after what was fed
    absent,       ///< read, erase: there is no such session
    refused,      ///< this visit cannot be served, and would not be if it came again: see `reason`
    unavailable,  ///< the store does not answer: see `reason`. The items may have been fed all the same
};

/// What a request wants of a session, and what came of it.
template <class Scalar>
struct Visit {
    VisitKind kind = VisitKind::read;
    std::string_view id;                               ///< 1 to 256 bytes
    std::span<const gru4rec::ItemIndex> items = {};    ///< feed: in this order
    gru4rec::SessionState<Scalar>* session = nullptr;  ///< of the model; feed and read write to it

    VisitStatus status = VisitStatus::unavailable;
    std::string reason = {};  ///< if refused or unavailable
};

/// What is known of all sessions; unset: the store does not tell.
struct SessionFigures {
    std::optional<std::int64_t> n_sessions = {};  ///< live
    std::optional<std::int64_t> n_bytes = {};     ///< of memory
    std::optional<std::int64_t> n_expired = {};   ///< since the start
    std::optional<std::int64_t> n_evicted = {};   ///< since the start, to make room
    std::int64_t n_created = 0;                   ///< since the start, through this object if sessions are shared
    std::int64_t n_conflicts = 0;                 ///< visits served again, as another process had changed the session
    std::int64_t n_failures = 0;                  ///< exchanges with the store that failed
};

/// Of sessions in this process.
[[nodiscard]] inline SessionFigures figures_of(const gru4rec::SessionStoreCounts& counts) {
    return {.n_sessions = counts.size,
            .n_bytes = counts.bytes,
            .n_expired = counts.expired,
            .n_evicted = counts.evicted,
            .n_created = counts.created};
}

/// Live sessions by id, in this process or elsewhere.
///
/// @threads one at a time; each thread has an object of its own, which share the sessions
template <class Scalar>
class LiveSessions {
  public:
    LiveSessions() = default;
    LiveSessions(const LiveSessions&) = delete;
    LiveSessions& operator=(const LiveSessions&) = delete;
    virtual ~LiveSessions() = default;

    /// Serves the visits; those of the same session in their order. Each counts as a use of its session.
    virtual void serve(std::span<Visit<Scalar>> visits) = 0;

    /// Why sessions cannot be served now; empty if they can.
    [[nodiscard]] virtual std::string problem() = 0;

    [[nodiscard]] virtual SessionFigures figures() const = 0;
};

/// Sessions in this process.
template <class Scalar>
class EmbeddedSessions : public LiveSessions<Scalar> {
  public:
    /// @param store        shared by all threads; must outlive this object
    /// @param recommender  of this thread and of the store's model; must outlive this object
    EmbeddedSessions(gru4rec::SessionStore<Scalar>& store, gru4rec::Recommender<Scalar>& recommender)
        : store_(store), recommender_(recommender) {}

    void serve(std::span<Visit<Scalar>> visits) override {
        for (Visit<Scalar>& visit : visits) {
            visit.reason.clear();
            try {
                visit.status = serve_one(visit) ? VisitStatus::done : VisitStatus::absent;
            } catch (const gru4rec::Error& error) {
                visit.status = VisitStatus::refused;
                visit.reason = error.what();
            }
        }
    }

    [[nodiscard]] std::string problem() override { return {}; }

    [[nodiscard]] SessionFigures figures() const override { return figures_of(store_.counts()); }

  private:
    [[nodiscard]] bool serve_one(Visit<Scalar>& visit) {
        switch (visit.kind) {
            case VisitKind::feed:
                store_.update(visit.id, [&](gru4rec::SessionState<Scalar>& session) {
                    for (const gru4rec::ItemIndex item : visit.items) {
                        recommender_.advance(session, item);
                    }
                    *visit.session = session;
                });
                return true;
            case VisitKind::read: return store_.find(visit.id, *visit.session);
            case VisitKind::erase: return store_.erase(visit.id);
        }
        return false;
    }

    gru4rec::SessionStore<Scalar>& store_;
    gru4rec::Recommender<Scalar>& recommender_;
};

}  // namespace cli

#endif
