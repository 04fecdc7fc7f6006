#include "cli/serve/request_log.hpp"

#include "gru4rec/core/error.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

using cli::server::RequestLog;
using std::chrono::milliseconds;

namespace {

/// A pipe that nobody reads until take() is called.
class Pipe {
  public:
    Pipe() { REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_reader();
        ::close(ends_[1]);
    }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(ends_[1]); }
    [[nodiscard]] std::string take() const {
        std::string text;
        std::array<char, 1 << 16> part;
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
        for (ssize_t n = 0; (n = ::read(ends_[0], part.data(), part.size())) > 0;) {
            text.append(part.data(), static_cast<std::size_t>(n));
        }
        return text;
    }
    void close_reader() { ::close(std::exchange(ends_[0], -1)); }

  private:
    std::array<int, 2> ends_{};
};

[[nodiscard]] std::string numbered_lines(int n) {
    std::string lines;
    for (int i = 0; i < n; ++i) {
        lines += "{\"line\":" + std::to_string(i) + std::string(150, ' ') + "}\n";
    }
    return lines;
}

[[nodiscard]] double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TEST_CASE("a pipe that nobody reads is not waited for, and gets the rest in whole lines later") {
    const Pipe pipe;
    const RequestLog log(pipe.path());
    const std::string all = numbered_lines(3000);  // much more than a pipe holds
    std::string rest = all;
    std::string read;
    const auto start = std::chrono::steady_clock::now();
    CHECK(log.write(rest, milliseconds(0)) == 0);
    CHECK(seconds_since(start) < 1);
    CHECK(rest.size() < all.size());
    CHECK(rest.size() > all.size() / 2);
    CHECK(log.write(rest, milliseconds(100)) == 0);
    CHECK(seconds_since(start) > 0.09);
    while (!rest.empty()) {
        const std::string part = pipe.take();
        CHECK(part.ends_with('\n'));
        read += part;
        CHECK(log.write(rest, milliseconds(0)) == 0);
    }
    CHECK(read + pipe.take() == all);
}

TEST_CASE("lines that can never be written are counted as lost") {
    std::signal(SIGPIPE, SIG_IGN);  // as the server does
    Pipe pipe;
    const RequestLog log(pipe.path());
    pipe.close_reader();
    std::string lines = numbered_lines(7);
    CHECK(log.write(lines, milliseconds(0)) == 7);
    CHECK(lines.empty());
}

TEST_CASE("a line that was written in part is ended before the next one") {
    const TemporaryFolder folder;
    const std::string path = folder / "log";
    const RequestLog log(path);
    std::string lines = numbered_lines(10);
    std::int64_t n_lost = 0;
    {
        const FileSizeLimit limit(1000);
        n_lost = log.write(lines, milliseconds(0));
    }
    lines += "the next\n";
    CHECK(log.write(lines, milliseconds(0)) == 0);
    std::ifstream file(path, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    CHECK(text.size() == 1000 + 1 + 9);
    CHECK(text.ends_with("\nthe next\n"));
    CHECK(n_lost == 10 - std::count(text.begin(), text.begin() + 1000, '\n'));
}

TEST_CASE("a log that cannot be opened again goes on where it was, and says so") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "away");
    const RequestLog log(folder / "away/log");
    std::filesystem::remove_all(folder / "away");
    CHECK_THROWS_WITH_AS(log.reopen(), doctest::Contains("cannot open"), gru4rec::IoError);
    std::string lines = numbered_lines(1);
    CHECK(log.write(lines, milliseconds(0)) == 0);
    std::filesystem::create_directory(folder / "away");
    log.reopen();
    CHECK(std::filesystem::exists(folder / "away/log"));
}

TEST_CASE("a file gets all lines at once, behind those that it has") {
    const TemporaryFolder folder;
    const std::string path = folder / "log";
    write_bytes(path, "before\n");
    const RequestLog log(path);
    std::string lines = numbered_lines(3000);
    const std::string all = lines;
    CHECK(log.write(lines, milliseconds(0)) == 0);
    CHECK(lines.empty());
    std::ifstream file(path, std::ios::binary);
    CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == "before\n" + all);
}
