#ifndef GRU4REC_DATA_EVENT_COLUMNS_HPP
#define GRU4REC_DATA_EVENT_COLUMNS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/first_row.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table_format.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Gives the columns that the options ask for their slots.
class EventColumns {
  public:
    /// @param format  its separator and header are known
    EventColumns(const FirstRow& row, const ReadOptions& options, const FirstRowNotes& notes, TableFormat& format)
        : columns_(row.fields(), !row.header().empty()), options_(&options), notes_(&notes), format_(&format) {
        format.column_slots.assign(row.fields().size(), unused_slot);
        find_columns();
        find_filters();
    }

    [[nodiscard]] bool has_times() const noexcept { return format_->times.unit != TimeUnit::none; }

  private:
    using Setting = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Setting, n_event_fields> settings{
        {{"session_key", "session-key"}, {"item_key", "item-key"}, {"time_key", "time-key"}}};

    void use(std::size_t column, std::uint8_t slot) {
        if (format_->column_slots[column] != unused_slot) {
            notes_->fail(
                "column " + quote(columns_.names()[column]) +
                " is asked for twice; session_key, item_key, time_key and time_offset_key must name different columns");
        }
        format_->column_slots[column] = slot;
        at(format_->names, slot) = columns_.names()[column];
    }

    void find_columns() {
        const ColumnNames usual;
        if (!options_->columns.session_key.empty()) {
            find_column(EventField::session, usual.session_key, session_names);
        }
        find_column(EventField::item, usual.item_key, item_names);
        if (options_->layout.time_unit == TimeUnit::none) {
            format_->times.unit = TimeUnit::none;
            return;
        }
        find_column(EventField::time, usual.time_key, time_names);
        find_offset();
    }

    void find_column(EventField field, std::string_view usual_key, std::span<const std::string_view> known) {
        const auto i = static_cast<std::size_t>(field);
        const std::string& key = *event_keys(options_->columns)[i];
        std::vector<std::size_t> found = columns_.named(key);
        if (found.size() > 1) {
            notes_->fail("column " + quote(key) + " occurs more than once; rename all but one");
        }
        if (found.empty() && key == usual_key) {
            found = columns_.known_as(known);
            if (found.size() > 1) {
                notes_->fail("both " + quote(columns_.names()[found[0]]) + " and " + quote(columns_.names()[found[1]]) +
                             " could be column " + quote(key) + "; set " + setting(i));
            }
            if (!found.empty()) {
                notes_->note("column " + quote(columns_.names()[found[0]]) + " is read as " + std::string(usual_key));
            }
        }
        if (found.empty()) {
            found = columns_.named_or_numbered(key);
        }
        if (!found.empty()) {
            return use(found[0], static_cast<std::uint8_t>(i));
        }
        if (field == EventField::time && key == usual_key && n_other_columns() == 0) {
            format_->times.unit = TimeUnit::none;
            return notes_->note("there is no column of times; events are taken in the order of the rows");
        }
        fail_missing(i);
    }

    [[nodiscard]] std::size_t n_other_columns() const noexcept {
        return static_cast<std::size_t>(
            std::count(format_->column_slots.begin(), format_->column_slots.end(), unused_slot));
    }

    [[nodiscard]] static std::string setting(std::size_t field) {
        return std::string(settings[field].first) + " (option --" + std::string(settings[field].second) +
               " of the program)";
    }

    [[noreturn]] void fail_missing(std::size_t field) const {
        const bool has_header = !format_->header.empty();
        std::string hint = "correct the header or set " + setting(field);
        if (columns_.names().size() == 1 && format_->header.find(' ') != std::string_view::npos) {
            hint =
                "use TABs or commas instead of blanks; if each line holds the items of a session: gru4rec --format "
                "sessions";
        } else if (field == 0 && !columns_.known_as(visitor_names).empty()) {
            hint += "; to cut the events of each visitor into sessions: gru4rec preprocess --visitor-key " +
                    columns_.names()[columns_.known_as(visitor_names)[0]];
        } else if (field == 2) {
            hint += "; if the rows are in the order of time: TimeUnit::none (--time-unit none)";
        }
        notes_->fail("column " + quote(*event_keys(options_->columns)[field]) + " is missing; the " +
                     (has_header ? "header line" : "first line") + ", separated by " +
                     std::string(format_->separator_name()) + "s, " + (has_header ? "names " : "holds ") +
                     columns_.listed() + "; " + hint);
    }

    void find_offset() {
        if (format_->times.unit == TimeUnit::none) {
            return;
        }
        const std::string& key = options_->columns.time_offset_key;
        const std::vector<std::size_t> found = columns_.named_or_numbered(key.empty() ? "timeframe" : key);
        if (key.empty() && (found.size() != 1 || plain_name(at(format_->names, EventField::time)) != "eventdate")) {
            return;
        }
        if (found.size() != 1) {
            notes_->fail("column " + quote(key) + (found.empty() ? " is missing" : " occurs more than once") +
                         "; the table has " + columns_.listed() +
                         "; set time_offset_key (option --time-offset-key of the program)");
        }
        use(found[0], offset_slot);
        format_->has_offset = true;
        if (key.empty()) {
            notes_->note("column \"timeframe\" is added to the date as milliseconds");
        }
    }

    void find_filters() {
        std::uint8_t next = first_filter_slot;
        for (const RowFilter& filter : options_->where) {
            const std::vector<std::size_t> found = columns_.named_or_numbered(filter.column);
            if (found.size() != 1) {
                notes_->fail("the filter's column " + quote(filter.column) +
                             (found.empty() ? " is missing" : " occurs more than once") + "; the table has " +
                             columns_.listed() + "; correct ReadOptions::where (option --where of the program)");
            }
            std::uint8_t& slot = format_->column_slots[found[0]];
            if (slot == unused_slot) {
                if (next == unused_slot) {
                    throw_invalid("where: at most " + std::to_string(max_filter_columns) + " columns");
                }
                slot = next++;
            }
            format_->filters.push_back({slot, filter.values});
        }
    }

    ColumnFinder columns_;
    const ReadOptions* options_;
    const FirstRowNotes* notes_;
    TableFormat* format_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
