#ifndef GRU4REC_BENCH_SUPPORT_TRAINING_HPP
#define GRU4REC_BENCH_SUPPORT_TRAINING_HPP

#include "support/data.hpp"

#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/batch/session_parallel.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/model.hpp"
#include "gru4rec/model/passes.hpp"
#include "gru4rec/train/training_step.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Settings under the names of the command line.
using Entries = std::vector<std::pair<std::string, std::string>>;

struct Setting {
    std::string name;
    Entries entries;
    /// Steps of one iteration: negatives are drawn for 16 steps at once, which counts where a step is short.
    int steps;
    Index n_items = n_catalogue_items;
};

/// Published settings; all with Adagrad.
[[nodiscard]] inline const std::vector<Setting>& settings() {
    static const std::vector<Setting> all = {
        {"rsc15",
         {{"loss", "cross-entropy"},
          {"layers", "100"},
          {"batch_size", "32"},
          {"dropout_p_hidden", "0.4"},
          {"learning_rate", "0.2"},
          {"momentum", "0.2"},
          {"sample_alpha", "0.5"},
          {"logq", "1"},
          {"n_sample", "2048"}},
         16},
        {"retailrocket",
         {{"loss", "bpr-max"},
          {"final_act", "elu-0.5"},
          {"layers", "224"},
          {"batch_size", "80"},
          {"dropout_p_embed", "0.5"},
          {"dropout_p_hidden", "0.05"},
          {"learning_rate", "0.05"},
          {"momentum", "0.4"},
          {"sample_alpha", "0.4"},
          {"bpreg", "1.95"},
          {"n_sample", "2048"}},
         4},
        {"diginetica",
         {{"loss", "bpr-max"},
          {"final_act", "elu-1"},
          {"layers", "512"},
          {"batch_size", "128"},
          {"dropout_p_embed", "0.5"},
          {"dropout_p_hidden", "0.3"},
          {"learning_rate", "0.05"},
          {"momentum", "0.15"},
          {"sample_alpha", "0.3"},
          {"bpreg", "0.9"},
          {"n_sample", "2048"}},
         1},
        {"rees46",
         {{"loss", "cross-entropy"},
          {"layers", "512"},
          {"batch_size", "240"},
          {"dropout_p_embed", "0.45"},
          {"learning_rate", "0.065"},
          {"sample_alpha", "0.5"},
          {"logq", "1"},
          {"n_sample", "2048"}},
         1},
        {"one_hot",
         {{"loss", "bpr-max"},
          {"final_act", "elu-0.5"},
          {"layers", "100"},
          {"batch_size", "50"},
          {"constrained_embedding", "false"},
          {"dropout_p_hidden", "0.2"},
          {"learning_rate", "0.05"},
          {"momentum", "0.2"},
          {"n_sample", "0"}},
         16},
    };
    return all;
}

[[nodiscard]] inline gru4rec::Hyperparameters hyperparameters(const Setting& setting) {
    gru4rec::Hyperparameters p;
    for (const auto& [name, value] : setting.entries) {
        p.set(name, value);
    }
    return p;
}

/// A model in training, step by step.
class Training {
  public:
    explicit Training(const Setting& setting)
        : p_(hyperparameters(setting)),
          supports_(zipf_supports(setting.n_items)),
          model_(p_, item_map(setting.n_items), supports_, seed),
          sessions_(supports_, 50'000),
          batcher_(sessions_, p_.batch_size, p_.n_sample == 0 ? 2 : 1),
          negatives_(supports_, p_.sample_alpha, p_.n_sample, seed),
          step_(model_.network(), supports_, p_, gru4rec::detail::make_loss<float>(p_)) {
        batcher_.start_epoch(0);
    }

    double step() {
        batch_ = batcher_.next();
        drawn_ = negatives_.of_step(0, n_steps_);
        return step_.run(batch_, drawn_, {p_.dropout_p_embed, p_.dropout_p_hidden, seed, 0, n_steps_++});
    }

    /// Flops of one step by the formula of docs/performance.md.
    [[nodiscard]] double flops() const {
        const auto m = static_cast<double>(p_.batch_size);
        const double k = m + p_.n_sample;
        const auto h = static_cast<double>(p_.layers.front());
        return 6 * m * k * h + (p_.one_hot() ? 14 : 32) * m * h * h;
    }

    [[nodiscard]] const gru4rec::Hyperparameters& hyperparameters_used() const noexcept { return p_; }
    [[nodiscard]] const std::vector<std::int64_t>& supports() const noexcept { return supports_; }
    [[nodiscard]] gru4rec::Model<float>& model() noexcept { return model_; }
    [[nodiscard]] gru4rec::detail::NetworkTape<float>& tape() noexcept { return step_.tape(); }
    /// Of the last step.
    [[nodiscard]] const gru4rec::MiniBatch& batch() const noexcept { return batch_; }
    [[nodiscard]] const gru4rec::DrawnItems& drawn() const noexcept { return drawn_; }

  private:
    static constexpr std::uint64_t seed = 42;

    gru4rec::Hyperparameters p_;
    std::vector<std::int64_t> supports_;
    gru4rec::Model<float> model_;
    EndlessSessions sessions_;
    gru4rec::SessionParallelBatcher<EndlessSessions> batcher_;
    gru4rec::StepNegatives negatives_;
    gru4rec::detail::TrainingStep<float> step_;
    gru4rec::MiniBatch batch_;
    gru4rec::DrawnItems drawn_;
    std::uint64_t n_steps_ = 0;
};

/// The first published setting with one number changed: a parameter, or the size of the catalogue.
[[nodiscard]] inline Setting changed(const std::string& parameter, std::int64_t value) {
    Setting setting = settings().front();
    setting.name = parameter + " " + std::to_string(value);
    if (parameter == "items") {
        setting.n_items = value;
    } else {
        setting.entries.emplace_back(parameter, std::to_string(value));
    }
    return setting;
}

}  // namespace bench

#endif
