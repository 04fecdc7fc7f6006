#ifndef GRU4REC_CLI_DURATION_HPP
#define GRU4REC_CLI_DURATION_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/read_options.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cli {

/// A span of time: `30m`, or a plain number: seconds if the times are dates or count from 1970, else of their unit.
struct Duration {
    std::int64_t value = 0;  ///< seconds if there is a unit
    bool has_unit = false;
};

/// `30m`, `7d`, `3600`; nullopt for other text.
[[nodiscard]] inline std::optional<Duration> parse_duration(std::string_view text) {
    constexpr std::array<std::pair<char, std::int64_t>, 5> units{
        {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}, {'w', 604'800}}};
    std::int64_t seconds = 1;
    bool has_unit = false;
    for (const auto& [unit, size] : units) {
        if (text.ends_with(unit)) {
            seconds = size;
            has_unit = true;
        }
    }
    const auto number = gru4rec::detail::parse_number<std::int64_t>(text.substr(0, text.size() - (has_unit ? 1U : 0U)));
    if (!number || *number < 0 || *number > (std::numeric_limits<std::int64_t>::max)() / seconds) {
        return std::nullopt;
    }
    return Duration{*number * seconds, has_unit};
}

/// The longest wait that can be asked for, in seconds: a century. A much later point in time would overflow the clock.
inline constexpr std::int64_t longest_wait = std::int64_t{100} * 366 * 86'400;

/// An option for a duration.
///
/// @param low, high  the smallest and the largest number
template <class Value>
CLI::Option* add_duration(CLI::App& app, const std::string& name, Value& duration, const std::string& description,
                          std::int64_t low = 0, std::int64_t high = (std::numeric_limits<std::int64_t>::max)()) {
    const auto keep = [&duration](const std::string& text) { duration = parse_duration(text).value_or(Duration{}); };
    return app.add_option_function<std::string>(name, keep, description)
        ->type_name("TIME")
        ->check([low, high](const std::string& text) {
            const auto read = parse_duration(text);
            return read && read->value >= low && read->value <= high
                       ? std::string()
                       : "'" + text + "', expected a whole number of at least " + std::to_string(low) +
                             (read && read->value > high ? " and at most " + std::to_string(high) : "") +
                             ", alone or with a unit: 45s, 30m, 12h, 7d or 2w";
        });
}

/// The duration in the unit of the events' times.
/// @throws gru4rec::ConfigError if it has a unit and the times have none
[[nodiscard]] inline std::int64_t in_units_of_times(const Duration& duration, std::string_view option,
                                                    gru4rec::TimeUnit times) {
    if (duration.has_unit && times == gru4rec::TimeUnit::none) {
        throw gru4rec::ConfigError(std::string(option) +
                                   ": the data have no times; give it as a number of rows, without a unit");
    }
    if (duration.has_unit && times != gru4rec::TimeUnit::seconds && times != gru4rec::TimeUnit::automatic) {
        throw gru4rec::ConfigError(std::string(option) +
                                   ": the times of the data are plain numbers, so the duration must be given, as one, "
                                   "too, without a unit; if they are seconds: --time-unit s");
    }
    return duration.value;
}

}  // namespace cli

#endif
