#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_SESSION_LISTS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_SESSION_LISTS_HPP

#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

// A list of items, by regular expressions: slow, and nothing of the library.
namespace naive {

/// Python's escapes of one letter; others are not part of what the twin reads.
inline std::string without_escapes(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            result += text[i];
            continue;
        }
        const char letter = text[++i];
        result += letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter;
    }
    return result;
}

/// The items of a list, or nullopt if it is malformed. Without np.…(…), \x, \u, \U, \b and \f.
inline std::optional<std::vector<std::string>> parse_list(std::string cell) {
    static const std::regex edges("^\\s+|\\s+$");
    static const std::regex opened("[\\[({][^]*");
    static const std::regex closed("\\[[^]*\\]|\\([^]*\\)|\\{[^]*\\}");
    cell = std::regex_replace(cell, edges, "");
    bool tuple = false;
    if (std::regex_match(cell, opened)) {
        if (!std::regex_match(cell, closed)) {
            return std::nullopt;
        }
        tuple = cell[0] == '(';
        cell = std::regex_replace(cell.substr(1, cell.size() - 2), edges, "");
    }
    static const std::regex item(
        R"(^('(?:[^'\\]|\\["'\\/nrt])+'|"(?:[^"\\]|\\["'\\/nrt])+"|[^\s,'"\[\]][^\s,"\[\]]*))");
    static const std::regex separator("^(\\s*,\\s*|\\s+)");
    std::vector<std::string> items;
    std::vector<bool> commas;
    while (!cell.empty()) {
        std::smatch found;
        if (!std::regex_search(cell, found, item) || found[1] == "...") {
            return std::nullopt;
        }
        std::string text = found[1];
        const bool quoted = text[0] == '\'' || text[0] == '"';
        items.push_back(quoted ? without_escapes(text.substr(1, text.size() - 2)) : text);
        cell = found.suffix();
        if (cell.empty()) {
            break;
        }
        if (!std::regex_search(cell, found, separator)) {
            return std::nullopt;
        }
        const bool comma = found[1].str().find(',') != std::string::npos;
        cell = found.suffix();
        if (cell.empty()) {  // blanks at the end are gone, so this is a comma
            return tuple && items.size() == 1 ? std::optional(items) : std::nullopt;
        }
        commas.push_back(comma);
        if (commas.back() != commas.front()) {
            return std::nullopt;
        }
    }
    return items;
}

}  // namespace naive

#endif
