#ifndef GRU4REC_SERVE_SESSION_SHARD_HPP
#define GRU4REC_SERVE_SESSION_SHARD_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/serve/hash_slots.hpp"
#include "gru4rec/serve/record_slabs.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// An id of a session and its hash.
struct SessionKey {
    std::string_view id;
    std::uint32_t hash = 0;
};

/// What a shard may hold.
struct ShardLimits {
    std::uint32_t max_sessions = 1;
    std::size_t max_bytes = 0;
    double max_idle_seconds = 0;
};

/// What happened in a shard.
struct ShardCounts {
    std::int64_t created = 0;
    std::int64_t expired = 0;
    std::int64_t evicted = 0;
    std::int64_t erased = 0;
};

/// Sessions as bytes by id: a part of a SessionStore. Records lie in slabs without gaps: the last one takes the place
/// of one that is removed. They form a list in the order of their last use.
///
/// @threads one at a time
class SessionShard {
  public:
    static constexpr std::size_t longest_id = 256;

    /// @param state_bytes  of each session
    /// @pre max_bytes >= least_bytes(state_bytes), and max_sessions is at least 1 and less than 2^31
    SessionShard(const ShardLimits& limits, std::size_t state_bytes)
        : limits_(limits),
          slots_(limits.max_sessions),
          records_(record_bytes(state_bytes), slab_bytes(limits, state_bytes)) {
        GRU4REC_ASSERT(limits.max_bytes >= least_bytes(state_bytes));
    }

    SessionShard(const SessionShard&) = delete;
    SessionShard& operator=(const SessionShard&) = delete;

    ~SessionShard() {
        for (std::uint32_t number = 0; number < records_.size(); ++number) {
            free_id(head(number));
        }
    }

    /// Enough for one session of any id.
    [[nodiscard]] static std::size_t least_bytes(std::size_t state_bytes) noexcept {
        return RecordSlabs(record_bytes(state_bytes), 0).slab_bytes() + HashSlots::smallest_bytes() + id_reserve;
    }

    /// The state of a session, which counts as used now; null if there is none. One that has expired is removed.
    [[nodiscard]] GRU4REC_INLINE std::byte* find(const SessionKey& key, double now) noexcept;

    /// Makes a session. If there is no room, those that were not used for longest are removed.
    ///
    /// @returns its state, not initialised
    /// @pre there is no session of this id, which is not longer than longest_id
    /// @throws std::bad_alloc; the session is not there then, others may have been removed
    [[nodiscard]] GRU4REC_INLINE std::byte* insert(const SessionKey& key, double now);

    /// Returns whether there was a session that had not expired.
    GRU4REC_INLINE bool erase(const SessionKey& key, double now) noexcept;

    /// Removes sessions that have expired, at most this many; returns how many there were.
    GRU4REC_INLINE std::size_t expire(double now, std::size_t at_most) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return records_.bytes() + slots_.bytes() + id_bytes_; }
    [[nodiscard]] const ShardCounts& counts() const noexcept { return counts_; }

  private:
    static constexpr std::uint32_t none = HashSlots::none;
    static constexpr std::size_t short_id = 40;  // in the record itself; a UUID has 36 characters
    static constexpr std::size_t allocator_overhead = 32;
    static constexpr std::size_t id_reserve = longest_id + allocator_overhead;
    static constexpr std::size_t expired_per_insert = 8;

    /// The beginning of a record; the state follows.
    struct Head {
        std::uint32_t newer = none;
        std::uint32_t older = none;
        std::uint32_t hash = 0;
        std::uint32_t id_size = 0;
        double last_use = 0;
        union {
            std::array<char, short_id> id = {};
            char* long_id;  ///< owned, if id_size > short_id
        };

        [[nodiscard]] std::string_view id_text() const noexcept {
            return {id_size > short_id ? long_id : id.data(), id_size};
        }
    };
    static_assert(std::is_trivially_copyable_v<Head> && alignof(Head) <= alignof(std::max_align_t));

    [[nodiscard]] static std::size_t record_bytes(std::size_t state_bytes) noexcept {
        return (sizeof(Head) + state_bytes + alignof(Head) - 1) / alignof(Head) * alignof(Head);
    }
    [[nodiscard]] static std::size_t slab_bytes(const ShardLimits& limits, std::size_t state_bytes) noexcept {
        constexpr std::size_t usual = std::size_t{64} << 10;
        return (std::min)({usual, limits.max_bytes / 16, limits.max_sessions * record_bytes(state_bytes)});
    }
    [[nodiscard]] static std::size_t cost(std::string_view id) noexcept {
        return id.size() > short_id ? id.size() + allocator_overhead : 0;
    }
    static void free_id(const Head& head) noexcept {
        if (head.id_size > short_id) {
            delete[] head.long_id;
        }
    }

    [[nodiscard]] Head& head(std::uint32_t number) const noexcept {
        return *std::launder(reinterpret_cast<Head*>(records_[number]));
    }
    [[nodiscard]] std::byte* state(std::uint32_t number) const noexcept { return records_[number] + sizeof(Head); }
    [[nodiscard]] auto hash_of() const noexcept {
        return [this](std::uint32_t number) { return head(number).hash; };
    }
    [[nodiscard]] bool has_expired(std::uint32_t number, double now) const noexcept {
        return now - head(number).last_use > limits_.max_idle_seconds;
    }
    /// A clock that goes back would disorder the list.
    [[nodiscard]] double not_before_newest(double now) const noexcept {
        return newest_ == none ? now : (std::max)(now, head(newest_).last_use);
    }

    [[nodiscard]] GRU4REC_INLINE std::uint32_t number_of(const SessionKey& key) const noexcept;
    [[nodiscard]] GRU4REC_INLINE bool has_room(std::string_view id) const noexcept;
    GRU4REC_INLINE void link_as_newest(std::uint32_t number) noexcept;
    GRU4REC_INLINE void unlink(std::uint32_t number) noexcept;
    GRU4REC_INLINE void remove(std::uint32_t number) noexcept;
    GRU4REC_INLINE void move_record(std::uint32_t from, std::uint32_t to) noexcept;

    ShardLimits limits_;
    HashSlots slots_;
    RecordSlabs records_;
    std::uint32_t newest_ = none;
    std::uint32_t oldest_ = none;
    std::size_t id_bytes_ = 0;  // of long ids
    ShardCounts counts_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE std::byte* SessionShard::find(const SessionKey& key, double now) noexcept {
    const std::uint32_t number = number_of(key);
    if (number == none) {
        return nullptr;
    }
    now = not_before_newest(now);
    if (has_expired(number, now)) {
        remove(number);
        ++counts_.expired;
        return nullptr;
    }
    if (number != newest_) {
        unlink(number);
        link_as_newest(number);
    }
    head(number).last_use = now;
    return state(number);
}

