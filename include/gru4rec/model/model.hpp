#ifndef GRU4REC_MODEL_MODEL_HPP
#define GRU4REC_MODEL_MODEL_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/model/network.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// A network with everything that gives its rows a meaning. Once trained it is const and shared: what changes per
/// visitor is a SessionState.
///
/// @threads const members are safe to call at the same time
template <class Scalar>
class Model {
  public:
    /// Weights drawn from `seed`.
    ///
    /// @param supports  events per item in the training data, one for each item of `items`
    /// @throws std::invalid_argument for hyper-parameters out of range, an empty catalogue or supports of another size
    Model(Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports, std::uint64_t seed = 42)
        : Model(zeros(std::move(hyperparameters), std::move(items), std::move(supports))) {
        network_.initialise(
            seed, hyperparameters_.sigma,
            hyperparameters_.init_as_normal ? detail::InitialValues::normal : detail::InitialValues::uniform);
    }

    /// All weights zero: to be filled from a file.
    [[nodiscard]] static Model zeros(Hyperparameters hyperparameters, ItemMap items,
                                     std::vector<std::int64_t> supports) {
        hyperparameters.validate();
        if (items.size() == 0) {
            detail::throw_invalid("the catalogue is empty: there is no item to learn");
        }
        require_one_each(supports, items);
        return Model(Zeros{}, std::move(hyperparameters), std::move(items), std::move(supports));
    }

    /// This model with the items of newer data, to be trained on them: items that it lacks are appended in the order of
    /// `items`, their rows drawn from `seed` as the constructor draws them; all other weights keep their bits, supports
    /// are summed.
    ///
    /// @param items     may hold any of the model's
    /// @param supports  events per item of `items`, >= 0
    /// @throws std::invalid_argument for supports of another size, negative ones and sums that pass 2^63 - 1
    /// @complexity O(weights)
    [[nodiscard]] Model extended(const ItemMap& items, std::span<const std::int64_t> supports,
                                 std::uint64_t seed = 42) const {
        require_one_each(supports, items);
        ItemMap all_items = items_;
        std::vector<std::int64_t> sums = supports_;
        for (Index i = 0; i < items.size(); ++i) {
            const auto item = static_cast<std::size_t>(to_index(all_items.insert(items.id(to_item(i)))));
            sums.resize(static_cast<std::size_t>(all_items.size()));
            const std::int64_t more = supports[static_cast<std::size_t>(i)];
            if (more < 0 || sums[item] > (std::numeric_limits<std::int64_t>::max)() - more) {
                detail::throw_invalid("the support of item " + detail::quote(items.id(to_item(i))) +
                                      " cannot be added: " + std::to_string(sums[item]) + " and " +
                                      std::to_string(more));
            }
            sums[item] += more;
        }
        Model result(hyperparameters_, std::move(all_items), std::move(sums), seed);
        detail::copy_values(tensors(), result.tensors());
        return result;
    }

    /// Other hyper-parameters for further training. What makes the network must stay: layers, hidden_act, gru_variant,
    /// constrained_embedding, embedding, deep_input. A trainer keeps those that it was made with.
    ///
    /// @throws std::invalid_argument naming the field; the model is then as before
    void set_hyperparameters(Hyperparameters hyperparameters) {
        hyperparameters.validate();
        constexpr std::string_view of_network[] = {"layers",    "hidden_act", "gru_variant", "constrained_embedding",
                                                   "embedding", "deep_input"};
        const auto old_entries = hyperparameters_.entries();
        const auto new_entries = hyperparameters.entries();
        for (const std::string_view name : of_network) {
            const auto text = [&](const auto& entries) {
                return std::find_if(entries.begin(), entries.end(),
                                    [&](const auto& entry) { return entry.first == name; })
                    ->second;
            };
            if (text(old_entries) != text(new_entries)) {
                detail::throw_invalid(std::string(name) + " = " + text(new_entries) + ", the model was made with " +
                                      text(old_entries) + ": its weights fit no other; train a new model for that");
            }
        }
        hyperparameters_ = std::move(hyperparameters);
    }

    [[nodiscard]] const Hyperparameters& hyperparameters() const noexcept { return hyperparameters_; }
    [[nodiscard]] const ItemMap& items() const noexcept { return items_; }
    [[nodiscard]] std::span<const std::int64_t> supports() const noexcept { return supports_; }
    [[nodiscard]] Index n_items() const noexcept { return items_.size(); }
    [[nodiscard]] detail::Network<Scalar>& network() noexcept { return network_; }
    [[nodiscard]] const detail::Network<Scalar>& network() const noexcept { return network_; }

    /// All weights under the names of docs/file_format.md.
    [[nodiscard]] std::vector<TensorView<Scalar>> tensors() { return network_.tensors(); }
    [[nodiscard]] std::vector<TensorView<const Scalar>> tensors() const { return network_.tensors(); }

  private:
    struct Zeros {};

    static void require_one_each(std::span<const std::int64_t> supports, const ItemMap& items) {
        if (static_cast<Index>(supports.size()) != items.size()) {
            detail::throw_invalid("supports: " + std::to_string(supports.size()) + " given for " +
                                  std::to_string(items.size()) + " items");
        }
    }

    Model(Zeros, Hyperparameters hyperparameters, ItemMap items, std::vector<std::int64_t> supports)
        : hyperparameters_(std::move(hyperparameters)),
          items_(std::move(items)),
          supports_(std::move(supports)),
          network_(hyperparameters_, items_.size()) {}

    Hyperparameters hyperparameters_;
    ItemMap items_;
    std::vector<std::int64_t> supports_;
    detail::Network<Scalar> network_;
};

/// What is remembered of one visitor's session: the hidden state of every layer, and the last items where they are part
/// of the input. Small, copyable, one per visitor.
///
/// @threads a value: distinct objects are independent
template <class Scalar>
class SessionState {
  public:
    explicit SessionState(const Model<Scalar>& model)
        : values_(size_of(model)),
          recent_(static_cast<std::size_t>(model.hyperparameters().input_history().max_events())) {}

    /// Events that were fed since the start.
    [[nodiscard]] Index n_events() const noexcept { return n_events_; }

    /// Forgets the session.
    void reset() noexcept {
        values_.set_zero();
        n_events_ = 0;
    }

    /// The hidden states, layer after layer; for whoever advances the session.
    [[nodiscard]] std::span<const Scalar> values() const noexcept {
        return {values_.data(), static_cast<std::size_t>(values_.size())};
    }
    [[nodiscard]] std::span<Scalar> values() noexcept {
        return {values_.data(), static_cast<std::size_t>(values_.size())};
    }

    /// Remembers that the item was fed.
    void add_event(ItemIndex item) noexcept {
        recent_[place_of(n_events_)] = item;
        ++n_events_;
    }

    /// The item that was fed `age` events before the last one.
    /// @pre age < n_events(), and age < history_max; 0 where the input is the current item alone
    [[nodiscard]] ItemIndex recent(Index age) const noexcept { return recent_[place_of(n_events_ - 1 - age)]; }

  private:
    [[nodiscard]] std::size_t place_of(Index event) const noexcept {
        return static_cast<std::size_t>(event) % recent_.size();
    }

    [[nodiscard]] static Index size_of(const Model<Scalar>& model) noexcept {
        Index size = 0;
        for (const int units : model.hyperparameters().layers) {
            size += units;
        }
        return size;
    }

    detail::AlignedBuffer<Scalar> values_;
    std::vector<ItemIndex> recent_;  // a ring
    Index n_events_ = 0;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
