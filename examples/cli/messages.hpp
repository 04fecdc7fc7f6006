#ifndef GRU4REC_CLI_MESSAGES_HPP
#define GRU4REC_CLI_MESSAGES_HPP

#include <exception>
#include <string>
#include <string_view>

namespace cli {

/// A message of the library without its prefix `gru4rec: `.
[[nodiscard]] std::string_view without_prefix(std::string_view message);

/// The text on one line of at most 2,000 bytes: control characters and bytes that are not UTF-8 as \xHH, the middle
/// of longer text left out.
[[nodiscard]] std::string one_line(std::string_view text);

/// The text in quotes, as one word of a shell's command line.
[[nodiscard]] std::string for_shell(std::string_view text);

/// Prints the program's name and the text as one line on standard error.
void tell(std::string_view text, std::string_view program = "gru4rec");

/// The same when memory may be short: what is not ASCII is printed as `?`.
void tell_without_memory(std::string_view text, std::string_view program = "gru4rec") noexcept;

/// Prints what has failed and why. For code that must go on after a failure.
void tell_failure(const char* what, const std::exception& reason) noexcept;

}  // namespace cli

#endif
