#ifndef GRU4REC_DATA_TABLE_HPP
#define GRU4REC_DATA_TABLE_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/event_chunk.hpp"
#include "gru4rec/data/events.hpp"
#include "gru4rec/data/field_ends.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/find_table_format.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/table_format.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_column.hpp"
#include "gru4rec/data/time_format.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Parses the rows of a table into events, up to the first problem. Skips empty lines.
class RowParser {
  public:
    /// @param rows  whole lines
    RowParser(const TableFormat& format, std::string_view rows, EventChunk& chunk)
        : format_(&format),
          time_reader_(format.times),
          chunk_(&chunk),
          position_(rows.data()),
          end_(rows.data() + rows.size()),
          slots_(format.column_slots.data()),
          last_slot_(format.n_columns() > 1 ? slots_ + format.n_columns() - 1 : nullptr),
          ends_(position_, end_, format.n_columns() > 1 ? format.separator : '\n'),
          n_bytes_(rows.size()) {
        record_.set(static_cast<std::size_t>(EventField::session), "1");  // stays if there is no such column
    }

    void parse() {
        const bool filters = !format_->filters.empty();
        const bool plain_times = format_->times.unit != TimeUnit::none && !format_->has_offset;
        const bool missing_first = format_->missing.any_time();
        EventTime time;
        while (position_ != end_) {
            const char* const start = position_;
            if (!split_plain_row()) {
                const Split split = split_row(start);
                ends_.skip_to(position_);
                if (split == Split::empty) {
                    continue;
                }
                if (split == Split::stop) {
                    return;
                }
            }
            if (filters && !passes_filters()) {
                leave_out(start);
                if (is_stopped_) {
                    return;
                }
                continue;
            }
            const std::string_view text = at(record_, EventField::time);
            const bool is_read = plain_times && !missing_first && time_reader_.read(text, time);
            if (!is_read && !read_other_time(start, time)) {
                if (is_stopped_) {
                    return;
                }
                continue;
            }
            if (!chunk_->add(start, at(record_, EventField::session), at(record_, EventField::item), time)) {
                return;
            }
        }
        chunk_->finish();
    }

  private:
    enum class Split { row, empty, stop };

    /// Splits a row that has as many fields as the table has columns and no quotes, as nearly all rows do, and moves
    /// on to the next one.
    /// @returns false, and stays, for any other row; then ends_ is somewhere in this row
    [[nodiscard]] GRU4REC_ALWAYS_INLINE bool split_plain_row() noexcept {
        const char* from = position_;
        const std::uint8_t* slot = slots_;
        for (;; ++slot) {
            const char* to = ends_.next();
            const bool line_ends = to == end_ || *to == '\n';
            // The blank and all else up to the quote may stand before a quoted field.
            if (line_ends != (slot == last_slot_) || (from != to && static_cast<unsigned char>(*from) <= '"')) {
                return false;
            }
            const char* const next = to == end_ ? to : to + 1;
            if (line_ends && from != to && to[-1] == '\r') {
                --to;
            }
            record_.set(*slot, {from, static_cast<std::size_t>(to - from)});
            if (line_ends) {
                position_ = next;
                return true;
            }
            from = next;
        }
    }

    /// Splits any row.
    [[nodiscard]] Split split_row(const char* start) {
        using Found = FieldReader::Found;
        std::string_view rest(position_, static_cast<std::size_t>(end_ - position_));
        std::string_view after = rest;
        const std::string_view line = take_line(after);
        if (line.empty()) {
            position_ = after.data();
            return Split::empty;
        }
        std::string& unescaped = chunk_->unescaped(n_bytes_);  // a field is longer in its quotes
        FieldReader fields(rest, format_->separator, format_->quotes);
        std::size_t column = 0;
        for (Found found = Found::field; found == Found::field; ++column) {
            std::string_view value;
            found = fields.next(unescaped, value);
            if (found == Found::open_quote) {
                chunk_->finish_before(start);
                return Split::stop;
            }
            if (found == Found::bad_quote) {
                return stop({start, {EventField::none, std::string(broken_quotes)}});
            }
            record_.set(column < format_->n_columns() ? format_->column_slots[column] : unused_slot, value);
        }
        position_ = end_ - fields.rest().size();
        if (column != format_->n_columns()) {
            return stop({start, {EventField::none, wrong_number_of_fields(column, line)}});
        }
        if (const std::string_view row = enclosed_row(start); !row.empty()) {
            return stop({start,
                         {EventField::none, "the quotation marks of a field enclose another row, " + quote(row) +
                                                std::string(stray_quote)}});
        }
        return Split::row;
    }

    /// A line within the row just read that is a row by itself: it has all fields, and a time. A stray quotation mark
    /// and the next one, perhaps thousands of rows later, would make one field of all that is between them.
    [[nodiscard]] std::string_view enclosed_row(const char* start) const {
        std::string_view text(start, static_cast<std::size_t>(position_ - start));
        text.remove_suffix(text.ends_with('\n') ? 1 : 0);
        if (format_->times.unit == TimeUnit::none || text.find('\n') == std::string_view::npos) {
            return {};
        }
        static_cast<void>(take_line(text));
        while (text.find('\n') != std::string_view::npos) {
            const std::string_view line = take_line(text);
            if (is_row(line)) {
                return line;
            }
        }
        return {};
    }

    [[nodiscard]] bool is_row(std::string_view line) const {
        using Found = FieldReader::Found;
        FieldReader fields(line, format_->separator, Quotes::literal);
        TimeReader times(format_->times);
        std::string unused;
        EventTime time;
        std::size_t column = 0;
        bool has_time = false;
        for (Found found = Found::field; found == Found::field; ++column) {
            std::string_view value;
            found = fields.next(unused, value);
            if (column < format_->n_columns() &&
                format_->column_slots[column] == static_cast<std::uint8_t>(EventField::time)) {
                has_time = times.read(value, time);
            }
        }
        return has_time && column == format_->n_columns();
    }

