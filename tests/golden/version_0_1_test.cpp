#include "gru4rec/data/files.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"
#include "support/golden_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#define GRU4REC_TEXT_OF_(name) #name
#define GRU4REC_TEXT_OF(name) GRU4REC_TEXT_OF_(name)

// Files that version 0.1.0 wrote (version_0_1/README.md) load, recommend and resume as they did then.
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

template <class Scalar>
void check_resumed_run(const std::string& name) {
    const nlohmann::json expected = golden::load_json(folder / name / "expected.json");
    const Recorded<Scalar> recorded{false};  // training rounds differently from version to version
    const gru4rec::Dataset data = gru4rec::read_sessions(folder / "sessions.tsv");
    gru4rec::Model<Scalar> model(parameters_of(expected), data.items(),
                                 {data.supports().begin(), data.supports().end()},
                                 expected.at("model_seed").get<std::uint64_t>());
    recorded.check(model, gru4rec::load_model<Scalar>(folder / name / "start.safetensors"));

    // The same start on every machine: the checkpoint is bound to its bits.
    gru4rec::load_weights(model, folder / name / "start.safetensors");
    gru4rec::Trainer<Scalar> trainer(model, {.seed = expected.at("training_seed").get<std::uint64_t>()});
    std::unique_ptr<gru4rec::EarlyStopping<Scalar>> stopping;
    if (const int patience = expected.at("patience").get<int>(); patience > 0) {
        stopping = std::make_unique<gru4rec::EarlyStopping<Scalar>>(
            model, data, gru4rec::EarlyStoppingOptions{patience, gru4rec::StopMetric::mrr, {.cutoffs = {3}}});
    }
    gru4rec::Checkpoint<Scalar> checkpoint(trainer, gru4rec::fingerprint(data), stopping.get());
    checkpoint.load(folder / name / "run.checkpoint");
    CHECK(trainer.position().epoch == 2);
    CHECK(trainer.position().step == 11);

    const gru4rec::FitReport report =
        trainer.fit(data, [&](const gru4rec::EpochReport& epoch) { return stopping == nullptr || (*stopping)(epoch); });
    const nlohmann::json& losses = expected.at("losses");
    REQUIRE(report.epochs.size() == losses.size() - 1);
    for (std::size_t e = 0; e < report.epochs.size(); ++e) {
        recorded.check(report.epochs[e].loss, losses.at(e + 1).get<double>());
    }
    recorded.check(model, gru4rec::load_model<Scalar>(folder / name / "end.safetensors"));
    if (stopping != nullptr) {
        CHECK(stopping->best_epoch() == expected.at("best_epoch").get<int>());
        recorded.check(stopping->best_metric(), expected.at("best_metric").get<double>());
    }
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
