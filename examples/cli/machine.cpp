#include "machine.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <fstream>
#include <string_view>

#if defined(__APPLE__)
#include <sys/resource.h>
#include <sys/sysctl.h>
#endif

namespace cli {

namespace {

/// The value of the first line that starts with `name`, in a file such as /proc/cpuinfo with lines "name : value".
[[nodiscard]] std::string entry_of(const char* path, std::string_view name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (line.starts_with(name) && colon != std::string::npos) {
            return line.substr((std::min)(line.size(), line.find_first_not_of(" \t", colon + 1)));
        }
    }
    return {};
}

}  // namespace

std::string build_flags() {
#if defined(__clang__)
    std::string flags = __VERSION__;  // names the compiler itself
#elif defined(__GNUC__)
    std::string flags = "GCC " __VERSION__;
#else
    std::string flags = "unknown compiler";
#endif
    const auto add = [&](std::string_view name) { flags.append(", ").append(name); };
#if defined(__OPTIMIZE__)
    add("optimised");
#else
    add("not optimised");
#endif
#if !defined(NDEBUG)
    add("assertions");
#endif
#if defined(__SANITIZE_ADDRESS__)
    add("AddressSanitizer");
#endif
#if defined(__SSE4_2__)
    add("SSE4.2");
#endif
#if defined(__AVX__)
    add("AVX");
#endif
#if defined(__AVX2__)
    add("AVX2");
#endif
#if defined(__FMA__)
    add("FMA");
#endif
#if defined(__AVX512F__)
    add("AVX512F");
#endif
#if defined(__ARM_NEON)
    add("NEON");
#endif
    return flags;
}

std::string cpu_name() {
#if defined(__APPLE__)
    std::array<char, 256> name{};
    std::size_t size = name.size() - 1;
    const bool found = ::sysctlbyname("machdep.cpu.brand_string", name.data(), &size, nullptr, 0) == 0;
    return found ? name.data() : "unknown";
#else
    const std::string name = entry_of("/proc/cpuinfo", "model name");
    return name.empty() ? "unknown" : name;
#endif
}

std::int64_t peak_rss_bytes() {
#if defined(__APPLE__)
    rusage usage = {};
    return ::getrusage(RUSAGE_SELF, &usage) == 0 ? std::int64_t{usage.ru_maxrss} : 0;
#else
    // Not getrusage(): on Linux it includes the memory of the parent process before exec().
    const std::string kilobytes = entry_of("/proc/self/status", "VmHWM");
    std::int64_t value = 0;
    std::from_chars(kilobytes.data(), kilobytes.data() + kilobytes.size(), value);
    return value * 1024;
#endif
}

}  // namespace cli
