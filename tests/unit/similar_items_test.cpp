#include "gru4rec/serve/similar_items.hpp"

#include "gru4rec/core/parallel.hpp"
#include "gru4rec/serve/item_filter.hpp"
#include "gru4rec/serve/quantized_table.hpp"
#include "support/computes_scores.hpp"
#include "support/naive/matrix.hpp"
#include "support/random_options.hpp"
#include "support/served_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using gru4rec::ContractError;
using gru4rec::Index;
using gru4rec::ItemFilter;
using gru4rec::ItemIndex;
using gru4rec::Model;
using gru4rec::QuantizedTable;
using gru4rec::Recommendation;
using gru4rec::SimilarItems;
using gru4rec::SimilarRequest;
using gru4rec::to_item;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double no = std::numeric_limits<double>::quiet_NaN();

/// Of two rows, in double precision; 0 if one of them is zero.
template <class Scalar>
double naive_cosine(const Model<Scalar>& model, Index a, Index b) {
    const auto rows = model.item_vectors();
    double product = 0;
    double a_square = 0;
    double b_square = 0;
    for (Index k = 0; k < rows.cols(); ++k) {
        const auto x = static_cast<double>(rows(a, k));
        const auto y = static_cast<double>(rows(b, k));
        product += x * y;
        a_square += x * x;
        b_square += y * y;
    }
    return a_square == 0 || b_square == 0 ? 0 : product / std::sqrt(a_square) / std::sqrt(b_square);
}

/// All items but the item itself, or what else the options leave out, are copied: a list lives until the next call.
template <class Scalar>
std::vector<Recommendation<Scalar>> full_list(SimilarItems<Scalar>& similar, const Model<Scalar>& model, Index item) {
    const auto list = similar.find(to_item(item), {.n = model.n_items()});
    return {list.begin(), list.end()};
}

/// The number of lists, found alone and together, that differ from those of the exact scan, filtered afterwards.
template <class Scalar>
int differences(const Model<Scalar>& model, int n_requests, unsigned seed) {
    const QuantizedTable<Scalar> table(model);
    SimilarItems<Scalar> exact(model);
    SimilarItems<Scalar> quantized(table);
    naive::Engine engine(seed);
    std::vector<std::shared_ptr<const ItemFilter>> filters;
    for (int f = 0; f < 6; ++f) {
        filters.push_back(drawn_filter(engine, model.n_items()));
    }
    int count = 0;
    std::vector<DrawnOptions> drawn;
    std::vector<SimilarRequest> requests;
    std::vector<std::vector<Recommendation<Scalar>>> wanted;
    for (int r = 0; r < n_requests; ++r) {
        const Index item = drawn_below(engine, model.n_items());
        const auto full = full_list(exact, model, item);
        count += same_list<Scalar>(quantized.find(to_item(item)),
                                   std::span(full).first((std::min)(full.size(), std::size_t{20})))
                     ? 0
                     : 1;
        drawn.push_back(drawn_options(engine, model.n_items(), filters));
        requests.push_back({to_item(item), drawn.back().options()});
        wanted.push_back(filtered<Scalar>(full, drawn.back()));
    }
    for (SimilarItems<Scalar>* similar : {&exact, &quantized}) {
        const auto together = similar->find_many(requests);
        for (std::size_t r = 0; r < requests.size(); ++r) {
            count += same_list<Scalar>(together[r], wanted[r]) ? 0 : 1;
            count += same_list<Scalar>(similar->find(requests[r].item, requests[r].options), wanted[r]) ? 0 : 1;
        }
    }
    return count;
}

}  // namespace

TEST_CASE("cosines are those of a plain loop, the largest first, without the item itself") {
    for (const Index units : {1, 5, 16, 33, 100}) {
        CAPTURE(units);
        const auto model = served_model<float>(203, units, fill_trained);
        SimilarItems similar(model);
        for (const Index item : {0, 7, 202}) {
            const auto list = full_list(similar, model, item);
            REQUIRE(list.size() == 202);
            std::vector<bool> seen(203, false);
            for (std::size_t i = 0; i < list.size(); ++i) {
                seen[static_cast<std::size_t>(list[i].item)] = true;
                // Two roundings of lengths, one of each product and sum.
                const double bound = static_cast<double>(units + 6) * 0x1p-24;
                CHECK(std::abs(list[i].score - naive_cosine(model, item, to_index(list[i].item))) < bound);
                CHECK((i == 0 || list[i - 1].score >= list[i].score));
            }
            CHECK(std::count(seen.begin(), seen.end(), false) == 1);
            CHECK_FALSE(seen[static_cast<std::size_t>(item)]);
        }
    }
    const auto precise = served_model<double>(50, 7, fill_random);
    SimilarItems similar(precise);
    for (const auto& entry : full_list(similar, precise, 3)) {
        CHECK(std::abs(entry.score - naive_cosine(precise, 3, to_index(entry.item))) < 1e-15);
    }
}

