#ifndef GRU4REC_BASELINES_SESSION_POP_HPP
#define GRU4REC_BASELINES_SESSION_POP_HPP

#include "gru4rec/baselines/popularity_order.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// Recommends what the session itself holds most often (S-POP of arXiv 1511.06939, section 4); equal counts, and all
/// items that the session does not hold, are ordered by popularity in training, equal popularity by item index.
///
/// Copies share the table and have a session of their own.
class SessionPopularity {
  public:
    explicit SessionPopularity(const Dataset& train)
        : popularity_(std::make_shared<const std::vector<double>>(detail::popularity_order(train))) {}

    /// Starts a new session.
    void reset() noexcept { session_.clear(); }

    void observe(ItemIndex item) { session_.push_back(item); }

    /// A score for every item, higher is better, (V): its count in the session, and below one the popularity.
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == popularity_->size());
        std::copy(popularity_->begin(), popularity_->end(), out.begin());
        for (const ItemIndex item : session_) {
            out[static_cast<std::size_t>(item)] += 1;
        }
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(popularity_->size()); }

  private:
    std::shared_ptr<const std::vector<double>> popularity_;
    std::vector<ItemIndex> session_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
