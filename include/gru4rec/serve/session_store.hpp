#ifndef GRU4REC_SERVE_SESSION_STORE_HPP
#define GRU4REC_SERVE_SESSION_STORE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/keyed_hash.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_layout.hpp"
#include "gru4rec/model/session_state.hpp"
#include "gru4rec/serve/session_shard.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// What a SessionStore may hold, and for how long.
struct SessionStoreOptions {
    Index max_sessions = 1'000'000;            ///< at least 1
    Index max_bytes = Index{1} << 30;          ///< of the sessions and the table of their ids; see SessionStore
    double max_idle_seconds = 30 * 60;         ///< without use, until a session expires; > 0, infinity: never
    Index n_shards = 0;                        ///< parts with a lock each, 1 .. 4096; 0: by the limits, at most 64
    std::optional<std::uint64_t> hash_seed{};  ///< unset: drawn at random, so that nobody can choose ids that collide
    /// Seconds since any fixed time; may be called by several threads at once. Empty: std::chrono::steady_clock.
    std::function<double()> clock{};
};

/// What a SessionStore holds, and what has happened in it so far.
struct SessionStoreCounts {
    Index size = 0;            ///< sessions, including expired ones that were not removed yet
    Index bytes = 0;           ///< of memory; see SessionStore
    std::int64_t created = 0;  ///< sessions made
    std::int64_t expired = 0;  ///< removed because they were idle for too long
    std::int64_t evicted = 0;  ///< removed to make room
    std::int64_t erased = 0;   ///< removed by erase()
};

/// The live sessions of many visitors by id. Ids are any bytes, 1 to 256 of them.
///
/// A session expires if it is not used for `max_idle_seconds`; update() and find() are uses. If there is no room for a
/// new one, the least recently used session is removed. The store is cut into shards by a hash of the id: each has
/// its share of the limits, and removes its own least recently used session. With more than one shard that is not
/// always the least recently used of all, and a shard may be full while the store is a few percent below its limit
/// (about a tenth with a limit of a few thousand sessions).
///
/// A session takes the bytes of its hidden states, 4 for each of the last items that it remembers, and about 90 more;
/// an id of more than 40 bytes takes its length and 32 besides. `max_bytes` limits these. They come in slabs of at most
/// 64 KiB (more only if one session is larger), which are given back as sessions leave. Each shard also has one
/// SessionState, which is not counted.
///
/// @threads all members may be called at the same time. A call locks one shard
template <class Scalar>
class SessionStore {
  public:
    /// The longest id of a session, in bytes.
    static constexpr Index max_id_bytes = detail::SessionShard::longest_id;

    /// @param model  need not outlive the store. The sessions fit the model as it is now (SessionState::fits). If it is
    ///               trained further they still fit, but keep hidden states of the old weights: make a new store
    /// @throws ConfigError naming the option
    /// @complexity O(shards H)
    explicit SessionStore(const Model<Scalar>& model, SessionStoreOptions options = {});
    SessionStore(const SessionStore&) = delete;  // nor can it be moved: other threads use it
    SessionStore& operator=(const SessionStore&) = delete;
    ~SessionStore() = default;

    /// Calls `change` with the session of this id, a new one if there is none, and stores what it makes of it. Updates
    /// of the same id follow one another: none is lost.
    ///
    /// If `change` throws, the stored session is what it was, and a new one is not stored.
    ///
    /// @param change  runs under the lock of a shard: it should take microseconds, and must not call the store
    /// @throws what `change` throws; ConfigError for an id of no bytes or too many; ContractError if `change` moved
    ///         the session away or replaced it by one of another model
    /// @complexity O(H); allocates only for a new session, and then seldom, unless its id is longer than 40 bytes
    void update(std::string_view id, detail::FunctionRef<void(SessionState<Scalar>&)> change);

    /// Copies the session of this id, which counts as a use.
    ///
    /// @returns false if there is none; `into` is then unchanged
    /// @throws ConfigError for an id of no bytes or too many; ContractError if `into` does not fit the model
    /// @complexity O(H), no allocation
    [[nodiscard]] bool find(std::string_view id, SessionState<Scalar>& into);

    /// Removes the session of this id. Returns whether there was one.
    ///
    /// @throws ConfigError for an id of no bytes or too many
    /// @complexity O(H): another session moves to its place in memory; no allocation
    bool erase(std::string_view id);

    /// Removes all sessions that have expired and returns their number; call it from time to time. Without it they
    /// leave when they are asked for, or when there are new ones.
    ///
    /// @complexity O(expired sessions); locks a shard for 256 of them at a time
    Index expire();

