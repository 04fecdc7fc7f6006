#ifndef GRU4REC_NN_ANY_LOSS_HPP
#define GRU4REC_NN_ANY_LOSS_HPP

#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/nn/score_block.hpp"

#include <concepts>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// A LossInParts chosen at run time, called for some shards and a cache line of lanes at a time. Its sums are plain
/// numbers in memory of the caller's: `n_sums` cache lines for each shard, and behind them as many for the sums over
/// all.
template <class Scalar>
class ShardedLoss {
  public:
    using Line = LossLine<Scalar>;
    using Shards = std::span<const CandidateColumns>;  ///< neighbours

    ShardedLoss(Index sums, bool in_place, bool needs_target) noexcept
        : n_sums(sums), is_in_place(in_place), needs_target_scores(needs_target) {}
    virtual ~ShardedLoss() = default;
    ShardedLoss(const ShardedLoss&) = delete;
    ShardedLoss& operator=(const ShardedLoss&) = delete;

    /// Writes the sums of each of the shards that is not empty.
    virtual void reduce(const Line& line, Shards shards, Scalar* sums) const noexcept = 0;
    /// Adds the sums of all shards that are there and writes the sums over all; puts the targets' gradients into
    /// `line`. Returns the loss. @pre some shard is there
    virtual Scalar combine(Line& line, Scalar* sums, const ShardTree& tree) const noexcept = 0;
    /// Writes d_scores of the shards. `parts` are what `reduce` wrote for them, `all` is what `combine` wrote.
    virtual void gradient(const Line& line, Shards shards, const Scalar* parts, const Scalar* all) const noexcept = 0;

    const Index n_sums;              ///< numbers per lane and shard
    const bool is_in_place;          ///< d_scores may be the memory of the scores
    const bool needs_target_scores;  ///< `reduce` asks for the target scores of all lanes
};

/// The ShardedLoss of a LossInParts.
template <class Scalar, class Loss>
class ShardedLossOf final : public ShardedLoss<Scalar> {
  public:
    using Sums = typename Loss::Sums;
    using Line = LossLine<Scalar>;
    using typename ShardedLoss<Scalar>::Shards;
    static_assert(std::is_trivially_copyable_v<Sums> && sizeof(Sums) % cache_line == 0);

    explicit ShardedLossOf(Loss loss)
        : ShardedLoss<Scalar>(static_cast<Index>(sizeof(Sums) / cache_line), Loss::in_place, Loss::needs_target),
          loss_(std::move(loss)) {}

    void reduce(const Line& line, Shards shards, Scalar* sums) const noexcept override {
        loss_.prepare(line, joined(shards));
        for (const CandidateColumns& columns : shards) {
            if (!columns.empty()) {
                const Sums part = loss_.reduce(line, columns);
                std::memcpy(sums, &part, sizeof part);
            }
            sums += stride;
        }
    }

    Scalar combine(Line& line, Scalar* sums, const ShardTree& tree) const noexcept override {
        GRU4REC_ASSERT(tree.root() >= 0);
        Sums parts[static_cast<std::size_t>(n_shards)];
        std::memcpy(parts, sums, sizeof parts);
        tree.for_each_addition([&](Index a, Index b) { parts[a] = loss_.combine(parts[a], parts[b]); });
        Sums& all = parts[tree.root()];
        const Scalar loss = line.finish(loss_.finish(line, all));
        std::memcpy(sums + n_shards * stride, &all, sizeof all);
        return loss;
    }

    void gradient(const Line& line, Shards shards, const Scalar* parts, const Scalar* all) const noexcept override {
        Sums of_all;
        std::memcpy(&of_all, all, sizeof of_all);
        for (const CandidateColumns& columns : shards) {
            if (!columns.empty()) {
                Sums part;
                std::memcpy(&part, parts, sizeof part);
                loss_.gradient(line, columns, part, of_all);
            }
            parts += stride;
        }
        line.store_target_gradient(joined(shards));
    }

  private:
    static constexpr Index stride = static_cast<Index>(sizeof(Sums) / sizeof(Scalar));

    Loss loss_;
};

/// A loss chosen at run time: one in parts, or any RankingLoss, which is called with all columns. Copies share it.
template <class Scalar>
class AnyLoss {
  public:
    template <class Loss>
        requires(!std::same_as<Loss, AnyLoss> && RankingLoss<Loss, Scalar>)
    AnyLoss(Loss loss) {  // NOLINT(google-explicit-constructor): as std::function
        if constexpr (LossInParts<Loss, Scalar>) {
            sharded_ = std::make_shared<const ShardedLossOf<Scalar, Loss>>(std::move(loss));
        } else {
            whole_ = std::move(loss);
        }
    }

    /// Null for a loss that is not in parts.
    [[nodiscard]] const ShardedLoss<Scalar>* sharded() const noexcept { return sharded_.get(); }

    /// As RankingLoss, all columns at once. A loss in parts allocates memory for its sums.
    Scalar operator()(const ScoreBlock<Scalar>& block) const {
        if (!sharded_) {
            return whole_(block);
        }
        const Index stride = sharded_->n_sums * scalars_per_line<Scalar>;
        AlignedBuffer<Scalar> sums((n_shards + 1) * stride);
        const CandidateColumns columns = all_columns(block);
        const ShardTree tree({true});
        Scalar total = 0;
        for (Index first = 0; first < block.n_lanes; first += scalars_per_line<Scalar>) {
            LossLine<Scalar> line(block, first);
            line.read_target_scores(columns);
            sharded_->reduce(line, {&columns, 1}, sums.data());
            total += sharded_->combine(line, sums.data(), tree);
            sharded_->gradient(line, {&columns, 1}, sums.data(), sums.data() + n_shards * stride);
        }
        return total;
    }

  private:
    std::function<Scalar(const ScoreBlock<Scalar>&)> whole_;
    std::shared_ptr<const ShardedLoss<Scalar>> sharded_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
