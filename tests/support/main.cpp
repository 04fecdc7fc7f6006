#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <tbb/version.h>
#include <Eigen/Core>

#include <cstdio>

#include "gru4rec/version.hpp"

namespace {

#define GRU4REC_TEXT_OF(token) GRU4REC_TEXT_OF_VALUE(token)
#define GRU4REC_TEXT_OF_VALUE(token) #token

void print_versions() {
#if defined(__clang__)
    std::printf("compiler  clang %s\n", __clang_version__);
#elif defined(__GNUC__)
    std::printf("compiler  gcc %s\n", __VERSION__);
#else
    std::printf("compiler  unknown\n");
#endif
    std::printf("gru4rec   %s (%s)\n", GRU4REC_VERSION_STRING, GRU4REC_TEXT_OF(GRU4REC_ABI));
#if defined(EIGEN_PATCH_VERSION)  // Eigen 5 and newer: the "world" is not part of the version any more
    std::printf("Eigen     %d.%d.%d, %s\n", EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, EIGEN_PATCH_VERSION,
                Eigen::SimdInstructionSetsInUse());
#else
    std::printf("Eigen     %d.%d.%d, %s\n", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION,
                Eigen::SimdInstructionSetsInUse());
#endif
    std::printf("TBB       %s\n", TBB_runtime_version());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    print_versions();
    return doctest::Context(argc, argv).run();
}
