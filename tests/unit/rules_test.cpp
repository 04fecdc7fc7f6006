#include "gru4rec/optim/rules.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using gru4rec::Adadelta;
using gru4rec::Adagrad;
using gru4rec::Adam;
using gru4rec::RmsProp;
using gru4rec::Sgd;
using gru4rec::SimdVector;
using gru4rec::detail::Register;

/// The steps of one weight whose gradients come one after another; every element of a vector must agree.
template <class V, class Scalar, class Rule>
std::vector<double> steps(const Rule& rule, const std::vector<double>& gradients) {
    V state[Rule::n_state + 1];
    for (V& numbers : state) {
        numbers = V(0);
    }
    std::vector<double> result;
    std::uint32_t n = 0;
    for (const double gradient : gradients) {
        V factors[2] = {V(0), V(0)};
        ++n;
        if constexpr (Rule::counts_updates) {
            const auto values = rule.factors(n);
            factors[0] = V(values[0]);
            factors[1] = V(values[1]);
        }
        const V step = rule.step(V(static_cast<Scalar>(gradient)), state, factors);
        alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> out{};
        step.store(out.data());
        for (std::size_t i = 0; i < static_cast<std::size_t>(V::size); ++i) {
            CHECK(out[i] == out[0]);
        }
        result.push_back(static_cast<double>(out[0]));
    }
    return result;
}

/// The same in a register and in a cache line.
template <class Scalar, class Rule>
std::vector<double> steps(const Rule& rule, const std::vector<double>& gradients) {
    auto result = steps<Register<Scalar>, Scalar>(rule, gradients);
    CHECK(steps<SimdVector<Scalar>, Scalar>(rule, gradients) == result);
    return result;
}

template <class Scalar, class Rule>
void check(const Rule& rule, const std::vector<double>& gradients, const std::vector<double>& expected) {
    const auto result = steps<Scalar>(rule, gradients);
    REQUIRE(result.size() == expected.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
        CAPTURE(i);
        CHECK(std::abs(result[i] - expected[i]) <= (sizeof(Scalar) == 8 ? 1e-12 : 2e-6) * std::abs(expected[i]));
    }
}

}  // namespace

TEST_CASE_TEMPLATE("sgd steps by the gradient", Scalar, float, double) {
    check<Scalar>(Sgd<Scalar>{}, {3, -0.25}, {3, -0.25});
}

TEST_CASE_TEMPLATE("adagrad sums squares from 0, epsilon inside the root", Scalar, float, double) {
    // a = 9; 9 + 16 = 25; 25 + 144 = 169
    check<Scalar>(Adagrad<Scalar>{}, {3, 4, -12},
                  {3 / std::sqrt(9.000001), 4 / std::sqrt(25.000001), -12 / std::sqrt(169.000001)});
    // Outside the root, or from another start, a gradient of 1e-3 would not give 1e-3 / sqrt(2e-6).
    check<Scalar>(Adagrad<Scalar>{}, {1e-3}, {0.70710678118654752});
    check<Scalar>(Adagrad<Scalar>{}, {0, 2}, {0, 2 / std::sqrt(4.000001)});
}

TEST_CASE_TEMPLATE("rmsprop takes the running mean of squares", Scalar, float, double) {
    // a = .1 4 = .4; .9 .4 + .1 1 = .46; .9 .46 + .1 9 = 1.314
    check<Scalar>(RmsProp<Scalar>{}, {2, -1, 3},
                  {2 / std::sqrt(0.400001), -1 / std::sqrt(0.460001), 3 / std::sqrt(1.314001)});
    // decay .5: a = 2; 1 + .5 = 1.5
    check<Scalar>(RmsProp<Scalar>{Scalar(0.5)}, {2, -1}, {2 / std::sqrt(2.000001), -1 / std::sqrt(1.500001)});
}

TEST_CASE_TEMPLATE("adadelta scales by the steps that it took", Scalar, float, double) {
    // a = .05; step^2 = 1e-6 / .050001; u = .05 step^2; a = .0975
    const double first = std::sqrt(1e-6 / 0.050001);
    const double u = 0.05 * first * first;
    const double second = 1 * std::sqrt((u + 1e-6) / (0.0975 + 1e-6));
    check<Scalar>(Adadelta<Scalar>{}, {1, 1}, {first, second});
    CHECK(first == doctest::Approx(0.004472091));
    CHECK(second == doctest::Approx(0.004528481).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("adam corrects its moments for their start at 0, epsilon outside the root", Scalar, float, double) {
    // m = .1, .39, .351; v = .001, .009999, .009989001; m / (1 - .9^n), v / (1 - .999^n)
    const double second = (0.39 / 0.19) / (std::sqrt(0.009999 / 0.001999) + 1e-8);
    const double third = (0.351 / 0.271) / (std::sqrt(0.009989001 / 0.002997001) + 1e-8);
    check<double>(Adam<double>{}, {1, 3, 0}, {1 / (1 + 1e-8), second, third});
    CHECK(second == doctest::Approx(0.917783).epsilon(1e-5));
    const auto in_float = steps<float>(Adam<float>{}, {1, 3, 0});
    CHECK(in_float[0] == doctest::Approx(1).epsilon(1e-4));
    CHECK(in_float[1] == doctest::Approx(second).epsilon(1e-4));
    CHECK(in_float[2] == doctest::Approx(third).epsilon(1e-4));
    // b1 = .5, b2 = .75: m = 1, 2; v = 1, 4.75
    check<Scalar>(Adam<Scalar>{0.5, 0.75}, {2, 3},
                  {2 / (2 + 1e-8), (2.0 / 0.75) / (std::sqrt((0.75 + 2.25) / 0.4375) + 1e-8)});
    // A gradient of 1e-8: outside the root, epsilon halves the step.
    check<Scalar>(Adam<Scalar>{0.5, 0.75}, {1e-8}, {0.5});
}
