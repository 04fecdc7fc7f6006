#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/model_file.hpp"

#include "support/contains.hpp"
#include "support/hostile_tensors.hpp"
#include "support/safetensors_parts.hpp"
#include "support/small_models.hpp"
#include "support/sweep.hpp"
#include "support/temporary_folder.hpp"
#include "support/training_runs.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace {

using gru4rec::FormatError;
using gru4rec::TensorInfo;
using gru4rec::detail::SafetensorsFile;

const small_models::Settings settings = {{"batch_size", "2"}, {"n_epochs", "2"}, {"n_sample", "2"},
                                         {"layers", "2"},     {"adapt", "adam"}, {"momentum", "0.5"}};

gru4rec::Dataset few_sessions() { return random_sessions(6, 4, 1); }

/// A checkpoint in the second epoch of a run, and the outcome of loading a changed copy of it.
struct Bench {
    explicit Bench(const small_models::Settings& with = settings, int n_steps = 3) : run(few_sessions(), with, 2, 5) {
        int n = 0;
        run.fit(
            [&](const gru4rec::StepReport& step) {
                n += step.epoch == 2 ? 1 : 0;
                if (n == n_steps) {
                    run.checkpoint->save(folder / "good");
                }
                return n < n_steps;
            },
            [](const auto&) { return true; });
        good = read_bytes(folder / "good");
    }

    /// The FormatError's message, after which the run is unchanged; "same" if the copy restores the same state as the
    /// original, "DIFFERENT" if it restores another one.
    [[nodiscard]] std::string outcome(const std::string& bytes) {
        std::filesystem::remove(folder / "copy");
        write_bytes(folder / "copy", bytes);
        if (!is_good) {
            run.checkpoint->load(folder / "good");
            is_good = true;
        }
        try {
            run.checkpoint->load(folder / "copy");
        } catch (const FormatError& error) {
            const std::string message = error.what();
            CHECK(message.starts_with((folder / "copy").string() + ": "));
            if (n_refused++ % 16 == 0) {  // saving waits for the disk
                run.checkpoint->save(folder / "after");
                CHECK(read_bytes(folder / "after") == good);
            }
            return message;
        }
        run.checkpoint->save(folder / "after");
        is_good = read_bytes(folder / "after") == good;
        return is_good ? "same" : "DIFFERENT";
    }

    TemporaryFolder folder;
    TrainingRun<float> run;
    std::string good;
    int n_refused = 0;
    bool is_good = false;  ///< the run is as the good checkpoint has it
};

/// By this process so far, from any source; nullopt if the system does not count them.
std::optional<std::uint64_t> bytes_read() {
    std::ifstream counters("/proc/self/io");
    std::string name;
    std::uint64_t n = 0;
    return counters >> name >> n && name == "rchar:" ? std::optional(n) : std::nullopt;
}

}  // namespace

TEST_CASE("a checkpoint that is truncated anywhere is refused, and nothing changes") {
    Bench bench;
    CHECK(bench.outcome(bench.good) == "same");
    std::size_t n_cuts = 0;
    for (std::size_t n = 0; n < bench.good.size(); ++n) {
        if (!sweep::visits(n)) {
            continue;
        }
        ++n_cuts;
        CAPTURE(n);
        const std::string outcome = bench.outcome(bench.good.substr(0, n));
        CHECK(outcome != "same");
        CHECK(outcome != "DIFFERENT");
    }
    MESSAGE("cuts of a checkpoint: ", n_cuts);
    CHECK(contains(bench.outcome(bench.good + "x"), "too many"));
}

TEST_CASE("a checkpoint with a byte changed is refused, or restores the same state") {
    Bench bench;
    std::uint64_t n = 0;
    std::size_t n_changes = 0;
    for (std::size_t at = 0; at < bench.good.size(); ++at) {
        for (const std::size_t bit : {at % 8, (at + 3) % 8}) {  // all eight would take ten seconds
            if (!sweep::visits(n++)) {
                continue;
            }
            ++n_changes;
            std::string changed = bench.good;
            changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ 1U << bit);
            CAPTURE(at);
            CAPTURE(bit);
            CHECK(bench.outcome(changed) != "DIFFERENT");
        }
    }
    MESSAGE("changes of a byte of a checkpoint: ", n_changes);
}

