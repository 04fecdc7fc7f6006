#ifndef GRU4REC_OPTIM_UPDATE_HPP
#define GRU4REC_OPTIM_UPDATE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/optim/rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Whether the last column of a parameter is a bias: a weight of its own, neither changed nor counted if a gradient
/// covers only the other columns.
enum class LastColumn { weight, bias };

/// Whether a parameter has a velocity, which momentum needs.
enum class Velocity { none, kept };

/// Calls `use(rule)` with the rule that an AnyRule holds, or with the rule itself.
template <class Rule, class Use>
void visit_rule(const Rule& rule, const Use& use) {
    use(rule);
}
template <class Scalar, class Use>
void visit_rule(const AnyRule<Scalar>& rule, const Use& use) {
    std::visit(use, rule);
}

/// A parameter and its optimiser state: the rule's numbers, the velocity if there is momentum, and, if the rule counts
/// them, the updates of each row and of its bias. Row i of each belongs to row i of the parameter.
template <class Scalar>
class OptimizedParameter {
  public:
    template <class Rule>
    GRU4REC_NOINLINE OptimizedParameter(PaddedMatrix<Scalar>& parameter, const Rule& rule, Velocity velocity,
                                        LastColumn last)
        : parameter_(&parameter), bias_column_(last == LastColumn::bias ? parameter.cols() - 1 : Index{-1}) {
        visit_rule(rule, [&](const auto& r) {
            for (int i = 0; i < r.n_state; ++i) {
                state_.emplace_back(parameter.rows(), parameter.cols());
            }
            if (r.counts_updates) {
                n_updates_ = AlignedBuffer<std::uint32_t>(parameter.rows());
                n_bias_updates_ = AlignedBuffer<std::uint32_t>(bias_column_ >= 0 ? parameter.rows() : 0);
            }
        });
        if (velocity == Velocity::kept) {
            velocity_ = PaddedMatrix<Scalar>(parameter.rows(), parameter.cols());
        }
    }

    [[nodiscard]] PaddedMatrix<Scalar>& parameter() noexcept { return *parameter_; }
    [[nodiscard]] const PaddedMatrix<Scalar>& parameter() const noexcept { return *parameter_; }
    /// The rule's numbers, as many matrices as it keeps per weight.
    [[nodiscard]] std::vector<PaddedMatrix<Scalar>>& state() noexcept { return state_; }
    /// Empty without momentum.
    [[nodiscard]] PaddedMatrix<Scalar>& velocity() noexcept { return velocity_; }
    /// The column that holds a bias, or -1.
    [[nodiscard]] Index bias_column() const noexcept { return bias_column_; }
    /// Whether the rule counts updates. False without rows.
    [[nodiscard]] bool counts_updates() const noexcept { return n_updates_.size() > 0; }
    /// Counts one more update of the row and returns the count, from 1.
    std::uint32_t count_update(Index row) noexcept { return count(n_updates_[row]); }
    /// The same for the row's bias.
    std::uint32_t count_bias_update(Index row) noexcept { return count(n_bias_updates_[row]); }

    /// Calls `visit(name, memory)` for the optimiser state, in a fixed order: numbers and velocity as
    /// `PaddedMatrix<Scalar>&`, counts as `AlignedBuffer<std::uint32_t>&`.
    template <class Visit>
    void visit_memory(Visit&& visit) {
        for (std::size_t i = 0; i < state_.size(); ++i) {
            visit("state." + std::to_string(i), state_[i]);
        }
        if (!velocity_.empty()) {
            visit(std::string("velocity"), velocity_);
        }
        if (n_updates_.size() > 0) {
            visit(std::string("updates"), n_updates_);
        }
        if (n_bias_updates_.size() > 0) {
            visit(std::string("bias_updates"), n_bias_updates_);
        }
    }

  private:
    /// Saturates; by then the bias correction is 1.
    static std::uint32_t count(std::uint32_t& n) noexcept {
        n += n < (std::numeric_limits<std::uint32_t>::max)() ? 1U : 0U;
        return n;
    }

    PaddedMatrix<Scalar>* parameter_;
    Index bias_column_;
    std::vector<PaddedMatrix<Scalar>> state_;
    PaddedMatrix<Scalar> velocity_;
    AlignedBuffer<std::uint32_t> n_updates_;
    AlignedBuffer<std::uint32_t> n_bias_updates_;
};

