#include "gru4rec/serve/quantized_table.hpp"

#include "gru4rec/serve/quantized_dots.hpp"
#include "gru4rec/serve/quantized_scan.hpp"
#include "gru4rec/serve/ranking.hpp"
#include "gru4rec/serve/recommender.hpp"
#include "support/naive/matrix.hpp"
#include "support/served_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::Model;
using gru4rec::QuantizedTable;
using gru4rec::Recommender;
using gru4rec::SessionState;
using gru4rec::detail::from_ordered_bits;
using gru4rec::detail::ordered_bits;
using gru4rec::detail::quantized_position;
using gru4rec::detail::reached_by_n;
using gru4rec::detail::TargetDots;

/// The number of sessions whose list or bits differ from those of the exact scan.
template <class Scalar>
int differences(const Model<Scalar>& model, const std::vector<SessionState<Scalar>>& sessions, Index n) {
    const QuantizedTable<Scalar> table(model);
    Recommender<Scalar> exact(model);
    Recommender<Scalar> quantized(table);
    int count = 0;
    for (const SessionState<Scalar>& session : sessions) {
        const auto wanted = exact.recommend(session, n);
        const auto got = quantized.recommend(session, n);
        count += same_list<Scalar>(got, wanted) ? 0 : 1;
    }
    return count;
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double no = std::numeric_limits<double>::quiet_NaN();
constexpr double denormal = 1e-44;

}  // namespace

TEST_CASE("10,000 sessions get the exact items and the bits of their scores") {
    for (const Index units : {32, 100}) {
        for (const auto& fill : {FillRow(fill_random), FillRow(fill_trained)}) {
            CAPTURE(units);
            const auto model = served_model<float>(1003, units, fill);
            CHECK(differences(model, random_sessions(model, 2500, 1), 20) == 0);
        }
    }
}

