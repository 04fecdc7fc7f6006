#include "gru4rec/train/trainer.hpp"
#include "gru4rec/eval/evaluate.hpp"

#include "support/naive/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::Dataset;
using gru4rec::EpochReport;
using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::Model;
using gru4rec::StepReport;
using gru4rec::Trainer;
using gru4rec::TrainingOptions;
using Entries = std::vector<std::pair<std::string, std::string>>;

Hyperparameters parameters(const Entries& settings) {
    Hyperparameters p;
    p.layers = {6};
    p.batch_size = 4;
    p.n_sample = 5;
    p.n_epochs = 2;
    for (const auto& [name, value] : settings) {
        p.set(name, value);
    }
    return p;
}

/// Sessions of few items; those of higher numbers begin earlier.
std::vector<naive::Session> some_sessions(std::size_t n, std::size_t n_items, std::uint64_t seed) {
    naive::Engine engine(seed);
    std::vector<naive::Session> sessions(n);
    for (naive::Session& session : sessions) {
        session.resize(1 + naive::uniform_index(engine, 6));
        for (std::size_t& item : session) {
            item = naive::uniform_index(engine, n_items);
        }
    }
    sessions[0].resize(n_items);
    std::iota(sessions[0].begin(), sessions[0].end(), std::size_t{0});  // numbers the items as they are named
    return sessions;
}

Dataset data_of(const std::vector<naive::Session>& sessions) {
    std::vector<std::int64_t> ids, items, times;
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        for (std::size_t e = 0; e < sessions[s].size(); ++e) {
            ids.push_back(static_cast<std::int64_t>(s));
            items.push_back(static_cast<std::int64_t>(sessions[s][e]));
            times.push_back(static_cast<std::int64_t>(1000 * (sessions.size() - s) + e));
        }
    }
    return gru4rec::make_dataset(ids, items, times);
}

Model<double> model_of(const Dataset& data, const Entries& settings, std::uint64_t seed = 42) {
    return {parameters(settings), data.items(), {data.supports().begin(), data.supports().end()}, seed};
}

std::vector<double> numbers(const Model<double>& model) {
    std::vector<double> result;
    for (const auto& view : model.tensors()) {
        for (Index r = 0; r < view.rows; ++r) {
            for (Index c = 0; c < view.cols; ++c) {
                result.push_back(view(r, c));
            }
        }
    }
    return result;
}

std::vector<double> trained(const Dataset& data, const Entries& settings, const TrainingOptions& options = {}) {
    auto model = model_of(data, settings);
    Trainer<double>(model, options).fit(data);
    return numbers(model);
}

const Dataset& common_data() {
    static const Dataset data = data_of(some_sessions(30, 9, 1));
    return data;
}

Entries joined(Entries first, const Entries& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// A loss of one's own: cross-entropy would do more. Half the sum of squares of all live scores, times a factor.
struct SquaredScores {
    double factor = 1;

    double operator()(const gru4rec::ScoreBlock<double>& block) const {
        double total = 0;
        for (Index j = 0; j < block.n_columns; ++j) {
            for (Index m = 0; m < block.n_lanes; ++m) {
                const double y = block.scores.column(j)[m];
                block.d_scores.column(j)[m] = factor * block.weight[j] * y;
                total += factor * block.weight[j] * y * y / 2;
            }
        }
        return total;
    }
};

/// Trains along with the twin and compares after every step.
void train_with_twin(const Entries& settings) {
    const auto sessions = some_sessions(25, 9, 6);
    const Dataset data = data_of(sessions);
    auto model = model_of(data, settings);
    const Hyperparameters& p = model.hyperparameters();
    naive::Network network{naive::settings_from_text(p.entries()), 9, {}};
    network.weights = network.zeros();
    for (const auto& view : model.tensors()) {
        auto& matrix = network.weights.at(view.name);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            matrix.values[i] = view(static_cast<Index>(i) / view.cols, static_cast<Index>(i) % view.cols);
        }
    }
    naive::Trainer twin(network, naive::count_supports(sessions, 9));
    gru4rec::StepNegatives negatives(data.supports(), p.sample_alpha, p.n_sample, 42);
    std::vector<std::size_t> order = naive::file_order(sessions.size());
    if (p.session_order == gru4rec::SessionOrder::time) {
        std::reverse(order.begin(), order.end());
    }
    std::vector<naive::Step> schedule;
    naive::EpochLoss epoch_loss;
    int epoch = 0;
    Trainer<double> trainer(model);
    struct Progress {
        std::function<bool(const StepReport&)> on_step;
        std::function<bool(const EpochReport&)> on_epoch;
        bool operator()(const StepReport& report) const { return on_step(report); }
        bool operator()(const EpochReport& report) const { return on_epoch(report); }
    };
    const auto on_step = [&](const StepReport& report) {
        if (report.epoch != epoch) {
            epoch = report.epoch;
            epoch_loss = {};
            twin.start_epoch();
            schedule = naive::schedule(sessions, order, static_cast<std::size_t>(p.batch_size),
                                       static_cast<std::size_t>(p.n_sample));
        }
        const auto step = static_cast<std::uint64_t>(report.step) - 1;
        naive::Draws draws;
        const auto drawn = negatives.of_step(static_cast<std::uint64_t>(epoch) - 1, step);
        for (std::size_t i = 0; i < drawn.items.size(); ++i) {
            draws.sampled.insert(draws.sampled.end(), static_cast<std::size_t>(drawn.counts[i]),
                                 static_cast<std::size_t>(drawn.items[i]));
        }
        const double loss = twin.step(schedule.at(step), draws).loss;
        CHECK(report.loss == doctest::Approx(loss).epsilon(1e-10));
        CHECK(report.n_lanes == static_cast<Index>(schedule[step].lanes()));
        epoch_loss.add(loss, schedule[step].lanes());
        return true;
    };
    const auto on_epoch = [&](const EpochReport& report) {
        CHECK(report.loss == doctest::Approx(epoch_loss.value()).epsilon(1e-10));
        CHECK(report.steps == static_cast<std::int64_t>(schedule.size()));
        twin.end_epoch();
        return true;
    };
    trainer.fit(data, Progress{on_step, on_epoch});
    CHECK(epoch == p.n_epochs);
    for (const auto& view : model.tensors()) {
        const auto& matrix = network.weights.at(view.name);
        for (std::size_t i = 0; i < matrix.values.size(); ++i) {
            CHECK(std::abs(view(static_cast<Index>(i) / view.cols, static_cast<Index>(i) % view.cols) -
                           matrix.values[i]) < 1e-9);
        }
    }
}

}  // namespace