TEST_CASE("similar items obey filters and lists, and a quantised table finds the same bits, alone and together") {
    unsigned seed = 0;
    for (const Index n_items : {1, 2, 17, 64, 129, 331, 1003}) {
        for (const auto& fill : {FillRow(fill_random), FillRow(fill_trained)}) {
            const Index units = 1 + 11 * (++seed % 5);
            CAPTURE(n_items);
            CAPTURE(units);
            CHECK(differences(served_model<float>(n_items, units, fill), 60, seed) == 0);
        }
    }
    CHECK(differences(served_model<float>(300, 700, fill_trained), 60, 50) == 0);
    CHECK(differences(served_model<double>(300, 33, fill_trained), 60, 51) == 0);
}

TEST_CASE("rows that are equal, zero, huge, tiny or not finite give the same lists with a quantised table") {
    const std::vector<FillRow> fills = {
        [](naive::Engine&, Index, double* row, Index width) { std::fill_n(row, width + 1, 0.25); },
        [](naive::Engine&, Index, double*, Index) {},
        [](naive::Engine& engine, Index item, double* row,
           Index width) {  // lengths from denormal to nearly the largest
            fill_random(engine, item, row, width);
            std::for_each(row, row + width,
                          [&](double& weight) { weight *= std::pow(10.0, static_cast<double>(item % 85) - 46); });
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {
            fill_random(engine, item, row, width);
            row[(item * 3) % (width + 1)] = item % 6 == 0   ? no
                                            : item % 6 == 1 ? infinity
                                            : item % 6 == 2 ? -infinity
                                            : item % 6 == 3 ? 3e38
                                                            : 0.5;
        },
        [](naive::Engine&, Index item, double* row, Index width) {  // nearly the same direction
            naive::Engine same(1);
            fill_random(same, item, row, width);
            row[item % width] *= 1 + 1e-7 * static_cast<double>(item % 5);
            row[width] = 1e30;
        }};
    for (std::size_t f = 0; f < fills.size(); ++f) {
        for (const Index units : {5, 32}) {
            CAPTURE(f);
            CAPTURE(units);
            CHECK(differences(served_model<float>(331, units, fills[f]), 60, 3) == 0);
            CHECK(differences(served_model<double>(331, units, fills[f]), 30, 4) == 0);
        }
    }
    const auto far = served_model<double>(331, 8, [](naive::Engine& engine, Index item, double* row, Index width) {
        fill_random(engine, item, row, width);
        std::for_each(row, row + width,
                      [&](double& weight) { weight *= std::pow(10.0, 7.0 * static_cast<double>(item % 83) - 290); });
    });
    CHECK(differences(far, 60, 5) == 0);
}

TEST_CASE("zero rows have cosine 0, rows that are not finite come last, and biases have no part") {
    const auto model = served_model<float>(8, 2, [](naive::Engine&, Index item, double* row, Index) {
        const double rows[8][3] = {{3, 0, 9},  {0, 0, 5},    {-1, 0, 7}, {2, 2, -8},
                                   {no, 1, 0}, {1e-3, 0, 0}, {0, 4, 1},  {infinity, 1, 2}};
        std::copy_n(rows[item], 3, row);
    });
    const QuantizedTable table(model);
    for (SimilarItems<float> similar : {SimilarItems(model), SimilarItems(table)}) {
        const auto list = similar.find(to_item(0));
        const int wanted[] = {5, 3, 1, 6, 2, 4, 7};  // cosines 1, 0.7, 0, 0, -1 and NaN
        REQUIRE(list.size() == 7);
        for (std::size_t i = 0; i < 7; ++i) {
            CHECK(static_cast<int>(list[i].item) == wanted[i]);
        }
        CHECK(list[0].score == doctest::Approx(1));
        CHECK(list[1].score == doctest::Approx(std::sqrt(0.5)));
        CHECK(list[2].score == 0);
        CHECK(list[4].score == doctest::Approx(-1));
        CHECK(std::isnan(list[5].score));
        // Nothing is nearer to a row of zeros than anything else.
        const auto of_zero = similar.find(to_item(1), {.n = 3});
        CHECK(of_zero[0] == Recommendation<float>{to_item(0), 0});
        CHECK(of_zero[2] == Recommendation<float>{to_item(3), 0});
        CHECK(std::isnan(similar.find(to_item(4))[0].score));
    }
}

TEST_CASE("few cosines are computed exactly if a quantised table bounds them") {
    const auto model = served_model<float>(20'000, 32, fill_trained);
    const QuantizedTable<float> table(model);
    const gru4rec::detail::RowLengths<float> lengths(model, &table);
    gru4rec::detail::QuantizedScan<float> scan(table, 1);
    gru4rec::detail::AlignedBuffer<float> x(model.network().output_table().stride());
    const float* const row = model.network().output_table().row(5);
    std::transform(row, row + 32, x.begin(), [&](float weight) { return weight * lengths.inverse()[5]; });
    gru4rec::detail::Ranking<float> ranking;
    ranking.start({.n = 20}, model.n_items());
    gru4rec::detail::Ranking<float>* const rankings[] = {&ranking};
    scan.run({&model.network().output_table(), lengths.inverse()}, lengths.bounds(), {x.data(), 0}, rankings,
             {0, model.n_items()});
    CHECK(ranking.best.finish()[0].item == to_item(5));
    CHECK(scan.n_exact() < 100);
}

TEST_CASE("many items are found with any number of threads, and the lists outlive other calls of find") {
    const auto model = served_model<float>(331, 17, fill_trained);
    const QuantizedTable table(model);
    SimilarItems alone(model);
    for (SimilarItems<float> similar : {SimilarItems(model), SimilarItems(table)}) {
        for (const int threads : {1, 2}) {
            gru4rec::with_threads(threads, [&] {
                std::vector<SimilarRequest> requests;
                for (Index i = 0; i < 100; ++i) {
                    requests.push_back({to_item(i * 7 % 331), {.n = i % 30}});
                }
                const auto lists = similar.find_many(requests);
                REQUIRE(lists.size() == 100);
                CHECK(similar.find(to_item(330), {.n = 50}).size() == 50);
                for (std::size_t r = 0; r < requests.size(); ++r) {
                    CHECK(same_list<float>(lists[r], alone.find(requests[r].item, requests[r].options)));
                }
            });
        }
        CHECK(similar.find_many({}).empty());
    }
}

TEST_CASE("a list of no items is empty without a cosine") {
    const auto model = served_model<float>(300, 3, fill_tell_tale);
    const QuantizedTable table(model);
    const ItemFilter none = ItemFilter::only(300, {});
    for (SimilarItems<float> similar : {SimilarItems(model), SimilarItems(table)}) {
        const auto computes = [&](const gru4rec::RecommendOptions& options) {
            const std::vector<SimilarRequest> requests(3, {to_item(0), options});
            const bool together = computes_scores([&] { CHECK(similar.find_many(requests).size() == 3); });
            const bool one = computes_scores([&] { static_cast<void>(similar.find(to_item(0), options)); });
            CHECK(one == together);
            return one;
        };
        CHECK(computes({.n = 1}));
        CHECK_FALSE(computes({.n = 0}));
        CHECK_FALSE(computes({.n = 5, .filter = &none}));
        CHECK(similar.find(to_item(0), {.n = 0}).empty());
    }
}

TEST_CASE("unknown items and options that do not fit are refused") {
    const auto model = served_model<float>(30, 4, fill_random);
    SimilarItems similar(model);
    const ItemFilter filter(31);
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find(to_item(30))),
                         "gru4rec: item = 30, must satisfy 0 <= item < 30", ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find(ItemIndex{-1})), doctest::Contains("item = -1"), ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find(to_item(1), {.n = -1})), doctest::Contains("n = -1"),
                         ContractError);
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find(to_item(1), {.filter = &filter})),
                         doctest::Contains("filter was made for 31 items; the model has 30"), ContractError);
    std::vector<SimilarRequest> requests(20, {to_item(1), {}});
    requests[17].item = to_item(30);
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find_many(requests)),
                         "gru4rec: request 17: item = 30, must satisfy 0 <= item < 30", ContractError);
    requests[17] = {to_item(1), {.n = -1}};
    CHECK_THROWS_WITH_AS(static_cast<void>(similar.find_many(requests)),
                         "gru4rec: request 17: n = -1, must satisfy n >= 0", ContractError);
    CHECK(similar.find(to_item(29)).size() == 20);
}