/// Rows whose gradients are ready: gradient[j] belongs to row items[j] (row j if `items` is null), and to its first
/// `width` columns: all, or all but the bias. Memory is there up to a whole cache line, zero after `width`.
template <class Scalar>
struct RowGradients {
    Index count = 0;
    Index width = 0;
    const ItemIndex* items = nullptr;
    const Scalar* const* gradient = nullptr;
};

/// Rows whose gradient is an outer product, plus a ready row if `extra` has one: row items[j] (row j if `items` is
/// null) has gradient sum_lane d[lane, j] x[lane, :] + extra[j].
template <class Scalar>
struct OuterGradients {
    Index count = 0;
    const ItemIndex* items = nullptr;
    OuterFactors<Scalar> factors;
    const Scalar* const* extra = nullptr;
};

// What is worth a task of its own: docs/performance.md, "Chunk sizes".
inline constexpr double outer_flops_per_chunk = 0.4e6;
inline constexpr double row_values_per_chunk = 2.5e3;

template <class Scalar>
[[nodiscard]] Chunks outer_chunks(const OuterGradients<Scalar>& gradients, Index width) {
    const double work = static_cast<double>(width * (2 * gradients.factors.n_lanes + 20));
    return chunks_by_work(gradients.count, tile_multiple, work, outer_flops_per_chunk);
}

template <class Scalar>
[[nodiscard]] Chunks row_chunks(const RowGradients<Scalar>& gradients) {
    return chunks_by_work(gradients.count, 1, static_cast<double>(padded<Scalar>(gradients.width)),
                          row_values_per_chunk);
}

/// @param matrices  with a row each that is read or written
template <class Scalar>
[[nodiscard]] LoopWork outer_work(const char* label, const OuterGradients<Scalar>& gradients, Index width,
                                  Index matrices) noexcept {
    LoopWork work = product_work<Scalar>(label, gradients.factors.n_lanes, gradients.count, width);
    work.bytes += static_cast<double>(sizeof(Scalar)) * static_cast<double>(gradients.count * width * (matrices - 1));
    return work;
}

/// The factors of one row's update, for a rule that counts.
template <class Scalar>
struct RowFactors {
    std::array<Scalar, 2> weights;
    std::array<Scalar, 2> bias;
};

/// The memory of the rows that a call updates, all matrices with the same stride.
template <class Scalar>
struct UpdatedRows {
    Scalar* weights = nullptr;
    Scalar* state[2] = {};
    Scalar* velocity = nullptr;  ///< null without momentum
    Index stride = 0;
    Index bias_column = -1;
    Index count = 0;  ///< rows of the whole update: those of later chunks are fetched ahead, too
    const ItemIndex* items = nullptr;
    const RowFactors<Scalar>* factors = nullptr;
    StepSize<Scalar> size = {};
    Scalar scale = 1;  ///< multiplies the gradients

    [[nodiscard]] Index start_of(Index j) const noexcept {
        return (items == nullptr ? j : to_index(items[j])) * stride;
    }
};

/// Weights, numbers of the rule and velocity: matrices of which an update reads and writes a row.
template <class Scalar>
[[nodiscard]] constexpr Index n_matrices(const UpdatedRows<Scalar>& rows) noexcept {
    return 1 + (rows.state[0] != nullptr ? 1 : 0) + (rows.state[1] != nullptr ? 1 : 0) +
           (rows.velocity != nullptr ? 1 : 0);
}

/// Gradients of some rows and columns, in one block or row by row.
template <class Scalar>
struct GradientBlock {
    Range rows;
    Range columns;  ///< whole registers
    OuterBlock<Scalar> block = {};
    const Scalar* const* by_row = nullptr;  ///< instead of `block`

    [[nodiscard]] const Scalar* row(Index j) const noexcept {
        return by_row != nullptr ? by_row[j] : block.row(j) - columns.begin;
    }
};

