#include "gru4rec/optim/gradient_clipping.hpp"

#include "support/naive/matrix.hpp"
#include "support/random_outer.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::GradientCap;
using gru4rec::detail::LastColumn;
using gru4rec::detail::OptimizedParameter;
using gru4rec::detail::OuterGradients;
using gru4rec::detail::PaddedMatrix;
using gru4rec::detail::RowGradients;
using gru4rec::detail::RowOptimizer;

/// A parameter of zeros under plain descent with learning rate 1: an update subtracts the gradients.
template <class Scalar>
struct Descent {
    Descent(Index rows, Index cols, LastColumn last = LastColumn::weight)
        : parameter(rows, cols),
          optimizer(gru4rec::Sgd<Scalar>{}, {1, 0, 0}),
          optimized(optimizer.add(parameter, last)) {}

    PaddedMatrix<Scalar> parameter;
    RowOptimizer<Scalar> optimizer;
    OptimizedParameter<Scalar> optimized;
};

/// d (n_lanes, n_rows) and x (n_lanes, width) from functions of lane and column.
template <class Scalar>
struct Outer {
    template <class D, class X>
    Outer(const OuterShape& shape, const D& of_d, const X& of_x)
        : n_lanes(shape.n_lanes),
          n_rows(shape.rows),
          stride(gru4rec::detail::row_stride<Scalar>(n_lanes)),
          d(stride * gru4rec::detail::padded<Scalar>(n_rows)),
          x(n_lanes, shape.features) {
        for (Index m = 0; m < n_lanes; ++m) {
            for (Index j = 0; j < n_rows; ++j) {
                d[j * stride + m] = static_cast<Scalar>(of_d(m, j));
            }
            for (Index k = 0; k < shape.features; ++k) {
                x.row(m)[k] = static_cast<Scalar>(of_x(m, k));
            }
        }
    }

    [[nodiscard]] OuterGradients<Scalar> gradients(const Scalar* const* extra = nullptr) const {
        return {n_rows, nullptr, {{d.data(), stride}, {x.data(), x.stride()}, n_lanes}, extra};
    }

    Index n_lanes, n_rows, stride;
    AlignedBuffer<Scalar> d;
    PaddedMatrix<Scalar> x;
};

/// The norm of what was added: a cap of a millionth part of the expected norm is below it for certain.
template <class Scalar, class... Gradients>
double norm_of(const OptimizedParameter<Scalar>& parameter, double expected, const Gradients&... gradients) {
    const double cap_value = expected * 1e-6;
    GradientCap<Scalar> cap(cap_value, parameter.parameter().rows());
    cap.start();
    (cap.add(parameter, gradients), ...);
    return cap_value / static_cast<double>(cap.scale());
}

/// A multiple of whole squares: exact but for the last division.
auto about(double norm) { return doctest::Approx(norm).epsilon(1e-6); }

}  // namespace

TEST_CASE_TEMPLATE("the norm of outer products, of what is added to them and of ready rows, worked out by hand", Scalar,
                   float, double) {
    const double of_d[2][2] = {{1, -1}, {2, 0}};
    const double of_x[2][2] = {{3, 4}, {5, 6}};
    const Outer<Scalar> outer(
        {2, 2, 2}, [&](Index m, Index j) { return of_d[m][j]; }, [&](Index m, Index k) { return of_x[m][k]; });
    AlignedBuffer<Scalar> more(gru4rec::detail::padded<Scalar>(2));
    more[0] = 1;
    const Scalar* const extra[2] = {more.data(), nullptr};
    const Descent<Scalar> of(2, 2);
    const double plain = std::sqrt(169.0 + 256 + 9 + 16);  // [13 16], [-3 -4]
    CHECK(norm_of(of.optimized, plain, outer.gradients()) == about(plain));
    const double with_extra = std::sqrt(196.0 + 256 + 9 + 16);  // [14 16], [-3 -4]
    CHECK(norm_of(of.optimized, with_extra, outer.gradients(extra)) == about(with_extra));
    const double with_row = std::sqrt(196.0 + 256 + 9 + 16 + 1);  // and [1 0]
    const RowGradients<Scalar> row{1, 2, nullptr, extra};
    CHECK(norm_of(of.optimized, with_row, outer.gradients(extra), row) == about(with_row));
}

TEST_CASE("a norm up to the cap scales nothing, a larger one down to the cap; without a cap there is nothing to do") {
    AlignedBuffer<double> row(gru4rec::detail::padded<double>(2));
    row[0] = 3;
    row[1] = 4;
    const double* const rows[1] = {row.data()};
    const RowGradients<double> gradients{1, 2, nullptr, rows};
    const Descent<double> of(1, 2);
    const auto scale = [&](double cap_value) {
        GradientCap<double> cap(cap_value, 1);
        cap.start();
        cap.add(of.optimized, gradients);
        return cap.scale();
    };
    CHECK(scale(6) == 1);
    CHECK(scale(5) == 1);
    CHECK(scale(4) == 0.8);
    CHECK(scale(0.5) == 0.1);
    CHECK(GradientCap<double>(5, 1).is_active());
    CHECK(!GradientCap<double>(0, 1).is_active());
    CHECK(GradientCap<double>(1, 1).scale() == 1);  // of nothing
    GradientCap<double> again(4, 1);
    for (int update = 0; update < 3; ++update) {  // each update begins anew
        again.start();
        again.add(of.optimized, gradients);
        CHECK(again.scale() == 0.8);
    }
}

