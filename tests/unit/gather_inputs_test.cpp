#include "gru4rec/nn/input.hpp"

#include "support/naive/matrix.hpp"
#include "support/random_outer.hpp"
#include "support/random_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace {

using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::detail::JoinedInput;
using gru4rec::detail::LaneInputs;
using gru4rec::detail::padded;
using gru4rec::detail::PaddedMatrix;

}  // namespace

TEST_CASE_TEMPLATE("a lane's input is the weighted sum of its items' rows, zeros after it and in the lanes of padding",
                   Scalar, float, double) {
    naive::Engine engine(1);
    for (const Index width : {Index{1}, Index{7}, Index{16}, Index{21}}) {
        for (const Index n_lanes : {Index{1}, Index{5}, Index{16}, Index{19}}) {
            CAPTURE(width);
            CAPTURE(n_lanes);
            const auto table = random_rows<Scalar>(9, width + 2, engine);  // the last two columns are not asked for
            std::vector<ItemIndex> items;
            std::vector<double> weights;
            std::vector<Index> ends;
            for (Index m = 0; m < n_lanes; ++m) {
                for (Index i = 0; i < 1 + m % 3; ++i) {
                    items.push_back(gru4rec::to_item((2 * m + 4 * i) % 9));
                    weights.push_back(m % 3 == 0 && m % 2 == 0 ? 1 : 0.25 + static_cast<double>(i));
                }
                ends.push_back(static_cast<Index>(items.size()));
            }
            PaddedMatrix<Scalar> rows(padded<Scalar>(n_lanes) + 1, width);
            for (Index m = 0; m < rows.rows(); ++m) {
                std::fill_n(rows.row(m), rows.stride(), Scalar(9));
            }
            RandomColumns<Scalar> columns(padded<Scalar>(n_lanes), padded<Scalar>(width), engine);
            gru4rec::detail::gather_inputs<Scalar>(table, LaneInputs(items, weights, ends), width,
                                                   {rows.data(), rows.stride()}, columns.view());
            for (Index m = 0; m < padded<Scalar>(n_lanes); ++m) {
                for (Index k = 0; k < padded<Scalar>(width); ++k) {
                    double expected = 0;
                    const Index begin = m == 0 || m >= n_lanes ? 0 : ends[static_cast<std::size_t>(m - 1)];
                    for (Index i = begin; m < n_lanes && k < width && i < ends[static_cast<std::size_t>(m)]; ++i) {
                        const Index item = gru4rec::to_index(items[static_cast<std::size_t>(i)]);
                        expected += weights[static_cast<std::size_t>(i)] * static_cast<double>(table.row(item)[k]);
                    }
                    CHECK(static_cast<double>(rows.row(m)[k]) == doctest::Approx(expected).epsilon(1e-6));
                    CHECK(columns.view().column(k)[m] == rows.row(m)[k]);
                }
            }
            CHECK(rows.row(padded<Scalar>(n_lanes))[0] == 9);  // no row after the last cache line of lanes
        }
    }
}

TEST_CASE_TEMPLATE("joined inputs are [h | x], and their gradient is handed to h and added to x", Scalar, float,
                   double) {
    constexpr Index line = gru4rec::detail::scalars_per_line<Scalar>;
    naive::Engine engine(2);
    const Index units = 5;
    const Index width = 13;
    const Index lanes = 2 * line;
    RandomColumns<Scalar> h(lanes, units, engine);
    RandomColumns<Scalar> x(lanes, width, engine);
    JoinedInput<Scalar> joined(lanes, units, width);
    joined.join(h.view(), x.view(), lanes);
    joined.transpose(lanes);
    RandomColumns<Scalar> d(lanes, units + width, engine);
    RandomColumns<Scalar> d_h(lanes, units, engine);
    const RandomColumns<Scalar> d_x_before(lanes, width, engine);
    auto d_x = d_x_before;
    for (Index k = 0; k < units + width; ++k) {
        std::copy_n(d.view().column(k), lanes, joined.d_values().column(k));
    }
    joined.copy_d_h(lanes, d_h.view());
    joined.add_d_x(lanes, d_x.view());
    for (Index m = 0; m < lanes; ++m) {
        for (Index k = 0; k < units + width; ++k) {
            const Scalar expected = k < units ? h(m, k) : x(m, k - units);
            CHECK(joined.values().column(k)[m] == expected);
            CHECK(joined.rows()(m)[k] == expected);
            CHECK((k < units ? d_h(m, k) == d(m, k) : d_x(m, k - units) == d_x_before(m, k - units) + d(m, k)));
        }
        for (Index k = units + width; k < padded<Scalar>(units + width); ++k) {
            CHECK(joined.rows()(m)[k] == 0);
        }
    }
}
