#include "gru4rec/blocks/session_parallel.hpp"

#include "support/eigen_matrices.hpp"
#include "support/items_of.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <cstdint>
#include <vector>

namespace {

using gru4rec::carry_states;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::SessionList;
using gru4rec::SessionParallelBatcher;

std::vector<ItemIndex> copy(std::span<const ItemIndex> items) { return {items.begin(), items.end()}; }

}  // namespace

TEST_CASE("sessions in vectors are a source: in order, without empty ones, again after each start") {
    SessionList sessions(std::vector<std::vector<int>>{{3, 1}, {}, {2}, {1, 1, 0}});
    CHECK(sessions.n_items() == 4);
    CHECK(sessions.n_pairs() == 3);
    CHECK(std::vector<std::int64_t>(sessions.supports().begin(), sessions.supports().end()) ==
          std::vector<std::int64_t>{1, 3, 1, 1});
    for (const std::uint64_t epoch : {0U, 1U}) {
        sessions.start_epoch(epoch);
        CHECK(copy(sessions.next_session()) == items_of({3, 1}));
        CHECK(copy(sessions.next_session()) == items_of({2}));
        CHECK(copy(sessions.next_session()) == items_of({1, 1, 0}));
        CHECK(sessions.next_session().empty());
        CHECK(sessions.next_session().empty());
    }
    SessionList of_items(std::vector<std::vector<ItemIndex>>{items_of({5, 2})});
    CHECK(of_items.n_items() == 6);
    CHECK(copy(of_items.next_session()) == items_of({5, 2}));
    CHECK(SessionList(std::vector<std::vector<int>>{}).next_session().empty());
}

TEST_CASE("items below 0 and above 31 bits are refused") {
    CHECK(complaint([] {
              SessionList list(std::vector<std::vector<int>>{{1, -1}});
          }) == "gru4rec: item = -1, must satisfy 0 <= item < 2^31");
    CHECK(complaint([] {
              SessionList list(std::vector<std::vector<std::int64_t>>{{1, std::int64_t{1} << 31}});
          }) == "gru4rec: item = 2147483648, must satisfy 0 <= item < 2^31");
}

TEST_CASE("the batcher takes a list, and its lanes can be viewed by Eigen") {
    SessionList sessions(std::vector<std::vector<int>>{{0, 1, 2}, {3, 4}, {5, 6}});
    SessionParallelBatcher batcher(sessions, 2);
    batcher.start_epoch(0);
    const auto first = batcher.next();
    CHECK(copy(first.inputs.items) == items_of({0, 3}));
    CHECK(copy(first.targets) == items_of({1, 4}));
    const auto second = batcher.next();
    CHECK(copy(second.inputs.items) == items_of({1, 5}));
    const Eigen::Map<const Eigen::VectorX<Index>> previous(second.previous_lane.data(), second.n_lanes());
    CHECK(previous == Eigen::Vector<Index, 2>(0, -1));
    CHECK(batcher.next().n_lanes() == 0);
}

TEST_CASE("a batcher without lanes is refused") {
    SessionList sessions(std::vector<std::vector<int>>{{0, 1}});
    CHECK(complaint([&] { SessionParallelBatcher batcher(sessions, 0); }) ==
          "gru4rec: batch_size = 0, must satisfy batch_size >= 1");
    CHECK(complaint([&] { SessionParallelBatcher batcher(sessions, 4, 0); }) ==
          "gru4rec: min_lanes = 0, must satisfy min_lanes >= 1");
}

TEST_CASE("states follow their lanes, and a lane that starts a session starts from zero") {
    naive::Engine engine(1);
    const Eigen::MatrixXd last = random_matrix(4, 3, engine);
    const Eigen::MatrixXd h = carry_states(last, std::vector<Index>{0, -1, 3});
    REQUIRE(h.rows() == 3);
    CHECK(h.row(0) == last.row(0));
    CHECK(h.row(1).isZero(0));
    CHECK(h.row(2) == last.row(3));
    CHECK(carry_states(Eigen::MatrixXd(0, 3), std::vector<Index>{-1, -1}).isZero(0));
    CHECK(complaint([&] {
              static_cast<void>(carry_states(last, std::vector<Index>{0, 4}));
          }) == "gru4rec: previous_lane[1] = 4, must satisfy -1 (a new session) or a lane below 4");
}