TEST_CASE("a whole training run is the naive twin's: order of sessions, negatives, shrinking batches, falling rate") {
    train_with_twin({{"logq", "1"}, {"momentum", "0.2"}, {"n_epochs", "3"}, {"lr_decay", "0.5"}});
    train_with_twin({{"grad_cap", "0.3"}, {"momentum", "0.2"}, {"n_epochs", "3"}, {"layers", "6/4"}});
    train_with_twin({{"loss", "bpr-max"}, {"session_order", "file"}, {"adapt", "adam"}, {"learning_rate", "0.01"}});
    train_with_twin({{"loss", "top1"}, {"n_sample", "0"}, {"batch_size", "7"}, {"constrained_embedding", "0"}});
    train_with_twin({{"input", "history"}, {"input_decay", "0.7"}, {"n_epochs", "2"}});
    train_with_twin({{"input", "history"}, {"history_max", "2"}, {"deep_input", "1"}, {"layers", "4/3"}});
    train_with_twin({{"input", "history"}, {"constrained_embedding", "0"}, {"deep_input", "1"}, {"layers", "4/3"}});
    train_with_twin({{"bptt", "3"}, {"momentum", "0.2"}, {"lr_decay", "0.5"}, {"layers", "6/4"}});
    train_with_twin({{"bptt", "4"}, {"n_sample", "0"}, {"constrained_embedding", "0"}, {"gru_variant", "reset_after"}});
}

TEST_CASE("progress counts epochs and steps from 1, and pairs up to all of them") {
    const Dataset& data = common_data();
    auto model = model_of(data, {});
    std::vector<StepReport> steps;
    const auto report = Trainer<double>(model).fit(data, [&](const StepReport& step) {
        steps.push_back(step);
        return true;
    });
    CHECK(!report.stopped);
    REQUIRE(report.epochs.size() == 2);
    Index pairs = 0;
    std::size_t i = 0;
    for (int epoch = 1; epoch <= 2; ++epoch) {
        pairs = 0;
        double weighted = 0;
        const EpochReport& of_epoch = report.epochs[static_cast<std::size_t>(epoch) - 1];
        for (std::int64_t step = 1; step <= of_epoch.steps; ++step, ++i) {
            REQUIRE(i < steps.size());
            CHECK(steps[i].epoch == epoch);
            CHECK(steps[i].step == step);
            CHECK(steps[i].n_lanes <= 4);
            pairs += steps[i].n_lanes;
            weighted += steps[i].loss * static_cast<double>(steps[i].n_lanes);
            CHECK(steps[i].pairs_done == pairs);
            CHECK(steps[i].pairs_in_epoch == data.n_pairs());
        }
        CHECK(pairs == data.n_pairs());
        CHECK(of_epoch.epoch == epoch);
        CHECK(of_epoch.pairs == data.n_pairs());
        CHECK(of_epoch.loss == doctest::Approx(weighted / static_cast<double>(pairs)).epsilon(1e-13));
        CHECK(of_epoch.seconds > 0);
        CHECK(of_epoch.events_per_second() == doctest::Approx(static_cast<double>(pairs) / of_epoch.seconds));
    }
    CHECK(i == steps.size());
    CHECK(EpochReport{}.events_per_second() == 0);
    CHECK(EpochReport{}.steps_per_second() == 0);
}

