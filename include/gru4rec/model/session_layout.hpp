#ifndef GRU4REC_MODEL_SESSION_LAYOUT_HPP
#define GRU4REC_MODEL_SESSION_LAYOUT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/session_state.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// What there is to store of a model's sessions: the number of events, the last items and the hidden states. Made for
/// the sessions that the model has now: Model::set_hyperparameters may change those of later ones.
template <class Scalar>
class SessionLayout {
  public:
    explicit SessionLayout(const Model<Scalar>& model) : shape_(SessionState<Scalar>(model).shape_) {}

    [[nodiscard]] bool fits(const SessionState<Scalar>& session) const noexcept { return session.fits(*shape_); }

    /// Hidden units of all layers.
    [[nodiscard]] Index n_values() const noexcept { return shape_->offsets.back(); }
    /// V
    [[nodiscard]] Index n_items() const noexcept { return shape_->n_items; }
    /// The last items that a session of this many events remembers.
    [[nodiscard]] Index n_recent(Index n_events) const noexcept { return (std::min)(n_events, shape_->max_events); }

    /// Sets what a session remembers of its events; its hidden states stay.
    ///
    /// @param item_at  item_at(i) is item i of the last n_recent(n_events), oldest first; all are of the catalogue
    template <class ItemAt>
    void restore_events(SessionState<Scalar>& session, Index n_events, const ItemAt& item_at) const {
        GRU4REC_ASSERT(fits(session));
        const Index n = n_recent(n_events);
        session.n_events_ = n_events;
        for (Index i = 0; i < n; ++i) {
            session.recent_[session.slot(n_events - n + i)] = item_at(i);
        }
    }

    /// The bytes of a packed session.
    [[nodiscard]] std::size_t packed_bytes() const noexcept {
        return sizeof(std::int64_t) + recent_bytes() + value_bytes();
    }

    /// Copies a session to packed_bytes() bytes at `to`, of any alignment. They have a meaning in this process alone:
    /// SessionCodec writes bytes for others.
    ///
    /// @pre the session fits
    void pack(const SessionState<Scalar>& session, std::byte* to) const noexcept {
        static_assert(std::is_trivially_copyable_v<ItemIndex> && std::is_trivially_copyable_v<Scalar>);
        GRU4REC_ASSERT(fits(session));
        const std::int64_t n_events = session.n_events_;
        std::memcpy(to, &n_events, sizeof(n_events));
        std::memcpy(to + sizeof(n_events), session.recent_.data(), recent_bytes());
        std::memcpy(to + sizeof(n_events) + recent_bytes(), session.values_.data(), value_bytes());
    }

    /// The reverse of pack().
    void unpack(const std::byte* from, SessionState<Scalar>& session) const noexcept {
        GRU4REC_ASSERT(fits(session));
        std::int64_t n_events = 0;
        std::memcpy(&n_events, from, sizeof(n_events));
        session.n_events_ = static_cast<Index>(n_events);
        std::memcpy(session.recent_.data(), from + sizeof(n_events), recent_bytes());
        std::memcpy(session.values_.data(), from + sizeof(n_events) + recent_bytes(), value_bytes());
    }

  private:
    [[nodiscard]] std::size_t recent_bytes() const noexcept {
        return static_cast<std::size_t>(shape_->max_events) * sizeof(ItemIndex);
    }
    [[nodiscard]] std::size_t value_bytes() const noexcept {
        return static_cast<std::size_t>(n_values()) * sizeof(Scalar);
    }

    std::shared_ptr<const SessionShape> shape_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
