#include "gru4rec/train/training_step.hpp"

#include <doctest/doctest.h>

using gru4rec::Hyperparameters;
using gru4rec::Index;
using gru4rec::detail::Chunks;
using gru4rec::detail::LaneGroups;
using gru4rec::detail::Network;

namespace {

Chunks groups_of(const Hyperparameters& p, Index n_lanes) {
    return LaneGroups(Network<float>(p, 100), p).of<float>(n_lanes);
}

}  // namespace

TEST_CASE("a lane's flops are those of its products") {
    const Hyperparameters shared{.layers = {10}};
    CHECK(gru4rec::detail::flops_per_lane(Network<float>(shared, 100), 7) == 4 * 7 * 10 + 12 * 10 * 10 + 8 * 10 * 10);
    const Hyperparameters deep{.layers = {10, 20}, .constrained_embedding = false};
    CHECK(gru4rec::detail::flops_per_lane(Network<double>(deep, 100), 7) ==
          4 * 7 * 20 + 8 * 10 * 10 + 12 * 20 * 10 + 8 * 20 * 20);
}

TEST_CASE("lanes of short steps go in groups, those of others together; no lane is left out") {
    const Hyperparameters one_hot{.layers = {100}, .constrained_embedding = false, .batch_size = 50, .n_sample = 0};
    const Chunks groups = groups_of(one_hot, 50);
    CHECK(groups.count() == 2);
    CHECK(groups.begin(1) == 32);
    CHECK(groups.end(1) == 64);
    CHECK(groups_of(one_hot, 32).count() == 1);
    CHECK(groups_of(one_hot, 33).end(1) == 48);
    CHECK(groups_of(one_hot, 0).count() == 0);
    Hyperparameters with_samples = one_hot;
    with_samples.n_sample = 2048;
    CHECK(groups_of(with_samples, 50).count() == 1);
    CHECK(groups_of(with_samples, 50).end(0) == 64);
}
