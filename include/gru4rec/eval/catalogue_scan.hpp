#ifndef GRU4REC_EVAL_CATALOGUE_SCAN_HPP
#define GRU4REC_EVAL_CATALOGUE_SCAN_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

// One pass over the catalogue scores every item for many lanes. Scores exist only as tiles of a few items, small enough
// for the first-level cache; each tile is handed to those that need it before the next one overwrites it:
//
//   CatalogueScan --ScoreTile--> RankCounts   where does the target of each lane stand?
//                            `-> TopLists     which items score highest for each lane?
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Items of a tile; the last one of a part may be smaller.
inline constexpr Index tile_items = 2 * tile_multiple;

/// The scores of some lanes for some consecutive items.
template <class Scalar>
struct ScoreTile {
    LaneMatrix<const Scalar> scores;  ///< (n_lanes, n_items)
    Index first_lane = 0;             ///< a multiple of the scalars in a cache line
    Index n_lanes = 0;
    Index first_item = 0;
    Index n_items = 0;
    Index part = 0;  ///< of the catalogue; the tiles of a part and a lane come in order of items, on one thread
};

/// Counts the items that score higher than each lane's target, and those that score the same.
template <class Scalar>
class RankCounts {
  public:
    RankCounts(Index n_parts, Index max_lanes);

    /// @param score  of the lane's target, to the bit as in its tile, so that the target equals itself
    void set_target(Index lane, Scalar score) noexcept { targets_[lane] = score; }
    /// Resets the counts of `n_lanes` lanes in one part.
    void start(Index part, Index first_lane, Index n_lanes) noexcept;
    void take(const ScoreTile<Scalar>& tile) noexcept;
    /// Sums the counts of all parts.
    [[nodiscard]] TargetRank rank(Index lane) const noexcept;

    /// Counts are kept in Scalar and stay exact up to this many items per part.
    static constexpr Index most_items = Index{1} << 22;

  private:
    [[nodiscard]] Scalar* greater(Index part) noexcept { return counts_.data() + 2 * part * stride_; }
    [[nodiscard]] Scalar* equal(Index part) noexcept { return greater(part) + stride_; }

    Index n_parts_;
    Index stride_;
    AlignedBuffer<Scalar> targets_;  // (lanes)
    AlignedBuffer<Scalar> counts_;   // per part: greater (lanes), equal (lanes)
};

/// Keeps the best items of each lane: higher scores first, equal ones by lower item index, NaN last.
///
/// Each part collects the scores above a bar, in order of items. When its memory is full, it keeps the best and raises
/// the bar to the worst of them. Neither step branches on single scores, which makes it several times faster than a heap.
template <class Scalar>
class TopLists {
  public:
    TopLists(const Chunks& parts, Index max_lanes, Index length);

    /// Empties the lists of `n_lanes` lanes in one part.
    void start(Index part, Index first_lane, Index n_lanes) noexcept;
    void take(const ScoreTile<Scalar>& tile) noexcept;
    /// Joins the parts' lists. @threads safe for distinct lanes
    void merge(Index lane);
    /// Best first, valid until the lane is merged again.
    [[nodiscard]] std::span<const Recommendation<Scalar>> list(Index lane) const noexcept { return at(lists_, lane); }

  private:
    /// What a part has collected for a lane.
    struct Collected {
        Scalar* scores;
        ItemIndex* items;
        Index& n;
        Scalar& bar;  // only scores above it can be listed; NaN: all can
    };

    static constexpr Index block_items = 12;  // that are compared with the bar at once

    [[nodiscard]] Index place_of(Index part, Index lane) const noexcept { return part * stride_ + lane; }
    [[nodiscard]] Collected at_place(Index place) noexcept;
    void collect(const ScoreTile<Scalar>& tile, Index lane, Index begin, Index end) noexcept;
    void keep_best(const Collected& collected) const noexcept;
    [[nodiscard]] Scalar worst_listed(std::span<const Scalar> scores) const noexcept;

    Chunks parts_;
    Index length_;
    Index limit_;  // entries that a part collects before it keeps the best
    Index capacity_;
    Index stride_;
    AlignedBuffer<Scalar> bars_;     // per part (lanes)
    std::vector<Index> sizes_;       // per part (lanes)
    AlignedBuffer<Scalar> scores_;   // per part and lane (capacity)
    std::vector<ItemIndex> items_;   // likewise
    std::vector<std::vector<Recommendation<Scalar>>> lists_;  // per lane
};

