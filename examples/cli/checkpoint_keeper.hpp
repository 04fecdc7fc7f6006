#ifndef GRU4REC_CLI_CHECKPOINT_KEEPER_HPP
#define GRU4REC_CLI_CHECKPOINT_KEEPER_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/io/checkpoint.hpp"
#include "gru4rec/train/early_stopping.hpp"
#include "gru4rec/train/trainer.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "commands.hpp"

namespace cli {

/// Writes the state of a training run from time to time, where the options ask for it.
template <class Scalar>
class CheckpointKeeper {
  public:
    /// @param stopping  nullptr: the run does not stop early
    CheckpointKeeper(gru4rec::Trainer<Scalar>& trainer, const gru4rec::Dataset& data,
                     gru4rec::EarlyStopping<Scalar>* stopping, const CheckpointOptions& options)
        : trainer_(trainer), stopping_(stopping), options_(options) {
        if (!options.destination().empty()) {
            checkpoint_.emplace(trainer, gru4rec::fingerprint(data), stopping);
        }
    }

    /// Goes on from --resume where it is there. Whether it is.
    [[nodiscard]] bool resume() {
        const bool found = !options_.resume.empty() && std::filesystem::exists(options_.resume);
        if (found) {
            checkpoint_->load(options_.resume);
        }
        return found;
    }

    /// @param is_last  training stops after this step
    void after_step(bool is_last) {
        ++steps_;
        const bool due = options_.steps > 0 ? steps_ >= options_.steps
                                            : Clock::now() - saved_ >= std::chrono::minutes(options_.minutes);
        if ((due || is_last) && trainer_.step().between_windows()) {
            save();
        }
    }

    /// An epoch that early stopping has not seen, because a signal came first, is left to be done again.
    void after_epoch() {
        if (stopping_ == nullptr || stopping_->state().n_epochs == trainer_.position().epoch - 1) {
            save();
        }
    }

  private:
    using Clock = std::chrono::steady_clock;

    void save() {
        if (checkpoint_) {
            checkpoint_->save(options_.destination());
            steps_ = 0;
            saved_ = Clock::now();
        }
    }

    gru4rec::Trainer<Scalar>& trainer_;
    gru4rec::EarlyStopping<Scalar>* stopping_;
    CheckpointOptions options_;
    std::optional<gru4rec::Checkpoint<Scalar>> checkpoint_;
    std::int64_t steps_ = 0;
    Clock::time_point saved_ = Clock::now();
};

}  // namespace cli

#endif
