#ifndef GRU4REC_TESTS_SUPPORT_EQUAL_VALUES_HPP
#define GRU4REC_TESTS_SUPPORT_EQUAL_VALUES_HPP

#include <algorithm>

/// std::ranges::equal, which libc++ 14 lacks.
template <class A, class B>
[[nodiscard]] bool equal_values(const A& a, const B& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

#endif
