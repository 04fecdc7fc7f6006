#ifndef GRU4REC_BASELINES_BPR_MF_HPP
#define GRU4REC_BASELINES_BPR_MF_HPP

#include "gru4rec/baselines/session_sets.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/random.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Settings of BprMf.
struct BprMfOptions {
    Index n_factors = 100;         ///< factors of a session or an item, 1 .. 65536
    int n_epochs = 30;             ///< passes over all pairs of session and item, >= 1
    double learning_rate = 0.1;    ///< > 0
    double regularisation = 0.01;  ///< weight of the L2 penalty on the factors that a step updates, >= 0
    std::uint64_t seed = 42;       ///< of the initial factors, the order of the pairs and the negatives

    /// @throws ConfigError naming the option, its value and what is allowed
    void validate() const {
        if (n_factors < 1 || n_factors > 65536) {
            detail::throw_invalid("n_factors", n_factors, "1 <= n_factors <= 65536");
        }
        if (n_epochs < 1) {
            detail::throw_invalid("n_epochs", n_epochs, "n_epochs >= 1");
        }
        if (!(learning_rate > 0 && std::isfinite(learning_rate))) {
            detail::throw_invalid("learning_rate", learning_rate, "0 < learning_rate, finite");
        }
        if (!(regularisation >= 0 && std::isfinite(regularisation))) {
            detail::throw_invalid("regularisation", regularisation, "0 <= regularisation, finite");
        }
    }
};

namespace detail {

/// The factors of one session or item, (n_factors).
using Factors = Eigen::Map<Eigen::VectorXf>;

/// One step of gradient descent, for session p, its item q_i and the negative q_j, on
/// -log s(p . (q_i - q_j)) + regularisation / 2 (|p|^2 + |q_i|^2 + |q_j|^2), with
/// s(x) = 1 / (1 + exp(-x)). All three vectors are updated from their old values.
///
/// @source Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009 (arXiv 1205.2618),
///         LearnBPR for matrix factorisation
inline void bpr_step(Factors p, Factors q_i, Factors q_j, float learning_rate, float regularisation) noexcept {
    const float keep = 1 - learning_rate * regularisation;
    const float pull = learning_rate / (1 + std::exp(p.dot(q_i) - p.dot(q_j)));
    for (Index f = 0; f < p.size(); ++f) {
        const float session = p[f];
        const float positive = q_i[f];
        const float negative = q_j[f];
        p[f] = keep * session + pull * (positive - negative);
        q_i[f] = keep * positive + pull * session;
        q_j[f] = keep * negative - pull * session;
    }
}

/// Learns factors of the training sessions and of the items. Only the items' factors are kept.
class BprMfTrainer {
  public:
    BprMfTrainer(const Dataset& train, const BprMfOptions& options)
        : options_(options),
          sets_(train),
          sessions_(sets_.n_sessions(), options.n_factors),
          items_(train.n_items(), options.n_factors) {
        initialise(sessions_, 0);
        initialise(items_, 1);
        for (Index session = 0; session < sets_.n_sessions(); ++session) {
            for (const ItemIndex item : sets_.items_of(session)) {
                pairs_.push_back({static_cast<std::int32_t>(session), item});
            }
        }
    }

    void run() {
        for (int epoch = 0; epoch < options_.n_epochs; ++epoch) {
            const auto number = static_cast<std::uint64_t>(epoch);
            Random(options_.seed, Random::Stream::session_order, {number}).shuffle(std::span(pairs_));
            Random negatives(options_.seed, Random::Stream::sample, {number});
            for (const Pair& pair : pairs_) {
                step(pair, negatives);
            }
        }
    }

    [[nodiscard]] PaddedMatrix<float> take_items() && { return std::move(items_); }

  private:
    struct Pair {
        std::int32_t session;
        ItemIndex item;
    };

    /// Draws the factors from U(-0.1, 0.1). @param which  a different number for each matrix: its random stream
    void initialise(PaddedMatrix<float>& factors, std::uint64_t which) const {
        Random random(options_.seed, Random::Stream::initialise, {which});
        for (Index row = 0; row < factors.rows(); ++row) {
            for (Index f = 0; f < factors.cols(); ++f) {
                factors.row(row)[f] = static_cast<float>(0.2 * random.uniform() - 0.1);
            }
        }
    }

