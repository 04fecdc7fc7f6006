#include "shortened_files.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#endif

#include "exit_status.hpp"

namespace cli {

#if defined(__unix__) || defined(__APPLE__)

namespace {

// What a handler of a signal may call is little: no memory, no streams.

void print(std::string_view text) noexcept { (void)!::write(STDERR_FILENO, text.data(), text.size()); }

/// The lines of /proc/self/maps: `begin-end access offset device inode path`.
class Maps {
  public:
    Maps() noexcept : file_(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
    Maps(const Maps&) = delete;
    Maps& operator=(const Maps&) = delete;
    ~Maps() { (void)::close(file_); }

    /// @returns the next line without its end, cut off where the buffer ends; empty after the last line
    std::string_view next() noexcept {
        std::size_t size = 0;
        for (char c = get(); c != '\0' && c != '\n'; c = get()) {
            if (size < sizeof line_) {
                line_[size++] = c;
            }
        }
        return {line_, size};
    }

  private:
    /// @returns 0 at the end
    char get() noexcept {
        if (at_ == n_) {
            at_ = 0;
            n_ = file_ < 0 ? 0 : ::read(file_, block_, sizeof block_);
            n_ = n_ < 0 ? 0 : n_;
        }
        return at_ < n_ ? block_[at_++] : '\0';
    }

    int file_;
    ssize_t at_ = 0;
    ssize_t n_ = 0;
    char block_[4096];
    char line_[4096];
};

/// The number in hexadecimal digits at the beginning of the text, which is moved behind it.
std::uintptr_t take_number(std::string_view& text) noexcept {
    std::uintptr_t number = 0;
    constexpr std::string_view digits = "0123456789abcdef";
    while (!text.empty() && digits.find(text.front()) != std::string_view::npos) {
        number = number * digits.size() + digits.find(text.front());
        text.remove_prefix(1);
    }
    return number;
}

void print_file_at(std::uintptr_t address) noexcept {
    Maps maps;
    for (std::string_view line = maps.next(); !line.empty(); line = maps.next()) {
        const std::uintptr_t begin = take_number(line);
        line.remove_prefix(line.empty() ? 0 : 1);
        const std::uintptr_t end = take_number(line);
        if (begin <= address && address < end && line.find('/') != std::string_view::npos) {
            print(line.substr(line.find('/')));
            print(": ");
            return;
        }
    }
}

void on_bus_error(int number, siginfo_t* info, void*) noexcept {
    if (info->si_code != BUS_ADRERR && info->si_code != BUS_OBJERR) {  // of `kill`, or of a mistake in the program
        (void)::signal(number, SIG_DFL);
        (void)::raise(number);  // when this function has ended
        return;
    }
    print("gru4rec: ");
    print_file_at(reinterpret_cast<std::uintptr_t>(info->si_addr));
    print("the file shrank while it was read, or its disk failed; read it again when it is complete\n");
    ::_exit(static_cast<int>(ExitStatus::io_failure));
}

}  // namespace

void report_shortened_files() noexcept {
    struct sigaction action = {};
    action.sa_sigaction = &on_bus_error;
    action.sa_flags = SA_SIGINFO;
    (void)::sigaction(SIGBUS, &action, nullptr);
}

#else

void report_shortened_files() noexcept {}

#endif

}  // namespace cli
