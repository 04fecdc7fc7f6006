#ifndef GRU4REC_CLI_SERVE_FOLD_CASE_HPP
#define GRU4REC_CLI_SERVE_FOLD_CASE_HPP

#include <string>
#include <string_view>

namespace cli::server {

/// Appends a text as it is searched: capitals of the usual letters of the Latin, Greek, Cyrillic and Armenian scripts
/// as small ones, control characters as blanks. Letters are folded one by one, so a capital I with a dot finds i, and ß
/// does not find ss.
///
/// @pre it is valid UTF-8
void append_folded(std::string& out, std::string_view text);

}  // namespace cli::server

#endif
