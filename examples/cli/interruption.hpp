#ifndef GRU4REC_CLI_INTERRUPTION_HPP
#define GRU4REC_CLI_INTERRUPTION_HPP

#include <csignal>

namespace cli {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP (its terminal is closed) asks for an end in good order; the
/// second one ends the process. A SIGINT that was ignored at the start, as in a script's background jobs, counts too:
/// who sends one there means it; an ignored SIGHUP (nohup) stays ignored. A reader of standard output that goes away
/// (`| head`) does not end the process: the model shall still be saved.
class Interruption {
  public:
    Interruption() {
        std::signal(SIGINT, &on_signal);
        std::signal(SIGTERM, &on_signal);
#if defined(SIGHUP)
        hang_up_ignored_ = std::signal(SIGHUP, &on_signal) == SIG_IGN ? 1 : 0;
        if (hang_up_ignored_ != 0) {
            std::signal(SIGHUP, SIG_IGN);
        }
#endif
#if defined(SIGPIPE)
        std::signal(SIGPIPE, SIG_IGN);
#endif
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    ~Interruption() { restore(); }

    [[nodiscard]] bool requested() const noexcept { return requested_ != 0; }

  private:
    static void on_signal(int) {
        requested_ = 1;
        restore();
    }
    static void restore() noexcept {
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
#if defined(SIGHUP)
        if (hang_up_ignored_ == 0) {
            std::signal(SIGHUP, SIG_DFL);
        }
#endif
    }

    static inline volatile std::sig_atomic_t requested_ = 0;
    static inline volatile std::sig_atomic_t hang_up_ignored_ = 0;
};

}  // namespace cli

#endif
