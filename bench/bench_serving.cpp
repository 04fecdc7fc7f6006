#include "support/data.hpp"
#include "support/equal_values.hpp"
#include "support/measure.hpp"
#include "support/models.hpp"
#include "support/naive/evaluation.hpp"
#include "support/training.hpp"
#include "support/twin.hpp"
#include "support/twin_of_model.hpp"

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/serve/similar_items.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bench {
namespace {

using Session = gru4rec::SessionState<float>;

enum class Scoring { exact, quantized };

enum class Weights {
    random,  ///< uniform weights, uniform states
    trained  ///< after a thousand steps of the first published setting; states of sessions of three events
};

[[nodiscard]] const char* text(Weights weights) { return weights == Weights::random ? "random" : "trained"; }

[[nodiscard]] gru4rec::Model<float> model_of(Weights weights, Index n_items, Index units) {
    if (weights == Weights::random) {
        gru4rec::Model<float> model = make_model(n_items, units);
        fill(model.network().output_table(), 0.5, 5);
        return model;
    }
    Setting setting = changed("layers", units);
    setting.n_items = n_items;
    Training training(setting);
    for (int step = 0; step < 1000; ++step) {
        training.step();
    }
    return std::move(training.model());
}

/// A model with its quantised table and some sessions; the last one is kept, as Google Benchmark calls a benchmark
/// several times.
class Shop {
  public:
    static constexpr std::size_t n_sessions = 256;

    static Shop& of(Weights weights, Index n_items, Index units) {
        static std::unique_ptr<Shop> last;
        if (!last || last->weights != weights || last->model.n_items() != n_items ||
            last->model.network().output_width() != units) {
            last.reset();
            last = std::make_unique<Shop>(weights, n_items, units);
        }
        return *last;
    }

    Shop(Weights kind, Index n_items, Index units)
        : weights(kind), model(model_of(kind, n_items, units)), quantized(model), sessions(make_sessions(n_sessions)) {
        for (Session& session : sessions) {
            all.push_back(&session);
        }
    }

    [[nodiscard]] std::vector<Session> make_sessions(std::size_t n) const {
        const gru4rec::NegativeSampler items(model.supports(), 1);
        gru4rec::Recommender<float> events(model);
        Random random = random_stream(6);
        std::vector<Session> made(n, Session(model));
        for (Session& session : made) {
            if (weights == Weights::random) {
                const auto values = session.values();
                std::generate(values.begin(), values.end(), [&] { return uniform(random, 1); });
                session.add_event(ItemIndex{});
            } else {
                for (int event = 0; event < 3; ++event) {
                    events.advance(session, items.draw(random.next()));
                }
            }
        }
        return made;
    }

    [[nodiscard]] gru4rec::Recommender<float> recommender(Scoring scoring) const {
        return scoring == Scoring::exact ? gru4rec::Recommender<float>(model) : gru4rec::Recommender<float>(quantized);
    }

    [[nodiscard]] std::string name() const {
        return std::string(text(weights)) + " table, V " + std::to_string(model.n_items()) + ", H " +
               std::to_string(model.network().output_width());
    }

    /// Sessions whose lists are compared: ten thousand over ten thousand items, fewer where there are more items.
    [[nodiscard]] std::size_t n_checked() const { return static_cast<std::size_t>(100'000'000 / model.n_items()); }

    /// Bytes that a request reads.
    [[nodiscard]] double bytes(Scoring scoring) const {
        const auto& table = model.network().output_table();
        return static_cast<double>(scoring == Scoring::exact ? table.rows() * table.stride() * Index{sizeof(float)}
                                                             : quantized.bytes());
    }

    Weights weights;
    gru4rec::Model<float> model;
    gru4rec::QuantizedTable<float> quantized;
    std::vector<Session> sessions;
    std::vector<const Session*> all;
};

/// The best scores of a plain loop over all items in double precision.
[[nodiscard]] std::vector<double> best_scores(const gru4rec::Model<float>& model, const Session& session,
                                              std::size_t n) {
    const gru4rec::detail::PaddedMatrix<float>& table = model.network().output_table();
    std::vector<double> scores;
    for (Index i = 0; i < table.rows(); ++i) {
        auto score = static_cast<double>(table.row(i)[table.cols() - 1]);
        for (Index k = 0; k + 1 < table.cols(); ++k) {
            score += static_cast<double>(table.row(i)[k]) *
                     static_cast<double>(session.values()[static_cast<std::size_t>(k)]);
        }
        scores.push_back(score);
    }
    const auto end = scores.begin() + static_cast<std::ptrdiff_t>(n);
    std::partial_sort(scores.begin(), end, scores.end(), std::greater<>());
    return {scores.begin(), end};
}

/// Scores of one session as the plain loop has them; batched and quantised requests as the exact ones.
[[nodiscard]] std::string check_top(const Shop& shop) {
    gru4rec::Recommender<float> exact = shop.recommender(Scoring::exact);
    gru4rec::Recommender<float> quantized = shop.recommender(Scoring::quantized);
    const auto batch = exact.recommend_many(shop.all, 20);
    const std::vector<Session> sessions = shop.make_sessions(shop.n_checked());
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        const auto wanted = exact.recommend(sessions[s], 20);
        if ((s < batch.size() && !equal_values(wanted, batch[s])) ||
            !equal_values(wanted, quantized.recommend(sessions[s], 20))) {
            return "batched or quantised requests get another list than exact ones";
        }
    }
    const auto top = exact.recommend(*shop.all[0], 20);
    naive::Matrix scores(1, top.size());
    std::transform(top.begin(), top.end(), scores.values.begin(),
                   [](const auto& entry) { return static_cast<double>(entry.score); });
    naive::Matrix wanted(1, top.size());
    wanted.values = best_scores(shop.model, *shop.all[0], top.size());
    return difference("scores", scores, wanted, rounding(shop.model.network().output_width(), 1));
}

/// Seconds that it takes to read the table of the model once.
[[nodiscard]] double read_seconds(const gru4rec::detail::PaddedMatrix<float>& table) {
    using Lanes = gru4rec::SimdVector<float>;
    std::vector<double> seconds;
    for (int round = 0; round < 15; ++round) {
        const Stopwatch watch(1);
        Lanes sum[4] = {Lanes(0), Lanes(0), Lanes(0), Lanes(0)};
        for (Index i = 0; i < table.rows() * table.stride() / (4 * Lanes::size) * (4 * Lanes::size);
             i += 4 * Lanes::size) {
            GRU4REC_UNROLL
            for (int s = 0; s < 4; ++s) {
                sum[s] += Lanes::load(table.data() + i + s * Lanes::size);
            }
        }
        alignas(gru4rec::detail::cache_line) float values[static_cast<std::size_t>(Lanes::size)];
        (sum[0] + sum[1] + sum[2] + sum[3]).store(values);
        benchmark::DoNotOptimize(values);
        seconds.push_back(watch.seconds());
    }
    return median(seconds);
}

/// One request after the other, of different sessions. `reads`: the median over the time of reading the exact table.
void top_20(benchmark::State& state, Weights weights, Scoring scoring) {
    Shop& shop = Shop::of(weights, state.range(0), state.range(1));
    if (!passes(state, shop.name(), [&] { return check_top(shop); })) {
        return;
    }
    gru4rec::Recommender<float> recommender = shop.recommender(scoring);
    std::size_t next = 0;
    const auto seconds = measure(
        state, 1, {.bytes = shop.bytes(scoring), .stream = Stream::read, .items = 1, .items_name = "requests/s"},
        [&] { benchmark::DoNotOptimize(recommender.recommend(*shop.all[next++ % Shop::n_sessions], 20).data()); });
    for (const auto& [name, share] : {std::pair("p50_us", 0.5), std::pair("p90_us", 0.9), std::pair("p99_us", 0.99)}) {
        state.counters[name] = 1e6 * quantile(seconds, share);
    }
    state.counters["reads"] = median(seconds) / read_seconds(shop.model.network().output_table());
}

/// What a request leaves out: a share of the items by a filter, or all but a short list.
enum class LeftOut { nothing, one_percent, half, ninety_nine_percent, all_but_20 };

[[nodiscard]] const char* text(LeftOut left_out) {
    switch (left_out) {
        case LeftOut::nothing: return "excluded:0%";
        case LeftOut::one_percent: return "excluded:1%";
        case LeftOut::half: return "excluded:50%";
        case LeftOut::ninety_nine_percent: return "excluded:99%";
        case LeftOut::all_but_20: return "only:20";
    }
    return "";
}

[[nodiscard]] double share_of(LeftOut left_out) {
    switch (left_out) {
        case LeftOut::one_percent: return 0.01;
        case LeftOut::half: return 0.5;
        case LeftOut::ninety_nine_percent: return 0.99;
        default: return 0;
    }
}

/// Options with the memory that they refer to.
struct Limits {
    Limits(LeftOut left_out, Index n_items) : filter(n_items) {
        Random random = random_stream(7);
        for (Index i = 0; i < n_items; ++i) {
            if (random.uniform() < share_of(left_out)) {
                filter.forbid(gru4rec::to_item(i));
            }
        }
        for (Index i = 0; i < 20; ++i) {
            some.push_back(gru4rec::to_item((i * 7919) % n_items));
        }
        // Without exclusions there is a filter, too, which is to cost nothing.
        options.filter = &filter;
        if (left_out == LeftOut::all_but_20) {
            options.only = some;
        }
    }

    Limits(const Limits&) = delete;
    Limits& operator=(const Limits&) = delete;

    gru4rec::ItemFilter filter;
    std::vector<gru4rec::ItemIndex> some;
    gru4rec::RecommendOptions options;
};

/// The ranking of all items, filtered.
[[nodiscard]] std::string check_limits(const Shop& shop, const Limits& limits) {
    gru4rec::Recommender<float> exact = shop.recommender(Scoring::exact);
    gru4rec::Recommender<float> quantized = shop.recommender(Scoring::quantized);
    for (std::size_t s = 0; s < 10; ++s) {
        const auto full = exact.recommend(*shop.all[s], shop.model.n_items());
        std::vector<gru4rec::Recommendation<float>> wanted;
        for (const auto& entry : full) {
            const bool is_in =
                !limits.options.only || std::count(limits.some.begin(), limits.some.end(), entry.item) > 0;
            if (wanted.size() < 20 && limits.filter.allows(entry.item) && is_in) {
                wanted.push_back(entry);
            }
        }
        if (!equal_values(exact.recommend(*shop.all[s], limits.options), wanted) ||
            !equal_values(quantized.recommend(*shop.all[s], limits.options), wanted)) {
            return "the list is not the ranking of all items, filtered";
        }
    }
    return {};
}

void top_20_of_allowed(benchmark::State& state, LeftOut left_out, Scoring scoring) {
    Shop& shop = Shop::of(Weights::random, state.range(0), state.range(1));
    const Limits limits(left_out, shop.model.n_items());
    if (!passes(state, shop.name() + ", " + text(left_out), [&] { return check_limits(shop, limits); })) {
        return;
    }
    gru4rec::Recommender<float> recommender = shop.recommender(scoring);
    std::size_t next = 0;
    measure(state, 1, {.items = 1, .items_name = "requests/s"}, [&] {
        benchmark::DoNotOptimize(recommender.recommend(*shop.all[next++ % Shop::n_sessions], limits.options).data());
    });
}

[[nodiscard]] gru4rec::SimilarItems<float> similar_items_of(const Shop& shop, Scoring scoring) {
    return scoring == Scoring::exact ? gru4rec::SimilarItems<float>(shop.model)
                                     : gru4rec::SimilarItems<float>(shop.quantized);
}

/// The largest cosine as a plain loop in double precision has it, and the lists of a quantised table and of many
/// requests as the exact ones.
[[nodiscard]] std::string check_similar(const Shop& shop) {
    gru4rec::SimilarItems<float> exact(shop.model);
    gru4rec::SimilarItems<float> quantized(shop.quantized);
    const auto rows = shop.model.item_vectors();
    for (const Index item : {Index{0}, Index{77}, shop.model.n_items() - 1}) {
        const auto list = exact.find(gru4rec::to_item(item));
        const std::vector<gru4rec::SimilarRequest> many(3, {gru4rec::to_item(item), {}});
        if (!equal_values(quantized.find(gru4rec::to_item(item)), list) ||
            !equal_values(quantized.find_many(many)[2], list) || !equal_values(exact.find_many(many)[2], list)) {
            return "a quantised table, or many requests, find other items than the exact one";
        }
        const auto row = rows.row(item).cast<double>().eval();
        double largest = -1;
        for (Index i = 0; i < rows.rows(); ++i) {
            const auto other = rows.row(i).cast<double>().eval();
            largest = i == item ? largest : (std::max)(largest, row.dot(other) / row.norm() / other.norm());
        }
        if (std::abs(static_cast<double>(list[0].score) - largest) > 1e-5) {
            return "the largest cosine is " + std::to_string(largest) + ", found " + std::to_string(list[0].score);
        }
    }
    return {};
}

void similar_items(benchmark::State& state, Scoring scoring) {
    Shop& shop = Shop::of(Weights::trained, state.range(0), state.range(1));
    if (!passes(state, "similar items, " + shop.name(), [&] { return check_similar(shop); })) {
        return;
    }
    gru4rec::SimilarItems<float> similar = similar_items_of(shop, scoring);
    Index item = 0;
    measure(state, 1, {.bytes = shop.bytes(scoring), .stream = Stream::read, .items = 1, .items_name = "requests/s"},
            [&] {
                benchmark::DoNotOptimize(similar.find(gru4rec::to_item(item)).data());
                item = (item + 7919) % shop.model.n_items();
            });
}

void similar_items_of_many(benchmark::State& state, Scoring scoring) {
    Shop& shop = Shop::of(Weights::trained, state.range(0), state.range(1));
    if (!passes(state, "similar items, " + shop.name(), [&] { return check_similar(shop); })) {
        return;
    }
    gru4rec::SimilarItems<float> similar = similar_items_of(shop, scoring);
    std::vector<gru4rec::SimilarRequest> requests;
    for (Index i = 0; i < 256; ++i) {
        requests.push_back({gru4rec::to_item(i * 7919 % shop.model.n_items()), {}});
    }
    measure(state, 1, {.items = static_cast<double>(requests.size()), .items_name = "requests/s"},
            [&] { benchmark::DoNotOptimize(similar.find_many(requests).data()); });
}

/// The lists of some sessions at once; one session alone shows what threads gain that share the table.
void top_20_of_many(benchmark::State& state, Scoring scoring) {
    Shop& shop = Shop::of(Weights::random, state.range(0), state.range(1));
    if (!passes(state, shop.name(), [&] { return check_top(shop); })) {
        return;
    }
    gru4rec::Recommender<float> recommender = shop.recommender(scoring);
    const std::vector<const Session*> sessions(shop.all.begin(), shop.all.begin() + state.range(2));
    const auto n = static_cast<double>(sessions.size());
    measure(
        state, static_cast<int>(state.range(3)),
        {.flops = 2 * n * static_cast<double>(state.range(0) * state.range(1)), .items = n, .items_name = "requests/s"},
        [&] { benchmark::DoNotOptimize(recommender.recommend_many(sessions, 20).data()); });
}

/// The twin's hidden state of the same session.
[[nodiscard]] std::string check_advance(const gru4rec::Model<float>& model) {
    gru4rec::Recommender<float> recommender(model);
    Session session(model);
    const naive::Network twin = twin_of(model);
    const auto units = static_cast<std::size_t>(model.network().output_width());
    std::vector<naive::Matrix> states = {naive::Matrix(1, units)};
    for (const std::size_t item : {std::size_t{7}, std::size_t{100}, std::size_t{9}}) {
        recommender.advance(session, gru4rec::to_item(static_cast<Index>(item)));
        states = naive::forward(twin, states, {item}).states();
    }
    naive::Matrix got(1, units);
    const auto values = session.values();
    std::transform(values.begin(), values.end(), got.values.begin(),
                   [](float value) { return static_cast<double>(value); });
    return difference("hidden state", got, states[0], 3 * rounding(model.network().output_width(), 0.1));
}

void advance(benchmark::State& state) {
    const Index units = state.range(0);
    const gru4rec::Model<float> model = make_model(1000, units);
    if (!passes(state, "advance " + std::to_string(units), [&] { return check_advance(model); })) {
        return;
    }
    gru4rec::Recommender<float> recommender(model);
    Session session(model);
    Index item = 0;
    const auto stride = static_cast<double>(gru4rec::detail::row_stride<float>(units));
    measure(state, 1,
            {.flops = 12 * static_cast<double>(units * units),
             .bytes = 6 * static_cast<double>(units) * stride * sizeof(float),
             .stream = Stream::read,
             .items = 1,
             .items_name = "events/s"},
            [&] {
                recommender.advance(session, gru4rec::to_item(item));
                item = (item + 7) % model.n_items();
            });
}

const std::vector<std::pair<Scoring, std::string>> scorings = {{Scoring::exact, ""},
                                                               {Scoring::quantized, "_quantized"}};

/// Requests that leave items out, and similar items.
void register_limited(std::int64_t n_items) {
    for (const auto& [scoring, suffix] : scorings) {
        for (const LeftOut left_out : {LeftOut::nothing, LeftOut::one_percent, LeftOut::half,
                                       LeftOut::ninety_nine_percent, LeftOut::all_but_20}) {
            benchmark::RegisterBenchmark(
                ("top_20_of_allowed" + suffix + "/" + text(left_out)).c_str(),
                [left_out, kind = scoring](benchmark::State& state) { top_20_of_allowed(state, left_out, kind); })
                ->ArgNames({"V", "H"})
                ->Args({n_items, 100})
                ->Unit(benchmark::kMicrosecond);
        }
    }
    for (const auto& [scoring, suffix] : scorings) {
        benchmark::RegisterBenchmark(("similar_items" + suffix).c_str(),
                                     [kind = scoring](benchmark::State& state) { similar_items(state, kind); })
            ->ArgNames({"V", "H"})
            ->Args({n_items, 100})
            ->Unit(benchmark::kMicrosecond);
        benchmark::RegisterBenchmark(("similar_items_of_many" + suffix).c_str(),
                                     [kind = scoring](benchmark::State& state) { similar_items_of_many(state, kind); })
            ->ArgNames({"V", "H"})
            ->Args({n_items, 100})
            ->Unit(benchmark::kMillisecond);
    }
}

void register_all() {
    for (const std::int64_t n_items : {10'000, 100'000, 1'000'000}) {
        for (const std::int64_t units : {32, 100}) {
            for (const Weights weights : {Weights::random, Weights::trained}) {
                for (const auto& [scoring, suffix] : scorings) {
                    benchmark::RegisterBenchmark(
                        ("top_20" + suffix + "/" + text(weights)).c_str(),
                        [weights, kind = scoring](benchmark::State& state) { top_20(state, weights, kind); })
                        ->ArgNames({"V", "H"})
                        ->Args({n_items, units})
                        ->Unit(benchmark::kMicrosecond);
                }
            }
        }
    }
    for (const std::int64_t n_items : {10'000, 100'000}) {
        for (const auto& [scoring, suffix] : scorings) {
            auto* const many = benchmark::RegisterBenchmark(
                ("top_20_of_many" + suffix).c_str(),
                [kind = scoring](benchmark::State& state) { top_20_of_many(state, kind); });
            many->ArgNames({"V", "H", "sessions", "threads"})->Unit(benchmark::kMicrosecond)->UseRealTime();
            for (const std::int64_t threads : thread_counts()) {
                many->Args({n_items, 100, 1, threads});
                many->Args({n_items, 100, Shop::n_sessions, threads});
            }
        }
    }
    for (const std::int64_t n_items : {10'000, 100'000, 1'000'000}) {
        register_limited(n_items);
    }
    benchmark::RegisterBenchmark("advance", advance)
        ->ArgName("H")
        ->Arg(32)
        ->Arg(100)
        ->Arg(224)
        ->Arg(512)
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    bench::register_all();
    return bench::run(argc, argv);
}
