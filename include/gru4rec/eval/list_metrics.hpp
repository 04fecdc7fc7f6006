#ifndef GRU4REC_EVAL_LIST_METRICS_HPP
#define GRU4REC_EVAL_LIST_METRICS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The length of the lists that all cutoffs can be measured on.
[[nodiscard]] inline Index list_length(const EvaluationOptions& options, Index n_items) {
    return (std::min)(n_items, Index{*std::max_element(options.cutoffs.begin(), options.cutoffs.end())});
}

/// Accumulates the metrics of top-k lists, one list per prediction: the k items with the highest scores, equal scores
/// by lower item index, NaN last; all V items if k > V.
///
///     coverage@k    items that are in at least one list / V
///     popularity@k  mean over the lists of the mean over their items of support(item) / sum of all supports
///
/// The sums are of whole numbers, exact in double up to 2^53, so the order of the lists does not matter. Being doubles,
/// they cannot overflow on the supports of a damaged file.
///
/// @source coverage: Ge, Delgado-Battenfeld, Jannach, RecSys 2010 (catalog coverage); popularity: Ludewig,
///         Jannach, arXiv 1803.09587, with the share of the training events instead of min-max normalisation.
class ListSums {
  public:
    /// @param supports  training events of each item, (V); must outlive this object
    /// @throws ConfigError if `supports` has another size
    GRU4REC_INLINE ListSums(const EvaluationOptions& options, Index n_items, std::span<const std::int64_t> supports);

    template <class Scalar>
    void add(std::span<const Recommendation<Scalar>> list) {
        GRU4REC_ASSERT(list.size() == support_at_.size());
        ++n_lists_;
        for (std::size_t position = 0; position < list.size(); ++position) {
            Index& best = at(best_position_, list[position].item);
            best = (std::min)(best, static_cast<Index>(position));
            support_at_[position] += static_cast<double>(at(supports_, list[position].item));
        }
    }

    GRU4REC_INLINE void write_to(Evaluation& evaluation) const;

  private:
    std::span<const std::int64_t> supports_;
    std::vector<Index> best_position_;  // per item: its best position in any list, from 0; V if in none
    std::vector<double> support_at_;    // per position: sum over the lists
    Index n_lists_ = 0;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE ListSums::ListSums(const EvaluationOptions& options, Index n_items,
                                  std::span<const std::int64_t> supports)
    : supports_(supports),
      best_position_(static_cast<std::size_t>(n_items), n_items),
      support_at_(static_cast<std::size_t>(list_length(options, n_items))) {
    if (static_cast<Index>(supports.size()) != n_items) {
        throw_invalid("EvaluationData::supports has " + std::to_string(supports.size()) + " values for " +
                      std::to_string(n_items) +
                      " items; the mean popularity needs the training events of each item: pass "
                      "Dataset::supports() of the training data");
    }
}

GRU4REC_INLINE void ListSums::write_to(Evaluation& evaluation) const {
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

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
