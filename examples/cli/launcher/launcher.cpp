// The program `gru4rec` of a package: chooses the engine for this processor and becomes it. See docs/packages.md.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <unistd.h>

#include "cli/exit_status.hpp"
#include "support/engines.hpp"

namespace {

[[nodiscard]] int fail(cli::ExitStatus status, const std::string& problem) {
    std::fprintf(stderr, "gru4rec: %s\n", problem.c_str());
    return static_cast<int>(status);
}

}  // namespace

int main(int, char** argv) {
    const engines::Choice choice = engines::choose({GRU4REC_ENGINES}, std::getenv(engines::variable));
    if (!choice.problem.empty()) {
        return fail(cli::ExitStatus::bad_input, choice.problem);
    }
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) {
        return fail(cli::ExitStatus::io_failure, "cannot find its engines: /proc/self/exe: " + error.message());
    }
    const std::filesystem::path engine =
        (self.parent_path() / GRU4REC_ENGINES_FOLDER / choice.engine / "gru4rec").lexically_normal();
    ::execv(engine.c_str(), argv);
    return fail(cli::ExitStatus::io_failure, "cannot run its engine " + engine.string() + ": " + std::strerror(errno) +
                                                 "; install the program again");
}
