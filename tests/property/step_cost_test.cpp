#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::to_item;
using Clock = std::chrono::steady_clock;

constexpr Index few_items = 1'000;
constexpr Index many_items = 500'000;
// Rows of a large table come from memory, those of a small one from the cache: that makes a step some times as slow.
// Going once through half a million rows makes it hundreds of times as slow.
constexpr double bound = 20;

[[nodiscard]] gru4rec::Model<float> model_of(Index n_items) {
    gru4rec::ItemMap items;
    for (Index i = 0; i < n_items; ++i) {
        items.insert(std::to_string(i));
    }
    return {{.layers = {8}, .batch_size = 8, .n_epochs = 1, .n_sample = 32},
            items,
            std::vector<std::int64_t>(static_cast<std::size_t>(n_items), 3)};
}

/// Sessions of three events, spread over the catalogue.
class SpreadSessions {
  public:
    explicit SpreadSessions(Index n_items) : n_items_(n_items) {
        for (std::size_t i = 0; i < events_.size(); ++i) {
            events_[i] = to_item(static_cast<Index>(i) * 7919 % n_items);
        }
    }
    void start_epoch(std::uint64_t) noexcept { next_ = 0; }
    [[nodiscard]] std::span<const ItemIndex> next_session() noexcept {
        const std::size_t begin = std::exchange(next_, (std::min)(next_ + 3, events_.size()));
        return {events_.data() + begin, next_ - begin};
    }
    [[nodiscard]] Index n_items() const noexcept { return n_items_; }
    [[nodiscard]] Index n_pairs() const noexcept { return static_cast<Index>(events_.size()) / 3 * 2; }

  private:
    Index n_items_;
    std::array<ItemIndex, 9000> events_{};
    std::size_t next_ = 0;
};

[[nodiscard]] double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Of a step, in the quickest of many stretches: the machine may have other things to do during the others. A stretch
/// holds what is done once for several steps, as negatives are drawn.
[[nodiscard]] double step_seconds(Index n_items) {
    constexpr std::int64_t stretch = 50;
    gru4rec::Model<float> model = model_of(n_items);
    gru4rec::Trainer<float> trainer(model, {.max_threads = 1});
    SpreadSessions sessions(n_items);
    double quickest = 1e9;
    Clock::time_point before = Clock::now();
    trainer.fit(sessions, [&](const gru4rec::StepReport& step) {
        if (step.step % stretch == 0) {
            quickest = step.step > stretch ? (std::min)(quickest, seconds_since(before)) : quickest;
            before = Clock::now();
        }
        return true;
    });
    return quickest / static_cast<double>(stretch);
}

[[nodiscard]] double advance_seconds(Index n_items) {
    const gru4rec::Model<float> model = model_of(n_items);
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> visitor(model);
    double quickest = 1e9;
    for (Index i = 0; i < 200; ++i) {
        const Clock::time_point before = Clock::now();
        recommender.advance(visitor, to_item(i * 7919 % n_items));
        quickest = (std::min)(quickest, seconds_since(before));
    }
    return quickest;
}

}  // namespace

TEST_CASE("a training step takes no longer because the catalogue is larger") {
    const double few = step_seconds(few_items);
    const double many = step_seconds(many_items);
    INFO("seconds of a step: ", few, " and ", many);
    CHECK(many < bound * few);
}

TEST_CASE("feeding an event to a session takes no longer because the catalogue is larger") {
    const double few = advance_seconds(few_items);
    const double many = advance_seconds(many_items);
    INFO("seconds of an event: ", few, " and ", many);
    CHECK(many < bound * few);
}
