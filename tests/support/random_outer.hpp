#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_OUTER_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_OUTER_HPP

#include "gru4rec/core/kernels.hpp"
#include "gru4rec/core/storage.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/core/views.hpp"
#include "support/naive/matrix.hpp"

#include <cmath>
#include <vector>

/// What random_outer's numbers are drawn from.
using DrawNumber = double (*)(naive::Engine&);

[[nodiscard]] inline double any_number(naive::Engine& engine) { return 2 * naive::uniform(engine) - 1; }

/// -3 .. 3: sums of products are exact in any order, in float as well.
[[nodiscard]] inline double whole_number(naive::Engine& engine) { return std::floor(7 * naive::uniform(engine)) - 3; }

/// Activations with numbers in all lanes, those of the padding too.
template <class Scalar>
class RandomColumns {
  public:
    RandomColumns(gru4rec::Index lanes, gru4rec::Index count, naive::Engine& engine, DrawNumber draw = any_number)
        : stride_(gru4rec::detail::row_stride<Scalar>(lanes)), values_(stride_ * count) {
        for (Scalar& value : values_) {
            value = static_cast<Scalar>(draw(engine));
        }
    }
    [[nodiscard]] gru4rec::LaneMatrix<Scalar> view() { return {values_.data(), stride_}; }
    [[nodiscard]] Scalar operator()(gru4rec::Index lane, gru4rec::Index j) const { return values_[j * stride_ + lane]; }
    [[nodiscard]] std::vector<Scalar> values() const { return {values_.begin(), values_.end()}; }

  private:
    gru4rec::Index stride_;
    gru4rec::detail::AlignedBuffer<Scalar> values_;
};

struct OuterShape {
    gru4rec::Index n_lanes, rows, features;
};

/// An outer product of random factors; the lanes of the padding hold numbers that must not count.
template <class Scalar>
struct RandomOuter {
    RandomOuter(const OuterShape& shape, naive::Engine& engine, DrawNumber draw = any_number)
        : d(shape.n_lanes, shape.rows, engine, draw), x(shape.n_lanes, shape.features), n_lanes(shape.n_lanes) {
        for (gru4rec::Index m = 0; m < n_lanes; ++m) {
            for (gru4rec::Index k = 0; k < shape.features; ++k) {
                x.row(m)[k] = static_cast<Scalar>(draw(engine));
            }
        }
    }

    [[nodiscard]] gru4rec::detail::OuterFactors<Scalar> factors() {
        return {d.view(), {x.data(), x.stride()}, n_lanes};
    }

    /// sum_lane d[lane, j] x[lane, k]
    [[nodiscard]] double sum(gru4rec::Index j, gru4rec::Index k) const {
        double result = 0;
        for (gru4rec::Index m = 0; m < n_lanes; ++m) {
            result += static_cast<double>(d(m, j)) * static_cast<double>(x.row(m)[k]);
        }
        return result;
    }

    RandomColumns<Scalar> d;
    gru4rec::detail::PaddedMatrix<Scalar> x;
    gru4rec::Index n_lanes;
};

#endif
