#ifndef GRU4REC_EVAL_LIST_METRICS_HPP
#define GRU4REC_EVAL_LIST_METRICS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The longest list that the cutoffs ask of a catalogue of V items.
[[nodiscard]] inline Index list_length(const EvaluationOptions& options, Index n_items) {
    return (std::min)(n_items, Index{*std::max_element(options.cutoffs.begin(), options.cutoffs.end())});
}

/// What the top-k lists of all predictions hold. The list of a prediction are the k items of the highest scores, equal
/// ones by lower index, NaN last; all V where k > V.
///
///     coverage@k    items that are in at least one list / V
///     popularity@k  mean over the lists of the mean over their items of support(item) / sum of all supports
///
/// Sums are of whole numbers, and exact in double up to 2^53, so the order of the lists does not matter; supports of a
/// file that is not to be trusted cannot overflow them.
///
/// @source coverage: Ge, Delgado-Battenfeld, Jannach, RecSys 2010 (catalog coverage); popularity: Ludewig,
///         Jannach, arXiv 1803.09587, with the share of the training events instead of min-max normalisation.
class ListSums {
  public:
    /// @param supports  events of each item in training, (V); must outlive this object
    /// @throws std::invalid_argument where `supports` has another size
    ListSums(const EvaluationOptions& options, Index n_items, std::span<const std::int64_t> supports)
        : supports_(supports),
          best_position_(static_cast<std::size_t>(n_items), n_items),
          support_at_(static_cast<std::size_t>(list_length(options, n_items))) {
        if (static_cast<Index>(supports.size()) != n_items) {
            throw_invalid("EvaluationOptions::supports holds " + std::to_string(supports.size()) + " numbers for " +
                          std::to_string(n_items) +
                          " items; the mean popularity needs the events of each item in training, such as "
                          "Dataset::supports()");
        }
    }

    template <class Scalar>
    void add(std::span<const Recommendation<Scalar>> list) {
        GRU4REC_ASSERT(list.size() == support_at_.size());
        ++n_lists_;
        for (std::size_t at = 0; at < list.size(); ++at) {
            const auto item = static_cast<std::size_t>(list[at].item);
            best_position_[item] = (std::min)(best_position_[item], static_cast<Index>(at));
            support_at_[at] += static_cast<double>(supports_[item]);
        }
    }

    void write_to(Evaluation& evaluation) const {
        const auto n_items = static_cast<Index>(best_position_.size());
        const double events = std::accumulate(supports_.begin(), supports_.end(), 0.0);
        for (const int cutoff : evaluation.cutoffs) {
            const Index length = (std::min)(Index{cutoff}, n_items);
            const auto covered =
                std::count_if(best_position_.begin(), best_position_.end(), [&](Index best) { return best < length; });
            evaluation.coverage.push_back(static_cast<double>(covered) / static_cast<double>(n_items));
            const double support = std::accumulate(support_at_.begin(), support_at_.begin() + length, 0.0);
            const double whole = static_cast<double>(n_lists_) * static_cast<double>(length) * events;
            evaluation.popularity.push_back(whole > 0 ? support / whole : 0);
        }
    }

  private:
    std::span<const std::int64_t> supports_;
    std::vector<Index> best_position_;  ///< per item: its best one in any list, from 0; V: in none
    std::vector<double> support_at_;    ///< per position: sum over the lists
    Index n_lists_ = 0;
};

/// The items of the highest scores for each lane.
template <class Scalar>
class TopLists {
  public:
    /// @complexity memory O(max_lanes length)
    TopLists(const Parameter<Scalar>& table, Index max_lanes, Index length)
        : table_(table),
          length_(length),
          max_lanes_(max_lanes),
          parts_{table.rows(), (std::max)(smallest_part, (table.rows() + most_parts - 1) / most_parts)},
          blocks_(parts_.count() * Chunks{max_lanes, group_lanes}.count() * block_size),
          of_parts_(static_cast<std::size_t>(parts_.count() * max_lanes)),
          lists_(static_cast<std::size_t>(max_lanes)),
          found_(static_cast<std::size_t>(max_lanes)) {}

