#include "gru4rec/batch/candidates.hpp"

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

namespace {

using gru4rec::DrawnItems;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::detail::Candidates;
using Numbers = std::vector<int>;

std::vector<ItemIndex> items(const Numbers& numbers) {
    std::vector<ItemIndex> result;
    for (const int number : numbers) {
        result.push_back(gru4rec::to_item(number));
    }
    return result;
}

Numbers numbers(std::span<const ItemIndex> list) {
    Numbers result;
    for (const ItemIndex item : list) {
        result.push_back(static_cast<int>(item));
    }
    return result;
}

struct Drawn {
    explicit Drawn(const std::map<int, std::int32_t>& of) {
        for (const auto& [item, count] : of) {
            items_.push_back(gru4rec::to_item(item));
            counts_.push_back(count);
        }
    }
    [[nodiscard]] DrawnItems view() const { return {items_, counts_}; }
    std::vector<ItemIndex> items_;
    std::vector<std::int32_t> counts_;
};

}  // namespace

TEST_CASE("equal candidates share a column, items ascend, and drawn targets repeat at the end") {
    const std::vector<std::int64_t> supports = {10, 20, 30, 40, 50, 60};
    Candidates<double> candidates(supports, 4, 8, 0.5, 2.0);
    const auto targets = items({3, 1, 3, 5});
    const Drawn drawn({{0, 2}, {1, 3}, {4, 1}, {5, 1}});
    candidates.build(targets, drawn.view());

    CHECK(numbers(candidates.items()) == Numbers{0, 1, 3, 4, 5, 1, 5});
    CHECK(candidates.n_columns() == 7);
    CHECK(candidates.n_distinct() == 5);
    CHECK(candidates.n_candidates() == 4 + 7);
    CHECK(std::vector<double>(candidates.weight(), candidates.weight() + 7) ==
          std::vector<double>{2, 1, 2, 1, 1, 3, 1});
    CHECK(std::vector<std::int32_t>(candidates.target_column(), candidates.target_column() + 4) ==
          std::vector<std::int32_t>{2, 1, 2, 4});
    CHECK(std::vector<std::int32_t>(candidates.drawn_column(), candidates.drawn_column() + 4) ==
          std::vector<std::int32_t>{-1, 5, -1, 6});
    // logq times log support for a lane's target, log support^alpha for what was drawn.
    const std::vector<double> q = {std::sqrt(10.0), 20, 40, std::sqrt(50.0), 60, std::sqrt(20.0), std::sqrt(60.0)};
    for (std::size_t j = 0; j < q.size(); ++j) {
        CHECK(candidates.log_q()[j] == doctest::Approx(2 * std::log(q[j])).epsilon(1e-14));
    }
    CHECK(candidates.repeated_target(5) == 1);
    CHECK(candidates.repeated_target(6) == 4);
    CHECK(candidates.column_of(gru4rec::to_item(3)) == 2);
    CHECK(candidates.column_of(gru4rec::to_item(4)) == 3);
    CHECK(candidates.column_of(gru4rec::to_item(2)) == -1);
    CHECK(candidates.column_of(gru4rec::to_item(6)) == -1);
}

TEST_CASE("without a correction there is no log q; without samples only targets") {
    Candidates<float> candidates(std::vector<std::int64_t>{1, 2, 3}, 3, 0, 0.5, 0);
    candidates.build(items({2, 2, 2}), {});
    CHECK(candidates.log_q() == nullptr);
    CHECK(candidates.n_columns() == 1);
    CHECK(candidates.weight()[0] == 3);
    CHECK(candidates.n_candidates() == 3);
    CHECK(candidates.drawn_column()[2] == -1);
    CHECK(candidates.column_of(gru4rec::to_item(1)) == -1);
}

TEST_CASE("with alpha 0 an item of support 0 may be drawn and has q = 0^0 = 1") {
    Candidates<double> candidates(std::vector<std::int64_t>{0, 7, 3}, 2, 2, 0, 1);
    const Drawn drawn({{0, 1}, {1, 1}});
    candidates.build(items({2, 1}), drawn.view());
    REQUIRE(numbers(candidates.items()) == Numbers{0, 1, 2, 1});
    CHECK(candidates.log_q()[0] == 0);
    CHECK(candidates.log_q()[1] == doctest::Approx(std::log(7.0)));
    CHECK(candidates.log_q()[3] == 0);
}

