#ifndef GRU4REC_SERVE_SCAN_HPP
#define GRU4REC_SERVE_SCAN_HPP

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/serve/quantized_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

// Two scans of the output table for a few sessions: of all exact scores, and of quantised scores first. Both offer
// items to the lists of the sessions: TopK::offer_range and TopK::offer_items are the only way into a list.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sessions that are served together: the table is read once for all of them, and their hidden states stay in the
/// first-level cache.
inline constexpr Index group_sessions = 16;

/// out(v)[i - items.begin] = the score of item i for hidden state v. The bits depend neither on the range of items nor
/// on the number of states.
///
/// @param table  (V, H + 1): row i is [W_y[i, :] | b_y[i]]
/// @param h      n_states rows [h | 1], each followed by zeros up to a whole cache line
template <class Scalar>
void score_items(const PaddedMatrix<Scalar>& table, Range items, Rows<const Scalar> h, Index n_states,
                 Rows<Scalar> out) noexcept {
    dot_products<Scalar>({{table.row(items.begin), table.stride()}, {0, items.size()}, {0, table.cols()}}, h, n_states,
                         out);
}

/// Scores every row of the table for hidden states h and offers the items to their lists.
///
/// @param table, h  as for score_items, one state per list
/// @param lists     at most group_sessions, started
/// @complexity O(lists V H), one pass over the table, no allocation   @threads safe for distinct lists
template <class Scalar>
void scan_items(const PaddedMatrix<Scalar>& table, Rows<const Scalar> h,
                std::span<TopK<Scalar>* const> lists) noexcept {
    constexpr Index block_items = 64;
    alignas(cache_line) Scalar scores[group_sessions * block_items];
    const auto n = static_cast<Index>(lists.size());
    GRU4REC_ASSERT(n <= group_sessions);
    for (Index begin = 0; begin < table.rows(); begin += block_items) {
        const Range items{begin, (std::min)(begin + block_items, table.rows())};
        score_items<Scalar>(table, items, h, n, {scores, block_items});
        for (Index v = 0; v < n; ++v) {
            at(lists, v)->offer_range(to_item(begin),
                                      {scores + v * block_items, static_cast<std::size_t>(items.size())});
        }
    }
}

/// Finds the best items with a QuantizedTable: the items and scores of scan_items, to the bit.
///
/// With h = t x + d (x integers, t one scale) and w_i = s_i q_i + e_i
///
///     w_i h - s_i t (q_i x) = s_i q_i d + e_i h   <=   s_i (Q |d| + C |h|)         Q = max |q_i|,  C = max |e_i| / s_i
///
/// by Cauchy-Schwarz. The exact score is itself a rounded sum of products. It differs from w_i h + b_i by less than
/// g (|w_i| |h| + |b_i|), g = relative_rounding(), in any order of summation, and |w_i| <= s_i (Q + C). So an item's
/// exact score is at most
///
///     U_i = s_i (t (q_i x) + R) + (b_i + g |b_i|) + A,      R = Q |d| + C |h| + g (Q + C) (|h| + |d|)
///
/// where g also covers the rounding of U_i, and A the loss in products that are too small for a normal number. An item
/// with U_i below the worst exact score in the list cannot be among the best; all others are scored exactly.
template <class Scalar>
class QuantizedScan {
  public:
    /// @param table  must outlive the scan
    QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions);

    /// Offers to the lists what scan_items would leave in them.
    ///
    /// @param h      as for scan_items
    /// @param lists  at most max_sessions, started
    void scan(Rows<const Scalar> h, std::span<TopK<Scalar>* const> lists) noexcept;

    /// Items scored exactly so far.
    [[nodiscard]] Index n_exact() const noexcept { return n_exact_; }

  private:
    static constexpr Index block_items = QuantizedTable<Scalar>::block_items;
    static constexpr Index chunk_blocks = 8;
    static constexpr auto chunk_items = static_cast<std::size_t>(chunk_blocks * block_items);
    using Block = SimdVector<float>;  ///< a number per item of a block
    static_assert(Block::size == block_items);

    /// A quantised hidden state, with the terms of its bound.
    struct Query {
        const std::int16_t* x = nullptr;  ///< (n_pairs, 2)
        float scale = 0;                  ///< t; not finite: score everything exactly
        float radius = 0;                 ///< R
        double underflow = 0;             ///< A
    };

    [[nodiscard]] Index x_stride() const noexcept { return 2 * table_->n_pairs(); }
    [[nodiscard]] Query quantize(const Scalar* h, std::int16_t* x) const noexcept;
    void scan_chunk(Index first_block, const Query& query, const Scalar* h, TopK<Scalar>& list) noexcept;
    [[nodiscard]] Block upper_bounds(Index block, const Query& query) const noexcept;
    [[nodiscard]] static float limit_of(Scalar worst, const Query& query) noexcept;
    void offer_exactly(std::span<const ItemIndex> items, const Scalar* h, TopK<Scalar>& list) noexcept;

    const QuantizedTable<Scalar>* table_;
    AlignedBuffer<std::int16_t> x_;
    std::vector<Query> queries_;
    Index n_exact_ = 0;
};

