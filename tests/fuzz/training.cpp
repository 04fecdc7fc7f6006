// Training: the bytes of the input choose a configuration and sessions, which the library and the naive twin train on
// side by side, in double, for an epoch or two.

#include "gru4rec/core/parallel.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/target.hpp"
#include "support/library_step_impl.hpp"
#include "support/twin_runs.hpp"

template class library_step::LibraryStep<double>;

namespace {

/// A byte of the input for each number that is drawn.
struct Drawn {
    fuzz::Taker input;

    [[nodiscard]] std::uint64_t operator()() { return std::uint64_t{input.byte()} << 56U; }
};

void check(fuzz::Taker input) {
    constexpr std::size_t n_steps = 4;
    constexpr double limit = 1e-9;  // as in property/twin_test.cpp
    Drawn drawn{input};
    twin_runs::Case c = twin_runs::drawn_case(drawn, {"sgd", "adagrad", "rmsprop", "adadelta", "adam"});
    c.settings.emplace_back("bptt", twin_runs::pick(drawn, {"1", "1", "2", "3"}));
    const auto seed = static_cast<std::uint64_t>(drawn.input.byte());
    const twin_runs::Differences found = twin_runs::run<double>(c, seed, n_steps);
    if (found.violations.empty() && found.loss < limit && found.states < limit && found.weights < limit) {
        return;
    }
    std::fprintf(stderr, "violated: the twin computes the same; seed %u, %s\nloss %g, states %g, weights %g apart\n",
                 static_cast<unsigned>(seed), twin_runs::described(c).c_str(), found.loss, found.states, found.weights);
    for (const std::string& violation : found.violations) {
        std::fprintf(stderr, "%s\n", violation.c_str());
    }
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    gru4rec::with_threads(1, [&] { check(fuzz::Taker({data, size})); });
    return 0;
}
