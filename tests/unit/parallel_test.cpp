#include "gru4rec/core/parallel.hpp"

#include <doctest/doctest.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using gru4rec::Index;
using gru4rec::detail::Chunks;

namespace {

void fail() { throw std::runtime_error("failed"); }

}  // namespace

TEST_CASE("a limit of threads holds inside, 0 leaves the caller's, less is refused") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    const int outside = gru4rec::available_threads();
    gru4rec::with_threads(1, [] { CHECK(gru4rec::available_threads() == 1); });
    gru4rec::with_threads(3, [] { CHECK(gru4rec::available_threads() == 3); });
    gru4rec::with_threads(0, [&] { CHECK(gru4rec::available_threads() == outside); });
    bool ran = false;
    CHECK_THROWS_WITH_AS(gru4rec::with_threads(-1, [&] { ran = true; }), doctest::Contains("threads = -1"),
                         std::invalid_argument);
    CHECK(!ran);
}

TEST_CASE("a limit of threads takes plain functions too, and what the work throws arrives at the caller") {
    CHECK_THROWS_WITH_AS(gru4rec::with_threads(1, fail), "failed", std::runtime_error);
    CHECK_THROWS_WITH_AS(gru4rec::with_threads(0, fail), "failed", std::runtime_error);
}

TEST_CASE("every chunk is run once, with any number of threads, and none where there is none") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    for (const int threads : {1, 2, 4}) {
        for (const Index n : {Index{0}, Index{1}, Index{2}, Index{100}}) {
            CAPTURE(threads);
            std::vector<std::atomic<int>> runs(static_cast<std::size_t>(n));
            gru4rec::with_threads(threads, [&] {
                gru4rec::detail::parallel_chunks(n, [&](Index chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
            });
            CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& count) { return count == 1; }));
        }
    }
}

TEST_CASE("what a chunk throws arrives at the caller") {
    for (const int threads : {1, 2}) {
        CHECK_THROWS_AS(gru4rec::with_threads(threads,
                                              [] {
                                                  gru4rec::detail::parallel_chunks(8, [](Index chunk) {
                                                      if (chunk == 5) {
                                                          throw std::out_of_range("five");
                                                      }
                                                  });
                                              }),
                        std::out_of_range);
    }
}

TEST_CASE("loops that follow each other run every chunk once, also after a rest and after a throw") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    for (const int threads : {1, 2, 4}) {
        gru4rec::with_threads(threads, [&] {
            std::vector<int> runs(64);
            Index wrong = 0;
            for (Index loop = 0; loop < 20'000; ++loop) {
                const Index n = loop % 65;
                std::fill(runs.begin(), runs.end(), 0);
                gru4rec::detail::parallel_chunks(n, [&](Index chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
                wrong += std::count(runs.begin(), runs.begin() + n, 1) != n;
                wrong += std::count(runs.begin() + n, runs.end(), 0) != 64 - n;
                if (loop % 4000 == 0) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(2));
                    CHECK_THROWS_AS(gru4rec::detail::parallel_chunks(9, [](Index) { throw std::out_of_range("all"); }),
                                    std::out_of_range);
                }
            }
            CHECK(wrong == 0);
        });
    }
}

TEST_CASE("a loop may have very many chunks") {
    for (const Index n : {Index{65'534}, Index{65'535}, Index{65'536}, Index{300'007}}) {
        std::vector<std::atomic<int>> runs(static_cast<std::size_t>(n));
        gru4rec::with_threads(2, [&] {
            gru4rec::detail::parallel_chunks(n, [&](Index chunk) { ++runs[static_cast<std::size_t>(chunk)]; });
        });
        CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& count) { return count == 1; }));
    }
}

TEST_CASE("several threads work on one loop") {
    const tbb::global_control two_workers(tbb::global_control::max_allowed_parallelism, 2);
    gru4rec::with_threads(2, [] {
        std::atomic<int> n_begun = 0;
        gru4rec::detail::parallel_chunks(2, [&](Index) {  // each chunk waits until the other has begun
            ++n_begun;
            while (n_begun < 2) {
                std::this_thread::yield();
            }
        });
        CHECK(n_begun == 2);
    });
}

