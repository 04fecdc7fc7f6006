#ifndef GRU4REC_EXAMPLES_SUPPORT_PROGRESS_BAR_HPP
#define GRU4REC_EXAMPLES_SUPPORT_PROGRESS_BAR_HPP

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

/// One line on stderr that is rewritten as training goes on; nothing at all where stderr is no terminal.
class ProgressBar {
  public:
    explicit ProgressBar(int n_epochs) : n_epochs_(n_epochs), visible_(is_terminal()) {}
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar() { clear(); }

    /// The steps that follow are those of a new epoch, which begins now.
    void start_epoch() { resume_epoch(0, 0); }

    /// They are those behind the first `pairs` pairs of an epoch. @param loss_sum  of these pairs
    void resume_epoch(double pairs, double loss_sum) {
        epoch_start_ = Clock::now();
        pairs_before_ = pairs;
        loss_sum_ = loss_sum;
    }

    void show(const gru4rec::StepReport& step) {
        if (!visible_) {
            return;
        }
        const Clock::time_point now = Clock::now();
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
        const auto done = static_cast<double>(step.pairs_done);
        const auto in_epoch = static_cast<double>(step.pairs_in_epoch);
        const double share = in_epoch > 0 ? done / in_epoch : 0;
        const double rate = seconds > 0 ? (done - pairs_before_) / seconds : 0;
        const double left = in_epoch * (n_epochs_ - step.epoch + 1) - done;  // of the whole training
        const auto eta = static_cast<long long>(rate > 0 ? left / rate + 0.5 : 0);
        std::array<char, 200> numbers{};
        std::snprintf(numbers.data(), numbers.size(), "%5.1f %%  loss %.4f  %.0f events/s  ETA %lld:%02lld:%02lld",
                      100 * share, loss_sum_ / done, rate, eta / 3600, eta / 60 % 60, eta % 60);
        const std::string head = "epoch " + std::to_string(step.epoch) + "/" + std::to_string(n_epochs_) + " ";
        const std::string tail(numbers.data());
        const std::size_t width = terminal_width() - 1;
        const std::size_t room = width - (std::min)(width, head.size() + tail.size());
        const std::string line = head + bar(share, (std::min)(room, std::size_t{32})) + tail;
        std::fputs(("\r" + line.substr(0, width) + "\033[K").c_str(), stderr);
        std::fflush(stderr);
        drawn_ = true;
    }

    /// `[####....] `, of `width` characters; nothing where that is too narrow to tell anything.
    [[nodiscard]] static std::string bar(double share, std::size_t width) {
        constexpr std::size_t frame = 3;
        if (width < frame + 5) {
            return {};
        }
        const std::size_t inner = width - frame;
        const auto filled = (std::min)(inner, static_cast<std::size_t>(share * static_cast<double>(inner)));
        return "[" + std::string(filled, '#') + std::string(inner - filled, '.') + "] ";
    }

    int n_epochs_;
    bool visible_;
    bool drawn_ = false;
    double pairs_before_ = 0;  // of the epoch, done before epoch_start_
    double loss_sum_ = 0;      // of the epoch so far, over its pairs
    Clock::time_point epoch_start_ = Clock::now();
    Clock::time_point last_drawn_ = epoch_start_;
};

#endif
