#include "hits.hpp"

#include <cmath>

namespace cli::playback {

gru4rec::Evaluation Hits::evaluation() const {
    double hits = 0;
    double reciprocals = 0;
    double gains = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        const auto count = static_cast<double>(counts_[i]);
        const auto rank = static_cast<double>(i + 1);
        hits += count;
        reciprocals += count / rank;
        gains += count / std::log2(rank + 1);
    }
    const double all = n_predictions_ > 0 ? static_cast<double>(n_predictions_) : 1;
    gru4rec::Evaluation evaluation;
    evaluation.n_predictions = n_predictions_;
    evaluation.cutoffs = {static_cast<int>(counts_.size())};
    gru4rec::Metrics& metrics = evaluation.metrics.emplace_back();
    metrics.recall = {hits / all};
    metrics.mrr = {reciprocals / all};
    metrics.ndcg = {gains / all};
    return evaluation;
}

}  // namespace cli::playback
