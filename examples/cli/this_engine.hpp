#ifndef GRU4REC_CLI_THIS_ENGINE_HPP
#define GRU4REC_CLI_THIS_ENGINE_HPP

#include <string>

// Which engine this program is: docs/packages.md.
namespace cli {

/// The instruction set that the program was compiled for, such as x86-64-v3; `native`; or the architecture.
[[nodiscard]] const char* engine_name();

/// Why this is not the engine that the environment asks for; empty if it is, or if none is asked for.
[[nodiscard]] std::string problem_with_engine();

}  // namespace cli

#endif
