#ifndef GRU4REC_BASELINES_POP_HPP
#define GRU4REC_BASELINES_POP_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

/// Recommends what is popular, whatever the session holds: an item's score is its number of training events (POP of
/// arXiv 1511.06939, section 4).
class Popularity {
  public:
    explicit Popularity(const Dataset& train)
        : supports_(std::make_shared<const std::vector<double>>(train.supports().begin(), train.supports().end())) {}

    /// Starts a new session.
    void reset() noexcept {}

    void observe(ItemIndex) noexcept {}

    /// A score for every item, higher is better, (V).
    void scores(std::span<double> out) const noexcept {
        GRU4REC_ASSERT(out.size() == supports_->size());
        std::copy(supports_->begin(), supports_->end(), out.begin());
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(supports_->size()); }

  private:
    std::shared_ptr<const std::vector<double>> supports_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
