// Optimisers on Eigen matrices: a dense gradient, the gradient of some rows, and a rule of one's own.
#include "gru4rec/blocks/optimizer.hpp"

#include <cstdio>

using namespace gru4rec;

// Lion (arXiv 2302.06675), without weight decay: the sign of a running mean of gradients; 0.9 and 0.99 are the paper's
// decay rates. V is a SIMD vector: the rule is written once and runs on whole registers.
struct Lion {
    static constexpr int n_state = 1;  // numbers kept per weight
    static constexpr bool counts_updates = false;

    template <class V>
    V step(V g, V* state, const V*) const {
        const V mean = V(0.9) * state[0] + V(0.1) * g;
        state[0] = V(0.99) * state[0] + V(0.01) * g;
        return select(mean > V(0), V(1), select(mean < V(0), V(-1), V(0)));
    }
};

// Minimises |p - goal|^2 / 2, whose gradient is p - goal.
void minimise(const char* name, Optimizer<double> optimizer) {
    const Matrix<double> goal = Matrix<double>::Constant(3, 2, 1);
    Matrix<double> p = Matrix<double>::Zero(3, 2);
    auto state = optimizer.state_for(p);  // what the rule remembers of p
    std::printf("%-22s", name);
    for (int step = 1; step <= 60; ++step) {
        optimizer.update(p, p - goal, state);
        if (step % 20 == 0) {
            std::printf("  p = %.4f after %d", p(0, 0), step);
        }
    }
    std::printf("\n");
}

int main() {
    minimise("SGD", Optimizer<double>(Sgd<double>{}, {.learning_rate = 0.1}));
    minimise("SGD with momentum 0.5", Optimizer<double>(Sgd<double>{}, {.learning_rate = 0.1, .momentum = 0.5}));
    minimise("Adagrad", Optimizer<double>(Adagrad<double>{}, {.learning_rate = 0.1}));
    minimise("Adam", Optimizer<double>(Adam<double>{}, {.learning_rate = 0.1}));
    minimise("Lion", Optimizer<double>(Lion{}, {.learning_rate = 0.05}));

    // Rows of a table: only these and their state change, in O(rows).
    RowMatrix<double> table = RowMatrix<double>::Zero(1000, 2);
    Optimizer<double> optimizer(Adagrad<double>{}, {.learning_rate = 0.1});
    auto state = optimizer.state_for(table);
    const SparseGradient<double> gradient{{to_item(3), to_item(999)}, RowMatrix<double>::Ones(2, 2)};
    optimizer.update(table, gradient, state);
    optimizer.update(table, gradient, state);
    std::printf("row 3: %.4f, row 4: %.4f, row 999: %.4f; Adagrad's sums of squares: %.0f, %.0f, %.0f\n", table(3, 0),
                table(4, 0), table(999, 0), state.number(0)(3, 0), state.number(0)(4, 0), state.number(0)(999, 0));
}
