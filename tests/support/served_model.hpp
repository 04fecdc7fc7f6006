#ifndef GRU4REC_TESTS_SUPPORT_SERVED_MODEL_HPP
#define GRU4REC_TESTS_SUPPORT_SERVED_MODEL_HPP

#include "gru4rec/core/top_k.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"
#include "support/naive/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

/// Weights and bias of an item's row.
using FillRow = std::function<void(naive::Engine&, gru4rec::Index item, double* row, gru4rec::Index width)>;

/// A model of one layer whose output table is filled row by row. Item ids are numbers, supports 0 to 4 in turn.
template <class Scalar>
[[nodiscard]] gru4rec::Model<Scalar> served_model(gru4rec::Index n_items, gru4rec::Index units, const FillRow& fill) {
    gru4rec::Hyperparameters p;
    p.layers = {static_cast<int>(units)};
    gru4rec::ItemMap items;
    std::vector<std::int64_t> supports;
    for (gru4rec::Index i = 0; i < n_items; ++i) {
        items.insert(std::to_string(i));
        supports.push_back(i * 7 % 5);
    }
    gru4rec::Model<Scalar> model(p, items, supports);
    naive::Engine engine(11);
    std::vector<double> row(static_cast<std::size_t>(units + 1));
    for (gru4rec::Index i = 0; i < n_items; ++i) {
        std::fill(row.begin(), row.end(), 0.0);
        fill(engine, i, row.data(), units);
        std::transform(row.begin(), row.end(), model.network().output_table().row(i),
                       [](double value) { return static_cast<Scalar>(value); });
    }
    return model;
}

[[nodiscard]] inline double signed_uniform(naive::Engine& engine) { return 2 * naive::uniform(engine) - 1; }

inline void fill_random(naive::Engine& engine, gru4rec::Index, double* row, gru4rec::Index width) {
    for (gru4rec::Index k = 0; k <= width; ++k) {
        row[k] = signed_uniform(engine);
    }
}

/// As after training: lengths and biases that follow popularity, a few strong directions, small weights elsewhere.
inline void fill_trained(naive::Engine& engine, gru4rec::Index item, double* row, gru4rec::Index width) {
    const double popularity = 1 / (1 + static_cast<double>(item % 97));
    for (gru4rec::Index k = 0; k < width; ++k) {
        const double u = signed_uniform(engine);
        row[k] = (0.3 + popularity) * u * u * u * ((item + k) % 13 == 0 ? 4 : 1);
    }
    row[width] = 3 * std::log(0.01 + popularity);
}

/// A session whose state is `h`, as if it had been fed.
template <class Scalar>
[[nodiscard]] gru4rec::SessionState<Scalar> session_in(const gru4rec::Model<Scalar>& model,
                                                       const std::vector<double>& h) {
    gru4rec::SessionState<Scalar> session(model);
    std::transform(h.begin(), h.end(), session.values().begin(),
                   [](double value) { return static_cast<Scalar>(value); });
    session.add_event(gru4rec::ItemIndex{});
    return session;
}

template <class Scalar>
[[nodiscard]] std::vector<gru4rec::SessionState<Scalar>> random_sessions(const gru4rec::Model<Scalar>& model, int n,
                                                                         double scale) {
    naive::Engine engine(12);
    std::vector<gru4rec::SessionState<Scalar>> sessions;
    std::vector<double> h(static_cast<std::size_t>(model.network().output_width()));
    for (int s = 0; s < n; ++s) {
        for (double& value : h) {
            const double u = signed_uniform(engine);
            value = scale * (s % 2 == 0 ? u : u * u * u);
        }
        sessions.push_back(session_in(model, h));
    }
    return sessions;
}

/// The same items with the same bits of their scores; any NaN is as good as another.
template <class Scalar>
[[nodiscard]] bool same_list(std::span<const gru4rec::Recommendation<Scalar>> a,
                             std::span<const gru4rec::Recommendation<Scalar>> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        const bool same_score = std::isnan(x.score)
                                    ? std::isnan(y.score)
                                    : x.score == y.score && std::signbit(x.score) == std::signbit(y.score);
        return x.item == y.item && same_score;
    });
}

#endif