GRU4REC_INLINE std::byte* SessionShard::insert(const SessionKey& key, double now) {
    GRU4REC_ASSERT(key.id.size() <= longest_id && number_of(key) == none);
    now = not_before_newest(now);
    expire(now, expired_per_insert);
    while (!has_room(key.id)) {
        ++(has_expired(oldest_, now) ? counts_.expired : counts_.evicted);
        remove(oldest_);
    }
    if (slots_.is_full()) {
        slots_.grow(hash_of());
    }
    Head made;
    made.hash = key.hash;
    made.id_size = static_cast<std::uint32_t>(key.id.size());
    made.last_use = now;
    std::unique_ptr<char[]> long_id;
    if (key.id.size() > short_id) {
        long_id = std::make_unique<char[]>(key.id.size());
        std::memcpy(long_id.get(), key.id.data(), key.id.size());
    } else if (!key.id.empty()) {
        std::memcpy(made.id.data(), key.id.data(), key.id.size());
    }
    records_.push_back();
    if (long_id != nullptr) {
        made.long_id = long_id.release();
    }
    const std::uint32_t number = records_.size() - 1;
    ::new (static_cast<void*>(records_[number])) Head(made);
    id_bytes_ += cost(key.id);
    slots_.insert(key.hash, number);
    link_as_newest(number);
    ++counts_.created;
    return state(number);
}

GRU4REC_INLINE bool SessionShard::erase(const SessionKey& key, double now) noexcept {
    const std::uint32_t number = number_of(key);
    if (number == none) {
        return false;
    }
    const bool lives = !has_expired(number, not_before_newest(now));
    ++(lives ? counts_.erased : counts_.expired);
    remove(number);
    return lives;
}

GRU4REC_INLINE std::size_t SessionShard::expire(double now, std::size_t at_most) noexcept {
    now = not_before_newest(now);
    std::size_t n = 0;
    for (; n < at_most && oldest_ != none && has_expired(oldest_, now); ++n) {
        remove(oldest_);
    }
    counts_.expired += static_cast<std::int64_t>(n);
    return n;
}

GRU4REC_INLINE std::uint32_t SessionShard::number_of(const SessionKey& key) const noexcept {
    return slots_.find(key.hash, [&](std::uint32_t number) { return head(number).id_text() == key.id; });
}

/// A session of a long id needs memory of its own: slabs and slots leave room for one, or they could take so much that
/// it never fits.
GRU4REC_INLINE bool SessionShard::has_room(std::string_view id) const noexcept {
    const std::size_t fixed = records_.next_bytes() + slots_.bytes();
    const std::size_t more = slots_.is_full() ? 2 * slots_.bytes() : 0;  // beside the old ones, for a moment
    return records_.size() < limits_.max_sessions && fixed + more + id_reserve <= limits_.max_bytes &&
           fixed + more + id_bytes_ + cost(id) <= limits_.max_bytes;
}

GRU4REC_INLINE void SessionShard::link_as_newest(std::uint32_t number) noexcept {
    Head& record = head(number);
    record.newer = none;
    record.older = newest_;
    (newest_ == none ? oldest_ : head(newest_).newer) = number;
    newest_ = number;
}

GRU4REC_INLINE void SessionShard::unlink(std::uint32_t number) noexcept {
    const Head& record = head(number);
    (record.newer == none ? newest_ : head(record.newer).older) = record.older;
    (record.older == none ? oldest_ : head(record.older).newer) = record.newer;
}

GRU4REC_INLINE void SessionShard::remove(std::uint32_t number) noexcept {
    const Head& record = head(number);
    unlink(number);
    slots_.erase(record.hash, number, hash_of());
    id_bytes_ -= cost(record.id_text());
    free_id(record);
    if (const std::uint32_t last = records_.size() - 1; number != last) {
        move_record(last, number);
    }
    records_.pop_back();
}

GRU4REC_INLINE void SessionShard::move_record(std::uint32_t from, std::uint32_t to) noexcept {
    const Head& record = head(from);
    slots_.renumber(record.hash, from, to);
    (record.newer == none ? newest_ : head(record.newer).older) = to;
    (record.older == none ? oldest_ : head(record.older).newer) = to;
    std::memcpy(records_[to], records_[from], records_.record_bytes());
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