TEST_CASE("a callback stops training after the step or the epoch that it was called for") {
    const Dataset& data = common_data();
    auto model = model_of(data, {});
    int calls = 0;
    const auto report = Trainer<double>(model).fit(data, [&](const StepReport& step) {
        ++calls;
        return step.step < 3;
    });
    CHECK(calls == 3);
    CHECK(report.stopped);
    REQUIRE(report.epochs.size() == 1);
    CHECK(report.epochs[0].steps == 3);
    CHECK_FALSE(report.epochs[0].complete);
    CHECK(numbers(model) != numbers(model_of(data, {})));

    auto by_epoch = model_of(data, {{"n_epochs", "5"}});
    const auto stopped = Trainer<double>(by_epoch).fit(data, [&](const EpochReport& epoch) { return epoch.epoch < 2; });
    CHECK(stopped.stopped);
    CHECK(stopped.epochs.size() == 2);
    CHECK(stopped.epochs[1].complete);
    CHECK(numbers(by_epoch) == trained(data, {{"n_epochs", "2"}}));
}

TEST_CASE("training that is stopped in the middle of a window ends the window there") {
    const Dataset& data = common_data();
    const auto stopped_after = [&](std::int64_t steps, const Entries& settings) {
        auto model = model_of(data, settings);
        Trainer<double>(model).fit(data, [&](const StepReport& step) { return step.step < steps; });
        return numbers(model);
    };
    const auto initial = numbers(model_of(data, {}));
    for (const Entries& settings : {Entries{}, Entries{{"dropout_p_hidden", "0.3"}, {"momentum", "0.2"}}}) {
        const auto two = stopped_after(2, joined(settings, {{"bptt", "2"}}));
        CHECK(two != initial);
        CHECK(stopped_after(2, joined(settings, {{"bptt", "5"}})) == two);
        CHECK(stopped_after(3, joined(settings, {{"bptt", "2"}})) != two);
        CHECK(stopped_after(2, settings) != two);
    }
}

TEST_CASE("a callback that throws in the middle of a window leaves nothing of it to the next fit") {
    const Dataset& data = common_data();
    const Entries settings = {{"bptt", "4"}, {"adapt", "sgd"}, {"n_sample", "0"}, {"n_epochs", "1"}};
    auto model = model_of(data, settings);
    Trainer<double> trainer(model);
    CHECK_THROWS_AS(trainer.fit(data,
                                [](const StepReport& step) -> bool {
                                    return step.step < 3 ? true : throw std::runtime_error("enough");
                                }),
                    std::runtime_error);
    CHECK(numbers(model) == numbers(model_of(data, settings)));
    trainer.fit(data);
    CHECK(numbers(model) == trained(data, settings));
}

TEST_CASE("a loss that throws leaves fit, and the trainer can be used further") {
    struct Fails {
        int* calls_left;
        double operator()(const gru4rec::ScoreBlock<double>& block) const {
            return --*calls_left == 0 ? throw std::runtime_error("no loss today") : SquaredScores{}(block);
        }
    };
    const Dataset& data = common_data();
    for (const char* const bptt : {"1", "3"}) {
        const Entries settings = {{"bptt", bptt}, {"adapt", "sgd"}, {"learning_rate", "0.01"}, {"n_epochs", "1"}};
        auto expected = model_of(data, settings);
        Trainer<double>(expected, SquaredScores{}).fit(data);
        for (const int call : {1, 2, 3, 8}) {
            CAPTURE(bptt);
            CAPTURE(call);
            auto model = model_of(data, settings);
            int calls_left = call;
            Trainer<double> trainer(model, Fails{&calls_left});
            CHECK_FALSE(trainer.step_failed());
            CHECK_THROWS_WITH_AS(trainer.fit(data), "no loss today", std::runtime_error);
            CHECK(trainer.step_failed());
            CHECK(trainer.position().step == call - 1);
            const auto report = trainer.fit(data);
            CHECK_FALSE(trainer.step_failed());
            CHECK(report.epochs.at(0).complete);
            CHECK(report.epochs.at(0).pairs == data.n_pairs());
            if (call == 1) {  // nothing was trained before: the same epoch again
                CHECK(numbers(model) == numbers(expected));
            }
        }
    }
}

TEST_CASE("a second fit goes on where the first ended, as if it had been one") {
    const Dataset& data = common_data();
    const Entries settings = {
        {"momentum", "0.3"}, {"lr_decay", "0.5"}, {"dropout_p_hidden", "0.2"}, {"session_order", "random"}};
    auto model = model_of(data, joined(settings, {{"n_epochs", "1"}}));
    Trainer<double> trainer(model);
    trainer.fit(data);
    trainer.fit(data);
    CHECK(numbers(model) == trained(data, joined(settings, {{"n_epochs", "2"}})));
}

TEST_CASE("a step's loss and gradient are divided by the batch size, also where fewer lanes are left") {
    const Dataset data = data_of({{0, 1, 2, 3}});
    const auto first_step = [&](const std::string& batch_size) {
        auto model =
            model_of(data, {{"adapt", "sgd"}, {"learning_rate", "1"}, {"batch_size", batch_size}, {"n_sample", "3"}});
        const auto before = numbers(model);
        double loss = 0;
        Trainer<double>(model).fit(data, [&](const StepReport& step) {
            loss = step.loss;
            CHECK(step.n_lanes == 1);
            return false;
        });
        auto change = numbers(model);
        for (std::size_t i = 0; i < change.size(); ++i) {
            change[i] -= before[i];
        }
        change.push_back(loss);
        return change;
    };
    const auto by_1 = first_step("1");
    const auto by_8 = first_step("8");
    double largest = 0;
    for (std::size_t i = 0; i < by_1.size(); ++i) {
        CHECK(by_8[i] == doctest::Approx(by_1[i] / 8).epsilon(1e-9));
        largest = std::max(largest, std::abs(by_1[i]));
    }
    CHECK(largest > 0.1);
}

