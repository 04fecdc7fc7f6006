#include "dispatcher.hpp"

#include <algorithm>

namespace cli::playback {

Dispatcher::Dispatcher(const PlayOrder& order, std::int64_t rate, Passes passes)
    : order_(order), rate_(rate), passes_(passes), states_(static_cast<std::size_t>(order.n_sessions())) {}

std::optional<Turn> Dispatcher::take(std::int64_t now) {
    if (!ready_.empty()) {
        const gru4rec::Index session = order_.session_of(ready_.top());
        ready_.pop();
        --n_waiting_;
        return take_from(session, now);
    }
    if (next_ == order_.n_steps() && passes_ == Passes::any_number && n_waiting_ == 0 && n_taken_ == 0) {
        start_pass();
    }
    while (next_ < order_.n_steps() && due_of(next_) <= now) {
        const gru4rec::Index session = order_.session_of(next_++);
        ++state_of(session).passed;
        if (!state_of(session).taken) {
            return take_from(session, now);
        }
        ++n_waiting_;
        ++n_held_;
    }
    return std::nullopt;
}

void Dispatcher::finish(gru4rec::Index session) {
    State& state = state_of(session);
    state.taken = false;
    --n_taken_;
    if (state.passed > state.next) {
        ready_.push(order_.step_of(session, state.next));
    }
}

std::int64_t Dispatcher::next_due() const noexcept {
    return rate_ > 0 && next_ < order_.n_steps() ? due_of(next_) : never;
}

std::int64_t Dispatcher::due_of(gru4rec::Index step) const noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    if (rate_ == 0) {
        return 0;
    }
    // Seconds and their rest apart, so that no product overflows.
    const std::int64_t place = std::int64_t{pass_} * order_.n_steps() + step;
    return place / rate_ * second + place % rate_ * second / rate_;
}

Turn Dispatcher::take_from(gru4rec::Index session, std::int64_t now) {
    State& state = state_of(session);
    const gru4rec::Index position = state.next++;
    state.taken = true;
    ++n_taken_;
    return {pass_, session, position, rate_ > 0 ? due_of(order_.step_of(session, position)) : now};
}

void Dispatcher::start_pass() {
    std::fill(states_.begin(), states_.end(), State{});
    ++pass_;
    next_ = 0;
}

}  // namespace cli::playback
