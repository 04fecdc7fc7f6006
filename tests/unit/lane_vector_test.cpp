#include "gru4rec/core/simd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace {

using gru4rec::SimdVector;

template <class Scalar>
struct Line {
    static constexpr std::size_t size = static_cast<std::size_t>(gru4rec::detail::scalars_per_line<Scalar>);
    alignas(gru4rec::detail::cache_line) std::array<Scalar, size> values{};

    explicit Line(SimdVector<Scalar> of) { of.store(values.data()); }
    Line() = default;
    [[nodiscard]] SimdVector<Scalar> load() const { return SimdVector<Scalar>::load(values.data()); }
};

template <class Scalar>
constexpr Scalar quiet_nan = std::numeric_limits<Scalar>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("arithmetic goes lane by lane", Scalar, float, double) {
    Line<Scalar> a, b;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        a.values[i] = static_cast<Scalar>(i) - Scalar(3.5);
        b.values[i] = Scalar(2) + static_cast<Scalar>(i % 3);
    }
    const auto x = a.load();
    const auto y = b.load();
    auto sum = x;
    sum += y;
    auto difference = x;
    difference -= y;
    const SimdVector<Scalar> smaller = minimum(x, y);
    const SimdVector<Scalar> larger = maximum(x, y);
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        const Scalar p = a.values[i];
        const Scalar q = b.values[i];
        CHECK(Line<Scalar>(x + y).values[i] == p + q);
        CHECK(Line<Scalar>(sum).values[i] == p + q);
        CHECK(Line<Scalar>(difference).values[i] == p - q);
        CHECK(Line<Scalar>(x * y).values[i] == p * q);
        CHECK(Line<Scalar>(x / y).values[i] == p / q);
        CHECK(Line<Scalar>(-x).values[i] == -p);
        CHECK(Line<Scalar>(abs(x)).values[i] == std::abs(p));
        CHECK(Line<Scalar>(multiply_add(x, y, x)).values[i] == p * q + p);  // exact
        CHECK(Line<Scalar>(select(x < y, x, y)).values[i] == (p < q ? p : q));
        CHECK(Line<Scalar>(select(x > y, x, y)).values[i] == (p > q ? p : q));
        CHECK(Line<Scalar>(select(x == y, x, -y)).values[i] == (p == q ? p : -q));
        CHECK(Line<Scalar>(smaller).values[i] == std::min(p, q));
        CHECK(Line<Scalar>(larger).values[i] == std::max(p, q));
        CHECK(Line<Scalar>(SimdVector<Scalar>(3)).values[i] == 3);
    }
}

TEST_CASE_TEMPLATE("minimum and maximum keep a NaN of the first; nothing compares with NaN", Scalar, float, double) {
    const SimdVector<Scalar> no(quiet_nan<Scalar>);
    const SimdVector<Scalar> one(Scalar(1));
    CHECK(std::isnan(Line<Scalar>(minimum(no, one)).values[0]));
    CHECK(std::isnan(Line<Scalar>(maximum(no, one)).values[0]));
    const SimdVector<Scalar> two(Scalar(2));
    CHECK(Line<Scalar>(select(no < one, one, two)).values[0] == 2);
    CHECK(Line<Scalar>(select(no > one, one, two)).values[0] == 2);
    CHECK(Line<Scalar>(select(no == no, one, two)).values[0] == 2);
}

TEST_CASE("every line of the named lanes and columns is visited once") {
    std::vector<gru4rec::Index> visited;
    gru4rec::detail::for_each_line<float>(32, 3, 100, [&](gru4rec::Index at) { visited.push_back(at); });
    CHECK(visited == std::vector<gru4rec::Index>{0, 16, 100, 116, 200, 216});
}
