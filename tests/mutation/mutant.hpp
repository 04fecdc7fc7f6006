#ifndef GRU4REC_TESTS_MUTATION_MUTANT_HPP
#define GRU4REC_TESTS_MUTATION_MUTANT_HPP

// What instrumented headers call: every place that a mutant changes asks whether its mutant is switched on. So one
// build holds all mutants, and GRU4REC_MUTANT=N chooses one. Included before everything else (-include).

#include <algorithm>
#include <concepts>
#include <cstdlib>
#include <type_traits>
#include <utility>

namespace gru4rec_mutant {

inline constexpr int max_mutants = 1 << 16;

/// The mutant that is switched on, 0 for none.
inline const int active = [] {
    const char* text = std::getenv("GRU4REC_MUTANT");
    return text == nullptr ? 0 : std::atoi(text);
}();

inline bool compiled[max_mutants];  ///< mutants that are in the program
inline bool reached[max_mutants];   ///< mutants whose place has been run since it was last cleared

template <int id>
struct Registered {
    static inline const bool done = (compiled[id] = true);
};

/// Whether mutant `id` is switched on. Constant expressions are never changed.
template <int id>
constexpr bool on() noexcept {
    if (std::is_constant_evaluated()) {
        return false;
    }
    static_cast<void>(Registered<id>::done);
    if (!reached[id]) {
        reached[id] = true;
    }
    return active == id;
}

// An operator that cannot be exchanged for the types at hand, such as + of strings, is left as it is and not counted.
// clang-format off
#define GRU4REC_MUTANT_BINARY(name, original, changed)                                     \
    template <int id, class A, class B>                                                    \
    constexpr decltype(auto) name(A&& a, B&& b) {                                          \
        if constexpr (requires {                                                           \
                          { a changed b } -> std::same_as<decltype(a original b)>;         \
                      }) {                                                                 \
            if (on<id>()) {                                                                \
                return std::forward<A>(a) changed std::forward<B>(b);                      \
            }                                                                              \
        }                                                                                  \
        return std::forward<A>(a) original std::forward<B>(b);                             \
    }
// clang-format on

GRU4REC_MUTANT_BINARY(less, <, <=)
GRU4REC_MUTANT_BINARY(less_equal, <=, <)
GRU4REC_MUTANT_BINARY(greater, >, >=)
GRU4REC_MUTANT_BINARY(greater_equal, >=, >)
GRU4REC_MUTANT_BINARY(equal, ==, !=)
GRU4REC_MUTANT_BINARY(not_equal, !=, ==)
GRU4REC_MUTANT_BINARY(plus, +, -)
GRU4REC_MUTANT_BINARY(minus, -, +)
GRU4REC_MUTANT_BINARY(times, *, +)
GRU4REC_MUTANT_BINARY(divides, /, *)
GRU4REC_MUTANT_BINARY(modulus, %, +)
GRU4REC_MUTANT_BINARY(bit_and, &, |)
GRU4REC_MUTANT_BINARY(bit_or, |, &)
GRU4REC_MUTANT_BINARY(add_to, +=, -=)
GRU4REC_MUTANT_BINARY(subtract_from, -=, +=)
GRU4REC_MUTANT_BINARY(multiply_to, *=, +=)
GRU4REC_MUTANT_BINARY(divide_to, /=, *=)

/// Off by one. A literal whose next value its type does not hold is left.
template <int id, class T>
constexpr T next(T value) {
    return on<id>() ? static_cast<T>(value + T(1)) : value;
}

/// -a becomes a.
template <int id, class A>
constexpr auto negated(const A& a) {
    if constexpr (std::is_arithmetic_v<A>) {
        if (on<id>()) {
            return static_cast<decltype(-a)>(a);
        }
    }
    return -a;
}

/// !a becomes a.
template <int id, class A>
constexpr bool inverted(const A& a) {
    return on<id>() ? static_cast<bool>(a) : !a;
}

/// A condition that always holds, or never does.
template <int id, class A>
constexpr bool always(A&& a) {
    const bool value = static_cast<bool>(std::forward<A>(a));
    return on<id>() || value;
}

template <int id, class A>
constexpr bool never(A&& a) {
    const bool value = static_cast<bool>(std::forward<A>(a));
    return !on<id>() && value;
}

template <int id, class T>
constexpr T least(const T& a, const T& b) {
    return on<id>() ? (std::max)(a, b) : (std::min)(a, b);
}

template <int id, class T>
constexpr T greatest(const T& a, const T& b) {
    return on<id>() ? (std::min)(a, b) : (std::max)(a, b);
}

}  // namespace gru4rec_mutant

#endif
