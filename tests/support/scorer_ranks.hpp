#ifndef GRU4REC_TESTS_SUPPORT_SCORER_RANKS_HPP
#define GRU4REC_TESTS_SUPPORT_SCORER_RANKS_HPP

#include "gru4rec/data/dataset.hpp"
#include "support/naive/evaluation.hpp"

#include <cstddef>
#include <span>
#include <vector>

/// The ranks of all next items of all sessions under a scorer (reset, observe, scores); slow and plain.
template <class Scorer>
std::vector<naive::Ranks> scorer_ranks(Scorer scorer, const gru4rec::Dataset& test) {
    std::vector<naive::Ranks> ranks;
    std::vector<double> scores(static_cast<std::size_t>(scorer.n_items()));
    for (gru4rec::Index s = 0; s < test.n_sessions(); ++s) {
        const std::span<const gru4rec::ItemIndex> session = test.session(gru4rec::to_session(s));
        scorer.reset();
        for (std::size_t e = 0; e + 1 < session.size(); ++e) {
            scorer.observe(session[e]);
            scorer.scores(scores);
            ranks.push_back(naive::ranks_of(scores, static_cast<std::size_t>(session[e + 1])));
        }
    }
    return ranks;
}

#endif
