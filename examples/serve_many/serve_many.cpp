// Serves many live sessions at once, as a server does that answers the requests of several threads: one const model,
// one quantised table, a recommender per thread, a state per visitor. Each list is compared with that of a plain loop.
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/synthetic.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/trainer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <thread>
#include <vector>

using namespace gru4rec;

constexpr std::size_t n_visitors = 1000;
constexpr std::size_t n_events = 5;
constexpr std::size_t n_threads = 4;
constexpr Index top = 10;

using List = std::vector<Recommendation<float>>;

// Item of a visitor's event. A real server gets it with the request.
ItemIndex clicked(const Model<float>& model, std::size_t visitor, std::size_t event) {
    return to_item(static_cast<Index>(visitor * 7 + event * 3) % model.n_items());
}

// One thread serves its visitors in batches: feed the events that arrived together, then rank for all these visitors.
// Reading the table once for many sessions makes a batch several times cheaper than single requests.
void serve(const QuantizedTable<float>& table, std::size_t first, std::span<SessionState<float>> visitors,
           std::span<List> answers) {
    Recommender recommender(table);  // holds scratch memory: one per thread
    std::vector<ItemIndex> events(visitors.size());
    for (std::size_t event = 0; event < n_events; ++event) {
        for (std::size_t v = 0; v < visitors.size(); ++v) {
            events[v] = clicked(table.model(), first + v, event);
        }
        recommender.advance_many(visitors, events);
    }
    const auto lists = recommender.recommend_many(visitors, top);  // valid until the next call, so copied
    std::transform(lists.begin(), lists.end(), answers.begin(),
                   [](const auto& list) { return List(list.begin(), list.end()); });
}

int main() {
    const SyntheticData data = split_synthetic(SyntheticShop({.n_sessions = 2000}));
    Model model(data.train, {.layers = {32}, .n_epochs = 1, .n_sample = 128});
    Trainer trainer(model);
    trainer.fit(data.train);

    // From here on nothing changes the model. The table holds it in a byte per weight; lists and scores stay exact.
    const Model<float>& served = model;
    const QuantizedTable table(served);
    std::vector<SessionState<float>> visitors(n_visitors, SessionState(served));
    std::vector<List> answers(n_visitors);
    std::vector<std::thread> threads;
    const std::size_t share = n_visitors / n_threads;
    for (std::size_t first = 0; first < n_visitors; first += share) {
        threads.emplace_back([&, first] {
            // A batch may itself use several threads; here each thread keeps to its own.
            with_threads(1, [&] {
                serve(table, first, std::span(visitors).subspan(first, share),
                      std::span(answers).subspan(first, share));
            });
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }

    // The same visitors one by one, with the exact table: the same lists, to the bit.
    Recommender recommender(served);
    std::size_t n_equal = 0;
    for (std::size_t v = 0; v < n_visitors; ++v) {
        SessionState visitor(served);
        for (std::size_t event = 0; event < n_events; ++event) {
            recommender.advance(visitor, clicked(served, v, event));
        }
        const auto list = recommender.recommend(visitor, top);
        if (std::equal(list.begin(), list.end(), answers[v].begin(), answers[v].end())) {
            ++n_equal;
        }
    }
    std::printf("%zu visitors, %zu threads, %td items: %zu of %zu lists equal those of single requests\n", n_visitors,
                threads.size(), served.n_items(), n_equal, n_visitors);
    return n_equal == n_visitors ? 0 : 1;
}
