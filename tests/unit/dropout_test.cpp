#include "gru4rec/nn/dropout.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::LaneMatrix;
using gru4rec::detail::AlignedBuffer;
using gru4rec::detail::Random;

template <class Scalar>
AlignedBuffer<Scalar> mask(double drop, Index lanes, Index features, Index stride, std::uint64_t seed = 1) {
    AlignedBuffer<Scalar> result(stride * features);
    gru4rec::detail::draw_dropout_mask<Scalar>(drop, Random(seed, Random::Stream::dropout), lanes, features,
                                               {result.data(), stride}, [](gru4rec::detail::Range) {});
    return result;
}

}  // namespace

TEST_CASE_TEMPLATE("the stated share is dropped, in every lane and feature alike, and the rest scaled up", Scalar,
                   float, double) {
    constexpr Index lanes = 64;
    constexpr Index features = 500;
    for (const double drop : {0.05, 0.4, 0.5, 0.9}) {
        CAPTURE(drop);
        const auto values = mask<Scalar>(drop, lanes, features, lanes);
        const auto kept = static_cast<Scalar>(1 / (1 - drop));
        double zeros = 0;
        std::vector<double> by_lane(lanes, 0), by_feature(features, 0);
        for (Index k = 0; k < features; ++k) {
            for (Index m = 0; m < lanes; ++m) {
                const Scalar value = values[k * lanes + m];
                CHECK((value == 0 || value == kept));
                zeros += value == 0 ? 1 : 0;
                by_lane[static_cast<std::size_t>(m)] += value == 0 ? 1 : 0;
                by_feature[static_cast<std::size_t>(k)] += value == 0 ? 1 : 0;
            }
        }
        const auto deviations = [&](double count, double n) {
            return std::abs(count - n * drop) / std::sqrt(n * drop * (1 - drop));
        };
        CHECK(deviations(zeros, lanes * features) < 4);
        for (const double count : by_lane) {
            CHECK(deviations(count, features) < 5);
        }
        for (const double count : by_feature) {
            CHECK(deviations(count, lanes) < 5);
        }
        // Neighbours are independent: lanes share 64 bits two by two.
        double both = 0;
        for (Index k = 0; k < features; ++k) {
            for (Index m = 0; m < lanes; m += 2) {
                both += values[k * lanes + m] == 0 && values[k * lanes + m + 1] == 0 ? 1 : 0;
            }
        }
        const double p = drop * drop;
        const double n = lanes * features / 2.0;
        CHECK(std::abs(both - n * p) / std::sqrt(n * p * (1 - p)) < 4);
    }
}

TEST_CASE("a lane's mask does not depend on how many lanes there are, nor on where they lie") {
    const auto few = mask<float>(0.3, 16, 40, 16);
    const auto many = mask<float>(0.3, 48, 40, 80);
    for (Index k = 0; k < 40; ++k) {
        for (Index m = 0; m < 16; ++m) {
            CHECK(few[k * 16 + m] == many[k * 80 + m]);
        }
        for (Index m = 48; m < 80; ++m) {
            CHECK(many[k * 80 + m] == 0);  // untouched
        }
    }
    const auto other = mask<float>(0.3, 16, 40, 16, 2);
    CHECK(!std::equal(few.begin(), few.end(), other.begin()));
    const auto in_double = mask<double>(0.3, 16, 40, 16);
    CHECK(
        std::equal(few.begin(), few.end(), in_double.begin(), [](float a, double b) { return (a == 0) == (b == 0); }));
}

TEST_CASE("shares at the ends: 0 keeps all as it is, one near 1 still keeps something finite") {
    const auto all = mask<float>(0, 16, 10, 16);
    CHECK(std::all_of(all.begin(), all.end(), [](float v) { return v == 1; }));
    const auto hardly = mask<double>(1 - 1e-12, 16, 10, 16);
    CHECK(std::all_of(hardly.begin(), hardly.end(), [](double v) { return std::isfinite(v); }));
}

TEST_CASE("a mask multiplies the lanes and features that are named, no others") {
    AlignedBuffer<float> values(32 * 3), factors(32 * 3);
    std::fill(values.begin(), values.end(), 2.0F);
    for (Index i = 0; i < factors.size(); ++i) {
        factors[i] = static_cast<float>(i % 5);
    }
    gru4rec::detail::apply_mask<float>({factors.data(), 32}, 16, {0, 2}, LaneMatrix<float>{values.data(), 32});
    for (Index k = 0; k < 3; ++k) {
        for (Index m = 0; m < 32; ++m) {
            const Index i = k * 32 + m;
            CHECK(values[i] == (m < 16 && k < 2 ? 2 * factors[i] : 2));
        }
    }
}
