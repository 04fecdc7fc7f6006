#ifndef GRU4REC_DATA_READ_OPTIONS_HPP
#define GRU4REC_DATA_READ_OPTIONS_HPP

#include "gru4rec/core/types.hpp"
#include "gru4rec/version.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

class ItemMap;

/// Which columns of a table are read. A column is given by its name in the header or by its number from 1 on.
///
/// If the header lacks a default name, its common variants are tried, in any case: `session_id`, `user_session`, ...
/// for `SessionId`. Two matches are an error.
struct ColumnNames {
    std::string session_key = "SessionId";  ///< empty: no such column, all events belong to one session, "1"
    std::string item_key = "ItemId";        ///< required
    std::string time_key = "Time";          ///< required, unless TimeUnit::none
    /// A column of milliseconds that are added to the time, as in files with a date and a time since then. Empty: none,
    /// or one called `timeframe` beside a column `eventdate`.
    std::string time_offset_key{};
};

/// What the numbers in a column of times count.
enum class TimeUnit {
    /// Told by the size of the first times: seconds, milli-, micro- or nanoseconds since 1970 for dates from 1973 to
    /// 2100, plain numbers else. Dates are recognised as such.
    automatic,
    seconds,
    milliseconds,
    microseconds,
    nanoseconds,
    number,  ///< plain numbers, such as a counter of events
    none     ///< there is no column of times: the order of the rows is the order of time
};

/// The units by the names that programs take.
inline constexpr std::array<std::pair<std::string_view, TimeUnit>, 7> time_unit_names{{{"auto", TimeUnit::automatic},
                                                                                       {"s", TimeUnit::seconds},
                                                                                       {"ms", TimeUnit::milliseconds},
                                                                                       {"us", TimeUnit::microseconds},
                                                                                       {"ns", TimeUnit::nanoseconds},
                                                                                       {"number", TimeUnit::number},
                                                                                       {"none", TimeUnit::none}}};

/// Whether the first line of a table names the columns.
enum class HeaderLine {
    automatic,  ///< it does if it contains a known name, or nothing that looks like data
    present,
    absent  ///< columns are given by number
};

/// Whether quotation marks enclose a field or are part of it.
enum class Quotes { enclose, literal };

/// How a table is written. By default the reader finds out.
struct TableLayout {
    char separator = '\0';                      ///< TAB, comma, semicolon or |; NUL: the one in the first line
    HeaderLine header = HeaderLine::automatic;  ///< whether there is a header line
    Quotes quotes = Quotes::enclose;            ///< what quotation marks are
    TimeUnit time_unit = TimeUnit::automatic;   ///< what the times count
};

/// Keeps only rows with one of some values in a column.
struct RowFilter {
    std::string column;               ///< by name or number
    std::vector<std::string> values;  ///< as they are in the file, without enclosing marks
};

/// What happens to rows without a session or time, and to repeated header lines: skipped and counted, or an error.
enum class MissingRows { skip, refuse };

/// What stands for a missing value.
[[nodiscard]] inline std::vector<std::string> usual_missing_markers() {
    return {"", "NA", "N/A", "null", "NULL", "None", "NaN", "\\N"};
}

/// What a column of a table is read as.
enum class ColumnRole { unused, session, item, time, time_offset, filter };

/// A column of a table. Without a header line, the name is the value in the first row.
struct ColumnReport {
    std::string name;                      ///< as in the header, without enclosing marks
    ColumnRole role = ColumnRole::unused;  ///< what it is read as
};

/// What a reader found, for a program to say.
struct ReadReport {
    char separator = '\0';                        ///< of the first table
    bool has_header = false;                      ///< of the first table
    std::vector<ColumnReport> columns;            ///< of the first table
    TimeUnit written_unit = TimeUnit::automatic;  ///< of the times of the first table, as they are written
    bool has_dates = false;                       ///< the times of the first table are dates
    std::vector<std::string> notes;               ///< what the reader inferred, one sentence each
    TimeUnit time_unit = TimeUnit::automatic;     ///< what the times of the events are: seconds, number or none
    Index n_skipped = 0;                          ///< rows without a session or time, and repeated header lines
    std::string first_skipped;                    ///< the place of the first one and why
    Index n_filtered = 0;                         ///< rows that a RowFilter left out
    std::string first_unknown_item;               ///< an id that ReadOptions::known_items lacks; empty: none
};

/// Whether a Dataset keeps the session ids of its file, which cost memory: needed to match sessions of two data sets or
/// to write them out.
enum class KeepSessionIds { no, yes };

/// How the events of a file or of arrays become a Dataset. All but `keep_session_ids` and `known_items` is for files.
struct ReadOptions {
    ColumnNames columns{};                                 ///< which columns are read
    KeepSessionIds keep_session_ids = KeepSessionIds::no;  ///< only session_id() and EvaluationData::history need them
    const ItemMap* known_items = nullptr;                  ///< if set, events of other items are left out and counted
    TableLayout layout{};                                  ///< how the file is written
    std::vector<RowFilter> where{};                        ///< rows must pass all; at most 8 columns
    std::vector<std::string> missing = usual_missing_markers();  ///< in the columns of sessions and times
    MissingRows missing_rows = MissingRows::skip;                ///< what happens to rows that lack a value
    ReadReport* report = nullptr;                                ///< if set, filled in, also if reading fails
};

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
