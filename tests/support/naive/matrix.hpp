#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_MATRIX_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_MATRIX_HPP

#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

/// The naive twin: the whole model once more, in double, in plain loops, written from the formulas alone and sharing
/// nothing with the library. It is slow on purpose: what it computes can be read off.
namespace naive {

/// Row-major matrix. A vector is a matrix of one row.
struct Matrix {
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::vector<double> values;

    Matrix() = default;
    Matrix(std::size_t n_rows, std::size_t n_cols, double value = 0.0)
        : rows(n_rows), cols(n_cols), values(n_rows * n_cols, value) {}

    [[nodiscard]] bool empty() const noexcept { return values.empty(); }
    [[nodiscard]] double& operator()(std::size_t i, std::size_t j) noexcept { return values.data()[i * cols + j]; }
    [[nodiscard]] double operator()(std::size_t i, std::size_t j) const noexcept { return values.data()[i * cols + j]; }

    friend bool operator==(const Matrix&, const Matrix&) = default;
};

inline void require_shape(const Matrix& matrix, std::size_t rows, std::size_t cols, const std::string& what) {
    if (matrix.rows != rows || matrix.cols != cols) {
        throw std::logic_error("naive: " + what + " is (" + std::to_string(matrix.rows) + ", " +
                               std::to_string(matrix.cols) + "), expected (" + std::to_string(rows) + ", " +
                               std::to_string(cols) + ")");
    }
}

/// A B
[[nodiscard]] inline Matrix product(const Matrix& a, const Matrix& b) {
    require_shape(b, a.cols, b.cols, "right factor of A B");
    Matrix result(a.rows, b.cols);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t k = 0; k < a.cols; ++k) {
            const double factor = a(i, k);
            for (std::size_t j = 0; j < b.cols; ++j) {
                result(i, j) += factor * b(k, j);
            }
        }
    }
    return result;
}

/// A^T B
[[nodiscard]] inline Matrix product_of_transposed(const Matrix& a, const Matrix& b) {
    require_shape(b, a.rows, b.cols, "right factor of A^T B");
    Matrix result(a.cols, b.cols);
    for (std::size_t k = 0; k < a.rows; ++k) {
        for (std::size_t i = 0; i < a.cols; ++i) {
            const double factor = a(k, i);
            for (std::size_t j = 0; j < b.cols; ++j) {
                result(i, j) += factor * b(k, j);
            }
        }
    }
    return result;
}

/// A B^T
[[nodiscard]] inline Matrix product_with_transposed(const Matrix& a, const Matrix& b) {
    require_shape(b, b.rows, a.cols, "right factor of A B^T");
    Matrix result(a.rows, b.rows);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < b.rows; ++j) {
            double sum = 0;
            for (std::size_t k = 0; k < a.cols; ++k) {
                sum += a(i, k) * b(j, k);
            }
            result(i, j) = sum;
        }
    }
    return result;
}

/// A o B, element by element
[[nodiscard]] inline Matrix elementwise_product(const Matrix& a, const Matrix& b) {
    require_shape(b, a.rows, a.cols, "right factor of A o B");
    Matrix result = a;
    for (std::size_t i = 0; i < result.values.size(); ++i) {
        result.values[i] *= b.values[i];
    }
    return result;
}

/// (1, cols)
[[nodiscard]] inline Matrix column_sums(const Matrix& a) {
    Matrix result(1, a.cols);
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < a.cols; ++j) {
            result(0, j) += a(i, j);
        }
    }
    return result;
}

inline void add(Matrix& a, const Matrix& b) {
    require_shape(b, a.rows, a.cols, "summand");
    for (std::size_t i = 0; i < a.values.size(); ++i) {
        a.values[i] += b.values[i];
    }
}

/// Adds the single row `row` to every row of `a`.
inline void add_to_each_row(Matrix& a, const Matrix& row) {
    require_shape(row, 1, a.cols, "row");
    for (std::size_t i = 0; i < a.rows; ++i) {
        for (std::size_t j = 0; j < a.cols; ++j) {
            a(i, j) += row(0, j);
        }
    }
}

/// Row k of the result is row `rows[k]` of the table.
[[nodiscard]] inline Matrix gather_rows(const Matrix& table, const std::vector<std::size_t>& rows) {
    Matrix result(rows.size(), table.cols);
    for (std::size_t k = 0; k < rows.size(); ++k) {
        if (rows[k] >= table.rows) {
            throw std::logic_error("naive: row " + std::to_string(rows[k]) + " of a table of " +
                                   std::to_string(table.rows));
        }
        for (std::size_t j = 0; j < table.cols; ++j) {
            result(k, j) = table(rows[k], j);
        }
    }
    return result;
}

/// Adds row k of `gradient` to row `rows[k]` of the table: repeated rows add up.
inline void scatter_add_rows(Matrix& table, const std::vector<std::size_t>& rows, const Matrix& gradient) {
    require_shape(gradient, rows.size(), table.cols, "gradient of table rows");
    for (std::size_t k = 0; k < rows.size(); ++k) {
        for (std::size_t j = 0; j < table.cols; ++j) {
            table(rows[k], j) += gradient(k, j);
        }
    }
}

using Engine = std::mt19937_64;

/// [0, 1); the same numbers with every standard library.
template <class Random>
[[nodiscard]] double uniform(Random& engine) {
    return static_cast<double>(static_cast<std::uint64_t>(engine()) >> 11) * 0x1.0p-53;
}

/// [0, n)
template <class Random>
[[nodiscard]] std::size_t uniform_index(Random& engine, std::size_t n) {
    return static_cast<std::size_t>(uniform(engine) * static_cast<double>(n));
}

/// U(-scale, scale)
[[nodiscard]] inline Matrix uniform_matrix(Engine& engine, std::size_t rows, std::size_t cols, double scale) {
    Matrix result(rows, cols);
    for (double& value : result.values) {
        value = scale * (2 * uniform(engine) - 1);
    }
    return result;
}

/// A dropout mask: 0 with probability p, else 1 / (1 - p).
[[nodiscard]] inline Matrix dropout_mask(Engine& engine, std::size_t rows, std::size_t cols, double p) {
    Matrix result(rows, cols);
    for (double& value : result.values) {
        value = uniform(engine) < p ? 0.0 : 1.0 / (1.0 - p);
    }
    return result;
}

}  // namespace naive

#endif