/// The numbers that belong to the bias of one row: weight, rule's numbers, velocity.
template <class Scalar, int n_state>
class SavedBias {
  public:
    SavedBias(const UpdatedRows<Scalar>& rows, Index at) noexcept : rows_(rows), at_(at) {
        weight_ = rows.weights[at];
        for (int i = 0; i < n_state; ++i) {
            state_[i] = rows.state[i][at];
        }
        velocity_ = rows.velocity == nullptr ? Scalar(0) : rows.velocity[at];
    }

    void restore() const noexcept {
        rows_.weights[at_] = weight_;
        for (int i = 0; i < n_state; ++i) {
            rows_.state[i][at_] = state_[i];
        }
        if (rows_.velocity != nullptr) {
            rows_.velocity[at_] = velocity_;
        }
    }

  private:
    const UpdatedRows<Scalar>& rows_;
    Index at_;
    Scalar weight_;
    CArray<Scalar, n_state + 1> state_;
    Scalar velocity_;
};

/// Applies a rule to the columns of one row.
///
/// @param gradient  of the row's column 0 on
template <class Scalar, class Rule>
GRU4REC_ALWAYS_INLINE void update_row(const Rule& rule, const UpdatedRows<Scalar>& rows, Index j, Range columns,
                                      const Scalar* gradient) noexcept {
    using V = Register<Scalar>;
    const Index start = rows.start_of(j);
    const V minus_rate(-rows.size.learning_rate);
    const V lmbd(rows.size.lmbd);
    const V scale(rows.scale);
    V factors[2];
    if constexpr (Rule::counts_updates) {
        factors[0] = V(rows.factors[j].weights[0]);
        factors[1] = V(rows.factors[j].weights[1]);
    }
    for (Index k = columns.begin; k < columns.end; k += V::size) {
        if constexpr (Rule::counts_updates) {
            if (const Index bias = rows.bias_column - k; bias >= 0 && bias < V::size) {
                for (std::size_t i = 0; i < 2; ++i) {
                    alignas(cache_line) Scalar values[static_cast<std::size_t>(V::size)];
                    factors[i].store(values);
                    values[bias] = rows.factors[j].bias[i];
                    factors[i] = V::load(values);
                }
            }
        }
        const Index at = start + k;
        V state[static_cast<std::size_t>(Rule::n_state) + 1];
        for (int i = 0; i < Rule::n_state; ++i) {
            state[i] = V::load(rows.state[i] + at);
        }
        const V step = rule.step(V::load(gradient + k) * scale, state, factors);
        for (int i = 0; i < Rule::n_state; ++i) {
            state[i].store(rows.state[i] + at);
        }
        const V p = V::load(rows.weights + at);
        const V decayed = multiply_add(lmbd, p, step);
        if (rows.velocity != nullptr) {
            const V v = multiply_add(minus_rate, decayed, V(rows.size.momentum) * V::load(rows.velocity + at));
            v.store(rows.velocity + at);
            (p + v).store(rows.weights + at);
        } else {
            multiply_add(minus_rate, decayed, p).store(rows.weights + at);
        }
    }
}

/// Fetches a row that is updated soon.
template <class Scalar, class Rule>
GRU4REC_ALWAYS_INLINE void prefetch_row(const UpdatedRows<Scalar>& rows, Index j, Range columns) noexcept {
    const Index start = rows.start_of(j);
    for (Index k = columns.begin; k < columns.end; k += scalars_per_line<Scalar>) {
        prefetch<Access::read_later>(rows.weights + start + k);
        for (int i = 0; i < Rule::n_state; ++i) {
            prefetch<Access::read_later>(rows.state[i] + start + k);
        }
        if (rows.velocity != nullptr) {
            prefetch<Access::read_later>(rows.velocity + start + k);
        }
    }
}

/// Applies a rule to a block of rows; a bias column beyond the block keeps its numbers.
template <class Scalar, class Rule>
void update_rows(const Rule& rule, const UpdatedRows<Scalar>& shared_rows, const GradientBlock<Scalar>& gradients,
                 LastColumn last) noexcept {
    const UpdatedRows<Scalar> rows = shared_rows;  // no store can change a copy, so it is read once
    const Index ahead =
        gradients.by_row != nullptr ? 2 : gradients.block.ahead;  // ready gradients: no sums to wait for
    for (Index j = gradients.rows.begin; j < gradients.rows.end; ++j) {
        if (ahead > 0) {
            prefetch_row<Scalar, Rule>(rows, (std::min)(j + ahead, rows.count - 1), gradients.columns);
        }
        if (last == LastColumn::bias) {
            const SavedBias<Scalar, Rule::n_state> bias(rows, rows.start_of(j) + rows.bias_column);
            update_row(rule, rows, j, gradients.columns, gradients.row(j));
            bias.restore();
        } else {
            update_row(rule, rows, j, gradients.columns, gradients.row(j));
        }
    }
}