TEST_CASE("a capped step of plain descent goes grad_cap * learning_rate far, the way that the whole step would go") {
    const Dataset data = data_of({{0, 1, 0, 2}, {1, 2, 2, 0}, {2, 1, 0, 0}});
    for (const Entries& network :
         {Entries{}, Entries{{"constrained_embedding", "false"}, {"gru_variant", "reset_after"}},
          Entries{{"constrained_embedding", "false"}, {"embedding", "4"}, {"layers", "5/3"}}}) {
        const Entries base = joined(network, {{"adapt", "sgd"}, {"learning_rate", "0.5"}});
        const auto change = [&](const std::string& cap) {
            auto model = model_of(data, joined(base, {{"grad_cap", cap}}));
            const std::vector<double> before = numbers(model);
            Trainer<double>(model).fit(data, [](const StepReport&) { return false; });
            std::vector<double> result = numbers(model);
            std::transform(result.begin(), result.end(), before.begin(), result.begin(), std::minus<>());
            return result;
        };
        const std::vector<double> whole = change("0");
        const double length = std::sqrt(std::inner_product(whole.begin(), whole.end(), whole.begin(), 0.0));
        const double norm = length / 0.5;
        REQUIRE(norm > 0.01);
        const std::vector<double> capped = change("0.01");
        for (std::size_t i = 0; i < whole.size(); ++i) {
            CHECK(std::abs(capped[i] - whole[i] * 0.01 / norm) < 1e-14);
        }
        CHECK(change(std::to_string(norm * 1.01)) == whole);
        CHECK(change(std::to_string(norm * 0.99)) != whole);
    }
}

TEST_CASE("a cap that is never reached changes no bit") {
    const Dataset& data = common_data();
    for (const Entries& settings : {Entries{{"momentum", "0.2"}}, Entries{{"adapt", "adam"}, {"loss", "bpr-max"}}}) {
        CHECK(trained(data, settings) == trained(data, joined(settings, {{"grad_cap", "1e6"}})));
    }
}

/// How far the tensors whose names begin with one of the prefixes have moved.
double distance(const Model<double>& before, const Model<double>& after, const std::vector<std::string>& prefixes) {
    double squares = 0;
    const auto tensors = before.tensors();
    for (std::size_t t = 0; t < tensors.size(); ++t) {
        const bool counts = std::any_of(prefixes.begin(), prefixes.end(),
                                        [&](const std::string& prefix) { return tensors[t].name.starts_with(prefix); });
        for (Index r = 0; r < tensors[t].rows && counts; ++r) {
            for (Index c = 0; c < tensors[t].cols; ++c) {
                const double difference = after.tensors()[t](r, c) - tensors[t](r, c);
                squares += difference * difference;
            }
        }
    }
    return std::sqrt(squares);
}

TEST_CASE("norms of gradients are how far plain descent goes, by table and layer") {
    const Dataset data = data_of({{0, 1, 0, 2}, {1, 2, 2, 0}, {2, 1, 0, 0}});
    using Parts = std::vector<std::pair<std::string, std::vector<std::string>>>;
    const std::vector<std::string> output = {"Wy", "By"};
    for (const auto& [settings, parts] : std::vector<std::pair<Entries, Parts>>{
             {{}, {{"output", output}, {"layer.0", {"G."}}}},
             {{{"bptt", "3"}}, {{"output", output}, {"layer.0", {"G."}}}},
             {{{"grad_cap", "1000"}, {"constrained_embedding", "false"}, {"embedding", "4"}, {"layers", "5/3"}},
              {{"output", output}, {"input.0", {"E."}}, {"layer.0", {"G.0"}}, {"layer.1", {"G.1"}}}},
             {{{"constrained_embedding", "false"}, {"gru_variant", "reset_after"}},
              {{"output", output}, {"input.0", {"GE.weight_ih"}}}}}) {
        auto model = model_of(data, joined(settings, {{"adapt", "sgd"}, {"learning_rate", "0.5"}}));
        const Model<double> before = model;
        EpochReport epoch;
        const auto stop = [&](const StepReport& step) { return step.step < model.hyperparameters().bptt; };
        struct Callback {
            decltype(stop)& after_step;
            EpochReport& last;
            bool operator()(const StepReport& step) { return after_step(step); }
            bool operator()(const EpochReport& report) {
                last = report;
                return true;
            }
        };
        Trainer<double>(model, TrainingOptions{.gradients_every = 1}).fit(data, Callback{stop, epoch});
        const auto norm = [&](const std::string& name) {
            const auto found = std::find_if(epoch.gradients.begin(), epoch.gradients.end(),
                                            [&](const gru4rec::GradientNorm& g) { return g.name == name; });
            REQUIRE(found != epoch.gradients.end());
            CHECK(found->updates == 1);
            CHECK(found->mean == found->largest);
            return found->mean;
        };
        CHECK(norm("all") == doctest::Approx(distance(before, model, {""}) / 0.5).epsilon(1e-12));
        CHECK(norm("all") > 0.01);
        for (const auto& part : parts) {
            const double expected = distance(before, model, part.second) / 0.5;
            CHECK_MESSAGE(norm(part.first) == doctest::Approx(expected).epsilon(1e-12), part.first);
        }
    }
}

