// Writes the files of this folder. Compile it against the headers of version 0.1.0, whose layout it uses; the command
// is in README.md. Never run it with a later version: what the files are for is that an earlier one wrote them.
#include "gru4rec/gru4rec.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/io/model_file.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#define TEXT_OF_(name) #name
#define TEXT_OF(name) TEXT_OF_(name)

namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t model_seed = 3;
constexpr std::uint64_t training_seed = 5;
constexpr int checkpoint_epoch = 2;
constexpr int checkpoint_step = 11;

/// Trains, saves the state in the middle of the second epoch, trains on to the end, recommends.
template <class Scalar>
void write(const std::filesystem::path& folder, const Settings& settings, int patience) {
    const gru4rec::Dataset data = gru4rec::read_sessions(folder.parent_path() / "sessions.tsv");
    gru4rec::Hyperparameters parameters;
    for (const auto& [name, value] : settings) {
        parameters.set(name, value);
    }
    gru4rec::Model<Scalar> model(parameters, data.items(), {data.supports().begin(), data.supports().end()},
                                 model_seed);
    std::filesystem::create_directories(folder);
    gru4rec::save_model(model, folder / "start.safetensors");

    gru4rec::Trainer<Scalar> trainer(model, {.seed = training_seed});
    std::unique_ptr<gru4rec::EarlyStopping<Scalar>> stopping;
    if (patience > 0) {
        stopping = std::make_unique<gru4rec::EarlyStopping<Scalar>>(
            model, data, gru4rec::EarlyStoppingOptions{patience, gru4rec::StopMetric::mrr, {.cutoffs = {3}}});
    }
    gru4rec::Checkpoint<Scalar> checkpoint(trainer, gru4rec::fingerprint(data), stopping.get());
    struct Progress {
        gru4rec::EarlyStopping<Scalar>* stopping;
        gru4rec::Checkpoint<Scalar>& checkpoint;
        const std::filesystem::path& folder;
        bool operator()(const gru4rec::StepReport& report) {
            if (report.epoch == checkpoint_epoch && report.step == checkpoint_step) {
                checkpoint.save(folder / "run.checkpoint");
            }
            return true;
        }
        bool operator()(const gru4rec::EpochReport& report) { return stopping == nullptr || (*stopping)(report); }
    };
    const gru4rec::FitReport report = trainer.fit(data, Progress{stopping.get(), checkpoint, folder});
    gru4rec::save_model(model, folder / "end.safetensors");

    Json expected = {{"version", GRU4REC_VERSION_STRING},
                     {"instruction_set", std::string(TEXT_OF(GRU4REC_ABI)).substr(std::string("v0_1_").size())},
                     {"compiler", "g++"},
                     {"model_seed", model_seed},
                     {"training_seed", training_seed},
                     {"patience", patience},
                     {"params", Json::object()},
                     {"losses", Json::array()},
                     {"recommendations", Json::array()}};
    for (const auto& [name, value] : settings) {
        expected["params"][name] = value;
    }
    for (const gru4rec::EpochReport& epoch : report.epochs) {
        expected["losses"].push_back(epoch.loss);
    }
    if (stopping) {
        expected["best_epoch"] = stopping->best_epoch();
        expected["best_metric"] = stopping->best_metric();
    }
    gru4rec::Recommender<Scalar> recommender(model);
    for (gru4rec::Index s = 0; s < 6; ++s) {
        gru4rec::SessionState<Scalar> state(model);
        Json entry = {{"session", Json::array()}, {"items", Json::array()}, {"scores", Json::array()}};
        for (const gru4rec::ItemIndex item : data.session(gru4rec::to_session(s))) {
            entry["session"].push_back(model.items().id(item));
            recommender.advance(state, item);
        }
        for (const auto& [item, score] : recommender.recommend(state, 5)) {
            entry["items"].push_back(model.items().id(item));
            entry["scores"].push_back(score);
        }
        expected["recommendations"].push_back(std::move(entry));
    }
    std::ofstream(folder / "expected.json") << expected.dump(2) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path folder = argc > 1 ? argv[1] : ".";
    write<float>(folder / "one_hot",
                 {{"layers", "5"},
                  {"constrained_embedding", "false"},
                  {"batch_size", "4"},
                  {"n_epochs", "3"},
                  {"n_sample", "4"},
                  {"dropout_p_hidden", "0.2"},
                  {"session_order", "random"}},
                 0);
    write<double>(folder / "shared",
                  {{"layers", "5"},
                   {"gru_variant", "reset_after"},
                   {"adapt", "adam"},
                   {"momentum", "0.3"},
                   {"learning_rate", "0.02"},
                   {"loss", "bpr-max"},
                   {"batch_size", "4"},
                   {"n_epochs", "4"},
                   {"n_sample", "4"}},
                  3);
}
