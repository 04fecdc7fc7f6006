#ifndef GRU4REC_CLI_TABLE_OPTIONS_HPP
#define GRU4REC_CLI_TABLE_OPTIONS_HPP

#include "gru4rec/data/read_options.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

namespace cli {

/// How the files of events are written, as the command line says it.
struct TableOptions {
    gru4rec::ColumnNames columns;
    std::string format = "auto";
    std::string separator;  ///< empty: that of the first line
    std::string header = "auto";
    bool no_quotes = false;
    std::string time_unit = "auto";
    std::vector<std::string> where;      ///< each COLUMN=VALUE,VALUE
    std::optional<std::string> missing;  ///< VALUE,VALUE; not given: the usual ones
    bool strict = false;
};

/// Adds the options that say how files of events are written. @returns them
std::vector<CLI::Option*> add_table_options(CLI::App& app, TableOptions& options);

/// @throws gru4rec::ConfigError naming the option
[[nodiscard]] gru4rec::ReadOptions read_options(const TableOptions& options);

}  // namespace cli

#endif
