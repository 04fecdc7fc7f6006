#ifndef GRU4REC_CLI_REPORT_PAGE_FIGURES_HPP
#define GRU4REC_CLI_REPORT_PAGE_FIGURES_HPP

#include <string>
#include <vector>

#include "run.hpp"

// The pictures of a report, each with its numbers as a table. A picture without values is an empty string.
namespace cli {

/// What is compared on the same data by the same rule for ties: models and baselines.
struct Comparison {
    struct Method {
        std::string name;
        const Measured* measured;
    };

    std::string file;
    std::string ties;
    std::vector<Method> methods;

    /// The cutoff that pictures show: the largest one that was measured.
    [[nodiscard]] int cutoff() const;
};

/// Loss, validation, speed, learning rate, norms.
[[nodiscard]] std::string training_figures(const std::vector<Run>& runs);

/// By position, by length of the session, by popularity of the target.
[[nodiscard]] std::string group_figures(const Comparison& comparison);

/// Recall by length of the list, ranks, coverage, popularity of lists.
[[nodiscard]] std::string list_figures(const Comparison& comparison);

}  // namespace cli

#endif
