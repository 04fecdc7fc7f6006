#include "gru4rec/optim/gradient_clipping.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::LaneMatrix;
using gru4rec::OuterGradients;
using gru4rec::RowGradients;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::Rows;
using gru4rec::detail::SquaredNorm;

/// d (n_lanes, n_rows) and x (n_lanes, width) from functions of lane and column.
template <class Scalar>
struct Outer {
    template <class D, class X>
    Outer(Index n_lanes_, Index n_rows_, Index width_, const D& of_d, const X& of_x)
        : n_lanes(n_lanes_),
          n_rows(n_rows_),
          stride(gru4rec::detail::row_stride<Scalar>(n_lanes)),
          x_stride(gru4rec::detail::row_stride<Scalar>(width_)),
          d(stride * gru4rec::detail::padded<Scalar>(n_rows)),
          x(gru4rec::detail::padded<Scalar>(n_lanes) * x_stride) {
        for (Index m = 0; m < n_lanes; ++m) {
            for (Index j = 0; j < n_rows; ++j) {
                d[j * stride + m] = static_cast<Scalar>(of_d(m, j));
            }
            for (Index k = 0; k < width_; ++k) {
                x[m * x_stride + k] = static_cast<Scalar>(of_x(m, k));
            }
        }
    }

    [[nodiscard]] OuterGradients<Scalar> gradients(const Scalar* const* extra = nullptr) const {
        return {n_rows, nullptr, {d.data(), stride}, {x.data(), x_stride}, n_lanes, extra};
    }

    Index n_lanes, n_rows, stride, x_stride;
    AlignedBuffer<Scalar> d, x;
};

template <class Scalar>
void check_by_hand() {
    const double of_d[2][2] = {{1, -1}, {2, 0}};
    const double of_x[2][2] = {{3, 4}, {5, 6}};
    const Outer<Scalar> outer(
        2, 2, 2, [&](Index m, Index j) { return of_d[m][j]; }, [&](Index m, Index k) { return of_x[m][k]; });
    AlignedBuffer<Scalar> more(gru4rec::detail::padded<Scalar>(2));
    more[0] = 1;
    const Scalar* const extra[2] = {more.data(), nullptr};
    SquaredNorm<Scalar> norm(2);
    norm.start();
    norm.add(outer.gradients(), 2);  // [13 16], [-3 -4]
    CHECK(norm.value() == 169 + 256 + 9 + 16);
    norm.start();
    norm.add(outer.gradients(extra), 2);  // [14 16], [-3 -4]
    CHECK(norm.value() == 196 + 256 + 9 + 16);
    more[1] = 2;
    norm.add(RowGradients<Scalar>{1, 2, nullptr, extra});  // [1 2]
    CHECK(norm.value() == 196 + 256 + 9 + 16 + 5);
}

}  // namespace

TEST_CASE("squares of outer products, of what is added to them and of ready rows, worked out by hand") {
    check_by_hand<float>();
    check_by_hand<double>();
}

TEST_CASE("squares that float cannot hold are still summed") {
    AlignedBuffer<float> row(gru4rec::detail::padded<float>(1));
    row[0] = 1e30F;
    const float* const rows[1] = {row.data()};
    SquaredNorm<float> norm(1);
    norm.add(RowGradients<float>{1, 1, nullptr, rows});
    CHECK(std::sqrt(norm.value()) == doctest::Approx(1e30).epsilon(1e-6));
}

TEST_CASE("many rows: the plain sum, with the same bits for any number of threads") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    const Outer<float> outer(
        37, 1500, 131, [](Index m, Index j) { return std::sin(static_cast<double>(m * 7 + j)); },
        [](Index m, Index k) { return std::cos(static_cast<double>(m + 3 * k)); });
    double plain = 0;
    for (Index j = 0; j < outer.n_rows; ++j) {
        for (Index k = 0; k < 131; ++k) {
            double g = 0;
            for (Index m = 0; m < outer.n_lanes; ++m) {
                g += static_cast<double>(outer.d[j * outer.stride + m]) *
                     static_cast<double>(outer.x[m * outer.x_stride + k]);
            }
            plain += g * g;
        }
    }
    const auto measured = [&](int threads) {
        SquaredNorm<float> norm(1500);
        gru4rec::with_threads(threads, [&] { norm.add(outer.gradients(), 131); });
        return norm.value();
    };
    CHECK(measured(1) == doctest::Approx(plain).epsilon(1e-5));
    CHECK(measured(1) == measured(2));
    CHECK(measured(1) == measured(4));
}
