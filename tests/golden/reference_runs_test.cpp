// Runs of the published PyTorch implementation, in double, without dropout and with in-batch negatives only, so that
// nothing in them is random after the initial weights. From the same weights the same numbers must come out again.
#include "gru4rec/data/files.hpp"
#include "gru4rec/eval/evaluate.hpp"
#include "gru4rec/io/model_file.hpp"
#include "gru4rec/train/trainer.hpp"
#include "support/golden_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

using gru4rec::Ties;

/// How far a run may be from the reference's.
struct Tolerances {
    int n_tight = 0;        ///< steps of the first epoch compared to `tight`
    double tight = 0;       ///< relative
    int n_loose = 0;        ///< steps compared to `loose`
    double loose = 0;       ///< relative
    double epoch_loss = 0;  ///< relative
    double metric = 0;      ///< absolute
};

template <class Scalar>
Tolerances tolerances(const std::string& run) {
    if constexpr (std::is_same_v<Scalar, float>) {
        return {20, 1e-4, 0, 0, 0.03, 0.02};
    }
    // This run magnifies rounding tenfold every 35 to 40 steps.
    return run == "toy_xe_onehot" ? Tolerances{100, 1e-9, 300, 1e-5, 0.02, 0.015}
                                  : Tolerances{100, 1e-9, 500, 1e-6, 1e-6, 2e-4};
}

struct Recorder {
    std::vector<double> first_epoch;
    bool operator()(const gru4rec::StepReport& step) {
        if (step.epoch == 1) {
            first_epoch.push_back(step.loss);
        }
        return true;
    }
};

gru4rec::Hyperparameters hyperparameters(const nlohmann::json& expected) {
    gru4rec::Hyperparameters p;
    for (const auto& [name, value] : expected["params"].items()) {
        std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (value.is_array()) {
            text.clear();
            for (const auto& part : value) {
                text += (text.empty() ? "" : "/") + part.dump();
            }
        }
        p.set(name, text);
    }
    p.set("gru_variant", expected["gru_variant"].get<std::string>());
    return p;
}

void check_relative(double value, double expected, double tolerance) {
    CHECK(std::abs(value - expected) <= tolerance * std::abs(expected));
}

template <class Scalar>
void reproduce(const std::string& run) {
    const auto folder = golden::data_folder();
    if (!folder) {
        MESSAGE("GRU4REC_TEST_DATA is not set: skipping the reference run " << run);
        return;
    }
    INFO("run ", run);
    const nlohmann::json expected = golden::load_json(*folder / "golden" / run / "expected.json");
    const gru4rec::Dataset train = gru4rec::read_sessions(*folder / "data/toy/train_full.tsv");
    gru4rec::Model<Scalar> model(hyperparameters(expected), train.items(),
                                 {train.supports().begin(), train.supports().end()});
    gru4rec::load_weights(model, *folder / "golden" / run / "init.safetensors");

    Recorder recorder;
    gru4rec::Trainer<Scalar> trainer(model);
    const gru4rec::FitReport report = trainer.fit(train, recorder);

    const Tolerances allowed = tolerances<Scalar>(run);
    CHECK(report.epochs.front().steps == expected["steps_per_epoch"].get<std::int64_t>());
    const auto step_loss = expected["step_loss_first_epoch"].get<std::vector<double>>();
    double worst_tight = 0;
    double worst_loose = 0;
    for (std::size_t k = 0; k < step_loss.size(); ++k) {
        const double error = std::abs(recorder.first_epoch[k] - step_loss[k]) / std::abs(step_loss[k]);
        if (static_cast<int>(k) < allowed.n_tight) {
            worst_tight = std::max(worst_tight, error);
        }
        if (static_cast<int>(k) < allowed.n_loose) {
            worst_loose = std::max(worst_loose, error);
        }
    }
    CHECK(worst_tight <= allowed.tight);
    CHECK(worst_loose <= allowed.loose);
    const auto epoch_loss = expected["epoch_loss"].get<std::vector<double>>();
    REQUIRE(report.epochs.size() == epoch_loss.size());
    for (std::size_t e = 0; e < epoch_loss.size(); ++e) {
        check_relative(report.epochs[e].loss, epoch_loss[e], allowed.epoch_loss);
    }

    const gru4rec::Dataset test =
        gru4rec::read_sessions(*folder / "data/toy/test.tsv", {.known_items = &model.items()});
    const std::vector<int> cutoffs{1, 5, 10, 20};
    const gru4rec::Evaluation evaluation = gru4rec::evaluate(
        model, test, {.cutoffs = cutoffs, .ties = {Ties::standard, Ties::conservative}, .max_threads = 0});
    CHECK(evaluation.n_predictions == 6086);
    for (const Ties ties : {Ties::standard, Ties::conservative}) {
        const auto& metrics = expected["metrics"][std::string(to_string(ties))];
        for (const int cutoff : cutoffs) {
            const std::string key = std::to_string(cutoff);
            CHECK(std::abs(evaluation.recall_at(cutoff, ties) - metrics["recall"][key].get<double>()) <=
                  allowed.metric);
            CHECK(std::abs(evaluation.mrr_at(cutoff, ties) - metrics["mrr"][key].get<double>()) <= allowed.metric);
        }
    }
    MESSAGE(run << ": worst relative error of the first " << allowed.n_tight << " step losses " << worst_tight
                << ", of the first " << allowed.n_loose << " " << worst_loose);
}

}  // namespace

TEST_CASE_TEMPLATE("cross-entropy, shared embedding, logQ: the reference run comes out again", Scalar, double, float) {
    reproduce<Scalar>("toy_xe_tied_logq");
}

TEST_CASE_TEMPLATE("cross-entropy, one-hot input: the reference run comes out again", Scalar, double, float) {
    reproduce<Scalar>("toy_xe_onehot");
}

TEST_CASE_TEMPLATE("bpr-max, separate embedding: the reference run comes out again", Scalar, double, float) {
    reproduce<Scalar>("toy_bprmax_embedding");
}

TEST_CASE_TEMPLATE("bpr-max, shared embedding, two layers: the reference run comes out again", Scalar, double, float) {
    reproduce<Scalar>("toy_bprmax_tied_2layers");
}
