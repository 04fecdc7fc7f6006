#ifndef GRU4REC_SERVE_QUANTIZED_SCAN_HPP
#define GRU4REC_SERVE_QUANTIZED_SCAN_HPP

#include "gru4rec/serve/item_scan.hpp"
#include "gru4rec/serve/quantized_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gru4rec::inline GRU4REC_ABI {

namespace detail {

/// dots[i] = sum over the pairs of q_i0 x_0 + q_i1 x_1, for a block of 16 items: whole numbers, exact on every road.
///
/// @param block  (n_pairs, 16, 2), n_pairs even     @param x  (n_pairs, 2)     @param dots  16, aligned to a cache line
inline void quantized_dots(const std::int8_t* block, const std::int16_t* x, Index n_pairs,
                           std::int32_t* dots) noexcept {
#if defined(__AVX2__)
    const auto pair = [&](Index p) {
        std::int32_t both = 0;
        std::memcpy(&both, x + 2 * p, sizeof(both));
        return both;
    };
#endif
#if defined(__AVX512BW__)
    const auto products = [&](Index p) {
        const __m256i bytes = _mm256_load_si256(reinterpret_cast<const __m256i*>(block + 32 * p));
        return _mm512_madd_epi16(_mm512_cvtepi8_epi16(bytes), _mm512_set1_epi32(pair(p)));
    };
    __m512i even = _mm512_setzero_si512();
    __m512i odd = _mm512_setzero_si512();
    for (Index p = 0; p < n_pairs; p += 2) {
        even = _mm512_add_epi32(even, products(p));
        odd = _mm512_add_epi32(odd, products(p + 1));
    }
    _mm512_store_si512(dots, _mm512_add_epi32(even, odd));
#elif defined(__AVX2__)
    const auto words = [&](Index at) {
        return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(block + at)));
    };
    __m256i low = _mm256_setzero_si256();
    __m256i high = _mm256_setzero_si256();
    for (Index p = 0; p < n_pairs; ++p) {
        const __m256i both = _mm256_set1_epi32(pair(p));
        low = _mm256_add_epi32(low, _mm256_madd_epi16(words(32 * p), both));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(words(32 * p + 16), both));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(dots), low);
    _mm256_store_si256(reinterpret_cast<__m256i*>(dots + 8), high);
#else
    std::fill_n(dots, 16, 0);
    for (Index p = 0; p < n_pairs; ++p) {
        for (Index i = 0; i < 16; ++i) {
            dots[i] += block[32 * p + 2 * i] * x[2 * p] + block[32 * p + 2 * i + 1] * x[2 * p + 1];
        }
    }
#endif
}

/// The best items by way of a QuantizedTable: items and scores are those of scan_items, to the bit.
///
/// With h = t x + d (x whole numbers, t one scale) and w_i = s_i q_i + e_i
///
///     w_i h - s_i t (q_i x) = s_i q_i d + e_i h   <=   s_i (Q |d| + C |h|)         Q = max |q_i|,  C = max |e_i| / s_i
///
/// by Cauchy-Schwarz. The exact score is itself a rounded sum of products; it differs from w_i h + b_i by less than
/// g (|w_i| |h| + |b_i|), g = relative_rounding(), whatever the order of the sum, and |w_i| <= s_i (Q + C). So an
/// item's exact score is at most
///
///     U_i = s_i (t (q_i x) + R) + (b_i + g |b_i|) + A,      R = Q |d| + C |h| + g (Q + C) (|h| + |d|)
///
/// where g also covers the rounding of U_i and A what products lose that are too small for a normal number. An item
/// with U_i below the worst exact score that is kept cannot be among the best; all others are scored exactly.
template <class Scalar>
class QuantizedScan {
  public:
    QuantizedScan(const QuantizedTable<Scalar>& table, Index max_sessions)
        : table_(&table), words_(max_sessions * words_stride()), queries_(static_cast<std::size_t>(max_sessions)) {}

    /// The same as scan_items.
    void scan(Rows<const Scalar> h, std::span<TopK<Scalar>* const> lists) noexcept {
        const auto n = static_cast<Index>(lists.size());
        for (Index v = 0; v < n; ++v) {
            queries_[static_cast<std::size_t>(v)] = quantize(h(v), words_.data() + v * words_stride());
        }
        for (Index first = 0; first < table_->n_blocks(); first += chunk_blocks) {
            for (Index v = 0; v < n; ++v) {
                scan_chunk(first, queries_[static_cast<std::size_t>(v)], h(v), *lists[static_cast<std::size_t>(v)]);
            }
        }
    }

    /// Items that were scored exactly so far.
    [[nodiscard]] Index n_exact() const noexcept { return n_exact_; }

  private:
    static constexpr Index block_items = QuantizedTable<Scalar>::block_items;
    static constexpr Index chunk_blocks = 8;
    static constexpr auto chunk_items = static_cast<std::size_t>(chunk_blocks * block_items);

    /// A hidden state in whole numbers, with what its bound needs.
    struct Query {
        const std::int16_t* words = nullptr;  ///< x, (n_pairs, 2)
        float scale = 0;                      ///< t; not finite: everything is to be scored exactly
        float radius = 0;                     ///< R
        double underflow = 0;                 ///< A
    };

    [[nodiscard]] Index words_stride() const noexcept { return 2 * table_->n_pairs(); }

