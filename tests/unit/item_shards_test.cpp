#include "gru4rec/batch/item_shards.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::detail::ByShard;
using gru4rec::detail::n_shards;
using gru4rec::detail::shard_starts;
using gru4rec::detail::ShardStarts;
using gru4rec::detail::ShardTree;

/// Distinct candidates that the items begin .. end - 1 expect, draw by draw.
double expected(const std::vector<std::int64_t>& supports, double alpha, double lanes, double draws, Index begin,
                Index end) {
    double targets = 0;
    double drawn = 0;
    for (const std::int64_t support : supports) {
        targets += static_cast<double>(support);
        drawn += std::pow(static_cast<double>(support), alpha);
    }
    double sum = 0;
    for (Index i = begin; i < end; ++i) {
        const auto support = static_cast<double>(supports[static_cast<std::size_t>(i)]);
        sum += 1 - std::pow(1 - support / targets, lanes) * std::pow(1 - std::pow(support, alpha) / drawn, draws);
    }
    return sum;
}

std::vector<std::int64_t> zipf(std::size_t n) {
    std::vector<std::int64_t> supports;
    for (std::size_t i = 0; i < n; ++i) {
        supports.push_back(static_cast<std::int64_t>(100'000 / (1 + (i * 7919) % n)) + 1);
    }
    return supports;
}

std::vector<Index> sizes(const ShardStarts& starts) {
    std::vector<Index> result;
    for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
        result.push_back(starts[s + 1] - starts[s]);
    }
    return result;
}

/// The tree written out.
std::string written(const ByShard<bool>& is_there, std::size_t begin, std::size_t end) {
    if (end - begin == 1) {
        return is_there[begin] ? std::to_string(begin) : "";
    }
    const std::size_t middle = (begin + end) / 2;
    const std::string low = written(is_there, begin, middle);
    const std::string high = written(is_there, middle, end);
    return low.empty() || high.empty() ? low + high : "(" + low + "+" + high + ")";
}

}  // namespace

TEST_CASE("shards cover the catalogue in order and expect about as many distinct candidates each") {
    const std::vector<std::int64_t> supports = zipf(5000);
    for (const double alpha : {0.0, 0.5, 1.0}) {
        CAPTURE(alpha);
        const ShardStarts starts = shard_starts(supports, alpha, 32, 2048);
        CHECK(starts.front() == 0);
        CHECK(starts.back() == 5000);
        CHECK(std::is_sorted(starts.begin(), starts.end()));
        const double all = expected(supports, alpha, 32, 2048, 0, 5000);
        for (std::size_t s = 0; s < n_shards; ++s) {
            // A shard is off by an item at either end, which is worth at most one candidate.
            CHECK(std::abs(expected(supports, alpha, 32, 2048, starts[s], starts[s + 1]) - all / n_shards) <
                  2 + 0.01 * all / n_shards);
        }
    }
}

TEST_CASE("a popular item that is drawn many times counts as one candidate") {
    std::vector<std::int64_t> supports(1600, 10);
    supports[0] = 1'000'000;  // nearly all draws
    const ShardStarts starts = shard_starts(supports, 1, 10, 60'000);
    CHECK(starts[1] > 50);
    CHECK(starts[1] < 150);
}

TEST_CASE("few candidates: all but every second, fourth, ... shard are empty") {
    const std::vector<std::int64_t> supports(1000, 3);
    struct Case {
        Index lanes, used;
    };
    for (const Case& c : {Case{500, 16}, Case{300, 8}, Case{150, 4}, Case{60, 2}, Case{40, 1}}) {
        CAPTURE(c.lanes);
        const std::vector<Index> size = sizes(shard_starts(supports, 0.5, c.lanes, 0));
        for (std::size_t s = 0; s < size.size(); ++s) {
            CHECK((size[s] > 0) == (s % static_cast<std::size_t>(n_shards / c.used) == 0));
        }
        CHECK(*std::max_element(size.begin(), size.end()) - 1000 / c.used <= 1);
    }
}

TEST_CASE("catalogues of one item, of none, and of items without events have shards") {
    CHECK(sizes(shard_starts(std::vector<std::int64_t>{7}, 0.5, 32, 64)).front() == 1);
    CHECK(shard_starts({}, 0.5, 32, 64) == ShardStarts{});
    const ShardStarts starts = shard_starts(std::vector<std::int64_t>(5, 0), 0.5, 32, 64);
    CHECK(starts.front() == 0);
    CHECK(starts.back() == 5);
    CHECK(std::is_sorted(starts.begin(), starts.end()));
}

TEST_CASE("the tree adds neighbours, pairs, fours and eights, and leaves out shards that are not there") {
    naive::Engine engine(11);
    for (int run = 0; run < 300; ++run) {
        ByShard<bool> is_there{};
        const std::size_t of_ten = naive::uniform_index(engine, 11);
        std::vector<std::string> values;
        for (std::size_t s = 0; s < n_shards; ++s) {
            is_there[s] = naive::uniform_index(engine, 10) < of_ten;
            values.push_back(std::to_string(s));
        }
        const ShardTree tree(is_there);
        tree.for_each_addition([&](Index to, Index from) {
            std::string& sum = values[static_cast<std::size_t>(to)];
            sum = "(" + sum + "+" + values[static_cast<std::size_t>(from)] + ")";
        });
        const std::string wanted = written(is_there, 0, n_shards);
        CHECK((tree.root() < 0) == wanted.empty());
        CHECK((tree.root() < 0 ? "" : values[static_cast<std::size_t>(tree.root())]) == wanted);
    }
}