/// Ranks the targets of up to `max_lanes` lanes among all items, and on request lists each lane's best items.
template <class Scalar>
class CatalogueScan {
  public:
    /// @param table        (V, H + 1), the last column the bias; must outlive this object
    /// @param list_length  0: no lists
    CatalogueScan(const Parameter<Scalar>& table, Index max_lanes, Index list_length);

    /// @param h  (lanes, H + 1), the last column 1
    /// @complexity O(lanes V H), parallel over parts of the table and groups of lanes
    void run(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets);

    /// Of the last run, as the lists.
    [[nodiscard]] TargetRank rank(Index lane) const noexcept { return ranks_.rank(lane); }
    [[nodiscard]] std::span<const Recommendation<Scalar>> list(Index lane) const noexcept { return lists_->list(lane); }

  private:
    [[nodiscard]] static Chunks parts_of(const Parameter<Scalar>& table, Index max_lanes, Index list_length);
    void score_targets(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets);
    void scan_part(LaneMatrix<const Scalar> h, Index part, const Chunks& groups, Index group);

    const Parameter<Scalar>& table_;
    Chunks parts_;
    Index group_lanes_;
    Index stride_;
    RankCounts<Scalar> ranks_;
    std::optional<TopLists<Scalar>> lists_;
    AlignedBuffer<Scalar> tiles_;          // per part and group of lanes
    AlignedBuffer<Scalar> target_scores_;  // (lanes, targets of all lanes)
};

template <class Scalar>
RankCounts<Scalar>::RankCounts(Index n_parts, Index max_lanes)
    : n_parts_(n_parts), stride_(row_stride<Scalar>(max_lanes)), targets_(stride_), counts_(2 * n_parts * stride_) {}

template <class Scalar>
void RankCounts<Scalar>::start(Index part, Index first_lane, Index n_lanes) noexcept {
    std::fill_n(greater(part) + first_lane, padded<Scalar>(n_lanes), Scalar(0));
    std::fill_n(equal(part) + first_lane, padded<Scalar>(n_lanes), Scalar(0));
}

template <class Scalar>
void RankCounts<Scalar>::take(const ScoreTile<Scalar>& tile) noexcept {
    using Lanes = SimdVector<Scalar>;
    Scalar* const greater_counts = greater(tile.part) + tile.first_lane;
    Scalar* const equal_counts = equal(tile.part) + tile.first_lane;
    for (Index lane = 0; lane < tile.n_lanes; lane += scalars_per_line<Scalar>) {
        const Lanes target = Lanes::load(targets_.data() + tile.first_lane + lane);
        Lanes n_greater = Lanes::load(greater_counts + lane);
        Lanes n_equal = Lanes::load(equal_counts + lane);
        for (Index j = 0; j < tile.n_items; ++j) {
            const Lanes score = Lanes::load(tile.scores.column(j) + lane);
            n_greater += select(score > target, Lanes(1), Lanes(0));
            n_equal += select(score == target, Lanes(1), Lanes(0));
        }
        n_greater.store(greater_counts + lane);
        n_equal.store(equal_counts + lane);
    }
}

template <class Scalar>
TargetRank RankCounts<Scalar>::rank(Index lane) const noexcept {
    TargetRank rank{0, 0, !std::isnan(targets_[lane])};
    for (Index part = 0; part < n_parts_; ++part) {
        rank.greater += static_cast<Index>(counts_[2 * part * stride_ + lane]);
        rank.equal += static_cast<Index>(counts_[(2 * part + 1) * stride_ + lane]);
    }
    return rank;
}

template <class Scalar>
TopLists<Scalar>::TopLists(const Chunks& parts, Index max_lanes, Index length)
    : parts_(parts),
      length_(length),
      limit_((std::min)(length + (std::max)(length, Index{64}), parts.grain)),
      capacity_(padded<Scalar>(limit_ + block_items)),
      stride_(row_stride<Scalar>(max_lanes)),
      bars_(parts.count() * stride_),
      sizes_(static_cast<std::size_t>(parts.count() * stride_)),
      scores_(parts.count() * stride_ * capacity_),
      items_(static_cast<std::size_t>(scores_.size())),
      lists_(static_cast<std::size_t>(max_lanes)) {}

template <class Scalar>
typename TopLists<Scalar>::Collected TopLists<Scalar>::at_place(Index place) noexcept {
    return {scores_.data() + place * capacity_, items_.data() + place * capacity_, at(sizes_, place), bars_[place]};
}

