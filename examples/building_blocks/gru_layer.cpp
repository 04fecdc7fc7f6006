// A GRU layer forward and backward, and its gradient checked against finite differences:
//
//     r = s(W_xr x + b_r + W_r h)     z = s(W_xz x + b_z + W_z h)       reset and update gate
//     c = tanh(W_xc x + b_c + W_h (r o h))                              candidate
//     h' = (1 - z) o h + z o c
//
// s is the logistic function, o the product element by element. In the code lanes are rows: W x is x W^T there.
#include "gru4rec/blocks/gru_layer.hpp"

#include <cmath>
#include <cstdio>

int main() {
    using namespace gru4rec;
    constexpr Index lanes = 5, width = 3, units = 4;
    GruLayer<double> layer(width, units);  // GruLayer<double, ResetAfter> is the cell of PyTorch
    layer.initialise(42);
    layer.bias().tail(units).setConstant(-1);  // blocks [candidate | r | z]: z mostly keeps the state

    const Matrix<double> x1 = Matrix<double>::Ones(lanes, width);
    const Matrix<double> x2 = -x1;
    const Matrix<double> h0 = Matrix<double>::Zero(lanes, units);
    const auto loss = [&] { return layer.forward(x2, layer.forward(x1, h0)).sum(); };  // of two steps

    // Forward. A record keeps what the backward pass of its step needs.
    GruRecord<double> first, second;
    const Matrix<double> h1 = layer.forward(x1, h0, first);
    const Matrix<double> h2 = layer.forward(x2, h1, second);
    std::printf("unit 0 of lane 0: h0 %.4f -> h1 %.4f -> h2 %.4f\n", h0(0, 0), h1(0, 0), h2(0, 0));

    // Backward through time. dL/dh2 is 1 everywhere; d_h of the second step is dL/dh1.
    const auto g2 = layer.backward(Matrix<double>::Ones(lanes, units), second);
    const auto g1 = layer.backward(g2.d_h, first);
    const RowMatrix<double> d_w_gates = g1.d_w_gates + g2.d_w_gates;

    // Weights are views of the layer's memory: write to one and the layer changes.
    double largest_error = 0;
    for (Index i = 0; i < layer.w_gates().rows(); ++i) {
        for (Index j = 0; j < layer.w_gates().cols(); ++j) {
            double& weight = layer.w_gates()(i, j);
            const double before = weight;
            weight = before + 1e-5;
            const double above = loss();
            weight = before - 1e-5;
            const double below = loss();
            weight = before;
            const double numeric = (above - below) / 2e-5;
            largest_error = std::fmax(largest_error, std::fabs(numeric - d_w_gates(i, j)));
            if (i == units && j == 0) {
                std::printf("dL/dW_z(0, 0): backward %.8f, finite differences %.8f\n", d_w_gates(i, j), numeric);
            }
        }
    }
    std::printf("largest difference over %td weights of the gates: %.0e\n", d_w_gates.size(), largest_error);
    return largest_error < 1e-8 ? 0 : 1;
}
