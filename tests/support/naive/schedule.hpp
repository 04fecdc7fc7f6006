#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_SCHEDULE_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_SCHEDULE_HPP

#include "support/naive/matrix.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace naive {

using Session = std::vector<std::size_t>;  ///< items, in the order of their events

/// One mini-batch; every vector has an entry per live lane.
struct Step {
    std::vector<std::size_t> inputs;
    std::vector<std::size_t> targets;
    std::vector<bool> resets;                ///< the lane starts a session here: its hidden state is zero
    std::vector<std::size_t> previous_rows;  ///< the lane's row in the step before; its own number in the first step
    std::vector<std::size_t> sessions;       ///< which session the lane is in
    std::vector<std::size_t> positions;      ///< of the input event in that session
    std::vector<Session> histories = {};     ///< the session up to the input event; none: the input event alone

    [[nodiscard]] std::size_t lanes() const { return inputs.size(); }
};

/// 0, 1, 2, ...
[[nodiscard]] inline std::vector<std::size_t> file_order(std::size_t n_sessions) {
    std::vector<std::size_t> order(n_sessions);
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
}

/// By the time of a session's first event; equal times keep the sessions' numbers.
[[nodiscard]] inline std::vector<std::size_t> time_order(const std::vector<double>& first_times) {
    std::vector<std::size_t> order = file_order(first_times.size());
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return first_times[a] < first_times[b]; });
    return order;
}

/// All steps of an epoch of session-parallel mini-batches (arXiv 1511.06939).
///
/// @param order       session numbers in the order in which the lanes take them
/// @param batch_size  the number of lanes at the start
/// @param n_sample    only whether it is 0: then a step of one lane has no negative and the epoch ends before it
[[nodiscard]] inline std::vector<Step> schedule(const std::vector<Session>& sessions,
                                                const std::vector<std::size_t>& order, std::size_t batch_size,
                                                std::size_t n_sample) {
    struct Lane {
        std::size_t session;
        std::size_t position;
        std::size_t previous_row;
    };
    if (batch_size == 0 || (batch_size == 1 && n_sample == 0)) {
        throw std::invalid_argument("naive: there would be no negative");
    }
    std::vector<std::size_t> unused;  // those that give a pair at all; the next one is at the back
    for (std::size_t k = order.size(); k > 0; --k) {
        if (sessions.at(order[k - 1]).size() >= 2) {
            unused.push_back(order[k - 1]);
        }
    }
    const auto take = [&] {
        const std::size_t session = unused.back();
        unused.pop_back();
        return session;
    };
    std::vector<Lane> lanes;
    while (lanes.size() < batch_size && !unused.empty()) {
        lanes.push_back({take(), 0, lanes.size()});
    }

    std::vector<Step> steps;
    while (lanes.size() > (n_sample == 0 ? 1U : 0U)) {
        Step step;
        for (const Lane& lane : lanes) {
            const Session& session = sessions[lane.session];
            step.inputs.push_back(session[lane.position]);
            step.targets.push_back(session[lane.position + 1]);
            step.resets.push_back(lane.position == 0);
            step.previous_rows.push_back(lane.previous_row);
            step.sessions.push_back(lane.session);
            step.positions.push_back(lane.position);
            step.histories.emplace_back(session.begin(),
                                        session.begin() + static_cast<std::ptrdiff_t>(lane.position) + 1);
        }
        steps.push_back(step);

        std::vector<Lane> next;
        for (std::size_t row = 0; row < lanes.size(); ++row) {
            const Lane& lane = lanes[row];
            const bool has_another_pair = lane.position + 2 < sessions[lane.session].size();
            if (has_another_pair) {
                next.push_back({lane.session, lane.position + 1, row});
            } else if (!unused.empty()) {
                next.push_back({take(), 0, row});
            }
        }
        lanes = next;
    }
    return steps;
}

/// The state with which a step is entered, from the one that left the step before: rows of lanes that live on, zeros
/// where a session starts. `previous` may be empty (the epoch's first step).
[[nodiscard]] inline Matrix entering_state(const Matrix& previous, const Step& step, std::size_t units) {
    Matrix result(step.lanes(), units);
    for (std::size_t i = 0; i < step.lanes(); ++i) {
        if (!step.resets[i]) {
            for (std::size_t k = 0; k < units; ++k) {
                result(i, k) = previous(step.previous_rows[i], k);
            }
        }
    }
    return result;
}

}  // namespace naive

#endif
