#ifndef GRU4REC_TRAIN_CANDIDATE_SCORES_HPP
#define GRU4REC_TRAIN_CANDIDATE_SCORES_HPP

#include "gru4rec/batch/candidates.hpp"
#include "gru4rec/batch/item_shards.hpp"
#include "gru4rec/batch/negative_sampler.hpp"
#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/simd.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/model/factories.hpp"
#include "gru4rec/model/hyperparameters.hpp"
#include "gru4rec/model/network.hpp"
#include "gru4rec/nn/any_loss.hpp"
#include "gru4rec/nn/gru_tape.hpp"
#include "gru4rec/nn/score_block.hpp"
#include "gru4rec/optim/update.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// The part of a step between the top layer and its candidates:
///
///     R = h W_y[candidates]^T + b_y[candidates] -> loss -> dR -> dh = dR W_y[candidates] / batch_size
///
/// The candidates of a shard of the catalogue are worked on together, while they are in a cache: first their scores and
/// what they contribute to the sums of the loss, then dR and what they contribute to dh. Both sums are those of
/// batch/item_shards.hpp. A loss that is not in parts is called in between, with all columns.
template <class Scalar>
class CandidateScores {
  public:
    GRU4REC_NOINLINE CandidateScores(const Network<Scalar>& network, std::span<const std::int64_t> supports,
                                     const Hyperparameters& p, AnyLoss<Scalar> loss)
        : table_(network.output_table()),
          loss_(std::move(loss)),
          duplicates_(p.mask_duplicates ? Duplicates::mask : Duplicates::keep),
          batch_size_(p.batch_size),
          starts_(shard_starts(supports, p.sample_alpha, p.batch_size, p.n_sample)),
          candidates_(supports, p.batch_size, p.n_sample, p.sample_alpha, p.logq),
          stride_(row_stride<Scalar>(p.batch_size)),
          scores_(stride_ * (p.batch_size + p.n_sample)),
          d_scores_(d_scores_in_place() ? 0 : scores_.size()),
          d_h_parts_(n_shards * part_size()),
          h_rows_(padded<Scalar>(p.batch_size) * table_.stride()),
          sums_(padded<Scalar>(p.batch_size) * n_sums() * (n_shards + 1)),
          lane_losses_(p.batch_size) {
        lines_.reserve(static_cast<std::size_t>(n_lines(p.batch_size)));
    }

    /// Begins a step. `targets` must stay valid for `run`. @complexity O(M log M + n_sample), no allocation
    void take(std::span<const ItemIndex> targets, const DrawnItems& drawn);

    /// From top.out the losses of the lanes, and top.d_out. @complexity O(M K H), no allocation
    void run(GruTape<Scalar>& top);

    /// The loss summed over the lanes, after `run`.
    [[nodiscard]] double loss() const noexcept {
        double total = 0;
        for (Index line = 0; line < n_lanes_; line += scalars_per_line<Scalar>) {
            total += static_cast<double>(lane_losses_[line]);
        }
        return total;
    }

    [[nodiscard]] const Candidates<Scalar>& candidates() const noexcept { return candidates_; }
    /// Lane by lane [h | 1] / batch_size.
    [[nodiscard]] Rows<Scalar> h_rows() noexcept { return {h_rows_.data(), table_.stride()}; }
    [[nodiscard]] Index n_lanes() const noexcept { return n_lanes_; }

    /// The gradients of the candidates' rows, after `run`; an item may also have a row of `extra`.
    [[nodiscard]] OuterGradients<Scalar> gradients(const Scalar* const* extra = nullptr) {
        return {.count = candidates_.n_distinct(),
                .items = candidates_.items().data(),
                .factors = {d_scores(), h_rows(), n_lanes_},
                .extra = extra};
    }

  private:
    /// Some shards and some cache lines of lanes: what a thread takes at a time.
    struct Task {
        Index first_shard = 0;
        Index last_shard = 0;
        Index first_line = 0;
        Index last_line = 0;

        [[nodiscard]] Index first_lane() const noexcept { return first_line * scalars_per_line<Scalar>; }
        [[nodiscard]] Index lanes() const noexcept { return (last_line - first_line) * scalars_per_line<Scalar>; }
    };

