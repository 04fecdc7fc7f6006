#ifndef GRU4REC_BASELINES_SESSION_SETS_HPP
#define GRU4REC_BASELINES_SESSION_SETS_HPP

#include "gru4rec/core/packed_lists.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Maps sessions to their distinct items, and items to their sessions. Sessions are numbered by age: 0 started first;
/// sessions without events are left out. 8 bytes per distinct pair of session and item.
class SessionSets {
  public:
    /// @complexity O(events log(events of a session))
    explicit SessionSets(const Dataset& data) {
        std::vector<ItemIndex> items;
        for (const SessionIndex session : data.time_order()) {
            const std::span<const ItemIndex> events = data.session(session);
            if (events.empty()) {
                continue;
            }
            items.assign(events.begin(), events.end());
            std::sort(items.begin(), items.end());
            items.erase(std::unique(items.begin(), items.end()), items.end());
            items_.push_back(items);
        }
        std::vector<std::size_t> n_sessions_of(static_cast<std::size_t>(data.n_items()), 0);
        for (const ItemIndex item : items_.values()) {
            ++at(n_sessions_of, item);
        }
        sessions_ = PackedLists<std::int32_t>::of_sizes(n_sessions_of);
        for (Index session = 0; session < n_sessions(); ++session) {
            for (const ItemIndex item : items_of(session)) {
                sessions_.append(to_index(item), static_cast<std::int32_t>(session));
            }
        }
    }

    [[nodiscard]] Index n_sessions() const noexcept { return items_.size(); }
    [[nodiscard]] Index n_items() const noexcept { return sessions_.size(); }

    /// The distinct items of a session, ascending.
    [[nodiscard]] std::span<const ItemIndex> items_of(Index session) const noexcept { return items_[session]; }

    /// The sessions that contain an item, oldest first.
    [[nodiscard]] std::span<const std::int32_t> sessions_of(ItemIndex item) const noexcept {
        return sessions_[to_index(item)];
    }

  private:
    PackedLists<ItemIndex> items_;        // by session
    PackedLists<std::int32_t> sessions_;  // by item
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
