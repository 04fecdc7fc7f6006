#include "gru4rec/core/thread_team.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <new>

namespace {

/// Work whose copy into a task fails, as it does where there is no memory.
struct WorkWithoutRoom {
    WorkWithoutRoom() = default;
    WorkWithoutRoom(const WorkWithoutRoom&) { throw std::bad_alloc(); }
    void operator()() const { FAIL("a task that could not be made has run"); }
};

}  // namespace

TEST_CASE("a group waits for the tasks that were made, also after one that could not be") {
    std::atomic<int> n_done = 0;
    gru4rec::detail::TaskGroup group;
    CHECK(group.try_run([&] { ++n_done; }));
    CHECK_FALSE(group.try_run(WorkWithoutRoom()));
    CHECK(group.try_run([&] { ++n_done; }));
    group.wait();
    CHECK(n_done == 2);
}
