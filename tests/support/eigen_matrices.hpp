#ifndef GRU4REC_TESTS_SUPPORT_EIGEN_MATRICES_HPP
#define GRU4REC_TESTS_SUPPORT_EIGEN_MATRICES_HPP

#include "support/naive/matrix.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <cstddef>
#include <stdexcept>
#include <string>

template <class Derived>
naive::Matrix to_naive(const Eigen::MatrixBase<Derived>& matrix) {
    naive::Matrix result(static_cast<std::size_t>(matrix.rows()), static_cast<std::size_t>(matrix.cols()));
    for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
        for (Eigen::Index c = 0; c < matrix.cols(); ++c) {
            result(static_cast<std::size_t>(r), static_cast<std::size_t>(c)) = static_cast<double>(matrix(r, c));
        }
    }
    return result;
}

inline Eigen::MatrixXd from_naive(const naive::Matrix& matrix) {
    Eigen::MatrixXd result(static_cast<Eigen::Index>(matrix.rows), static_cast<Eigen::Index>(matrix.cols));
    for (Eigen::Index r = 0; r < result.rows(); ++r) {
        for (Eigen::Index c = 0; c < result.cols(); ++c) {
            result(r, c) = matrix(static_cast<std::size_t>(r), static_cast<std::size_t>(c));
        }
    }
    return result;
}

/// Uniform in -1 .. 1.
inline Eigen::MatrixXd random_matrix(Eigen::Index rows, Eigen::Index cols, naive::Engine& engine) {
    return from_naive(naive::uniform_matrix(engine, static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), 1));
}

/// The largest difference of two matrices of the same shape, over the largest value or 1.
template <class A, class B>
double difference(const Eigen::MatrixBase<A>& a, const Eigen::MatrixBase<B>& b) {
    REQUIRE(a.rows() == b.rows());
    REQUIRE(a.cols() == b.cols());
    if (a.size() == 0) {
        return 0;
    }
    const Eigen::MatrixXd x = a.template cast<double>();
    const Eigen::MatrixXd y = b.template cast<double>();
    REQUIRE(x.allFinite());
    return (x - y).cwiseAbs().maxCoeff() / (std::max)(1.0, y.cwiseAbs().maxCoeff());
}

/// d f / d matrix by central differences. `matrix` may be a view of the weights that f uses.
template <class Matrix, class Function>
Eigen::MatrixXd numeric_gradient(Matrix&& matrix, const Function& f) {
    constexpr double step = 6e-6;  // balances step^2 against epsilon / step
    Eigen::MatrixXd result(matrix.rows(), matrix.cols());
    for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
        for (Eigen::Index c = 0; c < matrix.cols(); ++c) {
            const double centre = matrix(r, c);
            matrix(r, c) = centre + step;
            const double above = f();
            matrix(r, c) = centre - step;
            const double below = f();
            matrix(r, c) = centre;
            result(r, c) = (above - below) / (2 * step);
        }
    }
    return result;
}

/// The text of the std::invalid_argument that a call throws, or "" if it throws none.
template <class Call>
std::string complaint(const Call& call) {
    try {
        call();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "";
}

#endif
