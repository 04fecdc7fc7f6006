#ifndef GRU4REC_SERVE_QUANTIZED_SCAN_HPP
#define GRU4REC_SERVE_QUANTIZED_SCAN_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/serve/item_scores.hpp"
#include "gru4rec/serve/quantized_dots.hpp"
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

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Two numbers per item, in whole chunks, that bound its score: s_i and o_i = b_i + g |b_i|, of which U_i is made.
/// Infinite second numbers are those of items that are always scored exactly.
struct RowBounds {
    const float* scales = nullptr;
    const float* offsets = nullptr;
    float offset_error = 0;  ///< E: b_i - g |b_i| >= o_i - E |o_i|
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
/// where g also covers the rounding of U_i, and A the loss in products that are too small for a normal number; and at
/// least
///
///     L_i = U_i - 2 s_i R - E |o_i| - 2 A,      o_i = b_i + g |b_i|.
///
/// An item with U_i below the n-th largest of the L seen so far cannot be among the best n. The others wait, and are
/// scored exactly at the end if they are still not below it: few more than n.
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
    /// @param items        begins at a multiple of quantized_chunk_items, and ends at one or with the catalogue
    /// @complexity O(rankings items H); allocates only if no earlier list was as long
    void run(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Rows<const Scalar> h,
             std::span<Ranking<Scalar>* const> rankings, Range items);

    /// Whether ExactScan takes less time: it reads the rows of allowed items alone, this scan whole blocks. Measured
    /// with 10,000 items: less than half the time if a tenth of them is allowed, about the same with a quarter.
    [[nodiscard]] static bool exact_is_faster(const AllowedItems& allowed, Index n_items) noexcept {
        return 8 * allowed.at_most() <= n_items;
    }

    /// The bounds of scores.
    [[nodiscard]] RowBounds score_bounds() const noexcept {
        return {table_->scales(), table_->upper_biases(), 4 * static_cast<float>(table_->relative_rounding())};
    }

    /// Items scored exactly so far.
    [[nodiscard]] Index n_exact() const noexcept { return n_exact_; }

  private:
    static constexpr auto chunk_items = static_cast<std::size_t>(quantized_chunk_items);
    /// Vectors that are multiplied with a chunk at a time.
    static constexpr int n_together = 4;
    /// Items that may wait: then all are scored exactly, which raises the limit further.
    static constexpr std::size_t most_waiting = 256;
    using Block = SimdVector<float>;  ///< a number per item
    static_assert(quantized_chunk_items == 2 * AllowedItems::block_items);

    /// An item that waits for its exact score, and its U_i - A.
    struct Waiting {
        ItemIndex item{};
        float upper = 0;
    };

    /// A vector that items are sought for.
    struct Search {
        QuantizedVector x;
        float scale = 0;       ///< t; not finite: score everything exactly
        float radius = 0;      ///< R
        double underflow = 0;  ///< A
        float twice_underflow = 0;
        float limit = 0;    ///< what U_i - A must reach; NaN, which every bound reaches: no limit
        TopK<float> lower;  ///< the largest L_i
        std::vector<Waiting> waiting;
        std::array<std::uint64_t, 2> allowed{};  ///< a bit per item of the chunk

        /// @param to  NaN: no limit
        void raise_limit(float to) noexcept { limit = !(to <= limit) && !std::isnan(to) ? to : limit; }
    };

    /// Of a vector: |h| and |d|.
    struct Lengths {
        double norm = 0;
        double error = 0;
    };

    [[nodiscard]] Index x_stride() const noexcept { return quad_features * table_->n_quads(); }
    void start(Index v);
    void quantize(const Scalar* h, std::int16_t* x, Search& search) const noexcept;
    [[nodiscard]] Lengths write_quads(const Scalar* h, std::int16_t* x, Search& search) const noexcept;
    template <int n>
    void scan_chunk(Index first, const Index* which);
    void collect(Index first, Index v, const std::int32_t* dots);
    [[nodiscard]] Block upper_bounds(Index first, const Search& search, const std::int32_t* dots) const noexcept;
    [[nodiscard]] Block slack(Index first, const Search& search) const noexcept;
    void raise_limit(Block lower, Search& search) const;
    void score_waiting(Index v);

    const QuantizedTable<Scalar>* table_;
    AlignedBuffer<std::int16_t> x_;
    std::vector<Search> searches_;
    std::vector<Index> asking_;  // vectors with an allowed item in the chunk
    Index n_exact_ = 0;

    // Of the run.
    ItemScores<Scalar> item_scores_;
    RowBounds bounds_;
    Rows<const Scalar> h_;
    std::span<Ranking<Scalar>* const> rankings_;
};

template <class Scalar>
QuantizedScan<Scalar>::QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions)
    : table_(&table),
      x_(max_sessions * x_stride()),
      searches_(static_cast<std::size_t>(max_sessions)),
      asking_(static_cast<std::size_t>(max_sessions)) {}

