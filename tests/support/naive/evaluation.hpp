#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_EVALUATION_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_EVALUATION_HPP

#include "support/naive/network.hpp"
#include "support/naive/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <vector>

namespace naive {

/// The rank of a target under the three ways to treat items that score the same as it. Infinite: never a hit.
struct Ranks {
    double standard = 0;      ///< #(s > s_t) + 1
    double conservative = 0;  ///< #(s >= s_t), the target itself among them
    double median = 0;        ///< #(s > s_t) + (#(s = s_t) - 1) / 2 + 1
};

[[nodiscard]] inline Ranks ranks_of(const std::vector<double>& all_scores, std::size_t target) {
    const double own = all_scores.at(target);
    if (std::isnan(own)) {
        constexpr double never = std::numeric_limits<double>::infinity();
        return {never, never, never};
    }
    double above = 0;
    double equal = 0;
    for (const double score : all_scores) {
        above += score > own ? 1 : 0;
        equal += score == own ? 1 : 0;
    }
    return {above + 1, above + equal, above + (equal - 1) / 2 + 1};
}

struct Measured {
    double recall = 0;
    double mrr = 0;
    double ndcg = 0;
};

/// @param rule  which of the three ranks: &Ranks::standard, &Ranks::conservative, &Ranks::median
[[nodiscard]] inline Measured measure(const std::vector<Ranks>& ranks, double Ranks::*rule, double cutoff) {
    Measured sum;
    for (const Ranks& entry : ranks) {
        if (entry.*rule <= cutoff) {
            sum.recall += 1;
            sum.mrr += 1 / (entry.*rule);
            sum.ndcg += std::log(2.0) / std::log(entry.*rule + 1);
        }
    }
    const double n_events = static_cast<double>(ranks.size());
    return {sum.recall / n_events, sum.mrr / n_events, sum.ndcg / n_events};
}

/// The k items of the highest scores, equal ones by number, NaN last; all of them where k is larger.
[[nodiscard]] inline std::vector<std::size_t> top_list(const std::vector<double>& all_scores, std::size_t k) {
    std::vector<std::size_t> items = file_order(all_scores.size());
    std::stable_sort(items.begin(), items.end(), [&](std::size_t a, std::size_t b) {
        const double own = all_scores[a];
        const double other = all_scores[b];
        return std::isnan(other) ? !std::isnan(own) : own > other;
    });
    items.resize(std::min(k, items.size()));
    return items;
}

/// Share of the items that are in at least one list.
[[nodiscard]] inline double coverage(const std::vector<std::vector<std::size_t>>& lists, std::size_t n_items) {
    std::set<std::size_t> seen;
    for (const auto& list : lists) {
        seen.insert(list.begin(), list.end());
    }
    return static_cast<double>(seen.size()) / static_cast<double>(n_items);
}

/// Mean over the lists of the mean share that their items have of all training events.
[[nodiscard]] inline double mean_popularity(const std::vector<std::vector<std::size_t>>& lists,
                                            const std::vector<double>& supports) {
    double events = 0;
    for (const double support : supports) {
        events += support;
    }
    double sum = 0;
    for (const auto& list : lists) {
        double of_list = 0;
        for (const std::size_t item : list) {
            of_list += supports.at(item) / events;
        }
        sum += of_list / static_cast<double>(list.size());
    }
    return sum / static_cast<double>(lists.size());
}

/// What is measured where the sessions `drawn` make up the test set, each as often as it was drawn.
[[nodiscard]] inline Measured measure_resample(const std::vector<std::vector<Ranks>>& of_sessions,
                                               const std::vector<std::size_t>& drawn, double Ranks::*rule,
                                               double cutoff) {
    std::vector<Ranks> all;
    for (const std::size_t session : drawn) {
        all.insert(all.end(), of_sessions.at(session).begin(), of_sessions.at(session).end());
    }
    return measure(all, rule, cutoff);
}

/// The value below which the share q of the values lies, between neighbours in straight line.
[[nodiscard]] inline double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    const double at = q * static_cast<double>(values.size() - 1);
    const double below = std::floor(at);
    return values.at(static_cast<std::size_t>(below)) * (1 - (at - below)) +
           values.at(static_cast<std::size_t>(std::ceil(at))) * (at - below);
}

/// The raw scores of all items after a session's events so far; one row per event.
[[nodiscard]] inline Matrix scores_along(const Network& network, const Session& session) {
    const std::vector<std::size_t> all_items = file_order(network.n_items);
    std::vector<Matrix> states;
    for (const std::size_t units : network.settings.layers) {
        states.emplace_back(1, units);
    }
    Matrix result(session.size(), network.n_items);
    for (std::size_t position = 0; position < session.size(); ++position) {
        const Session history(session.begin(), session.begin() + static_cast<std::ptrdiff_t>(position) + 1);
        const ForwardPass pass = forward(network, states, encoded(network, std::vector<Session>{history}));
        states = pass.states();
        const Matrix row = scores(network, pass.h_last(), all_items);
        for (std::size_t item = 0; item < network.n_items; ++item) {
            result(position, item) = row(0, item);
        }
    }
    return result;
}

/// The ranks of all next items of all sessions, in order. Sessions hold known items only.
[[nodiscard]] inline std::vector<Ranks> rank_sessions(const Network& network, const std::vector<Session>& sessions) {
    std::vector<Ranks> result;
    for (const Session& session : sessions) {
        if (session.size() < 2) {
            continue;
        }
        const Matrix all_scores = scores_along(network, session);
        for (std::size_t position = 0; position + 1 < session.size(); ++position) {
            std::vector<double> row(network.n_items);
            for (std::size_t item = 0; item < network.n_items; ++item) {
                row[item] = all_scores(position, item);
            }
            result.push_back(ranks_of(row, session[position + 1]));
        }
    }
    return result;
}

}  // namespace naive

#endif
