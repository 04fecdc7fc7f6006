#include "validation.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/preprocess.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace findings {

namespace {

constexpr std::size_t n_parts = 10;  // of the sessions; the newest is split off

/// The times of the first events of all sessions, ascending.
[[nodiscard]] std::vector<std::int64_t> start_times(const gru4rec::Events& events) {
    constexpr std::int64_t none = (std::numeric_limits<std::int64_t>::max)();
    std::vector<std::int64_t> starts(static_cast<std::size_t>(events.n_sessions()), none);
    for (std::size_t e = 0; e < events.sessions.size(); ++e) {
        std::int64_t& start = starts[static_cast<std::size_t>(to_index(events.sessions[e]))];
        start = (std::min)(start, events.times.whole[e]);
    }
    std::sort(starts.begin(), starts.end());
    return starts;
}

/// The time from just before the first of the newest sessions to the last event. @pre there are events
[[nodiscard]] std::int64_t duration_of_newest(const gru4rec::Events& events) {
    const std::vector<std::int64_t> starts = start_times(events);
    const std::int64_t first = starts[starts.size() - (std::max)(std::size_t{1}, starts.size() / n_parts)];
    const std::int64_t last = *std::max_element(events.times.whole.begin(), events.times.whole.end());
    constexpr auto longest = static_cast<std::uint64_t>((std::numeric_limits<std::int64_t>::max)()) - 1;
    const std::uint64_t duration = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    return static_cast<std::int64_t>((std::min)(duration, longest)) + 1;
}

}  // namespace

TrainAndTest split_off_newest(const gru4rec::Events& events) {
    gru4rec::Preprocessed split =
        gru4rec::preprocess(events, {.min_item_support = 1, .test_duration = duration_of_newest(events)});
    gru4rec::Dataset train(std::move(split.train_full));
    const gru4rec::Dataset newest(std::move(split.test));
    if (train.n_sessions() < 2 || newest.n_pairs() == 0) {
        throw gru4rec::ConfigError(
            "--tune: the training data are too small to split off the newest tenth of their " +
            std::to_string(events.n_sessions()) + " sessions for validation: " + std::to_string(train.n_sessions()) +
            " earlier sessions of two events are left, expected two, and " + std::to_string(newest.n_pairs()) +
            " predictions of items known from them, expected one; give more training data, or leave --tune out");
    }
    gru4rec::Dataset test = newest.with_items(train.items());
    return {std::move(train), std::move(test)};
}

}  // namespace findings
