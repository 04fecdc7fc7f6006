#ifndef GRU4REC_TESTS_SUPPORT_TWIN_CHECK_HPP
#define GRU4REC_TESTS_SUPPORT_TWIN_CHECK_HPP

#include "support/twin_runs.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace twin_runs {

/// Runs at least n_steps steps; every difference must be below limit.
template <class Scalar>
void check(const Case& c, std::uint64_t seed, std::size_t n_steps, double limit) {
    CAPTURE(seed);
    INFO(described(c));
    const Differences worst = run<Scalar>(c, seed, n_steps);
    for (const std::string& violation : worst.violations) {
        CHECK_MESSAGE(false, violation);
    }
    CHECK(worst.loss < limit);
    CHECK(worst.states < limit);
    CHECK(worst.weights < limit);
}

}  // namespace twin_runs

#endif
