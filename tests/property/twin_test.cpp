#include "support/library_step_impl.hpp"
#include "support/twin_runs.hpp"

#include <doctest/doctest.h>

#include <cstdint>

template class library_step::LibraryStep<double>;

TEST_CASE("in double, training of random configurations is that of the naive twin for 20 steps and more") {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        const auto c = twin_runs::random_case(seed, {"sgd", "adagrad", "rmsprop", "adadelta", "adam"});
        CAPTURE(seed);
        INFO(twin_runs::described(c));
        const auto worst = twin_runs::run<double>(c, seed, 20);
        CHECK(worst.loss < 1e-9);
        CHECK(worst.states < 1e-9);
        CHECK(worst.weights < 1e-9);
    }
}
