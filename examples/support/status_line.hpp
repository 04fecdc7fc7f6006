#ifndef GRU4REC_EXAMPLES_SUPPORT_STATUS_LINE_HPP
#define GRU4REC_EXAMPLES_SUPPORT_STATUS_LINE_HPP

#include <algorithm>
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

/// One line on stderr that is rewritten as work goes on; nothing at all if stderr is not a terminal.
class StatusLine {
  public:
    StatusLine() = default;
    StatusLine(const StatusLine&) = delete;
    StatusLine& operator=(const StatusLine&) = delete;
    ~StatusLine() { clear(); }

    [[nodiscard]] bool is_visible() const noexcept { return visible_; }

    /// True at most ten times a second, and never if the line is not visible.
    [[nodiscard]] bool is_due() {
        const auto now = std::chrono::steady_clock::now();
        if (!visible_ || now - last_due_ < std::chrono::milliseconds(100)) {
            return false;
        }
        last_due_ = now;
        return true;
    }

    /// `head [####....] tail`, cut to the width of the terminal. @param share  of the work that is done, 0 to 1
    void draw(const std::string& head, double share, const std::string& tail) {
        const std::size_t width = terminal_width() - 1;
        const std::size_t room = width - (std::min)(width, head.size() + tail.size());
        const std::string line = head + bar(share, (std::min)(room, std::size_t{32})) + tail;
        std::fputs(("\r" + line.substr(0, width) + "\033[K").c_str(), stderr);
        std::fflush(stderr);
        drawn_ = true;
    }

    /// Takes the line away, so that something else can be printed.
    void clear() {
        if (drawn_) {
            std::fputs("\r\033[K", stderr);
            std::fflush(stderr);
            drawn_ = false;
        }
    }

  private:
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

    /// `[####....] `, of `width` characters; nothing if that is too narrow to tell anything.
    [[nodiscard]] static std::string bar(double share, std::size_t width) {
        constexpr std::size_t frame = 3;
        if (width < frame + 5) {
            return {};
        }
        const std::size_t inner = width - frame;
        const auto filled = (std::min)(inner, static_cast<std::size_t>(share * static_cast<double>(inner)));
        return "[" + std::string(filled, '#') + std::string(inner - filled, '.') + "] ";
    }

    bool visible_ = is_terminal();
    bool drawn_ = false;
    std::chrono::steady_clock::time_point last_due_ = std::chrono::steady_clock::now();
};

#endif
