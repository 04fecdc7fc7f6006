#ifndef GRU4REC_MODEL_SESSION_STATE_HPP
#define GRU4REC_MODEL_SESSION_STATE_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"

#include <Eigen/Core>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

template <class Scalar>
class SessionLayout;

}  // namespace detail

/// One visitor's session: the hidden state of every layer, and the last items, as many as the model's input needs. A
/// small value, one per visitor. It does not refer to the model.
///
/// @threads distinct objects are independent
template <class Scalar>
class SessionState {
  public:
    /// The hidden state of a layer, (H), a view.
    using Hidden = Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, 1>>;
    /// The same, read-only.
    using ConstHidden = Eigen::Map<const Eigen::Matrix<Scalar, Eigen::Dynamic, 1>>;

    /// A new session: hidden states of zero, no events. `model` need not outlive it.
    explicit SessionState(const Model<Scalar>& model);

    /// Events fed since the start.
    [[nodiscard]] Index n_events() const noexcept { return n_events_; }

    /// Starts a new session.
    void reset() noexcept;

    /// h of a layer, (H).
    ///
    /// @throws ContractError if there is no such layer
    [[nodiscard]] Hidden hidden(Index layer) {
        require_layer(layer);
        return {values_.data() + offset(layer), offset(layer + 1) - offset(layer)};
    }
    /// The same, read-only.
    [[nodiscard]] ConstHidden hidden(Index layer) const {
        require_layer(layer);
        return {values_.data() + offset(layer), offset(layer + 1) - offset(layer)};
    }

    /// The hidden states of all layers, one after another.
    [[nodiscard]] std::span<const Scalar> values() const noexcept {
        return {values_.data(), static_cast<std::size_t>(values_.size())};
    }
    /// The same, writable. n_events() and recent() stay as they are: SessionCodec (io/session_bytes.hpp) stores and
    /// restores whole sessions.
    [[nodiscard]] std::span<Scalar> values() noexcept {
        return {values_.data(), static_cast<std::size_t>(values_.size())};
    }

    /// Counts and remembers an event, for code that computes the new hidden states itself. Recommender::advance does
    /// both.
    ///
    /// @throws ContractError if the model has no such item
    void add_event(ItemIndex item);

    /// The item fed `age` events before the last one.
    /// @pre 0 <= age < n_events(), and age < history_max with input = history, else age = 0
    [[nodiscard]] ItemIndex recent(Index age) const noexcept { return recent_[slot(n_events_ - 1 - age)]; }

    /// True if layers, history and number of items are those of the model. A session fits the model that it was made
    /// for until Model::set_hyperparameters changes the input history. A session that was moved from fits no model.
    [[nodiscard]] bool fits(const Model<Scalar>& model) const noexcept { return fits(*model.session_shape_); }

  private:
    friend class Recommender<Scalar>;
    friend class detail::SessionLayout<Scalar>;

    [[nodiscard]] bool fits(const detail::SessionShape& shape) const noexcept {
        return shape_.get() == &shape || (shape_ != nullptr && *shape_ == shape);
    }
    [[nodiscard]] Index offset(Index layer) const noexcept { return detail::at(shape_->offsets, layer); }
    /// Where an event is stored.
    [[nodiscard]] std::size_t slot(Index event) const noexcept {
        return static_cast<std::size_t>(event) % recent_.size();
    }
    void require_layer(Index layer) const;

    std::shared_ptr<const detail::SessionShape> shape_;
    detail::AlignedBuffer<Scalar> values_;
    std::vector<ItemIndex> recent_;  // a ring
    Index n_events_ = 0;
};

template <class Scalar>
SessionState<Scalar>::SessionState(const Model<Scalar>& model)
    : shape_(model.session_shape_),
      values_(shape_->offsets.back()),
      recent_(static_cast<std::size_t>(shape_->max_events)) {}

template <class Scalar>
void SessionState<Scalar>::reset() noexcept {
    values_.set_zero();
    n_events_ = 0;
}

template <class Scalar>
void SessionState<Scalar>::add_event(ItemIndex item) {
    GRU4REC_REQUIRE(
        to_index(item) >= 0 && to_index(item) < shape_->n_items,
        "item = " + std::to_string(to_index(item)) + ", must satisfy 0 <= item < " + std::to_string(shape_->n_items));
    recent_[slot(n_events_)] = item;
    ++n_events_;
}

template <class Scalar>
void SessionState<Scalar>::require_layer(Index layer) const {
    GRU4REC_REQUIRE(
        layer >= 0 && layer < shape_->n_layers(),
        "layer = " + std::to_string(layer) + ", must satisfy 0 <= layer < " + std::to_string(shape_->n_layers()));
}

#if defined(GRU4REC_COMPILED)
extern template class SessionState<float>;
extern template class SessionState<double>;
#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
