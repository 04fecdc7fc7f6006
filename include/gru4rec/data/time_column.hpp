#ifndef GRU4REC_DATA_TIME_COLUMN_HPP
#define GRU4REC_DATA_TIME_COLUMN_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A point in time: `whole` seconds (or whatever unit the data count in), rounded down, plus a fraction in units of
/// 1e-9. 64-bit integers and decimals compare exactly, which they would not as double.
struct EventTime {
    std::int64_t whole = 0;
    std::uint32_t nanoseconds = 0;

    [[nodiscard]] friend constexpr auto operator<=>(const EventTime&, const EventTime&) = default;
};

/// A column of times: 8 bytes each, 12 from the first fraction on.
struct TimeColumn {
    std::vector<std::int64_t> whole;
    std::vector<std::uint32_t> nanoseconds;  ///< empty as long as no time has a fraction

    [[nodiscard]] std::size_t size() const noexcept { return whole.size(); }

    [[nodiscard]] EventTime operator[](std::size_t i) const noexcept {
        return {whole[i], nanoseconds.empty() ? 0U : nanoseconds[i]};
    }

    void set(std::size_t i, EventTime time) {
        add_fractions_for(time);
        whole[i] = time.whole;
        if (!nanoseconds.empty()) {
            nanoseconds[i] = time.nanoseconds;
        }
    }

    GRU4REC_ALWAYS_INLINE void push_back(EventTime time) {
        if (time.nanoseconds != 0 || !nanoseconds.empty()) {
            add_fractions();
            nanoseconds.push_back(time.nanoseconds);
        }
        whole.push_back(time.whole);
    }

    /// Appends `more[begin .. end - 1]`.
    void append(const TimeColumn& more, std::size_t begin, std::size_t end) {
        const auto insert_into = [&](auto& column, const auto& added) {
            column.insert(column.end(), added.begin() + static_cast<std::ptrdiff_t>(begin),
                          added.begin() + static_cast<std::ptrdiff_t>(end));
        };
        if (!more.nanoseconds.empty()) {
            add_fractions();
            insert_into(nanoseconds, more.nanoseconds);
        }
        insert_into(whole, more.whole);
        if (!nanoseconds.empty()) {
            nanoseconds.resize(whole.size());
        }
    }

    void reserve(std::size_t n_times) { whole.reserve(n_times); }

    void clear() noexcept {
        whole.clear();
        nanoseconds.clear();
    }

  private:
    void add_fractions_for(EventTime time) {
        if (time.nanoseconds != 0) {
            add_fractions();
        }
    }

    void add_fractions() {
        if (nanoseconds.empty()) {
            nanoseconds.reserve(whole.capacity());
            nanoseconds.resize(whole.size());
        }
    }
};

inline constexpr std::uint32_t nanoseconds_per_second = 1'000'000'000;

/// (-1)^negative * (whole + nanoseconds / 1e9), or nullopt if that does not fit.
[[nodiscard]] constexpr std::optional<EventTime> make_event_time(bool negative, std::uint64_t whole,
                                                                 std::uint32_t nanoseconds) noexcept {
    constexpr std::uint64_t largest = (std::numeric_limits<std::int64_t>::max)();
    if (nanoseconds == nanoseconds_per_second) {
        ++whole;
        nanoseconds = 0;
    }
    if (negative && nanoseconds > 0) {  // -1.25 is -2 + 0.75
        ++whole;
        nanoseconds = nanoseconds_per_second - nanoseconds;
    }
    if (whole > largest + (negative ? 1 : 0)) {
        return std::nullopt;
    }
    return EventTime{static_cast<std::int64_t>(negative ? std::uint64_t{0} - whole : whole), nanoseconds};
}

/// Floating-point seconds to the nearest 1e-9; nullopt for NaN and beyond 64 bits.
[[nodiscard]] inline std::optional<EventTime> to_event_time(double seconds) noexcept {
    const double magnitude = std::abs(seconds);
    if (!(magnitude <= 0x1p63)) {  // also NaN
        return std::nullopt;
    }
    const double whole = std::floor(magnitude);
    return make_event_time(seconds < 0, static_cast<std::uint64_t>(whole),
                           static_cast<std::uint32_t>(std::round((magnitude - whole) * 1e9)));
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
