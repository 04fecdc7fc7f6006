#ifndef GRU4REC_OPTIM_UPDATE_HPP
#define GRU4REC_OPTIM_UPDATE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/parallel.hpp"
#include "gru4rec/optim/rules.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

template <class Scalar>
using AnyRule = std::variant<Sgd<Scalar>, Adagrad<Scalar>, RmsProp<Scalar>, Adadelta<Scalar>, Adam<Scalar>>;

/// What is the same for every rule: v = momentum v - learning_rate (step + lmbd p); p += v.
template <class Scalar>
struct StepSize {
    Scalar learning_rate = Scalar(0.05);
    Scalar momentum = 0;
    Scalar lmbd = 0;
};

/// Whether the last column of a parameter is a bias: it is then a weight of its own, left alone and not counted where a
/// gradient covers the other columns only.
enum class LastColumn { weight, bias };

/// Whether a parameter has a velocity, which momentum keeps.
enum class Velocity { none, kept };

/// A parameter with what its optimiser remembers: the rule's numbers, the velocity where there is momentum, and the
/// updates of each row, and of its bias, where the rule counts them. Row i of each belongs to row i of the parameter.
template <class Scalar>
class Learned {
  public:
    Learned(detail::Parameter<Scalar>& parameter, const AnyRule<Scalar>& rule, Velocity velocity, LastColumn last)
        : parameter_(&parameter), bias_column_(last == LastColumn::bias ? parameter.cols() - 1 : Index{-1}) {
        std::visit(
            [&](const auto& r) {
                for (int i = 0; i < r.n_state; ++i) {
                    state_.emplace_back(parameter.rows(), parameter.cols());
                }
                if (r.counts_updates) {
                    n_updates_ = detail::AlignedBuffer<std::uint32_t>(parameter.rows());
                    n_bias_updates_ = detail::AlignedBuffer<std::uint32_t>(bias_column_ >= 0 ? parameter.rows() : 0);
                }
            },
            rule);
        if (velocity == Velocity::kept) {
            velocity_ = detail::Parameter<Scalar>(parameter.rows(), parameter.cols());
        }
    }

    [[nodiscard]] detail::Parameter<Scalar>& parameter() noexcept { return *parameter_; }
    [[nodiscard]] const detail::Parameter<Scalar>& parameter() const noexcept { return *parameter_; }
    [[nodiscard]] Scalar* state_row(int i, Index row) noexcept { return state_[static_cast<std::size_t>(i)].row(row); }
    [[nodiscard]] Scalar* velocity_row(Index row) noexcept { return velocity_.row(row); }
    /// The column that holds a bias, or -1.
    [[nodiscard]] Index bias_column() const noexcept { return bias_column_; }
    /// Counts one more update of the row and tells which it is, from 1.
    std::uint32_t count_update(Index row) noexcept { return count(n_updates_[row]); }
    /// The same for the row's bias.
    std::uint32_t count_bias_update(Index row) noexcept { return count(n_bias_updates_[row]); }

    /// Calls `visit(name, memory)` for all that is remembered, in a fixed order: numbers and velocity as
    /// `Parameter<Scalar>&`, counts as `AlignedBuffer<std::uint32_t>&`.
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
    /// Stays at the highest number, where no rule tells updates apart any more.
    static std::uint32_t count(std::uint32_t& n) noexcept {
        n += n < (std::numeric_limits<std::uint32_t>::max)() ? 1U : 0U;
        return n;
    }

    detail::Parameter<Scalar>* parameter_;
    Index bias_column_;
    std::vector<detail::Parameter<Scalar>> state_;
    detail::Parameter<Scalar> velocity_;
    detail::AlignedBuffer<std::uint32_t> n_updates_;
    detail::AlignedBuffer<std::uint32_t> n_bias_updates_;
};

namespace detail {

// What is worth a task of its own: docs/performance.md, "Chunk sizes".
inline constexpr double outer_flops_per_chunk = 0.4e6;
inline constexpr double row_values_per_chunk = 5e3;

/// The factors of one row's update, for a rule that counts.
template <class Scalar>
struct RowFactors {
    std::array<Scalar, 2> weights;
    std::array<Scalar, 2> bias;
};

/// Applies the rule to rows, register by register: a sink of for_each_outer_row. It holds where the rows lie by value:
/// behind a pointer the compiler would have to look all of it up again after every store.
template <class Scalar, class Rule, bool has_momentum>
class RowUpdate {
  public:
    using Packet = detail::Packet<Scalar>;

    RowUpdate(Learned<Scalar>& learned, const Rule& rule, const StepSize<Scalar>& size, const ItemIndex* items,
              const Scalar* const* extra, const RowFactors<Scalar>* factors) noexcept
        : rule_(rule),
          size_(size),
          weights_(learned.parameter().data()),
          velocity_(has_momentum ? learned.velocity_row(0) : nullptr),
          stride_(learned.parameter().stride()),
          bias_column_(learned.bias_column()),
          items_(items),
          extra_(extra),
          factors_(factors) {
        for (int i = 0; i < Rule::n_state; ++i) {
            state_[i] = learned.state_row(i, 0);
        }
    }

