#ifndef GRU4REC_BASELINES_SESSION_SETS_HPP
#define GRU4REC_BASELINES_SESSION_SETS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gru4rec::inline GRU4REC_ABI::detail {

/// Which items occur in which sessions, however often, both ways. Sessions are numbered by age: 0 is the one that
/// started first; those without events have no number. 8 bytes per different pair of session and item.
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
            std::ranges::sort(items);
            items_.insert(items_.end(), items.begin(), std::unique(items.begin(), items.end()));
            item_begins_.push_back(items_.size());
        }
        invert(static_cast<std::size_t>(data.n_items()));
    }

    [[nodiscard]] Index n_sessions() const noexcept { return static_cast<Index>(item_begins_.size()) - 1; }
    [[nodiscard]] Index n_items() const noexcept { return static_cast<Index>(session_begins_.size()) - 1; }

    /// The different items of a session, ascending.
    [[nodiscard]] std::span<const ItemIndex> items_of(Index session) const noexcept {
        const auto at = static_cast<std::size_t>(session);
        return std::span(items_).subspan(item_begins_[at], item_begins_[at + 1] - item_begins_[at]);
    }

    /// The sessions in which an item occurs, oldest first.
    [[nodiscard]] std::span<const std::int32_t> sessions_of(ItemIndex item) const noexcept {
        const auto at = static_cast<std::size_t>(item);
        return std::span(sessions_).subspan(session_begins_[at], session_begins_[at + 1] - session_begins_[at]);
    }

  private:
    void invert(std::size_t n_items) {
        session_begins_.assign(n_items + 1, 0);
        for (const ItemIndex item : items_) {
            ++session_begins_[static_cast<std::size_t>(item) + 1];
        }
        for (std::size_t item = 0; item < n_items; ++item) {
            session_begins_[item + 1] += session_begins_[item];
        }
        sessions_.resize(items_.size());
        std::vector<std::size_t> next(session_begins_.begin(), session_begins_.end() - 1);
        for (Index session = 0; session < n_sessions(); ++session) {
            for (const ItemIndex item : items_of(session)) {
                sessions_[next[static_cast<std::size_t>(item)]++] = static_cast<std::int32_t>(session);
            }
        }
    }

    std::vector<ItemIndex> items_;  // by session
    std::vector<std::size_t> item_begins_{0};
    std::vector<std::int32_t> sessions_;  // by item
    std::vector<std::size_t> session_begins_;
};

}  // namespace gru4rec::inline GRU4REC_ABI::detail

#endif
