#ifndef GRU4REC_CLI_OPTION_KINDS_HPP
#define GRU4REC_CLI_OPTION_KINDS_HPP

#include "gru4rec/core/text.hpp"

#include <CLI/CLI.hpp>

#include <limits>
#include <string>
#include <vector>

// The kinds of options of the commands; values are checked as they are read.
namespace cli {

[[nodiscard]] inline std::string require_text(const std::string& value) {
    return value.empty() ? "expected a string that is not empty" : "";
}

/// An option for one string, such as a file name. @param kind  of string, for the help
inline CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& text, const std::string& kind,
                             const std::string& description) {
    return app.add_option(name, text, description)->type_name(kind)->check(require_text);
}

/// An option that may be given several times, with one string each time.
inline CLI::Option* add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& texts,
                              const std::string& kind, const std::string& description) {
    CLI::Option* const option = app.add_option(name, texts, description);
    return option->type_name(kind)->check(require_text)->allow_extra_args(false);
}

/// An option for a whole number between `low` and `high`.
template <class Number>
CLI::Option* add_number(CLI::App& app, const std::string& name, Number& number, const std::string& description,
                        Number low = 0, Number high = (std::numeric_limits<Number>::max)()) {
    // CLI11's own conversion would read 010 as eight.
    const auto keep = [&number](const std::string& text) {
        number = gru4rec::detail::parse_number<Number>(text).value_or(number);
    };
    return app.add_option_function<std::string>(name, keep, description)
        ->type_name("N")
        ->check([=](const std::string& text) {
            const auto value = gru4rec::detail::parse_number<Number>(text);
            return value && *value >= low && *value <= high ? std::string()
                                                            : "'" + text + "', expected a whole number from " +
                                                                  std::to_string(low) + " to " + std::to_string(high);
        });
}

/// An option for one of several words.
inline CLI::Option* add_choice(CLI::App& app, const std::string& name, std::string& chosen,
                               const std::vector<std::string>& words, const std::string& description) {
    return app.add_option(name, chosen, description)->check([=](const std::string& text) {
        std::string all;
        for (const std::string& word : words) {
            if (word == text) {
                return std::string();
            }
            all += (all.empty() ? "" : word == words.back() ? " or " : ", ") + word;
        }
        return "'" + text + "', expected " + all;
    });
}

/// An option for a number strictly between 0 and 1.
inline CLI::Option* add_share(CLI::App& app, const std::string& name, double& number, const std::string& description) {
    return app.add_option(name, number, description)->type_name("P")->check([](const std::string& text) {
        const double value = gru4rec::detail::parse_number<double>(text).value_or(0);
        const bool inside = value > 0 && value < 1;
        return inside ? std::string() : "'" + text + "', expected a number between 0 and 1";
    });
}

/// Arguments that name one or more files or folders of events.
inline CLI::Option* add_files(CLI::App& app, const std::string& name, std::vector<std::string>& files,
                              const std::string& description) {
    return app.add_option(name, files, description)->type_name("FILE")->check(require_text)->required();
}

inline void add_threads(CLI::App& app, int& threads) {
    add_number(app, "--threads", threads, "use at most N threads; results do not depend on N (default: 0, all cores)",
               0, 1024);
}

}  // namespace cli

#endif
