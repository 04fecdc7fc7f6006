#ifndef GRU4REC_FINDINGS_RUNS_HPP
#define GRU4REC_FINDINGS_RUNS_HPP

#include "gru4rec/data/dataset.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "comparisons.hpp"

namespace findings {

struct TrainAndTest {
    gru4rec::Dataset train;
    gru4rec::Dataset test;
};

/// One training run and its results on the test data; 0 if it diverged.
struct Run {
    double recall = 0;            ///< Recall@20, conservative ties
    double mrr = 0;               ///< MRR@20
    double seconds = 0;           ///< of the completed epochs
    std::string divergence = {};  ///< what became non-finite, and the likely cause; empty if training succeeded
};

/// The runs of a configuration, one per seed, in the order of the seeds.
struct ConfigurationRuns {
    gru4rec::Hyperparameters parameters;
    std::vector<Run> runs;
};

struct RunOptions {
    std::vector<std::uint64_t> seeds;
    int threads = 0;  ///< 0: all
};

/// Trains all settings of the comparisons with every seed; a configuration that several of them share is trained once.
/// Reports the outcome of every run on standard error, with a progress bar if that is a terminal. Divergence is an
/// outcome, not an error.
///
/// @throws gru4rec::ConfigError, before anything is trained, if the data do not allow a setting
[[nodiscard]] std::vector<ConfigurationRuns> train_all(const std::vector<Comparison>& comparisons,
                                                       const TrainAndTest& data, const RunOptions& options);

}  // namespace findings

#endif
