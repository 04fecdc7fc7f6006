#ifndef GRU4REC_EVAL_METRICS_HPP
#define GRU4REC_EVAL_METRICS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// How to count items that score the same as the target. If scores collapse, `standard` flatters the model and
/// `conservative` does not.
enum class Ties {
    standard,      ///< rank = #(s > s_t) + 1
    conservative,  ///< rank = #(s >= s_t)
    median         ///< rank = #(s > s_t) + (#(s = s_t) - 1) / 2 + 1
};

/// `standard`, `conservative` or `median`.
[[nodiscard]] constexpr std::string_view to_string(Ties ties) noexcept {
    return ties == Ties::standard ? "standard" : ties == Ties::conservative ? "conservative" : "median";
}

namespace detail {

/// The rank of a target among all items, before a rule for ties is applied.
struct TargetRank {
    Index greater = 0;  ///< items with a higher score
    Index equal = 1;    ///< items with the same score, the target included
    bool valid = true;  ///< false: the target's score is NaN, which is never a hit

    [[nodiscard]] double rank(Ties ties) const noexcept {
        if (!valid) {
            return std::numeric_limits<double>::infinity();
        }
        const auto above = static_cast<double>(greater);
        const auto same = static_cast<double>(equal);
        return ties == Ties::standard       ? above + 1
               : ties == Ties::conservative ? above + same
                                            : above + (same - 1) / 2 + 1;
    }
};

}  // namespace detail

/// Bootstrap confidence intervals of Recall and MRR: test sessions are resampled with replacement.
struct BootstrapOptions {
    int resamples = 0;        ///< >= 0; 0: no intervals. Use 1000 or more for stable ones
    double level = 0.95;      ///< confidence level, in (0, 1)
    std::uint64_t seed = 42;  ///< of the resampling
};

/// What to measure, and on how many threads. A value that refers to no other object, unless `on_progress` does.
struct EvaluationOptions {
    std::vector<int> cutoffs = {20};                ///< each >= 1
    std::vector<Ties> ties = {Ties::conservative};  ///< each is measured; recall_at(k) uses the first
    int max_threads = 0;                            ///< 0: the caller's TBB arena. Results do not depend on it
    bool coverage = false;  ///< also measure catalogue coverage and mean popularity of the top-k lists, k each cutoff
    bool ranks = false;     ///< also return the rank of every target
    BootstrapOptions bootstrap = {};  ///< off by default
    /// Called again and again while ranks are measured, every few milliseconds with most catalogues. Empty by default.
    /// What it throws ends the evaluation. For a model it is called by one thread, for a Scorer by several at the same
    /// time.
    std::function<void()> on_progress = {};

    /// @throws ConfigError naming the option, its value and what is allowed
    void validate() const {
        for (const int cutoff : cutoffs) {
            if (cutoff < 1) {
                detail::throw_invalid("cutoff", cutoff, "cutoff >= 1");
            }
        }
        if (cutoffs.empty() || ties.empty()) {
            detail::throw_invalid("nothing to measure: set at least one cutoff and one rule for ties");
        }
        if (bootstrap.resamples < 0) {
            detail::throw_invalid("bootstrap.resamples", bootstrap.resamples, "resamples >= 0 (0: no intervals)");
        }
        if (!(bootstrap.level > 0 && bootstrap.level < 1)) {
            detail::throw_invalid("bootstrap.level", bootstrap.level, "0 < level < 1");
        }
    }
};

class Dataset;

/// Optional data for an evaluation besides the test set. Only used during the call.
struct EvaluationData {
    /// Earlier events of test sessions, matched by session id. They are fed first and not scored, so the same
    /// predictions are measured with and without them. Read both data sets with the same known_items and
    /// KeepSessionIds::yes.
    const Dataset* history = nullptr;
    /// Training events of each item, (V), for the mean popularity of lists. Empty: the model's; a Scorer has none.
    std::span<const std::int64_t> supports = {};
};

/// A bootstrap confidence interval, percentiles of the resamples.
struct Interval {
    double low = 0;   ///< lower bound
    double high = 0;  ///< upper bound

    friend bool operator==(const Interval&, const Interval&) = default;
};

/// Means over all predictions under one rule for ties; one value per cutoff.
struct Metrics {
    Ties ties = Ties::conservative;  ///< the rule that the values follow
    std::vector<double> recall;      ///< share of events with rank <= cutoff
    std::vector<double> mrr;         ///< mean of 1 / rank, or 0 if rank > cutoff
    /// Mean of 1 / log2(rank + 1), or 0 if rank > cutoff. With one relevant item the ideal gain is 1 (Jarvelin,
    /// Kekalainen, TOIS 2002).
    std::vector<double> ndcg;
    std::vector<Interval> recall_interval;  ///< empty unless EvaluationOptions::bootstrap is set
    std::vector<Interval> mrr_interval;     ///< likewise
};

/// One prediction: the target and its rank among all items.
struct EventRank {
    SessionIndex session{};   ///< of the test set
    Index position = 1;       ///< events of the session before the target, without unknown items; from 1
    ItemIndex item{};         ///< the target
    detail::TargetRank rank;  ///< before a rule for ties: rank.rank(rule) applies one
};

/// The result of an evaluation.
struct Evaluation {
    Index n_predictions = 0;         ///< targets ranked
    std::vector<int> cutoffs;        ///< as in the options
    std::vector<Metrics> metrics;    ///< one per rule for ties
    double seconds = 0;              ///< wall-clock time
    Index n_warm_sessions = 0;       ///< sessions with earlier events in EvaluationData::history
    Index n_history_events = 0;      ///< those events, which were fed and not scored
    std::vector<double> coverage;    ///< per cutoff; empty unless EvaluationOptions::coverage is set
    std::vector<double> popularity;  ///< likewise
    std::vector<EventRank> ranks;    ///< by session and position; empty unless EvaluationOptions::ranks is set

