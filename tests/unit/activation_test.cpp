#include "gru4rec/nn/activation.hpp"

#include "support/naive/activations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace {

using gru4rec::Activation;
using gru4rec::parse_activation;
using gru4rec::SimdVector;

template <class Scalar>
struct Result {
    double y, slope;
};

template <class Scalar>
Result<Scalar> apply(const Activation& activation, double x) {
    return gru4rec::detail::with_activation<Scalar>(activation, [&](auto f) {
        alignas(gru4rec::detail::cache_line) std::array<Scalar, 16> y{}, slope{};
        const SimdVector<Scalar> value = f(SimdVector<Scalar>(static_cast<Scalar>(x)));
        value.store(y.data());
        f.derivative(value).store(slope.data());
        return Result<Scalar>{static_cast<double>(y[0]), static_cast<double>(slope[0])};
    });
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
        }
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), 1e4).y));
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), -1e4).y));
        CHECK(std::isfinite(apply<Scalar>(*parse_activation(name), 1e4).slope));
        CHECK(std::isnan(apply<Scalar>(*parse_activation(name), std::nan("")).y));
    }
    CHECK(apply<Scalar>(*parse_activation("elu-0.5"), 0).slope == 0.5);  // at the kink the slope from below
    CHECK(apply<Scalar>(*parse_activation("relu"), 0).slope == 0);
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
