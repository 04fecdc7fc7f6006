#include "gru4rec/core/error.hpp"
#include "gru4rec/core/file.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/files.hpp"
#include "gru4rec/data/format_date.hpp"
#include "gru4rec/data/parse_time.hpp"
#include "gru4rec/data/reader.hpp"
#include "gru4rec/data/table.hpp"
#include "gru4rec/data/text_source.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "commands.hpp"
#include "input_tables.hpp"
#include "inputs.hpp"
#include "messages.hpp"
#include "survey.hpp"

namespace cli {

namespace {

using gru4rec::ColumnRole;
using gru4rec::ReadReport;
using gru4rec::TimeUnit;

/// A quantile of sorted numbers.
[[nodiscard]] std::int64_t quantile(const std::vector<std::int64_t>& sorted, double share) {
    return sorted.empty() ? 0 : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

[[nodiscard]] std::string shell_word(const std::string& text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,=:+@%";
    if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) {
        return text;
    }
    std::string quoted = "'";
    for (const char c : text) {
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return quoted + "'";
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

/// Reads the first bytes of the first table and finds out what can be told without its rows.
class FirstLook {
  public:
    FirstLook(const std::string& head, const TableOptions& options, const gru4rec::ReadOptions& read)
        : options_(options) {
        if (!fits(head, read) && !has_visitors(head, read)) {
            static_cast<void>(has_no_header(head, read));
        }
    }

    /// The options, with columns that were guessed.
    [[nodiscard]] const TableOptions& options() const noexcept { return options_; }
    /// Empty: there are session ids.
    [[nodiscard]] const std::string& visitor_key() const noexcept { return visitor_key_; }

  private:
    /// Whether a column of visitors can stand in for that of sessions.
    [[nodiscard]] bool has_visitors(const std::string& head, gru4rec::ReadOptions read) {
        std::vector<std::string> names;
        for (const gru4rec::ColumnReport& column : report_.columns) {
            names.push_back(column.name);
        }
        const gru4rec::detail::ColumnFinder columns(std::move(names), report_.has_header);
        const auto visitors = columns.known_as(gru4rec::detail::visitor_names);
        if (visitors.empty()) {
            return false;
        }
        read.columns.session_key = columns.names()[visitors.front()];
        if (!fits(head, read)) {
            return false;
        }
        visitor_key_ = read.columns.session_key;
        options_.columns.session_key = visitor_key_;
        return true;
    }

    /// Whether the first line is one of events: then the first column that looks like times is taken for the times, and
    /// the first two of the others for sessions and items.
    [[nodiscard]] bool has_no_header(const std::string& head, gru4rec::ReadOptions read) {
        if (read.layout.header != gru4rec::HeaderLine::automatic) {
            return false;
        }
        read.layout.header = gru4rec::HeaderLine::absent;
        read.columns = {.session_key = "1", .item_key = "2", .time_key = "3"};
        static_cast<void>(fits(head, read));
        const std::vector<gru4rec::ColumnReport> columns = report_.columns;
        const auto time = std::find_if(columns.begin(), columns.end(), [](const gru4rec::ColumnReport& column) {
            return gru4rec::detail::looks_like_time(column.name);
        });
        if (columns.size() < 3 || time == columns.end()) {
            return false;
        }
        const auto time_number = 1 + (time - columns.begin());
        read.columns = {.session_key = std::to_string(time_number == 1 ? 2 : 1),
                        .item_key = std::to_string(time_number <= 2 ? 3 : 2),
                        .time_key = std::to_string(time_number)};
        if (!fits(head, read)) {
            return false;
        }
        options_.columns = read.columns;
        options_.header = "no";
        return true;
    }

    [[nodiscard]] bool fits(const std::string& head, gru4rec::ReadOptions read) {
        report_ = {};
        read.report = &report_;
        try {
            gru4rec::detail::TextSource source("", head);
            const gru4rec::detail::Table table(source, read);
            return true;
        } catch (const gru4rec::Error&) {
            return false;
        }
    }

    ReadReport report_;
    TableOptions options_;
    std::string visitor_key_;
};

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
    std::printf("columns\n");
    std::size_t number = 0;
    for (const gru4rec::ColumnReport& column : report.columns) {
        std::printf("  %2zu  %-24s %s\n", ++number, one_line(column.name).c_str(),
                    std::string(name_of(column.role)).c_str());
    }
}

void print_times(const Survey& survey, const ReadReport& report) {
    if (report.written_unit == TimeUnit::none) {
        std::printf("times      none: the order of the rows\n");
        return;
    }
    const bool seconds = report.time_unit == TimeUnit::seconds;
    const auto text = [&](gru4rec::detail::EventTime time) {
        return seconds ? gru4rec::detail::format_date(time) : gru4rec::detail::format_time(time);
    };
    const std::string unit = report.has_dates ? "dates" : std::string(gru4rec::detail::name_of(report.written_unit));
    std::printf("times      %s, from %s to %s\n", unit.c_str(), text(survey.first()).c_str(),
                text(survey.last()).c_str());
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

void print_counts(const Survey& survey, const ReadReport& report, const std::string& visitor_key) {
    std::vector<std::int64_t> lengths;
    for (const Survey::Session& session : survey.sessions()) {
        if (session.n_events > 0) {
            lengths.push_back(session.n_events);
        }
    }
    std::sort(lengths.begin(), lengths.end());
    std::vector<std::int64_t> supports = survey.supports();
    std::sort(supports.begin(), supports.end());
    const auto rare = std::lower_bound(supports.begin(), supports.end(), 5) - supports.begin();
    std::printf("events     %lld\n", static_cast<long long>(survey.n_events()));
    std::printf("%s %zu\n", visitor_key.empty() ? "sessions  " : "visitors  ", lengths.size());
    std::printf("items      %zu\n", supports.size());
    print_lengths(lengths);
    std::printf("support    of items: median %lld, largest %lld; %td items have fewer than 5 events\n",
                static_cast<long long>(quantile(supports, 0.5)), static_cast<long long>(quantile(supports, 1)), rare);
    std::printf("repeats    %lld events of the item before\n", static_cast<long long>(survey.n_repeats()));
    std::printf("skipped    %td rows%s%s\n", report.n_skipped, report.n_skipped > 0 ? ", the first one: " : "",
                one_line(report.first_skipped).c_str());
    if (report.n_filtered > 0) {
        std::printf("filtered   %td rows\n", report.n_filtered);
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

void print_command(const std::vector<std::string>& paths, const TableOptions& options, const std::string& visitor_key) {
    std::string files;
    for (const std::string& path : paths) {
        files += " " + shell_word(path);
    }
    std::printf("\nto train on it:\n\n    gru4rec train%s%s --save model.gru4rec\n", files.c_str(),
                options_text(options).c_str());
    if (!visitor_key.empty()) {
        TableOptions without_key = options;
        without_key.columns.session_key = gru4rec::ColumnNames().session_key;
        std::printf(
            "\nwhich takes all events of a visitor as one session. To cut them into sessions, and split off a test:\n\n"
            "    mkdir -p sessions\n    gru4rec preprocess%s --visitor-key %s --gap 1h --out sessions%s\n",
            files.c_str(), shell_word(visitor_key).c_str(), options_text(without_key).c_str());
    }
}

}  // namespace

ExitStatus describe(const DescribeOptions& options) {
    const std::vector<std::string> files = files_of(options.data);
    InputTables tables(files, options.table);
    const FirstLook look(tables.first_bytes(), options.table, tables.read_options());
    gru4rec::ReadOptions read = tables.read_options(look.options());
    ReadReport report;
    read.report = &report;
    Survey survey;
    gru4rec::detail::TableReader<Survey> reader(read, {}, survey);
    while (std::optional<gru4rec::TableInput> input = tables.next()) {
        gru4rec::detail::read_table(*input, reader);
    }
    print_layout(tables, files, report);
    print_times(survey, report);
    print_counts(survey, report, look.visitor_key());
    for (const std::string& note : report.notes) {
        std::printf("note       %s\n", one_line(note).c_str());
    }
    print_command(options.data, look.options(), look.visitor_key());
    return ExitStatus::ok;
}

}  // namespace cli