TEST_CASE("copies and moved objects find what the first one did, and temporaries are refused") {
    static_assert(!std::is_constructible_v<SimilarItems<float>, Model<float>>);
    static_assert(!std::is_constructible_v<SimilarItems<float>, QuantizedTable<float>>);
    const auto model = served_model<double>(90, 9, fill_random);
    const auto other = served_model<double>(20, 3, fill_random);
    const QuantizedTable table(model);
    SimilarItems first(table);
    const auto wanted = full_list(first, model, 4);
    SimilarItems copy(first);
    CHECK(same_list<double>(copy.find(to_item(4), {.n = 90}), wanted));
    SimilarItems moved(std::move(first));
    CHECK(same_list<double>(moved.find(to_item(4), {.n = 90}), wanted));
    SimilarItems assigned(other);
    assigned = moved;
    CHECK(same_list<double>(assigned.find(to_item(4), {.n = 90}), wanted));
    first = moved;
    CHECK(same_list<double>(first.find(to_item(4), {.n = 90}), wanted));
    const std::vector<SimilarRequest> twice(2, {to_item(4), {.n = 90}});
    CHECK(same_list<double>(first.find_many(twice)[1], wanted));
    assigned = SimilarItems(other);
    CHECK(assigned.find(to_item(19), {.n = 30}).size() == 19);
}