TEST_CASE("a checkpoint with hostile fields is refused even if the hash is right") {
    Bench bench;
    const Parts good(bench.folder / "good");
    REQUIRE(bench.outcome(good.bytes()) == "same");
    const auto outcome_of = [&](const std::string& bytes) { return bench.outcome(bytes); };
    const ChangedParts<decltype(outcome_of)> file{good, outcome_of};
    const auto number = [&](const std::string& name, const std::string& value) {
        return file.with([&](Parts& parts) {
            std::string& json = parts.metadata.at("progress");
            const std::size_t begin = json.find("\"" + name + "\":\"") + name.size() + 4;
            json.replace(begin, json.find('"', begin) - begin, value);
        });
    };

    SUBCASE("metadata that is missing") {
        for (const auto& field : good.metadata) {
            const std::string& name = field.first;
            const std::string outcome = file.with([&](Parts& parts) { parts.metadata.erase(name); });
            CAPTURE(name);
            CHECK(contains(outcome, name));
            CHECK(contains(outcome, "found none"));
        }
    }
    SUBCASE("formats") {
        CHECK(contains(file.entry("format", "gru4rec"), "expected \"gru4rec-checkpoint\""));
        CHECK(contains(file.entry("format_version", "3"), "format_version: expected 1 or 2, found \"3\""));
        CHECK(contains(file.entry("content_hash", "0123456789abcdef"), "same"));  // the hash is written anew
        save_model(bench.run.model, bench.folder / "model");
        CHECK(contains(bench.outcome(read_bytes(bench.folder / "model")), "to train a model further use load_model"));
        CHECK_THROWS_WITH_AS((void)gru4rec::load_model<float>(bench.folder / "good"),
                             doctest::Contains("this file is a checkpoint of a training run"), FormatError);
    }
    SUBCASE("the position") {
        for (const std::string value : {"", "x", "-1", "1e3", "99999999999999999999", "nan"}) {
            for (const std::string name : {"epochs_done", "epoch", "step", "pairs", "n_lanes", "n_epochs_measured"}) {
                CAPTURE(name);
                CAPTURE(value);
                CHECK(contains(number(name, value), "progress: " + name + ": expected a number from "));
            }
        }
        CHECK(contains(number("epoch", "0"), "epoch: expected a number from 1 to 2147483647"));
        CHECK(contains(number("epoch", "4"),
                       "n_epochs: expected 4 or more, the epochs that the checkpoint has begun, found 2 in this run"));
        CHECK(contains(number("epoch", "3"),
                       "n_epochs: expected 3 or more, the epochs that the checkpoint has begun, found 2 in this run"));
        CHECK(contains(number("n_lanes", "0"), "n_lanes: expected a number from 1 to 2"));
        CHECK(contains(number("n_lanes", "3"), "n_lanes: expected a number from 1 to 2"));
        CHECK(contains(number("n_lanes", "1"), "tensor \"hidden.0\": expected F32 (1, 2), found F32 (2, 2)"));
        CHECK(contains(number("weighted_loss", "inf"), "weighted_loss"));
        CHECK(contains(number("weighted_loss", "nan"), "weighted_loss"));
        CHECK(contains(number("best_epoch", "0"), "best_epoch: expected a number from 1 to 1"));
        CHECK(contains(number("best_epoch", "2"), "best_epoch: expected a number from 1 to 1"));
        for (const std::string value : {"nan", "inf", "-1e-9", "1.0000001"}) {
            CHECK(contains(number("best_metric", value), "best_metric: expected a number from 0 to 1"));
        }
        CHECK(contains(number("n_epochs_measured", "2"), "n_epochs_measured: expected a number from 0 to 1"));
        CHECK(contains(number("n_epochs_measured", "0"), "best_epoch: expected a number from 0 to 0"));
        CHECK(contains(number("epochs_done", "0"), "epochs_done: expected a number from 1 to "));
        CHECK(contains(file.entry("progress", "[]"), "progress: expected a JSON object of strings"));
        CHECK(contains(file.entry("progress", "{}"), "epoch: expected a number from"));
    }
    SUBCASE("a position that the data do not have is reported when training resumes") {
        for (const auto& entry : std::vector<std::pair<std::string, std::string>>{
                 {"step", "9223372036854775807"}, {"step", "2"}, {"pairs", "1"}}) {
            CAPTURE(entry.first);
            CHECK(number(entry.first, entry.second) == "DIFFERENT");
            CHECK_THROWS_AS(bench.run.fit(), gru4rec::ConfigError);
        }
    }
    SUBCASE("tensors") {
        for (const TensorInfo& tensor : good.tensors) {
            CAPTURE(tensor.name);
            const std::string field = "tensor \"" + tensor.name + "\": expected ";
            CHECK(contains(file.with([&](Parts& parts) { parts.erase(tensor.name); }), field));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).shape.push_back(1); }), field));
            CHECK(contains(file.with([&](Parts& parts) { parts.tensor(tensor.name).dtype = "I32"; }),
                           tensor.dtype == "F32" ? field : "data_offsets"));
            CHECK(contains(file.with([&](Parts& parts) { ++parts.tensor(tensor.name).end; }), "data_offsets"));
        }
        CHECK(contains(file.with([](Parts& parts) { parts.append_empty("more"); }),
                       "tensor \"more\": expected no such tensor"));
    }
    SUBCASE("values") {
        const auto value = [&](const std::string& name, auto number_of_file) {
            return file.with([&](Parts& parts) {
                gru4rec::detail::to_little_endian(number_of_file,
                                                  reinterpret_cast<std::byte*>(&parts.data[parts.tensor(name).begin]));
            });
        };
        for (const TensorInfo& tensor : good.tensors) {
            CAPTURE(tensor.name);
            if (tensor.dtype == "F32") {
                CHECK(contains(value(tensor.name, std::numeric_limits<float>::quiet_NaN()), "expected finite numbers"));
                CHECK(contains(value(tensor.name, std::numeric_limits<float>::infinity()), "expected finite numbers"));
                const bool of_squares = tensor.name.ends_with(".state.1");
                CHECK((value(tensor.name, -0.5F) == "DIFFERENT") == !of_squares);
            } else {
                CHECK(contains(value(tensor.name, std::int64_t{-1}), "expected counts from 0 to 4294967295"));
                CHECK(contains(value(tensor.name, std::int64_t{4294967296}), "expected counts from 0 to 4294967295"));
                CHECK(value(tensor.name, std::int64_t{4294967295}) == "DIFFERENT");
            }
        }
    }
}

