#ifndef GRU4REC_TRAIN_LANE_GROUPS_HPP
#define GRU4REC_TRAIN_LANE_GROUPS_HPP

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"

#include <algorithm>
#include <variant>

namespace gru4rec::inline GRU4REC_ABI {

/// Flops of a lane from its inputs to the gradients of its sums: the scores and the way back 2 * 2 K H; per layer of H
/// units above E inputs the inputs' products and the way back 2 * 2 * 3 H E, the states' 2 * 3 H^2, and 2 H^2 for the
/// way back through the reset gate.
template <class Scalar>
[[nodiscard]] double flops_per_lane(const Network<Scalar>& network, Index n_candidates) {
    Index flops = 4 * n_candidates * network.output_width();
    for (const AnyGruLayer<Scalar>& layer : network.layers()) {
        flops += std::visit(
            [](const auto& gru) { return 12 * gru.units() * gru.input_width() + 8 * gru.units() * gru.units(); },
            layer);
    }
    return static_cast<double>(flops);
}

/// How the lanes of a step are shared out, from entering it to the gradients of their sums. Where a step is short its
/// loops are over before another thread has met what the loop before has written, so that groups of lanes go through
/// all of them, each on one thread; no more threads than groups then share this part. Otherwise all lanes are one
/// group, and its loops are parallel. docs/performance.md, "Chunk sizes", has what was measured.
class LaneGroups {
  public:
    template <class Scalar>
    LaneGroups(const Network<Scalar>& network, const Hyperparameters& p)
        : is_short_(flops_per_lane(network, Index{p.batch_size} + p.n_sample) * static_cast<double>(lanes_per_group) <=
                    flops_of_short_group) {
        static_assert(lanes_per_group % scalars_per_line<Scalar> == 0);
    }

    /// Groups of n lanes, whole cache lines of them.
    template <class Scalar>
    [[nodiscard]] Chunks of(Index n_lanes) const noexcept {
        const Index lanes = padded<Scalar>(n_lanes);
        return {lanes, is_short_ ? lanes_per_group : (std::max)(lanes, Index{1})};
    }

  private:
    static constexpr Index lanes_per_group = 32;
    static constexpr double flops_of_short_group = 5e6;

    bool is_short_;
};

}  // namespace gru4rec::inline GRU4REC_ABI

#endif
