#ifndef GRU4REC_SERVE_SCAN_HPP
#define GRU4REC_SERVE_SCAN_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/ranking.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

// Two scans of the output table for a few sessions: of all exact scores, and of quantised scores first. Both offer
// items to the rankings of the sessions: TopK::offer_range and TopK::offer are the only way into a list.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sessions that are served together: the table is read once for all of them, and their hidden states stay in the
/// first-level cache.
inline constexpr Index group_sessions = 16;

/// The exact score of item i for a vector h: f_i (row_i h). Its bits depend neither on the other items that are asked
/// for nor on the number of vectors.
template <class Scalar>
struct ItemScores {
    /// For scores (V, H + 1), row i is [W_y[i, :] | b_y[i]], and h is [h | 1]; zeros follow both up to a cache line.
    const PaddedMatrix<Scalar>* table = nullptr;
    /// (V); null: all 1
    const Scalar* factors = nullptr;

    /// out(v)[i - items.begin] = the score of item i for vector v.
    void of_range(Range items, Rows<const Scalar> h, Index n_vectors, Rows<Scalar> out) const noexcept {
        dot_products<Scalar>({{table->row(items.begin), table->stride()}, {0, items.size()}, {0, table->cols()}}, h,
                             n_vectors, out);
        for (Index v = 0; v < n_vectors && factors != nullptr; ++v) {
            for (Index i = 0; i < items.size(); ++i) {
                out(v)[i] *= factors[items.begin + i];
            }
        }
    }

    /// out(v)[i] = the score of items[i] for vector v.
    void of_items(std::span<const ItemIndex> items, Rows<const Scalar> h, Index n_vectors,
                  Rows<Scalar> out) const noexcept {
        dot_products<Scalar>(
            {{table->data(), table->stride(), items.data()}, {0, std::ssize(items)}, {0, table->cols()}}, h, n_vectors,
            out);
        for (Index v = 0; v < n_vectors && factors != nullptr; ++v) {
            for (std::size_t i = 0; i < items.size(); ++i) {
                out(v)[i] *= factors[to_index(items[i])];
            }
        }
    }
};

/// One pass over all items for a few vectors: offers every allowed item to every ranking.
template <class Scalar>
class ExactScan {
  public:
    /// @param h         as for ItemScores, a row per ranking
    /// @param rankings  at most group_sessions, started
    ExactScan(const ItemScores<Scalar>& item_scores, Rows<const Scalar> h,
              std::span<Ranking<Scalar>* const> rankings) noexcept;

    /// @complexity O(rankings V H) if all items are allowed, no allocation   @threads safe for distinct rankings
    void run() noexcept;

  private:
    static constexpr Index block_items = AllowedItems::block_items;
    /// Up to this many allowed items of a block are scored without the others: with half of the items allowed a request
    /// takes 0.7 of the time that it takes with all, with three quarters no more.
    static constexpr Index few_items = 48;

    void score_block(Index first) noexcept;
    void score_some(Index first, std::uint64_t items, Range rankings) noexcept;

    [[nodiscard]] Index n_rankings() const noexcept { return std::ssize(rankings_); }
    [[nodiscard]] Rows<Scalar> scores() noexcept { return {scores_, block_items}; }

    ItemScores<Scalar> item_scores_;
    Rows<const Scalar> h_;
    std::span<Ranking<Scalar>* const> rankings_;
    std::array<std::uint64_t, static_cast<std::size_t>(group_sessions)> allowed_{};  // of the block, by ranking
    alignas(cache_line) Scalar scores_[group_sessions * block_items];
};

template <class Scalar>
ExactScan<Scalar>::ExactScan(const ItemScores<Scalar>& item_scores, Rows<const Scalar> h,
                             std::span<Ranking<Scalar>* const> rankings) noexcept
    : item_scores_(item_scores), h_(h), rankings_(rankings) {
    GRU4REC_ASSERT(n_rankings() <= group_sessions);
}

template <class Scalar>
void ExactScan<Scalar>::run() noexcept {
    for (Index first = 0; first < item_scores_.table->rows(); first += block_items) {
        std::uint64_t any = 0;
        Index n_asked = 0;  // scores that the rankings need
        for (Index v = 0; v < n_rankings(); ++v) {
            const std::uint64_t allowed = at(rankings_, v)->allowed.next(first / block_items);
            at(allowed_, v) = allowed;
            any |= allowed;
            n_asked += std::popcount(allowed);
        }
        const Index n_any = std::popcount(any);
        if (any == 0) {
            continue;
        }
        if (2 * n_asked < n_any * n_rankings()) {  // they have little in common
            for (Index v = 0; v < n_rankings(); ++v) {
                score_some(first, at(allowed_, v), {v, v + 1});
            }
        } else if (n_any > few_items) {
            score_block(first);
        } else {
            score_some(first, any, {0, n_rankings()});
        }
    }
}

