#ifndef GRU4REC_EXAMPLES_SUPPORT_ENGINES_HPP
#define GRU4REC_EXAMPLES_SUPPORT_ENGINES_HPP

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

/// The choice among engines. An engine is the whole program, or the whole module of the Python package, compiled for
/// one instruction set and named after it. What chooses is compiled for the plain architecture, because it runs before
/// anything is known about the processor; therefore it includes nothing of the library.
namespace engines {

/// The environment variable that names the engine to use.
inline constexpr const char* variable = "GRU4REC_ENGINE";

/// Whether this processor has the instructions of the engine; true for a name that is not a level of x86-64.
[[nodiscard]] inline bool runs_here([[maybe_unused]] std::string_view engine) {
#if defined(__x86_64__)
#if (defined(__clang__) && __clang_major__ >= 18) || (!defined(__clang__) && __GNUC__ >= 12)
    const bool v2 = __builtin_cpu_supports("x86-64-v2");
    const bool v3 = __builtin_cpu_supports("x86-64-v3");
    const bool v4 = __builtin_cpu_supports("x86-64-v4");
#else  // The compiler does not know the levels, so ask for what each adds to the one below, as far as it knows that.
    const bool v2 =
        __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
#endif
    if (engine.starts_with("x86-64-")) {
        return (engine == "x86-64-v2" && v2) || (engine == "x86-64-v3" && v3) || (engine == "x86-64-v4" && v4);
    }
#endif
    return true;
}

/// One of the two is empty.
struct Choice {
    std::string engine;
    std::string problem;  ///< why none can be taken, and what to do
};

[[nodiscard]] inline std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text.append(text.empty() ? "" : ", ").append(name);
    }
    return text;
}

/// The engine that is wanted, otherwise the most demanding one that this processor runs.
///
/// @param engines  from the least demanding to the most
/// @param wanted   value of the environment variable; nullptr or empty: none in particular
/// @param runs     whether the processor runs an engine; another function in tests
[[nodiscard]] inline Choice choose(const std::vector<std::string>& engines, const char* wanted,
                                   bool (*runs)(std::string_view) = runs_here) {
    std::vector<std::string> usable;
    std::copy_if(engines.begin(), engines.end(), std::back_inserter(usable), runs);
    if (wanted != nullptr && *wanted != '\0') {
        const std::string problem = std::string(variable) + " is '" + wanted + "', ";
        if (std::find(engines.begin(), engines.end(), wanted) == engines.end()) {
            return {{}, problem + "but the engines here are: " + listed(engines)};
        }
        if (std::find(usable.begin(), usable.end(), wanted) == usable.end()) {
            return {{}, problem + "but this processor runs only: " + (usable.empty() ? "none" : listed(usable))};
        }
        return {wanted, {}};
    }
    if (usable.empty()) {
        return {{}, "this processor runs none of the engines here (" + listed(engines) + "); build from source on it"};
    }
    return {usable.back(), {}};
}

/// Why the engine that is running is not the one that the environment asks for; empty if it is, or if none is asked
/// for.
[[nodiscard]] inline std::string problem_with(const std::string& running) {
    return choose({running}, std::getenv(variable), [](std::string_view) { return true; }).problem;
}

}  // namespace engines

#endif
