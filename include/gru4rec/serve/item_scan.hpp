#ifndef GRU4REC_SERVE_ITEM_SCAN_HPP
#define GRU4REC_SERVE_ITEM_SCAN_HPP

#include "gru4rec/core/row_products.hpp"
#include "gru4rec/core/top_k.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// Sessions that are served together: the table is read once for all of them, and their hidden states stay in the
/// first-level cache.
inline constexpr Index group_sessions = 16;

/// Scores every row of the table for hidden states h and offers the items to their lists.
///
/// @param table  (V, H + 1): row i is [W_y[i, :] | b_y[i]]
/// @param h      a row [h | 1] per list, zero behind it up to a whole cache line
/// @param lists  at most group_sessions, started
/// @complexity O(lists V H), one pass over the table, no allocation   @threads safe for distinct lists
template <class Scalar>
void scan_items(const Parameter<Scalar>& table, Rows<const Scalar> h, std::span<TopK<Scalar>* const> lists) noexcept {
    constexpr Index block_items = 64;
    alignas(cache_line) Scalar scores[group_sessions * block_items];
    const auto n = static_cast<Index>(lists.size());
    GRU4REC_ASSERT(n <= group_sessions);
    for (Index begin = 0; begin < table.rows(); begin += block_items) {
        const Index count = (std::min)(block_items, table.rows() - begin);
        row_products(Rows<const Scalar>{table.row(begin), table.stride()}, 0, count, table.cols(), h, n,
                     Rows<Scalar>{scores, block_items});
        for (Index v = 0; v < n; ++v) {
            lists[static_cast<std::size_t>(v)]->offer_range(
                to_item(begin), std::span<const Scalar>(scores + v * block_items, static_cast<std::size_t>(count)));
        }
    }
}

}  // namespace detail
}  // namespace gru4rec::inline GRU4REC_ABI

#endif
