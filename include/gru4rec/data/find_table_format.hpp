#ifndef GRU4REC_DATA_FIND_TABLE_FORMAT_HPP
#define GRU4REC_DATA_FIND_TABLE_FORMAT_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/event_columns.hpp"
#include "gru4rec/data/first_row.hpp"
#include "gru4rec/data/first_times.hpp"
#include "gru4rec/data/missing_values.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table_format.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// @throws ConfigError for options that contradict each other
inline void check_table_options(const ReadOptions& options) {
    const auto [session, item, time] = event_keys(options.columns);
    const bool no_times = options.layout.time_unit == TimeUnit::none;
    if (*session == *item || (!no_times && (*session == *time || *item == *time))) {
        throw_invalid("session_key, item_key and time_key must name three columns, found " + quote(*session) + ", " +
                      quote(*item) + ", " + quote(*time));
    }
    const char separator = options.layout.separator;
    if (std::string_view("\0\t,;|", 5).find(separator) == std::string_view::npos) {
        throw_invalid("separator", quote(std::string_view(&separator, 1)), "TAB, comma, semicolon or |");
    }
}

[[nodiscard]] inline ColumnRole role_of(std::uint8_t slot) noexcept {
    constexpr std::array<ColumnRole, n_event_fields> fields{ColumnRole::session, ColumnRole::item, ColumnRole::time};
    if (slot < n_event_fields) {
        return fields[slot];
    }
    return slot == offset_slot   ? ColumnRole::time_offset
           : slot == unused_slot ? ColumnRole::unused
                                 : ColumnRole::filter;
}

/// Puts the layout of the first table into the report, as soon as its first row has been read.
class LayoutReport {
  public:
    LayoutReport(ReadReport* report, const FirstRow& first)
        : report_(report != nullptr && report->columns.empty() ? report : nullptr) {
        if (report_ != nullptr) {
            report_->separator = first.separator();
            report_->has_header = !first.header().empty();
            for (const std::string& name : first.fields()) {
                report_->columns.push_back({name});
            }
        }
    }

    void complete(const TableFormat& format) const {
        for (std::size_t i = 0; report_ != nullptr && i < format.n_columns(); ++i) {
            report_->columns[i].role = role_of(format.column_slots[i]);
        }
        if (report_ != nullptr) {
            report_->written_unit = format.times.unit;
            report_->has_dates = format.times.dates;
        }
    }

  private:
    ReadReport* report_;  // nullptr: nothing is reported
};

/// Finds the format of a table from its first rows and the options.
///
/// @param source  nothing has been read from it
/// @param rows    set to the rows of events in the source's piece
/// @throws FormatError for what is not a table, or one that lacks the columns asked for
[[nodiscard]] inline TableFormat find_table_format(TextSource& source, const ReadOptions& options,
                                                   std::string_view& rows) {
    check_table_options(options);
    rows = source.next();
    FirstRowNotes notes(source, options);
    const FirstRow first(source, options, notes, rows);
    const LayoutReport layout(options.report, first);
    TableFormat format;
    format.separator = first.separator();
    format.quotes = options.layout.quotes;
    format.header = first.header();
    format.missing = MissingValues(options.missing, options.missing_rows);
    const EventColumns columns(first, options, notes, format);
    if (columns.has_times() && options.layout.time_unit != TimeUnit::automatic) {
        format.times.unit = options.layout.time_unit;
    } else if (columns.has_times()) {
        format.times = FirstTimes(source, format).find(rows);
        const TimeUnit unit = format.times.unit;
        if (unit != TimeUnit::number && unit != TimeUnit::seconds) {
            notes.note("times are " + std::string(name_of(unit)) + ", such as " + format.times.example);
        }
    }
    layout.complete(format);
    return format;
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
