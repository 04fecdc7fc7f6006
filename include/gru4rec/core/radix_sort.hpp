#ifndef GRU4REC_CORE_RADIX_SORT_HPP
#define GRU4REC_CORE_RADIX_SORT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sorts `values` by `keys`, which are sorted along; equal keys stay in the order given. Least significant digit first,
/// in parallel: chunks count their digits, and each then knows where its share of every digit goes.
///
/// @pre keys.size() == values.size()
/// @complexity O(n) for each byte in which keys may differ; memory for a second copy of both
template <class Value>
void radix_sort(std::vector<std::uint64_t>& keys, std::vector<Value>& values) {
    GRU4REC_ASSERT(keys.size() == values.size());
    constexpr int digit_bits = 8;
    constexpr std::size_t n_digits = std::size_t{1} << digit_bits;
    constexpr Index smallest_chunk = Index{1} << 16;
    constexpr Index most_chunks = 64;
    using Counts = std::array<std::size_t, n_digits>;

    const auto size = static_cast<Index>(keys.size());
    const Chunks chunks{size, (std::max)(smallest_chunk, (size + most_chunks - 1) / most_chunks)};
    std::vector<Counts> counts(static_cast<std::size_t>(chunks.count()));
    const std::uint64_t largest = keys.empty() ? 0 : *std::max_element(keys.begin(), keys.end());
    std::vector<std::uint64_t> other_keys(keys.size());
    std::vector<Value> other_values(values.size());
    const auto key_bits = static_cast<int>(std::bit_width(largest));
    for (int shift = 0; shift < key_bits; shift += digit_bits) {
        const auto digit_of = [shift](std::uint64_t key) {
            return static_cast<std::size_t>(key >> shift) & (n_digits - 1);
        };
        parallel_chunks(chunks.count(), [&](Index chunk) {
            Counts& count = counts[static_cast<std::size_t>(chunk)];
            count.fill(0);
            for (Index i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
                ++count[digit_of(keys[static_cast<std::size_t>(i)])];
            }
        });
        std::size_t start = 0;
        for (std::size_t digit = 0; digit < n_digits; ++digit) {
            for (Counts& count : counts) {
                start += std::exchange(count[digit], start);
            }
        }
        parallel_chunks(chunks.count(), [&](Index chunk) {
            Counts& next = counts[static_cast<std::size_t>(chunk)];
            for (Index i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
                const std::uint64_t key = keys[static_cast<std::size_t>(i)];
                const std::size_t to = next[digit_of(key)]++;
                other_keys[to] = key;
                other_values[to] = values[static_cast<std::size_t>(i)];
            }
        });
        keys.swap(other_keys);
        values.swap(other_values);
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
