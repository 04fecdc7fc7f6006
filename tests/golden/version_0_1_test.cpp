#include "gru4rec/data/files.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/io/session_bytes.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "support/equal_values.hpp"
#include "support/golden_files.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#define GRU4REC_TEXT_OF_(name) #name
#define GRU4REC_TEXT_OF(name) GRU4REC_TEXT_OF_(name)

// Files that version 0.1.0 wrote (version_0_1/README.md) load, recommend and resume as they did then; what is saved has
// the same bytes on every machine, those of 32 bits and big-endian ones among them.
namespace {

const std::filesystem::path folder = std::filesystem::path(GRU4REC_TESTS_DIR) / "golden" / "version_0_1";

/// Bits depend on the vector instructions and on which products and sums the compiler fuses: g++ fuses the same ones at
/// -O2 and -O3, others at -O1, the level of debug builds. Elsewhere the run of some eighty steps is close.
[[nodiscard]] bool expects_same_bits(const nlohmann::json& expected) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__) && defined(NDEBUG)
    constexpr std::string_view compiler = "g++";
#else
    constexpr std::string_view compiler = "another";
#endif
    const std::string instruction_set = expected.at("instruction_set").get<std::string>();
    return expected.at("compiler").get<std::string>() == compiler &&
           std::string_view(GRU4REC_TEXT_OF(GRU4REC_ABI)).ends_with("_" + instruction_set);
}

[[nodiscard]] gru4rec::Hyperparameters parameters_of(const nlohmann::json& expected) {
    gru4rec::Hyperparameters parameters;
    for (const auto& [name, value] : expected.at("params").items()) {
        parameters.set(name, value.get<std::string>());
    }
    return parameters;
}

/// Compares numbers with those of a recorded run: to the bit, or within a few hundred roundings.
template <class Scalar>
struct Recorded {
    bool same_bits;

    void check(double value, double recorded) const {
        if (same_bits) {
            CHECK(value == recorded);
        } else {
            CHECK(std::abs(value - recorded) <= 500 * double{std::numeric_limits<Scalar>::epsilon()});
        }
    }

    void check(const gru4rec::Model<Scalar>& model, const gru4rec::Model<Scalar>& recorded) const {
        CHECK(model.hyperparameters() == recorded.hyperparameters());
        CHECK(model.items() == recorded.items());
        const auto views = model.tensors();
        const auto recorded_views = recorded.tensors();
        REQUIRE(views.size() == recorded_views.size());
        for (std::size_t i = 0; i < views.size(); ++i) {
            CAPTURE(views[i].name);
            for (gru4rec::Index r = 0; r < views[i].rows; ++r) {
                for (gru4rec::Index c = 0; c < views[i].cols; ++c) {
                    check(double{views[i](r, c)}, double{recorded_views[i](r, c)});
                }
            }
        }
    }
};

/// The run that a checkpoint was saved in, at its start.
template <class Scalar>
struct Run {
    explicit Run(const std::string& name)
        : expected(golden::load_json(folder / name / "expected.json")),
          data(gru4rec::read_sessions(folder / "sessions.tsv")),
          model(parameters_of(expected), data.items(), {data.supports().begin(), data.supports().end()},
                expected.at("model_seed").get<std::uint64_t>()),
          trainer(model, {.seed = expected.at("training_seed").get<std::uint64_t>()}) {
        Recorded<Scalar>{false}.check(model, gru4rec::load_model<Scalar>(folder / name / "start.safetensors"));
        // The same start on every machine: the checkpoint is bound to its bits.
        gru4rec::load_weights(model, folder / name / "start.safetensors");
        if (const int patience = expected.at("patience").get<int>(); patience > 0) {
            stopping = std::make_unique<gru4rec::EarlyStopping<Scalar>>(
                model, data, gru4rec::EarlyStoppingOptions{patience, gru4rec::StopMetric::mrr, {.cutoffs = {3}}});
        }
        checkpoint = std::make_unique<gru4rec::Checkpoint<Scalar>>(trainer, gru4rec::fingerprint(data), stopping.get());
    }

    nlohmann::json expected;
    gru4rec::Dataset data;
    gru4rec::Model<Scalar> model;
    gru4rec::Trainer<Scalar> trainer;
    std::unique_ptr<gru4rec::EarlyStopping<Scalar>> stopping;
    std::unique_ptr<gru4rec::Checkpoint<Scalar>> checkpoint;
};

