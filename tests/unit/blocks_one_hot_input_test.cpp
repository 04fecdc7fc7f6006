#include "gru4rec/blocks/one_hot_input.hpp"

#include "support/eigen_matrices.hpp"
#include "support/items_of.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using gru4rec::gather;
using gru4rec::gather_gradient;
using gru4rec::Index;
using gru4rec::ItemIndex;
using gru4rec::merged;
using gru4rec::RowMatrix;
using gru4rec::SparseGradient;
using gru4rec::detail::LaneInputs;

/// The gradient with a row for every item of the table.
template <class Scalar>
Eigen::MatrixXd dense(const SparseGradient<Scalar>& gradient, Index n_items) {
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(n_items, gradient.rows.cols());
    for (std::size_t i = 0; i < gradient.items.size(); ++i) {
        CHECK(result.row(to_index(gradient.items[i])).isZero(0));
        result.row(to_index(gradient.items[i])) = gradient.rows.row(static_cast<Index>(i)).template cast<double>();
    }
    return result;
}

/// (M, V): what is multiplied with the table.
Eigen::MatrixXd encoded(const LaneInputs& inputs, Index n_items) {
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(inputs.n_lanes(), n_items);
    for (Index m = 0; m < inputs.n_lanes(); ++m) {
        for (Index i = inputs.begin(m); i < inputs.end(m); ++i) {
            result(m, to_index(inputs.item(i))) += inputs.weight(i);
        }
    }
    return result;
}

}  // namespace

TEST_CASE_TEMPLATE("gathering is the product of one-hot vectors with the table, and so is its gradient", Scalar, double,
                   float) {
    naive::Engine engine(1);
    const RowMatrix<Scalar> table = random_matrix(9, 7, engine).template cast<Scalar>();
    const std::vector<ItemIndex> items = items_of({4, 0, 8, 4, 4});
    const Eigen::MatrixXd one_hot = encoded(items, 9);
    const Eigen::MatrixXd x = gather(table, items).template cast<double>();
    CHECK(x == one_hot * table.template cast<double>());
    const Eigen::MatrixXd d_x = random_matrix(5, 7, engine);
    const auto gradient = gather_gradient(d_x.cast<Scalar>(), items);
    CHECK(gradient.items == items_of({4, 0, 8}));
    CHECK(difference(dense(gradient, 9), one_hot.transpose() * d_x) < (sizeof(Scalar) == 8 ? 1e-15 : 2e-7));
}

TEST_CASE("a lane may feed a weighted sum of items, the same one twice") {
    naive::Engine engine(2);
    const RowMatrix<double> table = random_matrix(6, 5, engine);
    const std::vector<ItemIndex> items = items_of({1, 3, 1, 5, 3, 0});
    const std::vector<double> weights = {0.25, 0.5, 0.25, 1, 0.75, 0.25};
    const std::vector<Index> ends = {3, 4, 6};
    const LaneInputs inputs(items, weights, ends);
    const Eigen::MatrixXd encoding = encoded(inputs, 6);
    CHECK(difference(gather(table, inputs), encoding * table) < 1e-15);
    const Eigen::MatrixXd d_x = random_matrix(3, 5, engine);
    CHECK(difference(dense(gather_gradient(d_x, inputs), 6), encoding.transpose() * d_x) < 1e-15);
}

TEST_CASE("columns of a wider table are gathered in place") {
    naive::Engine engine(3);
    const RowMatrix<double> table = random_matrix(4, 6, engine);
    CHECK(gather(table.leftCols(5), items_of({3, 1})) == gather(table, items_of({3, 1})).leftCols(5));
    CHECK(gather(table.middleCols(2, 3), items_of({2})) == table.block(2, 2, 1, 3));
    CHECK(gather(table, items_of({})).rows() == 0);
    CHECK(gather_gradient(Eigen::MatrixXd(0, 6), items_of({})).items.empty());
}

TEST_CASE("merging adds the rows of equal items, and a narrower gradient leaves the last columns alone") {
    naive::Engine engine(4);
    const SparseGradient<double> wide{items_of({2, 0, 5}), random_matrix(3, 4, engine)};
    const SparseGradient<double> narrow{items_of({5, 1}), random_matrix(2, 3, engine)};
    const SparseGradient<double> sum = merged(wide, narrow);
    CHECK(sum.items == items_of({2, 0, 5, 1}));
    Eigen::MatrixXd expected = dense(wide, 6);
    expected.leftCols(3) += dense(narrow, 6);
    CHECK(dense(sum, 6) == expected);
    CHECK(dense(merged(narrow, wide), 6) == expected);
    CHECK(merged(wide, {}).rows == wide.rows);
}

TEST_CASE("items without a row and gradients of other lanes are refused") {
    const RowMatrix<double> table = RowMatrix<double>::Zero(4, 6);
    CHECK(complaint([&] {
              static_cast<void>(gather(table, items_of({0, 4})));
          }) == "gru4rec: item = 4, must satisfy 0 <= item < 4, the rows of the table");
    CHECK(complaint([&] { static_cast<void>(gather(table, items_of({-1}))); }).find("item = -1") != std::string::npos);
    CHECK(complaint([&] {
              static_cast<void>(gather_gradient(table, items_of({0, 1, 2})));
          }) == "gru4rec: d_x is (4, 6), must be (M, E) = (3, 6)");
}

TEST_CASE("a gradient with more rows than items, or fewer, is not merged") {
    const SparseGradient<double> right{items_of({0, 2}), RowMatrix<double>::Zero(2, 3)};
    for (const Index n_rows : {0, 1, 3}) {
        const SparseGradient<double> wrong{items_of({0, 2}), RowMatrix<double>::Zero(n_rows, 3)};
        const std::string expected =
            "gru4rec: SparseGradient::rows is (" + std::to_string(n_rows) + ", 3), must be (items, columns) = (2, 3)";
        CHECK(complaint([&] { static_cast<void>(merged(wrong, right)); }) == expected);
        CHECK(complaint([&] { static_cast<void>(merged(right, wrong)); }) == expected);
    }
}
