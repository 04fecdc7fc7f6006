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
#include <limits>
#include <optional>
#include <span>
#include <vector>

// One pass over the catalogue scores every item for many lanes. Scores exist only as tiles of a few items, small enough
// for the first-level cache; each tile is passed to its consumers before the next one overwrites it:
//
//   CatalogueScan --ScoreTile--> RankCounts   how many items beat the target of each lane?
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
/// Each part collects the items that score above a bar. As items are scanned, the bar rises to the lowest score that
/// can still be listed, or just below it, so few items have to be sorted at the end.
template <class Scalar>
class TopLists {
  public:
    /// @pre 1 <= length <= V
    TopLists(const Chunks& parts, Index max_lanes, Index length);

    /// Empties the lists of `n_lanes` lanes in one part.
    void start(Index part, Index first_lane, Index n_lanes) noexcept;
    void take(const ScoreTile<Scalar>& tile) noexcept;
    /// Joins the parts' lists. @threads safe for distinct lanes
    void merge(Index lane);
    /// Best first, valid until the lane is merged again.
    [[nodiscard]] std::span<const Recommendation<Scalar>> list(Index lane) const noexcept { return at(lists_, lane); }

  private:
    using Entry = Recommendation<Scalar>;

    static constexpr Index block_items = 12;  // compared with the bar together
    static constexpr Index most_maxima = 64;  // longer lists would spend more time on maxima than they save

    [[nodiscard]] Index place_of(Index part, Index lane) const noexcept { return part * stride_ + lane; }
    [[nodiscard]] std::span<Entry> collected(Index place) noexcept {
        return std::span(entries_).subspan(static_cast<std::size_t>(place * (limit_ + block_items)),
                                           static_cast<std::size_t>(at(sizes_, place)));
    }
    void take_block(const ScoreTile<Scalar>& tile, Index lane, Index begin) noexcept;
    void raise_bars(Index part, Index lane, SimdVector<Scalar> maximum_of_block) noexcept;
    void collect(const ScoreTile<Scalar>& tile, Index lane, Index begin) noexcept;
    void keep_best(Index place) noexcept;

    Chunks parts_;
    Index length_;
    Index limit_;  // a part with more entries than this drops all but the best
    Index stride_;
    AlignedBuffer<Scalar> bars_;             // per part (lanes): only scores above it can be listed; NaN: all can
    AlignedBuffer<Scalar> maxima_;           // per part (lanes, length): the highest maxima of blocks, descending
    std::vector<Index> sizes_;               // per part (lanes): entries
    std::vector<Entry> entries_;             // per part and lane: limit_, and room for one more block
    std::vector<std::vector<Entry>> lists_;  // per lane
};

/// Ranks the targets of up to `max_lanes` lanes among all items, and on request lists each lane's best items.
template <class Scalar>
class CatalogueScan {
  public:
    /// @param table        (V, H + 1), the last column the bias; must outlive this object
    /// @param list_length  0: no lists
    CatalogueScan(const PaddedMatrix<Scalar>& table, Index max_lanes, Index list_length);

    /// @param h  (lanes, H + 1), the last column 1
    /// @complexity O(lanes V H), parallel over parts of the table and groups of lanes
    void run(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets);

    /// Of the last run, as the lists.
    [[nodiscard]] TargetRank rank(Index lane) const noexcept { return ranks_.rank(lane); }
    [[nodiscard]] std::span<const Recommendation<Scalar>> list(Index lane) const noexcept { return lists_->list(lane); }

  private:
    // With lists a run is cut into this many tasks at least, and into parts of about this many items.
    static constexpr Index least_tasks = 4;
    static constexpr Index long_part = 8192;
    static constexpr Index most_parts = 4;

    [[nodiscard]] static Chunks parts_of(const PaddedMatrix<Scalar>& table, Index max_lanes, Index list_length);
    [[nodiscard]] static Index group_of(Index max_lanes, Index n_parts);
    void score_targets(LaneMatrix<const Scalar> h, std::span<const ItemIndex> targets);
    void scan_part(LaneMatrix<const Scalar> h, Index part, const Chunks& groups, Index group);