    /// @complexity locks all shards, one after another
    [[nodiscard]] SessionStoreCounts counts() const;

    /// As given.
    [[nodiscard]] const SessionStoreOptions& options() const noexcept { return options_; }

    /// The number of shards, each with a lock of its own.
    [[nodiscard]] Index n_shards() const noexcept { return std::ssize(shards_); }

  private:
    struct alignas(detail::cache_line) Shard {
        Shard(const detail::ShardLimits& limits, std::size_t state_bytes, const SessionState<Scalar>& session)
            : sessions(limits, state_bytes), scratch(session) {}

        mutable std::mutex mutex;
        detail::SessionShard sessions;
        SessionState<Scalar> scratch;
    };

    static void validate(const SessionStoreOptions& options);
    [[nodiscard]] static Index count_shards(const SessionStoreOptions& options, std::size_t state_bytes);
    [[nodiscard]] static detail::KeyedHash make_hash(const SessionStoreOptions& options);

    struct Place {
        Shard& shard;
        detail::SessionKey key;
    };
    [[nodiscard]] Place place_of(std::string_view id) const;
    [[nodiscard]] static std::unique_lock<std::mutex> hold(const Shard& shard);
    [[nodiscard]] double now() const;

    SessionStoreOptions options_;
    detail::SessionLayout<Scalar> layout_;
    SessionState<Scalar> new_session_;
    detail::KeyedHash hash_;
    std::vector<std::unique_ptr<Shard>> shards_;
};

template <class Scalar>
SessionStore<Scalar>::SessionStore(const Model<Scalar>& model, SessionStoreOptions options)
    : options_(std::move(options)), layout_(model), new_session_(model), hash_(make_hash(options_)) {
    validate(options_);
    const std::size_t state_bytes = layout_.packed_bytes();
    const Index n = count_shards(options_, state_bytes);
    for (Index i = 0; i < n; ++i) {
        const Index sessions = options_.max_sessions / n + (i < options_.max_sessions % n ? 1 : 0);
        constexpr Index most = (std::numeric_limits<std::int32_t>::max)() - 1;
        const detail::ShardLimits limits{.max_sessions = static_cast<std::uint32_t>((std::min)(sessions, most)),
                                         .max_bytes = static_cast<std::size_t>(options_.max_bytes / n),
                                         .max_idle_seconds = options_.max_idle_seconds};
        shards_.push_back(std::make_unique<Shard>(limits, state_bytes, new_session_));
    }
}

template <class Scalar>
void SessionStore<Scalar>::update(std::string_view id, detail::FunctionRef<void(SessionState<Scalar>&)> change) {
    const auto [shard, key] = place_of(id);
    const double time = now();
    const auto lock = hold(shard);
    std::byte* stored = shard.sessions.find(key, time);
    if (!layout_.fits(shard.scratch)) {  // an earlier call moved it away or replaced it
        shard.scratch = new_session_;
    }
    if (stored != nullptr) {
        layout_.unpack(stored, shard.scratch);
    } else {
        shard.scratch.reset();
    }
    change(shard.scratch);
    GRU4REC_REQUIRE(layout_.fits(shard.scratch),
                    "the session no longer fits the store's model after an update: `change` moved it away or "
                    "replaced it by one of another model");
    if (stored == nullptr) {
        stored = shard.sessions.insert(key, time);
    }
    layout_.pack(shard.scratch, stored);
}

template <class Scalar>
bool SessionStore<Scalar>::find(std::string_view id, SessionState<Scalar>& into) {
    GRU4REC_REQUIRE(layout_.fits(into), "the session to copy to was made for another model than the store");
    const auto [shard, key] = place_of(id);
    const double time = now();
    const auto lock = hold(shard);
    const std::byte* const stored = shard.sessions.find(key, time);
    if (stored != nullptr) {
        layout_.unpack(stored, into);
    }
    return stored != nullptr;
}

template <class Scalar>
bool SessionStore<Scalar>::erase(std::string_view id) {
    const auto [shard, key] = place_of(id);
    const double time = now();
    const auto lock = hold(shard);
    return shard.sessions.erase(key, time);
}

template <class Scalar>
Index SessionStore<Scalar>::expire() {
    constexpr std::size_t at_once = 256;
    const double time = now();
    std::size_t n = 0;
    for (const std::unique_ptr<Shard>& shard : shards_) {
        for (std::size_t last = at_once; last == at_once; n += last) {
            const auto lock = hold(*shard);
            last = shard->sessions.expire(time, at_once);
        }
    }
    return static_cast<Index>(n);
}

