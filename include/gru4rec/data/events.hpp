#ifndef GRU4REC_DATA_EVENTS_HPP
#define GRU4REC_DATA_EVENTS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/event_time.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Names of a file's columns.
struct Columns {
    std::string session_key = "SessionId";  ///< empty: the file has none, all its events are of one session, "1"
    std::string item_key = "ItemId";
    std::string time_key = "Time";
};

enum class KeepSessionIds { no, yes };

/// How a file's or an array's events become a Dataset.
struct ReadOptions {
    Columns columns{};  ///< files only
    KeepSessionIds keep_session_ids = KeepSessionIds::no;
    const ItemMap* known_items = nullptr;  ///< set: events of other items are left out and counted
};

/// Events in the order in which a file or an array holds them; column by column, 16 bytes per event (20 with
/// fractions of seconds).
struct Events {
    std::vector<SessionIndex> sessions;
    std::vector<ItemIndex> items;
    TimeColumn times;
    ItemMap item_map;             ///< by first appearance, or the items known beforehand
    detail::IdTable session_ids;  ///< by first appearance; counts sessions that lost all events, too
    Index n_unknown = 0;          ///< events left out because their item is not among the known ones

    [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items.size()); }
    [[nodiscard]] Index n_sessions() const noexcept { return session_ids.size(); }

    [[nodiscard]] EventTime time(Index event) const noexcept { return times[static_cast<std::size_t>(event)]; }

    void append(SessionIndex session, ItemIndex item, EventTime when) {
        sessions.push_back(session);
        items.push_back(item);
        times.push_back(when);
    }

    void reserve(Index n_events) {
        sessions.reserve(static_cast<std::size_t>(n_events));
        items.reserve(static_cast<std::size_t>(n_events));
        times.reserve(static_cast<std::size_t>(n_events));
    }
};

/// What is wrong with an event, to be put into a message with its place; false where all is well.
struct EventProblem {
    std::string text{};
    bool in_session_id = false;  ///< else in the item id

    [[nodiscard]] explicit operator bool() const noexcept { return !text.empty(); }
};

namespace detail {

inline constexpr std::string_view empty_session_id = "the session id is empty; every event must belong to a session";

/// What is wrong with the id of an item that is not known yet.
[[nodiscard]] inline EventProblem new_item_problem(std::string_view item_id) {
    const std::string_view problem = item_id_problem(item_id);
    return problem.empty() ? EventProblem{} : EventProblem{bad_item_id(item_id, problem)};
}

}  // namespace detail

/// Numbers sessions and items in order of appearance while events come in one by one.
class EventCollector {
  public:
    /// Without `known_items` every item is welcome; with them, events of other items are counted and left out.
    explicit EventCollector(const ItemMap* known_items = nullptr) : accept_new_items_(known_items == nullptr) {
        if (known_items != nullptr) {
            events_.item_map = *known_items;
        }
    }

    void reserve(Index n_events) { events_.reserve(n_events); }

    [[nodiscard]] EventProblem add(std::string_view session_id, std::string_view item_id, EventTime when) {
        if (session_id.empty()) {
            return {.text = std::string(detail::empty_session_id), .in_session_id = true};
        }
        std::optional<ItemIndex> item = events_.item_map.find(item_id);
        if (!item) {
            if (EventProblem problem = detail::new_item_problem(item_id)) {
                return problem;
            }
        }
        if (last_session_ == detail::IdTable::none || events_.session_ids.text(last_session_) != session_id) {
            if (events_.n_sessions() == detail::IdTable::max_size &&
                events_.session_ids.find(session_id) == detail::IdTable::none) {
                return {.text = "more than 2147483647 sessions; split the data", .in_session_id = true};
            }
            last_session_ = events_.session_ids.insert(session_id);
        }
        if (!item && !accept_new_items_) {
            ++events_.n_unknown;
            return {};
        }
        if (!item) {
            if (events_.item_map.size() == detail::IdTable::max_size) {
                return {"more than 2147483647 items; drop the rare ones"};
            }
            item = events_.item_map.insert(item_id);
        }
        events_.append(to_session(last_session_), *item, when);
        return {};
    }

    [[nodiscard]] Events take() && { return std::move(events_); }

  private:
    Events events_;
    Index last_session_ = detail::IdTable::none;
    bool accept_new_items_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
