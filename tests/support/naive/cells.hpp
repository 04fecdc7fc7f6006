#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_CELLS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_CELLS_HPP

#include "support/naive/activations.hpp"
#include "support/naive/matrix.hpp"

#include <cmath>
#include <cstddef>

namespace naive {

/// Both cells start from the input's share of the gates, `gates` (M, 3H) = x W_x + input bias, so that a one-hot input
/// (a table row) and an embedding look alike to them. H is the number of units, `entering` (M, H) the state before the
/// step.
///
/// What the backward passes return: `d_gates` (M, 3H) is the gradient of `gates`, `d_entering` that of the entering
/// state, which only backpropagation through time looks at.

/// arXiv 1511.06939; blocks [candidate | r | z]:
///     r = s(x_r + H W_r)   z = s(x_z + H W_z)   c = act(x_c + (r o H) W_h)   h = (1 - z) o H + z o c
struct ResetBefore {
    const Matrix& W_rz;  ///< (H, 2H), blocks [r | z]
    const Matrix& W_h;   ///< (H, H)
    Activation act = {Activation::Kind::tanh};

    struct Pass {
        Matrix entering, r, z, c_before, c, h;  ///< c_before: the candidate before its activation
    };

    struct Gradients {
        Matrix d_gates, d_W_rz, d_W_h, d_entering;
    };

    [[nodiscard]] Pass forward(const Matrix& gates, const Matrix& entering) const {
        const std::size_t lanes = entering.rows;
        const std::size_t units = entering.cols;
        require_shape(gates, lanes, 3 * units, "gates");
        require_shape(W_rz, units, 2 * units, "W_rz");
        require_shape(W_h, units, units, "W_h");
        Pass pass{entering, Matrix(lanes, units), Matrix(lanes, units), {}, Matrix(lanes, units), Matrix(lanes, units)};
        const Matrix hidden_rz = product(entering, W_rz);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                pass.r(i, k) = sigmoid(gates(i, units + k) + hidden_rz(i, k));
                pass.z(i, k) = sigmoid(gates(i, 2 * units + k) + hidden_rz(i, units + k));
            }
        }
        pass.c_before = product(elementwise_product(pass.r, entering), W_h);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                pass.c_before(i, k) += gates(i, k);
                pass.c(i, k) = act.value(pass.c_before(i, k));
                pass.h(i, k) = (1 - pass.z(i, k)) * entering(i, k) + pass.z(i, k) * pass.c(i, k);
            }
        }
        return pass;
    }

    /// @param g  gradient of the loss with respect to pass.h, (M, H)
    [[nodiscard]] Gradients backward(const Pass& pass, const Matrix& g) const {
        const std::size_t lanes = g.rows;
        const std::size_t units = g.cols;
        Matrix d_c(lanes, units);
        Matrix d_rz(lanes, 2 * units);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                const double z = pass.z(i, k);
                d_c(i, k) = g(i, k) * z * act.slope(pass.c_before(i, k));
                d_rz(i, units + k) = g(i, k) * (pass.c(i, k) - pass.entering(i, k)) * z * (1 - z);
            }
        }
        const Matrix u = product_with_transposed(d_c, W_h);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                const double r = pass.r(i, k);
                d_rz(i, k) = u(i, k) * pass.entering(i, k) * r * (1 - r);
            }
        }
        Gradients result;
        result.d_W_h = product_of_transposed(elementwise_product(pass.r, pass.entering), d_c);
        result.d_W_rz = product_of_transposed(pass.entering, d_rz);
        result.d_entering = product_with_transposed(d_rz, W_rz);
        result.d_gates = Matrix(lanes, 3 * units);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                result.d_gates(i, k) = d_c(i, k);
                result.d_gates(i, units + k) = d_rz(i, k);
                result.d_gates(i, 2 * units + k) = d_rz(i, units + k);
                result.d_entering(i, k) += g(i, k) * (1 - pass.z(i, k)) + u(i, k) * pass.r(i, k);
            }
        }
        return result;
    }
};

/// The cell of cuDNN and of PyTorch's GRUCell; blocks [r | z | n], and the hidden side has its own bias:
///     r = s(x_r + hid_r)   z = s(x_z + hid_z)   n = tanh(x_n + r o hid_n)   h = (1 - z) o n + z o H
/// with hid = H W_hh^T + b_hh.
struct ResetAfter {
    const Matrix& W_hh;  ///< (3H, H)
    const Matrix& b_hh;  ///< (1, 3H)

    struct Pass {
        Matrix entering, r, z, n, hidden_n, h;  ///< hidden_n: W_hn H + b_hn
    };

    struct Gradients {
        Matrix d_gates, d_W_hh, d_b_hh, d_entering;
    };

    [[nodiscard]] Pass forward(const Matrix& gates, const Matrix& entering) const {
        const std::size_t lanes = entering.rows;
        const std::size_t units = entering.cols;
        require_shape(gates, lanes, 3 * units, "gates");
        require_shape(W_hh, 3 * units, units, "W_hh");
        Matrix hidden = product_with_transposed(entering, W_hh);
        add_to_each_row(hidden, b_hh);
        Pass pass{entering,
                  Matrix(lanes, units),
                  Matrix(lanes, units),
                  Matrix(lanes, units),
                  Matrix(lanes, units),
                  Matrix(lanes, units)};
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                const double r = sigmoid(gates(i, k) + hidden(i, k));
                const double z = sigmoid(gates(i, units + k) + hidden(i, units + k));
                const double hidden_n = hidden(i, 2 * units + k);
                const double n = std::tanh(gates(i, 2 * units + k) + r * hidden_n);
                pass.r(i, k) = r;
                pass.z(i, k) = z;
                pass.n(i, k) = n;
                pass.hidden_n(i, k) = hidden_n;
                pass.h(i, k) = (1 - z) * n + z * entering(i, k);
            }
        }
        return pass;
    }

    /// @param g  gradient of the loss with respect to pass.h, (M, H)
    [[nodiscard]] Gradients backward(const Pass& pass, const Matrix& g) const {
        const std::size_t lanes = g.rows;
        const std::size_t units = g.cols;
        Gradients result;
        result.d_gates = Matrix(lanes, 3 * units);
        Matrix d_hidden(lanes, 3 * units);
        for (std::size_t i = 0; i < lanes; ++i) {
            for (std::size_t k = 0; k < units; ++k) {
                const double r = pass.r(i, k);
                const double z = pass.z(i, k);
                const double n = pass.n(i, k);
                const double d_n = g(i, k) * (1 - z) * (1 - n * n);
                const double d_z = g(i, k) * (pass.entering(i, k) - n) * z * (1 - z);
                const double d_r = d_n * pass.hidden_n(i, k) * r * (1 - r);
                result.d_gates(i, k) = d_r;
                result.d_gates(i, units + k) = d_z;
                result.d_gates(i, 2 * units + k) = d_n;
                d_hidden(i, k) = d_r;
                d_hidden(i, units + k) = d_z;
                d_hidden(i, 2 * units + k) = d_n * r;
            }
        }
        result.d_W_hh = product_of_transposed(d_hidden, pass.entering);
        result.d_b_hh = column_sums(d_hidden);
        result.d_entering = product(d_hidden, W_hh);
        add(result.d_entering, elementwise_product(g, pass.z));
        return result;
    }
};

}  // namespace naive

#endif
