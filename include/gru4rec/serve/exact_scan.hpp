#ifndef GRU4REC_SERVE_EXACT_SCAN_HPP
#define GRU4REC_SERVE_EXACT_SCAN_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/lane_dot_products.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/serve/item_scores.hpp"
#include "gru4rec/serve/ranking.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Sessions that are served together, at most: a block of the table is scored for all of them while it is in the
/// first-level cache.
inline constexpr Index group_sessions = 64;

/// One pass over a range of items for some vectors: offers every allowed item to every ranking.
///
/// The vectors of whole tiles are scored by lane_dot_products, and a score is compared in its register with the worst
/// of its list; only scores that may enter a list are stored. The others are scored by dot_products: the same bits.
template <class Scalar>
class ExactScan {
  public:
    /// @param h         as for ItemScores, a row per ranking
    /// @param rankings  at most group_sessions, started
    /// @param lanes     scratch memory, aligned to a cache line: lane_memory() scalars
    ExactScan(const ItemScores<Scalar>& item_scores, Rows<const Scalar> h, std::span<Ranking<Scalar>* const> rankings,
              Scalar* lanes) noexcept;

    /// Scalars of scratch memory for `n_rankings` over the table.
    [[nodiscard]] static Index lane_memory(const PaddedMatrix<Scalar>& table, Index n_rankings) noexcept {
        return (n_rankings + tile_lanes<Scalar> - 1) / tile_lanes<Scalar> * tile_size(table);
    }

    /// @param items  begins at a multiple of AllowedItems::block_items
    /// @complexity O(rankings items H) if all items are allowed, no allocation   @threads safe for distinct rankings
    void run(Range items) noexcept;

  private:
    static constexpr Index block_items = AllowedItems::block_items;
    /// Up to this many allowed items of a block are scored without the others: with half of the items allowed a request
    /// takes 0.7 of the time that it takes with all, with three quarters no more.
    static constexpr Index few_items = 48;

    /// Of the vectors of a tile.
    [[nodiscard]] static Index tile_size(const PaddedMatrix<Scalar>& table) noexcept {
        return tile_lanes<Scalar> * table.cols();
    }
    void fill_tiles() noexcept;
    void score_block(Range items) noexcept;
    void score_tile(Range items, Index first_lane) noexcept;
    void offer_lanes(Index item, Index first_lane, std::uint64_t lanes, const LaneProducts<Scalar>& scores,
                     Scalar* worst) noexcept;
    void score_some(Index first, std::uint64_t items, Range rankings) noexcept;

    [[nodiscard]] Index n_rankings() const noexcept { return std::ssize(rankings_); }
    [[nodiscard]] Rows<Scalar> scores() noexcept { return {scores_, block_items}; }

    ItemScores<Scalar> item_scores_;
    Rows<const Scalar> h_;
    std::span<Ranking<Scalar>* const> rankings_;
    Scalar* lanes_;         // tile after tile
    Index n_in_tiles_ = 0;  // the rankings whose vectors are in tiles: the first ones
    std::array<std::uint64_t, static_cast<std::size_t>(group_sessions)> allowed_{};  // of the block, by ranking
    alignas(cache_line) Scalar scores_[group_sessions * block_items];
};

template <class Scalar>
ExactScan<Scalar>::ExactScan(const ItemScores<Scalar>& item_scores, Rows<const Scalar> h,
                             std::span<Ranking<Scalar>* const> rankings, Scalar* lanes) noexcept
    : item_scores_(item_scores), h_(h), rankings_(rankings), lanes_(lanes) {
    GRU4REC_ASSERT(n_rankings() <= group_sessions);
    fill_tiles();
}

