#ifndef GRU4REC_BASELINES_POPULARITY_HPP
#define GRU4REC_BASELINES_POPULARITY_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A number in (0, 1) for every item, (V), all different: the higher, the more popular; equal popularity is ordered by
/// item index. Added to whole counts, it orders the items that tie.
[[nodiscard]] inline std::vector<double> popularity_order(const Dataset& train) {
    std::vector<std::size_t> order(static_cast<std::size_t>(train.n_items()));
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return train.supports()[a] > train.supports()[b]; });
    std::vector<double> numbers(order.size());
    for (std::size_t place = 0; place < order.size(); ++place) {
        numbers[order[place]] = static_cast<double>(order.size() - place) / static_cast<double>(order.size() + 1);
    }
    return numbers;
}

/// Among scores that are no counts, popularity decides where they differ by less than this.
inline constexpr double popularity_share = 1e-6;

/// The same scaled to (0, popularity_share).
[[nodiscard]] inline std::vector<double> small_popularity_order(const Dataset& train) {
    std::vector<double> numbers = popularity_order(train);
    for (double& number : numbers) {
        number *= popularity_share;
    }
    return numbers;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

namespace gru4rec {
inline namespace GRU4REC_ABI {

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

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