    [[nodiscard]] static Index n_lines(Index lanes) noexcept {
        return padded<Scalar>(lanes) / scalars_per_line<Scalar>;
    }
    [[nodiscard]] Index width() const noexcept { return table_.cols() - 1; }
    [[nodiscard]] Index part_size() const noexcept { return stride_ * padded<Scalar>(width()); }
    [[nodiscard]] bool d_scores_in_place() const noexcept { return loss_.sharded() && loss_.sharded()->is_in_place; }
    [[nodiscard]] Index n_sums() const noexcept { return loss_.sharded() ? loss_.sharded()->n_sums : 0; }
    /// Whether a task may need the score of a target that another one finds.
    [[nodiscard]] bool needs_target_scores() const noexcept {
        return loss_.sharded() && loss_.sharded()->needs_target_scores && n_runs() > 1;
    }
    /// The loss's sums of a shard for a line of lanes; those of shard n_shards are the sums over all.
    [[nodiscard]] Scalar* sums(Index line, Index shard) noexcept {
        return sums_.data() + (line * (n_shards + 1) + shard) * n_sums() * scalars_per_line<Scalar>;
    }

    [[nodiscard]] LaneMatrix<Scalar> scores() noexcept { return {scores_.data(), stride_}; }
    /// (lanes, n_distinct) after `run`: those of a twin are added to those of its target.
    [[nodiscard]] LaneMatrix<Scalar> d_scores() noexcept {
        return {d_scores_in_place() ? scores_.data() : d_scores_.data(), stride_};
    }
    [[nodiscard]] Rows<const Scalar> candidate_rows() const noexcept {
        return {table_.data(), table_.stride(), candidates_.items().data()};
    }

    /// Groups of two or three lines, as the kernels take them.
    [[nodiscard]] Index n_groups() const noexcept { return (n_lines(n_lanes_) + 2) / 3; }
    [[nodiscard]] Index n_runs() const noexcept;
    [[nodiscard]] std::span<const CandidateColumns> shards_of(const Task& task) const noexcept {
        return std::span(shards_).subspan(static_cast<std::size_t>(task.first_shard),
                                          static_cast<std::size_t>(task.last_shard - task.first_shard));
    }

    [[nodiscard]] ScoreBlock<Scalar> block_of(Index first_lane, Index end_lane) noexcept;
    void score_targets(GruTape<Scalar>& top);
    void for_each_task(const LoopWork& loop, FunctionRef<void(const Task&)> body) const;
    void score(GruTape<Scalar>& top, const Task& task);
    void rank();
    void back_to_hidden(const Task& task);
    void finish(GruTape<Scalar>& top);

    const PaddedMatrix<Scalar>& table_;
    AnyLoss<Scalar> loss_;
    Duplicates duplicates_;
    Index batch_size_;
    ShardStarts starts_;
    Candidates<Scalar> candidates_;
    Index stride_;
    AlignedBuffer<Scalar> scores_, d_scores_;
    AlignedBuffer<Scalar> d_h_parts_;    // of each shard a matrix (lanes, H)
    AlignedBuffer<Scalar> h_rows_;       // lane by lane [h | 1] / batch_size
    AlignedBuffer<Scalar> sums_;         // of the loss, by cache line of lanes and shard
    AlignedBuffer<Scalar> lane_losses_;  // of a cache line of lanes, at its first one
    std::span<const ItemIndex> targets_;
    ByShard<CandidateColumns> shards_;
    ShardTree tree_;
    std::vector<LossLine<Scalar>> lines_;
    Index n_lanes_ = 0;
};

template <class Scalar>
void CandidateScores<Scalar>::take(std::span<const ItemIndex> targets, const DrawnItems& drawn) {
    candidates_.build(targets, drawn);
    targets_ = targets;
    n_lanes_ = static_cast<Index>(targets.size());
    ByShard<bool> is_there;
    for (std::size_t s = 0; s < n_shards; ++s) {
        shards_[s] = candidates_.columns_of(starts_[s], starts_[s + 1]);
        is_there[s] = !shards_[s].empty();
    }
    tree_ = ShardTree(is_there);
    const ScoreBlock<Scalar> block = block_of(0, n_lanes_);
    lines_.clear();
    if (loss_.sharded()) {
        for (Index line = 0; line < n_lines(n_lanes_); ++line) {
            lines_.emplace_back(block, line * scalars_per_line<Scalar>);
        }
    }
}