/// A last tile that is two thirds full takes less time than its vectors would one by one.
template <class Scalar>
void ExactScan<Scalar>::fill_tiles() noexcept {
    constexpr Index tile = tile_lanes<Scalar>;
    const Index left = n_rankings() % tile;
    n_in_tiles_ = has_fast_lanes<Scalar> ? n_rankings() - (3 * left >= 2 * tile ? 0 : left) : 0;
    const Index width = item_scores_.table->cols();
    Scalar* to = lanes_;
    for (Index first = 0; first < n_in_tiles_; first += tile) {
        for (Index k = 0; k < width; ++k) {
            for (Index lane = first; lane < first + tile; ++lane) {
                *to++ = lane < n_in_tiles_ ? h_(lane)[k] : Scalar(0);
            }
        }
    }
}

template <class Scalar>
void ExactScan<Scalar>::run(Range items) noexcept {
    GRU4REC_ASSERT(items.begin % block_items == 0);
    for (Index first = items.begin; first < items.end; first += block_items) {
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
            score_block({first, (std::min)(first + block_items, items.end)});
        } else {
            score_some(first, any, {0, n_rankings()});
        }
    }
}

template <class Scalar>
void ExactScan<Scalar>::score_block(Range items) noexcept {
    for (Index lane = 0; lane < n_in_tiles_; lane += tile_lanes<Scalar>) {
        score_tile(items, lane);
    }
    item_scores_.of_range(items, h_.from(n_in_tiles_), n_rankings() - n_in_tiles_, scores().from(n_in_tiles_));
    for (Index v = n_in_tiles_; v < n_rankings(); ++v) {
        at(rankings_, v)
            ->best.offer_range(to_item(items.begin), {scores()(v), static_cast<std::size_t>(items.size())},
                               at(allowed_, v));
    }
}

/// Scores a block for the rankings of a tile, and offers what is not below the worst of their lists.
template <class Scalar>
void ExactScan<Scalar>::score_tile(Range items, Index first_lane) noexcept {
    constexpr Index tile = tile_lanes<Scalar>;
    const PaddedMatrix<Scalar>& table = *item_scores_.table;
    constexpr std::uint64_t all_lanes = ~std::uint64_t{0} >> (64 - tile);
    alignas(cache_line) std::array<Scalar, static_cast<std::size_t>(tile)> worst;
    worst.fill(std::numeric_limits<Scalar>::infinity());  // lanes without a ranking get no item
    for (Index lane = 0; lane < (std::min)(tile, n_in_tiles_ - first_lane); ++lane) {
        at(worst, lane) = at(rankings_, first_lane + lane)->best.worst();
    }
    lane_dot_products<Scalar>({{table.row(items.begin), table.stride()}, {0, items.size()}, {0, table.cols()}},
                              lanes_ + first_lane / tile * tile_size(table), [&](Index i, LaneProducts<Scalar> scores) {
                                  if (item_scores_.factors != nullptr) {
                                      scores = scores * LaneProducts<Scalar>(item_scores_.factors[items.begin + i]);
                                  }
                                  const std::uint64_t below = bits(scores <= LaneProducts<Scalar>::load(worst.data()));
                                  if (const std::uint64_t others = ~below & all_lanes; others != 0) {
                                      offer_lanes(items.begin + i, first_lane, others, scores, worst.data());
                                  }
                              });
}

/// @param lanes  a bit for each lane of the tile whose score may enter its list
/// @param worst  of the lists of the tile; kept up to date
template <class Scalar>
void ExactScan<Scalar>::offer_lanes(Index item, Index first_lane, std::uint64_t lanes,
                                    const LaneProducts<Scalar>& scores, Scalar* worst) noexcept {
    alignas(cache_line) std::array<Scalar, static_cast<std::size_t>(tile_lanes<Scalar>)> score;
    scores.store(score.data());
    for (; lanes != 0; lanes &= lanes - 1) {
        const Index lane = std::countr_zero(lanes);
        if (first_lane + lane < n_in_tiles_ && (at(allowed_, first_lane + lane) >> (item % block_items) & 1) != 0) {
            TopK<Scalar>& best = at(rankings_, first_lane + lane)->best;
            best.offer(to_item(item), at(score, lane));
            worst[lane] = best.worst();
        }
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

#if defined(GRU4REC_COMPILED)
extern template class ExactScan<float>;
extern template class ExactScan<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