    GRU4REC_ALWAYS_INLINE void prefetch(Index j, Index offset) const noexcept {
        const Index at = start_of(j) + offset;
        detail::prefetch<Access::write>(weights_ + at);
        for (int i = 0; i < Rule::n_state; ++i) {
            detail::prefetch<Access::write>(state_[i] + at);
        }
        if constexpr (has_momentum) {
            detail::prefetch<Access::write>(velocity_ + at);
        }
    }

    [[nodiscard]] Packet start(Index j, Index offset) const noexcept {
        return extra_ != nullptr && extra_[j] != nullptr ? simd::pload<Packet>(extra_[j] + offset)
                                                         : simd::pset1<Packet>(Scalar(0));
    }

    /// Row j, to be updated packet by packet.
    [[nodiscard]] auto row(Index j) const noexcept {
        return [this, j, at = start_of(j)](Index offset, Packet gradient) { take(j, at, offset, gradient); };
    }

    /// What belongs to the bias of row j: its value, the rule's numbers, the velocity.
    using SavedBias = std::array<Scalar, static_cast<std::size_t>(Rule::n_state) + 2>;

    [[nodiscard]] SavedBias save_bias(Index j) const noexcept {
        SavedBias saved{};
        visit_bias(j, saved, [](Scalar& kept, Scalar& value) { kept = value; });
        return saved;
    }

    void restore_bias(Index j, SavedBias saved) const noexcept {
        visit_bias(j, saved, [](Scalar& kept, Scalar& value) { value = kept; });
    }

  private:
    GRU4REC_ALWAYS_INLINE void take(Index j, Index start, Index offset, Packet gradient) const noexcept {
        const Index at = start + offset;
        Packet state[Rule::n_state + 1];
        for (int i = 0; i < Rule::n_state; ++i) {
            state[i] = simd::pload<Packet>(state_[i] + at);
        }
        Packet factors[2];
        if constexpr (Rule::counts_updates) {
            load_factors(j, offset, factors);
        }
        const Packet step = rule_.step(gradient, state, factors);
        for (int i = 0; i < Rule::n_state; ++i) {
            simd::pstore(state_[i] + at, state[i]);
        }
        const Packet p = simd::pload<Packet>(weights_ + at);
        const Packet decayed = simd::pmadd(simd::pset1<Packet>(size_.lmbd), p, step);
        const Packet minus_rate = simd::pset1<Packet>(-size_.learning_rate);
        if constexpr (has_momentum) {
            const Packet old = simd::pmul(simd::pset1<Packet>(size_.momentum), simd::pload<Packet>(velocity_ + at));
            const Packet v = simd::pmadd(minus_rate, decayed, old);
            simd::pstore(velocity_ + at, v);
            simd::pstore(weights_ + at, simd::padd(p, v));
        } else {
            simd::pstore(weights_ + at, simd::pmadd(minus_rate, decayed, p));
        }
    }

    template <class Visit>
    void visit_bias(Index j, SavedBias& saved, const Visit& visit) const noexcept {
        if (bias_column_ < 0) {
            return;
        }
        const Index at = start_of(j) + bias_column_;
        visit(saved[0], weights_[at]);
        for (int i = 0; i < Rule::n_state; ++i) {
            visit(saved[static_cast<std::size_t>(i) + 1], state_[i][at]);
        }
        if constexpr (has_momentum) {
            visit(saved.back(), velocity_[at]);
        }
    }

    [[nodiscard]] Index start_of(Index j) const noexcept {
        return (items_ == nullptr ? j : to_index(items_[j])) * stride_;
    }

    void load_factors(Index j, Index offset, Packet* factors) const noexcept {
        const Index bias = bias_column_ - offset;
        for (std::size_t i = 0; i < 2; ++i) {
            alignas(cache_line) Scalar values[static_cast<std::size_t>(packet_size<Scalar>)];
            std::fill_n(values, packet_size<Scalar>, factors_[j].weights[i]);
            if (bias_column_ >= 0 && bias >= 0 && bias < packet_size<Scalar>) {
                values[bias] = factors_[j].bias[i];
            }
            factors[i] = simd::pload<Packet>(values);
        }
    }

    Rule rule_;
    StepSize<Scalar> size_;
    Scalar* weights_;
    Scalar* state_[Rule::n_state + 1];
    Scalar* velocity_;
    Index stride_;  // of weights, state and velocity alike
    Index bias_column_;
    const ItemIndex* items_;
    const Scalar* const* extra_;
    const RowFactors<Scalar>* factors_;
};

}  // namespace detail

/// Rows whose gradients are ready: gradient[j] belongs to row items[j] (or j where `items` is null), and to its first
/// `width` columns: all, or all but the bias. Memory is there up to a whole cache line, zero behind `width`.
template <class Scalar>
struct RowGradients {
    Index count = 0;
    Index width = 0;
    const ItemIndex* items = nullptr;
    const Scalar* const* gradient = nullptr;
};

