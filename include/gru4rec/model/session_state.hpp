#ifndef GRU4REC_MODEL_SESSION_STATE_HPP
#define GRU4REC_MODEL_SESSION_STATE_HPP

#include "gru4rec/core/storage.hpp"
#include "gru4rec/model/model.hpp"

namespace gru4rec::inline GRU4REC_ABI {

/// What is remembered of one visitor's session: the hidden state of every layer. Small, copyable, one per visitor.
///
/// @threads a value: distinct objects are independent
template <class Scalar>
class SessionState {
  public:
    explicit SessionState(const Model<Scalar>& model) : values_(size_of(model)) {}

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
    void count_event() noexcept { ++n_events_; }

  private:
    [[nodiscard]] static Index size_of(const Model<Scalar>& model) noexcept {
        Index size = 0;
        for (const int units : model.hyperparameters().layers) {
            size += units;
        }
        return size;
    }

    AlignedBuffer<Scalar> values_;
    Index n_events_ = 0;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
