#ifndef GRU4REC_CLI_BASELINES_HPP
#define GRU4REC_CLI_BASELINES_HPP

#include "gru4rec/data/dataset.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "report.hpp"

namespace cli {

/// What baselines are measured on.
struct BaselineTest {
    std::string file;
    const gru4rec::Dataset& data;
    const gru4rec::EvaluationOptions& measures;  ///< with `ranks`: the evaluations have details
    std::span<const std::int64_t> supports;      ///< by which the details group items by popularity
};

/// Fits every baseline with its defaults and measures it. Prints a table row by row, as results arrive.
[[nodiscard]] std::vector<FileEvaluation> measure_baselines(const gru4rec::Dataset& train, const BaselineTest& test);

}  // namespace cli

#endif
