#include "gru4rec/nn/activation.hpp"

#include "support/naive/activations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace {

using gru4rec::Activation;
using gru4rec::parse_activation;
using gru4rec::SimdVector;
using gru4rec::detail::Register;

/// An activation and its derivative at one argument.
struct Result {
    double y, slope;
};

template <class V, class Scalar>
Result apply(const Activation& activation, double x) {
    const gru4rec::detail::ActivationFunction<Scalar> f(activation);
    alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> y{}, slope{};
    const V value = f(V(static_cast<Scalar>(x)));
    value.store(y.data());
    f.derivative(value).store(slope.data());
    for (std::size_t i = 1; i < static_cast<std::size_t>(V::size); ++i) {
        CHECK((y[i] == y[0] || std::isnan(y[i])));
        CHECK((slope[i] == slope[0] || std::isnan(y[i])));
    }
    return {static_cast<double>(y[0]), static_cast<double>(slope[0])};
}

template <class Scalar>
Result apply(const Activation& activation, double x) {
    return apply<SimdVector<Scalar>, Scalar>(activation, x);
}

const std::vector<std::string> names = {"linear",  "relu",  "tanh",  "leaky-0.2",     "leaky-0",
                                        "elu-0.5", "elu-1", "elu-0", "selu-1.05-1.67"};

}  // namespace

TEST_CASE_TEMPLATE("values and slopes are those of the formulas, the slope as a function of the value", Scalar, float,
                   double) {
    const double tolerance = sizeof(Scalar) == 4 ? 3e-6 : 1e-14;
    for (const std::string& name : names) {
        CAPTURE(name);
        const naive::Activation twin = naive::activation_from_text(name);
        for (const double x : {-90.0, -10.0, -1.5, -0.25, 0.125, 1.0, 3.0, 20.0}) {
            CAPTURE(x);
            const auto result = apply<Scalar>(*parse_activation(name), x);
            CHECK(std::abs(result.y - twin.value(x)) <= tolerance * std::max(1.0, std::abs(x)));
            CHECK(std::abs(result.slope - twin.slope(x)) <= tolerance);
            const auto in_register = apply<Register<Scalar>, Scalar>(*parse_activation(name), x);
            CHECK(in_register.y == result.y);
            CHECK(in_register.slope == result.slope);
        }
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), 1e4).y));
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), -1e4).y));
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), 1e4).slope));
        CHECK(std::isnan(apply<Scalar>(*parse_activation(name), std::nan("")).y));
    }
    CHECK(apply<Scalar>(*parse_activation("elu-0.5"), 0).slope == 0.5);  // at the kink the slope from below
    CHECK(apply<Scalar>(*parse_activation("relu"), 0).slope == 0);
}

TEST_CASE("only the linear activation is the identity") {
    for (const std::string& name : names) {
        CAPTURE(name);
        CHECK(gru4rec::detail::ActivationFunction<float>(*parse_activation(name)).is_identity() == (name == "linear"));
    }
}

TEST_CASE_TEMPLATE("the elements of a vector are activated each by its own sign", Scalar, float, double) {
    for (const std::string& name : names) {
        CAPTURE(name);
        const gru4rec::detail::ActivationFunction<Scalar> f(*parse_activation(name));
        alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> x{}, y{}, slope{};
        constexpr auto n = static_cast<std::size_t>(SimdVector<Scalar>::size);
        for (std::size_t i = 0; i < n; ++i) {
            x[i] = static_cast<Scalar>(i % 2 == 0 ? 0.5 : -0.5) * static_cast<Scalar>(i + 1);
        }
        const auto value = f(SimdVector<Scalar>::load(x.data()));
        value.store(y.data());
        f.derivative(value).store(slope.data());
        for (std::size_t i = 0; i < n; ++i) {
            const auto alone = apply<Scalar>(*parse_activation(name), static_cast<double>(x[i]));
            CHECK(static_cast<double>(y[i]) == alone.y);
            // Compilers may fuse 1 - y * y in one place and not in another: one rounding more or less.
            CHECK(std::abs(static_cast<double>(slope[i]) - alone.slope) <=
                  double{std::numeric_limits<Scalar>::epsilon()});
        }
    }
}

TEST_CASE("an activation and its text are one") {
    for (const std::string& name : names) {
        const auto activation = parse_activation(name);
        REQUIRE(activation.has_value());
        CHECK(gru4rec::to_string(*activation) == name);
    }
    // Small numbers are written with an exponent, which has a dash of its own.
    for (const Activation small : {Activation{gru4rec::ActivationKind::leaky, 1e-4},
                                   {gru4rec::ActivationKind::elu, 3e-9},
                                   {gru4rec::ActivationKind::selu, 1e-7, 2e-5},
                                   {gru4rec::ActivationKind::selu, 1.5, 2e-5},
                                   {gru4rec::ActivationKind::selu, 1e-5, 2},
                                   {gru4rec::ActivationKind::elu, 1e25}}) {
        CAPTURE(gru4rec::to_string(small));
        CHECK(parse_activation(gru4rec::to_string(small)) == small);
    }
    CHECK(*parse_activation("elu-1e-3") == Activation{gru4rec::ActivationKind::elu, 0.001});
    CHECK(*parse_activation("selu-1.05-1.67") == Activation{gru4rec::ActivationKind::selu, 1.67, 1.05});
    CHECK(*parse_activation("leaky-0.25") == Activation{gru4rec::ActivationKind::leaky, 0.25});
    CHECK(*parse_activation("elu-0.25") != *parse_activation("leaky-0.25"));
}

TEST_CASE("texts that name no activation, or numbers out of range, are refused") {
    for (const std::string text :
         {"",         "Tanh",     "tanh ",    "softmax",   "relu-1",     "tanh-",   "leaky",
          "leaky-",   "leaky--1", "elu",      "elu-x",     "elu-nan",    "elu-inf", "elu-0.5-1",
          "elu-0.5 ", "selu-1",   "selu-0-1", "selu--1-1", "selu-1-1-1", "selu-1-", "selu-inf-1",
          "linear-",  "-",        "elu-0,5",  "elu--0",    "selu-1e-5",  "elu-e-5"}) {
        CAPTURE(text);
        CHECK(!parse_activation(text).has_value());
    }
}