    [[nodiscard]] std::string wrong_number_of_fields(std::size_t n, std::string_view line) const {
        return "the line has " + std::to_string(n) + " fields, the " +
               (format_->header.empty() ? "first line " : "header ") + std::to_string(format_->n_columns()) + ": " +
               quote(line) + "; look for a missing or an additional " + std::string(format_->separator_name());
    }

    [[nodiscard]] Split stop(LineProblem problem) {
        chunk_->finish(std::move(problem));
        is_stopped_ = true;
        return Split::stop;
    }

    [[nodiscard]] bool passes_filters() const noexcept {
        for (const FilterSlot& filter : format_->filters) {
            if (!filter.accepts(record_)) {
                return false;
            }
        }
        return true;
    }

    void leave_out(const char* start) {
        if (is_header(start)) {
            skip_header(start);
        } else {
            chunk_->count_filtered();
        }
    }

    void skip_header(const char* start) {
        is_stopped_ = !chunk_->skip({start, {EventField::none, "the header line is repeated"}});
    }

    /// Reads a time that is not in the plain form; skips rows without one and repeated header lines. A row with a valid
    /// time is an event even if it equals the header line.
    /// @returns false if the row is not an event
    [[nodiscard]] bool read_other_time(const char* start, EventTime& time) {
        const bool has_times = format_->times.unit != TimeUnit::none;
        const std::string_view text = has_times ? trimmed(at(record_, EventField::time)) : std::string_view();
        const bool is_missing = has_times && format_->missing.contains(text);
        if (has_times && !is_missing && time_reader_.read(text, time)) {
            return !format_->has_offset || add_offset(start, time);
        }
        if (is_header(start)) {
            skip_header(start);
            return false;
        }
        if (!has_times) {
            time = {};
            return true;
        }
        if (is_missing) {
            return skip(start, EventField::time, text);
        }
        static_cast<void>(stop({start, {EventField::time, bad_time(text, format_->times)}}));
        return false;
    }

    [[nodiscard]] bool add_offset(const char* start, EventTime& time) {
        const std::string_view text = trimmed(record_[offset_slot]);
        if (format_->missing.contains(text)) {
            return skip(start, EventField::none, text, "column " + quote(format_->names[offset_slot]) + ": ");
        }
        EventTime offset;
        if (read_number(text, offset)) {
            offset = to_seconds<1000>(offset);
            constexpr std::int64_t most = (std::numeric_limits<std::int64_t>::max)() / 4;
            if (time.whole > -most && time.whole < most) {
                const std::uint32_t nanoseconds = time.nanoseconds + offset.nanoseconds;
                const bool carry = nanoseconds >= nanoseconds_per_second;
                time = {time.whole + offset.whole + (carry ? 1 : 0),
                        nanoseconds - (carry ? nanoseconds_per_second : 0U)};
                return true;
            }
        }
        static_cast<void>(stop({start,
                                {EventField::none, "column " + quote(format_->names[offset_slot]) + ": " + quote(text) +
                                                       " is not a valid number of milliseconds"}}));
        return false;
    }

    [[nodiscard]] bool skip(const char* start, EventField field, std::string_view text,
                            const std::string& column = "") {
        is_stopped_ = !chunk_->skip({start, {field, column + quote(text) + " stands for a missing time"}});
        return false;
    }

    /// Whether the row is the header line again, as in files that were put together.
    [[nodiscard]] bool is_header(const char* start) const noexcept {
        const std::string_view header = format_->header;
        std::string_view rest(start, static_cast<std::size_t>(end_ - start));
        rest.remove_prefix(rest.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
        if (header.empty() || !rest.starts_with(header)) {
            return false;
        }
        rest.remove_prefix(header.size());
        return take_line(rest).empty();
    }

    const TableFormat* format_;
    TimeReader time_reader_;
    EventChunk* chunk_;
    Record record_;
    const char* position_;
    const char* end_;
    const std::uint8_t* slots_;      // by column
    const std::uint8_t* last_slot_;  // of the last column; nullptr: no row is plain, as an empty line is no row of one
    FieldEnds ends_;                 // of plain rows
    std::size_t n_bytes_;
    bool is_stopped_ = false;
};

/// A table of events: the format of its rows, and where they begin.
class Table {
  public:
    /// @param source  must outlive the table; nothing has been read from it
    /// @throws FormatError for what is not a table, or one that lacks the columns asked for
    Table(TextSource& source, const ReadOptions& options)
        : source_(&source), format_(find_table_format(source, options, rows_)) {}

    [[nodiscard]] TextSource& source() const noexcept { return *source_; }
    [[nodiscard]] const TableFormat& format() const noexcept { return format_; }

    /// The rows in the first piece of the source.
    [[nodiscard]] std::string_view first_rows() const noexcept { return rows_; }

    /// Parses any part of the rows that ends at a line end. @threads safe for distinct chunks
    void parse(std::string_view rows, EventChunk& chunk) const { RowParser(format_, rows, chunk).parse(); }

    /// The message of a problem, with its place.
    [[nodiscard]] std::string message(const LineProblem& problem) const {
        const auto& [field, text] = problem.event;
        const std::string column = field == EventField::none ? "" : "column " + quote(at(format_.names, field)) + ": ";
        return source_->where(problem.line) + ": " + column + text;
    }

    [[noreturn]] void fail(const LineProblem& problem) const { raise<FormatError>(message(problem)); }

  private:
    TextSource* source_;
    std::string_view rows_;
    TableFormat format_;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
