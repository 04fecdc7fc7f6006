#include "table_columns.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/find_table_format.hpp"
#include "gru4rec/data/text_source.hpp"

#include <algorithm>

namespace gru4rec_python {

namespace {

using gru4rec::detail::TableFormat;

/// A quoted field of a table that is separated by TABs.
[[nodiscard]] std::string quoted_field(std::string_view text) {
    std::string field = "\"";
    for (const char c : text) {
        field.append(c == '"' ? 2 : 1, c);
    }
    return field + '"';
}

/// Lets the reader of files detect the format of a table from its first lines.
[[nodiscard]] TableFormat read_format(const std::string& text, gru4rec::ReadOptions options) {
    options.layout.separator = '\t';
    options.layout.header = gru4rec::HeaderLine::present;
    options.layout.quotes = gru4rec::Quotes::enclose;
    gru4rec::detail::TextSource source("the table", text);
    std::string_view rows;
    TableFormat format = gru4rec::detail::find_table_format(source, options, rows);
    format.header = {};  // it refers to the text
    return format;
}

}  // namespace

ColumnPlaces find_columns(const std::vector<std::string>& names, const gru4rec::ReadOptions& options,
                          std::vector<std::string>& notes) {
    std::string header;
    for (const std::string& name : names) {
        header += (header.empty() ? "" : "\t") + quoted_field(name);
    }
    gru4rec::ReadReport report;
    gru4rec::ReadOptions reading = options;
    reading.report = &report;
    if (reading.layout.time_unit != gru4rec::TimeUnit::none) {
        reading.layout.time_unit = gru4rec::TimeUnit::number;  // the times are not text here
    }
    const TableFormat format = read_format(header + '\n', reading);
    if (format.has_offset) {
        gru4rec::detail::throw_invalid(
            "the times are in two columns, a date and milliseconds since then; add them up and name the column of the "
            "sums by time_key");
    }
    notes.insert(notes.end(), report.notes.begin(), report.notes.end());
    ColumnPlaces places{-1, -1, -1};
    for (std::size_t column = 0; column < format.column_slots.size(); ++column) {
        if (const std::size_t slot = format.column_slots[column]; slot < places.size()) {
            places[slot] = static_cast<int>(column);
        }
    }
    return places;
}

gru4rec::detail::TimeFormat find_time_format(const std::vector<std::string_view>& first) {
    std::string text = "SessionId\tItemId\tTime\n";
    for (const std::string_view time : first) {
        text += "1\t1\t" + quoted_field(time) + '\n';
    }
    return read_format(text, {}).times;
}

}  // namespace gru4rec_python
