#include "gru4rec/core/file.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/session_bytes.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/session_store.hpp"
#include "gru4rec/serve/similar_items.hpp"
#include "gru4rec/train/training_step.hpp"

#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// This program's operator new counts: what is to run without it can be seen to. Not inlined, as GCC would take `free`
// behind a `new` for a mistake.
namespace {

std::atomic<std::int64_t> n_allocations{0};
std::atomic<std::int64_t> failing_allocation{0};  // the number of the one that fails; 0: none

void* counted(std::size_t size, std::size_t alignment) noexcept {
    if (++n_allocations == failing_allocation) {
        return nullptr;
    }
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    return std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
}

void* counted_or_throw(std::size_t size, std::size_t alignment) {
    void* const memory = counted(size, alignment);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

constexpr std::size_t usual = alignof(std::max_align_t);
constexpr std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) { return counted_or_throw(size, usual); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted_or_throw(size, number(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size, usual); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return counted(size, number(alignment));
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return counted_or_throw(size, usual); }
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t alignment) {
    return counted_or_throw(size, number(alignment));
}
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return counted(size, usual);
}
[[gnu::noinline]] void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return counted(size, number(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
    std::free(memory);
}

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::MiniBatch;
using gru4rec::Model;
using Entries = std::vector<std::pair<std::string, std::string>>;

constexpr int n_items = 60;

Model<double> model_of(const Entries& settings) {
    Hyperparameters p;
    p.batch_size = 6;
    p.n_sample = 8;
    p.layers = {9, 5};
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    gru4rec::ItemMap items;
    for (int i = 0; i < n_items; ++i) {
        items.insert(std::to_string(i));
    }
    return {p, items, std::vector<std::int64_t>(static_cast<std::size_t>(n_items), 3)};
}

std::vector<ItemIndex> random_items(gru4rec::detail::Random& random, std::size_t n) {
    std::vector<ItemIndex> result;
    for (std::size_t i = 0; i < n; ++i) {
        result.push_back(gru4rec::to_item(static_cast<Index>(random.below(n_items))));
    }
    return result;
}

}  // namespace

TEST_CASE("the counter counts") {
    const std::int64_t before = n_allocations;
    const gru4rec::detail::AlignedBuffer<double> buffer(7);
    ::operator delete(::operator new(5));  // called, not written as an expression: compilers may leave those out
    CHECK(n_allocations - before == 2);
    CHECK(buffer.size() == 7);
}

TEST_CASE("training steps allocate nothing, whatever the batch, once they have warmed up") {
    for (const Entries& settings :
         {Entries{{"logq", "1"}, {"momentum", "0.1"}, {"dropout_p_embed", "0.2"}, {"dropout_p_hidden", "0.2"}},
          Entries{{"loss", "bpr-max"}, {"constrained_embedding", "0"}, {"gru_variant", "reset_after"}},
          Entries{{"loss", "top1"}, {"constrained_embedding", "0"}, {"embedding", "11"}, {"adapt", "adam"}},
          Entries{{"loss", "bpr"}, {"mask_duplicates", "true"}, {"adapt", "adadelta"}, {"layers", "40"}},
          Entries{{"grad_cap", "0.01"}, {"layers", "7/5"}},
          Entries{{"input", "history"}, {"history_max", "3"}, {"deep_input", "1"}},
          Entries{{"input", "history"}, {"history_max", "3"}, {"deep_input", "1"}, {"constrained_embedding", "0"}},
          Entries{{"bptt", "3"}, {"dropout_p_hidden", "0.2"}, {"adapt", "adam"}, {"grad_cap", "0.01"}},
          Entries{{"bptt", "3"}, {"constrained_embedding", "0"}, {"deep_input", "1"}, {"gru_variant", "reset_after"}},
          Entries{{"bptt", "3"},
                  {"constrained_embedding", "0"},
                  {"embedding", "11"},
                  {"input", "history"},
                  {"history_max", "3"}}}) {
        auto model = model_of(settings);
        const Hyperparameters& p = model.hyperparameters();
        gru4rec::with_threads(1, [&] {
            gru4rec::detail::TrainingStep<double> step(model.network(), model.supports(), p,
                                                       gru4rec::detail::make_loss<double>(p));
            step.watch_gradients(2);
            gru4rec::StepNegatives negatives(model.supports(), p.sample_alpha, p.n_sample, 1);
            gru4rec::detail::Random random(5, gru4rec::detail::Random::Stream::test);
            std::int64_t allocations = 0;
            std::size_t last_lanes = 0;
            for (std::uint64_t n = 0; n < 60; ++n) {
                // From 6 lanes, all of them different, to one.
                const std::size_t lanes = n < 3 ? 6 : static_cast<std::size_t>(1 + random.below(6));
                const std::size_t per_lane = p.input == gru4rec::InputContent::history ? 3 : 1;
                auto inputs = random_items(random, lanes * per_lane);
                auto targets = random_items(random, lanes);
                if (n < 3) {
                    for (std::size_t i = 0; i < inputs.size(); ++i) {
                        inputs[i] = gru4rec::to_item(static_cast<Index>(i + (i < 6 ? 0 : 6)));
                    }
                    for (std::size_t m = 0; m < lanes; ++m) {
                        targets[m] = gru4rec::to_item(static_cast<Index>(m + 6));
                    }
                }
                std::vector<Index> previous(lanes);
                for (std::size_t m = 0; m < lanes; ++m) {
                    const bool fresh = random.below(3) == 0 || m >= last_lanes;  // no lane to continue
                    previous[m] = fresh ? MiniBatch::fresh : static_cast<Index>(m);
                }
                last_lanes = lanes;
                const std::vector<double> weights(inputs.size(), 0.25);
                std::vector<Index> ends;
                for (std::size_t m = 0; m < lanes; ++m) {
                    ends.push_back(static_cast<Index>((m + 1) * per_lane));
                }
                const auto lane_inputs = per_lane == 1 ? gru4rec::detail::LaneInputs(inputs)
                                                       : gru4rec::detail::LaneInputs(inputs, weights, ends);
                const gru4rec::detail::DropoutStep dropout{p.dropout_p_embed, p.dropout_p_hidden, 1, 0, n};
                const std::int64_t before = n_allocations;
                const auto drawn = negatives.of_step(0, n);
                const double loss = step.run({lane_inputs, targets, previous}, drawn, dropout);
                allocations += n_allocations - before;
                CHECK(loss > 0);
            }
            CHECK(allocations == 0);
        });
    }
}

