#ifndef GRU4REC_MODEL_SESSION_STATE_HPP
#define GRU4REC_MODEL_SESSION_STATE_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI {

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

    AlignedBuffer<Scalar> values_;
    std::vector<ItemIndex> recent_;  // a ring
    Index n_events_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
