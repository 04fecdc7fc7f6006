// Checkpoints. The first byte of the input says whether a run resumes from the file or a new one takes its optimiser,
// and whether the file is mended first, or even becomes one of the run's own.

#include "gru4rec/io/checkpoint.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/io/load_optimizer.hpp"
#include "gru4rec/io/training_state.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/mended_file.hpp"
#include "fuzz/target.hpp"
#include "support/random_sessions.hpp"
#include "support/small_models.hpp"
#include "support/temporary_folder.hpp"
#include "support/training_runs.hpp"

namespace {

using gru4rec::detail::ContentHash;

/// Of all that a checkpoint restores.
[[nodiscard]] std::uint64_t state_of(gru4rec::Trainer<float>& trainer) {
    ContentHash hash;
    const auto add = [&](const auto& values) { hash.update(std::as_bytes(std::span(values))); };
    for (const auto& tensor : trainer.model().tensors()) {
        gru4rec::detail::visit_bytes(gru4rec::detail::read_only(tensor),
                                     [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    gru4rec::detail::OptimizerTensors<float> optimizer(trainer.step(), trainer.hyperparameters().adapt);
    for (const auto& tensor : optimizer.values) {
        gru4rec::detail::visit_bytes(gru4rec::detail::read_only(tensor.view),
                                     [&](std::span<const std::byte> bytes) { hash.update(bytes); });
    }
    for (const auto& tensor : optimizer.counts) {
        add(*tensor.counts);
    }
    const gru4rec::TrainingPosition& position = trainer.position();
    hash.update(std::to_string(position.epochs_done) + " " + std::to_string(position.epoch) + " " +
                std::to_string(position.step) + " " + std::to_string(position.pairs) + " " +
                std::to_string(position.n_lanes) + " " + std::to_string(position.weighted_loss));
    return hash.value();
}

/// A run that has stopped in its second epoch, and what it has saved.
class Run {
  public:
    Run() : run_(random_sessions(6, 4, 1), settings, 2, 5) {
        int n_steps = 0;
        run_.fit([&](const gru4rec::StepReport& step) { return step.epoch < 2 || ++n_steps < 3; },
                 [](const auto&) { return true; });
        run_.checkpoint->save(folder_ / "good");
        own_ = gru4rec::detail::SafetensorsFile(folder_ / "good").metadata();
    }

    /// Puts what identifies this run into a file's metadata.
    void adopt(gru4rec::detail::Metadata& metadata) const {
        for (const auto& [name, value] : own_) {
            if (name != "progress" && name != "content_hash") {
                metadata[name] = value;
            }
        }
    }

    void resume(const std::string& path) {
        const State before = state();
        try {
            run_.checkpoint->load(path);
        } catch (const gru4rec::FormatError&) {
            fuzz::require(state() == before, "a run is unchanged if a checkpoint is refused");
            throw;
        }
        const State resumed = state();
        run_.checkpoint->save(folder_ / "again");
        run_.checkpoint->load(folder_ / "good");
        run_.checkpoint->load(folder_ / "again");
        fuzz::require(state() == resumed, "a checkpoint is read as it was written");
        run_.checkpoint->load(folder_ / "good");
    }

    /// Into a run whose weights are all the same, so that an input can have them.
    void take_optimizer(const std::string& path) {
        gru4rec::Model<float> model = run_.model;
        for (const auto& view : model.tensors()) {
            for (gru4rec::Index i = 0; i < view.rows * view.cols; ++i) {
                view(i / view.cols, i % view.cols) = 0.5F;
            }
        }
        gru4rec::Trainer<float> trainer(model, {.seed = 5});
        const std::uint64_t before = state_of(trainer);
        try {
            load_optimizer(trainer, path);
        } catch (const gru4rec::FormatError&) {
            fuzz::require(state_of(trainer) == before, "a trainer is unchanged if a checkpoint is refused");
            throw;
        }
    }

  private:
    struct State {
        std::uint64_t training = 0;
        int n_epochs = 0;
        int best_epoch = 0;
        double best_metric = 0;
        std::vector<float> best_weights;

        friend bool operator==(const State&, const State&) = default;
    };

    [[nodiscard]] State state() {
        const auto best = run_.stopping->state();
        return {state_of(run_.trainer), best.n_epochs, best.best_epoch, best.best_metric, best.best_weights};
    }

    inline static const small_models::Settings settings = {{"batch_size", "2"}, {"n_epochs", "2"}, {"n_sample", "2"},
                                                           {"layers", "2"},     {"adapt", "adam"}, {"momentum", "0.5"}};
    TemporaryFolder folder_;
    TrainingRun<float> run_;
    gru4rec::detail::Metadata own_;
};

void check(fuzz::Taker input) {
    static Run run;
    const unsigned how = input.byte();
    const bool is_own = (how & 2U) != 0;
    const auto adopt = [&](gru4rec::detail::Metadata& metadata) {
        if (is_own) {
            run.adopt(metadata);
        }
    };
    const bool is_mended = (how & 4U) != 0;
    const fuzz::InputFile file(is_mended ? fuzz::mended_file(input.rest(), adopt) : std::string(input.rest()));
    try {
        (how & 1U) == 0 ? run.resume(file.path()) : run.take_optimizer(file.path());
    } catch (const gru4rec::FormatError& error) {
        fuzz::require_message(error, file.path() + ": ");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    gru4rec::with_threads(1, [&] { check(fuzz::Taker({data, size})); });
    return 0;
}
