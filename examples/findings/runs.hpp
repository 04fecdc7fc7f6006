#ifndef GRU4REC_FINDINGS_RUNS_HPP
#define GRU4REC_FINDINGS_RUNS_HPP

#include "gru4rec/data/dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "settings.hpp"

namespace findings {

struct TrainAndTest {
    gru4rec::Dataset train;
    gru4rec::Dataset test;
};

/// The runs of a configuration, one per seed, in the order of the seeds.
struct ConfigurationRuns {
    gru4rec::Hyperparameters parameters;
    std::vector<Run> runs;
};

/// Trains and measures, one run after another. Reports the outcome of each and how many there are on standard error,
/// with a progress bar if that is a terminal.
class Runner {
  public:
    /// @param threads  0: all
    explicit Runner(int threads) noexcept : threads_(threads) {}

    /// From now on, this many runs follow.
    void expect(std::size_t n_runs) noexcept { n_runs_ = n_done_ + n_runs; }

    /// Trains a model with these parameters on `data.train` and measures it on `data.test`. Divergence is an outcome,
    /// not an error.
    ///
    /// @param setting  its name and parameters
    [[nodiscard]] Run run(const Setting& setting, const TrainAndTest& data, std::uint64_t seed);

  private:
    int threads_;
    std::size_t n_done_ = 0;
    std::size_t n_runs_ = 0;
};

/// @throws gru4rec::ConfigError if the data do not allow a setting
void check_data(const std::vector<Comparison>& comparisons, const gru4rec::Dataset& train);

/// Trains all settings of the comparisons with every seed; a configuration that several of them share is trained once.
///
/// @pre check_data() of the same comparisons and training data has returned
[[nodiscard]] std::vector<ConfigurationRuns> train_all(const std::vector<Comparison>& comparisons,
                                                       const TrainAndTest& data,
                                                       const std::vector<std::uint64_t>& seeds, Runner& runner);

}  // namespace findings

#endif
