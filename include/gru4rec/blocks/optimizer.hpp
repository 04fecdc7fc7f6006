#ifndef GRU4REC_BLOCKS_OPTIMIZER_HPP
#define GRU4REC_BLOCKS_OPTIMIZER_HPP

#include "gru4rec/batch/item_numbers.hpp"
#include "gru4rec/blocks/matrices.hpp"
#include "gru4rec/blocks/one_hot_input.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "gru4rec/optim/rules.hpp"
#include "gru4rec/optim/update.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

// Adagrad and the other rules of optim/rules.hpp, or a rule of the user's own, on Eigen matrices. An update changes all
// rows of a matrix, or only those of a SparseGradient.
//
// Compile time (g++ 12, -O3): including this header takes about as long as including Eigen and TBB; using it for one
// rule takes 2.3 times as long.
namespace gru4rec {
inline namespace GRU4REC_ABI {

template <class Scalar>
class Optimizer;

/// What an optimiser remembers of one matrix: the rule's numbers, counts of updates, the velocity of momentum. Also
/// scratch memory of the matrix's size: an update copies the weights into it and back.
template <class Scalar>
class OptimizerState {
  public:
    [[nodiscard]] Index rows() const noexcept { return memory_->weights.rows(); }  ///< of the matrix
    [[nodiscard]] Index cols() const noexcept { return memory_->weights.cols(); }  ///< of the matrix

    /// The i-th of the rule's numbers, one for each weight: the sums of squares of Adagrad.
    /// @pre 0 <= i < n_numbers()
    [[nodiscard]] auto number(Index i) const { return detail::at(memory_->optimized.state(), i).map(); }
    /// Matrices of numbers that the rule keeps: 0 for Sgd, 1 for Adagrad, 2 for Adam.
    [[nodiscard]] Index n_numbers() const noexcept { return static_cast<Index>(memory_->optimized.state().size()); }

  private:
    friend class Optimizer<Scalar>;

    struct Memory {
        template <class Engine>
        Memory(Index rows, Index cols, const Engine& engine) : weights(rows, cols), optimized(engine.add(weights)) {}

        detail::PaddedMatrix<Scalar> weights;
        detail::OptimizedParameter<Scalar> optimized;  // refers to `weights`
        detail::PaddedMatrix<Scalar> gradient;         // as many rows as the largest update had
        std::vector<const Scalar*> gradient_rows;
    };

    explicit OptimizerState(std::unique_ptr<Memory> memory) noexcept : memory_(std::move(memory)) {}

    std::unique_ptr<Memory> memory_;
};

/// Updates any number of matrices, each with a state of its own:
/// v = momentum v - learning_rate (step + lmbd p); p += v, with the step of the rule.
///
///     Optimizer<float> optimizer(Adagrad<float>{}, {.learning_rate = 0.1F});
///     auto state = optimizer.state_for(weights);
///     optimizer.update(weights, gradient, state);
///
/// @threads an update is spread over the caller's TBB arena; an optimiser serves one thread at a time
template <class Scalar>
class Optimizer {
  public:
    /// @param rule  of optim/rules.hpp, or any OptimizerRule
    template <class Rule>
    explicit Optimizer(Rule rule, StepSize<Scalar> size = {})
        : engine_(std::make_unique<EngineOf<Rule>>(std::move(rule), size)) {
        static_assert(OptimizerRule<Rule, Scalar>,
                      "gru4rec: an optimiser rule needs n_state (0 to 2), counts_updates and, for SIMD vectors V, "
                      "V step(V g, V* state, const V* factors) const; with counts_updates also factors(n) "
                      "(docs/extend.md)");
    }

    /// The state of a matrix, all zero. Keep one for each matrix, and use it for that matrix only.
    template <class Derived>
    [[nodiscard]] OptimizerState<Scalar> state_for(const Eigen::EigenBase<Derived>& weights) const {
        return OptimizerState<Scalar>(engine_->make_state(weights.rows(), weights.cols()));
    }

    /// Takes effect with the next update; numbers and velocities are kept. The rate is not checked.
    void set_learning_rate(Scalar rate) noexcept { engine_->set_learning_rate(rate); }

    /// Updates all rows.
    ///
    /// @param weights   a matrix, row vector, block or map that can be assigned to
    /// @param gradient  of the same shape
    /// @throws ConfigError for wrong shapes, or a state that keeps other numbers than this rule and
    ///         momentum need
    template <class Weights, class Derived>
    void update(Weights&& weights, const Eigen::MatrixBase<Derived>& gradient, OptimizerState<Scalar>& state) {
        check(weights, state);
        detail::require_shape("gradient", gradient, "the shape of the weights", detail::shape_of(weights));
        typename OptimizerState<Scalar>::Memory& memory = *state.memory_;
        reserve(memory, weights.rows());
        memory.weights.map() = weights;
        memory.gradient.map().topRows(weights.rows()) = gradient;
        engine_->update(memory.optimized, {weights.rows(), weights.cols(), nullptr, memory.gradient_rows.data()});
        weights = memory.weights.map();
    }

    /// Updates the rows that have a gradient; all others, and their state, stay as they are.
    ///
    /// @throws ConfigError for wrong shapes, an item without a row or named twice, or a state that keeps
    ///         other numbers than this rule and momentum need
    /// @complexity O(rows of the gradient)
    template <class Weights>
    void update(Weights&& weights, const SparseGradient<Scalar>& gradient, OptimizerState<Scalar>& state) {
        check(weights, state);
        const auto n = static_cast<Index>(gradient.items.size());
        if (n == 0 && gradient.rows.size() == 0) {
            return;
        }
        detail::require_shape("SparseGradient::rows", gradient.rows, "(items, columns of the weights)",
                              {n, weights.cols()});
        require_distinct(gradient.items, weights.rows());
        typename OptimizerState<Scalar>::Memory& memory = *state.memory_;
        reserve(memory, n);
        memory.gradient.map().topRows(n) = gradient.rows;
        for (const ItemIndex item : gradient.items) {
            memory.weights.map().row(to_index(item)) = weights.row(to_index(item));
        }
        engine_->update(memory.optimized, {n, weights.cols(), gradient.items.data(), memory.gradient_rows.data()});
        for (const ItemIndex item : gradient.items) {
            weights.row(to_index(item)) = memory.weights.map().row(to_index(item));
        }
    }

  private:
    using Memory = typename OptimizerState<Scalar>::Memory;

    /// The rule is known where the optimiser is made, not in its type.
    struct Engine {
        Engine() = default;
        Engine(const Engine&) = delete;
        Engine& operator=(const Engine&) = delete;
        virtual ~Engine() = default;
        [[nodiscard]] virtual std::unique_ptr<Memory> make_state(Index rows, Index cols) const = 0;
        [[nodiscard]] virtual bool fits(OptimizerState<Scalar>& state) const = 0;
        virtual void set_learning_rate(Scalar rate) noexcept = 0;
        virtual void update(detail::OptimizedParameter<Scalar>& parameter,
                            const detail::RowGradients<Scalar>& gradients) = 0;
    };

    template <class Rule>
    struct EngineOf final : Engine {
        EngineOf(Rule rule, StepSize<Scalar> size)
            : optimizer(std::move(rule), size), has_velocity(size.momentum != 0) {}

        [[nodiscard]] std::unique_ptr<Memory> make_state(Index rows, Index cols) const override {
            return std::make_unique<Memory>(rows, cols, optimizer);
        }
        [[nodiscard]] bool fits(OptimizerState<Scalar>& state) const override {
            detail::OptimizedParameter<Scalar>& memory = state.memory_->optimized;
            return state.n_numbers() == Rule::n_state &&
                   (state.rows() == 0 ||
                    (memory.counts_updates() == Rule::counts_updates && memory.velocity().empty() != has_velocity));
        }
        void set_learning_rate(Scalar rate) noexcept override { optimizer.set_learning_rate(rate); }
        void update(detail::OptimizedParameter<Scalar>& parameter,
                    const detail::RowGradients<Scalar>& gradients) override {
            optimizer.update(parameter, gradients);
        }

        detail::RowOptimizer<Scalar, Rule> optimizer;
        bool has_velocity;
    };

    template <class Weights>
    void check(const Weights& weights, OptimizerState<Scalar>& state) const {
        detail::require_shape("weights", weights, "the shape of the state", {state.rows(), state.cols()});
        if (!engine_->fits(state)) {
            detail::throw_invalid(
                "the state is that of another rule or of another momentum: make it with state_for of "
                "this optimiser");
        }
    }

    static void require_distinct(const std::vector<ItemIndex>& items, Index n_rows) {
        detail::ItemNumbers seen(static_cast<Index>(items.size()));
        for (const ItemIndex item : items) {
            detail::require_row(item, n_rows);
            if (seen.find(item) >= 0) {
                detail::throw_invalid("a SparseGradient has item " + std::to_string(to_index(item)) +
                                      " twice: add its rows up first, as merged and gather_gradient do");
            }
            seen.find_or_insert(item, 0);
        }
    }

    static void reserve(Memory& memory, Index n_rows) {
        if (memory.gradient.rows() >= n_rows && !memory.gradient.empty()) {
            return;
        }
        memory.gradient = detail::PaddedMatrix<Scalar>(n_rows, memory.weights.cols());
        memory.gradient_rows.clear();
        for (Index i = 0; i < n_rows; ++i) {
            memory.gradient_rows.push_back(memory.gradient.row(i));
        }
    }

    std::unique_ptr<Engine> engine_;
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