TEST_CASE("a checkpoint with sizes, shapes or offsets at the ends of their types is refused by name") {
    Bench bench;
    std::size_t n = 0;
    std::uint64_t n_copies = 0;
    for (const hostile::Copy& copy : hostile::copies_of(Parts(bench.folder / "good"))) {
        if (sweep::visits(n_copies++)) {
            CAPTURE(copy.what);
            CHECK(contains(bench.outcome(copy.bytes), copy.complaint));
            ++n;
        }
    }
    MESSAGE("checkpoints with hostile sizes: ", n);
}

TEST_CASE("a checkpoint inside a window of steps is refused") {
    auto in_windows = settings;
    in_windows.emplace_back("bptt", "2");
    Bench bench(in_windows, 2);
    const Parts good(bench.folder / "good");
    for (const std::string step : {"1", "3"}) {
        Parts parts = good;
        std::string& progress = parts.metadata.at("progress");
        const std::string entry = "\"step\":\"2\"";
        REQUIRE(contains(progress, entry));
        progress.replace(progress.find(entry), entry.size(), "\"step\":\"" + step + "\"");
        CHECK(contains(bench.outcome(parts.bytes()), "step: expected a multiple of bptt, 2, found " + step));
    }
}

TEST_CASE("a checkpoint is read once: the bytes used are those that were hashed") {
    if (!bytes_read()) {
        MESSAGE("skipped: the system does not count what a process reads");
        return;
    }
    auto longer = settings;
    longer.emplace_back("n_epochs", "1");
    longer.emplace_back("layers", "128");
    TrainingRun<float> run(few_sessions(), longer, 2, 5);
    run.fit();
    const TemporaryFolder folder;
    run.checkpoint->save(folder / "c");
    const auto size = static_cast<double>(std::filesystem::file_size(folder / "c"));
    const auto read_by = [&](const auto& load) {
        const std::uint64_t before = *bytes_read();
        load();
        return static_cast<double>(*bytes_read() - before) / size;
    };
    CHECK(read_by([&] { run.checkpoint->load(folder / "c"); }) == doctest::Approx(1).epsilon(0.1));
    gru4rec::Trainer<float> trainer(run.model);
    CHECK(read_by([&] { load_optimizer(trainer, folder / "c"); }) == doctest::Approx(1).epsilon(0.1));
}