TEST_CASE("loops inside chunks run every chunk once, and what they throw arrives at the caller of the outer loop") {
    const tbb::global_control four_workers(tbb::global_control::max_allowed_parallelism, 4);
    for (const int threads : {1, 2, 4}) {
        std::vector<std::atomic<int>> runs(6 * 50);
        gru4rec::with_threads(threads, [&] {
            gru4rec::detail::parallel_chunks(6, [&](Index outer) {
                gru4rec::detail::parallel_chunks(
                    50, [&](Index inner) { ++runs[static_cast<std::size_t>(50 * outer + inner)]; });
            });
            CHECK_THROWS_AS(gru4rec::detail::parallel_chunks(6,
                                                             [&](Index) {
                                                                 gru4rec::detail::parallel_chunks(6, [](Index) {
                                                                     throw std::out_of_range("inner");
                                                                 });
                                                             }),
                            std::out_of_range);
        });
        CHECK(std::all_of(runs.begin(), runs.end(), [](const auto& count) { return count == 1; }));
    }
}

TEST_CASE("a loop is not cancelled with the caller's task") {
    const tbb::global_control two_workers(tbb::global_control::max_allowed_parallelism, 2);
    gru4rec::with_threads(2, [] {
        std::atomic<int> n_done = 0;
        tbb::task_group group;
        group.run([&] {
            group.cancel();
            gru4rec::detail::parallel_chunks(100, [&](Index) { ++n_done; });
        });
        group.wait();
        CHECK(n_done == 100);
    });
}

TEST_CASE("a thread that waits for its loop does not run other tasks of its arena") {
    const tbb::global_control three_workers(tbb::global_control::max_allowed_parallelism, 3);
    gru4rec::with_threads(3, [] {
        std::atomic<int> n_begun = 0;
        std::atomic<bool> released = false;
        std::atomic<bool> waiting = false;
        std::atomic<int> n_intruders = 0;
        std::thread::id loop_thread;
        tbb::task_group loop;
        tbb::task_group others;
        loop.run([&] {
            loop_thread = std::this_thread::get_id();
            waiting = true;
            gru4rec::detail::parallel_chunks(2, [&](Index) {  // one chunk here, the other on a third thread
                ++n_begun;
                while (n_begun < 2 || (std::this_thread::get_id() != loop_thread && !released)) {
                    std::this_thread::yield();
                }
            });
            waiting = false;
        });
        while (n_begun < 2) {
            std::this_thread::yield();
        }
        for (int task = 0; task < 50; ++task) {  // only the loop's thread is free to take them
            others.run([&] { n_intruders += waiting && std::this_thread::get_id() == loop_thread; });
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        released = true;
        loop.wait();
        others.wait();
        CHECK(n_intruders == 0);
    });
}

TEST_CASE("loops of an arena of one thread inside stay on the caller's thread") {
    const tbb::global_control two_workers(tbb::global_control::max_allowed_parallelism, 2);
    gru4rec::with_threads(2, [] {
        std::atomic<int> n_elsewhere = 0;
        const std::thread::id own = std::this_thread::get_id();
        tbb::task_arena(1).execute([&] {
            gru4rec::detail::parallel_chunks(100, [&](Index) { n_elsewhere += std::this_thread::get_id() != own; });
        });
        CHECK(n_elsewhere == 0);
    });
}

TEST_CASE("chunks cover their range without gap or overlap, in whole units, as large as the work asks") {
    for (const Index size : {Index{0}, Index{1}, Index{23}, Index{24}, Index{25}, Index{1000}}) {
        for (const double work : {0.0, 0.001, 3.0, 1e9}) {
            const Chunks chunks = gru4rec::detail::chunks_by_work(size, 12, work, 100.0);
            CHECK(chunks.grain % 12 == 0);
            CHECK(chunks.grain >= 12);
            Index next = 0;
            for (Index chunk = 0; chunk < chunks.count(); ++chunk) {
                CHECK(chunks.begin(chunk) == next);
                CHECK(chunks.end(chunk) > chunks.begin(chunk));
                next = chunks.end(chunk);
            }
            CHECK(next == size);
        }
    }
    CHECK(gru4rec::detail::chunks_by_work(1000, 12, 3, 100).grain == 36);  // 33 units, up to a multiple of 12
    CHECK(gru4rec::detail::chunks_by_work(1000, 12, 1e9, 100).grain == 12);
    CHECK(gru4rec::detail::chunks_by_work(1000, 1, 1, 250).count() == 4);
    CHECK(gru4rec::detail::chunks_by_work(100, 12, 1, 96).grain == 60);  // two chunks of 60 and 40, not of 96 and 4
}

TEST_CASE("ranges hand on the chunks' limits") {
    std::vector<std::pair<Index, Index>> ranges;
    gru4rec::with_threads(1, [&] {
        gru4rec::detail::parallel_ranges(Chunks{7, 3},
                                         [&](Index begin, Index end) { ranges.emplace_back(begin, end); });
    });
    CHECK(ranges == std::vector<std::pair<Index, Index>>{{0, 3}, {3, 6}, {6, 7}});
}