/// Applies one rule to rows of parameters. Each row must appear once in a call.
///
/// @tparam Rule  an OptimizerRule, or AnyRule
template <class Scalar, class Rule = AnyRule<Scalar>>
class RowOptimizer {
  public:
    RowOptimizer(Rule rule, StepSize<Scalar> size) : rule_(std::move(rule)), size_(size) {}

    [[nodiscard]] OptimizedParameter<Scalar> add(PaddedMatrix<Scalar>& parameter,
                                                 LastColumn last = LastColumn::weight) const {
        const Velocity velocity = size_.momentum != 0 ? Velocity::kept : Velocity::none;
        return OptimizedParameter<Scalar>(parameter, rule_, velocity, last);
    }
    /// Makes room for updates of `count` rows in a call, or in all that wait, so that no update allocates.
    void reserve(Index count, std::size_t n_updates = 1) {
        factors_.resize((std::max)(factors_.size(), static_cast<std::size_t>(count)));
        waiting_.reserve(n_updates);
    }
    void set_learning_rate(Scalar rate) noexcept { size_.learning_rate = rate; }

    /// Together with the updates that wait.
    ///
    /// @param scale  multiplies the gradients
    /// @complexity O(n_lanes count cols), in parallel over rows
    void update(OptimizedParameter<Scalar>& parameter, const OuterGradients<Scalar>& gradients, Scalar scale = 1) {
        update_later(parameter, gradients, scale);
        finish_updates();
    }

    /// The same at the next `finish_updates`, in one loop with the others that wait until then. What the gradients
    /// refer to must stay until then; the update is counted and the learning rate read now. @pre no row waits twice
    void update_later(OptimizedParameter<Scalar>& parameter, const OuterGradients<Scalar>& gradients, Scalar scale);
    void finish_updates();
    /// Forgets the updates that wait, as is needed if something between the two calls has thrown.
    void drop_updates() noexcept {
        waiting_.clear();
        n_factors_ = 0;
    }

    /// @complexity O(count width), in parallel over rows
    void update(OptimizedParameter<Scalar>& parameter, const RowGradients<Scalar>& gradients, Scalar scale = 1);

  private:
    /// An update by outer products that is still to be done.
    struct Waiting {
        UpdatedRows<Scalar> rows;
        OuterGradients<Scalar> gradients;
        Index width = 0;
        std::size_t first_factors = 0;

        [[nodiscard]] Chunks chunks() const { return outer_chunks(gradients, width); }
    };

    /// The memory of the rows that an update changes; counts the update.
    [[nodiscard]] UpdatedRows<Scalar> rows_of(OptimizedParameter<Scalar>& parameter, const ItemIndex* items,
                                              Index count, LastColumn last);
    void run_chunk(const Waiting& update, Range rows) const;

    Rule rule_;
    StepSize<Scalar> size_;
    std::vector<Waiting> waiting_;
    std::vector<RowFactors<Scalar>> factors_;  // of the rows of all updates that wait
    std::size_t n_factors_ = 0;
};

// Defined outside the class: members defined inside are inline, and `extern template` would not keep the compiler from
// compiling them again.

template <class Scalar, class Rule>
UpdatedRows<Scalar> RowOptimizer<Scalar, Rule>::rows_of(OptimizedParameter<Scalar>& parameter, const ItemIndex* items,
                                                        Index count, LastColumn last) {
    UpdatedRows<Scalar> rows;
    rows.weights = parameter.parameter().data();
    for (std::size_t i = 0; i < parameter.state().size(); ++i) {
        rows.state[i] = parameter.state()[i].data();
    }
    rows.velocity = parameter.velocity().empty() ? nullptr : parameter.velocity().data();
    rows.stride = parameter.parameter().stride();
    rows.bias_column = parameter.bias_column();
    rows.count = count;
    rows.items = items;
    rows.size = size_;
    visit_rule(rule_, [&](const auto& rule) {
        if constexpr (std::decay_t<decltype(rule)>::counts_updates) {
            reserve(static_cast<Index>(n_factors_) + count);
            for (Index j = 0; j < count; ++j) {
                const Index row = items == nullptr ? j : to_index(items[j]);
                RowFactors<Scalar>& factors = factors_[n_factors_++];
                factors.weights = rule.factors(parameter.count_update(row));
                if (parameter.bias_column() >= 0 && last == LastColumn::weight) {
                    factors.bias = rule.factors(parameter.count_bias_update(row));
                }
            }
        }
    });
    return rows;
}

