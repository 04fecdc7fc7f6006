// One-hot input: a one-hot vector times a table is a row of the table. So the input is gathered, and of the whole table
// only the gathered rows have a gradient.
#include "gru4rec/blocks/one_hot_input.hpp"

#include <cstddef>
#include <cstdio>
#include <vector>

int main() {
    using namespace gru4rec;
    constexpr Index n_items = 6, width = 3;
    RowMatrix<double> table(n_items, width);  // row i is the vector of item i
    for (int i = 0; i < n_items; ++i) {
        table.row(i) << i, 10 * i, 100 * i;
    }
    const std::vector<ItemIndex> items = {to_item(4), to_item(1), to_item(4)};  // one per lane; lanes 0 and 2 agree

    const Matrix<double> x = gather(table, items);  // (3, width)
    std::printf("x, gathered:\n");
    for (Index m = 0; m < x.rows(); ++m) {
        std::printf("  lane %td feeds item %td:  %3.0f %3.0f %3.0f\n", m, to_index(items[static_cast<std::size_t>(m)]),
                    x(m, 0), x(m, 1), x(m, 2));
    }

    // The same by the definition: a matrix of zeros and ones times the table.
    Matrix<double> one_hot = Matrix<double>::Zero(3, n_items);
    for (Index m = 0; m < 3; ++m) {
        one_hot(m, to_index(items[static_cast<std::size_t>(m)])) = 1;
    }
    std::printf("one-hot times table is the same: %s\n", x == one_hot * table ? "yes" : "no");

    // Backward: say that dL/dx is 1, 2 and 3 in the three lanes. Item 4 gets the sum over its two lanes.
    Matrix<double> d_x(3, width);
    d_x << 1, 1, 1, 2, 2, 2, 3, 3, 3;
    const SparseGradient<double> gradient = gather_gradient(d_x, items);
    std::printf("gradient of %td of the table's %td rows:\n", gradient.rows.rows(), n_items);
    for (Index i = 0; i < gradient.rows.rows(); ++i) {
        std::printf("  item %td:  %3.0f %3.0f %3.0f\n", to_index(gradient.items[static_cast<std::size_t>(i)]),
                    gradient.rows(i, 0), gradient.rows(i, 1), gradient.rows(i, 2));
    }
    const bool same = gradient.rows.row(0) == (one_hot.transpose() * d_x).row(4);
    std::printf("transposed one-hot times d_x has the same row for item 4: %s\n", same ? "yes" : "no");
    return same ? 0 : 1;
}
