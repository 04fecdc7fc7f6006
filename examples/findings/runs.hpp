#ifndef GRU4REC_FINDINGS_RUNS_HPP
#define GRU4REC_FINDINGS_RUNS_HPP

#include "gru4rec/data/dataset.hpp"

#include <cstdint>
#include <vector>

#include "comparisons.hpp"

namespace findings {

struct Data {
    gru4rec::Dataset train;
    gru4rec::Dataset test;
};

/// One training run and what it reached on the test data.
struct Run {
    double recall = 0;   ///< Recall@20, conservative ties
    double mrr = 0;      ///< MRR@20
    double seconds = 0;  ///< of training
};

/// The runs of a configuration, one per seed, in the order of the seeds.
struct Trained {
    gru4rec::Hyperparameters parameters;
    std::vector<Run> runs;
};

struct RunOptions {
    std::vector<std::uint64_t> seeds;
    int threads = 0;  ///< 0: all
};

/// Trains what the comparisons ask for, with every seed; a configuration that several of them share is trained once.
/// Tells the outcome of every run on standard error, with a bar while it lasts where that is a terminal.
///
/// @throws gru4rec::NonFiniteError where a training diverges, std::invalid_argument where the data do not allow one
[[nodiscard]] std::vector<Trained> train_all(const std::vector<Comparison>& comparisons, const Data& data,
                                             const RunOptions& options);

/// The runs of a configuration. @pre it is one of those that were trained
[[nodiscard]] const std::vector<Run>& runs_of(const std::vector<Trained>& trained,
                                              const gru4rec::Hyperparameters& parameters);

}  // namespace findings

#endif