TEST_CASE("a damaged or foreign checkpoint of the optimiser leaves a new trainer unchanged") {
    Bench bench;
    const auto load = [&](gru4rec::Model<float>& model, const std::string& bytes) -> std::string {
        std::filesystem::remove(bench.folder / "copy");
        write_bytes(bench.folder / "copy", bytes);
        gru4rec::Trainer<float> trainer(model, {.seed = 5});
        std::string message = "taken";
        try {
            gru4rec::load_optimizer(trainer, bench.folder / "copy");
        } catch (const FormatError& error) {
            message = error.what();
        }
        bool fresh = true;
        trainer.step().visit_parameters([&](const auto&, gru4rec::detail::OptimizedParameter<float>& learned) {
            for (gru4rec::Index r = 0; r < learned.parameter().rows(); ++r) {
                fresh = fresh && learned.state()[1].row(r)[0] == 0;
            }
        });
        CHECK(fresh == (message != "taken"));
        return message;
    };
    auto model = bench.run.model;
    CHECK(load(model, bench.good) == "taken");
    std::size_t n_loads = 0;
    for (std::size_t n = 0; n < bench.good.size(); n += static_cast<std::size_t>(sweep::one_in)) {
        CHECK(load(model, bench.good.substr(0, n)) != "taken");
        std::string changed = bench.good;
        changed[n] = static_cast<char>(changed[n] ^ 0x40);
        CHECK(load(model, changed) != "taken");
        ++n_loads;
    }
    MESSAGE("cuts, and as many changes, of a checkpoint of the optimiser: ", n_loads);
    Parts parts(bench.folder / "good");
    parts.metadata["items"] += "\tmore";
    CHECK(contains(load(model, parts.bytes()), "expected items of the model, found \"more\""));
    parts = Parts(bench.folder / "good");
    const std::string& items = parts.metadata["items"];
    parts.metadata["items"] = items.substr(0, items.rfind('\t'));
    CHECK(contains(load(model, parts.bytes()), "expected F32 ("));
    auto other = model;
    other.tensors().back()(0, 0) += 1;
    CHECK(contains(load(other, bench.good), "expected the weights of the model, found others"));
    const auto load_with = [&](const auto& change) {
        Parts changed(bench.folder / "good");
        change(changed);
        return load(model, changed.bytes());
    };
    for (const TensorInfo& tensor : Parts(bench.folder / "good").tensors) {
        CAPTURE(tensor.name);
        const bool is_needed = !tensor.name.starts_with("hidden.");
        const std::string outcome = load_with([&](Parts& changed) { changed.erase(tensor.name); });
        CHECK(contains(outcome, "tensor \"" + tensor.name + "\": expected") == is_needed);
    }
    for (const std::string name : {"more", "best.more", "hidden.1", "optimizer.dense.9.velocity"}) {
        CHECK(contains(load_with([&](Parts& changed) { changed.append_empty(name); }),
                       "tensor \"" + name + "\": expected no such tensor"));
    }
    auto p = model.hyperparameters();
    p.adapt = gru4rec::Adapt::rmsprop;
    auto by_rmsprop = model;
    by_rmsprop.set_hyperparameters(p);
    gru4rec::Trainer<float> trainer(by_rmsprop);
    CHECK_THROWS_WITH_AS(gru4rec::load_optimizer(trainer, bench.folder / "good"),
                         doctest::Contains("adapt: expected rmsprop, found adam"), FormatError);
}

TEST_CASE("load_optimizer requires all of the last or all of the best weights in the model") {
    Bench bench;
    const auto load = [&](gru4rec::Model<float> model) -> std::string {
        gru4rec::Trainer<float> trainer(model);
        try {
            load_optimizer(trainer, bench.folder / "good");
        } catch (const FormatError& error) {
            return error.what();
        }
        return "taken";
    };
    const auto last = bench.run.model;
    bench.run.stopping->restore_best();
    const auto best = bench.run.model;
    CHECK(load(last) == "taken");
    CHECK(load(best) == "taken");
    auto mixed = last;
    auto of_best = best.tensors();
    const auto to = mixed.tensors().front();
    for (gru4rec::Index r = 0; r < to.rows; ++r) {
        for (gru4rec::Index c = 0; c < to.cols; ++c) {
            to(r, c) = of_best.front()(r, c);
        }
    }
    const std::string outcome = load(mixed);
    CHECK(contains(outcome, "tensor \"" + to.name + "\": expected the weights of the model, found others, and in"));
    CHECK(contains(outcome, "tensor \"best." + of_best[1].name + "\""));
}
