#ifndef GRU4REC_EVAL_METRICS_HPP
#define GRU4REC_EVAL_METRICS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// How items that score the same as the target are counted. Where scores collapse, `standard` flatters and
/// `conservative` does not.
enum class Ties {
    standard,      ///< rank = #(s > s_t) + 1
    conservative,  ///< rank = #(s >= s_t)
    median         ///< rank = #(s > s_t) + (#(s = s_t) - 1) / 2 + 1
};

[[nodiscard]] constexpr std::string_view to_string(Ties ties) noexcept {
    return ties == Ties::standard ? "standard" : ties == Ties::conservative ? "conservative" : "median";
}

namespace detail {

/// Where the target stands among all items.
struct TargetRank {
    Index greater = 0;  ///< items with a higher score
    Index equal = 1;    ///< items with its score, itself among them
    bool valid = true;  ///< false: its score is NaN, which is never a hit

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

/// Confidence intervals of Recall and MRR: the test set's sessions are drawn anew, with replacement.
struct BootstrapOptions {
    int resamples = 0;        ///< >= 0; 0: no intervals. 1000 and more give steady ones
    double level = 0.95;      ///< share of the resamples within an interval, (0, 1)
    std::uint64_t seed = 42;  ///< of the drawn sessions
};

class Dataset;

/// What is measured, and with which threads.
struct EvaluationOptions {
    std::vector<int> cutoffs = {20};  ///< each >= 1
    std::vector<Ties> ties = {Ties::conservative};
    int max_threads = 0;    ///< 0: the caller's TBB arena. Results do not depend on it
    bool coverage = false;  ///< also the catalogue coverage and mean popularity of top-k lists, k each cutoff
    bool ranks = false;     ///< also the rank of every single target
    BootstrapOptions bootstrap = {};
    /// Events of each item in training, (V), for the mean popularity. Unset: those of the model; a Scorer has none.
    std::span<const std::int64_t> supports = {};
    /// Earlier events of test sessions, found by session id: they are fed first and not scored, so that the predictions
    /// are the same ones with and without. Read as the test data, both with KeepSessionIds::yes. Unset: none.
    const Dataset* history = nullptr;

    /// @throws std::invalid_argument
    void validate() const {
        for (const int cutoff : cutoffs) {
            if (cutoff < 1) {
                detail::throw_invalid("cutoff", cutoff, "cutoff >= 1");
            }
        }
        if (cutoffs.empty() || ties.empty()) {
            detail::throw_invalid("nothing to measure: name at least one cutoff and one rule for ties");
        }
        if (bootstrap.resamples < 0) {
            detail::throw_invalid("bootstrap.resamples", bootstrap.resamples, "resamples >= 0 (0: no intervals)");
        }
        if (!(bootstrap.level > 0 && bootstrap.level < 1)) {
            detail::throw_invalid("bootstrap.level", bootstrap.level, "0 < level < 1");
        }
    }
};

struct Interval {
    double low = 0;
    double high = 0;

    friend bool operator==(const Interval&, const Interval&) = default;
};

/// Means over all predictions under one rule for ties; one number per cutoff.
struct Metrics {
    Ties ties = Ties::conservative;
    std::vector<double> recall;  ///< share of events with rank <= cutoff
    std::vector<double> mrr;     ///< mean of 1 / rank, 0 where rank > cutoff
    /// Mean of 1 / log2(rank + 1), 0 where rank > cutoff: with one relevant item the ideal gain is 1 (Jarvelin,
    /// Kekalainen, TOIS 2002).
    std::vector<double> ndcg;
    std::vector<Interval> recall_interval;  ///< empty unless EvaluationOptions::bootstrap asks for it
    std::vector<Interval> mrr_interval;     ///< likewise
};

/// One prediction: the target, and where it stands among all items.
struct EventRank {
    SessionIndex session{};  ///< of the test set
    Index position = 1;      ///< events of the session before the target, unknown items left out; from 1
    ItemIndex item{};        ///< the target
    detail::TargetRank rank;
};

struct Evaluation {
    Index n_predictions = 0;
    std::vector<int> cutoffs;
    std::vector<Metrics> metrics;  ///< one per rule for ties
    double seconds = 0;
    Index n_warm_sessions = 0;       ///< that EvaluationOptions::history holds earlier events of
    Index n_history_events = 0;      ///< those events, which were fed and not scored
    std::vector<double> coverage;    ///< per cutoff, empty unless asked for: see eval/list_metrics.hpp
    std::vector<double> popularity;  ///< likewise
    std::vector<EventRank> ranks;    ///< by session and position; empty unless asked for

