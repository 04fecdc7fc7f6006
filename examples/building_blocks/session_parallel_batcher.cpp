// Session-parallel mini-batches (arXiv 1511.06939, section 3.1.1): each lane walks through one session, an event per
// step, and takes the next session when its own is over. So sessions of any length fill a batch without padding.
#include "gru4rec/blocks/session_parallel.hpp"

#include <cstdio>
#include <vector>

int main() {
    using namespace gru4rec;
    SessionList sessions(std::vector<std::vector<int>>{{0, 1, 2, 3}, {4, 5}, {6, 7, 8}, {9, 0}, {1, 4, 9}});
    std::printf("%td items, %td (input, target) pairs\n", sessions.n_items(), sessions.n_pairs());

    SessionParallelBatcher batcher(sessions, 3);  // three lanes
    batcher.start_epoch(0);
    Matrix<float> h(0, 1);  // stands for hidden states: here it counts the events of a lane's session so far
    Index n_pairs = 0;
    for (int step = 1;; ++step) {
        const MiniBatch batch = batcher.next();
        if (batch.n_lanes() == 0) {
            break;
        }
        // The state of a lane comes from where the lane was in the step before; a new session starts from zero.
        h = carry_states(h, batch.previous_lane);
        h.array() += 1;
        std::printf("step %d:", step);
        for (std::size_t m = 0; m < batch.targets.size(); ++m) {
            std::printf("   %td -> %td%s", to_index(batch.inputs.items[m]), to_index(batch.targets[m]),
                        batch.previous_lane[m] == MiniBatch::fresh ? " (new)" : "");
        }
        std::printf("   event");
        for (Index m = 0; m < h.rows(); ++m) {
            std::printf(" %.0f", static_cast<double>(h(m, 0)));
        }
        std::printf("\n");
        n_pairs += batch.n_lanes();
    }
    std::printf("every pair was seen once: %td\n", n_pairs);
    return n_pairs == sessions.n_pairs() ? 0 : 1;
}
