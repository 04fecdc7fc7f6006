#include "messages.hpp"

#include "gru4rec/core/text.hpp"

#include <cstddef>
#include <cstdio>

namespace cli {

std::string_view without_prefix(std::string_view message) {
    constexpr std::string_view prefix = "gru4rec: ";
    message.remove_prefix(message.starts_with(prefix) ? prefix.size() : 0);
    return message;
}

std::string one_line(std::string_view text) {
    constexpr std::size_t half = 1000;
    std::string line = gru4rec::detail::printable(text);
    if (line.size() > 2 * half) {
        line.replace(half - 5, line.size() - 2 * half + 10, " [...] ");
    }
    return line;
}

std::string for_shell(std::string_view text) {
    std::string word = "'";
    for (const char c : text) {
        word += c == '\'' ? "'\\''" : std::string(1, c);
    }
    return word + "'";
}

void tell(std::string_view text, std::string_view program) {
    std::fflush(stdout);
    std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(), one_line(text).c_str());
}

void tell_without_memory(std::string_view text, std::string_view program) noexcept {
    std::fflush(stdout);
    for (const std::string_view part : {program, std::string_view(": "), text}) {
        for (const char c : part) {
            std::fputc(c >= ' ' && c <= '~' ? c : '?', stderr);
        }
    }
    std::fputc('\n', stderr);
}

void tell_failure(const char* what, const std::exception& reason) noexcept {
    try {
        tell(std::string(what) + ": " + reason.what());
    } catch (const std::exception&) {
        tell_without_memory(what);
        tell_without_memory(reason.what());
    }
}

}  // namespace cli
