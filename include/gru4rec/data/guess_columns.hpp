#ifndef GRU4REC_DATA_GUESS_COLUMNS_HPP
#define GRU4REC_DATA_GUESS_COLUMNS_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/error.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/table.hpp"
#include "gru4rec/data/text_source.hpp"
#include "gru4rec/data/time_format.hpp"
#endif

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Options with which a table can probably be read.
struct GuessedColumns {
    ColumnNames columns;                        ///< by name, or by number without a header line
    HeaderLine header = HeaderLine::automatic;  ///< whether there is a header line
    bool are_visitors = false;  ///< the session column holds visitors, whose events are yet to be cut into sessions
};

/// Guesses the columns of a table if the reader cannot find them by itself: visitors in place of sessions, or the
/// columns of a table without a header line. Options that contradict each other do not throw.
///
/// @param head  the first rows, such as 64 KiB; the last one may be incomplete
/// @returns the columns of `options` if these suffice, or if no guess lets the table be read
/// @threads safe
[[nodiscard]] GRU4REC_INLINE GuessedColumns guess_columns(std::string_view head, const ReadOptions& options = {});

#if GRU4REC_DEFINITIONS

namespace detail {

/// Tries options on the first rows of a table.
class ColumnGuess {
  public:
    ColumnGuess(std::string_view head, const ReadOptions& options) : head_(head), options_(options) {
        options_.report = &report_;
    }

    [[nodiscard]] GuessedColumns guess() {
        const ReadOptions given = options_;
        if (!try_options() && !try_visitors()) {
            options_ = given;
            if (!try_without_header()) {
                options_ = given;
            }
        }
        return {options_.columns, options_.layout.header, are_visitors_};
    }

  private:
    [[nodiscard]] bool try_options() {
        report_ = {};
        GRU4REC_TRY {
            TextSource source("", head_);
            const Table table(source, options_);
            return true;
        }
        GRU4REC_CATCH_ALL { return false; }
    }

    [[nodiscard]] bool try_visitors() {
        std::vector<std::string> names;
        for (const ColumnReport& column : report_.columns) {
            names.push_back(column.name);
        }
        const ColumnFinder columns(std::move(names), report_.has_header);
        const std::vector<std::size_t> visitors = columns.known_as(visitor_names);
        if (visitors.empty()) {
            return false;
        }
        options_.columns.session_key = columns.names()[visitors.front()];
        are_visitors_ = try_options();
        return are_visitors_;
    }

    /// Takes the first column that looks like times for the times, and the first two others for sessions and items.
    [[nodiscard]] bool try_without_header() {
        if (options_.layout.header != HeaderLine::automatic) {
            return false;
        }
        options_.layout.header = HeaderLine::absent;
        options_.columns = {.session_key = "1", .item_key = "2", .time_key = "3"};
        static_cast<void>(try_options());
        const std::vector<ColumnReport> columns = report_.columns;
        const auto time = std::find_if(columns.begin(), columns.end(),
                                       [](const ColumnReport& column) { return looks_like_time(column.name); });
        if (columns.size() < 3 || time == columns.end()) {
            return false;
        }
        const auto number = 1 + (time - columns.begin());
        options_.columns = {.session_key = std::to_string(number == 1 ? 2 : 1),
                            .item_key = std::to_string(number <= 2 ? 3 : 2),
                            .time_key = std::to_string(number)};
        return try_options();
    }

    std::string_view head_;
    ReadOptions options_;
    ReadReport report_;
    bool are_visitors_ = false;
};

}  // namespace detail

GRU4REC_INLINE GuessedColumns guess_columns(std::string_view head, const ReadOptions& options) {
    return detail::ColumnGuess(head, options).guess();
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