template <class Scalar>
void check_resumed_run(const std::string& name) {
    const Recorded<Scalar> recorded{false};  // training rounds differently from version to version
    Run<Scalar> run(name);
    const nlohmann::json& expected = run.expected;
    run.checkpoint->load(folder / name / "run.checkpoint");
    CHECK(run.trainer.position().epoch == 2);
    CHECK(run.trainer.position().step == 11);

    gru4rec::EarlyStopping<Scalar>* const stopping = run.stopping.get();
    const gru4rec::FitReport report = run.trainer.fit(
        run.data, [&](const gru4rec::EpochReport& epoch) { return stopping == nullptr || (*stopping)(epoch); });
    const nlohmann::json& losses = expected.at("losses");
    REQUIRE(report.epochs.size() == losses.size() - 1);
    for (std::size_t e = 0; e < report.epochs.size(); ++e) {
        recorded.check(report.epochs[e].loss, losses.at(e + 1).get<double>());
    }
    recorded.check(run.model, gru4rec::load_model<Scalar>(folder / name / "end.safetensors"));
    if (stopping != nullptr) {
        CHECK(stopping->best_epoch() == expected.at("best_epoch").get<int>());
        recorded.check(stopping->best_metric(), expected.at("best_metric").get<double>());
    }
}

/// FNV-1a, so that the test needs no hash of the library.
[[nodiscard]] std::uint64_t digest(const std::string& bytes) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char byte : bytes) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    }
    return hash;
}

struct Digests {
    std::uint64_t model;
    std::uint64_t checkpoint;
};

/// Of the model and of the checkpoint, loaded and saved again.
template <class Scalar>
[[nodiscard]] Digests digests_of_saved(const std::string& name) {
    const TemporaryFolder saved;
    gru4rec::save_model(gru4rec::load_model<Scalar>(folder / name / "end.safetensors"), saved / "model");
    Run<Scalar> run(name);
    run.checkpoint->load(folder / name / "run.checkpoint");
    run.checkpoint->save(saved / "checkpoint");
    return {.model = digest(read_bytes(saved / "model")), .checkpoint = digest(read_bytes(saved / "checkpoint"))};
}

template <class Scalar>
void check_recommendations(const std::string& name) {
    const nlohmann::json expected = golden::load_json(folder / name / "expected.json");
    const Recorded<Scalar> recorded{expects_same_bits(expected)};
    const gru4rec::Model<Scalar> model = gru4rec::load_model<Scalar>(folder / name / "end.safetensors");
    gru4rec::Recommender<Scalar> recommender(model);
    for (const nlohmann::json& entry : expected.at("recommendations")) {
        CAPTURE(entry.at("session").dump());
        gru4rec::SessionState<Scalar> session(model);
        for (const nlohmann::json& id : entry.at("session")) {
            recommender.advance(session, model.items().find(id.get<std::string>()).value());
        }
        const auto list = recommender.recommend(session, 5);
        REQUIRE(list.size() == entry.at("items").size());
        for (std::size_t i = 0; i < list.size(); ++i) {
            CHECK(model.items().id(list[i].item) == entry.at("items").at(i).get<std::string>());
            recorded.check(double{list[i].score}, entry.at("scores").at(i).get<double>());
        }
    }
}

}  // namespace

TEST_CASE("a model file of version 0.1 loads and recommends the same items") {
    check_recommendations<float>("one_hot");
    check_recommendations<double>("shared");
}

TEST_CASE("a checkpoint of version 0.1 resumes in the middle of an epoch and ends with the same model") {
    check_resumed_run<float>("one_hot");
    check_resumed_run<double>("shared");
}

// The digests were made on x86-64. They change with the format of files, for which see docs/file_format.md.
TEST_CASE("models and checkpoints are saved with the same bytes on every machine") {
    const Digests one_hot = digests_of_saved<float>("one_hot");
    CHECK(one_hot.model == 6587039495678810927U);
    CHECK(one_hot.checkpoint == 3515498551108602948U);
    const Digests shared = digests_of_saved<double>("shared");
    CHECK(shared.model == 6157707926093678775U);
    CHECK(shared.checkpoint == 16565598093387133769U);
}

TEST_CASE("a session has the same bytes on every machine") {
    const gru4rec::Model<float> model = gru4rec::load_model<float>(folder / "one_hot" / "end.safetensors");
    const gru4rec::SessionCodec<float> codec(model);
    gru4rec::SessionState<float> session(model);
    for (const gru4rec::Index item : {1, 4, 11}) {
        session.add_event(gru4rec::to_item(item));
    }
    constexpr std::array<float, 5> values = {0.5F, -0.25F, 1, 0, -1.5F};
    std::copy(values.begin(), values.end(), session.values().begin());
    std::vector<std::byte> bytes;
    codec.write(session, bytes);
    CHECK(digest({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) == 10295864950998484044U);
    gru4rec::SessionState<float> again(model);
    codec.read(bytes, again);
    CHECK(equal_values(again.values(), values));
}
