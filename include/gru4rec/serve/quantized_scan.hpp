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

/// A float as an integer, in the same order.
[[nodiscard]] inline std::int32_t ordered_bits(float value) noexcept {
    const auto bits = std::bit_cast<std::int32_t>(value);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

/// The float that has these ordered_bits.
[[nodiscard]] inline float from_ordered_bits(std::int32_t bits) noexcept {
    return std::bit_cast<float>(bits < 0 ? bits ^ 0x7fffffff : bits);
}

/// A number that exactly n of the numbers reach; if several equal the n-th largest, that one. Counts those that reach
/// the middle of a range, which is halved: for a hundred numbers a fifth of the time of std::nth_element, whose
/// branches are mispredicted.
///
/// @pre 1 <= n <= the numbers
/// @complexity O(numbers)
[[nodiscard]] inline std::int32_t reached_by_n(std::span<const std::int32_t> numbers, Index n) noexcept {
    std::int32_t least = numbers[0];
    std::int32_t most = numbers[0];
    for (const std::int32_t number : numbers) {
        least = (std::min)(least, number);
        most = (std::max)(most, number);
    }
    std::int64_t low = least;
    std::int64_t high = std::int64_t{most} + 1;
    while (high - low > 1) {  // n numbers or more reach low, fewer reach high
        const auto middle = static_cast<std::int32_t>(low + (high - low) / 2);
        std::int32_t reach = 0;
        for (const std::int32_t number : numbers) {
            reach += number >= middle ? 1 : 0;
        }
        if (reach == n) {
            return middle;
        }
        (reach > n ? low : high) = middle;
    }
    return static_cast<std::int32_t>(low);
}

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
/// An item with U_i below the n-th largest of the L seen so far cannot be among the best n. The others wait. Now and
/// then those that have fallen below it are dropped; at the end the rest are scored exactly: few more than n.
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
    /// If more than this many wait beside the n best, all are scored exactly, which raises the limit further.
    static constexpr std::size_t most_waiting = 256;
    /// The waiting items are looked through after this many new ones, or after n if that is more. That is cheap and
    /// leaves few more than n.
    static constexpr std::size_t new_waiting = 32;
    /// Bytes of a table that a processor's last cache may still hold.
    static constexpr Index most_cached = Index{32} << 20;
    /// How far ahead of one vector a larger table is fetched.
    static constexpr Index bytes_ahead = 3072;
    using Block = SimdVector<float>;  ///< a number per item
    static_assert(quantized_chunk_items == 2 * AllowedItems::block_items);

    /// An item that waits for its exact score.
    struct Waiting {
        ItemIndex item{};
        float upper = 0;  ///< U_i - A
    };

    /// A vector that items are sought for.
    struct Search {
        QuantizedVector<QuantizedFeature> x;
        float scale = 0;       ///< t; not finite: score everything exactly
        float radius = 0;      ///< R
        double underflow = 0;  ///< A
        float twice_underflow = 0;
        float limit = 0;  ///< what U_i - A must reach; NaN, which every bound reaches: no limit
        std::vector<Waiting> waiting;
        std::size_t full = 0;                    ///< looked through when there are this many
        std::array<std::uint64_t, 2> allowed{};  ///< a bit per item of the chunk

        /// @param to  NaN: no limit
        void raise_limit(float to) noexcept { limit = !(to <= limit) && !std::isnan(to) ? to : limit; }
    };

    /// Of a vector: |h| and |d|.
    struct Lengths {
        double norm = 0;
        double error = 0;
    };

    [[nodiscard]] std::size_t list_size(Index v) const noexcept {
        return static_cast<std::size_t>(at(rankings_, v)->best.max_size());
    }
    [[nodiscard]] Index x_stride() const noexcept { return quad_features * table_->n_quads(); }
    void start(Index v, Range items);
    void quantize(const Scalar* h, QuantizedFeature* x, Search& search) const noexcept;
    [[nodiscard]] Lengths round(const Scalar* h, QuantizedFeature* x, Search& search) const noexcept;
    template <int n, Index ahead = 0>
    void scan_chunk(Index first, const Index* which);
    void collect(Index first, Index v, const std::int32_t* dots);
    [[nodiscard]] Block upper_bounds(Index first, const Search& search, const std::int32_t* dots) const noexcept;
    [[nodiscard]] std::int32_t lower_bound(Waiting waiting, const Search& search) const noexcept;
    void drop_hopeless(Index v);
    void score_waiting(Index v);

    const QuantizedTable<Scalar>* table_;
    AlignedBuffer<QuantizedFeature> x_;
    std::vector<Search> searches_;
    std::vector<Index> asking_;        // vectors with an allowed item in the chunk
    std::vector<std::int32_t> lower_;  // scratch memory of drop_hopeless
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
    const bool comes_from_memory = n_rankings == 1 && table_->bytes() > most_cached;
    for (Index v = 0; v < n_rankings; ++v) {
        start(v, items);
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
            if (comes_from_memory) {
                scan_chunk<1, bytes_ahead>(first, asking_.data() + done);
            } else {
                scan_chunk<1>(first, asking_.data() + done);
            }
        }
    }
    for (Index v = 0; v < n_rankings; ++v) {
        drop_hopeless(v);
        score_waiting(v);
    }
}

