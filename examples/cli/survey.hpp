#ifndef GRU4REC_CLI_SURVEY_HPP
#define GRU4REC_CLI_SURVEY_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/id_table.hpp"
#include "gru4rec/data/item_map.hpp"
#include "gru4rec/data/time_column.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cli {

/// Counts of events, as gru4rec::detail::TableReader collects them: memory for the distinct sessions and items only.
class Survey {
  public:
    struct Session {
        std::int64_t n_events = 0;
        gru4rec::ItemIndex last_item{-1};
    };

    gru4rec::ItemMap item_map;
    gru4rec::detail::IdTable session_ids;
    gru4rec::Index n_unknown = 0;

    void reserve(std::size_t, std::size_t) {}

    /// @returns true
    [[nodiscard]] bool append(gru4rec::Index session, const gru4rec::detail::EventChunk& chunk, std::size_t begin,
                              std::size_t end) {
        sessions_.resize(static_cast<std::size_t>(session_ids.size()));
        supports_.resize(static_cast<std::size_t>(item_map.size()));
        Session& counts = gru4rec::detail::at(sessions_, session);
        for (std::size_t e = begin; e < end; ++e) {
            const gru4rec::ItemIndex item = chunk.items()[e];
            const gru4rec::detail::EventTime time = chunk.times()[e];
            first_ = n_events_ == 0 ? time : (std::min)(first_, time);
            last_ = n_events_ == 0 ? time : (std::max)(last_, time);
            n_repeats_ += counts.n_events > 0 && counts.last_item == item ? 1 : 0;
            ++gru4rec::detail::at(supports_, item);
            ++n_events_;
            ++counts.n_events;
            counts.last_item = item;
        }
        return true;
    }

    [[nodiscard]] std::int64_t n_events() const noexcept { return n_events_; }
    /// Events whose item is that of the event before, in the order of the rows.
    [[nodiscard]] std::int64_t n_repeats() const noexcept { return n_repeats_; }
    [[nodiscard]] gru4rec::detail::EventTime first() const noexcept { return first_; }
    [[nodiscard]] gru4rec::detail::EventTime last() const noexcept { return last_; }
    [[nodiscard]] const std::vector<Session>& sessions() const noexcept { return sessions_; }
    /// Events by item.
    [[nodiscard]] const std::vector<std::int64_t>& supports() const noexcept { return supports_; }

  private:
    std::int64_t n_events_ = 0;
    std::int64_t n_repeats_ = 0;
    gru4rec::detail::EventTime first_;
    gru4rec::detail::EventTime last_;
    std::vector<Session> sessions_;
    std::vector<std::int64_t> supports_;
};

}  // namespace cli

#endif
