// gru4rec_side KIND NAME=VALUE...: this library in bench/compare/compare.py. Writes the data of a comparison into a
// folder, checks its own answers, prints `ready` and then, for every line of standard input that names something to
// measure, a number. Only the data and the FMA peak come from bench/support; what is measured is the public interface.
#include "support/data.hpp"
#include "support/machine.hpp"
#include "support/measure.hpp"
#include "support/models.hpp"
#include "support/training.hpp"
#include "support/twin.hpp"

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/data/dataset.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/trainer.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {
namespace {

/// What can be measured, by the name under which it is asked for.
using Measures = std::map<std::string, std::function<double()>>;

constexpr Index n_listed = 20;

/// The NAME=VALUE words of the command line.
class Arguments {
  public:
    explicit Arguments(std::span<char* const> words) {
        for (const std::string word : words) {
            const std::size_t sign = word.find('=');
            if (sign == std::string::npos) {
                throw std::invalid_argument("'" + word + "', expected NAME=VALUE");
            }
            values_[word.substr(0, sign)] = word.substr(sign + 1);
        }
    }

    [[nodiscard]] std::string text(const std::string& name) const {
        const auto found = values_.find(name);
        if (found == values_.end()) {
            throw std::invalid_argument("there is no " + name + "=VALUE");
        }
        return found->second;
    }
    [[nodiscard]] Index number(const std::string& name) const { return std::stoll(text(name)); }
    [[nodiscard]] int threads() const { return static_cast<int>(number("threads")); }
    [[nodiscard]] std::filesystem::path file(const std::string& name) const {
        return std::filesystem::path(text("folder")) / name;
    }

  private:
    std::map<std::string, std::string> values_;
};

void require(bool is_right, const std::string& what) {
    if (!is_right) {
        throw std::runtime_error(what);
    }
}

/// Plain values in the order of memory, for numpy.fromfile.
template <class T>
void write(const std::filesystem::path& path, const std::vector<T>& values) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
    require(file.good(), "cannot write " + path.string());
}

[[nodiscard]] std::int32_t number_of(ItemIndex item) { return static_cast<std::int32_t>(to_index(item)); }

/// Seconds that `work` takes, as in the benchmarks: processor time with one thread, else by the clock on the wall.
template <class Work>
[[nodiscard]] double seconds_of(int threads, const Work& work) {
    double seconds = 0;
    gru4rec::with_threads(threads, [&] {
        const Stopwatch watch(threads);
        work();
        seconds = watch.seconds();
    });
    return seconds;
}

/// fp32 flop/s; the best so far.
[[nodiscard]] double fma_peak(int threads) {
    double peak = 0;
    gru4rec::with_threads(threads, [&] {
        Machine& machine = Machine::get();
        machine.refresh();
        peak = machine.fma_peak(threads);
    });
    return peak;
}

void fill(gru4rec::Model<float>& model, double scale) {
    Random random = random_stream(5);
    auto vectors = model.item_vectors();
    auto biases = model.item_biases();
    for (Index i = 0; i < vectors.rows(); ++i) {
        for (Index k = 0; k < vectors.cols(); ++k) {
            vectors(i, k) = uniform(random, scale);
        }
        biases(i) = uniform(random, scale);
    }
}

/// Lists of the best items for many sessions at once or for one after the other, with the exact and the quantised
/// table.
class Serving {
  public:
    using Session = gru4rec::SessionState<float>;
    using Recommender = gru4rec::Recommender<float>;

    explicit Serving(const Arguments& arguments)
        : threads_(arguments.threads()),
          n_requests_(arguments.number("requests")),
          model_(make_model(arguments.number("items"), arguments.number("units"))) {
        fill(model_, 0.5);
        table_ = std::make_unique<gru4rec::QuantizedTable<float>>(model_);
        exact_ = std::make_unique<Recommender>(model_);
        quantized_ = std::make_unique<Recommender>(*table_);
        Random random = random_stream(6);
        sessions_.assign(static_cast<std::size_t>(arguments.number("sessions")), Session(model_));
        for (Session& session : sessions_) {
            const auto values = session.values();
            std::generate(values.begin(), values.end(), [&] { return uniform(random, 1); });
            session.add_event(ItemIndex{});
        }
        write_data(arguments);
        check();
    }

    [[nodiscard]] Measures measures() {
        return {{"many exact", [this] { return many(*exact_); }},
                {"many quantised", [this] { return many(*quantized_); }},
                {"one exact", [this] { return one(*exact_); }},
                {"one quantised", [this] { return one(*quantized_); }},
                {"read", [this] { return read(); }}};
    }

  private:
    [[nodiscard]] std::span<const Session> sessions() const { return sessions_; }

    /// Seconds per request if all sessions ask at once.
    [[nodiscard]] double many(Recommender& recommender) const {
        const std::size_t n_calls =
            (std::max)(std::size_t{1}, static_cast<std::size_t>(n_requests_) / sessions_.size());
        const auto call = [&] { benchmark::DoNotOptimize(recommender.recommend_many(sessions(), n_listed).data()); };
        gru4rec::with_threads(threads_, call);
        const double seconds = seconds_of(threads_, [&] {
            for (std::size_t i = 0; i < n_calls; ++i) {
                call();
            }
        });
        return seconds / static_cast<double>(n_calls * sessions_.size());
    }

    /// Seconds per request if sessions ask in turn.
    [[nodiscard]] double one(Recommender& recommender) const {
        const auto request = [&](Index i) {
            const Session& session = sessions_[static_cast<std::size_t>(i) % sessions_.size()];
            benchmark::DoNotOptimize(recommender.recommend(session, n_listed).data());
        };
        request(0);
        const double seconds = seconds_of(threads_, [&] {
            for (Index i = 0; i < n_requests_; ++i) {
                request(i);
            }
        });
        return seconds / static_cast<double>(n_requests_);
    }

    /// Seconds that one thread takes to read the exact table once.
    [[nodiscard]] double read() const {
        using Lanes = gru4rec::SimdVector<float>;
        constexpr Index step = 4 * Lanes::size;
        const auto vectors = model_.item_vectors();
        const auto sum_all = [&] {
            Lanes sums[4] = {Lanes(0), Lanes(0), Lanes(0), Lanes(0)};
            for (Index i = 0; i < vectors.rows() * vectors.outerStride() / step * step; i += step) {
                GRU4REC_UNROLL
                for (int s = 0; s < 4; ++s) {
                    sums[s] += Lanes::load(vectors.data() + i + s * Lanes::size);
                }
            }
            alignas(64) float values[static_cast<std::size_t>(Lanes::size)];
            (sums[0] + sums[1] + sums[2] + sums[3]).store(values);
            benchmark::DoNotOptimize(values);
        };
        sum_all();
        const Index n = (std::max)(Index{1}, n_requests_ / 4);
        return seconds_of(1,
                          [&] {
                              for (Index i = 0; i < n; ++i) {
                                  sum_all();
                              }
                          }) /
               static_cast<double>(n);
    }

    /// The table, the states of the sessions, and their exact lists.
    void write_data(const Arguments& arguments) {
        gru4rec::save_model(model_, arguments.file("model.safetensors"));
        std::vector<float> states;
        std::vector<std::int32_t> items;
        std::vector<float> scores;
        for (const Session& session : sessions_) {
            states.insert(states.end(), session.values().begin(), session.values().end());
            for (const auto& entry : exact_->recommend(session, n_listed)) {
                items.push_back(number_of(entry.item));
                scores.push_back(entry.score);
            }
        }
        write(arguments.file("states.f32"), states);
        write(arguments.file("items.i32"), items);
        write(arguments.file("scores.f32"), scores);
    }

    /// All ways give the same lists; the scores of the first one are those of a product in double precision.
    void check() {
        const auto same = [](const auto& a, const auto& b) {
            return std::equal(a.begin(), a.end(), b.begin(), b.end());
        };
        const std::vector<Recommender::List> many = as_vector(exact_->recommend_many(sessions(), n_listed));
        const std::vector<Recommender::List> many_quantized =
            as_vector(quantized_->recommend_many(sessions(), n_listed));
        for (std::size_t s = 0; s < sessions_.size(); ++s) {
            const auto list = exact_->recommend(sessions_[s], n_listed);
            require(same(list, quantized_->recommend(sessions_[s], n_listed)) && same(list, many[s]) &&
                        same(list, many_quantized[s]),
                    "batched or quantised requests get another list than exact ones");
        }
        Eigen::VectorXd scores = model_.item_vectors().cast<double>() * sessions_[0].hidden(0).cast<double>() +
                                 model_.item_biases().cast<double>();
        std::sort(scores.begin(), scores.end(), std::greater<>());
        const double tolerance = rounding(model_.item_vectors().cols(), 1);
        Index place = 0;
        for (const auto& entry : exact_->recommend(sessions_[0], n_listed)) {
            require(std::abs(static_cast<double>(entry.score) - scores(place++)) <= tolerance,
                    "a score differs from that in double precision");
        }
    }

    [[nodiscard]] static std::vector<Recommender::List> as_vector(std::span<const Recommender::List> lists) {
        return {lists.begin(), lists.end()};
    }

    int threads_;
    Index n_requests_;
    gru4rec::Model<float> model_;
    std::unique_ptr<gru4rec::QuantizedTable<float>> table_;
    std::unique_ptr<Recommender> exact_;
    std::unique_ptr<Recommender> quantized_;
    std::vector<Session> sessions_;
};

/// Ranks of all targets of test sessions among all items.
class Evaluating {
  public:
    explicit Evaluating(const Arguments& arguments)
        : threads_(arguments.threads()), model_(model(arguments)), test_(sessions(arguments)) {
        gru4rec::save_model(model_, arguments.file("model.safetensors"));
        std::vector<std::int32_t> items;
        std::vector<std::int32_t> lengths;
        for (Index s = 0; s < test_.n_sessions(); ++s) {
            const auto session = test_.session(gru4rec::to_session(s));
            lengths.push_back(static_cast<std::int32_t>(session.size()));
            std::transform(session.begin(), session.end(), std::back_inserter(items), number_of);
        }
        std::vector<std::int32_t> ranks;
        for (const gru4rec::EventRank& event : gru4rec::evaluate(model_, test_, {.ranks = true}).ranks) {
            ranks.push_back(static_cast<std::int32_t>(event.rank.rank(gru4rec::Ties::standard)));
        }
        write(arguments.file("items.i32"), items);
        write(arguments.file("lengths.i32"), lengths);
        write(arguments.file("ranks.i32"), ranks);
    }

    [[nodiscard]] Measures measures() {
        return {{"evaluate", [this] {
                     const gru4rec::EvaluationOptions options{.ties = {gru4rec::Ties::standard},
                                                              .max_threads = threads_};
                     return seconds_of(threads_, [&] { benchmark::DoNotOptimize(evaluate(model_, test_, options)); }) /
                            static_cast<double>(test_.n_pairs());
                 }}};
    }

  private:
    /// With PyTorch's cell.
    [[nodiscard]] static gru4rec::Model<float> model(const Arguments& arguments) {
        gru4rec::Hyperparameters p;
        p.layers = {static_cast<int>(arguments.number("units"))};
        p.set("gru_variant", "reset_after");
        const Index n_items = arguments.number("items");
        gru4rec::Model<float> made(p, item_map(n_items), zipf_supports(n_items), 42);
        fill(made, 0.5);
        return made;
    }

    [[nodiscard]] gru4rec::Dataset sessions(const Arguments& arguments) const {
        const Index n_sessions = arguments.number("sessions");
        EndlessSessions source(model_.supports(), n_sessions);
        std::vector<std::vector<std::string>> made;
        for (Index s = 0; s < n_sessions; ++s) {
            std::vector<std::string>& session = made.emplace_back();
            for (const ItemIndex item : source.next_session()) {
                session.emplace_back(model_.items().id(item));
            }
        }
        gru4rec::ReadOptions options;
        options.known_items = &model_.items();
        return gru4rec::make_dataset(made, options);
    }

    int threads_;
    gru4rec::Model<float> model_;
    gru4rec::Dataset test_;
};

/// A published setting, with PyTorch's cell.
class Training {
  public:
    explicit Training(const Arguments& arguments)
        : threads_(arguments.threads()),
          n_steps_(arguments.number("steps")),
          supports_(zipf_supports(arguments.number("items"))),
          sessions_(supports_, 50'000),
          p_(hyperparameters(arguments.text("setting"))) {
        write_checked_steps(arguments);
        model_ = std::make_unique<gru4rec::Model<float>>(made(p_));
        trainer_ = std::make_unique<gru4rec::Trainer<float>>(
            *model_, gru4rec::TrainingOptions{.seed = seed, .max_threads = threads_});
    }

    [[nodiscard]] Measures measures() {
        return {{"train", [this] { return seconds_per_event(); }}};
    }

  private:
    static constexpr std::uint64_t seed = 42;

    [[nodiscard]] static gru4rec::Hyperparameters hyperparameters(const std::string& name) {
        for (const Setting& setting : settings()) {
            if (setting.name == name) {
                gru4rec::Hyperparameters p = bench::hyperparameters(setting);
                p.set("gru_variant", "reset_after");
                return p;
            }
        }
        throw std::invalid_argument("there is no setting " + name);
    }

    [[nodiscard]] gru4rec::Model<float> made(const gru4rec::Hyperparameters& p) const {
        return {p, item_map(static_cast<Index>(supports_.size())), supports_, seed};
    }

    [[nodiscard]] double seconds_per_event() {
        constexpr std::int64_t n_warm = 10;
        double start = 0;
        double seconds = 0;
        const Stopwatch watch(threads_);  // the callback runs on this thread
        trainer_->fit(sessions_, [&](const gru4rec::StepReport& report) {
            if (report.step == n_warm) {
                start = watch.seconds();
            }
            seconds = watch.seconds() - start;
            return report.step < n_warm + n_steps_;
        });
        return seconds / static_cast<double>(n_steps_ * p_.batch_size);
    }

    /// The first steps of a training without dropout: weights before and after, the steps themselves, their losses.
    void write_checked_steps(const Arguments& arguments) {
        gru4rec::Hyperparameters p = p_;
        p.dropout_p_embed = p.dropout_p_hidden = 0;
        gru4rec::Model<float> model = made(p);
        gru4rec::save_model(model, arguments.file("start.safetensors"));
        std::vector<double> losses;
        gru4rec::Trainer<float> trainer(model, {.seed = seed});
        const Index n_steps = arguments.number("checked_steps");
        trainer.fit(sessions_, [&](const gru4rec::StepReport& report) {
            losses.push_back(report.loss);
            return report.step < n_steps;
        });
        gru4rec::save_model(model, arguments.file("end.safetensors"));
        write(arguments.file("losses.f64"), losses);
        write(arguments.file("supports.i64"), supports_);
        write_batches(arguments, n_steps);
        std::ofstream entries(arguments.file("setting.txt"));
        for (const auto& [name, value] : p_.entries()) {
            entries << name << '=' << value << '\n';
        }
    }

    /// What these steps were fed, and their negatives; for each lane whether it begins a session.
    void write_batches(const Arguments& arguments, Index n_steps) {
        gru4rec::SessionParallelBatcher<EndlessSessions> batcher(sessions_, p_.batch_size);
        gru4rec::StepNegatives negatives(supports_, p_.sample_alpha, p_.n_sample, seed);
        batcher.start_epoch(0);
        std::vector<std::int32_t> numbers;
        for (Index step = 0; step < n_steps; ++step) {
            const gru4rec::MiniBatch batch = batcher.next();
            const gru4rec::DrawnItems drawn = negatives.of_step(0, static_cast<std::uint64_t>(step));
            std::transform(batch.inputs.items.begin(), batch.inputs.items.end(), std::back_inserter(numbers),
                           number_of);
            std::transform(batch.targets.begin(), batch.targets.end(), std::back_inserter(numbers), number_of);
            for (const Index lane : batch.previous_lane) {
                numbers.push_back(lane == gru4rec::MiniBatch::fresh ? 1 : 0);
            }
            for (std::size_t i = 0; i < drawn.items.size(); ++i) {
                numbers.insert(numbers.end(), static_cast<std::size_t>(drawn.counts[i]), number_of(drawn.items[i]));
            }
        }
        write(arguments.file("steps.i32"), numbers);
    }

    int threads_;
    std::int64_t n_steps_;
    std::vector<std::int64_t> supports_;
    EndlessSessions sessions_;
    gru4rec::Hyperparameters p_;
    std::unique_ptr<gru4rec::Model<float>> model_;
    std::unique_ptr<gru4rec::Trainer<float>> trainer_;
};

/// A file of events of the synthetic shop, from half a year, times in seconds with three decimals.
class Loading {
  public:
    explicit Loading(const Arguments& arguments)
        : threads_(arguments.threads()), path_(arguments.file("events.tsv")), events_(make_events(arguments)) {
        std::ofstream file(path_, std::ios::binary);
        file << "SessionId\tItemId\tTime\n";
        for (const Event& event : events_) {
            const std::string milliseconds = std::to_string(1000 + event.milliseconds % 1000);
            file << event.session << '\t' << event.item << '\t' << event.milliseconds / 1000 << '.'
                 << std::string_view(milliseconds).substr(1) << '\n';
        }
        file.close();
        require(file.good(), "cannot write " + path_.string());
        write_sums(arguments);
        check();
    }

    [[nodiscard]] Measures measures() {
        return {{"columns", [this] { return load([&] { return gru4rec::read_events(path_).size(); }); }},
                {"sessions", [this] { return load([&] { return gru4rec::read_sessions(path_).n_events(); }); }}};
    }

  private:
    struct Event {
        std::int64_t milliseconds;
        std::int64_t session;
        std::int64_t item;
    };

    /// Session after session, or by time.
    [[nodiscard]] static std::vector<Event> make_events(const Arguments& arguments) {
        const auto n_events = static_cast<std::size_t>(arguments.number("events"));
        EndlessSessions sessions(zipf_supports(n_catalogue_items),
                                 (std::max)(Index{8}, arguments.number("events") / 3));
        Random random = random_stream(60);
        std::vector<Event> events;
        for (std::int64_t session = 1; events.size() < n_events; ++session) {
            std::int64_t now = 1'396'310'400'000 + static_cast<std::int64_t>(random.below(15'552'000'000));
            for (const ItemIndex item : sessions.next_session()) {
                now += 1 + static_cast<std::int64_t>(random.below(300'000));
                events.push_back({now, session, 214'500'000 + 7 * to_index(item)});
            }
        }
        if (arguments.text("order") == "time") {
            std::stable_sort(events.begin(), events.end(),
                             [](const Event& a, const Event& b) { return a.milliseconds < b.milliseconds; });
        }
        return events;
    }

    [[nodiscard]] static std::int64_t id_number(std::string_view text) { return std::stoll(std::string(text)); }

    template <class Load>
    [[nodiscard]] double load(const Load& read) const {
        return seconds_of(threads_, [&] { benchmark::DoNotOptimize(read()); });
    }

    /// Of the columns, times in milliseconds.
    [[nodiscard]] std::vector<std::int64_t> sums() const {
        std::vector<std::int64_t> total(4);
        for (const Event& event : events_) {
            total[0] += 1;
            total[1] += event.session;
            total[2] += event.item;
            total[3] += event.milliseconds;
        }
        return total;
    }

    /// What tells one order from another: the items by the numbers of their rows, modulo 1000, once the events are in
    /// the order of sessions and times. Then the numbers of sessions and of items.
    [[nodiscard]] std::vector<std::int64_t> sorted_sums() const {
        std::vector<Event> sorted = events_;
        std::sort(sorted.begin(), sorted.end(), [](const Event& a, const Event& b) {
            return std::pair(a.session, a.milliseconds) < std::pair(b.session, b.milliseconds);
        });
        std::int64_t sum = 0;
        std::set<std::int64_t> items;
        for (std::size_t row = 0; row < sorted.size(); ++row) {
            sum += sorted[row].item * static_cast<std::int64_t>(row % 1000);
            items.insert(sorted[row].item);
        }
        return {sum, sorted.back().session, static_cast<std::int64_t>(items.size())};
    }

    void write_sums(const Arguments& arguments) const {
        std::vector<std::int64_t> all = sums();
        const std::vector<std::int64_t> sorted = sorted_sums();
        all.insert(all.end(), sorted.begin(), sorted.end());
        write(arguments.file("sums.i64"), all);
    }

    void check() const {
        gru4rec::ReadOptions options;
        options.keep_session_ids = gru4rec::KeepSessionIds::yes;
        const gru4rec::Dataset data = gru4rec::read_sessions(path_, options);
        std::vector<gru4rec::SessionIndex> sessions;  // by their ids
        for (Index s = 0; s < data.n_sessions(); ++s) {
            sessions.push_back(gru4rec::to_session(s));
        }
        std::sort(sessions.begin(), sessions.end(),
                  [&](auto a, auto b) { return id_number(data.session_id(a)) < id_number(data.session_id(b)); });
        std::vector<std::int64_t> got = {0, data.n_sessions(), data.n_items()};
        std::int64_t row = 0;
        for (const gru4rec::SessionIndex session : sessions) {
            for (const ItemIndex item : data.session(session)) {
                got[0] += id_number(data.items().id(item)) * (row++ % 1000);
            }
        }
        require(got == sorted_sums() && gru4rec::read_events(path_).size() == row, "the file was read wrong");
    }

    int threads_;
    std::filesystem::path path_;
    std::vector<Event> events_;
};

/// Answers until standard input ends.
template <class Side>
void serve(const Arguments& arguments) {
    Side side(arguments);
    Measures measures = side.measures();
    const int threads = arguments.threads();
    measures["peak"] = [threads] { return fma_peak(threads); };
    std::printf("ready gru4rec %s, %s, %s\n", GRU4REC_VERSION_STRING, Machine::compiler().c_str(),
                Machine::flags().c_str());
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
        const auto found = measures.find(line);
        require(found != measures.end(), "there is no '" + line + "' to measure");
        std::printf("%.9g\n", found->second());
        std::fflush(stdout);
    }
}

void serve_kind(const std::string& kind, const Arguments& arguments) {
    if (kind == "serving") {
        serve<Serving>(arguments);
    } else if (kind == "evaluation") {
        serve<Evaluating>(arguments);
    } else if (kind == "training") {
        serve<Training>(arguments);
    } else if (kind == "loading") {
        serve<Loading>(arguments);
    } else {
        throw std::invalid_argument("KIND = " + kind + ", expected serving, evaluation, training or loading");
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: gru4rec_side KIND NAME=VALUE...\n");
        return 2;
    }
    try {
        bench::serve_kind(argv[1], bench::Arguments(std::span<char* const>(argv + 2, argv + argc)));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "gru4rec_side: %s\n", error.what());
        return 1;
    }
    return 0;
}
