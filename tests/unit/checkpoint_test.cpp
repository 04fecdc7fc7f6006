#include "gru4rec/io/checkpoint.hpp"

#include "support/contains.hpp"
#include "support/random_sessions.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"
#include "support/training_runs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::EpochReport;
using gru4rec::StepReport;
using small_models::Settings;

const auto proceed = [](const auto&) { return true; };

Settings with(Settings settings, const Settings& more) {
    settings.insert(settings.end(), more.begin(), more.end());
    return settings;
}

const Settings small = {{"batch_size", "3"}, {"n_epochs", "2"}, {"n_sample", "4"}, {"layers", "5"}};

/// A run that is killed after `kill` steps, and saves after every `every` steps.
template <class Scalar>
void run_killed(TrainingRun<Scalar>& run, const std::filesystem::path& path, int kill, int every) {
    int n = 0;
    run.fit(
        [&](const StepReport&) {
            ++n;
            if (n % every == 0) {
                run.checkpoint->save(path);
            }
            return n < kill;
        },
        proceed);
}

/// Interrupts a run after every `stretch` steps, over and over. Only the file survives.
template <class Scalar>
void check_interrupted(const Settings& settings, int stretch, int patience = 0) {
    TrainingRun<Scalar> whole(settings, patience);
    const auto expected = whole.fit();
    const TemporaryFolder folder;
    const auto path = folder / "run.checkpoint";
    for (int round = 0; round < 1000; ++round) {
        TrainingRun<Scalar> run(settings, patience);
        if (round > 0) {
            run.checkpoint->load(path);
        }
        int n = 0;
        bool saved = false;
        bool killed = false;
        gru4rec::FitReport report;
        if (!run.stopping || !run.stopping->is_over()) {
            report = run.fit(
                [&](const StepReport&) {
                    killed = saved;  // steps after the file are lost
                    if (!saved && ++n >= stretch && run.trainer.step().between_windows()) {
                        run.checkpoint->save(path);
                        saved = true;
                    }
                    return !killed;
                },
                [&](const EpochReport& epoch) {
                    if (!killed) {
                        CHECK(epoch.loss == expected.epochs.at(static_cast<std::size_t>(epoch.epoch) - 1).loss);
                        CHECK(epoch.pairs == expected.epochs.at(static_cast<std::size_t>(epoch.epoch) - 1).pairs);
                    }
                    return true;
                });
        }
        if (!killed) {
            CHECK(small_models::same(run.model, whole.model));
            if (run.stopping) {
                CHECK(run.stopping->best_epoch() == whole.stopping->best_epoch());
                CHECK(run.stopping->best_metric() == whole.stopping->best_metric());
                run.stopping->restore_best();
                whole.stopping->restore_best();
                CHECK(small_models::same(run.model, whole.model));
            }
            CHECK(round > 1);
            return;
        }
    }
    FAIL("the run does not end");
}

}  // namespace

TEST_CASE("a run that is interrupted again and again ends with the bits of an uninterrupted one") {
    const std::vector<std::pair<std::string, Settings>> runs = {
        {"sgd", {{"adapt", "sgd"}, {"learning_rate", "0.1"}}},
        {"adagrad with momentum", {{"momentum", "0.4"}}},
        {"rmsprop with decay of the learning rate", {{"adapt", "rmsprop"}, {"lr_decay", "0.5"}}},
        {"adadelta", {{"adapt", "adadelta"}}},
        {"adam with momentum and weight decay", {{"adapt", "adam"}, {"momentum", "0.3"}, {"lmbd", "0.01"}}},
        {"dropout", {{"dropout_p_hidden", "0.3"}, {"dropout_p_embed", "0.2"}}},
        {"random order", {{"session_order", "random"}}},
        {"file order", {{"session_order", "file"}}},
        {"history", {{"input", "history"}, {"history_max", "3"}}},
        {"one-hot, three layers",
         {{"constrained_embedding", "0"}, {"layers", "4/3/5"}, {"deep_input", "1"}, {"adapt", "adam"}}},
        {"embedding, reset_after",
         {{"constrained_embedding", "0"}, {"embedding", "3"}, {"layers", "4/3"}, {"gru_variant", "reset_after"}}},
        {"no samples", {{"n_sample", "0"}}},
        {"windows of three steps", {{"bptt", "3"}, {"momentum", "0.2"}}},
        {"capped gradients and bpr-max", {{"grad_cap", "0.05"}, {"loss", "bpr-max"}}},
    };
    for (const auto& run : runs) {
        CAPTURE(run.first);
        for (const int stretch : {7, 13}) {
            CAPTURE(stretch);
            check_interrupted<float>(with(small, run.second), stretch);
        }
        check_interrupted<double>(with(small, run.second), 11);
    }
}

