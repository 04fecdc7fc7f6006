#ifndef GRU4REC_CLI_EXIT_STATUS_HPP
#define GRU4REC_CLI_EXIT_STATUS_HPP

namespace cli {

/// What the program tells its caller; docs/program.md explains each.
enum class ExitStatus {
    ok = 0,
    failure = 1,        ///< of another kind: out of memory
    bad_input = 2,      ///< an option, a parameter, the content of a file
    io_failure = 3,     ///< a file cannot be opened, read or written
    not_finite = 4,     ///< training met a value that is not finite
    interrupted = 130,  ///< stopped by a signal, in good order
};

}  // namespace cli

#endif
