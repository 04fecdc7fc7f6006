#ifndef GRU4REC_EXAMPLES_SUPPORT_PROGRESS_BAR_HPP
#define GRU4REC_EXAMPLES_SUPPORT_PROGRESS_BAR_HPP

#include "gru4rec/train/progress.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "status_line.hpp"

/// The progress of training on one line on stderr, if that is a terminal.
class ProgressBar {
  public:
    /// @param run  which of several trainings this is, such as `2 of 5`; empty: the only one
    explicit ProgressBar(int n_epochs, std::string_view run = {})
        : n_epochs_(n_epochs), head_(run.empty() ? "epoch " : std::string(run) + ", epoch ") {}

    /// The steps that follow are those of a new epoch, which begins now.
    void start_epoch() { resume_epoch(0, 0); }

    /// They are those behind the first `pairs` pairs of an epoch. @param loss_sum  of these pairs
    void resume_epoch(double pairs, double loss_sum) {
        epoch_start_ = Clock::now();
        pairs_before_ = pairs;
        loss_sum_ = loss_sum;
    }

    void show(const gru4rec::StepReport& step) {
        if (!line_.is_visible()) {
            return;
        }
        loss_sum_ += step.loss * static_cast<double>(step.n_lanes);
        if (line_.is_due()) {
            draw(step, std::chrono::duration<double>(Clock::now() - epoch_start_).count());
        }
    }

    /// Takes the bar away, so that something else can be printed.
    void clear() { line_.clear(); }

  private:
    using Clock = std::chrono::steady_clock;

    void draw(const gru4rec::StepReport& step, double seconds) {
        const auto done = static_cast<double>(step.pairs_done);
        const auto in_epoch = static_cast<double>(step.pairs_in_epoch);
        const double share = in_epoch > 0 ? done / in_epoch : 0;
        const double rate = seconds > 0 ? (done - pairs_before_) / seconds : 0;
        const double left = in_epoch * (n_epochs_ - step.epoch + 1) - done;  // of the whole training
        const auto eta = static_cast<long long>(rate > 0 ? left / rate + 0.5 : 0);
        std::array<char, 200> numbers{};
        std::snprintf(numbers.data(), numbers.size(), "%5.1f %%  loss %.4f  %.0f events/s  ETA %lld:%02lld:%02lld",
                      100 * share, loss_sum_ / done, rate, eta / 3600, eta / 60 % 60, eta % 60);
        line_.draw(head_ + std::to_string(step.epoch) + "/" + std::to_string(n_epochs_) + " ", share, numbers.data());
    }

    int n_epochs_;
    std::string head_;
    StatusLine line_;
    double pairs_before_ = 0;  // of the epoch, done before epoch_start_
    double loss_sum_ = 0;      // of the epoch so far, over its pairs
    Clock::time_point epoch_start_ = Clock::now();
};

#endif