template <class Scalar>
void QuantizedScan<Scalar>::start(Index v, Range items) {
    Search& search = at(searches_, v);
    quantize(h_(v), x_.data() + v * x_stride(), search);
    search.limit = std::numeric_limits<float>::quiet_NaN();
    search.waiting.clear();
    search.full = list_size(v) + new_waiting;
    // What may wait after a look, new ones, and the chunk that is in progress; but no more than there are.
    search.waiting.reserve((std::min)(2 * list_size(v) + most_waiting + new_waiting + chunk_items,
                                      static_cast<std::size_t>(items.size())));
    lower_.reserve(search.waiting.capacity());
}

template <class Scalar>
void QuantizedScan<Scalar>::quantize(const Scalar* h, QuantizedFeature* x, Search& search) const noexcept {
    constexpr auto tiny = static_cast<double>((std::numeric_limits<float>::min)());
    const Index width = table_->model().network().output_width();
    const auto [largest, sum] = magnitudes(h, width);
    search.x = {x, 0};                                      // whatever they hold
    if (!(sum <= QuantizedTable<Scalar>::largest_state)) {  // true for NaN and infinity as well
        search.scale = search.radius = std::numeric_limits<float>::infinity();
        return;
    }
    // As many levels as a feature holds and as a sum in 32 bits allows.
    const double levels = (std::min)(static_cast<double>((std::numeric_limits<QuantizedFeature>::max)()),
                                     std::floor(2147483647.0 / (127.0 * static_cast<double>(width))));
    search.scale = static_cast<float>((std::max)(tiny, largest / levels));
    const auto [norm, error] = round(h, x, search);
    const double g = table_->relative_rounding();
    const double sizes = table_->largest_norm() + table_->largest_error();
    const double radius = table_->largest_norm() * error + table_->largest_error() * norm + g * sizes * (norm + error) +
                          256 * static_cast<double>(width) * tiny;
    search.radius = static_cast<float>(radius * (1 + 2 * g));
    search.underflow = static_cast<double>(width + 16) * tiny * (1 + largest);
    search.twice_underflow = static_cast<float>(2.001 * search.underflow);
}

/// Writes h in steps of search.scale, and search.x.
template <class Scalar>
typename QuantizedScan<Scalar>::Lengths QuantizedScan<Scalar>::round(const Scalar* h, QuantizedFeature* x,
                                                                     Search& search) const noexcept {
    const auto scale = static_cast<double>(search.scale);
    double norm = 0;
    double error = 0;
    std::int64_t total = 0;
    for (Index k = 0; k < table_->model().network().output_width(); ++k) {
        const auto value = static_cast<double>(h[k]);
        const double rounded = std::nearbyint(value / scale);
        x[k] = static_cast<QuantizedFeature>(rounded);
        total += x[k];
        norm += value * value;
        error += (value - scale * rounded) * (value - scale * rounded);
    }
    search.x = {x, static_cast<std::int32_t>(static_cast<std::uint32_t>(-128 * total))};
    return {std::sqrt(norm), std::sqrt(error)};
}

/// @param first  item of the chunk
/// @param which  n vectors
template <class Scalar>
template <int n, Index ahead>
void QuantizedScan<Scalar>::scan_chunk(Index first, const Index* which) {
    alignas(cache_line) CArray<std::int32_t, n* static_cast<int>(quantized_chunk_items)> dots;
    CArray<QuantizedVector<QuantizedFeature>, n> x;
    for (int i = 0; i < n; ++i) {
        x[i] = at(searches_, which[i]).x;
    }
    quantized_dots<TargetDots, n, ahead>(table_->chunk(first / quantized_chunk_items), table_->n_quads(), x,
                                         {dots, quantized_chunk_items});
    for (int i = 0; i < n; ++i) {
        collect(first, which[i], dots + i * quantized_chunk_items);
    }
}