template <class Scalar>
void CandidateScores<Scalar>::run(GruTape<Scalar>& top) {
    if (needs_target_scores()) {
        score_targets(top);
    }
    const Index lanes = padded<Scalar>(n_lanes_);
    for_each_task(product_work<Scalar>("scores", lanes, candidates_.n_distinct(), table_.cols()),
                  [&](const Task& task) { score(top, task); });
    rank();
    for_each_task(product_work<Scalar>("scores back", lanes, candidates_.n_distinct(), width()),
                  [&](const Task& task) { back_to_hidden(task); });
    finish(top);
}

template <class Scalar>
ScoreBlock<Scalar> CandidateScores<Scalar>::block_of(Index first_lane, Index end_lane) noexcept {
    ScoreBlock<Scalar> block;
    block.scores = scores().from(first_lane);
    block.d_scores = d_scores().from(first_lane);
    block.n_lanes = end_lane - first_lane;
    block.n_columns = candidates_.n_columns();
    block.n_candidates = candidates_.n_candidates();
    block.target_column = candidates_.target_column() + first_lane;
    block.drawn_column = candidates_.drawn_column() + first_lane;
    block.weight = candidates_.weight();
    block.log_q = candidates_.log_q();
    block.duplicates = duplicates_;
    return block;
}

/// Gives each lane its target's score, before any task has the column: the diagonal of squares of lanes and their
/// targets, with the same bits as in the columns.
template <class Scalar>
void CandidateScores<Scalar>::score_targets(GruTape<Scalar>& top) {
    constexpr Index width = scalars_per_line<Scalar>;
    const double work = 2.0 * static_cast<double>(width * width * table_.cols());
    const Chunks chunks = chunks_by_work(n_lines(n_lanes_), 1, work, flops_per_chunk);
    const LoopWork loop = product_work<Scalar>("targets", width, padded<Scalar>(n_lanes_), table_.cols());
    parallel_ranges(chunks, loop, [&](Index begin, Index end) {
        alignas(cache_line) Scalar square[static_cast<std::size_t>(width * width)];
        for (Index line = begin; line < end; ++line) {
            const Index first = line * width;
            const Index n = (std::min)(width, n_lanes_ - first);
            const Rows<const Scalar> rows{table_.data(), table_.stride(), targets_.data() + first};
            multiply_rows<Scalar>({rows, {0, n}, {0, table_.cols()}}, top.out().from(first), width, {square, width});
            for (Index i = 0; i < n; ++i) {
                at(lines_, line).set_target_score(i, square[i * width + i]);
            }
        }
    });
}

/// How many runs the shards are cut into, a task each for a group of lanes: fewer if there is little work.
template <class Scalar>
Index CandidateScores<Scalar>::n_runs() const noexcept {
    const Index numbers = padded<Scalar>(n_lanes_) * table_.cols() * candidates_.n_columns();
    Index runs = n_shards;
    while (runs > 1 && 2.0 * static_cast<double>(numbers) < flops_per_chunk * static_cast<double>(runs * n_groups())) {
        runs /= 2;
    }
    return runs;
}

/// Calls `body` for tasks that cover all shards and lanes.
template <class Scalar>
void CandidateScores<Scalar>::for_each_task(const LoopWork& loop, FunctionRef<void(const Task&)> body) const {
    const Index lines = n_lines(n_lanes_);
    const Index groups = n_groups();
    const Index runs = n_runs();
    parallel_chunks(runs * groups, loop, [&](Index task) {
        const Index run = task / groups;
        const Index group = task % groups;
        body(
            {run * n_shards / runs, (run + 1) * n_shards / runs, group * lines / groups, (group + 1) * lines / groups});
    });
}

/// R[lane, j] = h W_y[item_j]^T + b_y[item_j]; the bias is the rows' last column, h's is 1. Then the loss's sums of the
/// task's shards.
template <class Scalar>
void CandidateScores<Scalar>::score(GruTape<Scalar>& top, const Task& task) {
    const LaneMatrix<Scalar> to = scores().from(task.first_lane());
    const CandidateColumns columns = joined(shards_of(task));
    multiply_rows<Scalar>({candidate_rows(), columns.items, {0, table_.cols()}}, top.out().from(task.first_lane()),
                          task.lanes(), to);
    for (Index twin = columns.twins.begin; twin < columns.twins.end; ++twin) {
        std::copy_n(to.column(candidates_.repeated_target(twin)), task.lanes(), to.column(twin));
    }
    if (const ShardedLoss<Scalar>* const loss = loss_.sharded()) {
        const bool read_targets = !needs_target_scores();
        for (Index i = task.first_line; i < task.last_line; ++i) {
            LossLine<Scalar>& line = at(lines_, i);
            if (read_targets) {
                line.read_target_scores(columns);
            }
            loss->reduce(line, shards_of(task), sums(i, task.first_shard));
        }
    }
}

