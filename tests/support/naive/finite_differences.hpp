#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_FINITE_DIFFERENCES_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_FINITE_DIFFERENCES_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

namespace naive {

/// |a - n| / max(1, |a|, |n|); infinite if either is NaN.
[[nodiscard]] inline double gradient_error(double analytic, double numeric) {
    const double error = std::abs(analytic - numeric) / std::max({1.0, std::abs(analytic), std::abs(numeric)});
    return std::isfinite(error) ? error : std::numeric_limits<double>::infinity();
}

[[nodiscard]] inline double largest_gradient_error(const std::vector<double>& analytic,
                                                   const std::vector<double>& numeric) {
    if (analytic.size() != numeric.size()) {
        throw std::logic_error("naive: gradients of different length");
    }
    double largest = 0;
    for (std::size_t i = 0; i < analytic.size(); ++i) {
        largest = std::max(largest, gradient_error(analytic[i], numeric[i]));
    }
    return largest;
}

/// (f(x + h) - f(x - h)) / 2h along every component. `x` is changed in place and put back: `f()` reads it from wherever
/// it lives, for instance in a network's weights. The default step balances h^2 against epsilon / h, both about 1e-11.
template <class Function>
[[nodiscard]] std::vector<double> central_differences_in_place(std::vector<double>& x, Function&& f, double h = 6e-6) {
    std::vector<double> result(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double centre = x[i];
        const double above = centre + h;
        const double below = centre - h;
        x[i] = above;
        const double f_above = f();
        x[i] = below;
        const double f_below = f();
        x[i] = centre;
        result[i] = (f_above - f_below) / (above - below);
    }
    return result;
}

/// The same for a function of a vector.
template <class Function>
[[nodiscard]] std::vector<double> central_differences(Function&& f, std::vector<double> x, double h = 6e-6) {
    return central_differences_in_place(
        x, [&] { return f(x); }, h);
}

}  // namespace naive

#endif