TEST_CASE("batches of a walk through sessions allocate nothing either") {
    std::vector<std::int64_t> sessions, items, times;
    for (std::int64_t e = 0; e < 300; ++e) {
        sessions.push_back(e / 4);
        items.push_back(e % 7);
        times.push_back(e);
    }
    const auto data = gru4rec::make_dataset(sessions, items, times);
    gru4rec::OrderedSessions source(data, gru4rec::SessionOrder::random, 1);
    gru4rec::SessionParallelBatcher batcher(source, 5, 1, gru4rec::detail::InputHistory(0.5, 3));
    batcher.start_epoch(0);
    const std::int64_t before = n_allocations;
    Index pairs = 0;
    for (MiniBatch batch = batcher.next(); batch.n_lanes() > 0; batch = batcher.next()) {
        pairs += batch.n_lanes();
    }
    batcher.start_epoch(1);
    CHECK(n_allocations == before);
    CHECK(pairs == 225);
}

TEST_CASE("a full store allocates nothing, new sessions of short ids among them, and nor does a codec") {
    const auto model = model_of({});
    gru4rec::SessionStore<double> store(model, {.max_sessions = 500, .n_shards = 3});
    gru4rec::SessionState<double> session(model);
    const gru4rec::SessionCodec<double> codec(model);
    std::vector<std::byte> bytes;
    const auto serve = [&](int first) {
        for (int i = first; i < first + 2000; ++i) {
            std::array<char, 40> id{};
            std::to_chars(id.data(), id.data() + id.size(), i);
            const std::string_view whole(id.data(), id.size());
            store.update(whole, [&](auto& stored) {
                stored.add_event(gru4rec::to_item(1));
                session = stored;
            });
            CHECK(store.find(whole, session));
            CHECK(store.erase(whole));
            store.update(whole, [](auto& stored) { stored.add_event(gru4rec::to_item(1)); });
            codec.write(session, bytes);
            codec.read(bytes, session);
        }
        store.expire();
    };
    serve(0);
    const std::int64_t before = n_allocations;
    serve(2000);
    CHECK(n_allocations == before);
    CHECK(store.counts().size == 500);
    store.update(std::string(41, 'x'), [](auto&) {});
    CHECK(n_allocations > before);  // the id
}

TEST_CASE("serving many visitors at once allocates nothing once as many were served") {
    const auto model = model_of({});
    const gru4rec::QuantizedTable<double> table(model);
    for (const bool by_table : {false, true}) {
        auto recommender = by_table ? gru4rec::Recommender<double>(table) : gru4rec::Recommender<double>(model);
        std::vector<gru4rec::SessionState<double>> visitors(40, gru4rec::SessionState<double>(model));
        std::vector<gru4rec::SessionState<double>*> sessions;
        for (auto& visitor : visitors) {
            sessions.push_back(&visitor);
        }
        const std::vector<const gru4rec::SessionState<double>*> all(sessions.begin(), sessions.end());
        const std::vector<gru4rec::ItemIndex> items(40, gru4rec::to_item(3));
        gru4rec::with_threads(1, [&] {
            recommender.advance_many(sessions, items);
            static_cast<void>(recommender.recommend_many(all, 20));
            const std::int64_t before = n_allocations;
            recommender.advance_many(sessions, items);
            CHECK(recommender.recommend_many(all, 20).size() == 40);
            CHECK(recommender.recommend_many(std::span(all).first(7), 20).size() == 7);
            CHECK(n_allocations == before);
        });
    }
}

