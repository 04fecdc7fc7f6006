#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_SESSIONS_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_SESSIONS_HPP

#include "gru4rec/core/random.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "support/naive/matrix.hpp"
#include "support/naive/schedule.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Sessions of items as a data set has them, its oldest first.
inline std::vector<naive::Session> sessions_by_time(const gru4rec::Dataset& data) {
    std::vector<naive::Session> sessions;
    for (const gru4rec::SessionIndex s : data.time_order()) {
        naive::Session& session = sessions.emplace_back();
        for (const gru4rec::ItemIndex item : data.session(s)) {
            session.push_back(static_cast<std::size_t>(item));
        }
    }
    return sessions;
}

/// Sessions of 1 to 8 events, low item ids more often than high ones; many times are equal.
inline gru4rec::Dataset random_sessions(std::size_t n_sessions, std::size_t n_items, std::uint64_t seed) {
    gru4rec::detail::Random random(seed, gru4rec::detail::Random::Stream::test);
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> items;
    std::vector<std::int64_t> times;
    for (std::size_t s = 0; s < n_sessions; ++s) {
        const auto start = static_cast<std::int64_t>(random.below(n_sessions));
        const std::uint64_t length = 1 + random.below(8);
        for (std::uint64_t e = 0; e < length; ++e) {
            ids.push_back(static_cast<std::int64_t>(s));
            items.push_back(static_cast<std::int64_t>(random.below(1 + random.below(n_items))));
            times.push_back(start + static_cast<std::int64_t>(e));
        }
    }
    return gru4rec::make_dataset(ids, items, times);
}

/// Sessions of 1 to 9 events, every item as often as any other.
inline std::vector<naive::Session> uniform_sessions(std::size_t n_sessions, std::size_t n_items, std::uint64_t seed) {
    naive::Engine engine(seed);
    std::vector<naive::Session> sessions(n_sessions);
    for (naive::Session& session : sessions) {
        session.resize(1 + naive::uniform_index(engine, 9));
        for (std::size_t& item : session) {
            item = naive::uniform_index(engine, n_items);
        }
    }
    return sessions;
}

/// A scorer's scores after the events of `history`.
template <class Scorer>
std::vector<double> scores_after(Scorer& scorer, const naive::Session& history) {
    scorer.reset();
    for (const std::size_t item : history) {
        scorer.observe(gru4rec::to_item(static_cast<gru4rec::Index>(item)));
    }
    std::vector<double> scores(static_cast<std::size_t>(scorer.n_items()));
    scorer.scores(scores);
    return scores;
}

/// All items, best first.
inline std::vector<std::size_t> ranking(const std::vector<double>& scores) {
    std::vector<std::size_t> order = naive::file_order(scores.size());
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    return order;
}

#endif
