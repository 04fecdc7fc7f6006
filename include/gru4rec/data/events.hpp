#ifndef GRU4REC_DATA_EVENTS_HPP
#define GRU4REC_DATA_EVENTS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Events in the order of a file or an array, column by column: 16 bytes per event (20 with fractions of seconds).
struct Events {
    std::vector<SessionIndex> sessions;  ///< index into session_ids
    std::vector<ItemIndex> items;        ///< index into item_map
    detail::TimeColumn times;            ///< seconds since 1970, or plain numbers as they were given
    ItemMap item_map;                    ///< by first appearance, or the known items
    detail::IdTable session_ids;         ///< by first appearance; includes sessions that lost all events
    Index n_unknown = 0;                 ///< events left out because their item is not a known one

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items.size()); }  ///< events
    [[nodiscard]] Index n_sessions() const noexcept { return session_ids.size(); }          ///< of session_ids

    /// The time of an event. @pre 0 <= event < size()
    [[nodiscard]] detail::EventTime time(Index event) const noexcept { return detail::at(times, event); }

    /// Appends an event. @pre session_ids and item_map contain its session and item; not checked
    void append(SessionIndex session, ItemIndex item, detail::EventTime time) {
        sessions.push_back(session);
        items.push_back(item);
        times.push_back(time);
    }

    /// Allocates for this many events in all.
    void reserve(Index n_events) {
        const auto n = static_cast<std::size_t>(n_events);
        sessions.reserve(n);
        items.reserve(n);
        times.reserve(n);
    }
};

namespace detail {

/// A field of an event, or none.
enum class EventField : std::size_t { session, item, time, none };
inline constexpr std::size_t n_event_fields = 3;

/// Why an event is invalid, without file and line; converts to false if it is valid.
struct EventProblem {
    EventField field = EventField::none;
    std::string text{};

    [[nodiscard]] explicit operator bool() const noexcept { return !text.empty(); }
};

/// Checks the ids of an event. An item that is in the item map needs no check.
[[nodiscard]] inline EventProblem id_problem(std::string_view session_id, std::string_view item_id) {
    if (session_id.empty()) {
        return {EventField::session, "the session id is empty; every event must belong to a session"};
    }
    const std::string_view problem = item_id_problem(item_id);
    return problem.empty() ? EventProblem{} : EventProblem{EventField::item, bad_item_id(item_id, problem)};
}

/// What happens to events of items that the item map lacks.
enum class NewItems { keep, leave_out };

/// Collects events one by one. Numbers sessions and items by first appearance.
class EventCollector {
  public:
    /// @param known_items  if set, events of other items are counted and left out
    explicit EventCollector(const ItemMap* known_items = nullptr)
        : new_items_(known_items == nullptr ? NewItems::keep : NewItems::leave_out) {
        if (known_items != nullptr) {
            events_.item_map = *known_items;
        }
    }

    void reserve(Index n_events) { events_.reserve(n_events); }

    /// Adds an event, or counts it if new items are left out.
    ///
    /// @returns the problem, if an id is invalid; the event is then not added
    /// @throws ConfigError if there are more than 2147483647 sessions or items
    [[nodiscard]] EventProblem add(std::string_view session_id, std::string_view item_id, EventTime time) {
        std::optional<ItemIndex> item = events_.item_map.find(item_id);
        if (session_id.empty() || !item) {
            if (EventProblem problem = id_problem(session_id, item_id)) {
                return problem;
            }
        }
        if (last_session_ == IdTable::none || events_.session_ids.text(last_session_) != session_id) {
            last_session_ = events_.session_ids.insert(session_id);
        }
        if (!item && new_items_ == NewItems::leave_out) {
            ++events_.n_unknown;
            return {};
        }
        events_.append(to_session(last_session_), item ? *item : events_.item_map.insert(item_id), time);
        return {};
    }

    [[nodiscard]] Events take() && { return std::move(events_); }

  private:
    Events events_;
    Index last_session_ = IdTable::none;
    NewItems new_items_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
