#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_LOSSES_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_LOSSES_HPP

#include "support/naive/activations.hpp"
#include "support/naive/matrix.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace naive {

enum class Loss { cross_entropy, bpr, top1, bpr_max, top1_max };

[[nodiscard]] inline Loss loss_from_text(const std::string& text) {
    static const std::map<std::string, Loss> losses = {{"cross-entropy", Loss::cross_entropy},
                                                       {"bpr", Loss::bpr},
                                                       {"top1", Loss::top1},
                                                       {"bpr-max", Loss::bpr_max},
                                                       {"top1-max", Loss::top1_max}};
    return losses.at(text);
}

struct LossSettings {
    Loss loss = Loss::cross_entropy;
    Activation final_act = {Activation::Kind::linear};  ///< not used by cross-entropy
    double logq = 0;                                    ///< cross-entropy
    double smoothing = 0;                               ///< cross-entropy
    bool pairwise_mean = false;                         ///< bpr
    double bpreg = 1;                                   ///< bpr-max
    bool mask_duplicates = false;
};

struct LossResult {
    double sum = 0;   ///< over the lanes
    Matrix d_scores;  ///< (M, K), of the sum
};

/// One lane: y are its K activated scores, t its own column, `counts[j]` tells whether negative j counts (the target's
/// own entry is not looked at), n is the number of those. Returns the loss and writes d loss / d y.
struct LaneScores {
    const std::vector<double>& y;
    std::size_t t;
    const std::vector<bool>& counts;
    std::size_t n;

    [[nodiscard]] std::size_t size() const { return y.size(); }
    [[nodiscard]] bool negative(std::size_t j) const { return j != t && counts[j]; }
};

/// arXiv 1706.03847; with log-sum-exp and label smoothing.
[[nodiscard]] inline double cross_entropy(const LaneScores& lane, double smoothing, std::vector<double>& d_y) {
    double largest = lane.y[lane.t];
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j) && lane.y[j] > largest) {
            largest = lane.y[j];
        }
    }
    double sum = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (j == lane.t || lane.negative(j)) {
            sum += std::exp(lane.y[j] - largest);
        }
    }
    double loss = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (j == lane.t || lane.negative(j)) {
            const double weight = j == lane.t ? 1 - smoothing : smoothing / static_cast<double>(lane.n);
            const double minus_log_p = std::log(sum) - (lane.y[j] - largest);
            loss += weight * minus_log_p;
            d_y[j] = std::exp(-minus_log_p) - weight;
        }
    }
    return loss;
}

/// arXiv 1511.06939 (there as the mean over the negatives).
[[nodiscard]] inline double bpr(const LaneScores& lane, bool pairwise_mean, std::vector<double>& d_y) {
    const double factor = pairwise_mean ? 1 / static_cast<double>(lane.n) : 1.0;
    double loss = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            const double difference = lane.y[j] - lane.y[lane.t];
            loss += factor * softplus(difference);  // -log s(y_t - y_j)
            d_y[j] += factor * sigmoid(difference);
            d_y[lane.t] -= factor * sigmoid(difference);
        }
    }
    return loss;
}

/// arXiv 1511.06939. The mean runs over all columns, the target's too, whose s(y_t^2) is taken away
/// again: of the target s(0) = 1/2 is left.
[[nodiscard]] inline double top1(const LaneScores& lane, std::vector<double>& d_y) {
    const double n_columns = static_cast<double>(lane.n + 1);
    double loss = 0.5 / n_columns;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            const double y = lane.y[j];
            const double difference = y - lane.y[lane.t];
            loss += (sigmoid(difference) + sigmoid(y * y)) / n_columns;
            d_y[j] += (sigmoid_slope(difference) + 2 * y * sigmoid_slope(y * y)) / n_columns;
            d_y[lane.t] -= sigmoid_slope(difference) / n_columns;
        }
    }
    return loss;
}

/// Softmax over the negatives alone; 0 elsewhere.
[[nodiscard]] inline std::vector<double> softmax_of_negatives(const LaneScores& lane) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j) && lane.y[j] > largest) {
            largest = lane.y[j];
        }
    }
    std::vector<double> s(lane.size(), 0.0);
    double sum = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            s[j] = std::exp(lane.y[j] - largest);
            sum += s[j];
        }
    }
    for (double& weight : s) {
        weight /= sum;
    }
    return s;
}