template <class Scalar>
SessionStoreCounts SessionStore<Scalar>::counts() const {
    SessionStoreCounts sum;
    for (const std::unique_ptr<Shard>& shard : shards_) {
        const auto lock = hold(*shard);
        const detail::ShardCounts& counts = shard->sessions.counts();
        sum.size += static_cast<Index>(shard->sessions.size());
        sum.bytes += static_cast<Index>(shard->sessions.bytes());
        sum.created += counts.created;
        sum.expired += counts.expired;
        sum.evicted += counts.evicted;
        sum.erased += counts.erased;
    }
    return sum;
}

template <class Scalar>
void SessionStore<Scalar>::validate(const SessionStoreOptions& options) {
    if (options.max_sessions < 1) {
        detail::throw_invalid("max_sessions", options.max_sessions, "max_sessions >= 1");
    }
    if (!(options.max_idle_seconds > 0)) {
        detail::throw_invalid("max_idle_seconds", options.max_idle_seconds,
                              "max_idle_seconds > 0 (infinity: sessions never expire)");
    }
    if (options.n_shards < 0 || options.n_shards > 4096) {
        detail::throw_invalid("n_shards", options.n_shards, "0 <= n_shards <= 4096 (0: by the limits)");
    }
    if (options.n_shards > options.max_sessions) {
        detail::throw_invalid("n_shards", options.n_shards,
                              "n_shards <= max_sessions = " + std::to_string(options.max_sessions));
    }
}

/// The number of shards: many, so that threads seldom meet, but so few that their shares come out nearly equal.
template <class Scalar>
Index SessionStore<Scalar>::count_shards(const SessionStoreOptions& options, std::size_t state_bytes) {
    constexpr Index sessions_per_shard = 256;
    constexpr Index bytes_per_shard = Index{1} << 20;
    const auto least_bytes = static_cast<Index>(detail::SessionShard::least_bytes(state_bytes));
    const Index n = options.n_shards > 0
                        ? options.n_shards
                        : (std::clamp)((std::min)(options.max_sessions / sessions_per_shard,
                                                  options.max_bytes / (std::max)(bytes_per_shard, 32 * least_bytes)),
                                       Index{1}, Index{64});
    if (options.max_bytes / n < least_bytes) {
        detail::throw_invalid("max_bytes", options.max_bytes,
                              "max_bytes >= " + std::to_string(n * least_bytes) + ": " + std::to_string(least_bytes) +
                                  " for a session of this model in each of " + std::to_string(n) + " shards");
    }
    return n;
}

template <class Scalar>
detail::KeyedHash SessionStore<Scalar>::make_hash(const SessionStoreOptions& options) {
    constexpr std::uint64_t other_half = 0x9e3779b97f4a7c15U;
    return options.hash_seed ? detail::KeyedHash(*options.hash_seed, *options.hash_seed ^ other_half)
                             : detail::KeyedHash::random();
}

template <class Scalar>
typename SessionStore<Scalar>::Place SessionStore<Scalar>::place_of(std::string_view id) const {
    if (id.empty() || std::ssize(id) > max_id_bytes) {
        detail::throw_invalid("session id: its length", id.size(), "1 <= length <= " + std::to_string(max_id_bytes));
    }
    const std::uint64_t hash = hash_(id);
    const std::uint64_t shard = ((hash >> 32U) * static_cast<std::uint64_t>(shards_.size())) >> 32U;
    return {*detail::at(shards_, shard), {id, static_cast<std::uint32_t>(hash)}};
}

/// Locks the shard. Tries for some microseconds, as long as an update takes, before the thread sleeps: to be woken
/// takes ten times that.
template <class Scalar>
std::unique_lock<std::mutex> SessionStore<Scalar>::hold(const Shard& shard) {
    constexpr int tries = 200;
    std::unique_lock<std::mutex> lock(shard.mutex, std::try_to_lock);
    for (int i = 0; i < tries && !lock.owns_lock(); ++i) {
        std::this_thread::yield();
        (void)lock.try_lock();
    }
    if (!lock.owns_lock()) {
        lock.lock();
    }
    return lock;
}

template <class Scalar>
double SessionStore<Scalar>::now() const {
    return options_.clock ? options_.clock()
                          : std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(GRU4REC_COMPILED)
extern template class SessionStore<float>;
extern template class SessionStore<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
