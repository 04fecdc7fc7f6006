#ifndef GRU4REC_BATCH_INPUTS_HPP
#define GRU4REC_BATCH_INPUTS_HPP

#include "gru4rec/batch/item_numbers.hpp"
#include "gru4rec/core/error.hpp"
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

/// Which of a session's events make up the input of a step, and how much each of them counts (arXiv 1511.06939,
/// section 3.1): the last `max_events`, the one that came `age` events before the current one with weight
/// decay^age / (decay^0 + ... + decay^(n - 1)), n of them taking part. By default the current event alone.
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

    /// How many events take part after `n_events` events of the session, the current one among them.
    [[nodiscard]] Index length(Index n_events) const noexcept { return (std::min)(n_events, max_events()); }

    /// @pre 0 <= age < length <= max_events()
    [[nodiscard]] double weight(Index age, Index length) const noexcept {
        return powers_[static_cast<std::size_t>(age)] / sums_[static_cast<std::size_t>(length - 1)];
    }

  private:
    std::vector<double> powers_;  // decay^age
    std::vector<double> sums_;    // of the powers up to this one
};

/// What the lanes of a step feed: weighted items, lane after lane. An item may occur more than once in a lane; its
/// weights then add up. Made of plain items it is one of each lane, with weight 1.
struct LaneInputs {
    std::span<const ItemIndex> items;  ///< oldest event first in each lane, the current one last
    std::span<const double> weights;   ///< one for each item; none: all weights are 1
    std::span<const Index> ends;       ///< (M) where the items of lane m end; none: a lane has one item

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
    /// The items of lane m are those numbered begin(m) .. end(m) - 1, at least one.
    [[nodiscard]] Index begin(Index m) const noexcept { return ends.empty() ? m : m == 0 ? 0 : end(m - 1); }
    [[nodiscard]] Index end(Index m) const noexcept { return ends.empty() ? m + 1 : ends[static_cast<std::size_t>(m)]; }
    [[nodiscard]] ItemIndex item(Index i) const noexcept { return items[static_cast<std::size_t>(i)]; }
    [[nodiscard]] double weight(Index i) const noexcept {
        return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)];
    }
};

/// The inputs of a step, turned round: each item once, with the lanes that feed it. The gradient of an item's row is
/// the sum over its shares of weight times the gradient of the lane's input.
class InputItems {
  public:
    struct Share {
        Index lane = 0;
        double weight = 0;
    };

    /// @param max_inputs  weighted items of all lanes in a step, at most
    explicit InputItems(Index max_inputs) : slots_(max_inputs) {
        const auto size = static_cast<std::size_t>(max_inputs);
        items_.reserve(size);
        ends_.reserve(size);
        numbers_.reserve(size);
        shares_.reserve(size);
    }

    /// @complexity O(weighted items), no allocation
    void build(const LaneInputs& inputs) {
        slots_.clear();
        items_.clear();
        ends_.clear();
        numbers_.clear();
        for (const ItemIndex item : inputs.items) {
            const std::int32_t number = slots_.find_or_insert(item, static_cast<std::int32_t>(items_.size()));
            if (number == static_cast<std::int32_t>(items_.size())) {
                items_.push_back(item);
                ends_.push_back(0);
            }
            numbers_.push_back(number);
            ++ends_[static_cast<std::size_t>(number)];
        }
        place_shares(inputs);
    }

    /// Each item once, in the order in which the lanes bring them.
    [[nodiscard]] std::span<const ItemIndex> items() const noexcept { return items_; }
    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items_.size()); }
    /// Shares of items()[i], lane by lane; at least one.
    [[nodiscard]] std::span<const Share> shares(Index i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : static_cast<std::size_t>(ends_[static_cast<std::size_t>(i) - 1]);
        return {shares_.data() + begin, static_cast<std::size_t>(ends_[static_cast<std::size_t>(i)]) - begin};
    }

  private:
    /// Turns the counts of ends_ into the places where shares begin, which move to their ends as the shares come.
    void place_shares(const LaneInputs& inputs) {
        Index begin = 0;
        for (Index& end : ends_) {
            const Index count = end;
            end = begin;
            begin += count;
        }
        shares_.resize(inputs.items.size());
        for (Index m = 0; m < inputs.n_lanes(); ++m) {
            for (Index i = inputs.begin(m); i < inputs.end(m); ++i) {
                Index& end = ends_[static_cast<std::size_t>(numbers_[static_cast<std::size_t>(i)])];
                shares_[static_cast<std::size_t>(end++)] = {m, inputs.weight(i)};
            }
        }
    }

    ItemSlots slots_;
    std::vector<ItemIndex> items_;
    std::vector<Index> ends_;            // per item: where its shares end
    std::vector<std::int32_t> numbers_;  // per weighted item of the lanes: its place in items_
    std::vector<Share> shares_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