template <class Scalar>
void ExactScan<Scalar>::score_block(Index first) noexcept {
    const Range items{first, (std::min)(first + block_items, item_scores_.table->rows())};
    item_scores_.of_range(items, h_, n_rankings(), scores());
    for (Index v = 0; v < n_rankings(); ++v) {
        at(rankings_, v)
            ->best.offer_range(to_item(first), {scores()(v), static_cast<std::size_t>(items.size())}, at(allowed_, v));
    }
}

template <class Scalar>
void ExactScan<Scalar>::score_some(Index first, std::uint64_t items, Range rankings) noexcept {
    std::array<ItemIndex, static_cast<std::size_t>(block_items)> some;
    std::size_t n = 0;
    for (; items != 0; items &= items - 1) {
        some[n++] = to_item(first + std::countr_zero(items));
    }
    item_scores_.of_items({some.data(), n}, h_.from(rankings.begin), rankings.size(), scores().from(rankings.begin));
    for (Index v = rankings.begin; v < rankings.end; ++v) {
        for (std::size_t i = 0; i < n; ++i) {
            if ((at(allowed_, v) >> (to_index(some[i]) - first) & 1) != 0) {
                at(rankings_, v)->best.offer(some[i], scores()(v)[i]);
            }
        }
    }
}

/// Offers to a ranking its candidates alone.
///
/// @param h  one vector, as for ItemScores
/// @pre ranking.allowed.candidates() is set
template <class Scalar>
void rank_candidates(const ItemScores<Scalar>& item_scores, const Scalar* h, Ranking<Scalar>& ranking) noexcept {
    constexpr std::size_t chunk_items = 64;
    alignas(cache_line) std::array<Scalar, chunk_items> scores;
    for (std::span<const ItemIndex> left = *ranking.allowed.candidates(); !left.empty();) {
        const std::size_t n = (std::min)(left.size(), chunk_items);
        item_scores.of_items(left.first(n), {h, 0}, 1, {scores.data(), 0});
        ranking.best.offer_items(left.first(n), {scores.data(), n});
        left = left.subspan(n);
    }
}

/// Two numbers per item, padded to whole blocks, that bound its score: s_i and b_i + g |b_i|, of which U_i is made.
/// Infinite second numbers are those of items that are always scored exactly.
struct RowBounds {
    const float* scales = nullptr;
    const float* offsets = nullptr;
};

/// Finds the best items with a QuantizedTable: the items and scores of ExactScan, to the bit.
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
/// with U_i below the worst exact score in the list cannot be among the best; all others are scored exactly, if they
/// are allowed.
template <class Scalar>
class QuantizedScan {
  public:
    /// @param table  must outlive the scan
    QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions);

    /// Leaves in the rankings what ExactScan would.
    ///
    /// @param item_scores  the exact scores
    /// @param bounds       what bounds these
    /// @param h            as for ExactScan; the quantised products leave out the last feature
    /// @param rankings     at most max_sessions, started
    void run(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Rows<const Scalar> h,
             std::span<Ranking<Scalar>* const> rankings) noexcept;

    /// Whether ExactScan takes less time: it reads the rows of allowed items alone, this scan whole blocks. Measured
    /// with 10,000 items: less than half the time if a tenth of them is allowed, about the same with a quarter.
    [[nodiscard]] static bool exact_is_faster(const AllowedItems& allowed, Index n_items) noexcept {
        return 8 * allowed.at_most() <= n_items;
    }

    /// The bounds of scores.
    [[nodiscard]] RowBounds score_bounds() const noexcept { return {table_->scales(0), table_->upper_biases(0)}; }

    /// Items scored exactly so far.
    [[nodiscard]] Index n_exact() const noexcept { return n_exact_; }

  private:
    static constexpr Index block_items = QuantizedTable<Scalar>::block_items;
    static constexpr Index chunk_blocks = 8;
    static constexpr auto chunk_items = static_cast<std::size_t>(chunk_blocks * block_items);
    using Block = SimdVector<float>;               ///< a number per item of a block
    using Allowed = std::array<std::uint64_t, 2>;  ///< a bit per item of a chunk
    static_assert(static_cast<Index>(chunk_items) == 2 * AllowedItems::block_items);
    static_assert(Block::size == block_items);

    /// A quantised hidden state, with the terms of its bound.
    struct Query {
        const std::int16_t* x = nullptr;  ///< (n_pairs, 2)
        float scale = 0;                  ///< t; not finite: score everything exactly
        float radius = 0;                 ///< R
        double underflow = 0;             ///< A
    };

    /// Bit 0 is that of item i of the chunk.
    [[nodiscard]] static std::uint64_t allowed_from(const Allowed& allowed, Index i) noexcept {
        return at(allowed, i / AllowedItems::block_items) >> (i % AllowedItems::block_items);
    }
    [[nodiscard]] Index x_stride() const noexcept { return 2 * table_->n_pairs(); }
    [[nodiscard]] Query quantize(const Scalar* h, std::int16_t* x) const noexcept;
    void scan_chunk(Index first_block, const Query& query, const Scalar* h, Ranking<Scalar>& ranking) noexcept;
    [[nodiscard]] bool bound_chunk(Index first_block, const Allowed& allowed, const Query& query, float limit,
                                   float* upper) const noexcept;
    [[nodiscard]] Block upper_bounds(Index block, const Query& query) const noexcept;
    [[nodiscard]] static float limit_of(Scalar worst, const Query& query) noexcept;
    void offer_exactly(std::span<const ItemIndex> items, const Scalar* h, TopK<Scalar>& list) noexcept;

    const QuantizedTable<Scalar>* table_;
    AlignedBuffer<std::int16_t> x_;
    std::vector<Query> queries_;
    ItemScores<Scalar> item_scores_;  // of the run
    RowBounds bounds_;                // of the run
    Index n_exact_ = 0;
};

