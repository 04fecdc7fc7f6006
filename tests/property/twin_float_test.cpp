#include "support/sweep.hpp"
#include "support/twin_check.hpp"

#include <doctest/doctest.h>

#include <cstdint>

// Compiled in property/threads_test.cpp: library_step::LibraryStep<float>.

TEST_CASE("in float, training of random configurations stays near the naive twin's for 20 steps") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        if (!sweep::visits(seed)) {
            continue;
        }
        // Rules that divide by the root of a mean square turn the rounding of a vanishing gradient into a step.
        const auto c = twin_runs::random_case(seed, {"sgd", "adagrad"});
        twin_runs::check<float>(c, seed, 20, 1e-3);
    }
}