/// Rows whose gradient is an outer product, plus a ready row where `extra` names one: row items[j] (or j where `items`
/// is null) has gradient sum_lane d[lane, j] x[lane, :] + extra[j].
template <class Scalar>
struct OuterGradients {
    Index count = 0;
    const ItemIndex* items = nullptr;
    LaneMatrix<const Scalar> d;
    detail::Rows<const Scalar> x;
    Index n_lanes = 0;
    const Scalar* const* extra = nullptr;
};

/// Applies one rule to parameters. Each row must appear once in a call.
template <class Scalar>
class Optimizer {
  public:
    Optimizer(AnyRule<Scalar> rule, StepSize<Scalar> size) : rule_(rule), size_(size) {}

    [[nodiscard]] Learned<Scalar> learn(detail::Parameter<Scalar>& parameter,
                                        LastColumn last = LastColumn::weight) const {
        return Learned<Scalar>(parameter, rule_, size_.momentum != 0 ? Velocity::kept : Velocity::none, last);
    }
    /// Room for updates of `count` rows in a call, so that no update allocates.
    void reserve(Index count) { factors_.resize((std::max)(factors_.size(), static_cast<std::size_t>(count))); }
    void set_learning_rate(Scalar rate) noexcept { size_.learning_rate = rate; }

    /// @complexity O(n_lanes count cols), in parallel over rows
    void update(Learned<Scalar>& learned, const OuterGradients<Scalar>& gradients);

    /// @complexity O(count width), in parallel over rows
    void update(Learned<Scalar>& learned, const RowGradients<Scalar>& gradients);

  private:
    enum class Bias { updated, spared };

    /// Calls `run(sink)` with the sink of the chosen rule.
    template <class Run>
    void apply(Learned<Scalar>& learned, const ItemIndex* items, Index count, Bias bias, const Scalar* const* extra,
               Run&& run) {
        std::visit(
            [&](const auto& rule) {
                using Rule = std::decay_t<decltype(rule)>;
                if constexpr (Rule::counts_updates) {
                    reserve(count);
                    for (Index j = 0; j < count; ++j) {
                        const Index row = items == nullptr ? j : to_index(items[j]);
                        detail::RowFactors<Scalar>& factors = factors_[static_cast<std::size_t>(j)];
                        factors.weights = rule.factors(learned.count_update(row));
                        if (learned.bias_column() >= 0 && bias == Bias::updated) {
                            factors.bias = rule.factors(learned.count_bias_update(row));
                        }
                    }
                }
                if (size_.momentum != 0) {
                    run(detail::RowUpdate<Scalar, Rule, true>(learned, rule, size_, items, extra, factors_.data()));
                } else {
                    run(detail::RowUpdate<Scalar, Rule, false>(learned, rule, size_, items, extra, factors_.data()));
                }
            },
            rule_);
    }

    AnyRule<Scalar> rule_;
    StepSize<Scalar> size_;
    std::vector<detail::RowFactors<Scalar>> factors_;  // scratch, one per row of a call
};

// Defined outside the class: members defined inside are inline, and `extern template class gru4rec::Optimizer<float>`
// would not keep the compiler from compiling them again (gru4rec/compiled.hpp).

template <class Scalar>
void Optimizer<Scalar>::update(Learned<Scalar>& learned, const OuterGradients<Scalar>& gradients) {
    const Index width = learned.parameter().cols();
    const detail::Chunks chunks = detail::chunks_by_work(gradients.count, detail::tile_multiple,
                                                         static_cast<double>(width * (2 * gradients.n_lanes + 20)),
                                                         detail::outer_flops_per_chunk);
    apply(learned, gradients.items, gradients.count, Bias::updated, gradients.extra, [&](const auto& sink) {
        detail::parallel_ranges(chunks, [&](Index begin, Index end) {
            detail::for_each_outer_row<Scalar>(gradients.d, begin, end, gradients.x, gradients.n_lanes, width, sink);
        });
    });
}

template <class Scalar>
void Optimizer<Scalar>::update(Learned<Scalar>& learned, const RowGradients<Scalar>& gradients) {
    const Index width = detail::padded<Scalar>(gradients.width);
    const bool spare_bias = learned.bias_column() >= gradients.width;
    const detail::Chunks chunks =
        detail::chunks_by_work(gradients.count, 1, static_cast<double>(width), detail::row_values_per_chunk);
    apply(learned, gradients.items, gradients.count, spare_bias ? Bias::spared : Bias::updated, nullptr,
          [&](const auto& sink) {
              detail::parallel_ranges(chunks, [&](Index begin, Index end) {
                  const auto update = sink;
                  for (Index j = begin; j < end; ++j) {
                      const Scalar* const gradient = gradients.gradient[j];
                      const auto saved = update.save_bias(j);
                      const auto row = update.row(j);
                      for (Index at = 0; at < width; at += detail::packet_size<Scalar>) {
                          update.prefetch((std::min)(j + 1, end - 1), at);
                          row(at, detail::simd::pload<detail::Packet<Scalar>>(gradient + at));
                      }
                      if (spare_bias) {
                          update.restore_bias(j, saved);
                      }
                  }
              });
          });
}

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
