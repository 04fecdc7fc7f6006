#ifndef GRU4REC_CLI_PROGRESS_BAR_HPP
#define GRU4REC_CLI_PROGRESS_BAR_HPP

#include "gru4rec/train/progress.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace cli {

/// One line on stderr that is rewritten as training goes on; nothing at all where stderr is no terminal.
class ProgressBar {
  public:
    explicit ProgressBar(int n_epochs) : n_epochs_(n_epochs), visible_(is_terminal()) {}
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar() { clear(); }

    void show(const gru4rec::StepReport& step) {
        if (!visible_) {
            return;
        }
        const Clock::time_point now = Clock::now();
        if (step.step == 1) {
            epoch_start_ = now;
            loss_sum_ = 0;
        }
        loss_sum_ += step.loss * static_cast<double>(step.n_lanes);
        if (now - last_drawn_ >= std::chrono::milliseconds(100)) {
            last_drawn_ = now;
            draw(step, std::chrono::duration<double>(now - epoch_start_).count());
        }
    }

    /// Takes the bar away, so that something else can be printed.
    void clear() {
        if (drawn_) {
            std::fputs("\r\033[K", stderr);
            std::fflush(stderr);
            drawn_ = false;
        }
    }

  private:
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] static bool is_terminal() {
#if defined(__unix__) || defined(__APPLE__)
        const char* const kind = std::getenv("TERM");
        return ::isatty(STDERR_FILENO) == 1 && (kind == nullptr || std::string_view(kind) != "dumb");
#else
        return false;
#endif
    }

    [[nodiscard]] static std::size_t terminal_width() {
#if defined(__unix__) || defined(__APPLE__)
        winsize size = {};
        if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
            return size.ws_col;
        }
#endif
        return 80;
    }

    void draw(const gru4rec::StepReport& step, double seconds) {
        constexpr std::size_t bar_width = 20;
        const auto done = static_cast<double>(step.pairs_done);
        const auto in_epoch = static_cast<double>(step.pairs_in_epoch);
        const double share = in_epoch > 0 ? done / in_epoch : 0;
        const double rate = seconds > 0 ? done / seconds : 0;
        const double left = in_epoch * (n_epochs_ - step.epoch + 1) - done;
        const auto eta = static_cast<long long>(rate > 0 ? left / rate + 0.5 : 0);
        const auto filled = (std::min)(bar_width, static_cast<std::size_t>(share * bar_width));
        const std::string bar = std::string(filled, '#') + std::string(bar_width - filled, '.');
        std::array<char, 200> text{};
        std::snprintf(text.data(), text.size(),
                      "epoch %d/%d [%s] %5.1f %%  loss %.4f  %.0f events/s  ETA %lld:%02lld:%02lld", step.epoch,
                      n_epochs_, bar.c_str(), 100 * share, loss_sum_ / done, rate, eta / 3600, eta / 60 % 60, eta % 60);
        const std::string_view line(text.data());
        const std::string shown = "\r" + std::string(line.substr(0, terminal_width() - 1)) + "\033[K";
        std::fputs(shown.c_str(), stderr);
        std::fflush(stderr);
        drawn_ = true;
    }

    int n_epochs_;
    bool visible_;
    bool drawn_ = false;
    double loss_sum_ = 0;  // of the epoch so far, over its pairs
    Clock::time_point epoch_start_ = Clock::now();
    Clock::time_point last_drawn_ = epoch_start_;
};

}  // namespace cli

#endif
