#include "gru4rec/core/simd.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>

// The bounds hold with every instruction set.
namespace {

using gru4rec::SimdVector;

template <class Scalar>
using Function = std::function<SimdVector<Scalar>(SimdVector<Scalar>)>;

template <class Scalar>
Scalar value(const Function<Scalar>& f, Scalar x) {
    alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> line{};
    f(SimdVector<Scalar>(x)).store(line.data());
    return line[static_cast<std::size_t>(gru4rec::detail::scalars_per_line<Scalar>) - 1];
}

struct Errors {
    double ulps = 0;  ///< in units in the last place of the exact result
    double absolute = 0;
};

/// The worst over `n` arguments from `low` to `high`.
template <class Scalar>
Errors errors(const Function<Scalar>& f, long double (*exact)(long double), double low, double high) {
    constexpr int n = 200'000;
    constexpr int lanes = static_cast<int>(gru4rec::detail::scalars_per_line<Scalar>);
    Errors worst;
    alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> x{}, y{};
    for (int first = 0; first < n; first += lanes) {
        for (int i = 0; i < lanes; ++i) {
            x[static_cast<std::size_t>(i)] = static_cast<Scalar>(low + (high - low) * (first + i + 0.37) / n);
        }
        f(SimdVector<Scalar>::load(x.data())).store(y.data());
        for (int i = 0; i < lanes; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const long double wanted = exact(static_cast<long double>(x[at]));
            const Scalar rounded = std::abs(static_cast<Scalar>(wanted));
            const Scalar unit = std::nextafter(rounded, std::numeric_limits<Scalar>::infinity()) - rounded;
            const auto error = static_cast<double>(std::abs(static_cast<long double>(y[at]) - wanted));
            worst.absolute = std::max(worst.absolute, error);
            worst.ulps = std::max(worst.ulps, error / static_cast<double>(unit));
        }
    }
    return worst;
}

template <class Scalar>
const Function<Scalar> exp_of = [](SimdVector<Scalar> x) { return exp(x); };
template <class Scalar>
const Function<Scalar> log_of = [](SimdVector<Scalar> x) { return log(x); };
template <class Scalar>
const Function<Scalar> tanh_of = [](SimdVector<Scalar> x) { return tanh(x); };
template <class Scalar>
const Function<Scalar> sigmoid_of = [](SimdVector<Scalar> x) { return sigmoid(x); };
template <class Scalar>
const Function<Scalar> softplus_of = [](SimdVector<Scalar> x) { return softplus(x); };

long double exact_exp(long double x) { return std::exp(x); }
long double exact_log(long double x) { return std::log(x); }
long double exact_tanh(long double x) { return std::tanh(x); }
long double exact_sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }
long double exact_softplus(long double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

template <class Scalar>
constexpr bool is_float = sizeof(Scalar) == 4;
template <class Scalar>
constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
template <class Scalar>
constexpr Scalar quiet_nan = std::numeric_limits<Scalar>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("exp, log, tanh and sigmoid are right within a few units in the last place", Scalar, float, double) {
    const double lowest = is_float<Scalar> ? -87.3 : -708.2;
    const double highest = is_float<Scalar> ? 88.3 : 709.0;
    CHECK(errors<Scalar>(exp_of<Scalar>, exact_exp, lowest, highest).ulps < 2);
    CHECK(errors<Scalar>(exp_of<Scalar>, exact_exp, -1, 1).ulps < 2);
    CHECK(errors<Scalar>(log_of<Scalar>, exact_log, 1e-3, 3).ulps < 2);
    CHECK(errors<Scalar>(log_of<Scalar>, exact_log, 3, 1e6).ulps < 2);
    CHECK(errors<Scalar>(tanh_of<Scalar>, exact_tanh, -10, 10).ulps < (is_float<Scalar> ? 8 : 3));
    CHECK(errors<Scalar>(tanh_of<Scalar>, exact_tanh, -0.01, 0.01).ulps < (is_float<Scalar> ? 8 : 3));
    CHECK(errors<Scalar>(sigmoid_of<Scalar>, exact_sigmoid, -20, 20).ulps < 4);
    CHECK(errors<Scalar>(sigmoid_of<Scalar>, exact_sigmoid, lowest, 40).ulps < 4);
}

TEST_CASE_TEMPLATE("softplus is right within a few epsilons, of 1 or of the result", Scalar, float, double) {
    const auto epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon());
    CHECK(errors<Scalar>(softplus_of<Scalar>, exact_softplus, -30, 1).absolute < 2 * epsilon);
    CHECK(errors<Scalar>(softplus_of<Scalar>, exact_softplus, 0.1, 30).ulps < 3);
}

