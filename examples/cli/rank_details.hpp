#ifndef GRU4REC_CLI_RANK_DETAILS_HPP
#define GRU4REC_CLI_RANK_DETAILS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cli {

/// The metrics of a group of predictions.
struct RankGroup {
    std::int64_t from = 0;           ///< the least position, length or number of events in the group
    std::optional<std::int64_t> to;  ///< the largest; none: no limit
    gru4rec::Index n_predictions = 0;
    gru4rec::Metrics metrics;
};

/// Predictions whose rank is at most `up_to`, and above the `up_to` of the group before.
struct RankCount {
    std::int64_t up_to = 0;
    gru4rec::Index n_predictions = 0;
};

/// Where a model is right: the predictions of an evaluation, in groups that are not empty.
struct RankDetails {
    std::vector<RankGroup> by_position;        ///< known events of the session before the target
    std::vector<RankGroup> by_session_length;  ///< known events of the whole session
    std::vector<RankGroup> by_popularity;      ///< training events of the target
    std::vector<RankCount> ranks;              ///< up to the number of items; empty groups too
    gru4rec::Index n_unranked = 0;             ///< predictions whose target scored NaN
};

/// @param evaluation  of `test`, with EvaluationOptions::ranks
/// @param rule        which the metrics and ranks follow
/// @param supports    training events of each item, (V)
/// @complexity O(predictions cutoffs)
[[nodiscard]] RankDetails details_of(const gru4rec::Evaluation& evaluation, gru4rec::Ties rule,
                                     const gru4rec::Dataset& test, std::span<const std::int64_t> supports);

}  // namespace cli

#endif
