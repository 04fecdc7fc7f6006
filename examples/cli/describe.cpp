#include "gru4rec/data/guess_columns.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table_summary.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "input_tables.hpp"
#include "inputs.hpp"
#include "messages.hpp"

namespace cli {

namespace {

using gru4rec::ColumnRole;
using gru4rec::ReadReport;
using gru4rec::TimeUnit;

/// A quantile of sorted numbers.
[[nodiscard]] std::int64_t quantile(const std::vector<std::int64_t>& sorted, double share) {
    return sorted.empty() ? 0 : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// The text as one word of a command line, in quotes only if it needs them.
[[nodiscard]] std::string shell_word(const std::string& text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,=:+@%";
    return !text.empty() && text.find_first_not_of(plain) == std::string::npos ? text : for_shell(text);
}

[[nodiscard]] std::string_view name_of(ColumnRole role) {
    constexpr std::array<std::string_view, 6> names{
        "", "session", "item", "time", "added to the time, milliseconds", "filter"};
    return names[static_cast<std::size_t>(role)];
}

[[nodiscard]] std::string_view name_of_separator(char separator) {
    switch (separator) {
        case '\t': return "TAB";
        case ',': return "comma";
        case ';': return "semicolon";
        default: return "|";
    }
}

void print_layout(const InputTables& tables, const std::vector<std::string>& files, const ReadReport& report) {
    constexpr std::array<std::string_view, 4> kinds{"table", "JSON lines, read as a table", "table, a session per line",
                                                    "text, a session per line"};
    std::printf("files      %zu\n", files.size());
    std::printf("packed     %s\n", tables.container().empty() ? "no" : tables.container().c_str());
    std::printf("content    %s\n", std::string(kinds[static_cast<std::size_t>(tables.kind())]).c_str());
    if (tables.kind() == TextKind::table) {
        std::printf("separator  %s\n", std::string(name_of_separator(report.separator)).c_str());
        std::printf("header     %s\n", report.has_header ? "yes" : "no");
    }
    std::printf(report.has_header ? "columns\n" : "columns, by their first values\n");
    std::size_t number = 0;
    for (const gru4rec::ColumnReport& column : report.columns) {
        std::printf("  %2zu  %-24s %s\n", ++number, one_line(column.name).c_str(),
                    std::string(name_of(column.role)).c_str());
    }
}

[[nodiscard]] std::string_view name_of(TimeUnit unit) {
    constexpr std::array<std::string_view, 7> names{
        "", "seconds", "milliseconds", "microseconds", "nanoseconds", "plain numbers", "none"};
    return names[static_cast<std::size_t>(unit)];
}

void print_times(const gru4rec::TableSummary& summary) {
    const ReadReport& report = summary.report;
    if (report.written_unit == TimeUnit::none) {
        std::printf("times      none: the order of the rows\n");
        return;
    }
    const std::string unit = report.has_dates ? "dates" : std::string(name_of(report.written_unit));
    std::printf("times      %s, from %s to %s\n", unit.c_str(), summary.first_time.c_str(), summary.last_time.c_str());
}

/// A line for each of the lengths 1, 2, 3 to 4, 5 to 8, ...
void print_lengths(const std::vector<std::int64_t>& lengths) {
    std::printf("lengths    median %lld, 9 of 10 at most %lld, longest %lld\n",
                static_cast<long long>(quantile(lengths, 0.5)), static_cast<long long>(quantile(lengths, 0.9)),
                static_cast<long long>(quantile(lengths, 1)));
    std::int64_t low = 1;
    for (std::int64_t high = 1; low <= quantile(lengths, 1); high *= 2) {
        const auto begin = std::lower_bound(lengths.begin(), lengths.end(), low);
        const auto end = std::upper_bound(lengths.begin(), lengths.end(), high);
        const auto n = end - begin;
        const double share = static_cast<double>(n) / static_cast<double>(lengths.size());
        const std::string range =
            low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
        std::printf("  %-16s %10td  %s\n", range.c_str(), n,
                    std::string(static_cast<std::size_t>(40 * share + 0.5), '#').c_str());
        low = high + 1;
    }
}

/// @param whose  who the events belong to: sessions or visitors
void print_counts(const gru4rec::TableSummary& summary, const std::string& whose) {
    const ReadReport& report = summary.report;
    const auto rare = std::lower_bound(summary.supports.begin(), summary.supports.end(), 5) - summary.supports.begin();
    std::printf("events     %lld\n", static_cast<long long>(summary.n_events));
    std::printf("%-10s %zu\n", whose.c_str(), summary.lengths.size());
    std::printf("items      %zu\n", summary.supports.size());
    print_lengths(summary.lengths);
    std::printf("support    of items: median %lld, largest %lld; %td items have fewer than 5 events\n",
                static_cast<long long>(quantile(summary.supports, 0.5)),
                static_cast<long long>(quantile(summary.supports, 1)), rare);
    std::printf("repeats    %lld events of the item before\n", static_cast<long long>(summary.n_repeats));
    std::printf("skipped    %td row%s%s%s\n", report.n_skipped, report.n_skipped == 1 ? "" : "s",
                report.n_skipped > 0 ? ", the first one: " : "", one_line(report.first_skipped).c_str());
    if (report.n_filtered > 0) {
        std::printf("filtered   %td rows by --where\n", report.n_filtered);
    }
}

/// The options that differ from the defaults, as they were given.
[[nodiscard]] std::string options_text(const TableOptions& options) {
    const TableOptions usual;
    std::string text;
    const auto add = [&](const char* name, const std::string& value, const std::string& by_default) {
        if (value != by_default) {
            text += " " + std::string(name) + " " + shell_word(value);
        }
    };
    add("--session-key", options.columns.session_key, usual.columns.session_key);
    add("--item-key", options.columns.item_key, usual.columns.item_key);
    add("--time-key", options.columns.time_key, usual.columns.time_key);
    add("--time-offset-key", options.columns.time_offset_key, usual.columns.time_offset_key);
    add("--format", options.format, usual.format);
    add("--separator", options.separator, usual.separator);
    add("--header", options.header, usual.header);
    add("--time-unit", options.time_unit, usual.time_unit);
    for (const std::string& filter : options.where) {
        text += " --where " + shell_word(filter);
    }
    if (options.missing) {
        text += " --missing " + shell_word(*options.missing);
    }
    return text + (options.no_quotes ? " --no-quotes" : "") + (options.strict ? " --strict" : "");
}

/// @param gap  to cut the events of visitors into sessions; empty: there are session ids
void print_command(const std::vector<std::string>& paths, const TableOptions& options, const std::string& gap) {
    std::string files;
    for (const std::string& path : paths) {
        files += " " + shell_word(path.starts_with('-') && path != "-" ? "./" + path : path);
    }
    std::printf("\nto train on it:\n\n    gru4rec train%s%s --save model.safetensors\n", files.c_str(),
                options_text(options).c_str());
    if (!gap.empty()) {
        TableOptions without_key = options;
        without_key.columns.session_key = gru4rec::ColumnNames().session_key;
        std::printf(
            "\nwhich takes all events of a visitor as one session. To cut them into sessions, and split off a test:\n\n"
            "    mkdir -p sessions\n    gru4rec preprocess%s --visitor-key %s --gap %s --out sessions%s\n",
            files.c_str(), shell_word(options.columns.session_key).c_str(), gap.c_str(),
            options_text(without_key).c_str());
    }
}

}  // namespace

ExitStatus describe(const DescribeOptions& options) {
    const std::vector<std::string> files = files_of(options.data);
    InputTables tables(files, options.table);
    const auto guess = gru4rec::guess_columns(tables.first_bytes(), tables.read_options());
    TableOptions table = options.table;
    if (tables.kind() == TextKind::table || tables.kind() == TextKind::json_lines) {
        table.columns = guess.columns;
        table.header = guess.header == gru4rec::HeaderLine::absent ? "no" : table.header;
    }
    const gru4rec::TableSummary summary = gru4rec::summarize([&] { return tables.next(); }, tables.read_options(table));
    print_layout(tables, files, summary.report);
    print_times(summary);
    print_counts(summary, guess.are_visitors ? "visitors" : "sessions");
    for (const std::string& note : summary.report.notes) {
        std::printf("note       %s\n", one_line(note).c_str());
    }
    const std::string gap = summary.report.time_unit == TimeUnit::seconds ? "1h" : "3600";
    print_command(options.data, table, guess.are_visitors ? gap : "");
    return ExitStatus::ok;
}

}  // namespace cli
