#ifndef GRU4REC_SERVE_RANKING_HPP
#define GRU4REC_SERVE_RANKING_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/top_k.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/serve/recommend_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// Which items are allowed is asked once per block of 64, as a mask. A block without an allowed item is not scored
// at all. In a block that is scored as a whole, most items are below the worst score of the list and are rejected a
// register or a cache line at a time; the bit of a single item is looked at only if its score would put it on the list.
// So a filter costs next to nothing.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Which items the list of one request may hold.
class AllowedItems {
  public:
    static constexpr Index block_items = 64;

    /// Starts a request. Copies and sorts `exclude` and `only`; allocates only if they are longer than before.
    ///
    /// @param options  valid for a catalogue of n_items. The filter must stay alive until the request is answered
    /// @param besides  another item to leave out
    GRU4REC_INLINE void start(const RecommendOptions& options, Index n_items, std::optional<ItemIndex> besides = {});

    /// Bit i is set if item 64 block + i is allowed; 0 after the last item.
    ///
    /// @pre the blocks of a request are asked for in ascending order; some may be left out
    /// @complexity O(1), and O(excluded) over all blocks
    [[nodiscard]] std::uint64_t next(Index block) noexcept;

    /// If only certain items are to be ranked: those of them that are allowed, ascending, each once.
    [[nodiscard]] std::optional<std::span<const ItemIndex>> candidates() const noexcept {
        return has_candidates_ ? std::optional(std::span<const ItemIndex>(candidates_)) : std::nullopt;
    }

    /// No more items than this are allowed.
    [[nodiscard]] Index at_most() const noexcept {
        return has_candidates_ ? std::ssize(candidates_) : filter_ != nullptr ? filter_->n_allowed() : n_items_;
    }

  private:
    const ItemFilter* filter_ = nullptr;
    Index n_items_ = 0;
    Index open_blocks_ = 0;            // the whole blocks, if there is no filter and nothing is excluded; else 0
    std::vector<ItemIndex> excluded_;  // ascending
    std::size_t next_excluded_ = 0;    // the first one that no block has reached
    bool has_candidates_ = false;
    std::vector<ItemIndex> candidates_;
};

inline std::uint64_t AllowedItems::next(Index block) noexcept {
    if (block < open_blocks_) {
        return ~std::uint64_t{0};
    }
    const Index first = block * block_items;
    const Index left = n_items_ - first;
    if (left <= 0) {
        return 0;
    }
    std::uint64_t allowed = filter_ != nullptr    ? at(filter_->words(), block)
                            : left >= block_items ? ~std::uint64_t{0}
                                                  : (std::uint64_t{1} << left) - 1;
    for (; next_excluded_ < excluded_.size(); ++next_excluded_) {
        const Index bit = to_index(excluded_[next_excluded_]) - first;
        if (bit >= block_items) {
            break;
        }
        allowed &= ~(bit >= 0 ? std::uint64_t{1} << bit : 0);
    }
    return allowed;
}

/// A list of recommendations in the making.
template <class Scalar>
struct Ranking {
    TopK<Scalar> best;
    AllowedItems allowed;

    /// Starts the list of a request; see AllowedItems::start.
    void start(const RecommendOptions& options, Index n_items, std::optional<ItemIndex> besides = {}) {
        allowed.start(options, n_items, besides);
        best.start((std::min)(options.n, allowed.at_most()));
    }

    /// Whether the list has no room: nothing need be scored for it.
    [[nodiscard]] bool stays_empty() const noexcept { return best.max_size() == 0; }
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE void AllowedItems::start(const RecommendOptions& options, Index n_items,
                                        std::optional<ItemIndex> besides) {
    filter_ = options.filter;
    n_items_ = n_items;
    excluded_.assign(options.exclude.begin(), options.exclude.end());
    if (besides) {
        excluded_.push_back(*besides);
    }
    std::sort(excluded_.begin(), excluded_.end());
    next_excluded_ = 0;
    open_blocks_ = filter_ == nullptr && excluded_.empty() ? n_items / block_items : 0;
    has_candidates_ = options.only.has_value();
    if (has_candidates_) {
        candidates_.assign(options.only->begin(), options.only->end());
        std::sort(candidates_.begin(), candidates_.end());
        candidates_.erase(std::unique(candidates_.begin(), candidates_.end()), candidates_.end());
        std::erase_if(candidates_, [this](ItemIndex item) {
            return (filter_ != nullptr && !filter_->allows(item)) ||
                   std::binary_search(excluded_.begin(), excluded_.end(), item);
        });
    }
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