    [[nodiscard]] Query quantize(const Scalar* h, std::int16_t* words) const noexcept {
        constexpr auto tiny = static_cast<double>((std::numeric_limits<float>::min)());
        const Index width = table_->model().network().output_width();
        double largest = 0;
        double sum = 0;
        for (Index k = 0; k < width; ++k) {
            const double size = std::abs(static_cast<double>(h[k]));
            largest = (std::max)(largest, size);
            sum += size;
        }
        Query query{words};
        if (!(sum <= QuantizedTable<Scalar>::largest_state)) {  // NaN and infinity too
            query.scale = std::numeric_limits<float>::infinity();
            return query;
        }
        // As many levels as 16 bits hold and 32 bits can sum.
        const double levels = (std::min)(32767.0, std::floor(2147483647.0 / (127.0 * static_cast<double>(width))));
        query.scale = static_cast<float>((std::max)(tiny, largest / levels));
        const auto scale = static_cast<double>(query.scale);
        double norm = 0;
        double error = 0;
        for (Index k = 0; k < width; ++k) {
            const auto value = static_cast<double>(h[k]);
            const double x = std::nearbyint(value / scale);
            words[k] = static_cast<std::int16_t>(x);
            norm += value * value;
            error += (value - scale * x) * (value - scale * x);
        }
        norm = std::sqrt(norm);
        error = std::sqrt(error);
        const double g = table_->relative_rounding();
        const double sizes = table_->largest_norm() + table_->largest_error();
        const double radius = table_->largest_norm() * error + table_->largest_error() * norm +
                              g * sizes * (norm + error) + 256 * static_cast<double>(width) * tiny;
        query.radius = static_cast<float>(radius * (1 + 2 * g));
        query.underflow = static_cast<double>(width + 16) * tiny * (1 + largest);
        return query;
    }

    void scan_chunk(Index first, const Query& query, const Scalar* h, TopK<Scalar>& list) noexcept {
        using Lanes = LaneVector<float>;
        alignas(cache_line) std::array<float, chunk_items> upper;
        const float limit = limit_of(list.worst(), query);
        const Index n_blocks = (std::min)(chunk_blocks, table_->n_blocks() - first);
        Lanes reached(0);
        for (Index block = 0; block < n_blocks; ++block) {
            const Lanes bounds = upper_bounds(first + block, query);
            reached += select(bounds < Lanes(limit), Lanes(0), Lanes(1));
            bounds.store(upper.data() + block * block_items);
        }
        alignas(cache_line) std::array<float, static_cast<std::size_t>(block_items)> counts;
        reached.store(counts.data());
        if (std::ranges::any_of(counts, [](float count) { return count > 0; })) {
            score_exactly(first * block_items, {upper.data(), static_cast<std::size_t>(n_blocks * block_items)}, limit,
                          h, list);
        }
    }

    /// U_i - A of a block.
    [[nodiscard]] LaneVector<float> upper_bounds(Index block, const Query& query) const noexcept {
        using Lanes = LaneVector<float>;
        alignas(cache_line) std::array<std::int32_t, static_cast<std::size_t>(block_items)> dots;
        quantized_dots(table_->block(block), query.words, table_->n_pairs(), dots.data());
        alignas(cache_line) std::array<float, static_cast<std::size_t>(block_items)> whole;
        for (std::size_t i = 0; i < dots.size(); ++i) {
            whole[i] = static_cast<float>(dots[i]);
        }
        const Lanes inner = multiply_add(Lanes(query.scale), Lanes::load(whole.data()), Lanes(query.radius));
        return multiply_add(Lanes::load(table_->scales(block)), inner, Lanes::load(table_->upper_biases(block)));
    }

    /// Scores the items of a chunk whose bounds reach the limit and offers them.
    void score_exactly(Index first, std::span<const float> upper, float limit, const Scalar* h,
                       TopK<Scalar>& list) noexcept {
        const Parameter<Scalar>& table = table_->model().network().output_table();
        std::array<ItemIndex, chunk_items> items;
        alignas(cache_line) std::array<Scalar, chunk_items> scores;
        Index n = 0;
        for (Index i = 0; i < (std::min)(static_cast<Index>(upper.size()), table.rows() - first); ++i) {
            if (!(upper[static_cast<std::size_t>(i)] < limit)) {
                items[static_cast<std::size_t>(n++)] = to_item(first + i);
            }
        }
        row_products(Rows<const Scalar>{table.data(), table.stride(), items.data()}, 0, n, table.cols(),
                     Rows<const Scalar>{h, table.stride()}, 1, Rows<Scalar>{scores.data(), 0});
        for (Index i = 0; i < n; ++i) {
            list.offer(items[static_cast<std::size_t>(i)], scores[static_cast<std::size_t>(i)]);
        }
        n_exact_ += n;
    }

    /// What U_i - A must reach: `worst` - A, rounded down; NaN, which every bound reaches, where there is no limit.
    [[nodiscard]] static float limit_of(Scalar worst, const Query& query) noexcept {
        constexpr double most = (std::numeric_limits<float>::max)();
        const double limit = static_cast<double>(worst) - query.underflow;
        if (std::isnan(limit) || !std::isfinite(query.scale)) {
            return std::numeric_limits<float>::quiet_NaN();
        }
        return std::nextafter(static_cast<float>(std::clamp(limit, -most, most)),
                              -std::numeric_limits<float>::infinity());
    }

    const QuantizedTable<Scalar>* table_;
    AlignedBuffer<std::int16_t> words_;
    std::vector<Query> queries_;
    Index n_exact_ = 0;
};

}  // namespace detail
}  // namespace gru4rec::inline GRU4REC_ABI

#endif