    /// @throws std::invalid_argument where the pair was not measured
    [[nodiscard]] double recall_at(int cutoff, Ties rule) const { return of(rule).recall[at(cutoff)]; }
    [[nodiscard]] double mrr_at(int cutoff, Ties rule) const { return of(rule).mrr[at(cutoff)]; }
    [[nodiscard]] double ndcg_at(int cutoff, Ties rule) const { return of(rule).ndcg[at(cutoff)]; }
    /// @throws std::invalid_argument where the cutoff was not measured, or EvaluationOptions::coverage was not set
    [[nodiscard]] double coverage_at(int cutoff) const { return of_lists(coverage, cutoff); }
    [[nodiscard]] double popularity_at(int cutoff) const { return of_lists(popularity, cutoff); }

  private:
    [[nodiscard]] double of_lists(const std::vector<double>& values, int cutoff) const {
        if (values.empty()) {
            detail::throw_invalid("the top-k lists were not measured: set EvaluationOptions::coverage");
        }
        return values[at(cutoff)];
    }

    [[nodiscard]] const Metrics& of(Ties rule) const {
        for (const Metrics& entry : metrics) {
            if (entry.ties == rule) {
                return entry;
            }
        }
        detail::throw_invalid("ties = " + std::string(to_string(rule)) +
                              " was not measured: name it in EvaluationOptions::ties");
    }

    [[nodiscard]] std::size_t at(int cutoff) const {
        for (std::size_t i = 0; i < cutoffs.size(); ++i) {
            if (cutoffs[i] == cutoff) {
                return i;
            }
        }
        detail::throw_invalid("cutoff " + std::to_string(cutoff) +
                              " was not measured: name it in EvaluationOptions::cutoffs");
    }
};

namespace detail {

/// Sums up ranks, event by event.
class MetricSums {
  public:
    /// @param options  must outlive this object
    explicit MetricSums(const EvaluationOptions& options)
        : options_(&options), sums_(options.ties.size() * options.cutoffs.size()) {}

    void add(const TargetRank& target) {
        ++n_;
        std::size_t i = 0;
        for (const Ties ties : options_->ties) {
            const double rank = target.rank(ties);
            for (const int cutoff : options_->cutoffs) {
                if (rank <= cutoff) {
                    sums_[i].hits += 1;
                    sums_[i].reciprocal += 1 / rank;
                    sums_[i].gain += 1 / std::log2(rank + 1);
                }
                ++i;
            }
        }
    }

    void add(const MetricSums& other) {
        n_ += other.n_;
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            sums_[i].hits += other.sums_[i].hits;
            sums_[i].reciprocal += other.sums_[i].reciprocal;
            sums_[i].gain += other.sums_[i].gain;
        }
    }

    [[nodiscard]] Evaluation result() const {
        Evaluation evaluation;
        evaluation.n_predictions = n_;
        evaluation.cutoffs = options_->cutoffs;
        const double events = n_ > 0 ? static_cast<double>(n_) : 1;
        std::size_t i = 0;
        for (const Ties ties : options_->ties) {
            Metrics& metrics = evaluation.metrics.emplace_back();
            metrics.ties = ties;
            for (std::size_t c = 0; c < options_->cutoffs.size(); ++c, ++i) {
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

    const EvaluationOptions* options_;
    Index n_ = 0;
    std::vector<Sum> sums_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
