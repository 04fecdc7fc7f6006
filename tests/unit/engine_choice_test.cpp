#include "support/engines.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace {

const std::vector<std::string> levels = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};

bool has_avx2(std::string_view engine) { return engine != "x86-64-v4"; }
bool is_old(std::string_view) { return false; }

TEST_CASE("the most demanding engine that the processor runs is taken, unless another is wanted") {
    CHECK(engines::choose(levels, nullptr, has_avx2).engine == "x86-64-v3");
    CHECK(engines::choose(levels, "", has_avx2).engine == "x86-64-v3");
    CHECK(engines::choose(levels, "x86-64-v2", has_avx2).engine == "x86-64-v2");
    CHECK(engines::choose({"aarch64"}, nullptr).engine == "aarch64");
}

TEST_CASE("an engine that is unknown or does not run is refused by a message with those that do") {
    const engines::Choice unknown = engines::choose(levels, "avx2", has_avx2);
    CHECK(unknown.engine.empty());
    CHECK(unknown.problem == "GRU4REC_ENGINE is 'avx2', but the engines here are: x86-64-v2, x86-64-v3, x86-64-v4");
    const engines::Choice too_new = engines::choose(levels, "x86-64-v4", has_avx2);
    CHECK(too_new.engine.empty());
    CHECK(too_new.problem == "GRU4REC_ENGINE is 'x86-64-v4', but this processor runs only: x86-64-v2, x86-64-v3");
    CHECK(engines::choose(levels, "x86-64-v2", is_old).problem ==
          "GRU4REC_ENGINE is 'x86-64-v2', but this processor runs only: none");
    const engines::Choice none = engines::choose(levels, nullptr, is_old);
    CHECK(none.engine.empty());
    CHECK(none.problem ==
          "this processor runs none of the engines here (x86-64-v2, x86-64-v3, x86-64-v4); build from source on it");
}

#if defined(__x86_64__) && defined(__AVX2__) && defined(__FMA__)
TEST_CASE("a processor that runs this test runs the engines of its instructions") {
    CHECK(engines::runs_here("x86-64-v2"));
    CHECK(engines::runs_here("x86-64-v3"));
    CHECK_FALSE(engines::runs_here("x86-64-v9"));
#if defined(__AVX512BW__) && defined(__AVX512CD__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
    CHECK(engines::runs_here("x86-64-v4"));
#endif
}
#endif

}  // namespace
