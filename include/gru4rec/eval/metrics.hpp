#ifndef GRU4REC_EVAL_METRICS_HPP
#define GRU4REC_EVAL_METRICS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

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

/// What is measured, and with which threads.
struct EvaluationOptions {
    std::vector<int> cutoffs = {20};  ///< each >= 1
    std::vector<Ties> ties = {Ties::conservative};
    int max_threads = 0;  ///< 0: the caller's TBB arena. Results do not depend on it

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
    }
};

/// Means over all predictions under one rule for ties; one number per cutoff.
struct Metrics {
    Ties ties = Ties::conservative;
    std::vector<double> recall;  ///< share of events with rank <= cutoff
    std::vector<double> mrr;     ///< mean of 1 / rank, 0 where rank > cutoff
};

struct Evaluation {
    Index n_predictions = 0;
    std::vector<int> cutoffs;
    std::vector<Metrics> metrics;  ///< one per rule for ties
    double seconds = 0;

    /// @throws std::invalid_argument where the pair was not measured
    [[nodiscard]] double recall_at(int cutoff, Ties rule) const { return of(rule).recall[at(cutoff)]; }
    [[nodiscard]] double mrr_at(int cutoff, Ties rule) const { return of(rule).mrr[at(cutoff)]; }

  private:
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
        }
    }

    [[nodiscard]] Evaluation result() const {
        Evaluation evaluation{.n_predictions = n_, .cutoffs = options_->cutoffs, .metrics = {}, .seconds = 0};
        const double events = n_ > 0 ? static_cast<double>(n_) : 1;
        std::size_t i = 0;
        for (const Ties ties : options_->ties) {
            Metrics& metrics = evaluation.metrics.emplace_back();
            metrics.ties = ties;
            for (std::size_t c = 0; c < options_->cutoffs.size(); ++c, ++i) {
                metrics.recall.push_back(sums_[i].hits / events);
                metrics.mrr.push_back(sums_[i].reciprocal / events);
            }
        }
        return evaluation;
    }

  private:
    struct Sum {
        double hits = 0;
        double reciprocal = 0;
    };

    const EvaluationOptions* options_;
    Index n_ = 0;
    std::vector<Sum> sums_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