TEST_CASE("measuring gradients changes no bit; every n-th update is measured, from the first of each epoch on") {
    const Dataset& data = common_data();
    for (const Entries& settings :
         {Entries{{"momentum", "0.2"}, {"grad_cap", "0.1"}, {"dropout_p_embed", "0.1"}},
          Entries{{"bptt", "2"}, {"adapt", "adam"}}, Entries{{"constrained_embedding", "0"}, {"input", "history"}}}) {
        const std::vector<double> expected = trained(data, settings);
        for (const int every : {1, 3}) {
            CHECK(trained(data, settings, {.gradients_every = every}) == expected);
        }
    }
    auto model = model_of(data, {{"n_epochs", "3"}});
    const gru4rec::FitReport report = Trainer<double>(model, TrainingOptions{.gradients_every = 4}).fit(data);
    REQUIRE(report.epochs.size() == 3);
    for (const EpochReport& epoch : report.epochs) {
        REQUIRE(!epoch.gradients.empty());
        CHECK(epoch.gradients.back().updates == (epoch.steps + 3) / 4);
        CHECK(epoch.gradients.back().mean <= epoch.gradients.back().largest);
    }
    // All but one step apart: were the count not started again, the second epoch would have one update measured.
    const int apart = static_cast<int>(report.epochs.front().steps) - 1;
    auto other = model_of(data, {{"n_epochs", "2"}});
    for (const EpochReport& epoch :
         Trainer<double>(other, TrainingOptions{.gradients_every = apart}).fit(data).epochs) {
        CHECK(epoch.gradients.back().updates == 2);
    }
    // Weights that hardly move have the same gradients in every epoch.
    auto still = model_of(data, {{"n_sample", "0"}, {"adapt", "sgd"}, {"learning_rate", "1e-12"}});
    const gru4rec::FitReport same = Trainer<double>(still, TrainingOptions{.gradients_every = 1}).fit(data);
    REQUIRE(same.epochs.size() == 2);
    for (std::size_t i = 0; i < same.epochs[0].gradients.size(); ++i) {
        CHECK(same.epochs[1].gradients[i].mean == doctest::Approx(same.epochs[0].gradients[i].mean).epsilon(1e-6));
        CHECK(same.epochs[1].gradients[i].largest ==
              doctest::Approx(same.epochs[0].gradients[i].largest).epsilon(1e-6));
    }
    CHECK(Trainer<double>(model).fit(data).epochs.front().gradients.empty());
    CHECK_THROWS_WITH_AS(Trainer<double>(model, TrainingOptions{.gradients_every = -1}),
                         doctest::Contains("gradients_every = -1"), std::invalid_argument);
}

TEST_CASE("an epoch reports its learning rate") {
    auto model = model_of(common_data(), {{"learning_rate", "0.4"}, {"lr_decay", "0.5"}, {"n_epochs", "3"}});
    const gru4rec::FitReport report = Trainer<double>(model).fit(common_data());
    CHECK(report.epochs[0].learning_rate == 0.4);
    CHECK(report.epochs[1].learning_rate == 0.2);
    CHECK(report.epochs[2].learning_rate == 0.1);
}

TEST_CASE("a loss of one's own takes the place of the named one") {
    const Dataset& data = common_data();
    const Entries settings = {{"adapt", "sgd"}, {"learning_rate", "0.1"}};
    const auto with_loss = [&](double factor) {
        auto model = model_of(data, settings);
        std::vector<double> losses;
        Trainer<double>(model, SquaredScores{factor}, TrainingOptions{}).fit(data, [&](const StepReport& step) {
            losses.push_back(step.loss);
            return true;
        });
        auto result = numbers(model);
        result.insert(result.end(), losses.begin(), losses.end());
        return result;
    };
    CHECK(with_loss(1) != trained(data, settings));
    CHECK(with_loss(1) != with_loss(2));
    // Without a gradient nothing is learnt.
    const auto none = with_loss(0);
    const auto initial = numbers(model_of(data, settings));
    CHECK(std::equal(initial.begin(), initial.end(), none.begin()));
    CHECK(none.back() == 0);
    // A whole cache line of lanes, and a part of one, come in separate calls; what is beyond n_lanes is nobody's.
    auto model = model_of(data, {{"batch_size", "11"}});
    std::vector<Index> lanes;
    gru4rec::detail::AnyLoss<double> note = [&](const gru4rec::ScoreBlock<double>& block) {
        lanes.push_back(block.n_lanes);
        return SquaredScores{}(block);
    };
    Trainer<double>(model, note, {.max_threads = 1}).fit(data, [](const StepReport&) { return false; });
    CHECK(lanes == std::vector<Index>{8, 3});
}