template <class Scalar>
QuantizedScan<Scalar>::QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions)
    : table_(&table), x_(max_sessions * x_stride()), queries_(static_cast<std::size_t>(max_sessions)) {}

template <class Scalar>
void QuantizedScan<Scalar>::scan(Rows<const Scalar> h, std::span<TopK<Scalar>* const> lists) noexcept {
    const auto n = static_cast<Index>(lists.size());
    for (Index v = 0; v < n; ++v) {
        at(queries_, v) = quantize(h(v), x_.data() + v * x_stride());
    }
    for (Index block = 0; block < table_->n_blocks(); block += chunk_blocks) {
        for (Index v = 0; v < n; ++v) {
            scan_chunk(block, at(queries_, v), h(v), *at(lists, v));
        }
    }
}

template <class Scalar>
typename QuantizedScan<Scalar>::Query QuantizedScan<Scalar>::quantize(const Scalar* h, std::int16_t* x) const noexcept {
    constexpr auto tiny = static_cast<double>((std::numeric_limits<float>::min)());
    const Index width = table_->model().network().output_width();
    double largest = 0;
    double sum = 0;
    for (Index k = 0; k < width; ++k) {
        const double magnitude = std::abs(static_cast<double>(h[k]));
        largest = (std::max)(largest, magnitude);
        sum += magnitude;
    }
    Query query{x};
    if (!(sum <= QuantizedTable<Scalar>::largest_state)) {  // true for NaN and infinity as well
        query.scale = std::numeric_limits<float>::infinity();
        return query;
    }
    // As many levels as 16 bits hold and as a sum in 32 bits allows.
    const double levels = (std::min)(32767.0, std::floor(2147483647.0 / (127.0 * static_cast<double>(width))));
    query.scale = static_cast<float>((std::max)(tiny, largest / levels));
    const auto scale = static_cast<double>(query.scale);
    double norm = 0;
    double error = 0;
    for (Index k = 0; k < width; ++k) {
        const auto value = static_cast<double>(h[k]);
        const double rounded = std::nearbyint(value / scale);
        x[k] = static_cast<std::int16_t>(rounded);
        norm += value * value;
        error += (value - scale * rounded) * (value - scale * rounded);
    }
    norm = std::sqrt(norm);
    error = std::sqrt(error);
    const double g = table_->relative_rounding();
    const double sizes = table_->largest_norm() + table_->largest_error();
    const double radius = table_->largest_norm() * error + table_->largest_error() * norm + g * sizes * (norm + error) +
                          256 * static_cast<double>(width) * tiny;
    query.radius = static_cast<float>(radius * (1 + 2 * g));
    query.underflow = static_cast<double>(width + 16) * tiny * (1 + largest);
    return query;
}

