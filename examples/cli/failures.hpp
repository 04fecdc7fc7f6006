#ifndef GRU4REC_CLI_FAILURES_HPP
#define GRU4REC_CLI_FAILURES_HPP

#include <functional>
#include <string_view>

#include "exit_status.hpp"

// How the programs end when something is wrong: one line on standard error and an exit status.
namespace cli {

/// Tells the message and gives the status back. @param program  whose name the line begins with
ExitStatus fail(std::string_view program, ExitStatus status, std::string_view message);

/// Runs a command and makes sure that what it printed is written; every exception becomes a failure of its kind.
[[nodiscard]] ExitStatus run_or_fail(std::string_view program, const std::function<ExitStatus()>& command);

}  // namespace cli

#endif