TEST_CASE("the seconds of an epoch are those of its steps, without the callbacks") {
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;
    struct SlowLoss : SquaredScores {
        double operator()(const gru4rec::ScoreBlock<double>& block) const {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            return SquaredScores::operator()(block);
        }
    };
    const Dataset data = data_of({{0, 1, 0, 2, 1, 2}});
    auto model = model_of(data, {{"n_epochs", "1"}});
    Trainer<double> trainer(model, SlowLoss{});
    CHECK(trainer.fit(data).epochs.front().seconds >= 5 * 0.002);
    Seconds in_callbacks{0};
    const auto slow_callback = [&](const StepReport&) {
        const auto called = Clock::now();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        in_callbacks += Clock::now() - called;
        return true;
    };
    const auto started = Clock::now();
    const double seconds = trainer.fit(data, slow_callback).epochs.front().seconds;
    const Seconds whole = Clock::now() - started;
    CHECK(seconds >= 5 * 0.002);
    CHECK(seconds < (whole - in_callbacks).count());
}

TEST_CASE("a loss that is not finite stops training, by epoch, step and likely cause") {
    const Dataset& data = common_data();
    auto model = model_of(data, {{"learning_rate", "0.3"}, {"momentum", "0.5"}});
    for (const auto& view : model.tensors()) {
        if (view.name == "G.0.Wh") {
            view(2, 3) = std::numeric_limits<double>::quiet_NaN();
        }
    }
    bool called = false;
    std::string message;
    try {
        Trainer<double>(model).fit(data, [&](const StepReport&) { return called = true; });
    } catch (const gru4rec::NonFiniteError& error) {
        message = error.what();
    }
    CAPTURE(message);
    CHECK(message.find("loss") != std::string::npos);
    CHECK(message.find("epoch 1, step 1;") != std::string::npos);
    CHECK(message.find("learning_rate = 0.3 with momentum = 0.5") != std::string::npos);
    CHECK(!called);

    // It breaks later: the step is the one that broke.
    auto diverging =
        model_of(data, {{"adapt", "sgd"}, {"learning_rate", "1e200"}, {"loss", "bpr-max"}, {"final_act", "linear"}});
    std::int64_t last = 0;
    message.clear();
    try {
        Trainer<double>(diverging).fit(data, [&](const StepReport& step) {
            last = step.step;
            return true;
        });
    } catch (const gru4rec::NonFiniteError& error) {
        message = error.what();
    }
    CAPTURE(message);
    CHECK(last >= 1);
    CHECK(message.find("epoch 1, step " + std::to_string(last + 1) + ";") != std::string::npos);
    CHECK(message.find("learning_rate = 1e+200:") != std::string::npos);
}

TEST_CASE("a setting far beyond all published ones is blamed before the learning rate") {
    const Dataset& data = common_data();
    const auto check = [&](const Entries& settings, const char* cause) {
        auto model = model_of(data, settings);
        CHECK_THROWS_WITH_AS(Trainer<double>(model).fit(data), doctest::Contains(cause), gru4rec::NonFiniteError);
    };
    check({{"sigma", "1e308"}}, "likely cause: sigma = 1e+308: try 1 or less");
    check({{"logq", "1e308"}}, "likely cause: logq = 1e+308: try 10 or less");
    check({{"lmbd", "1e308"}}, "likely cause: lmbd = 1e+308: try 1 or less");
    check({{"hidden_act", "linear"}, {"learning_rate", "1e200"}, {"adapt", "sgd"}},
          "learning_rate = 1e+200: try a third of it, or hidden_act = tanh instead of linear");
    check({{"bptt", "3"}, {"learning_rate", "1e200"}, {"adapt", "sgd"}, {"loss", "bpr-max"}, {"final_act", "linear"}},
          "try a third of it, or grad_cap = 1 against gradients that grow on their way back through bptt = 3 steps");
}

TEST_CASE("weights that are no longer finite are found at the end of an epoch though no loss has seen them") {
    // One step, whose loss is finite before the update that breaks everything.
    const Dataset one_step = data_of({{0, 1}});
    auto broken =
        model_of(one_step, {{"adapt", "sgd"}, {"learning_rate", "1e308"}, {"loss", "bpr-max"}, {"bpreg", "1e6"}});
    CHECK_THROWS_WITH_AS(Trainer<double>(broken).fit(one_step), doctest::Contains("epoch 1, step 1"),
                         gru4rec::NonFiniteError);
}

TEST_CASE("what the optimiser remembers is told when it is infinite, though loss and weights are not") {
    auto model = model_of(common_data(), {});
    Trainer<double> trainer(model);
    const auto make_infinite = [](const gru4rec::detail::ParameterInfo& parameter,
                                  gru4rec::detail::OptimizedParameter<double>& learned) {
        learned.visit_memory([&]<class Memory>(const std::string&, Memory& memory) {
            if constexpr (std::is_same_v<Memory, gru4rec::detail::PaddedMatrix<double>>) {
                if (parameter.name == "dense.1") {
                    memory.row(0)[0] = std::numeric_limits<double>::infinity();
                }
            }
        });
    };
    const auto in_last_step = [&](const StepReport& step) {
        if (step.pairs_done == step.pairs_in_epoch) {
            trainer.step().visit_parameters(make_infinite);
        }
        return true;
    };
    CHECK_THROWS_WITH_AS(trainer.fit(common_data(), in_last_step),
                         doctest::Contains("the optimiser's state.0 of dense.1"), gru4rec::NonFiniteError);
}