/// Offers the items of up to chunk_blocks blocks whose bounds reach the worst score in the list.
template <class Scalar>
void QuantizedScan<Scalar>::scan_chunk(Index first_block, const Query& query, const Scalar* h,
                                       TopK<Scalar>& list) noexcept {
    alignas(cache_line) std::array<float, chunk_items> upper;
    const float limit = limit_of(list.worst(), query);
    const Index n_blocks = (std::min)(chunk_blocks, table_->n_blocks() - first_block);
    Block n_reached(0);
    for (Index block = 0; block < n_blocks; ++block) {
        const Block bounds = upper_bounds(first_block + block, query);
        n_reached += select(bounds < Block(limit), Block(0), Block(1));
        bounds.store(upper.data() + block * block_items);
    }
    alignas(cache_line) std::array<float, static_cast<std::size_t>(block_items)> counts;
    n_reached.store(counts.data());
    if (std::none_of(counts.begin(), counts.end(), [](float count) { return count > 0; })) {
        return;
    }
    std::array<ItemIndex, chunk_items> items;
    std::size_t n = 0;
    const Index first = first_block * block_items;
    const Index end = (std::min)(first + n_blocks * block_items, table_->model().n_items());
    for (Index i = first; i < end; ++i) {
        if (!(at(upper, i - first) < limit)) {
            items[n++] = to_item(i);
        }
    }
    offer_exactly({items.data(), n}, h, list);
}

/// U_i - A of the items of a block.
template <class Scalar>
typename QuantizedScan<Scalar>::Block QuantizedScan<Scalar>::upper_bounds(Index block,
                                                                          const Query& query) const noexcept {
    alignas(cache_line) std::array<std::int32_t, static_cast<std::size_t>(block_items)> dots;
    quantized_dots(table_->block(block), query.x, table_->n_pairs(), dots.data());
    alignas(cache_line) std::array<float, static_cast<std::size_t>(block_items)> products;
    for (std::size_t i = 0; i < dots.size(); ++i) {
        products[i] = static_cast<float>(dots[i]);
    }
    const Block inner = multiply_add(Block(query.scale), Block::load(products.data()), Block(query.radius));
    return multiply_add(Block::load(table_->scales(block)), inner, Block::load(table_->upper_biases(block)));
}

/// What U_i - A must reach: `worst` - A, rounded down; NaN, which every bound reaches, if there is no limit.
template <class Scalar>
float QuantizedScan<Scalar>::limit_of(Scalar worst, const Query& query) noexcept {
    constexpr double most = (std::numeric_limits<float>::max)();
    const double limit = static_cast<double>(worst) - query.underflow;
    if (std::isnan(limit) || !std::isfinite(query.scale)) {
        return std::numeric_limits<float>::quiet_NaN();
    }
    return std::nextafter(static_cast<float>(std::clamp(limit, -most, most)), -std::numeric_limits<float>::infinity());
}

/// @param items  at most chunk_items
template <class Scalar>
void QuantizedScan<Scalar>::offer_exactly(std::span<const ItemIndex> items, const Scalar* h,
                                          TopK<Scalar>& list) noexcept {
    const PaddedMatrix<Scalar>& table = table_->model().network().output_table();
    alignas(cache_line) std::array<Scalar, chunk_items> scores;
    const auto n = static_cast<Index>(items.size());
    dot_products<Scalar>({{table.data(), table.stride(), items.data()}, {0, n}, {0, table.cols()}},
                         Rows<const Scalar>{h, table.stride()}, 1, Rows<Scalar>{scores.data(), 0});
    list.offer_items(items, {scores.data(), items.size()});
    n_exact_ += n;
}

#if defined(GRU4REC_COMPILED)
extern template class QuantizedScan<float>;
extern template class QuantizedScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