template <class Scalar>
QuantizedScan<Scalar>::QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions)
    : table_(&table), x_(max_sessions * x_stride()), queries_(static_cast<std::size_t>(max_sessions)) {}

template <class Scalar>
void QuantizedScan<Scalar>::run(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Rows<const Scalar> h,
                                std::span<Ranking<Scalar>* const> rankings) noexcept {
    item_scores_ = item_scores;
    bounds_ = bounds;
    const auto n = static_cast<Index>(rankings.size());
    for (Index v = 0; v < n; ++v) {
        at(queries_, v) = quantize(h(v), x_.data() + v * x_stride());
    }
    for (Index block = 0; block < table_->n_blocks(); block += chunk_blocks) {
        for (Index v = 0; v < n; ++v) {
            scan_chunk(block, at(queries_, v), h(v), *at(rankings, v));
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

/// Offers the allowed items of up to chunk_blocks blocks whose bounds reach the worst score in the list.
template <class Scalar>
void QuantizedScan<Scalar>::scan_chunk(Index first_block, const Query& query, const Scalar* h,
                                       Ranking<Scalar>& ranking) noexcept {
    const Index first = first_block * block_items;
    const Index word = first / AllowedItems::block_items;
    const Allowed allowed = {ranking.allowed.next(word), ranking.allowed.next(word + 1)};
    if ((allowed[0] | allowed[1]) == 0) {
        return;
    }
    alignas(cache_line) std::array<float, chunk_items> upper;
    const float limit = limit_of(ranking.best.worst(), query);
    if (!bound_chunk(first_block, allowed, query, limit, upper.data())) {
        return;
    }
    std::array<ItemIndex, chunk_items> items;
    std::size_t n = 0;
    for (Index block = 0; block < static_cast<Index>(chunk_items); block += block_items) {
        if (all(Block::load(upper.data() + block) < Block(limit))) {
            continue;
        }
        for (Index i = block; i < block + block_items; ++i) {
            if (!(at(upper, i) < limit) && (allowed_from(allowed, i) & 1) != 0) {
                items[n++] = to_item(first + i);
            }
        }
    }
    offer_exactly({items.data(), n}, h, ranking.best);
}

/// Stores U_i - A of the items of a chunk, negative infinity in blocks that hold no allowed item. Always inlined: a
/// call takes 3 % of the scan, as the compiler then no longer knows that `upper` is not part of this object.
///
/// @returns whether any of them reaches the limit
template <class Scalar>
GRU4REC_ALWAYS_INLINE bool QuantizedScan<Scalar>::bound_chunk(Index first_block, const Allowed& allowed,
                                                              const Query& query, float limit,
                                                              float* upper) const noexcept {
    constexpr std::uint64_t block_bits = (std::uint64_t{1} << block_items) - 1;
    const bool whole = (allowed[0] & allowed[1]) == ~std::uint64_t{0};
    Block n_reached(0);
    for (Index block = 0; block < chunk_blocks; ++block) {
        Block bounds(-std::numeric_limits<float>::infinity());
        if (whole || (allowed_from(allowed, block * block_items) & block_bits) != 0) {
            bounds = upper_bounds(first_block + block, query);
            n_reached += select(bounds < Block(limit), Block(0), Block(1));
        }
        bounds.store(upper + block * block_items);
    }
    alignas(cache_line) std::array<float, static_cast<std::size_t>(block_items)> counts;
    n_reached.store(counts.data());
    return std::any_of(counts.begin(), counts.end(), [](float count) { return count > 0; });
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
    return multiply_add(Block::load(bounds_.scales + block * block_items), inner,
                        Block::load(bounds_.offsets + block * block_items));
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
    alignas(cache_line) std::array<Scalar, chunk_items> scores;
    item_scores_.of_items(items, {h, 0}, 1, {scores.data(), 0});
    list.offer_items(items, {scores.data(), items.size()});
    n_exact_ += std::ssize(items);
}

#if defined(GRU4REC_COMPILED)
extern template class ExactScan<float>;
extern template class ExactScan<double>;
extern template class QuantizedScan<float>;
extern template class QuantizedScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
