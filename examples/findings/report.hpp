#ifndef GRU4REC_FINDINGS_REPORT_HPP
#define GRU4REC_FINDINGS_REPORT_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tuning_report.hpp"
#include "verdict.hpp"

namespace findings {

/// Everything that is reported.
struct Report {
    std::string data_description;  ///< a sentence without its full stop
    std::vector<std::uint64_t> seeds;
    gru4rec::Hyperparameters parameters;  ///< of the base
    std::vector<ComparedSettings> compared;
    std::optional<Tuning> tuning = {};  ///< not set: no setting was tuned
};

/// A table of all results, one sentence per finding, and the published results.
[[nodiscard]] std::string to_markdown(const Report& report);

/// The same, and every single run.
[[nodiscard]] std::string to_json(const Report& report);

/// Recall@20 over the width, with the values chosen for each, as SVG; empty if the width was not compared or all widths
/// diverged.
[[nodiscard]] std::string recall_by_width(const Report& report);

}  // namespace findings

#endif