/// arXiv 1706.03847.
[[nodiscard]] inline double top1_max(const LaneScores& lane, std::vector<double>& d_y) {
    const std::vector<double> s = softmax_of_negatives(lane);
    const auto term = [&](std::size_t j) {
        return sigmoid(lane.y[j] - lane.y[lane.t]) + sigmoid(lane.y[j] * lane.y[j]);
    };
    double loss = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            loss += s[j] * term(j);
        }
    }
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            const double y = lane.y[j];
            const double slope = sigmoid_slope(y - lane.y[lane.t]);
            d_y[j] += s[j] * (term(j) - loss) + s[j] * (slope + 2 * y * sigmoid_slope(y * y));
            d_y[lane.t] -= s[j] * slope;
        }
    }
    return loss;
}

/// arXiv 1706.03847, with the score regularisation.
[[nodiscard]] inline double bpr_max(const LaneScores& lane, double bpreg, std::vector<double>& d_y) {
    constexpr double tiny = 1e-24;
    const std::vector<double> s = softmax_of_negatives(lane);
    double p = 0;
    double q = 0;
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            p += s[j] * sigmoid(lane.y[lane.t] - lane.y[j]);
            q += s[j] * lane.y[j] * lane.y[j];
        }
    }
    for (std::size_t j = 0; j < lane.size(); ++j) {
        if (lane.negative(j)) {
            const double y = lane.y[j];
            const double better = sigmoid(lane.y[lane.t] - y);
            const double slope = sigmoid_slope(lane.y[lane.t] - y);
            d_y[j] += -(s[j] * (better - p) - s[j] * slope) / (p + tiny);
            d_y[j] += bpreg * (s[j] * (y * y - q) + 2 * s[j] * y);
            d_y[lane.t] -= s[j] * slope / (p + tiny);
        }
    }
    return -std::log(p + tiny) + bpreg * q;
}

/// The loss of a step, summed over the lanes, and its gradient.
///
/// @param scores  raw scores (M, K), nothing merged; column i is lane i's own target
/// @param items   the item of each column
/// @param q       each column's raw q of the logQ correction; not looked at where logq is 0
[[nodiscard]] inline LossResult evaluate_loss(const LossSettings& settings, const Matrix& scores,
                                              const std::vector<std::size_t>& items,
                                              const std::vector<double>& q = {}) {
    const std::size_t n_lanes = scores.rows;
    const std::size_t n_columns = scores.cols;
    const bool is_cross_entropy = settings.loss == Loss::cross_entropy;
    if (items.size() != n_columns || n_columns < n_lanes) {
        throw std::logic_error("naive: one item per column, and at least one column per lane");
    }
    LossResult result{0, Matrix(n_lanes, n_columns)};
    for (std::size_t i = 0; i < n_lanes; ++i) {
        std::vector<double> y(n_columns);
        std::vector<bool> counts(n_columns, true);
        std::size_t n_negatives = 0;
        for (std::size_t j = 0; j < n_columns; ++j) {
            y[j] = is_cross_entropy ? scores(i, j) : settings.final_act.value(scores(i, j));
            if (is_cross_entropy && settings.logq != 0) {
                y[j] -= settings.logq * std::log(q.at(j));
            }
            counts[j] = j != i && !(settings.mask_duplicates && items[j] == items[i]);
            n_negatives += counts[j] ? 1U : 0U;
        }
        if (n_negatives == 0) {
            continue;
        }
        const LaneScores lane{y, i, counts, n_negatives};
        std::vector<double> d_y(n_columns, 0.0);
        switch (settings.loss) {
            case Loss::cross_entropy: result.sum += cross_entropy(lane, settings.smoothing, d_y); break;
            case Loss::bpr: result.sum += bpr(lane, settings.pairwise_mean, d_y); break;
            case Loss::top1: result.sum += top1(lane, d_y); break;
            case Loss::bpr_max: result.sum += bpr_max(lane, settings.bpreg, d_y); break;
            case Loss::top1_max: result.sum += top1_max(lane, d_y); break;
        }
        for (std::size_t j = 0; j < n_columns; ++j) {
            result.d_scores(i, j) = is_cross_entropy ? d_y[j] : d_y[j] * settings.final_act.slope(scores(i, j));
        }
    }
    return result;
}

}  // namespace naive

#endif
