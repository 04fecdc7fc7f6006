#include "support/data.hpp"
#include "support/measure.hpp"
#include "support/models.hpp"

#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/session_store.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <malloc.h>
#include <unistd.h>
#endif

namespace bench {
namespace {

using Session = gru4rec::SessionState<float>;
using Store = gru4rec::SessionStore<float>;

constexpr Index n_items = 10'000;
constexpr Index units = 100;
constexpr Index events_per_thread = 10'000;

enum class Feeding {
    whole,  ///< what Recommender::advance does
    none    ///< the event is counted only: the cost of the store itself
};

/// An id of 20 characters.
class Id {
  public:
    explicit Id(Index visitor) {
        text_.fill('0');
        constexpr std::string_view begin = "visitor-";
        std::copy(begin.begin(), begin.end(), text_.begin());
        for (std::size_t i = text_.size(); visitor > 0; visitor /= 10) {
            text_[--i] = static_cast<char>('0' + visitor % 10);
        }
    }
    [[nodiscard]] std::string_view text() const noexcept { return {text_.data(), text_.size()}; }

  private:
    std::array<char, 20> text_{};
};

/// Bytes of the process that are in memory; 0 if the system does not tell.
[[nodiscard]] double resident_bytes() {
#if defined(__linux__)
    ::malloc_trim(0);
    long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%*d %ld", &pages) != 1) {
            pages = 0;
        }
        std::fclose(file);
    }
    return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
#else
    return 0;
#endif
}

/// A store with `live` sessions of an event each; the last one is kept, as Google Benchmark calls a benchmark several
/// times.
class LiveStore {
  public:
    static LiveStore& of(Index live) {
        static std::unique_ptr<LiveStore> last;
        if (!last || last->live != live) {
            last.reset();
            last = std::make_unique<LiveStore>(live);
        }
        return *last;
    }

    explicit LiveStore(Index n_live)
        : live(n_live),
          model(make_model(n_items, units)),
          resident_before(resident_bytes()),
          store(model, {.max_sessions = 2 * n_live, .max_bytes = Index{4} << 30}) {
        gru4rec::Recommender<float> recommender(model);
        for (Index visitor = 0; visitor < live; ++visitor) {
            feed(recommender, visitor, visitor % n_items);
        }
        bytes_per_session = (resident_bytes() - resident_before) / static_cast<double>(live);
    }

    void feed(gru4rec::Recommender<float>& recommender, Index visitor, Index item) {
        store.update(Id(visitor).text(),
                     [&](Session& session) { recommender.advance(session, gru4rec::to_item(item)); });
    }

    Index live;
    gru4rec::Model<float> model;
    double resident_before;
    Store store;
    double bytes_per_session = 0;
};

/// Sessions of a store are those that are kept one by one.
[[nodiscard]] std::string check_store() {
    const gru4rec::Model<float> model = make_model(n_items, units);
    Store store(model);
    gru4rec::Recommender<float> recommender(model);
    std::vector<Session> kept(50, Session(model));
    Random random = random_stream(8);
    for (int event = 0; event < 500; ++event) {
        const auto visitor = static_cast<std::size_t>(random.below(50));
        const auto item = gru4rec::to_item(static_cast<Index>(random.below(n_items)));
        recommender.advance(kept[visitor], item);
        store.update(Id(static_cast<Index>(visitor)).text(),
                     [&](Session& session) { recommender.advance(session, item); });
    }
    Session found(model);
    for (std::size_t visitor = 0; visitor < kept.size(); ++visitor) {
        const auto expected = kept[visitor].values();
        if (!store.find(Id(static_cast<Index>(visitor)).text(), found) ||
            !std::equal(expected.begin(), expected.end(), found.values().begin())) {
            return "session " + std::to_string(visitor) + " is not the one that was fed";
        }
    }
    return "";
}

/// Feeds events to sessions that are drawn.
void feed_some(LiveStore& live, Feeding feeding, gru4rec::Recommender<float>& recommender, std::uint64_t stream) {
    Random random = random_stream(stream);
    for (Index event = 0; event < events_per_thread; ++event) {
        const auto visitor = static_cast<Index>(random.below(static_cast<std::uint64_t>(live.live)));
        if (feeding == Feeding::whole) {
            live.feed(recommender, visitor, event % n_items);
        } else {
            live.store.update(Id(visitor).text(), [](Session& session) { session.add_event(ItemIndex{}); });
        }
    }
}

/// Every thread does so.
void feed_many(LiveStore& live, Feeding feeding, std::vector<gru4rec::Recommender<float>>& recommenders,
               std::uint64_t round) {
    if (recommenders.size() == 1) {
        feed_some(live, feeding, recommenders.front(), 100 + 64 * round);
        return;
    }
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < recommenders.size(); ++thread) {
        threads.emplace_back(
            [&, thread] { feed_some(live, feeding, recommenders[thread], 100 + 64 * round + thread); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

void events(benchmark::State& state, Feeding feeding) {
    if (!passes(state, "session store", check_store)) {
        return;
    }
    LiveStore& live = LiveStore::of(state.range(0));
    const auto n_threads = static_cast<std::size_t>(state.range(1));
    std::vector<gru4rec::Recommender<float>> recommenders(n_threads, gru4rec::Recommender<float>(live.model));
    std::uint64_t round = 0;
    measure(
        state, static_cast<int>(n_threads),
        {.items = static_cast<double>(n_threads) * static_cast<double>(events_per_thread), .items_name = "events/s"},
        [&] { feed_many(live, feeding, recommenders, round++); });
    state.counters["B/session"] = live.bytes_per_session;
    state.counters["B_beside_state"] = live.bytes_per_session - static_cast<double>(units) * sizeof(float);
}

void register_all() {
    for (const auto& [feeding, name] : {std::pair(Feeding::whole, "events"), std::pair(Feeding::none, "store_alone")}) {
        for (const std::int64_t live : {1'000, 100'000, 1'000'000}) {
            for (const std::int64_t threads : {1, 2}) {
                benchmark::RegisterBenchmark(name, [kind = feeding](benchmark::State& state) { events(state, kind); })
                    ->ArgNames({"live", "threads"})
                    ->Args({live, threads})
                    ->Unit(benchmark::kMillisecond)
                    ->UseRealTime();
            }
        }
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
