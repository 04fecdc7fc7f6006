#ifndef GRU4REC_CLI_SHORTENED_FILES_HPP
#define GRU4REC_CLI_SHORTENED_FILES_HPP

namespace cli {

/// Files of events are mapped into memory. If one becomes shorter while it is read, or its disk fails, the system ends
/// the program by a signal (SIGBUS); from now on the program then ends with a message that names the file (on Linux),
/// and the status of a file that cannot be read.
void report_shortened_files() noexcept;

}  // namespace cli

#endif
