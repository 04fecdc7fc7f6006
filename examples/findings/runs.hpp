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

/// One training run and what it reached on the test data: nothing where it diverged.
struct Run {
    double recall = 0;   ///< Recall@20, conservative ties
    double mrr = 0;      ///< MRR@20
    double seconds = 0;  ///< of the epochs that training completed
    std::string divergence =
        {};  ///< what was not finite any more, and the likely cause; empty where training went well
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

/// Trains what the comparisons ask for, with every seed; a configuration that several of them share is trained once.
/// Tells the outcome of every run on standard error, with a bar while it lasts where that is a terminal. A training
/// that diverges is an outcome like others.
///
/// @throws gru4rec::ConfigError, before anything is trained, where the data do not allow a setting
[[nodiscard]] std::vector<ConfigurationRuns> train_all(const std::vector<Comparison>& comparisons,
                                                       const TrainAndTest& data, const RunOptions& options);

}  // namespace findings

#endif
