#ifndef GRU4REC_CORE_TOP_K_HPP
#define GRU4REC_CORE_TOP_K_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// An item and its score in a ranked list.
template <class Scalar>
struct Recommendation {
    ItemIndex item{};  ///< Model::items() has its id
    Scalar score = 0;  ///< raw: not a probability, not comparable between sessions

    friend bool operator==(const Recommendation&, const Recommendation&) = default;
};

namespace detail {

/// Keeps the best n of a stream of scored items: higher scores first, equal scores by lower item index, NaN last.
template <class Scalar>
class TopK {
  public:
    /// Starts a new list of the best `n`; allocates only if n grows.
    void start(Index n) {
        size_ = static_cast<std::size_t>((std::max)(n, Index{0}));
        heap_.clear();
        heap_.reserve(size_);
    }

    /// @complexity O(1) if the item is not among the best so far, else O(log n)
    void offer(ItemIndex item, Scalar score) {
        const Recommendation<Scalar> offered{item, score};
        if (heap_.size() < size_) {
            heap_.push_back(offered);
            std::push_heap(heap_.begin(), heap_.end(), better);
        } else if (size_ > 0 && better(offered, heap_.front())) {
            replace_worst(offered);
        }
    }

    /// Offers the items `first`, `first` + 1, ... with their scores.
    ///
    /// @pre no item with a higher index was offered before. A score equal to the worst then cannot enter the list, so
    ///      most cache lines of scores are rejected by one comparison
    void offer_range(ItemIndex first, std::span<const Scalar> scores) {
        offer_if(first, scores, [](std::size_t) { return true; });
    }

    /// The same for at most 64 items; only those whose bit is set are offered. Bit i is that of item first + i.
    void offer_range(ItemIndex first, std::span<const Scalar> scores, std::uint64_t allowed) {
        GRU4REC_ASSERT(scores.size() <= 64);
        offer_if(first, scores, [allowed](std::size_t i) { return (allowed >> i & 1) != 0; });
    }

    /// Offers items in any order, each with its score.
    void offer_items(std::span<const ItemIndex> items, std::span<const Scalar> scores) {
        GRU4REC_ASSERT(items.size() == scores.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            offer(items[i], scores[i]);
        }
    }

    /// Offers the entries of another list of the same stream, which is not finished.
    void offer_all(const TopK& other) {
        for (const Recommendation<Scalar>& entry : other.heap_) {
            offer(entry.item, entry.score);
        }
    }

    /// The most items that the list can hold.
    [[nodiscard]] Index max_size() const noexcept { return static_cast<Index>(size_); }

    /// The worst score in a full list. NaN while there is room, or if n is 0: `score <= worst()` is then false for
    /// every score.
    [[nodiscard]] Scalar worst() const noexcept {
        return heap_.size() < size_ || heap_.empty() ? std::numeric_limits<Scalar>::quiet_NaN() : heap_.front().score;
    }

    /// Sorts the list and ends the stream. @returns the list, best first; valid until the next start
    [[nodiscard]] std::span<const Recommendation<Scalar>> finish() {
        std::sort_heap(heap_.begin(), heap_.end(), better);
        return heap_;
    }

    /// Whether a ranks before b.
    [[nodiscard]] static bool better(const Recommendation<Scalar>& a, const Recommendation<Scalar>& b) noexcept {
        if (a.score > b.score || a.score < b.score) {
            return a.score > b.score;
        }
        if (std::isnan(a.score) != std::isnan(b.score)) {
            return std::isnan(b.score);
        }
        return a.item < b.item;
    }

  private:
    template <class Allowed>
    void offer_if(ItemIndex first, std::span<const Scalar> scores, const Allowed& allowed);
    void replace_worst(const Recommendation<Scalar>& entry) noexcept;

    std::size_t size_ = 0;
    std::vector<Recommendation<Scalar>> heap_;  // the worst entry first
};

/// Calls `allowed(i)` only for scores that could enter the list; once it is full, these are few.
template <class Scalar>
template <class Allowed>
void TopK<Scalar>::offer_if(ItemIndex first, std::span<const Scalar> scores, const Allowed& allowed) {
    using Block = SimdVector<Scalar>;
    constexpr auto width = static_cast<std::size_t>(Block::size);
    const auto offer_scores = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            if (!(scores[i] <= worst()) && allowed(i)) {
                offer(to_item(to_index(first) + static_cast<Index>(i)), scores[i]);
            }
        }
    };
    std::size_t i = 0;
    for (; i + width <= scores.size() && size_ > 0; i += width) {
        if (!all(Block::load_unaligned(scores.data() + i) <= Block(worst()))) {
            offer_scores(i, i + width);
        }
    }
    offer_scores(i, scores.size());
}

/// std::pop_heap and std::push_heap in one pass from the top.
template <class Scalar>
void TopK<Scalar>::replace_worst(const Recommendation<Scalar>& entry) noexcept {
    std::size_t hole = 0;
    for (std::size_t child = 1; child < size_; child = 2 * hole + 1) {
        if (child + 1 < size_ && better(heap_[child], heap_[child + 1])) {
            ++child;
        }
        if (better(heap_[child], entry)) {
            break;
        }
        heap_[hole] = heap_[child];
        hole = child;
    }
    heap_[hole] = entry;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