    /// @{
    /// By the first rule for ties that was measured.
    ///
    /// @throws ConfigError if the cutoff was not measured
    [[nodiscard]] double recall_at(int cutoff) const { return first_rule().recall[place_of(cutoff)]; }
    [[nodiscard]] double mrr_at(int cutoff) const { return first_rule().mrr[place_of(cutoff)]; }
    [[nodiscard]] double ndcg_at(int cutoff) const { return first_rule().ndcg[place_of(cutoff)]; }
    /// @}

    /// @{
    /// By one of the rules for ties that were measured.
    ///
    /// @throws ConfigError if the cutoff or the rule was not measured
    [[nodiscard]] double recall_at(int cutoff, Ties rule) const { return by(rule).recall[place_of(cutoff)]; }
    [[nodiscard]] double mrr_at(int cutoff, Ties rule) const { return by(rule).mrr[place_of(cutoff)]; }
    [[nodiscard]] double ndcg_at(int cutoff, Ties rule) const { return by(rule).ndcg[place_of(cutoff)]; }
    /// @}

    /// Items that are in at least one top-k list / V. Rules for ties do not matter: equal scores are listed by item
    /// index.
    ///
    /// @throws ConfigError if the cutoff was not measured or EvaluationOptions::coverage was not set
    [[nodiscard]] double coverage_at(int cutoff) const { return of_lists(coverage, cutoff); }
    /// Mean share of the training events that a listed item has.
    [[nodiscard]] double popularity_at(int cutoff) const { return of_lists(popularity, cutoff); }

  private:
    [[nodiscard]] double of_lists(const std::vector<double>& values, int cutoff) const {
        if (values.empty()) {
            detail::throw_invalid("the top-k lists were not measured: set the option coverage");
        }
        return values[place_of(cutoff)];
    }

    [[nodiscard]] const Metrics& first_rule() const {
        if (metrics.empty()) {
            detail::throw_invalid("nothing was measured: this Evaluation was not returned by evaluate()");
        }
        return metrics.front();
    }

    [[nodiscard]] const Metrics& by(Ties rule) const {
        for (const Metrics& entry : metrics) {
            if (entry.ties == rule) {
                return entry;
            }
        }
        detail::throw_invalid("ties = " + std::string(to_string(rule)) +
                              " was not measured: add it to the option ties");
    }

    [[nodiscard]] std::size_t place_of(int cutoff) const {
        for (std::size_t i = 0; i < cutoffs.size(); ++i) {
            if (cutoffs[i] == cutoff) {
                return i;
            }
        }
        detail::throw_invalid("cutoff " + std::to_string(cutoff) + " was not measured: add it to the option cutoffs");
    }
};

/// Recall, MRR and NDCG of predictions that are added one by one: of a test set, or of a part of one.
///
///     MetricSums late(EvaluationOptions{.cutoffs = {20}});
///     for (const EventRank& event : evaluation.ranks) {
///         if (event.position >= 5) {
///             late.add(event.rank);
///         }
///     }
///     late.result().recall_at(20);
///
/// @threads one thread per object
class MetricSums {
  public:
    /// @param options  its cutoffs and rules for ties; the others are not used
    /// @throws ConfigError for options out of range
    explicit MetricSums(const EvaluationOptions& options)
        : cutoffs_(options.cutoffs), ties_(options.ties), sums_(ties_.size() * cutoffs_.size()) {
        options.validate();
    }

    /// @param target  EventRank::rank
    /// @complexity O(rules cutoffs), no allocation
    void add(const detail::TargetRank& target) {
        ++n_;
        std::size_t i = 0;
        for (const Ties ties : ties_) {
            const double rank = target.rank(ties);
            for (const int cutoff : cutoffs_) {
                if (rank <= cutoff) {
                    sums_[i].hits += 1;
                    sums_[i].reciprocal += 1 / rank;
                    sums_[i].gain += 1 / std::log2(rank + 1);
                }
                ++i;
            }
        }
    }

    /// Adds all that was added to another object.
    ///
    /// @throws ContractError if that has other cutoffs or rules for ties
    void add(const MetricSums& other) {
        GRU4REC_REQUIRE(other.cutoffs_ == cutoffs_ && other.ties_ == ties_,
                        "sums of other cutoffs or rules for ties cannot be added");
        n_ += other.n_;
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            sums_[i].hits += other.sums_[i].hits;
            sums_[i].reciprocal += other.sums_[i].reciprocal;
            sums_[i].gain += other.sums_[i].gain;
        }
    }

    /// The means over the predictions, 0 if there are none. Holds their number and `metrics` only.
    [[nodiscard]] Evaluation result() const {
        Evaluation evaluation;
        evaluation.n_predictions = n_;
        evaluation.cutoffs = cutoffs_;
        const double events = n_ > 0 ? static_cast<double>(n_) : 1;
        std::size_t i = 0;
        for (const Ties ties : ties_) {
            Metrics& metrics = evaluation.metrics.emplace_back();
            metrics.ties = ties;
            for (std::size_t c = 0; c < cutoffs_.size(); ++c, ++i) {
                metrics.recall.push_back(sums_[i].hits / events);
                metrics.mrr.push_back(sums_[i].reciprocal / events);
                metrics.ndcg.push_back(sums_[i].gain / events);
            }
        }
        return evaluation;
    }

  private:
    struct Sum {
        double hits = 0;
        double reciprocal = 0;
        double gain = 0;
    };

    std::vector<int> cutoffs_;
    std::vector<Ties> ties_;
    Index n_ = 0;
    std::vector<Sum> sums_;  // (rules, cutoffs)
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