TEST_CASE("a run can be interrupted after any step, and after each epoch") {
    const Settings settings = with(small, {{"dropout_p_hidden", "0.2"}, {"adapt", "adam"}});
    TrainingRun<float> whole(settings);
    int n_steps = 0;
    whole.fit([&](const StepReport&) { return ++n_steps > 0; }, proceed);
    const TemporaryFolder folder;
    const auto path = folder / "run.checkpoint";
    for (int kill = 1; kill <= n_steps; ++kill) {
        CAPTURE(kill);
        TrainingRun<float> killed(settings);
        run_killed(killed, path, kill, kill);
        TrainingRun<float> resumed(settings);
        resumed.checkpoint->load(path);
        resumed.fit();
        CHECK(small_models::same(resumed.model, whole.model));
    }
    for (const int kill : {1, 2}) {
        TrainingRun<float> killed(settings);
        killed.fit(proceed, [&](const EpochReport& epoch) {
            killed.checkpoint->save(path);
            return epoch.epoch < kill;
        });
        TrainingRun<float> resumed(settings);
        resumed.checkpoint->load(path);
        CHECK(resumed.trainer.position() ==
              gru4rec::TrainingPosition{.epochs_done = static_cast<std::uint64_t>(kill), .epoch = kill + 1});
        CHECK(resumed.fit().epochs.size() == static_cast<std::size_t>(2 - kill));
        CHECK(small_models::same(resumed.model, whole.model));
    }
}

TEST_CASE("early stopping resumes with its count and its best weights") {
    const Settings settings = with(small, {{"n_epochs", "12"}, {"learning_rate", "0.5"}});
    TrainingRun<float> whole(settings, 2);
    const auto report = whole.fit();
    REQUIRE(report.stopped);  // it does stop early
    for (const int stretch : {37, 90}) {
        check_interrupted<float>(settings, stretch, 2);
    }
    const TemporaryFolder folder;
    whole.checkpoint->save(folder / "end");
    TrainingRun<float> again(settings, 2);
    again.checkpoint->load(folder / "end");
    CHECK(again.stopping->is_over());
}

TEST_CASE("an epoch that is interrupted, saved and resumed is measured once") {
    const Settings settings = with(small, {{"n_epochs", "3"}});
    TrainingRun<float> whole(settings, 2);
    whole.fit();
    const TemporaryFolder folder;
    TrainingRun<float> run(settings, 2);
    for (int round = 0; round < 3; ++round) {
        int n = 0;
        run.fit([&](const StepReport&) { return ++n < 3; }, proceed);
        run.checkpoint->save(folder / "c");
        run.checkpoint->load(folder / "c");
        CHECK(run.stopping->state().n_epochs == 0);
    }
    run.fit();
    run.checkpoint->save(folder / "c");
    run.checkpoint->load(folder / "c");
    CHECK(run.stopping->state().n_epochs == whole.stopping->state().n_epochs);
    CHECK(run.stopping->best_epoch() == whole.stopping->best_epoch());
    CHECK(run.stopping->best_metric() == whole.stopping->best_metric());

    (*run.stopping)(EpochReport{.complete = true});
    CHECK_THROWS_WITH_AS(run.checkpoint->save(folder / "c"), doctest::Contains("has measured 4 epochs"),
                         gru4rec::ConfigError);
}

TEST_CASE("a finished run can be resumed with more epochs, but not with fewer than it has had") {
    TrainingRun<float> whole(with(small, {{"n_epochs", "4"}}));
    whole.fit();
    TrainingRun<float> half(small);
    half.fit();
    const TemporaryFolder folder;
    half.checkpoint->save(folder / "half");
    TrainingRun<float> more(with(small, {{"n_epochs", "4"}}));
    more.checkpoint->load(folder / "half");
    CHECK(more.fit().epochs.size() == 2);
    CHECK(small_models::same(more.model, whole.model));

    TrainingRun<float> less(with(small, {{"n_epochs", "1"}}));
    CHECK_THROWS_WITH_AS(less.checkpoint->load(folder / "half"), doctest::Contains("n_epochs: expected 2 or more"),
                         gru4rec::FormatError);
    CHECK(less.trainer.position() == gru4rec::TrainingPosition{});
}

