#ifndef GRU4REC_DATA_TIME_ORDER_HPP
#define GRU4REC_DATA_TIME_ORDER_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/parallel_sort.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <numeric>
#include <span>
#include <tuple>
#endif

#include <cstdint>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// All sessions by the time of their first event, ties by index; those without events last.
///
/// @param offsets  begin of each session, and the end of the last
/// @param times    of the first events, by session
/// @complexity O(sessions) if they are in order already, or if the time since the first one and the index of a session
///             fit into 64 bits, as milliseconds of some years do; else O(sessions log(sessions)), parallel. Memory: 20
///             bytes per session beside the times
[[nodiscard]] GRU4REC_INLINE std::vector<SessionIndex> order_by_time(const std::vector<Index>& offsets,
                                                                     TimeColumn times);

/// Sorts by the bits from `first_bit` up; values that agree in them stay in their order.
/// @complexity O(n) for every 11 bits of the largest value; memory for a copy
GRU4REC_INLINE void radix_sort(std::vector<std::uint64_t>& values, unsigned first_bit);

/// Sorts sessions, given in ascending order, by time and index, and empties `times`.
/// @returns false, and does nothing, if time and index do not fit into 64 bits
[[nodiscard]] GRU4REC_INLINE bool sort_packed(std::vector<SessionIndex>& sessions, TimeColumn& times);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE void radix_sort(std::vector<std::uint64_t>& values, unsigned first_bit) {
    constexpr unsigned digit_bits = 11;
    constexpr std::uint64_t mask = (std::uint64_t{1} << digit_bits) - 1;
    std::uint64_t all = 0;
    for (const std::uint64_t value : values) {
        all |= value;
    }
    std::vector<std::uint64_t> sorted(values.size());
    for (unsigned shift = first_bit; shift < 64 && all >> shift != 0; shift += digit_bits) {
        std::array<std::size_t, mask + 1> next{};
        for (const std::uint64_t value : values) {
            ++next[value >> shift & mask];
        }
        std::exclusive_scan(next.begin(), next.end(), next.begin(), std::size_t{0});
        for (const std::uint64_t value : values) {
            sorted[next[value >> shift & mask]++] = value;
        }
        values.swap(sorted);
    }
}

/// Times as whole numbers of the coarsest unit that suits them all, counted from the first one.
class PackedTimes {
  public:
    /// @param sessions  whose times are packed; at least one
    PackedTimes(const TimeColumn& times, const std::vector<SessionIndex>& sessions) {
        first_ = at(times, sessions.front()).whole;
        std::int64_t last = first_;
        for (const SessionIndex session : sessions) {
            const EventTime time = at(times, session);
            first_ = (std::min)(first_, time.whole);
            last = (std::max)(last, time.whole);
            if (time.nanoseconds % unit_ != 0) {
                unit_ = std::gcd(unit_, time.nanoseconds);
            }
        }
        const std::uint64_t seconds = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first_);
        n_bits_ = static_cast<unsigned>(std::bit_width(seconds) + std::bit_width(nanoseconds_per_second / unit_));
    }

    /// That a packed time has at most.
    [[nodiscard]] unsigned n_bits() const noexcept { return n_bits_; }

    /// @pre n_bits() <= 64
    [[nodiscard]] std::uint64_t operator()(EventTime time) const noexcept {
        const std::uint64_t seconds = static_cast<std::uint64_t>(time.whole) - static_cast<std::uint64_t>(first_);
        return seconds * (nanoseconds_per_second / unit_) + time.nanoseconds / unit_;
    }

  private:
    std::int64_t first_ = 0;
    std::uint32_t unit_ = nanoseconds_per_second;  // in nanoseconds; divides a second
    unsigned n_bits_ = 0;
};

GRU4REC_INLINE bool sort_packed(std::vector<SessionIndex>& sessions, TimeColumn& times) {
    const PackedTimes packed(times, sessions);
    const auto index_bits = static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(sessions.back())));
    if (packed.n_bits() + index_bits > 64) {
        return false;
    }
    std::vector<std::uint64_t> starts;
    starts.reserve(sessions.size());
    for (const SessionIndex session : sessions) {
        starts.push_back(packed(at(times, session)) << index_bits | static_cast<std::uint64_t>(session));
    }
    times = {};
    radix_sort(starts, index_bits);
    const std::uint64_t mask = (std::uint64_t{1} << index_bits) - 1;
    std::transform(starts.begin(), starts.end(), sessions.begin(),
                   [&](std::uint64_t start) { return static_cast<SessionIndex>(start & mask); });
    return true;
}

/// Sorts sessions by time and index, whatever the times.
inline void sort_unpacked(std::vector<SessionIndex>& sessions, const TimeColumn& times) {
    struct Start {  // 16 bytes: the fields of an EventTime, and the session in its padding
        std::int64_t whole;
        std::uint32_t nanoseconds;
        SessionIndex session;

        [[nodiscard]] bool operator<(const Start& other) const noexcept {
            return std::tie(whole, nanoseconds, session) < std::tie(other.whole, other.nanoseconds, other.session);
        }
    };
    std::vector<Start> starts;
    starts.reserve(sessions.size());
    for (const SessionIndex session : sessions) {
        const EventTime time = at(times, session);
        starts.push_back({time.whole, time.nanoseconds, session});
    }
    parallel_sort(std::span(starts));
    std::transform(starts.begin(), starts.end(), sessions.begin(), [](const Start& start) { return start.session; });
}

GRU4REC_INLINE std::vector<SessionIndex> order_by_time(const std::vector<Index>& offsets, TimeColumn times) {
    const auto n_sessions = static_cast<Index>(offsets.size()) - 1;
    std::vector<SessionIndex> order;
    std::vector<SessionIndex> empty;
    order.reserve(static_cast<std::size_t>(n_sessions));
    bool is_sorted = true;
    for (Index s = 0; s < n_sessions; ++s) {
        if (at(offsets, s) == at(offsets, s + 1)) {
            empty.push_back(to_session(s));
            continue;
        }
        is_sorted = is_sorted && (order.empty() || !(at(times, s) < at(times, order.back())));
        order.push_back(to_session(s));
    }
    if (!is_sorted && !sort_packed(order, times)) {
        sort_unpacked(order, times);
    }
    order.insert(order.end(), empty.begin(), empty.end());
    return order;
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
