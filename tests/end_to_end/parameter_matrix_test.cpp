#include "gru4rec/gru4rec.hpp"
#include "support/golden_files.hpp"
#include "support/test_settings.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

using gru4rec::Hyperparameters;
using gru4rec::Index;
using test_settings::cells;
using test_settings::described;
using test_settings::Entries;

const std::vector<Entries> inputs = {{{"constrained_embedding", "false"}},
                                     {{"constrained_embedding", "false"}, {"embedding", "layersize"}},
                                     {{"constrained_embedding", "true"}}};
const std::vector<std::string> layers = {"16", "16/15", "16/15/14"};
const std::vector<std::string> losses = {"cross-entropy", "bpr", "top1", "bpr-max", "top1-max"};
// An sgd step is proportional to the gradient, and bpr's gradient is a sum over all negatives, so it needs a smaller
// rate. The other rules normalise the gradient.
const std::vector<std::pair<std::string, std::string>> optimisers = {
    {"sgd", "1"}, {"adagrad", "0.05"}, {"rmsprop", "0.005"}, {"adadelta", "1"}, {"adam", "0.005"}};
const std::string sgd_rate_of_bpr = "0.05";

[[nodiscard]] std::vector<Entries> all_configurations() {
    std::vector<Entries> all;
    for (const Entries& input : inputs) {
        for (const std::string& widths : layers) {
            for (const std::string& cell : cells) {
                for (const std::string& loss : losses) {
                    for (const auto& [adapt, rate] : optimisers) {
                        Entries& one = all.emplace_back(input);
                        one.insert(one.end(),
                                   {{"layers", widths},
                                    {"gru_variant", cell},
                                    {"loss", loss},
                                    {"adapt", adapt},
                                    {"learning_rate", adapt == "sgd" && loss == "bpr" ? sgd_rate_of_bpr : rate}});
                    }
                }
            }
        }
    }
    return all;
}

/// The toy data, or a synthetic shop of fewer sessions where they are not there.
[[nodiscard]] gru4rec::Dataset sessions_to_learn() {
    const auto folder = golden::data_folder();
    return folder ? gru4rec::read_sessions(*folder / "data/toy/train_full.tsv")
                  : gru4rec::split_synthetic(gru4rec::SyntheticShop({.n_sessions = 4000})).train;
}

/// The losses of the epoch's steps with all lanes live: fewer lanes have smaller sums without having learnt anything.
/// Empty where training ended in values that are not finite.
[[nodiscard]] std::vector<double> step_losses(const Entries& entries, const gru4rec::Dataset& data) {
    // Sessions in random order, so that the first steps are no easier than the last ones but for what was learnt.
    Hyperparameters p{.batch_size = 16,
                      .n_epochs = 1,
                      .n_sample = 64,
                      .sample_alpha = 0,
                      .session_order = gru4rec::SessionOrder::random};
    for (const auto& [name, value] : entries) {
        p.set(name, value);
    }
    gru4rec::Model<float> model(p, data.items(), {data.supports().begin(), data.supports().end()});
    std::vector<double> result;
    try {
        gru4rec::Trainer<float>(model).fit(data, [&](const gru4rec::StepReport& step) {
            if (step.n_lanes == p.batch_size) {
                result.push_back(step.loss);
            }
            return true;
        });
    } catch (const gru4rec::NonFiniteError&) {
        return {};
    }
    return result;
}

}  // namespace

TEST_CASE("every input, depth, cell, loss and optimiser learns with every other within an epoch") {
    const gru4rec::Dataset data = sessions_to_learn();
    const std::vector<Entries> all = all_configurations();
    REQUIRE(all.size() == 450);
    std::vector<std::vector<double>> losses_of(all.size());
    gru4rec::with_threads(0, [&] {
        gru4rec::detail::parallel_chunks(static_cast<Index>(all.size()), [&](Index i) {
            const auto at = static_cast<std::size_t>(i);
            losses_of[at] = step_losses(all[at], data);
        });
    });
    for (std::size_t i = 0; i < all.size(); ++i) {
        CAPTURE(described(all[i]));
        const std::vector<double>& step_loss = losses_of[i];
        CHECK(step_loss.size() >= 300);
        if (step_loss.size() >= 300) {
            const double first = std::accumulate(step_loss.begin(), step_loss.begin() + 100, 0.0) / 100;
            const double last = std::accumulate(step_loss.end() - 100, step_loss.end(), 0.0) / 100;
            CHECK(last < first);
        }
    }
}
