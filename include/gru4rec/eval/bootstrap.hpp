#ifndef GRU4REC_EVAL_BOOTSTRAP_HPP
#define GRU4REC_EVAL_BOOTSTRAP_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/eval/metrics.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/random.hpp"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Adds confidence intervals of Recall and MRR to `evaluation`, by the percentile bootstrap. Sessions are resampled,
/// not events, because the events of a session are not independent.
///
/// @param ranks  of all predictions, grouped by session
/// @complexity O(resamples sessions ties cutoffs), parallel over resamples
/// @source Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13
GRU4REC_INLINE void add_intervals(std::span<const EventRank> ranks, const EvaluationOptions& options,
                                  Evaluation& evaluation);

#if GRU4REC_DEFINITIONS

/// Sums over the predictions of each session, one row per session: the number of predictions, then for each rule for
/// ties and each cutoff the number of hits and the sum of 1 / rank over the hits.
class SessionSums {
  public:
    /// @param ranks  grouped by session
    SessionSums(std::span<const EventRank> ranks, const EvaluationOptions& options)
        : width_(1 + 2 * options.ties.size() * options.cutoffs.size()) {
        for (std::size_t e = 0; e < ranks.size(); ++e) {
            if (e == 0 || ranks[e].session != ranks[e - 1].session) {
                sums_.resize(sums_.size() + width_);
            }
            add(ranks[e].rank, options, std::span(sums_).last(width_));
        }
    }

    [[nodiscard]] std::size_t n_sessions() const noexcept { return sums_.size() / width_; }
    [[nodiscard]] std::size_t width() const noexcept { return width_; }
    [[nodiscard]] std::span<const double> of(std::size_t session) const noexcept {
        return std::span(sums_).subspan(session * width_, width_);
    }

  private:
    static void add(const TargetRank& target, const EvaluationOptions& options, std::span<double> row) {
        std::size_t i = 0;
        row[i++] += 1;
        for (const Ties ties : options.ties) {
            const double rank = target.rank(ties);
            for (const int cutoff : options.cutoffs) {
                const bool hit = rank <= cutoff;
                row[i++] += hit ? 1 : 0;
                row[i++] += hit ? 1 / rank : 0;
            }
        }
    }

    std::size_t width_;
    std::vector<double> sums_;
};

/// The q-quantile, q in [0, 1]: interpolated linearly at the position q (n - 1) of n values.
///
/// @param values  sorted, not empty
[[nodiscard]] inline double quantile(std::span<const double> values, double q) {
    const double place = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = (std::min)(below + 1, values.size() - 1);
    return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

/// The interval that holds the share `level` of the values, with equal shares below and above. Sorts `values`.
///
/// @param values  of one metric, one per resample
[[nodiscard]] inline Interval percentile_interval(std::vector<double>& values, double level) {
    std::sort(values.begin(), values.end());
    return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

/// The metrics of one resample: as many sessions as there are, drawn with replacement.
///
/// @returns Recall and MRR for each rule for ties and each cutoff, in the order of SessionSums
[[nodiscard]] inline std::vector<double> measure_resample(const SessionSums& sessions, Random random) {
    std::vector<double> sums(sessions.width());
    for (std::size_t draw = 0; draw < sessions.n_sessions(); ++draw) {
        const auto drawn = sessions.of(static_cast<std::size_t>(random.below(sessions.n_sessions())));
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] += drawn[i];
        }
    }
    std::vector<double> means;
    for (std::size_t i = 1; i < sums.size(); ++i) {
        means.push_back(sums[0] > 0 ? sums[i] / sums[0] : 0);
    }
    return means;
}

GRU4REC_INLINE void add_intervals(std::span<const EventRank> ranks, const EvaluationOptions& options,
                                  Evaluation& evaluation) {
    const SessionSums sessions(ranks, options);
    std::vector<std::vector<double>> resamples(static_cast<std::size_t>(options.bootstrap.resamples));
    parallel_chunks(options.bootstrap.resamples, [&](Index r) {
        at(resamples, r) = measure_resample(
            sessions, Random(options.bootstrap.seed, Random::Stream::bootstrap, {static_cast<std::uint64_t>(r)}));
    });
    std::size_t metric = 0;
    const auto next_interval = [&] {
        std::vector<double> values;
        for (const std::vector<double>& resample : resamples) {
            values.push_back(resample[metric]);
        }
        ++metric;
        return percentile_interval(values, options.bootstrap.level);
    };
    for (Metrics& metrics : evaluation.metrics) {
        for (std::size_t c = 0; c < evaluation.cutoffs.size(); ++c) {
            metrics.recall_interval.push_back(next_interval());
            metrics.mrr_interval.push_back(next_interval());
        }
    }
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