TEST_CASE("tables with rows that are equal, zero, huge, tiny or not finite give exact lists") {
    const std::vector<FillRow> fills = {
        [](naive::Engine&, Index, double* row, Index width) { std::fill_n(row, width + 1, 0.25); },
        [](naive::Engine&, Index, double*, Index) {},
        [](naive::Engine& engine, Index item, double* row, Index width) {  // one huge weight here and there
            fill_random(engine, item, row, width);
            row[item % width] *= item % 5 == 0 ? 1e8 : 1;
            row[width] *= item % 7 == 0 ? 1e6 : 1;
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {  // sums that overflow
            fill_random(engine, item, row, width);
            for (Index k = 0; k <= width && item % 11 == 3; ++k) {
                row[k] *= 3e38;
            }
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {
            fill_random(engine, item, row, width);
            std::for_each(row, row + width + 1, [](double& value) { value *= 100 * denormal; });
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {  // about the smallest normal numbers
            fill_random(engine, item, row, width);
            std::for_each(row, row + width + 1, [](double& value) { value *= 1e-37; });
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {
            fill_random(engine, item, row, width);
            row[(item * 3) % (width + 1)] = item % 6 == 0   ? no
                                            : item % 6 == 1 ? infinity
                                            : item % 6 == 2 ? -infinity
                                                            : 0.5;
        },
        [](naive::Engine& engine, Index item, double* row, Index width) {  // near ties, later items better
            naive::Engine same(1);
            fill_random(same, item, row, width);
            row[width] += 1e-7 * static_cast<double>(item);
            row[0] += 1e-8 * signed_uniform(engine);
        }};
    for (std::size_t f = 0; f < fills.size(); ++f) {
        for (const Index units : {5, 32}) {
            CAPTURE(f);
            CAPTURE(units);
            const auto model = served_model<float>(331, units, fills[f]);
            for (const double scale : {1.0, 0.0, 1e-30, denormal, 1e12, 1e25, 1e38}) {
                CAPTURE(scale);
                CHECK(differences(model, random_sessions(model, 20, scale), 20) == 0);
            }
        }
    }
}

TEST_CASE("a state that is not finite, or huge, is scored exactly") {
    const auto model = served_model<float>(100, 7, fill_random);
    std::vector<SessionState<float>> sessions;
    for (const double odd : {no, infinity, -infinity, 3e38, denormal}) {
        sessions.push_back(session_in(model, {0.5, -0.25, odd, 1, 0, -1, 0.125}));
    }
    for (const Index n : {1, 20, 100}) {
        CHECK(differences(model, sessions, n) == 0);
    }
}

TEST_CASE("catalogues and lists of every size, wide layers and doubles") {
    for (const Index n_items : {1, 15, 16, 17, 128, 129, 500}) {
        const auto model = served_model<float>(n_items, 33, fill_random);
        for (const Index n : {0, 1, 20, 100, 1000}) {
            CHECK(differences(model, random_sessions(model, 10, 1), n) == 0);
        }
    }
    const auto wide = served_model<float>(200, 700, fill_random);  // fewer levels per value: the sum fills 32 bits
    CHECK(differences(wide, random_sessions(wide, 50, 1), 20) == 0);
    std::vector<SessionState<float>> full = {session_in(wide, std::vector<double>(700, 1))};
    CHECK(differences(wide, full, 20) == 0);
    const auto precise = served_model<double>(700, 32, fill_trained);
    CHECK(differences(precise, random_sessions(precise, 200, 1), 20) == 0);
    const auto far = served_model<double>(70, 8, [](naive::Engine& engine, Index item, double* row, Index width) {
        fill_random(engine, item, row, width);
        std::for_each(row, row + width + 1, [&](double& value) { value *= item % 3 == 0 ? 1e60 : 1e-60; });
    });
    CHECK(differences(far, random_sessions(far, 20, 1), 20) == 0);
}

TEST_CASE("weights are rounded to half a step of their row's scale") {
    const auto model = served_model<float>(2000, 32, fill_trained);
    const QuantizedTable<float> table(model);
    CHECK(table.bytes() == 2048 * (32 + 8));  // whole chunks
    CHECK(table.largest_error() <= 0.5 * std::sqrt(32.0));
    CHECK(table.largest_norm() <= 127 * std::sqrt(32.0));
    for (Index item = 0; item < 2000; ++item) {
        const float* const row = model.network().output_table().row(item);
        const float scale = table.scales()[item];
        for (Index k = 0; k < 32; ++k) {
            const Index position = quantized_position<TargetDots>(item % 128, k, table.n_quads());
            const float q = static_cast<float>(table.chunk(item / 128)[position]) - 128;
            CHECK(std::abs(row[k] - q * scale) <= 0.5001F * scale);
        }
        CHECK(table.upper_biases()[item] > row[32]);
    }
}

TEST_CASE("floats keep their order as integers") {
    const float far = std::numeric_limits<float>::max();
    const std::vector<float> ascending = {-std::numeric_limits<float>::infinity(), -far, -1, -1e-45F, 0, 1e-45F, 1, far,
                                          std::numeric_limits<float>::infinity()};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        const std::int32_t bits = ordered_bits(ascending[i]);
        CHECK(from_ordered_bits(bits) == ascending[i]);
        CHECK((i == 0 || ordered_bits(ascending[i - 1]) < bits));
    }
}

TEST_CASE("n numbers reach what is found, more if some are equal to the n-th largest") {
    constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min();
    constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
    naive::Engine engine(5);
    for (const std::int64_t span : {1, 2, 10, 1000, 2147483647}) {
        for (const std::size_t size : {1U, 2U, 33U, 100U}) {
            std::vector<std::int32_t> numbers;
            while (numbers.size() < size) {
                numbers.push_back(static_cast<std::int32_t>(signed_uniform(engine) * static_cast<double>(span)));
            }
            numbers[0] = size % 2 == 0 ? least : most;
            std::vector<std::int32_t> sorted = numbers;
            std::sort(sorted.rbegin(), sorted.rend());
            for (std::size_t n = 1; n <= size; ++n) {
                const std::int32_t found = reached_by_n(numbers, static_cast<Index>(n));
                CHECK(found <= sorted[n - 1]);
                CHECK((n == size || found > sorted[n] || found == sorted[n - 1]));
            }
        }
    }
}

TEST_CASE("few items are scored exactly, unless their quantised scores are all alike") {
    const auto exactly_scored = [](const Model<float>& model) {
        const QuantizedTable<float> table(model);
        gru4rec::detail::QuantizedScan<float> scan(table, 1);
        const Index stride = model.network().output_table().stride();
        gru4rec::detail::AlignedBuffer<float> h(stride);
        const auto session = random_sessions(model, 1, 1).front();
        std::copy(session.values().begin(), session.values().end(), h.begin());
        h[model.network().output_width()] = 1;
        gru4rec::detail::Ranking<float> ranking;
        ranking.start({.n = 20}, model.n_items());
        gru4rec::detail::Ranking<float>* const rankings[] = {&ranking};
        scan.run({&model.network().output_table()}, scan.score_bounds(), {h.data(), stride}, rankings,
                 {0, model.n_items()});
        return scan.n_exact();
    };
    CHECK(exactly_scored(served_model<float>(20'000, 32, fill_random)) < 60);
    CHECK(exactly_scored(served_model<float>(20'000, 32, fill_trained)) < 60);
    const auto equal = served_model<float>(
        3000, 32, [](naive::Engine&, Index, double* row, Index width) { std::fill_n(row, width + 1, 0.25); });
    CHECK(exactly_scored(equal) == 3000);
}