TEST_CASE("on random consecutive steps, columns, weights and links are those of a plain count") {
    naive::Engine engine(4);
    constexpr int n_items = 40;
    std::vector<std::int64_t> supports;
    for (int i = 0; i < n_items; ++i) {
        supports.push_back(1 + static_cast<std::int64_t>(naive::uniform_index(engine, 90)));
    }
    Candidates<double> candidates(supports, 12, 30, 0.3, 0.7);
    for (int step = 0; step < 300; ++step) {
        CAPTURE(step);
        Numbers targets(1 + naive::uniform_index(engine, 12));
        std::map<int, double> wanted;
        for (int& target : targets) {
            target = static_cast<int>(naive::uniform_index(engine, 1 + naive::uniform_index(engine, n_items)));
            wanted[target] += 1;
        }
        std::map<int, std::int32_t> drawn_counts;
        const std::size_t n_drawn = naive::uniform_index(engine, 31);
        for (std::size_t n = 0; n < n_drawn; ++n) {
            ++drawn_counts[static_cast<int>(naive::uniform_index(engine, n_items))];
        }
        const Drawn drawn(drawn_counts);
        candidates.build(items(targets), drawn.view());

        const Numbers columns = numbers(candidates.items());
        const auto n_distinct = static_cast<std::size_t>(candidates.n_distinct());
        const auto distinct_end = columns.begin() + candidates.n_distinct();
        CHECK(std::adjacent_find(columns.begin(), distinct_end, std::greater_equal<>()) == distinct_end);
        CHECK(std::is_sorted(distinct_end, columns.end()));
        CHECK(candidates.n_candidates() == static_cast<double>(targets.size() + n_drawn));
        std::size_t n_twins = 0;
        for (const auto& [item, count] : drawn_counts) {
            n_twins += wanted.contains(item) ? 1U : 0U;
        }
        CHECK(n_distinct == wanted.size() + drawn_counts.size() - n_twins);
        CHECK(columns.size() == n_distinct + n_twins);
        for (std::size_t j = 0; j < columns.size(); ++j) {
            const bool is_target = j < n_distinct && wanted.contains(columns[j]);
            const double support = static_cast<double>(supports[static_cast<std::size_t>(columns[j])]);
            CHECK(candidates.weight()[j] == (is_target ? wanted.at(columns[j]) : drawn_counts.at(columns[j])));
            CHECK(candidates.log_q()[j] ==
                  doctest::Approx(0.7 * std::log(std::pow(support, is_target ? 1 : 0.3))).epsilon(1e-12));
            if (j >= n_distinct) {
                CHECK(columns[static_cast<std::size_t>(candidates.repeated_target(static_cast<Index>(j)))] ==
                      columns[j]);
                CHECK(candidates.repeated_target(static_cast<Index>(j)) < candidates.n_distinct());
            }
        }
        for (std::size_t m = 0; m < targets.size(); ++m) {
            CHECK(columns[static_cast<std::size_t>(candidates.target_column()[m])] == targets[m]);
            CHECK(candidates.target_column()[m] < static_cast<std::int32_t>(n_distinct));
            const std::int32_t twin = candidates.drawn_column()[m];
            CHECK((twin >= static_cast<std::int32_t>(n_distinct)) == drawn_counts.contains(targets[m]));
            CHECK((twin == -1 || columns[static_cast<std::size_t>(twin)] == targets[m]));
        }
        const int cut = static_cast<int>(naive::uniform_index(engine, n_items + 1));
        Numbers in_parts;
        for (const auto& [begin, end] : {std::pair(0, cut), {cut, n_items}}) {
            for (const Index j : candidates.columns_of(begin, end)) {
                in_parts.push_back(static_cast<int>(j));
                const int item = columns[static_cast<std::size_t>(j)];
                CHECK((begin <= item && item < end));
            }
        }
        std::sort(in_parts.begin(), in_parts.end());
        Numbers every(columns.size());
        std::iota(every.begin(), every.end(), 0);
        CHECK(in_parts == every);
        for (int item = 0; item < n_items; ++item) {
            const auto found = std::find(columns.begin(), columns.end(), item);
            CHECK(candidates.column_of(gru4rec::to_item(item)) ==
                  (found == columns.end() ? Index{-1} : static_cast<Index>(found - columns.begin())));
        }
    }
}