    const PaddedMatrix<Scalar>& table_;
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
            n_greater += ones(score > target);
            n_equal += ones(score == target);
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
      limit_((std::min)(length <= most_maxima ? 16 * length + 64 : 2 * length, parts.grain)),
      stride_(row_stride<Scalar>(max_lanes)),
      bars_(parts.count() * stride_),
      maxima_(length <= most_maxima ? parts.count() * stride_ * length : 0),
      sizes_(static_cast<std::size_t>(parts.count() * stride_)),
      entries_(sizes_.size() * static_cast<std::size_t>(limit_ + block_items)),
      lists_(static_cast<std::size_t>(max_lanes)) {}

template <class Scalar>
void TopLists<Scalar>::start(Index part, Index first_lane, Index n_lanes) noexcept {
    constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
    const Index begin = place_of(part, first_lane);
    const Index end = begin + padded<Scalar>(n_lanes);
    for (Index place = begin; place < end; ++place) {
        at(sizes_, place) = 0;
        // No score is above infinity, so padded lanes collect nothing.
        bars_[place] = place < begin + n_lanes ? std::numeric_limits<Scalar>::quiet_NaN() : infinity;
    }
    for (Index r = 0; r < length_ && maxima_.size() > 0; ++r) {
        Scalar* const row = maxima_.data() + (part * length_ + r) * stride_ + first_lane;
        std::fill_n(row, end - begin, -infinity);
    }
}

template <class Scalar>
void TopLists<Scalar>::take(const ScoreTile<Scalar>& tile) noexcept {
    for (Index lane = 0; lane < tile.n_lanes; lane += scalars_per_line<Scalar>) {
        for (Index begin = 0; begin < tile.n_items; begin += block_items) {
            take_block(tile, lane, begin);
        }
    }
}

/// Nearly all scores are below the bar. They are rejected a cache line of lanes at a time; only lanes with a score
/// above it are examined one by one.
///
/// @param lane, begin  within the tile
template <class Scalar>
void TopLists<Scalar>::take_block(const ScoreTile<Scalar>& tile, Index lane, Index begin) noexcept {
    using Lanes = SimdVector<Scalar>;
    const Index end = (std::min)(begin + block_items, tile.n_items);
    const Lanes bar = Lanes::load(bars_.data() + place_of(tile.part, tile.first_lane + lane));
    Lanes highest = Lanes::load(tile.scores.column(begin) + lane);
    Lanes above = select(bar == bar, Lanes(0), Lanes(1));
    for (Index j = begin; j < end; ++j) {
        const Lanes score = Lanes::load(tile.scores.column(j) + lane);
        highest = maximum(highest, score);
        above = select(score > bar, Lanes(1), above);
    }
    alignas(cache_line) Scalar is_above[static_cast<std::size_t>(scalars_per_line<Scalar>)];
    above.store(is_above);
    bool any = false;
    for (Index i = 0; i < scalars_per_line<Scalar>; ++i) {
        if (is_above[i] > 0) {
            any = true;
            collect(tile, lane + i, begin);
        }
    }
    if (any && maxima_.size() > 0) {
        raise_bars(tile.part, tile.first_lane + lane, highest);
    }
}

/// The bar becomes the `length`-th highest of the maxima of the blocks so far: that many items score at least as high,
/// and all of them come before the remaining items.
template <class Scalar>
void TopLists<Scalar>::raise_bars(Index part, Index lane, SimdVector<Scalar> maximum_of_block) noexcept {
    using Lanes = SimdVector<Scalar>;
    const Lanes lowest(-std::numeric_limits<Scalar>::infinity());
    Lanes falling = select(maximum_of_block == maximum_of_block, maximum_of_block, lowest);
    Lanes kept = lowest;
    Scalar* row = maxima_.data() + part * length_ * stride_ + lane;
    for (Index r = 0; r < length_; ++r, row += stride_) {
        const Lanes old = Lanes::load(row);
        kept = maximum(old, falling);
        falling = minimum(old, falling);
        kept.store(row);
    }
    // Minus infinity may stand for a block not seen yet or for NaN, so it cannot be a bar.
    Scalar* const bars = bars_.data() + place_of(part, lane);
    const Lanes bar = Lanes::load(bars);
    const Lanes raised = select(kept > lowest, kept, bar);
    select(bar > raised, bar, raised).store(bars);
}

/// Does not branch on scores. @param lane, begin  within the tile
template <class Scalar>
void TopLists<Scalar>::collect(const ScoreTile<Scalar>& tile, Index lane, Index begin) noexcept {
    const Index place = place_of(tile.part, tile.first_lane + lane);
    const Index end = (std::min)(begin + block_items, tile.n_items);
    const Scalar bar = bars_[place];
    Entry* const entries = collected(place).data();
    Index n = at(sizes_, place);
    for (Index j = begin; j < end; ++j) {
        const Scalar score = tile.scores.column(j)[lane];
        entries[n] = {to_item(tile.first_item + j), score};
        n += static_cast<Index>(!(score <= bar));  // a later item with the same score is not better
    }
    at(sizes_, place) = n;
    if (n > limit_) {
        keep_best(place);
    }
}

template <class Scalar>
void TopLists<Scalar>::keep_best(Index place) noexcept {
    const std::span<Entry> entries = collected(place);
    const auto worst = entries.begin() + (length_ - 1);
    std::nth_element(entries.begin(), worst, entries.end(), TopK<Scalar>::better);
    at(sizes_, place) = length_;
    bars_[place] = worst->score;
}

template <class Scalar>
void TopLists<Scalar>::merge(Index lane) {
    std::vector<Entry>& list = at(lists_, lane);
    list.clear();
    for (Index part = 0; part < parts_.count(); ++part) {
        const Index place = place_of(part, lane);
        for (const Entry& entry : collected(place)) {
            if (!(entry.score < bars_[place])) {
                list.push_back(entry);
            }
        }
    }
    GRU4REC_ASSERT(static_cast<Index>(list.size()) >= length_);
    std::sort(list.begin(), list.end(), TopK<Scalar>::better);
    list.resize(static_cast<std::size_t>(length_));
}

template <class Scalar>
CatalogueScan<Scalar>::CatalogueScan(const PaddedMatrix<Scalar>& table, Index max_lanes, Index list_length)
    : table_(table),
      parts_(parts_of(table, max_lanes, list_length)),
      group_lanes_(group_of(max_lanes, list_length > 0 ? parts_.count() : least_tasks)),
      stride_(row_stride<Scalar>(group_lanes_)),
      ranks_(parts_.count(), max_lanes),
      tiles_(parts_.count() * Chunks{max_lanes, group_lanes_}.count() * stride_ * tile_items),
      target_scores_(row_stride<Scalar>(max_lanes) * padded<Scalar>(max_lanes)) {
    if (list_length > 0) {
        lists_.emplace(parts_, max_lanes, list_length);
    }
}

/// Each part starts its lists from scratch, so parts are long if there are lists.
template <class Scalar>
Chunks CatalogueScan<Scalar>::parts_of(const PaddedMatrix<Scalar>& table, Index max_lanes, Index list_length) {
    const Index n_items = table.rows();
    if (list_length == 0) {
        return chunks_by_work(n_items, tile_items, 2.0 * static_cast<double>(max_lanes * table.cols()), 8e6);
    }
    const Index n_parts = std::clamp(n_items / long_part, Index{1}, most_parts);
    const Index size = Chunks{Chunks{n_items, n_parts}.count(), tile_items}.count() * tile_items;
    return {n_items, (std::min)(size, RankCounts<Scalar>::most_items)};
}

/// Lanes are split into groups only if there are too few parts to run in parallel: each group reads the whole table.
template <class Scalar>
Index CatalogueScan<Scalar>::group_of(Index max_lanes, Index n_parts) {
    const Index n_groups = (least_tasks + n_parts - 1) / n_parts;
    return padded<Scalar>((max_lanes + n_groups - 1) / n_groups);
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

/// Uses the kernel that scores the tiles: a score has the same bits in any tile.
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