TEST_CASE("a second fit starts from epoch 1 with the weights of the first, even after an interrupted epoch") {
    TrainingRun<float> run(small);
    int n = 0;
    run.fit([&](const StepReport&) { return ++n < 5; }, proceed);
    CHECK(run.trainer.position().step == 5);
    const auto report = run.fit();
    CHECK(report.epochs.size() == 2);
    CHECK(report.epochs.front().resumed_steps == 0);
    CHECK(run.trainer.position() == gru4rec::TrainingPosition{.epochs_done = 3, .epoch = 3});
}

TEST_CASE("a resumed epoch reports all of its steps, and the speed of those since it was resumed") {
    const TemporaryFolder folder;
    TrainingRun<float> killed(small);
    run_killed(killed, folder / "c", 9, 1);
    TrainingRun<float> resumed(small);
    resumed.checkpoint->load(folder / "c");
    const EpochReport epoch = resumed.fit().epochs.front();
    CHECK(epoch.resumed_steps == 9);
    CHECK(epoch.resumed_pairs == 27);
    CHECK(epoch.steps_per_second() == doctest::Approx(static_cast<double>(epoch.steps - 9) / epoch.seconds));
    CHECK(epoch.events_per_second() == doctest::Approx(static_cast<double>(epoch.pairs - 27) / epoch.seconds));
}

TEST_CASE("the same state produces the same bytes") {
    const TemporaryFolder folder;
    TrainingRun<float> a(small);
    TrainingRun<float> b(small);
    run_killed(a, folder / "a", 9, 9);
    run_killed(b, folder / "b", 9, 9);
    CHECK(read_bytes(folder / "a") == read_bytes(folder / "b"));
    TrainingRun<float> c(small);
    c.checkpoint->load(folder / "a");
    c.checkpoint->save(folder / "c");
    CHECK(read_bytes(folder / "c") == read_bytes(folder / "a"));
}

TEST_CASE("a checkpoint of another run is refused with the difference, and changes nothing") {
    const TemporaryFolder folder;
    const auto path = folder / "run.checkpoint";
    TrainingRun<float> killed(small, 2);
    run_killed(killed, path, 20, 5);
    const auto refusal = [&](auto& run) {
        const auto before = run.model;
        std::string message = "taken";
        try {
            run.checkpoint->load(path);
        } catch (const gru4rec::FormatError& error) {
            message = error.what();
        }
        CHECK(small_models::same(run.model, before));
        CHECK(run.trainer.position() == gru4rec::TrainingPosition{});
        return message;
    };
    TrainingRun<float> same(small, 2);
    TrainingRun<float> rate(with(small, {{"learning_rate", "0.25"}}), 2);
    TrainingRun<float> layers(with(small, {{"layers", "6"}}), 2);
    TrainingRun<float> seed(small, 2, 6);
    TrainingRun<float> data(random_sessions(40, 12, 2), small, 2, 5);
    TrainingRun<float> patient(small, 3);
    TrainingRun<float> no_stopping(small);
    TrainingRun<double> precise(small, 2);
    CHECK(contains(refusal(rate), "learning_rate: expected 0.25 as in this run, found unset"));
    CHECK(contains(refusal(layers), "layers: expected 6 as in this run, found 5"));
    CHECK(contains(refusal(seed), "seed: expected \"6\" as in this run, found \"5\""));
    CHECK(contains(refusal(data), "the training data have changed"));
    CHECK(contains(refusal(patient), "early_stopping"));
    CHECK(contains(refusal(no_stopping), "early_stopping: expected none as in this run"));
    const std::string precision = refusal(precise);
    CHECK(contains(precision, "expected F64 ("));
    CHECK(contains(precision, "found F32 ("));
    CHECK(contains(precision, "does the precision fit the checkpoint?"));
    same.checkpoint->load(path);
    CHECK(same.trainer.position().step == 20);
}

