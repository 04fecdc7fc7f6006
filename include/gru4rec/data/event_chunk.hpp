#ifndef GRU4REC_DATA_EVENT_CHUNK_HPP
#define GRU4REC_DATA_EVENT_CHUNK_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// One event as a parser finds it. The ids must live as long as the chunk is in use.
struct ParsedEvent {
    const char* line = nullptr;  ///< first character of the event's line, for messages
    std::string_view session_id;
    std::string_view item_id;
    EventTime time;
};

/// The first line of a file that cannot be read.
struct LineProblem {
    const char* line = nullptr;
    EventProblem event{};
};

/// The events of a part of a file, as columns. A parser fills chunks with add() and finish(), several chunks at the
/// same time; the reader then numbers their sessions and new items, chunk by chunk in the order of the file.
class EventChunk {
  public:
    /// Consecutive events of one session.
    struct Run {
        std::string_view session_id;
        std::size_t end;  ///< index of the event after its last one
    };

    /// The item of an event whose item the catalogue lacks.
    static constexpr ItemIndex unnumbered{-1};

    /// Empties the chunk but keeps its memory.
    ///
    /// @param items      the items known so far; must stay unchanged while events are added
    /// @param new_items  whether events of other items are kept
    void start(const ItemMap& items, NewItems new_items) {
        catalogue_ = &items;
        new_items_ = new_items;
        n_waiting_ = 0;
        runs_.clear();
        items_.clear();
        times_.clear();
        new_ids_.clear();
        n_unknown_ = 0;
        unescaped_.clear();
        problem_.reset();
    }

    /// @returns false if an event so far is invalid: then nothing more can be added
    [[nodiscard]] bool add(const ParsedEvent& event) {
        Waiting& waiting = waiting_[n_waiting_++];
        waiting = {event, catalogue_->hash(event.item_id)};
        catalogue_->prefetch(waiting.hash);
        return n_waiting_ < waiting_.size() || store_waiting();
    }

    /// Call it once after the last event. @param problem  of the next line, if it cannot be read
    void finish(std::optional<LineProblem> problem = std::nullopt) {
        if (!problem_ && store_waiting()) {
            problem_ = std::move(problem);
        }
    }

    /// Room for `size` characters of ids that are not part of the file's text; they stay where they are if the first
    /// call asks for all that will be used.
    [[nodiscard]] std::string& unescaped(std::size_t size) {
        unescaped_.reserve(size);
        return unescaped_;
    }

    [[nodiscard]] const std::vector<Run>& runs() const noexcept { return runs_; }
    [[nodiscard]] std::vector<ItemIndex>& items() noexcept { return items_; }
    [[nodiscard]] const std::vector<ItemIndex>& items() const noexcept { return items_; }
    [[nodiscard]] const TimeColumn& times() const noexcept { return times_; }
    /// The ids of the unnumbered items, in order.
    [[nodiscard]] const std::vector<std::string_view>& new_ids() const noexcept { return new_ids_; }
    /// Events left out.
    [[nodiscard]] Index n_unknown() const noexcept { return n_unknown_; }
    [[nodiscard]] const std::optional<LineProblem>& problem() const noexcept { return problem_; }

  private:
    struct Waiting {
        ParsedEvent event;
        std::uint32_t hash;
    };

    /// Stores events a block at a time, so that the cache misses of their items overlap.
    [[nodiscard]] bool store_waiting() {
        for (std::size_t i = 0; i < n_waiting_; ++i) {
            const ParsedEvent& event = waiting_[i].event;
            const std::optional<ItemIndex> item = catalogue_->find(event.item_id, waiting_[i].hash);
            if (event.session_id.empty() || !item) {
                if (EventProblem problem = id_problem(event.session_id, event.item_id)) {
                    problem_ = LineProblem{event.line, std::move(problem)};
                    return false;
                }
            }
            store(event, item);
        }
        n_waiting_ = 0;
        return true;
    }

    void store(const ParsedEvent& event, std::optional<ItemIndex> item) {
        if (runs_.empty() || !same_text(runs_.back().session_id, event.session_id)) {
            runs_.push_back({event.session_id, items_.size()});
        }
        if (!item && new_items_ == NewItems::leave_out) {
            ++n_unknown_;
            return;
        }
        if (!item) {
            new_ids_.push_back(event.item_id);
        }
        items_.push_back(item.value_or(unnumbered));
        times_.push_back(event.time);
        runs_.back().end = items_.size();
    }

    const ItemMap* catalogue_ = nullptr;
    NewItems new_items_ = NewItems::keep;
    std::array<Waiting, 64> waiting_;
    std::size_t n_waiting_ = 0;
    std::vector<Run> runs_;
    std::vector<ItemIndex> items_;
    TimeColumn times_;
    std::vector<std::string_view> new_ids_;
    Index n_unknown_ = 0;
    std::string unescaped_;
    std::optional<LineProblem> problem_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
