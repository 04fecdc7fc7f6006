#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_EVALUATION_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_EVALUATION_HPP

#include "support/naive/network.hpp"
#include "support/naive/schedule.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
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
};

/// @param rule  which of the three ranks: &Ranks::standard, &Ranks::conservative, &Ranks::median
[[nodiscard]] inline Measured measure(const std::vector<Ranks>& ranks, double Ranks::*rule, double cutoff) {
    Measured sum;
    for (const Ranks& entry : ranks) {
        if (entry.*rule <= cutoff) {
            sum.recall += 1;
            sum.mrr += 1 / (entry.*rule);
        }
    }
    const double n_events = static_cast<double>(ranks.size());
    return {sum.recall / n_events, sum.mrr / n_events};
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