TEST_CASE("serving a visitor allocates nothing once a list of that length was asked for") {
    const auto model = model_of({});
    gru4rec::Recommender<double> recommender(model);
    gru4rec::SessionState<double> visitor(model);
    gru4rec::with_threads(1, [&] {
        static_cast<void>(recommender.recommend(visitor, 20));
        std::int64_t before = n_allocations;
        std::size_t n = 0;
        for (int event = 0; event < 30; ++event) {
            recommender.advance(visitor, gru4rec::to_item(event));
            n += recommender.recommend(visitor, 20).size();
            n += recommender.recommend(visitor, 7).size();
        }
        visitor.reset();
        n += recommender.recommend(visitor, 20).size();
        CHECK(n_allocations == before);
        CHECK(n == 30 * 27 + 20);
        before = n_allocations;
        static_cast<void>(recommender.recommend(visitor, 21));
        CHECK(n_allocations > before);  // the list grows
    });
}

TEST_CASE(
    "requests with filters and lists, scores of candidates, ids and similar items allocate nothing the second time, "
    "alone "
    "and together") {
    const auto model = model_of({});
    const gru4rec::QuantizedTable<double> table(model);
    const auto filter = gru4rec::ItemFilter::exclude(model.n_items(), std::vector{gru4rec::to_item(2)});
    const std::vector<gru4rec::ItemIndex> some = {gru4rec::to_item(7), gru4rec::to_item(3), gru4rec::to_item(7)};
    const std::vector<std::string_view> ids = {"3", "never seen", "7"};
    for (const bool by_table : {false, true}) {
        auto recommender = by_table ? gru4rec::Recommender<double>(table) : gru4rec::Recommender<double>(model);
        auto similar = by_table ? gru4rec::SimilarItems<double>(table) : gru4rec::SimilarItems<double>(model);
        gru4rec::SessionState<double> visitor(model);
        recommender.advance(visitor, gru4rec::to_item(1));
        const gru4rec::SessionState<double> fresh(model);
        std::vector<gru4rec::RecommendRequest<double>> requests;
        for (int r = 0; r < 40; ++r) {
            gru4rec::RecommendOptions options{.n = 20 - r % 3, .filter = r % 2 == 0 ? &filter : nullptr};
            if (r % 3 == 0) {
                options.exclude = some;
            }
            if (r % 5 == 0) {
                options.only = some;
            }
            requests.push_back({r % 7 == 0 ? &fresh : &visitor, options});
        }
        std::array<double, 3> scores{};
        std::vector<std::array<double, 3>> many_scores(40);
        std::vector<gru4rec::ScoreRequest<double>> candidates;
        std::vector<gru4rec::SimilarRequest> items;
        for (std::size_t r = 0; r < requests.size(); ++r) {
            candidates.push_back({requests[r].session, some, many_scores[r]});
            items.push_back({gru4rec::to_item(static_cast<Index>(r)), requests[r].options});
        }
        gru4rec::FedItems fed;
        std::size_t n = 0;
        const auto serve = [&] {
            n = recommender.recommend_many(requests).size() + similar.find_many(items).size();
            recommender.scores_many(candidates);
            for (const auto& request : requests) {
                n += recommender.recommend(*request.session, request.options).size();
                n += similar.find(gru4rec::to_item(4), request.options).size();
            }
            recommender.scores(visitor, some, scores);
            fed = recommender.feed(visitor, ids);
        };
        gru4rec::with_threads(1, [&] {
            serve();
            const std::int64_t before = n_allocations;
            serve();
            CHECK(n_allocations == before);
        });
        CHECK(n > 80);
        CHECK(fed.n_fed == 2);
    }
}

TEST_CASE(
    "whichever allocation fails while a file is replaced, the old one or the new one is there, and nothing else") {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder / "the name of a model that does not fit into a short string";
    gru4rec::detail::write_file(path, "old");
    int n_failures = 0;
    for (bool done = false; !done; ++n_failures) {
        REQUIRE(n_failures < 1000);
        failing_allocation = n_allocations + 1 + n_failures;
        try {
            gru4rec::detail::write_file(path, "new");
            done = true;
        } catch (const std::bad_alloc&) {
        }
        failing_allocation = 0;
        const std::string content = read_bytes(path);
        CHECK((content == "new" || (content == "old" && !done)));
        CHECK(folder.n_files() == 1);
    }
    CHECK(n_failures > 10);
}
