#ifndef GRU4REC_BATCH_ITEM_SHARDS_HPP
#define GRU4REC_BATCH_ITEM_SHARDS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"

#if GRU4REC_DEFINITIONS
#include <cmath>
#include <numeric>
#include <vector>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// Sums over the candidates of a step are sums over shards of the catalogue, added in a fixed tree:
//
//     ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)) + ...
//
// A shard without candidates is left out. Within a shard the order depends on the shard's own candidates alone, so
// whoever has some of the shards can compute their part of a sum, and the bits are those of one who has all.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

inline constexpr Index n_shards = 16;

/// A value for each shard.
template <class Value>
using ByShard = std::array<Value, static_cast<std::size_t>(n_shards)>;
/// The first item of each shard, then V.
using ShardStarts = std::array<Index, static_cast<std::size_t>(n_shards) + 1>;

/// A shard should expect at least this many candidates; with fewer, the fixed work for a shard outweighs that for its
/// candidates.
inline constexpr double least_candidates_of_shard = 24;

/// Cuts the catalogue into shards of consecutive items that expect about as many distinct candidates in a step. If that
/// would be less than `least_candidates_of_shard`, all but every second, fourth, ... shard are empty.
///
/// @param supports  training events of each item, (V)
/// @param alpha     drawn items come ~ support^alpha, targets ~ support
/// @complexity O(V)
[[nodiscard]] GRU4REC_INLINE ShardStarts shard_starts(std::span<const std::int64_t> supports, double alpha,
                                                      Index batch_size, Index n_sample);

/// The columns of some candidates: those of distinct items, and those that repeat one of them.
struct CandidateColumns {
    Range items;
    Range twins;

    struct Iterator {
        Index column = 0;
        Index items_end = 0;
        Index twins_begin = 0;

        [[nodiscard]] Index operator*() const noexcept { return column; }
        Iterator& operator++() noexcept {
            ++column;
            column = column == items_end ? twins_begin : column;
            return *this;
        }
        [[nodiscard]] bool operator!=(const Iterator& other) const noexcept { return column != other.column; }
    };

    [[nodiscard]] bool empty() const noexcept { return items.size() == 0; }  // there is no twin without an item
    [[nodiscard]] Iterator begin() const noexcept {
        return {empty() ? twins.end : items.begin, items.end, twins.begin};
    }
    [[nodiscard]] Iterator end() const noexcept { return {twins.end, items.end, twins.begin}; }
};

/// The columns of some shards that are neighbours.
[[nodiscard]] inline CandidateColumns joined(std::span<const CandidateColumns> shards) noexcept {
    const CandidateColumns& first = shards.front();
    const CandidateColumns& last = shards.back();
    return {{first.items.begin, last.items.end}, {first.twins.begin, last.twins.end}};
}

/// The tree over the shards that take part in a sum.
class ShardTree {
  public:
    ShardTree() = default;

    explicit ShardTree(const ByShard<bool>& is_there) noexcept {
        ByShard<std::int8_t> first{};  // of the shards below a node, the first one that is there, or -1
        for (std::size_t s = 0; s < n_shards; ++s) {
            first[s] = is_there[s] ? static_cast<std::int8_t>(s) : std::int8_t{-1};
        }
        for (std::size_t step = 1; step < n_shards; step *= 2) {
            for (std::size_t s = 0; s < n_shards; s += 2 * step) {
                if (first[s] >= 0 && first[s + step] >= 0) {
                    at(additions_, n_additions_++) = {first[s], first[s + step]};
                }
                first[s] = first[s] >= 0 ? first[s] : first[s + step];
            }
        }
        root_ = first[0];
    }

    /// The shard whose value becomes the sum: the first that is there; -1 if none is.
    [[nodiscard]] Index root() const noexcept { return root_; }

    /// Calls `add(a, b)`, which is to add the value of shard b to that of shard a, until the sum stands at the root.
    template <class Add>
    void for_each_addition(const Add& add) const {
        for (Index i = 0; i < n_additions_; ++i) {
            const Addition& addition = at(additions_, i);
            add(Index{addition.to}, Index{addition.from});
        }
    }

  private:
    struct Addition {
        std::int8_t to = 0;
        std::int8_t from = 0;
    };

    ByShard<Addition> additions_;
    Index n_additions_ = 0;
    Index root_ = -1;
};

#if GRU4REC_DEFINITIONS

/// The probability of each item to be a candidate of a step, taking the number of its draws as a Poisson variable.
[[nodiscard]] inline std::vector<double> expected_candidates(std::span<const std::int64_t> supports, double alpha,
                                                             Index batch_size, Index n_sample) {
    std::vector<double> expected(supports.size());
    double targets = 0;
    double draws = 0;
    for (std::size_t i = 0; i < supports.size(); ++i) {
        expected[i] = std::pow(static_cast<double>(supports[i]), alpha);
        targets += static_cast<double>(supports[i]);
        draws += expected[i];
    }
    const double per_target = targets > 0 ? static_cast<double>(batch_size) / targets : 0;
    const double per_draw = draws > 0 ? static_cast<double>(n_sample) / draws : 0;
    for (std::size_t i = 0; i < supports.size(); ++i) {
        expected[i] = -std::expm1(-(per_target * static_cast<double>(supports[i]) + per_draw * expected[i]));
    }
    return expected;
}

GRU4REC_INLINE ShardStarts shard_starts(std::span<const std::int64_t> supports, double alpha, Index batch_size,
                                        Index n_sample) {
    const std::vector<double> expected = expected_candidates(supports, alpha, batch_size, n_sample);
    const double total = std::accumulate(expected.begin(), expected.end(), 0.0);
    Index step = 1;
    while (step < n_shards && total * static_cast<double>(step) < least_candidates_of_shard * n_shards) {
        step *= 2;
    }
    ShardStarts starts;
    starts.fill(static_cast<Index>(supports.size()));
    Index shard = 0;
    double before = 0;
    for (std::size_t i = 0; i < supports.size(); ++i) {
        // Shard s of a group of `step` begins where the next group does, unless it is the first one.
        const auto share = [&] { return static_cast<double>((shard + step - 1) / step * step) / n_shards; };
        for (; shard < n_shards && before >= total * share(); ++shard) {
            at(starts, shard) = static_cast<Index>(i);
        }
        before += expected[i];
    }
    return starts;
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
