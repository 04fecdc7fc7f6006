#ifndef GRU4REC_BATCH_INPUTS_HPP
#define GRU4REC_BATCH_INPUTS_HPP

#include "gru4rec/batch/item_numbers.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Which of a session's events make up the input of a step, and their weights (arXiv 1511.06939, section 3.1): the last
/// `max_events`. Of n of them, the one `age` events before the current one has weight
/// decay^age / (decay^0 + ... + decay^(n - 1)). By default only the current event.
class InputHistory {
  public:
    InputHistory() : InputHistory(1, 1) {}

    /// @pre 0 < decay <= 1, max_events >= 1
    InputHistory(double decay, Index max_events) {
        GRU4REC_ASSERT(decay > 0 && decay <= 1 && max_events >= 1);
        double power = 1;
        double sum = 0;
        for (Index age = 0; age < max_events; ++age) {
            powers_.push_back(power);
            sums_.push_back(sum += power);
            power *= decay;
        }
    }

    [[nodiscard]] Index max_events() const noexcept { return static_cast<Index>(powers_.size()); }

    /// Number of events that are fed after `n_events` events of the session, including the current one.
    [[nodiscard]] Index length(Index n_events) const noexcept { return (std::min)(n_events, max_events()); }

    /// @pre 0 <= age < length <= max_events()
    [[nodiscard]] double weight(Index age, Index length) const noexcept {
        return at(powers_, age) / at(sums_, length - 1);
    }

  private:
    std::vector<double> powers_;  // decay^age
    std::vector<double> sums_;    // of the powers up to this one
};

/// The inputs of a step: weighted items, lane by lane. The weights of an item that occurs more than once in a lane add
/// up. Constructed from plain items: one per lane, with weight 1.
struct LaneInputs {
    std::span<const ItemIndex> items;  ///< oldest event first in each lane, the current one last
    std::span<const double> weights;   ///< one per item; if empty, all weights are 1
    std::span<const Index> ends;       ///< (M) end of the items of lane m; if empty, every lane has one item

    LaneInputs() = default;

    template <std::convertible_to<std::span<const ItemIndex>> Items>
    LaneInputs(const Items& one_of_each_lane) : items(one_of_each_lane) {}

    LaneInputs(std::span<const ItemIndex> all_items, std::span<const double> item_weights,
               std::span<const Index> lane_ends)
        : items(all_items), weights(item_weights), ends(lane_ends) {
        GRU4REC_ASSERT(weights.size() == items.size() && !ends.empty() && ends.back() == n_items());
    }

    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(items.size()); }
    [[nodiscard]] Index n_lanes() const noexcept { return ends.empty() ? n_items() : static_cast<Index>(ends.size()); }
    /// Lane m feeds item(begin(m)) .. item(end(m) - 1), at least one.
    [[nodiscard]] Index begin(Index m) const noexcept { return ends.empty() ? m : m == 0 ? 0 : end(m - 1); }
    [[nodiscard]] Index end(Index m) const noexcept { return ends.empty() ? m + 1 : at(ends, m); }
    [[nodiscard]] ItemIndex item(Index i) const noexcept { return at(items, i); }
    [[nodiscard]] double weight(Index i) const noexcept { return weights.empty() ? 1.0 : at(weights, i); }
};

/// Inverted index of a step's inputs: each distinct item with the lanes that feed it. The gradient of an item's row is
/// the sum over its shares of weight times the gradient of the lane's input.
class InputItems {
  public:
    struct Share {
        Index lane = 0;
        double weight = 0;
    };

    /// @param max_inputs  maximum number of weighted items in a step, over all lanes
    GRU4REC_INLINE explicit InputItems(Index max_inputs);

    /// @complexity O(weighted items), no allocation
    GRU4REC_INLINE void build(const LaneInputs& inputs);

    /// The distinct items, in the order in which the lanes feed them.
    [[nodiscard]] std::span<const ItemIndex> items() const noexcept { return items_; }
    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items_.size()); }
    /// Shares of items()[i], lane by lane; at least one.
    [[nodiscard]] std::span<const Share> shares(Index i) const noexcept { return shares_[i]; }

  private:
    ItemNumbers index_of_item_;
    std::vector<ItemIndex> items_;
    std::vector<Index> counts_;                 // by item: its shares
    std::vector<std::int32_t> index_of_input_;  // by weighted item of the lanes: its index in items_
    PackedLists<Share> shares_;
};

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE InputItems::InputItems(Index max_inputs) : index_of_item_(max_inputs) {
    const auto size = static_cast<std::size_t>(max_inputs);
    items_.reserve(size);
    counts_.reserve(size);
    index_of_input_.reserve(size);
    shares_.reserve(max_inputs, max_inputs);
}

GRU4REC_INLINE void InputItems::build(const LaneInputs& inputs) {
    index_of_item_.clear();
    items_.clear();
    counts_.clear();
    index_of_input_.clear();
    for (const ItemIndex item : inputs.items) {
        const std::int32_t number = index_of_item_.find_or_insert(item, static_cast<std::int32_t>(size()));
        if (number == size()) {
            items_.push_back(item);
            counts_.push_back(0);
        }
        index_of_input_.push_back(number);
        ++at(counts_, number);
    }
    shares_.assign_sizes(counts_);
    for (Index m = 0; m < inputs.n_lanes(); ++m) {
        for (Index i = inputs.begin(m); i < inputs.end(m); ++i) {
            shares_.append(at(index_of_input_, i), {m, inputs.weight(i)});
        }
    }
}

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
