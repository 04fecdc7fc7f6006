#include "table_options.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "option_kinds.hpp"

namespace cli {

namespace {

/// @throws gru4rec::ConfigError if the text is none of the names
template <class Value, std::size_t n>
[[nodiscard]] Value value_of(const std::string& text, const std::array<std::pair<std::string_view, Value>, n>& names) {
    for (const auto& [name, value] : names) {
        if (name == text) {
            return value;
        }
    }
    throw gru4rec::ConfigError("'" + text + "' is not a value of its option");  // the command line has checked it
}

constexpr std::array<std::pair<std::string_view, char>, 9> separators{{{"", '\0'},
                                                                       {"tab", '\t'},
                                                                       {"comma", ','},
                                                                       {"semicolon", ';'},
                                                                       {"pipe", '|'},
                                                                       {"\t", '\t'},
                                                                       {",", ','},
                                                                       {";", ';'},
                                                                       {"|", '|'}}};
constexpr std::array<std::pair<std::string_view, gru4rec::HeaderLine>, 3> headers{
    {{"auto", gru4rec::HeaderLine::automatic},
     {"yes", gru4rec::HeaderLine::present},
     {"no", gru4rec::HeaderLine::absent}}};

[[nodiscard]] std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> values;
    gru4rec::detail::for_each_part(text, ',', [&](std::string_view part) { values.emplace_back(part); });
    return values;
}

[[nodiscard]] gru4rec::RowFilter filter_of(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
        throw gru4rec::ConfigError("--where: '" + text + "', expected COLUMN=VALUE,VALUE,...");
    }
    return {text.substr(0, equals), list_of(std::string_view(text).substr(equals + 1))};
}

void add_column_options(CLI::App& app, TableOptions& options, std::vector<CLI::Option*>& added) {
    gru4rec::ColumnNames& columns = options.columns;
    added.push_back(add_text(app, "--session-key", columns.session_key, "NAME",
                             "column of the session ids, by name or number (default: SessionId, or\n"
                             "what people call it, such as session_id)"));
    added.push_back(add_text(app, "--item-key", columns.item_key, "NAME",
                             "column of the item ids (default: ItemId, item_id, product_id, ...)"));
    added.push_back(add_text(app, "--time-key", columns.time_key, "NAME",
                             "column of the times (default: Time, timestamp, event_time, ...)"));
    added.push_back(add_text(app, "--time-offset-key", columns.time_offset_key, "NAME",
                             "column of milliseconds to add to the times (default: none, or\n"
                             "timeframe beside eventdate)"));
}

}  // namespace

std::vector<CLI::Option*> add_table_options(CLI::App& app, TableOptions& options) {
    std::vector<CLI::Option*> added;
    add_column_options(app, options, added);
    added.push_back(add_choice(app, "--format", options.format, {"auto", "table", "json", "sessions"},
                               "table, json (an object per line) or sessions (a session per line)\n"
                               "(default: auto, by the first line)")
                        ->type_name("NAME"));
    added.push_back(add_choice(app, "--separator", options.separator,
                               {"tab", "comma", "semicolon", "pipe", "\t", ",", ";", "|"},
                               "tab, comma, semicolon or pipe (default: that of the first line)")
                        ->type_name("NAME"));
    added.push_back(add_choice(app, "--header", options.header, {"auto", "yes", "no"},
                               "whether the first line names the columns: yes or no (default: auto)")
                        ->type_name("NAME"));
    added.push_back(app.add_flag("--no-quotes", options.no_quotes,
                                 "quotation marks are part of the values (default: they enclose them)"));
    added.push_back(add_choice(app, "--time-unit", options.time_unit, {"auto", "s", "ms", "us", "ns", "number", "none"},
                               "unit of the times: s, ms, us, ns, number (a counter) or none (the order\n"
                               "of the rows) (default: auto, by their size)")
                        ->type_name("UNIT"));
    added.push_back(add_texts(app, "--where", options.where, "COLUMN=LIST",
                              "only rows with one of these values in the column; may be given several\n"
                              "times, rows must then pass all (default: all rows)"));
    added.push_back(app.add_option("--missing", options.missing,
                                   "what stands for a missing session or time; such rows are skipped\n"
                                   "(default: empty, NA, N/A, null, NULL, None, NaN, \\N)")
                        ->type_name("LIST"));
    added.push_back(app.add_flag(
        "--strict", options.strict,
        "a row without a session or time, or a repeated header line, is an error\n(default: it is skipped)"));
    return added;
}

gru4rec::ReadOptions read_options(const TableOptions& options) {
    gru4rec::ReadOptions result;
    result.columns = options.columns;
    result.layout = {.separator = value_of(options.separator, separators),
                     .header = value_of(options.header, headers),
                     .quotes = options.no_quotes ? gru4rec::Quotes::literal : gru4rec::Quotes::enclose,
                     .time_unit = value_of(options.time_unit, gru4rec::time_unit_names)};
    for (const std::string& filter : options.where) {
        result.where.push_back(filter_of(filter));
    }
    if (options.missing) {
        result.missing = list_of(*options.missing);
    }
    result.missing_rows = options.strict ? gru4rec::MissingRows::refuse : gru4rec::MissingRows::skip;
    return result;
}

}  // namespace cli