template <class Scalar>
void TopLists<Scalar>::start(Index part, Index first_lane, Index n_lanes) noexcept {
    const Index begin = place_of(part, first_lane);
    for (Index place = begin; place < begin + padded<Scalar>(n_lanes); ++place) {
        at(sizes_, place) = 0;
        // Padded lanes collect nothing, for nothing scores above infinity.
        bars_[place] = place < begin + n_lanes ? std::numeric_limits<Scalar>::quiet_NaN()
                                               : std::numeric_limits<Scalar>::infinity();
    }
}

/// Nearly all scores are below the bar. They are rejected a cache line of lanes at a time; only lanes with a score above
/// it are looked at one by one.
template <class Scalar>
void TopLists<Scalar>::take(const ScoreTile<Scalar>& tile) noexcept {
    using Lanes = SimdVector<Scalar>;
    for (Index lane = 0; lane < tile.n_lanes; lane += scalars_per_line<Scalar>) {
        const Scalar* const bars = bars_.data() + place_of(tile.part, tile.first_lane + lane);
        for (Index begin = 0; begin < tile.n_items; begin += block_items) {
            const Index end = (std::min)(begin + block_items, tile.n_items);
            const Lanes bar = Lanes::load(bars);
            Lanes n_above = select(bar == bar, Lanes(0), Lanes(1));
            for (Index j = begin; j < end; ++j) {
                n_above += select(Lanes::load(tile.scores.column(j) + lane) > bar, Lanes(1), Lanes(0));
            }
            alignas(cache_line) Scalar counts[static_cast<std::size_t>(scalars_per_line<Scalar>)];
            n_above.store(counts);
            for (Index i = 0; i < scalars_per_line<Scalar>; ++i) {
                if (counts[i] > 0) {
                    collect(tile, lane + i, begin, end);
                }
            }
        }
    }
}

/// @param lane  within the tile, as the items begin .. end-1
template <class Scalar>
void TopLists<Scalar>::collect(const ScoreTile<Scalar>& tile, Index lane, Index begin, Index end) noexcept {
    const Collected collected = at_place(place_of(tile.part, tile.first_lane + lane));
    const Scalar bar = collected.bar;
    Index n = collected.n;
    for (Index j = begin; j < end; ++j) {
        const Scalar score = tile.scores.column(j)[lane];
        collected.scores[n] = score;
        collected.items[n] = to_item(tile.first_item + j);
        n += static_cast<Index>(!(score <= bar));  // a later item with the same score is not better
    }
    collected.n = n;
    if (n > limit_) {
        keep_best(collected);
    }
}

/// Keeps the `length` best in their order.
template <class Scalar>
void TopLists<Scalar>::keep_best(const Collected& collected) const noexcept {
    const std::span<const Scalar> scores(collected.scores, static_cast<std::size_t>(collected.n));
    const Scalar worst = worst_listed(scores);
    const auto n_better = std::ranges::count_if(
        scores, [worst](Scalar score) { return std::isnan(worst) ? !std::isnan(score) : score > worst; });
    Index n_equal = length_ - static_cast<Index>(n_better);
    Index n = 0;
    for (Index i = 0; i < collected.n; ++i) {
        const Scalar score = collected.scores[i];
        const bool equal = score == worst || (std::isnan(score) && std::isnan(worst));
        const bool better = score > worst || (std::isnan(worst) && !std::isnan(score));
        collected.scores[n] = score;
        collected.items[n] = collected.items[i];
        n += static_cast<Index>(better || (equal && n_equal > 0));
        n_equal -= static_cast<Index>(equal);
    }
    collected.n = n;
    collected.bar = worst;
}

/// The score of rank `length`; NaN if fewer scores are numbers. Quickselect that counts instead of moving scores.
template <class Scalar>
Scalar TopLists<Scalar>::worst_listed(std::span<const Scalar> scores) const noexcept {
    const auto count = [&](auto matches) {
        std::int32_t n = 0;
        for (const Scalar score : scores) {
            n += static_cast<std::int32_t>(matches(score));
        }
        return Index{n};
    };
    // The wanted score is above `low` and below `high`, as far as these are set.
    std::optional<Scalar> low, high;
    for (const Scalar pivot : scores) {
        if (!(pivot == pivot) || (low && pivot <= *low) || (high && pivot >= *high)) {
            continue;
        }
        if (count([pivot](Scalar score) { return score > pivot; }) >= length_) {
            low = pivot;
        } else if (count([pivot](Scalar score) { return score >= pivot; }) >= length_) {
            return pivot;
        } else {
            high = pivot;
        }
    }
    return std::numeric_limits<Scalar>::quiet_NaN();
}