TEST_CASE("squares that float cannot hold are still summed") {
    AlignedBuffer<float> row(gru4rec::detail::padded<float>(1));
    row[0] = 1e30F;
    const float* const rows[1] = {row.data()};
    const Descent<float> of(1, 1);
    CHECK(norm_of(of.optimized, 1e30, RowGradients<float>{1, 1, nullptr, rows}) == about(1e30));
}

TEST_CASE("many rows: the plain sum, with the same bits for any number of threads") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    const Outer<float> outer(
        {37, 1500, 131}, [](Index m, Index j) { return std::sin(static_cast<double>(m * 7 + j)); },
        [](Index m, Index k) { return std::cos(static_cast<double>(m + 3 * k)); });
    double plain = 0;
    for (Index j = 0; j < outer.n_rows; ++j) {
        for (Index k = 0; k < 131; ++k) {
            double g = 0;
            for (Index m = 0; m < outer.n_lanes; ++m) {
                g += static_cast<double>(outer.d[j * outer.stride + m]) * static_cast<double>(outer.x.row(m)[k]);
            }
            plain += g * g;
        }
    }
    const Descent<float> of(1500, 131);
    const auto measured = [&](int threads) {
        double norm = 0;
        gru4rec::with_threads(threads, [&] { norm = norm_of(of.optimized, std::sqrt(plain), outer.gradients()); });
        return norm;
    };
    CHECK(measured(1) == about(std::sqrt(plain)));
    CHECK(measured(1) == measured(2));
    CHECK(measured(1) == measured(4));
}

TEST_CASE_TEMPLATE("a capped update is the naive twin's: both kinds of gradients, scaled together", Scalar, float,
                   double) {
    const double allowed = sizeof(Scalar) == 4 ? 2e-5 : 1e-12;
    naive::Engine engine(6);
    for (const double cap_value : {0.01, 3.0, 1e6}) {
        for (const OuterShape shape : {OuterShape{1, 1, 1}, {3, 5, 2}, {17, 30, 33}, {40, 90, 97}}) {
            CAPTURE(cap_value);
            CAPTURE(shape.rows);
            CAPTURE(shape.features);
            const Index width = shape.features + 1;  // the last column is a bias, which the ready rows leave out
            RandomOuter<Scalar> outer({shape.n_lanes, shape.rows, width}, engine);
            const auto extra = random_rows<Scalar>(shape.rows, width, engine);
            const auto ready = random_rows<Scalar>(shape.rows, shape.features, engine);
            std::vector<const Scalar*> extras, rows;
            for (Index j = 0; j < shape.rows; ++j) {
                extras.push_back(j % 2 == 0 ? extra.row(j) : nullptr);
                rows.push_back(ready.row(j));
            }
            Descent<Scalar> by_outer(shape.rows, width, LastColumn::bias);
            Descent<Scalar> by_rows(shape.rows, width, LastColumn::bias);
            const OuterGradients<Scalar> outer_gradients{
                .count = shape.rows, .factors = outer.factors(), .extra = extras.data()};
            const RowGradients<Scalar> row_gradients{shape.rows, shape.features, nullptr, rows.data()};
            GradientCap<Scalar> cap(cap_value, shape.rows);
            cap.start();
            cap.add(by_outer.optimized, outer_gradients);
            cap.add(by_rows.optimized, row_gradients);
            by_outer.optimizer.update(by_outer.optimized, outer_gradients, cap.scale());
            by_rows.optimizer.update(by_rows.optimized, row_gradients, cap.scale());

            // grad_cap of the twin: every gradient times cap / norm.
            const auto gradient = [&](Index j, Index k) {
                return outer.sum(j, k) + (j % 2 == 0 ? static_cast<double>(extra.row(j)[k]) : 0);
            };
            double squares = 0;
            for (Index j = 0; j < shape.rows; ++j) {
                for (Index k = 0; k < width; ++k) {
                    const double g = gradient(j, k);
                    const double r = k < shape.features ? static_cast<double>(ready.row(j)[k]) : 0;
                    squares += g * g + r * r;
                }
            }
            const double scale = std::min(1.0, cap_value / std::sqrt(squares));
            double worst = 0;
            for (Index j = 0; j < shape.rows; ++j) {
                for (Index k = 0; k < width; ++k) {
                    const double r = k < shape.features ? static_cast<double>(ready.row(j)[k]) : 0;
                    const auto a = static_cast<double>(by_outer.parameter.row(j)[k]);
                    const auto b = static_cast<double>(by_rows.parameter.row(j)[k]);
                    worst = std::max({worst, std::abs(a + scale * gradient(j, k)), std::abs(b + scale * r)});
                }
            }
            CHECK(worst < allowed * std::max(scale, 1e-3));
        }
    }
}
