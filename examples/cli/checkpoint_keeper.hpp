#ifndef GRU4REC_CLI_CHECKPOINT_KEEPER_HPP
#define GRU4REC_CLI_CHECKPOINT_KEEPER_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

#include "arguments.hpp"
#include "commands.hpp"

namespace cli {

/// Writes checkpoints of a training run at the intervals of the options.
template <class Scalar>
class CheckpointKeeper {
  public:
    /// @param stopping  nullptr: the run does not stop early
    CheckpointKeeper(gru4rec::Trainer<Scalar>& trainer, const gru4rec::Dataset& data,
                     gru4rec::EarlyStopping<Scalar>* stopping, const CheckpointOptions& options)
        : trainer_(trainer), options_(options) {
        if (!options.destination().empty()) {
            checkpoint_.emplace(trainer, gru4rec::fingerprint(data), stopping);
        }
    }

    /// Loads the checkpoint of --resume if it exists. Returns whether it does.
    [[nodiscard]] bool resume() {
        const bool found = !options_.resume.empty() && is_there(options_.resume);
        if (found) {
            checkpoint_->load(options_.resume);
        }
        return found;
    }

    /// Writes a checkpoint if one is due, but not inside a window of bptt steps.
    void after_step() {
        ++steps_;
        const bool due = options_.steps > 0 ? steps_ >= options_.steps
                                            : Clock::now() - saved_ >= std::chrono::minutes(options_.minutes);
        if (due && trainer_.step().between_windows()) {
            save();
        }
    }

    /// Writes a checkpoint if the options ask for any. @pre between windows
    void save() {
        if (checkpoint_) {
            checkpoint_->save(options_.destination());
            steps_ = 0;
            saved_ = Clock::now();
        }
    }

  private:
    using Clock = std::chrono::steady_clock;

    gru4rec::Trainer<Scalar>& trainer_;
    CheckpointOptions options_;
    std::optional<gru4rec::Checkpoint<Scalar>> checkpoint_;
    std::int64_t steps_ = 0;
    Clock::time_point saved_ = Clock::now();
};

}  // namespace cli

#endif