template <class Scalar>
void TopLists<Scalar>::merge(Index lane) {
    std::vector<Recommendation<Scalar>>& list = at(lists_, lane);
    list.clear();
    for (Index part = 0; part < parts_.count(); ++part) {
        const Collected collected = at_place(place_of(part, lane));
        if (collected.n > length_) {
            keep_best(collected);
        }
        for (Index i = 0; i < collected.n; ++i) {
            list.push_back({collected.items[i], collected.scores[i]});
        }
    }
    std::ranges::sort(list, TopK<Scalar>::better);
    list.resize(static_cast<std::size_t>(length_));
}

template <class Scalar>
CatalogueScan<Scalar>::CatalogueScan(const Parameter<Scalar>& table, Index max_lanes, Index list_length)
    : table_(table),
      parts_(parts_of(table, max_lanes, list_length)),
      group_lanes_(list_length > 0 ? Index{GROUP} : max_lanes),
      stride_(row_stride<Scalar>(group_lanes_)),
      ranks_(parts_.count(), max_lanes),
      tiles_(parts_.count() * Chunks{max_lanes, group_lanes_}.count() * stride_ * tile_items),
      target_scores_(row_stride<Scalar>(max_lanes) * padded<Scalar>(max_lanes)) {
    if (list_length > 0) {
        lists_.emplace(parts_, max_lanes, list_length);
    }
}

/// Each part fills its lists anew, which only pays if the part is much longer than the list.
template <class Scalar>
Chunks CatalogueScan<Scalar>::parts_of(const Parameter<Scalar>& table, Index max_lanes, Index list_length) {
    if (list_length > 0) {
        const Index n_parts = std::clamp(table.rows() / 8192, Index{1}, Index{PARTS});
        const Index size = (table.rows() + n_parts - 1) / n_parts;
        return {table.rows(),
                (std::min)((size + tile_items - 1) / tile_items * tile_items, RankCounts<Scalar>::most_items)};
    }
    return chunks_by_work(table.rows(), tile_items, 2.0 * static_cast<double>(max_lanes * table.cols()), 8e6);
}

template <class Scalar>
void CatalogueScan<Scalar>::run(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets) {
    const auto n_lanes = static_cast<Index>(targets.size());
    score_targets(h, targets);
    const Chunks groups{n_lanes, group_lanes_};
    parallel_chunks(groups.count() * parts_.count(),
                    [&](Index task) { scan_part(h, task / groups.count(), groups, task % groups.count()); });
    if (lists_) {
        parallel_ranges({n_lanes, 8}, [&](Index begin, Index end) {
            for (Index lane = begin; lane < end; ++lane) {
                lists_->merge(lane);
            }
        });
    }
}

/// By the kernel that scores the tiles: a sum has the same bits in whatever tile it is.
template <class Scalar>
void CatalogueScan<Scalar>::score_targets(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets) {
    const auto n_lanes = static_cast<Index>(targets.size());
    const Index lanes = padded<Scalar>(n_lanes);
    const LaneMatrix<Scalar> scores{target_scores_.data(), row_stride<Scalar>(lanes)};
    multiply_rows<Scalar>({{table_.data(), table_.stride(), targets.data()}, {0, n_lanes}, {0, table_.cols()}}, h,
                          lanes, scores);
    for (Index lane = 0; lane < n_lanes; ++lane) {
        ranks_.set_target(lane, scores.column(lane)[lane]);
    }
}

template <class Scalar>
void CatalogueScan<Scalar>::scan_part(LaneMatrix<const Scalar> h, Index part, const Chunks& groups, Index group) {
    const Index first_lane = groups.begin(group);
    const Index n_lanes = groups.end(group) - first_lane;
    Scalar* const memory = tiles_.data() + (part * groups.count() + group) * stride_ * tile_items;
    const LaneMatrix<Scalar> scores{memory, stride_};
    ranks_.start(part, first_lane, n_lanes);
    if (lists_) {
        lists_->start(part, first_lane, n_lanes);
    }
    for (Index first = parts_.begin(part); first < parts_.end(part); first += tile_items) {
        const Index n = (std::min)(tile_items, parts_.end(part) - first);
        multiply_rows<Scalar>({{table_.row(first), table_.stride()}, {0, n}, {0, table_.cols()}}, h.from(first_lane),
                              padded<Scalar>(n_lanes), scores);
        const ScoreTile<Scalar> tile{scores, first_lane, n_lanes, first, n, part};
        ranks_.take(tile);
        if (lists_) {
            lists_->take(tile);
        }
    }
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
