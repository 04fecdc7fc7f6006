#ifndef GRU4REC_CLI_REPLAY_HITS_HPP
#define GRU4REC_CLI_REPLAY_HITS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/eval/metrics.hpp"

#include <cstdint>
#include <vector>

namespace cli::playback {

/// How often the true next item had which rank in a list of n.
class Hits {
  public:
    explicit Hits(gru4rec::Index n) : counts_(static_cast<std::size_t>(n)) {}

    /// @param rank  from 1; beyond n, or 0 for an item that is not listed, it is a miss
    void add(gru4rec::Index rank) noexcept {
        ++n_predictions_;
        if (rank >= 1 && rank <= std::ssize(counts_)) {
            ++counts_[static_cast<std::size_t>(rank - 1)];
        }
    }

    /// The measures with the cutoff n, by the conservative rule for ties.
    [[nodiscard]] gru4rec::Evaluation evaluation() const;

  private:
    std::vector<std::int64_t> counts_;  // by rank
    gru4rec::Index n_predictions_ = 0;
};

}  // namespace cli::playback

#endif
