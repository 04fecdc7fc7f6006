#ifndef GRU4REC_SERVE_TOP_K_HPP
#define GRU4REC_SERVE_TOP_K_HPP

#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

template <class Scalar>
struct Recommendation {
    ItemIndex item{};
    Scalar score = 0;

    friend bool operator==(const Recommendation&, const Recommendation&) = default;
};

/// Keeps the best n of a stream of scored items: higher scores first, equal ones by lower item index, NaN last.
template <class Scalar>
class TopK {
  public:
    /// Readies for the best `n`; allocates only where n grows.
    void start(Index n) {
        size_ = static_cast<std::size_t>((std::max)(n, Index{0}));
        heap_.clear();
        heap_.reserve(size_);
    }

    /// @complexity O(1) for an item that is not among the best so far, else O(log n)
    void offer(ItemIndex item, Scalar score) {
        const Recommendation<Scalar> offered{item, score};
        if (heap_.size() < size_) {
            heap_.push_back(offered);
            std::push_heap(heap_.begin(), heap_.end(), better);
        } else if (size_ > 0 && better(offered, heap_.front())) {
            std::pop_heap(heap_.begin(), heap_.end(), better);
            heap_.back() = offered;
            std::push_heap(heap_.begin(), heap_.end(), better);
        }
    }

    /// Offers the items `first`, `first` + 1, ... with their scores.
    ///
    /// @pre no item with a higher index was offered before: then an equal score comes too late, and most of the scores
    /// are passed over sixteen at a time
    void offer_range(ItemIndex first, std::span<const Scalar> scores) {
        constexpr std::size_t width = 16;
        for (std::size_t begin = 0; begin < scores.size() && size_ > 0; begin += width) {
            const std::size_t end = (std::min)(begin + width, scores.size());
            const Scalar bar = worst();
            bool any = false;
            for (std::size_t i = begin; i < end; ++i) {
                any |= !(scores[i] <= bar);
            }
            for (std::size_t i = begin; i < end && any; ++i) {
                offer(to_item(to_index(first) + static_cast<Index>(i)), scores[i]);
            }
        }
    }

    /// The worst score that is kept; NaN, which no score is below, while there is still room.
    [[nodiscard]] Scalar worst() const noexcept {
        return heap_.size() < size_ || heap_.empty() ? std::numeric_limits<Scalar>::quiet_NaN() : heap_.front().score;
    }

    /// The best, in order; ends the stream. Valid until the next start.
    [[nodiscard]] std::span<const Recommendation<Scalar>> finish() {
        std::sort_heap(heap_.begin(), heap_.end(), better);
        return heap_;
    }

  private:
    [[nodiscard]] static bool better(const Recommendation<Scalar>& a, const Recommendation<Scalar>& b) noexcept {
        if (a.score > b.score || a.score < b.score) {
            return a.score > b.score;
        }
        if (std::isnan(a.score) != std::isnan(b.score)) {
            return std::isnan(b.score);
        }
        return a.item < b.item;
    }

    std::size_t size_ = 0;
    std::vector<Recommendation<Scalar>> heap_;  // the worst of the best in front
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