template <class Scalar>
void QuantizedScan<Scalar>::run(const ItemScores<Scalar>& item_scores, const RowBounds& bounds, Rows<const Scalar> h,
                                std::span<Ranking<Scalar>* const> rankings, Range items) {
    GRU4REC_ASSERT(items.begin % quantized_chunk_items == 0);
    item_scores_ = item_scores;
    bounds_ = bounds;
    h_ = h;
    rankings_ = rankings;
    const auto n_rankings = static_cast<Index>(rankings.size());
    for (Index v = 0; v < n_rankings; ++v) {
        start(v);
    }
    for (Index first = items.begin; first < items.end; first += quantized_chunk_items) {
        Index n = 0;
        for (Index v = 0; v < n_rankings; ++v) {
            auto& allowed = at(searches_, v).allowed;
            for (Index word = 0; word < std::ssize(allowed); ++word) {
                at(allowed, word) = at(rankings, v)->allowed.next(first / AllowedItems::block_items + word);
            }
            at(asking_, n) = v;
            n += (allowed[0] | allowed[1]) != 0 ? 1 : 0;
        }
        Index done = 0;
        for (; done + n_together <= n; done += n_together) {
            scan_chunk<n_together>(first, asking_.data() + done);
        }
        for (; done < n; ++done) {
            scan_chunk<1>(first, asking_.data() + done);
        }
    }
    for (Index v = 0; v < n_rankings; ++v) {
        score_waiting(v);
    }
}

template <class Scalar>
void QuantizedScan<Scalar>::start(Index v) {
    Search& search = at(searches_, v);
    quantize(h_(v), x_.data() + v * x_stride(), search);
    search.limit = std::numeric_limits<float>::quiet_NaN();
    search.lower.start(at(rankings_, v)->best.max_size());
    search.waiting.clear();
    search.waiting.reserve(most_waiting + static_cast<std::size_t>(quantized_chunk_items));
}

template <class Scalar>
void QuantizedScan<Scalar>::quantize(const Scalar* h, std::int16_t* x, Search& search) const noexcept {
    constexpr auto tiny = static_cast<double>((std::numeric_limits<float>::min)());
    const Index width = table_->model().network().output_width();
    const auto [largest, sum] = magnitudes(h, width);
    search.x = {x, 0};                                      // whatever they hold
    if (!(sum <= QuantizedTable<Scalar>::largest_state)) {  // true for NaN and infinity as well
        search.scale = search.radius = std::numeric_limits<float>::infinity();
        return;
    }
    // As many levels as two signed bytes hold and as a sum in 32 bits allows.
    const double levels = (std::min)(static_cast<double>(largest_quantized),
                                     std::floor(2147483647.0 / (127.0 * static_cast<double>(width))));
    search.scale = static_cast<float>((std::max)(tiny, largest / levels));
    const auto [norm, error] = write_quads(h, x, search);
    const double g = table_->relative_rounding();
    const double sizes = table_->largest_norm() + table_->largest_error();
    const double radius = table_->largest_norm() * error + table_->largest_error() * norm + g * sizes * (norm + error) +
                          256 * static_cast<double>(width) * tiny;
    search.radius = static_cast<float>(radius * (1 + 2 * g));
    search.underflow = static_cast<double>(width + 16) * tiny * (1 + largest);
    search.twice_underflow = static_cast<float>(2.001 * search.underflow);
}

/// Writes the quads of h, in steps of search.scale, and search.x.
template <class Scalar>
typename QuantizedScan<Scalar>::Lengths QuantizedScan<Scalar>::write_quads(const Scalar* h, std::int16_t* x,
                                                                           Search& search) const noexcept {
    const Index width = table_->model().network().output_width();
    const auto scale = static_cast<double>(search.scale);
    double norm = 0;
    double error = 0;
    std::int64_t total = 0;
    for (Index first = 0; first < width; first += quad_features) {
        std::array<std::int16_t, static_cast<std::size_t>(quad_features)> quad{};
        for (Index k = first; k < (std::min)(first + quad_features, width); ++k) {
            const auto value = static_cast<double>(h[k]);
            const double rounded = std::nearbyint(value / scale);
            at(quad, k - first) = static_cast<std::int16_t>(rounded);
            total += at(quad, k - first);
            norm += value * value;
            error += (value - scale * rounded) * (value - scale * rounded);
        }
        TargetDots::encode(quad.data(), x + first);
    }
    search.x = {x, static_cast<std::int32_t>(static_cast<std::uint32_t>(-128 * total))};
    return {std::sqrt(norm), std::sqrt(error)};
}

/// @param first  item of the chunk
/// @param which  n vectors
template <class Scalar>
template <int n>
void QuantizedScan<Scalar>::scan_chunk(Index first, const Index* which) {
    alignas(cache_line) CArray<std::int32_t, n* static_cast<int>(quantized_chunk_items)> dots;
    CArray<QuantizedVector, n> x;
    for (int i = 0; i < n; ++i) {
        x[i] = at(searches_, which[i]).x;
    }
    quantized_dots<TargetDots, n>(table_->chunk(first / quantized_chunk_items), table_->n_quads(), x,
                                  {dots, quantized_chunk_items});
    for (int i = 0; i < n; ++i) {
        collect(first, which[i], dots + i * quantized_chunk_items);
    }
}