TEST_CASE("data without a pair, or with more items than the model knows, is refused and nothing changed") {
    auto model = model_of(common_data(), {});
    const auto before = numbers(model);
    Trainer<double> trainer(model);
    CHECK_THROWS_WITH_AS(trainer.fit(data_of({{0}, {1}, {2}})), doctest::Contains("there is nothing to learn from"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(trainer.fit(Dataset()), doctest::Contains("there is nothing to learn from"),
                         std::invalid_argument);
    CHECK_THROWS_WITH_AS(trainer.fit(data_of({{9}, {8}})), doctest::Contains("there is nothing to learn from"),
                         std::invalid_argument);
    const Dataset wider = data_of(some_sessions(3, 10, 1));
    CHECK_THROWS_WITH_AS(trainer.fit(wider), doctest::Contains("not the model's"), std::invalid_argument);
    gru4rec::OrderedSessions source(wider);
    const auto go_on = [](const EpochReport&) { return true; };
    CHECK_THROWS_WITH_AS(trainer.fit(source, go_on), doctest::Contains("10 items, the model knows 9"),
                         std::invalid_argument);
    // As many items as the model has, but others.
    const Dataset strangers = gru4rec::make_dataset(std::vector<std::int64_t>{1, 1, 1, 1, 1, 1, 1, 1, 1},
                                                    std::vector<std::int64_t>{90, 91, 92, 93, 94, 95, 96, 97, 98},
                                                    std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
    REQUIRE(strangers.n_items() == model.n_items());
    CHECK_THROWS_WITH_AS(trainer.fit(strangers), doctest::Contains("not the model's"), std::invalid_argument);
    CHECK_THROWS_WITH_AS(static_cast<void>(gru4rec::evaluate(model, strangers)), doctest::Contains("not the model's"),
                         std::invalid_argument);
    auto lonely = model_of(strangers, {{"n_sample", "0"}, {"batch_size", "4"}});
    CHECK_THROWS_WITH_AS(Trainer<double>(lonely).fit(strangers), doctest::Contains("needs at least two sessions"),
                         std::invalid_argument);
    CHECK_THROWS_AS(Trainer<double>(model, {.max_threads = -1}).fit(common_data()), std::invalid_argument);
    CHECK(numbers(model) == before);
    // Nothing to draw negatives from.
    Model<double> unsupported(parameters({}), common_data().items(), std::vector<std::int64_t>(9, 0));
    CHECK_THROWS_WITH_AS(Trainer<double>{unsupported}, doctest::Contains("supports are 0"), std::invalid_argument);
}

TEST_CASE("an item of a source that the model does not have is refused before it is used") {
    struct OneSession {
        std::vector<gru4rec::ItemIndex> items;
        bool is_next = false;
        void start_epoch(std::uint64_t) { is_next = true; }
        std::span<const gru4rec::ItemIndex> next_session() {
            return std::exchange(is_next, false) ? std::span<const gru4rec::ItemIndex>(items)
                                                 : std::span<const gru4rec::ItemIndex>();
        }
        [[nodiscard]] Index n_items() const { return 9; }
        [[nodiscard]] Index n_pairs() const { return 1; }
    };
    auto model = model_of(common_data(), {});
    const auto before = numbers(model);
    for (const int wrong : {9, -1, 1'000'000'000}) {
        const auto item = static_cast<gru4rec::ItemIndex>(wrong);
        for (OneSession source : {OneSession{{item, gru4rec::to_item(0)}}, OneSession{{gru4rec::to_item(0), item}}}) {
            Trainer<double> trainer(model);
            CHECK_THROWS_WITH_AS(
                trainer.fit(source),
                ("gru4rec: the source yields item = " + std::to_string(wrong) + ", must satisfy 0 <= item < 9").c_str(),
                gru4rec::ContractError);
        }
    }
    CHECK(numbers(model) == before);
}

TEST_CASE("the training data is left as it was") {
    const auto sessions = some_sessions(20, 9, 3);
    const Dataset data = data_of(sessions);
    trained(data, {{"session_order", "random"}});
    for (std::size_t s = 0; s < sessions.size(); ++s) {
        const auto session = data.session(gru4rec::to_session(static_cast<Index>(s)));
        CHECK(std::equal(session.begin(), session.end(), sessions[s].begin(), sessions[s].end(),
                         [](gru4rec::ItemIndex a, std::size_t b) { return static_cast<std::size_t>(a) == b; }));
    }
}

TEST_CASE("every option acts on what is learnt") {
    struct Case {
        Entries base;
        std::string name, value;
    };
    const std::vector<Case> cases = {
        {{}, "layers", "7"},
        {{}, "loss", "bpr"},
        {{{"loss", "bpr"}}, "final_act", "linear"},
        {{}, "hidden_act", "relu"},
        {{}, "gru_variant", "reset_after"},
        {{}, "constrained_embedding", "false"},
        {{{"constrained_embedding", "false"}}, "embedding", "5"},
        {{}, "input", "history"},
        {{{"input", "history"}}, "input_decay", "0.5"},
        {{{"input", "history"}}, "history_max", "2"},
        {{{"layers", "4/3"}}, "deep_input", "true"},
        {{{"layers", "4/3"}, {"constrained_embedding", "false"}}, "deep_input", "true"},
        {{}, "batch_size", "5"},
        {{}, "n_epochs", "3"},
        {{}, "bptt", "3"},
        {{{"bptt", "3"}}, "bptt", "2"},
        {{}, "learning_rate", "0.06"},
        {{}, "momentum", "0.1"},
        {{}, "adapt", "rmsprop"},
        {{{"adapt", "rmsprop"}}, "adapt_params", "0.8"},
        {{{"adapt", "adadelta"}}, "adapt_params", "0.8"},
        {{{"adapt", "adam"}, {"adapt_params", "0.9/0.999"}}, "adapt_params", "0.9/0.99"},
        {{{"adapt", "adam"}, {"adapt_params", "0.9/0.999"}}, "adapt_params", "0.8/0.999"},
        {{}, "lmbd", "0.01"},
        {{}, "grad_cap", "0.01"},
        {{}, "lr_decay", "0.5"},
        {{}, "dropout_p_embed", "0.3"},
        {{}, "dropout_p_hidden", "0.3"},
        {{}, "n_sample", "6"},
        {{}, "sample_alpha", "1"},
        {{}, "mask_duplicates", "true"},
        {{}, "logq", "1"},
        {{}, "smoothing", "0.1"},
        {{{"loss", "bpr"}}, "pairwise_mean", "true"},
        {{{"loss", "bpr-max"}}, "bpreg", "0.5"},
        {{{"loss", "bpr-max"}}, "elu_param", "1"},
        {{{"loss", "top1-max"}}, "elu_param", "1"},
        {{}, "sigma", "0.3"},
        {{}, "init_as_normal", "true"},
        {{}, "session_order", "file"},
        {{}, "session_order", "random"},
    };
    const Dataset& data = common_data();
    std::set<std::string> tried;
    for (const Case& c : cases) {
        CAPTURE(c.name);
        CAPTURE(c.value);
        tried.insert(c.name);
        CHECK(trained(data, c.base) != trained(data, joined(c.base, {{c.name, c.value}})));
    }
    for (const gru4rec::ParameterDescription& parameter : Hyperparameters::describe()) {
        CAPTURE(parameter.name);
        CHECK(tried.contains(parameter.name));
    }
    for (const Entries& random : {Entries{}, Entries{{"n_sample", "0"}, {"dropout_p_hidden", "0.3"}},
                                  Entries{{"n_sample", "0"}, {"session_order", "random"}}}) {
        CHECK(trained(data, random, {.seed = 1}) != trained(data, random, {.seed = 2}));
        CHECK(trained(data, random, {.seed = 1}) == trained(data, random, {.seed = 1}));
    }
    // Nothing is random in this one but the initial weights.
    CHECK(trained(data, {{"n_sample", "0"}}, {.seed = 1}) == trained(data, {{"n_sample", "0"}}, {.seed = 2}));
}

TEST_CASE("a history of one event is the last item, and its options change nothing where there is none") {
    const Dataset& data = common_data();
    CHECK(trained(data, {}) == trained(data, {{"input", "history"}, {"history_max", "1"}}));
    CHECK(trained(data, {}) == trained(data, {{"input_decay", "0.3"}, {"history_max", "2"}}));
}

TEST_CASE("windows through which no session goes on are plain training") {
    // Sessions of one pair, on as many lanes: an epoch is one step.
    const Dataset pairs = data_of({{0, 1}, {1, 2}, {2, 0}, {0, 2}});
    const auto plain = trained(pairs, {});
    const auto window = trained(pairs, {{"bptt", "3"}});
    for (std::size_t i = 0; i < plain.size(); ++i) {
        CHECK(std::abs(plain[i] - window[i]) < 1e-12);
    }
}

TEST_CASE("loss options without a part in the loss that is chosen change nothing") {
    const Dataset& data = common_data();
    CHECK(trained(data, {}) == trained(data, {{"bpreg", "3"}, {"elu_param", "0.9"}}));
    CHECK(trained(data, {{"loss", "bpr"}}) == trained(data, {{"loss", "bpr"}, {"bpreg", "3"}, {"final_act", "tanh"}}));
    CHECK(trained(data, {{"adapt", "adam"}}) == trained(data, {{"adapt", "adam"}, {"adapt_params", "0.9/0.999"}}));
    CHECK(trained(data, {{"adapt", "rmsprop"}}) == trained(data, {{"adapt", "rmsprop"}, {"adapt_params", "0.9"}}));
    CHECK(trained(data, {{"adapt", "adadelta"}}) ==
          trained(data, {{"adapt", "adadelta"}, {"adapt_params", "0.95"}, {"learning_rate", "1"}}));
}