    /// @param h  (lanes, H + 1), the last column 1
    /// @complexity O(n_lanes V H), parallel over parts of the table and groups of lanes
    void find(LaneMatrix<const Scalar> h, Index n_lanes) {
        const Chunks groups{n_lanes, group_lanes};
        parallel_chunks(groups.count() * parts_.count(), [&](Index task) {
            const Index group = task / parts_.count();
            scan(h, groups.begin(group), groups.end(group), task % parts_.count(), blocks_.data() + task * block_size);
        });
        parallel_ranges({n_lanes, 8}, [&](Index begin, Index end) {
            for (Index lane = begin; lane < end; ++lane) {
                merge(lane);
            }
        });
    }

    /// The list of a lane, best first; valid until the next `find`.
    [[nodiscard]] std::span<const Recommendation<Scalar>> list(Index lane) const noexcept {
        return found_[static_cast<std::size_t>(lane)];
    }

  private:
    static constexpr Index block_items = 2 * tile_multiple;
    static constexpr Index group_lanes = 2 * scalars_per_line<Scalar>;
    static constexpr Index block_size = group_lanes * block_items;
    // A list is filled anew in each part, which only pays where the part is much longer than the list.
    static constexpr Index smallest_part = 4096;
    static constexpr Index most_parts = 16;

    [[nodiscard]] TopK<Scalar>& of_part(Index part, Index lane) noexcept {
        return of_parts_[static_cast<std::size_t>(part * max_lanes_ + lane)];
    }

    /// Lists the items of one part for the lanes lane_begin .. lane_end. @param block  block_size scores
    void scan(LaneMatrix<const Scalar> h, Index lane_begin, Index lane_end, Index part, Scalar* block) {
        const LaneMatrix<Scalar> scores{block, group_lanes};
        const Index part_size = parts_.end(part) - parts_.begin(part);
        for (Index lane = lane_begin; lane < lane_end; ++lane) {
            of_part(part, lane).start((std::min)(length_, part_size));
        }
        for (Index begin = parts_.begin(part); begin < parts_.end(part); begin += block_items) {
            const Index n = (std::min)(block_items, parts_.end(part) - begin);
            multiply_rows<Scalar>({{table_.row(begin), table_.stride()}, {0, n}, {0, table_.cols()}},
                                  LaneMatrix<const Scalar>{h.data + lane_begin, h.stride},
                                  padded<Scalar>(lane_end - lane_begin), scores);
            for (Index lane = lane_begin; lane < lane_end; ++lane) {
                std::array<Scalar, static_cast<std::size_t>(block_items)> of_lane;
                for (Index j = 0; j < n; ++j) {
                    of_lane[static_cast<std::size_t>(j)] = scores.column(j)[lane - lane_begin];
                }
                of_part(part, lane).offer_range(to_item(begin), std::span(of_lane).first(static_cast<std::size_t>(n)));
            }
        }
    }

    void merge(Index lane) {
        TopK<Scalar>& best = lists_[static_cast<std::size_t>(lane)];
        best.start(length_);
        for (Index part = 0; part < parts_.count(); ++part) {
            for (const auto& [item, score] : of_part(part, lane).finish()) {
                best.offer(item, score);
            }
        }
        found_[static_cast<std::size_t>(lane)] = best.finish();
    }

    const Parameter<Scalar>& table_;
    Index length_;
    Index max_lanes_;
    Chunks parts_;
    AlignedBuffer<Scalar> blocks_;        // per group of lanes and part: (group_lanes, block_items)
    std::vector<TopK<Scalar>> of_parts_;  // per part and lane
    std::vector<TopK<Scalar>> lists_;     // per lane
    std::vector<std::span<const Recommendation<Scalar>>> found_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