TEST_CASE_TEMPLATE("at the ends there is neither overflow nor a denormal", Scalar, float, double) {
    const Scalar huge = Scalar(1e4);
    for (const Scalar x : {-huge, -infinity<Scalar>, Scalar(is_float<Scalar> ? -87.4 : -708.4)}) {
        CAPTURE(x);
        CHECK(value(exp_of<Scalar>, x) == 0);
        CHECK(value(sigmoid_of<Scalar>, x) == 0);
        CHECK(value(softplus_of<Scalar>, x) == 0);
    }
    CHECK(value(exp_of<Scalar>, Scalar(is_float<Scalar> ? -87.3 : -708.2)) >= (std::numeric_limits<Scalar>::min)());
    CHECK(value(exp_of<Scalar>, huge) > Scalar(1e38));
    CHECK(value(exp_of<Scalar>, infinity<Scalar>) > Scalar(1e38));
    CHECK(value(sigmoid_of<Scalar>, huge) == 1);
    CHECK(value(sigmoid_of<Scalar>, infinity<Scalar>) == 1);
    CHECK(value(softplus_of<Scalar>, huge) == huge);
    CHECK(value(softplus_of<Scalar>, infinity<Scalar>) == infinity<Scalar>);
    for (const Scalar x : {huge, infinity<Scalar>}) {  // a few roundings below 1 with NEON
        CHECK(value(tanh_of<Scalar>, x) <= 1);
        CHECK(value(tanh_of<Scalar>, x) >= 1 - 4 * std::numeric_limits<Scalar>::epsilon());
        CHECK(value(tanh_of<Scalar>, -x) == -value(tanh_of<Scalar>, x));
    }
    CHECK(value(log_of<Scalar>, infinity<Scalar>) == infinity<Scalar>);
    CHECK(value(log_of<Scalar>, Scalar(0)) == -infinity<Scalar>);
}

TEST_CASE_TEMPLATE("zeros and denormals are arguments like others", Scalar, float, double) {
    const Scalar tiny = std::numeric_limits<Scalar>::denorm_min();
    for (const Scalar x : {Scalar(0), Scalar(-0.0), tiny, -tiny}) {
        CHECK(value(exp_of<Scalar>, x) == 1);
        CHECK(value(sigmoid_of<Scalar>, x) == Scalar(0.5));
        CHECK(value(softplus_of<Scalar>, x) == doctest::Approx(std::log(2.0)).epsilon(1e-6));
        CHECK(std::abs(value(tanh_of<Scalar>, x)) <= tiny);
    }
}

TEST_CASE_TEMPLATE("a NaN comes out as one", Scalar, float, double) {
    CHECK(std::isnan(value(exp_of<Scalar>, quiet_nan<Scalar>)));
    CHECK(std::isnan(value(log_of<Scalar>, quiet_nan<Scalar>)));
    CHECK(std::isnan(value(tanh_of<Scalar>, quiet_nan<Scalar>)));
    CHECK(std::isnan(value(sigmoid_of<Scalar>, quiet_nan<Scalar>)));
    CHECK(std::isnan(value(softplus_of<Scalar>, quiet_nan<Scalar>)));
}
