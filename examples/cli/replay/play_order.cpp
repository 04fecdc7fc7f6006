#include "play_order.hpp"

#include <algorithm>
#include <numeric>

namespace cli::playback {

PlayOrder::PlayOrder(const gru4rec::Events& events)
    : items_(static_cast<std::size_t>(events.size())),
      offsets_(static_cast<std::size_t>(events.n_sessions()) + 1),
      steps_of_events_(items_.size(), -1) {
    const auto session_of_event = [&](gru4rec::Index event) {
        return static_cast<std::size_t>(to_index(events.sessions[static_cast<std::size_t>(event)]));
    };
    std::vector<gru4rec::Index> order(items_.size());
    std::iota(order.begin(), order.end(), gru4rec::Index{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](gru4rec::Index a, gru4rec::Index b) { return events.time(a) < events.time(b); });
    for (const gru4rec::Index event : order) {
        ++offsets_[session_of_event(event) + 1];
    }
    std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
    std::vector<std::size_t> ends(offsets_.begin(), offsets_.end() - 1);  // of what is placed so far
    for (const gru4rec::Index event : order) {
        const std::size_t session = session_of_event(event);
        const std::size_t place = ends[session]++;
        items_[place] = events.items[static_cast<std::size_t>(event)];
        if (place + 1 < offsets_[session + 1]) {
            steps_of_events_[place] = n_steps();
            sessions_of_steps_.push_back(static_cast<std::int32_t>(session));
        }
    }
}

}  // namespace cli::playback
