#ifndef GRU4REC_SERVE_SCAN_HPP
#define GRU4REC_SERVE_SCAN_HPP

#include "gru4rec/core/dot_products.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/model/model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

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
        dot_products<Scalar>({{table.row(begin), table.stride()}, {0, count}, {0, table.cols()}}, h, n,
                             Rows<Scalar>{scores, block_items});
        for (Index v = 0; v < n; ++v) {
            lists[static_cast<std::size_t>(v)]->offer_range(
                to_item(begin), std::span<const Scalar>(scores + v * block_items, static_cast<std::size_t>(count)));
        }
    }
}

}  // namespace detail
/// A model's output table in one byte per weight, for a Recommender that finds the same items with the same scores in
/// less time: what could be among the best by the quantised scores is scored again exactly (see QuantizedScan for the
/// bound). Rows are w_i = s_i q_i + e_i with whole q in -127 .. 127 and one scale s_i per row.
///
///     block of 16 items     | q00 q01 | q10 q11 | ... | q15,0 q15,1 |      two features of each item lie together,
///                           | q02 q03 | q12 q13 | ... | q15,2 q15,3 |      then the next two
///
/// Memory: about H + 8 bytes per item beside the model.
/// @threads const: any number of recommenders over one table
template <class Scalar>
class QuantizedTable {
  public:
    static constexpr Index block_items = 16;

    /// Reads the output table once, in parallel.
    ///
    /// @param model  must outlive the table; a table of weights that have changed since is wrong
    /// @complexity O(V H)
    explicit QuantizedTable(const Model<Scalar>& model)
        : model_(&model),
          n_pairs_((model.network().output_width() + 3) / 4 * 2),
          n_blocks_((model.n_items() + block_items - 1) / block_items),
          values_(n_blocks_ * block_bytes()),
          scales_(n_blocks_ * block_items),
          biases_(n_blocks_ * block_items) {
        const detail::Chunks chunks{n_blocks_, 256};
        std::vector<Norms> norms(static_cast<std::size_t>(chunks.count()));
        detail::parallel_chunks(chunks.count(), [&](Index chunk) {
            Norms& of_chunk = norms[static_cast<std::size_t>(chunk)];
            for (Index item = chunks.begin(chunk) * block_items; item < chunks.end(chunk) * block_items; ++item) {
                quantize(item, of_chunk);
            }
        });
        for (const Norms& of_chunk : norms) {
            norms_.take(of_chunk);
        }
    }

    [[nodiscard]] const Model<Scalar>& model() const noexcept { return *model_; }

    /// Bytes that a scan reads.
    [[nodiscard]] Index bytes() const noexcept {
        return values_.size() + (scales_.size() + biases_.size()) * static_cast<Index>(sizeof(float));
    }

    /// Pairs of features, an even number of them: zeros stand behind the last feature.
    [[nodiscard]] Index n_pairs() const noexcept { return n_pairs_; }
    [[nodiscard]] Index n_blocks() const noexcept { return n_blocks_; }
    /// (n_pairs, 16, 2)
    [[nodiscard]] const std::int8_t* block(Index i) const noexcept { return values_.data() + i * block_bytes(); }
    /// (16) of a block
    [[nodiscard]] const float* scales(Index i) const noexcept { return scales_.data() + i * block_items; }
    /// (16) of a block: b_i + relative_rounding() |b_i|, rounded up; infinite for a row that is always scored exactly
    [[nodiscard]] const float* upper_biases(Index i) const noexcept { return biases_.data() + i * block_items; }

    /// The largest |q_i|, Euclidean.
    [[nodiscard]] double largest_norm() const noexcept { return norms_.quantized; }
    /// The largest |e_i| / s_i, Euclidean.
    [[nodiscard]] double largest_error() const noexcept { return norms_.error; }

    /// A sum of the row's products in any order, and the bound's own arithmetic, are wrong by less than this share of
    /// the sum of the magnitudes.
    [[nodiscard]] double relative_rounding() const noexcept {
        return static_cast<double>(detail::padded<Scalar>(model_->network().output_width() + 1) + 16) * 0x1p-24;
    }

    /// Rows and states beyond these sums of magnitudes are scored exactly, so that no product or sum overflows.
    static constexpr double largest_row = 1e19;
    static constexpr double largest_state = 1e18;

  private:
    struct Norms {
        double quantized = 0;
        double error = 0;

        void take(const Norms& other) noexcept {
            quantized = (std::max)(quantized, other.quantized);
            error = (std::max)(error, other.error);
        }
    };

    [[nodiscard]] Index block_bytes() const noexcept { return n_pairs_ * 2 * block_items; }

    void quantize(Index item, Norms& norms) noexcept {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        const detail::Parameter<Scalar>& table = model_->network().output_table();
        if (item >= table.rows()) {
            biases_[item] = -infinity;
            return;
        }
        const Index width = model_->network().output_width();
        const Scalar* const row = table.row(item);
        const auto bias = static_cast<double>(row[width]);
        double largest = 0;
        double sum = std::abs(bias);
        for (Index k = 0; k < width; ++k) {
            const double size = std::abs(static_cast<double>(row[k]));
            largest = (std::max)(largest, size);
            sum += size;
        }
        if (!(sum <= largest_row)) {  // NaN and infinity too
            biases_[item] = infinity;
            return;
        }
        // At least the smallest normal number: below it a scale would have too few digits.
        const float scale = (std::max)((std::numeric_limits<float>::min)(), static_cast<float>(largest / 127));
        scales_[item] = scale;
        biases_[item] = std::nextafter(static_cast<float>(bias + relative_rounding() * std::abs(bias)), infinity);
        std::int8_t* const to = values_.data() + item / block_items * block_bytes() + item % block_items * 2;
        double quantized = 0;
        double error = 0;
        for (Index k = 0; k < width; ++k) {
            const double value = static_cast<double>(row[k]) / static_cast<double>(scale);
            const double q = std::nearbyint(value);
            to[k / 2 * 2 * block_items + k % 2] = static_cast<std::int8_t>(q);
            quantized += q * q;
            error += (value - q) * (value - q);
        }
        norms.take({std::sqrt(quantized), std::sqrt(error)});
    }

    const Model<Scalar>* model_;
    Index n_pairs_;
    Index n_blocks_;
    detail::AlignedBuffer<std::int8_t> values_;
    detail::AlignedBuffer<float> scales_, biases_;
    Norms norms_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace gru4rec {
inline namespace GRU4REC_ABI {

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
        using Lanes = SimdVector<float>;
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
        if (std::any_of(counts.begin(), counts.end(), [](float count) { return count > 0; })) {
            score_exactly(first * block_items, {upper.data(), static_cast<std::size_t>(n_blocks * block_items)}, limit,
                          h, list);
        }
    }

    /// U_i - A of a block.
    [[nodiscard]] SimdVector<float> upper_bounds(Index block, const Query& query) const noexcept {
        using Lanes = SimdVector<float>;
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
        dot_products<Scalar>({{table.data(), table.stride(), items.data()}, {0, n}, {0, table.cols()}},
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
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