    /// Draws the negative uniformly from the items that the session does not contain; skips a session that contains all
    /// items.
    void step(const Pair& pair, Random& random) {
        const std::span<const ItemIndex> positives = sets_.items_of(pair.session);
        const Index n_items = items_.rows();
        if (static_cast<Index>(positives.size()) == n_items) {
            return;
        }
        ItemIndex negative{};
        do {
            negative = to_item(static_cast<Index>(random.below(static_cast<std::uint64_t>(n_items))));
        } while (std::binary_search(positives.begin(), positives.end(), negative));
        const Index n = options_.n_factors;
        bpr_step(Factors(sessions_.row(pair.session), n), Factors(items_.row(to_index(pair.item)), n),
                 Factors(items_.row(to_index(negative)), n), static_cast<float>(options_.learning_rate),
                 static_cast<float>(options_.regularisation));
    }

    BprMfOptions options_;
    SessionSets sets_;
    PaddedMatrix<float> sessions_;  // (training sessions, n_factors)
    PaddedMatrix<float> items_;     // (V, n_factors)
    std::vector<Pair> pairs_;
};

}  // namespace detail

/// The baseline BPR-MF: matrix factorisation of sessions and items, trained with Bayesian personalised ranking. A new
/// session has no learnt factors, so the mean of its items' factors is used instead (arXiv 1511.06939, section 4). The
/// score of an item is thus the mean of its dot products with the items of the session. Before the first event all
/// items score 0.
///
/// The same seed gives the same factors. Copies share the factors, but each has a session of its own.
class BprMf {
  public:
    /// @throws ConfigError for options out of range, NonFiniteError if training diverges
    /// @complexity O(n_epochs n_factors pairs), where pairs are the distinct (session, item) pairs. Memory: 4 n_factors
    ///             bytes per item, and while training as much per session
    explicit BprMf(const Dataset& train, const BprMfOptions& options = {})
        : items_(std::make_shared<const detail::PaddedMatrix<float>>(trained(train, options))),
          sum_(static_cast<std::size_t>(options.n_factors), 0.0F) {}

    /// Starts a new session.
    void reset() noexcept {
        std::fill(sum_.begin(), sum_.end(), 0.0F);
        n_events_ = 0;
    }

    /// Adds an event to the session. @pre item < n_items()
    void observe(ItemIndex item) noexcept {
        Eigen::Map<Eigen::RowVectorXf>(sum_.data(), items_->cols()) += items_->map().row(to_index(item));
        ++n_events_;
    }

    /// Writes the score of every item; higher is better.
    ///
    /// @pre out.size() == n_items()
    /// @complexity O(V n_factors)
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(static_cast<Index>(out.size()) == n_items());
        constexpr Index block = 256;
        const float scale = 1 / static_cast<float>((std::max)(Index{1}, n_events_));
        const Eigen::Map<const Eigen::VectorXf> sum(sum_.data(), items_->cols());
        Eigen::Matrix<float, Eigen::Dynamic, 1, Eigen::ColMajor, block, 1> products;
        for (Index begin = 0; begin < n_items(); begin += block) {
            const Index n = (std::min)(block, n_items() - begin);
            products.resize(n);
            products.noalias() = items_->map().middleRows(begin, n) * sum;
            for (Index i = 0; i < n; ++i) {
                detail::at(out, begin + i) = double{scale * products[i]};
            }
        }
    }

    /// (V, n_factors), an Eigen::Map to be held as `auto`; valid as long as this object or a copy of it.
    [[nodiscard]] detail::PaddedMatrix<float>::ConstMap item_factors() const noexcept { return items_->map(); }

    /// V, the items of the training data.
    [[nodiscard]] Index n_items() const noexcept { return items_->rows(); }

  private:
    [[nodiscard]] static detail::PaddedMatrix<float> trained(const Dataset& train, const BprMfOptions& options) {
        options.validate();
        detail::BprMfTrainer trainer(train, options);
        trainer.run();
        detail::PaddedMatrix<float> items = std::move(trainer).take_items();
        if (!items.map().allFinite()) {
            detail::throw_not_finite("gru4rec: BPR-MF diverged: factors are not finite; try a learning_rate below " +
                                     detail::text_of(options.learning_rate));
        }
        return items;
    }

    std::shared_ptr<const detail::PaddedMatrix<float>> items_;
    std::vector<float> sum_;  // of the factors of the session's items, (n_factors)
    Index n_events_ = 0;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