/// Lets the allowed items of a chunk wait whose bounds reach the limit. Most chunks of a large table have none.
template <class Scalar>
void QuantizedScan<Scalar>::collect(Index first, Index v, const std::int32_t* dots) {
    constexpr Index word_items = AllowedItems::block_items;
    constexpr std::uint64_t all_bits = ~std::uint64_t{0} >> (64 - Block::size);
    Search& search = at(searches_, v);
    alignas(cache_line) std::array<float, chunk_items> upper;
    std::array<std::uint64_t, 2> reached{};
    for (Index begin = 0; begin < quantized_chunk_items; begin += Block::size) {
        const Block bound = upper_bounds(first + begin, search, dots + begin);
        bound.store(upper.data() + begin);
        at(reached, begin / word_items) |= (~bits(bound < Block(search.limit)) & all_bits) << (begin % word_items);
    }
    for (Index word = 0; word < std::ssize(reached); ++word) {
        for (std::uint64_t items = at(reached, word) & at(search.allowed, word); items != 0; items &= items - 1) {
            const Index i = word * word_items + std::countr_zero(items);
            search.waiting.push_back({to_item(first + i), at(upper, i)});
        }
    }
    if (search.waiting.size() >= search.full) {
        drop_hopeless(v);
        if (search.waiting.size() > list_size(v) + most_waiting) {
            score_waiting(v);
        }
        search.full = search.waiting.size() + (std::max)(new_waiting, list_size(v));
    }
}

/// Raises the limit to a number that n lower bounds of the waiting items reach, and drops the items that do not reach
/// it.
template <class Scalar>
void QuantizedScan<Scalar>::drop_hopeless(Index v) {
    Search& search = at(searches_, v);
    if (search.waiting.size() <= list_size(v)) {
        return;
    }
    lower_.resize(search.waiting.size());
    std::transform(search.waiting.begin(), search.waiting.end(), lower_.begin(),
                   [&](const Waiting& waiting) { return lower_bound(waiting, search); });
    search.raise_limit(from_ordered_bits(reached_by_n(lower_, at(rankings_, v)->best.max_size())));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < search.waiting.size(); ++i) {  // without branches, which would be mispredicted
        const Waiting waiting = search.waiting[i];
        search.waiting[kept] = waiting;
        kept += waiting.upper < search.limit ? 0U : 1U;
    }
    search.waiting.resize(kept);
}

/// ordered_bits of L_i - A, or less. An item whose bounds are not finite gets bits below those of all floats, which
/// stand for NaN and raise no limit. E is large enough for the rounding of all this.
template <class Scalar>
std::int32_t QuantizedScan<Scalar>::lower_bound(Waiting waiting, const Search& search) const noexcept {
    const Index i = to_index(waiting.item);
    const float slack = 2 * search.radius * bounds_.scales[i] +
                        (bounds_.offset_error * std::abs(bounds_.offsets[i]) + search.twice_underflow);
    const std::int32_t bits = ordered_bits(waiting.upper - slack);
    return bits < ordered_bits(std::numeric_limits<float>::infinity()) ? bits
                                                                       : (std::numeric_limits<std::int32_t>::min)();
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

/// Offers the exact scores of the waiting items.
template <class Scalar>
void QuantizedScan<Scalar>::score_waiting(Index v) {
    Search& search = at(searches_, v);
    TopK<Scalar>& best = at(rankings_, v)->best;
    std::array<ItemIndex, chunk_items> items;
    alignas(cache_line) std::array<Scalar, chunk_items> scores;
    for (std::size_t begin = 0; begin < search.waiting.size(); begin += chunk_items) {
        const std::size_t n = (std::min)(chunk_items, search.waiting.size() - begin);
        for (std::size_t i = 0; i < n; ++i) {
            items[i] = search.waiting[begin + i].item;
        }
        item_scores_.of_items({items.data(), n}, h_.from(v), 1, {scores.data(), 0});
        best.offer_items({items.data(), n}, {scores.data(), n});
        n_exact_ += static_cast<Index>(n);
    }
    search.waiting.clear();
    if (std::isfinite(search.scale)) {  // else A is that of an earlier vector
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
