#ifndef GRU4REC_NN_CELL_HPP
#define GRU4REC_NN_CELL_HPP

#include "gru4rec/core/simd.hpp"

// The equations of both cells that go by the name GRU, element by element: h is the state that enters the step, h' the
// state that leaves it, o the element-wise product, s the logistic function. Training and live sessions compute the
// matrix products in different ways and share what is here. V is a SimdVector, or a Register of one.
namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The cell of the papers and of the original code (arXiv 1511.06939, section 2): the reset gate acts on the state
/// before the product. One bias, blocks [candidate | r | z].
///
///     r = s(W_xr x + b_r + W_r h)     z = s(W_xz x + b_z + W_z h)
///     c = act(W_xc x + b_c + W_h (r o h))         h' = (1 - z) o h + z o c
struct ResetBefore {
    /// The gates of a step, element by element.
    template <class V>
    struct Gates {
        V r;            ///< reset gate
        V z;            ///< update gate
        V reset_state;  ///< r o h
    };

    /// From the gates' sums and the state that enters the step.
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE Gates<V> gates(V r_sum, V z_sum, V h) noexcept {
        const V r = sigmoid(r_sum);
        return {r, sigmoid(z_sum), r * h};
    }

    /// h' from the update gate and the candidate.
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V next_state(V z, V c, V h) noexcept {
        return multiply_add(z, c - h, h);
    }

    // From g = dL/dh' the gradients of the gates' sums:
    //
    //     dc~ = g o z o act'(c)   dz~ = g o (c - h) o z o (1 - z)   dr~ = u o h o r o (1 - r),  u = dc~ W_h
    //     dh = g o (1 - z) + u o r + [dr~ | dz~] W_rz

    /// dc~. @param d_act  act'(c)
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V d_candidate(V g, V z, V d_act) noexcept {
        return g * z * d_act;
    }

    /// dz~
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V d_update_gate(V g, V z, V c, V h) noexcept {
        return g * (c - h) * z * (V(1) - z);
    }

    /// dr~
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V d_reset_gate(V u, V h, V r) noexcept {
        return u * h * r * (V(1) - r);
    }

    /// dh without its last term.
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V d_state(V g, V z, V u, V r) noexcept {
        return multiply_add(u, r, g * (V(1) - z));
    }
};

/// The cell of cuDNN and of PyTorch's GRUCell: the reset gate acts on the product. Two biases, blocks [r | z | n].
///
///     r = s(W_ir x + b_ir + W_hr h + b_hr)     z = s(W_iz x + b_iz + W_hz h + b_hz)
///     n = tanh(W_in x + b_in + r o q),  q = W_hn h + b_hn         h' = (1 - z) o n + z o h
struct ResetAfter {
    /// The gates of a step, element by element.
    template <class V>
    struct Gates {
        V r;           ///< reset gate
        V z;           ///< update gate
        V n;           ///< candidate
        V next_state;  ///< h'
    };

    /// @param n_sum  only of the input side
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE Gates<V> gates(V r_sum, V z_sum, V n_sum, V q, V h) noexcept {
        const V r = sigmoid(r_sum);
        const V z = sigmoid(z_sum);
        const V n = tanh(multiply_add(r, q, n_sum));
        return {r, z, n, multiply_add(z, h - n, n)};
    }

    /// Gradients of the gates' sums, element by element.
    template <class V>
    struct Gradients {
        V r;         ///< dr~, of both sides
        V z;         ///< dz~, of both sides
        V n;         ///< of the input side
        V n_hidden;  ///< of the hidden side
    };

    /// From g = dL/dh' the gradients of the gates' sums. Input side [dr~ | dz~ | dn~], hidden side
    /// [dr~ | dz~ | dn~ o r]:
    ///
    ///     dn~ = g o (1 - z) o (1 - n^2)   dz~ = g o (h - n) o z o (1 - z)   dr~ = dn~ o q o r o (1 - r)
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE Gradients<V> backward(V g, const Gates<V>& gates, V q, V h) noexcept {
        const V one(1);
        const V d_n = g * (one - gates.z) * (one - gates.n * gates.n);
        const V d_z = g * (h - gates.n) * gates.z * (one - gates.z);
        const V d_r = d_n * q * gates.r * (one - gates.r);
        return {d_r, d_z, d_n, d_n * gates.r};
    }

    /// dh = g o z + [dr~ | dz~ | dn~ o r] W_hh, without its last term.
    template <class V>
    [[nodiscard]] static GRU4REC_ALWAYS_INLINE V d_state(V g, V z) noexcept {
        return g * z;
    }
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
