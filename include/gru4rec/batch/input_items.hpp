#ifndef GRU4REC_BATCH_INPUT_ITEMS_HPP
#define GRU4REC_BATCH_INPUT_ITEMS_HPP

#include "gru4rec/batch/item_slots.hpp"
#include "gru4rec/batch/lane_inputs.hpp"
#include "gru4rec/core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

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

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
