#ifndef GRU4REC_CLI_REPLAY_LATENCIES_HPP
#define GRU4REC_CLI_REPLAY_LATENCIES_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cli::playback {

/// Counts of times in classes that are narrow where times are short: a quantile is at most 0.1 % too large. Takes 432
/// KiB, however many times it counts.
class Latencies {
  public:
    /// @param nanoseconds  below 0 counts as 0
    void add(std::int64_t nanoseconds) noexcept {
        const std::int64_t time = (std::max)(std::int64_t{0}, nanoseconds);
        ++counts_[class_of(static_cast<std::uint64_t>(time))];
        ++n_;
        sum_ += static_cast<double>(time);
        maximum_ = (std::max)(maximum_, time);
    }

    [[nodiscard]] std::int64_t count() const noexcept { return n_; }
    [[nodiscard]] std::int64_t maximum() const noexcept { return maximum_; }  ///< nanoseconds
    [[nodiscard]] double mean() const noexcept { return n_ > 0 ? sum_ / static_cast<double>(n_) : 0; }

    /// The shortest time that a share `q` of all times does not exceed, in nanoseconds; 0 if there are none.
    [[nodiscard]] std::int64_t quantile(double q) const noexcept {
        const auto wanted = static_cast<std::int64_t>(std::ceil(q * static_cast<double>(n_)));
        std::int64_t seen = 0;
        for (std::size_t c = 0; c < counts_.size() && n_ > 0; ++c) {
            seen += counts_[c];
            if (seen > 0 && seen >= wanted) {
                return (std::min)(maximum_, static_cast<std::int64_t>(largest_of(c)));
            }
        }
        return maximum_;
    }

  private:
    // Times below 2^11 have a class each, those of every further power of two share 2^10.
    static constexpr unsigned bits = 11;
    static constexpr std::size_t half = std::size_t{1} << (bits - 1);

    [[nodiscard]] static std::size_t class_of(std::uint64_t time) noexcept {
        const auto width = static_cast<unsigned>(std::bit_width(time));
        const unsigned shift = width > bits ? width - bits : 0;
        return shift * half + static_cast<std::size_t>(time >> shift);
    }
    [[nodiscard]] static std::uint64_t largest_of(std::size_t c) noexcept {
        const std::size_t shift = c < 2 * half ? 0 : c / half - 1;
        return ((std::uint64_t{c - shift * half} + 1) << shift) - 1;
    }

    std::vector<std::int64_t> counts_ = std::vector<std::int64_t>((65 - bits) * half);
    std::int64_t n_ = 0;
    std::int64_t maximum_ = 0;
    double sum_ = 0;
};

}  // namespace cli::playback

#endif
