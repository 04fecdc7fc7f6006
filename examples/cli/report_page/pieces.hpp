#ifndef GRU4REC_CLI_REPORT_PAGE_PIECES_HPP
#define GRU4REC_CLI_REPORT_PAGE_PIECES_HPP

#include <cmath>
#include <string>

#include "run.hpp"
#include "support/chart.hpp"
#include "support/formatted.hpp"

// What the page and its pictures have in common.
namespace cli {

/// Recall@20.
[[nodiscard]] inline std::string at_cutoff(const std::string& metric, int cutoff) {
    return metric + "@" + std::to_string(cutoff);
}

[[nodiscard]] inline double value_at(const Values& values, int cutoff) {
    const auto found = values.find(cutoff);
    return found == values.end() ? no_value : found->second;
}

/// In place of a number that is not there.
inline constexpr const char* no_value_text = "–";

/// A number for a table, with six digits; a dash if it is not finite.
[[nodiscard]] inline std::string full_number(double value) {
    return std::isfinite(value) ? formatted("%.6g", value) : no_value_text;
}

/// Text from outside, as HTML. If it runs from right to left, the text beside it is not reordered.
[[nodiscard]] inline std::string isolated(const std::string& text) {
    return "<bdi>" + charts::escaped(text) + "</bdi>";
}

/// A cell of the first row of a table. @param title  HTML
[[nodiscard]] inline std::string column_head(const std::string& title) {
    return "<th scope=\"col\">" + title + "</th>";
}

/// A table that scrolls on its own if it is too wide. @param label  what it shows, for screen readers
[[nodiscard]] inline std::string scrolling(const std::string& label, const std::string& table) {
    return "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + charts::escaped(label) + "\">\n" +
           table + "</div>\n";
}

}  // namespace cli

#endif