/// The losses. What is left in lanes beyond the live ones is never read.
template <class Scalar>
void CandidateScores<Scalar>::rank() {
    if (const ShardedLoss<Scalar>* const loss = loss_.sharded()) {
        for (Index line = 0; line < n_lines(n_lanes_); ++line) {
            lane_losses_[line * scalars_per_line<Scalar>] = loss->combine(at(lines_, line), sums(line, 0), tree_);
        }
        return;
    }
    parallel_ranges(Chunks{n_lanes_, scalars_per_line<Scalar>},
                    pass_work<Scalar>("loss", padded<Scalar>(n_lanes_), candidates_.n_columns(), 2),
                    [&](Index begin, Index end) { lane_losses_[begin] = loss_(block_of(begin, end)); });
}

/// dR of the task's shards, and each one's part of dh = dR W_y[candidates]. The part of an empty shard is left as it
/// is; no sum takes it.
template <class Scalar>
void CandidateScores<Scalar>::back_to_hidden(const Task& task) {
    using Lanes = SimdVector<Scalar>;
    const LaneMatrix<Scalar> d = d_scores().from(task.first_lane());
    if (const ShardedLoss<Scalar>* const loss = loss_.sharded()) {
        for (Index i = task.first_line; i < task.last_line; ++i) {
            loss->gradient(at(lines_, i), shards_of(task), sums(i, task.first_shard), sums(i, n_shards));
        }
    }
    const Range twins = joined(shards_of(task)).twins;
    for (Index twin = twins.begin; twin < twins.end; ++twin) {
        Scalar* const target = d.column(candidates_.repeated_target(twin));
        for (Index lane = 0; lane < task.lanes(); lane += scalars_per_line<Scalar>) {
            (Lanes::load(target + lane) + Lanes::load(d.column(twin) + lane)).store(target + lane);
        }
    }
    for (Index s = task.first_shard; s < task.last_shard; ++s) {
        const LaneMatrix<Scalar> part{d_h_parts_.data() + s * part_size() + task.first_lane(), stride_};
        const Range items = at(shards_, s).items;
        const Index next_rows = task.first_line == 0 ? candidates_.n_distinct() - items.end : 0;
        multiply_by_rows<Scalar>(d, {candidate_rows(), items, {0, width()}}, task.lanes(), part, Output::overwrite,
                                 next_rows);
    }
}

/// dh / batch_size, into the tape; and the rows of h / batch_size for the update of W_y.
template <class Scalar>
void CandidateScores<Scalar>::finish(GruTape<Scalar>& top) {
    using Lanes = SimdVector<Scalar>;
    const Index lanes = padded<Scalar>(n_lanes_);
    const Scalar scale = Scalar(1) / static_cast<Scalar>(batch_size_);
    const Rows<Scalar> rows = h_rows();
    const auto part = [&](Index s) { return LaneMatrix<Scalar>{d_h_parts_.data() + s * part_size(), stride_}; };
    const LoopWork loop = pass_work<Scalar>("scores back, sums", lanes, width(), Index{n_shards} + 3);
    parallel_ranges(column_chunks(padded<Scalar>(width() + 1), 4 * lanes), loop, [&](Index begin, Index end) {
        // A few columns of all parts at a time stay in the first-level cache.
        for (Index column = begin; column < (std::min)(end, width()); column += 4) {
            const Index n = (std::min)(Index{4}, (std::min)(end, width()) - column);
            tree_.for_each_addition([&](Index to, Index from) {
                Scalar* const sum = part(to).column(column);
                const Scalar* const added = part(from).column(column);
                for_each_line<Scalar>(lanes, n, stride_, [&](Index line) {
                    (Lanes::load(sum + line) + Lanes::load(added + line)).store(sum + line);
                });
            });
            const Scalar* const sum = part(tree_.root()).column(column);
            for_each_line<Scalar>(lanes, n, stride_, [&](Index line) {
                (Lanes::load(sum + line) * Lanes(scale)).store(top.d_out().column(column) + line);
            });
        }
        columns_to_rows<Scalar>(top.out(), lanes, {begin, end}, rows);
        for (Index m = 0; m < n_lanes_; ++m) {
            for (Index k = begin; k < end; ++k) {
                rows(m)[k] *= scale;
            }
        }
    });
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