TEST_CASE("data sets of the same size have different fingerprints if they train differently") {
    const std::vector<std::int64_t> sessions = {1, 1, 2, 2};
    const std::vector<std::int64_t> times = {1, 2, 3, 4};
    const auto of = [](const auto& s, const std::vector<std::string>& items, const auto& t) {
        return gru4rec::fingerprint(gru4rec::make_dataset(s, items, t));
    };
    const std::string one = of(sessions, {"a", "b", "b", "a"}, times);
    CHECK(of(sessions, {"a", "b", "b", "a"}, times) == one);
    CHECK(of(sessions, {"a", "b", "a", "b"}, times) != one);
    CHECK(of(sessions, {"a", "c", "c", "a"}, times) != one);
    CHECK(of(std::vector<std::int64_t>{1, 1, 1, 2}, {"a", "b", "b", "a"}, times) != one);
    CHECK(of(sessions, {"a", "b", "b", "a"}, std::vector<std::int64_t>{3, 4, 1, 2}) != one);
    CHECK(of(std::vector<std::int64_t>{7, 7, 8, 8}, {"a", "b", "b", "a"}, times) == one);
}

TEST_CASE("no checkpoint is saved inside a window of steps") {
    TrainingRun<float> run(with(small, {{"bptt", "2"}}));
    const TemporaryFolder folder;
    int n = 0;
    run.fit(
        [&](const StepReport&) {
            ++n;
            if (n == 1) {
                CHECK_THROWS_WITH_AS(run.checkpoint->save(folder / "run.checkpoint"), doctest::Contains("bptt"),
                                     gru4rec::ConfigError);
                CHECK_FALSE(std::filesystem::exists(folder / "run.checkpoint"));
            }
            return n < 3;
        },
        proceed);
    CHECK(n == 3);
    CHECK(run.trainer.step().between_windows());  // stopping has ended the window early
    CHECK_THROWS_AS(run.checkpoint->save(folder / "run.checkpoint"), gru4rec::ConfigError);
}

TEST_CASE(
    "a checkpoint after a callback that threw resumes with the same bits; after a loss that threw none is saved") {
    TrainingRun<float> whole(small);
    whole.fit();
    const TemporaryFolder folder;
    TrainingRun<float> broken(small);
    const auto fail = [](const StepReport& step) { return step.step < 4 ? true : throw std::runtime_error("enough"); };
    CHECK_THROWS_AS(broken.fit(fail, proceed), std::runtime_error);
    broken.checkpoint->save(folder / "c");
    TrainingRun<float> resumed(small);
    resumed.checkpoint->load(folder / "c");
    resumed.fit();
    CHECK(small_models::same(resumed.model, whole.model));

    int calls_left = 4;
    const auto loss = [&](const gru4rec::ScoreBlock<float>& block) -> float {
        for (gru4rec::Index j = 0; j < block.n_columns; ++j) {
            std::fill_n(block.d_scores.column(j), block.n_lanes, 0.1F);
        }
        return --calls_left == 0 ? throw std::runtime_error("no loss") : 1.0F;
    };
    gru4rec::Trainer<float> trainer(broken.model, loss, {.seed = 5});
    const gru4rec::Checkpoint<float> checkpoint(trainer, gru4rec::fingerprint(broken.data));
    CHECK_THROWS_AS(trainer.fit(broken.data), std::runtime_error);
    const std::string before = read_bytes(folder / "c");
    CHECK_THROWS_WITH_AS(checkpoint.save(folder / "c"), doctest::Contains("left by an exception"),
                         gru4rec::ConfigError);
    CHECK(read_bytes(folder / "c") == before);
    trainer.fit(broken.data);
    checkpoint.save(folder / "c");
    CHECK(read_bytes(folder / "c") != before);
}

TEST_CASE("a state that is not finite is not saved, and the old checkpoint stays") {
    const TemporaryFolder folder;
    TrainingRun<float> run(small);
    run.checkpoint->save(folder / "c");
    const std::string before = read_bytes(folder / "c");
    run.model.tensors().front()(0, 0) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(run.checkpoint->save(folder / "c"), gru4rec::NonFiniteError);
    CHECK(read_bytes(folder / "c") == before);
    CHECK(folder.n_files() == 1);
}
