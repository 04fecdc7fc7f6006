#ifndef GRU4REC_CLI_REDIS_SESSIONS_HPP
#define GRU4REC_CLI_REDIS_SESSIONS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/io/session_bytes.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/recommender.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "live_sessions.hpp"
#include "redis_connection.hpp"

namespace cli {

struct RedisSessionsOptions {
    std::chrono::milliseconds max_idle{30 * 60 * 1000};  ///< without use, until Redis drops a session; 0: never
    std::string prefix = "gru4rec:";  ///< a key is the prefix, the model's hash, a colon and the visitor's id
    /// How long a session that others change at the same time is tried again, with pauses of about a millisecond.
    std::chrono::milliseconds conflicts{1000};
};

/// Sessions in Redis: any number of processes share them. A session is one key, which holds the bytes of a SessionCodec
/// and expires by itself.
///
/// The visits of a call are served together: one round trip loads their sessions, a second one stores those that have
/// changed. A session is stored only if it is still the one that was loaded; if another process has changed it
/// meanwhile, it is loaded again and the visit repeated, so no event is lost.
template <class Scalar>
class RedisSessions : public LiveSessions<Scalar> {
  public:
    /// @param codec        may be shared by threads; must outlive this object, and so must the recommender
    /// @param recommender  of this thread and of the codec's model
    RedisSessions(RedisConnection connection, const gru4rec::Model<Scalar>& model,
                  const gru4rec::SessionCodec<Scalar>& codec, gru4rec::Recommender<Scalar>& recommender,
                  RedisSessionsOptions options = {});

    void serve(std::span<Visit<Scalar>> visits) override;
    [[nodiscard]] std::string problem() override;
    [[nodiscard]] SessionFigures figures() const override;

    /// The key of a visitor's session.
    [[nodiscard]] std::string key_of(std::string_view id) const;

  private:
    using Visits = std::span<Visit<Scalar>>;

    /// The visits of one session, in their order.
    struct Group {
        std::vector<std::size_t> visits;
        std::string key;
        std::string version = {};  ///< of the stored session that was loaded; empty: there was none
        std::string changed = {};  ///< what is to be stored in its place; empty: nothing, it is to be erased
        bool has_changed = false;
        bool is_finished = false;
        bool was_new = false;
    };

    [[nodiscard]] std::vector<Group> grouped(Visits visits) const;
    void load(Visits visits, std::vector<Group>& groups);
    void store(Visits visits, std::vector<Group>& groups);
    void apply(Visits visits, Group& group, const RedisReply& loaded);
    [[nodiscard]] bool apply_one(Visit<Scalar>& visit, bool is_there);
    void settle(Visits visits, Group& group, const RedisReply& stored);
    void pause();
    [[nodiscard]] static bool only_reads(Visits visits, const Group& group);
    static void finish(Visits visits, Group& group, VisitStatus status, std::string_view reason);
    static void finish_by_error(Visits visits, Group& group, const std::string& message);

    RedisConnection connection_;
    const gru4rec::SessionCodec<Scalar>& codec_;
    gru4rec::Recommender<Scalar>& recommender_;
    RedisSessionsOptions options_;
    gru4rec::SessionState<Scalar> session_;
    std::vector<std::byte> bytes_;
    std::minstd_rand random_;  // for pauses
    std::int64_t n_created_ = 0;
    std::int64_t n_conflicts_ = 0;
};

extern template class RedisSessions<float>;
extern template class RedisSessions<double>;

}  // namespace cli

#endif
