// Data of one's own: ids from vectors, and sessions from a source that makes them as training goes, so that they need
// not fit in memory.
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/session_source.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/trainer.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

using namespace gru4rec;

// Any type with these four functions is a SessionSource. This one could read a database; here it yields rounds through
// a catalogue: each session starts at the next item and goes up by one.
class Rounds {
  public:
    Rounds(Index n_items, Index n_sessions) : n_items_(n_items), n_sessions_(n_sessions) {}

    void start_epoch(std::uint64_t) { next_ = 0; }  // rewinds; gets 0, 1, 2, ...

    std::span<const ItemIndex> next_session() {  // in training order; empty at the end of the epoch
        if (next_ == n_sessions_) {
            return {};
        }
        sessions_.resize(static_cast<std::size_t>(n_sessions_));
        auto& session = sessions_[static_cast<std::size_t>(next_)];  // valid until the next start_epoch
        for (Index e = 0; e < 4; ++e) {
            session[static_cast<std::size_t>(e)] = to_item((next_ + e) % n_items_);
        }
        ++next_;
        return session;
    }

    Index n_items() const { return n_items_; }
    Index n_pairs() const { return 3 * n_sessions_; }  // (input, target) pairs: events minus one, per session

  private:
    Index n_items_, n_sessions_, next_ = 0;
    std::vector<std::array<ItemIndex, 4>> sessions_;
};

int main() {
    // Ids as vectors: an event per row, in any order. Ids may be integers or strings, times integers or doubles.
    const std::vector<int> sessions = {1, 1, 2, 2, 3, 3, 4, 4};
    const std::vector<std::string> items = {"shirt", "shoes", "shoes", "hat", "hat", "scarf", "scarf", "shirt"};
    const std::vector<std::int64_t> times = {10, 20, 30, 40, 50, 60, 70, 80};
    const Dataset data = make_dataset(sessions, items, times);
    std::printf("%td sessions, %td items, %td pairs\n", data.n_sessions(), data.n_items(), data.n_pairs());

    // The items and their supports come from the vectors, the sessions from the source.
    Model<float> model({.layers = {16}, .batch_size = 4, .n_epochs = 20, .n_sample = 8}, data.items(),
                       {data.supports().begin(), data.supports().end()});
    Rounds rounds(data.n_items(), 100);
    Trainer<float> trainer(model);
    const FitReport report = trainer.fit(rounds);
    std::printf("loss %.3f in the first epoch, %.3f in the last\n", report.epochs.front().loss,
                report.epochs.back().loss);

    Recommender<float> recommender(model);
    SessionState<float> visitor(model);
    recommender.advance(visitor, *model.items().find("shoes"));
    const auto best = recommender.recommend(visitor, 1);
    const std::string answer(model.items().id(best[0].item));
    std::printf("after shoes: %s\n", answer.c_str());
    return answer == "hat" ? 0 : 1;
}
