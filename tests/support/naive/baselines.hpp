#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_BASELINES_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_BASELINES_HPP

#include "gru4rec/core/random.hpp"
#include "support/naive/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

// The baselines word by word from their papers, over all pairs and in double; sessions come oldest first.
namespace naive {

[[nodiscard]] inline bool holds(const Session& session, std::size_t item) {
    return std::find(session.begin(), session.end(), item) != session.end();
}

/// Sessions that hold every one of the items.
[[nodiscard]] inline double n_holding(const std::vector<Session>& sessions, const Session& items) {
    double n = 0;
    for (const Session& session : sessions) {
        n += std::all_of(items.begin(), items.end(), [&](std::size_t item) { return holds(session, item); }) ? 1 : 0;
    }
    return n;
}

/// The scores of Item-KNN without a limit of neighbours.
[[nodiscard]] inline std::vector<double> item_knn(const std::vector<Session>& train, std::size_t last,
                                                  std::size_t n_items, double regularisation) {
    std::vector<double> scores(n_items, 0);
    for (std::size_t item = 0; item < n_items; ++item) {
        if (item != last && n_holding(train, {item}) > 0) {
            scores[item] = n_holding(train, {item, last}) /
                           (std::sqrt(n_holding(train, {item}) * n_holding(train, {last})) + regularisation);
        }
    }
    return scores;
}

[[nodiscard]] inline std::vector<double> sequential_rules(const std::vector<Session>& train, std::size_t last,
                                                          std::size_t n_items, std::size_t max_steps) {
    std::vector<double> scores(n_items, 0);
    for (const Session& session : train) {
        for (std::size_t a = 0; a < session.size(); ++a) {
            for (std::size_t b = a + 1; b < session.size(); ++b) {
                if (session[a] == last && b - a <= max_steps) {
                    scores[session[b]] += 1 / static_cast<double>(b - a);
                }
            }
        }
    }
    return scores;
}

[[nodiscard]] inline std::vector<double> vector_session_knn(const std::vector<Session>& train, const Session& history,
                                                            std::size_t n_items, std::size_t k, std::size_t m) {
    std::vector<double> weights(n_items, 0);
    for (std::size_t position = 1; position <= history.size(); ++position) {
        weights[history[position - 1]] =
            static_cast<double>(position);  // over the length below: whole sums tie exactly
    }
    std::vector<std::pair<double, const Session*>> neighbours;  // the most recent first
    for (std::size_t s = train.size(); s-- > 0;) {
        double similarity = 0;
        for (std::size_t item = 0; item < n_items; ++item) {
            similarity += holds(train[s], item) ? weights[item] : 0;
        }
        if (similarity > 0 && neighbours.size() < m) {
            neighbours.emplace_back(similarity, &train[s]);
        }
    }
    std::stable_sort(neighbours.begin(), neighbours.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    neighbours.resize(std::min(neighbours.size(), k));
    std::vector<double> scores(n_items, 0);
    for (std::size_t item = 0; item < n_items; ++item) {
        for (const auto& [similarity, session] : neighbours) {
            if (holds(*session, item)) {
                scores[item] += similarity / static_cast<double>(history.size()) *
                                std::log(static_cast<double>(train.size()) / n_holding(train, {item}));
            }
        }
    }
    return scores;
}

struct BprMfSettings {
    std::size_t n_factors;
    std::size_t n_epochs;
    double learning_rate;
    double regularisation;
    std::uint64_t seed;
};

using Vectors = std::vector<std::vector<double>>;

[[nodiscard]] inline double product(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t f = 0; f < a.size(); ++f) {
        sum += a[f] * b[f];
    }
    return sum;
}

/// -log s(p . (q_i - q_j)) + regularisation / 2 (|p|^2 + |q_i|^2 + |q_j|^2)
[[nodiscard]] inline double bpr_loss(const std::vector<double>& p, const std::vector<double>& q_i,
                                     const std::vector<double>& q_j, double regularisation) {
    return std::log1p(std::exp(product(p, q_j) - product(p, q_i))) +
           regularisation / 2 * (product(p, p) + product(q_i, q_i) + product(q_j, q_j));
}

/// The item factors after training on the library's own random draws, (n_items, n_factors).
[[nodiscard]] inline Vectors bpr_mf(const std::vector<Session>& train, std::size_t n_items,
                                    const BprMfSettings& settings) {
    using gru4rec::detail::Random;
    const auto initial = [&](std::size_t rows, std::uint64_t which) {
        Random random(settings.seed, Random::Stream::initialise, {which});
        Vectors result(rows, std::vector<double>(settings.n_factors));
        for (auto& row : result) {
            for (double& value : row) {
                value = 0.2 * random.uniform() - 0.1;
            }
        }
        return result;
    };
    Vectors sessions = initial(train.size(), 0);
    Vectors items = initial(n_items, 1);
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t s = 0; s < train.size(); ++s) {
        for (std::size_t item = 0; item < n_items; ++item) {
            if (holds(train[s], item)) {
                pairs.emplace_back(s, item);
            }
        }
    }
    for (std::size_t epoch = 0; epoch < settings.n_epochs; ++epoch) {
        Random(settings.seed, Random::Stream::session_order, {epoch}).shuffle(std::span(pairs));
        Random random(settings.seed, Random::Stream::sample, {epoch});
        for (const auto& [session, item] : pairs) {
            std::size_t negative = item;
            while (holds(train[session], negative)) {
                negative = static_cast<std::size_t>(random.below(n_items));
            }
            const std::vector<double> p = sessions[session];
            const std::vector<double> q_i = items[item];
            const std::vector<double> q_j = items[negative];
            const double pull = 1 / (1 + std::exp(product(p, q_i) - product(p, q_j)));
            for (std::size_t f = 0; f < settings.n_factors; ++f) {
                const double decay = settings.regularisation;
                sessions[session][f] += settings.learning_rate * (pull * (q_i[f] - q_j[f]) - decay * p[f]);
                items[item][f] += settings.learning_rate * (pull * p[f] - decay * q_i[f]);
                items[negative][f] += settings.learning_rate * (-pull * p[f] - decay * q_j[f]);
            }
        }
    }
    return items;
}

}  // namespace naive

#endif