template <class Scalar, class Rule>
void RowOptimizer<Scalar, Rule>::update_later(OptimizedParameter<Scalar>& parameter,
                                              const OuterGradients<Scalar>& gradients, Scalar scale) {
    const std::size_t first_factors = n_factors_;
    Waiting& update =
        waiting_.emplace_back(Waiting{rows_of(parameter, gradients.items, gradients.count, LastColumn::weight),
                                      gradients, parameter.parameter().cols(), first_factors});
    update.rows.scale = scale;
}

template <class Scalar, class Rule>
void RowOptimizer<Scalar, Rule>::finish_updates() {
    LoopWork loop{"updates"};
    Index n_chunks = 0;
    for (Waiting& update : waiting_) {
        update.rows.factors = factors_.data() + update.first_factors;
        n_chunks += update.chunks().count();
        loop += outer_work<Scalar>(loop.label, update.gradients, update.width, 2 * n_matrices(update.rows));
    }
    parallel_chunks(n_chunks, loop, [&](Index chunk) {
        for (const Waiting& update : waiting_) {
            const Chunks chunks = update.chunks();
            if (chunk < chunks.count()) {
                return run_chunk(update, {chunks.begin(chunk), chunks.end(chunk)});
            }
            chunk -= chunks.count();
        }
    });
    drop_updates();
}

template <class Scalar, class Rule>
void RowOptimizer<Scalar, Rule>::run_chunk(const Waiting& update, Range range) const {
    const UpdatedRows<Scalar>& rows = update.rows;
    OuterTarget<Scalar> target{
        .start = update.gradients.extra, .stride = rows.stride, .n_rows = update.gradients.count, .items = rows.items};
    for (Scalar* const memory : {rows.weights, rows.state[0], rows.state[1], rows.velocity}) {
        if (memory != nullptr) {
            target.memory[static_cast<std::size_t>(target.n_memory++)] = memory;
        }
    }
    visit_rule(rule_, [&](const auto& rule) {
        for_each_outer_block<Scalar>(
            update.gradients.factors, range, update.width, target, [&](const OuterBlock<Scalar>& block) {
                const Range columns{block.offset, block.offset + block.width};
                update_rows(rule, rows, {{block.first, block.first + block.count}, columns, block, nullptr},
                            LastColumn::weight);
            });
    });
}

template <class Scalar, class Rule>
void RowOptimizer<Scalar, Rule>::update(OptimizedParameter<Scalar>& parameter, const RowGradients<Scalar>& gradients,
                                        Scalar scale) {
    const LastColumn last = parameter.bias_column() >= gradients.width ? LastColumn::bias : LastColumn::weight;
    const std::size_t first_factors = n_factors_;
    UpdatedRows<Scalar> rows = rows_of(parameter, gradients.items, gradients.count, last);
    rows.factors = factors_.data() + first_factors;
    rows.scale = scale;
    const char* const label = gradients.items != nullptr ? "update of inputs" : "update of a bias";
    const LoopWork loop = pass_work<Scalar>(label, gradients.count, gradients.width, 1 + 2 * n_matrices(rows));
    const Range columns{0, padded<Scalar>(gradients.width)};
    parallel_ranges(row_chunks(gradients), loop, [&](Index begin, Index end) {
        visit_rule(rule_, [&](const auto& rule) {
            update_rows(rule, rows, {{begin, end}, columns, {}, gradients.gradient}, last);
        });
    });
    n_factors_ = first_factors;
}

#if defined(GRU4REC_COMPILED)
extern template class RowOptimizer<float>;
extern template class RowOptimizer<double>;
#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
