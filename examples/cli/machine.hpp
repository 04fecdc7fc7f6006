#ifndef GRU4REC_CLI_MACHINE_HPP
#define GRU4REC_CLI_MACHINE_HPP

#include <cstdint>
#include <string>

// What a report says about where it was made.
namespace cli {

/// What the program was compiled with: compiler, optimisation, instruction sets.
[[nodiscard]] std::string build_flags();

/// `unknown` if the system does not say.
[[nodiscard]] std::string cpu_name();

/// Peak resident memory of the process; 0 if unknown.
[[nodiscard]] std::int64_t peak_rss_bytes();

}  // namespace cli

#endif
