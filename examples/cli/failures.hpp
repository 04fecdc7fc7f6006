#ifndef GRU4REC_CLI_FAILURES_HPP
#define GRU4REC_CLI_FAILURES_HPP

#include <functional>
#include <string_view>

#include "exit_status.hpp"

// How the programs report errors: one line on standard error and an exit status.
namespace cli {

/// Prints the message, preceded by the program's name, and returns the status.
ExitStatus fail(std::string_view program, ExitStatus status, std::string_view message) noexcept;

/// Runs a command, reports any exception, and checks that all output has been written. Everything that main() does
/// belongs in the command: memory may be short from the beginning. To be called once.
[[nodiscard]] ExitStatus run_or_fail(std::string_view program, const std::function<ExitStatus()>& command);

}  // namespace cli

#endif