/// Lets the allowed items of a chunk wait whose bounds reach the limit.
///
/// The limit is raised first, by the largest lower bound in each lane of the chunk's blocks: sixteen different items.
/// To offer every item's would take longer and raise it hardly further.
template <class Scalar>
void QuantizedScan<Scalar>::collect(Index first, Index v, const std::int32_t* dots) {
    constexpr std::uint64_t all_bits = ~std::uint64_t{0};
    Search& search = at(searches_, v);
    alignas(cache_line) std::array<float, chunk_items> upper;
    Block lower(-std::numeric_limits<float>::infinity());
    for (Index begin = 0; begin < quantized_chunk_items; begin += Block::size) {
        const Block bound = upper_bounds(first + begin, search, dots + begin);
        bound.store(upper.data() + begin);
        lower = maximum(lower, bound - slack(first + begin, search));
    }
    if ((search.allowed[0] & search.allowed[1]) == all_bits) {
        raise_limit(lower, search);
    }
    for (Index begin = 0; begin < quantized_chunk_items; begin += Block::size) {
        const std::uint64_t allowed =
            at(search.allowed, begin / AllowedItems::block_items) >> (begin % AllowedItems::block_items);
        std::uint64_t reached =
            ~bits(Block::load(upper.data() + begin) < Block(search.limit)) & allowed & (all_bits >> (64 - Block::size));
        for (; reached != 0; reached &= reached - 1) {
            const Index i = begin + std::countr_zero(reached);
            search.waiting.push_back({to_item(first + i), at(upper, i)});
        }
    }
    if (search.waiting.size() > most_waiting) {
        score_waiting(v);
    }
}

/// What U_i - A is above L_i - A, of the items first, first + 1, ... E is large enough for the rounding of all this.
template <class Scalar>
typename QuantizedScan<Scalar>::Block QuantizedScan<Scalar>::slack(Index first, const Search& search) const noexcept {
    const Block of_offset = multiply_add(Block(bounds_.offset_error), abs(Block::load(bounds_.offsets + first)),
                                         Block(search.twice_underflow));
    return multiply_add(Block(2 * search.radius), Block::load(bounds_.scales + first), of_offset);
}

/// @param lower  L_i - A of different items, or less; NaN and infinities stand for no item
template <class Scalar>
void QuantizedScan<Scalar>::raise_limit(Block lower, Search& search) const {
    std::uint64_t higher = ~bits(lower <= Block(search.lower.worst())) & (~std::uint64_t{0} >> (64 - Block::size));
    if (higher == 0) {
        return;
    }
    alignas(cache_line) std::array<float, static_cast<std::size_t>(Block::size)> bounds;
    lower.store(bounds.data());
    for (; higher != 0; higher &= higher - 1) {
        if (const float bound = at(bounds, std::countr_zero(higher)); std::isfinite(bound)) {
            search.lower.offer(ItemIndex{}, bound);
        }
    }
    search.raise_limit(search.lower.worst());
}

/// U_i - A of the items first, first + 1, ...
template <class Scalar>
typename QuantizedScan<Scalar>::Block QuantizedScan<Scalar>::upper_bounds(Index first, const Search& search,
                                                                          const std::int32_t* dots) const noexcept {
    alignas(cache_line) std::array<float, static_cast<std::size_t>(Block::size)> products;
    std::transform(dots, dots + Block::size, products.begin(), [](std::int32_t d) { return static_cast<float>(d); });
    const Block inner = multiply_add(Block(search.scale), Block::load(products.data()), Block(search.radius));
    return multiply_add(Block::load(bounds_.scales + first), inner, Block::load(bounds_.offsets + first));
}

/// Offers the exact scores of the waiting items whose bounds still reach the limit.
template <class Scalar>
void QuantizedScan<Scalar>::score_waiting(Index v) {
    Search& search = at(searches_, v);
    TopK<Scalar>& best = at(rankings_, v)->best;
    std::array<ItemIndex, chunk_items> items;
    alignas(cache_line) std::array<Scalar, chunk_items> scores;
    for (std::size_t begin = 0; begin < search.waiting.size(); begin += chunk_items) {
        std::size_t n = 0;
        for (std::size_t i = begin; i < (std::min)(begin + chunk_items, search.waiting.size()); ++i) {
            items[n] = search.waiting[i].item;
            n += search.waiting[i].upper < search.limit ? 0U : 1U;
        }
        item_scores_.of_items({items.data(), n}, h_.from(v), 1, {scores.data(), 0});
        best.offer_items({items.data(), n}, {scores.data(), n});
        n_exact_ += static_cast<Index>(n);
    }
    search.waiting.clear();
    if (std::isfinite(search.scale)) {
        constexpr double most = (std::numeric_limits<float>::max)();
        const double worst = static_cast<double>(best.worst()) - search.underflow;
        search.raise_limit(std::nextafter(static_cast<float>(std::clamp(worst, -most, most)),
                                          -std::numeric_limits<float>::infinity()));
    }
}

#if defined(GRU4REC_COMPILED)
extern template class QuantizedScan<float>;
extern template class QuantizedScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
