#ifndef GRU4REC_CLI_REPORT_PAGE_PAGE_HPP
#define GRU4REC_CLI_REPORT_PAGE_PAGE_HPP

#include <string>
#include <vector>

#include "run.hpp"

namespace cli {

/// A page of HTML that needs no other file, no network and no scripts: the report of one run, or of several side by
/// side. The same runs give the same bytes.
///
/// @param runs  at least one, each with a name
[[nodiscard]] std::string report_page(const std::vector<Run>& runs);

/// Refuses reports whose page would be far larger than they are: a table has a cell for each method and everything that
/// any of them measures, so a small report by a stranger could fill the memory.
///
/// @throws gru4rec::FormatError
void check_page_size(const std::vector<Run>& runs);

}  // namespace cli

#endif
