#ifndef GRU4REC_DATA_SESSION_LINES_HPP
#define GRU4REC_DATA_SESSION_LINES_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/version.hpp"

#if GRU4REC_DEFINITIONS
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/item_list.hpp"
#include "gru4rec/data/records.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>
#endif

#include <optional>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// The columns of a table that holds a session per line.
struct SessionTableColumns {
    std::string items_key = "";  ///< the list of items; empty: `prev_items`, `item_id_list`, ..., RecBole's token_seq

    /// The item after the list. Not given: `next_item`, `item_id` or `target`, if there is one. Empty: none.
    std::optional<std::string> next_item_key = std::nullopt;

    /// Not given: `session_id`, `session`, `user_session` or `user_id`, if there is one. Empty, or none: the line
    /// number.
    std::optional<std::string> session_key = std::nullopt;
};

/// Whether a table with this header line holds a session per line: one of its columns has a name that is given to lists
/// of items.
[[nodiscard]] GRU4REC_INLINE bool is_session_table(std::string_view header_line);

/// Text with a session per line and no header line, as TAB-separated text `SessionId`, `ItemId`, an event per line. The
/// session id is the line number.
///
/// @param separator  of the items; 0: each line is a list as tools print it, `a b`, `a,b`, `['a', 'b']`, ...
///
/// The text's read throws FormatError for a malformed list.
[[nodiscard]] GRU4REC_INLINE TextStream sessions_of_lines(TextStream text, char separator = '\0');

/// A table with a session per line, as TAB-separated text `SessionId`, `ItemId`, an event per line. A session without
/// items has no line in it.
///
/// The text's read throws FormatError for a malformed table or list, for a missing or ambiguous column, and if
/// consecutive lines have the same session id.
[[nodiscard]] GRU4REC_INLINE TextStream sessions_of_table(TextStream table,
                                                          const SessionTableColumns& columns = SessionTableColumns());

#if GRU4REC_DEFINITIONS

namespace detail {

/// What people call the columns, without `_`, `-`, blanks, capitals, and RecBole's type.
inline constexpr std::array<std::string_view, 6> items_names = {"previtems", "itemidlist",   "itemlist",
                                                                "itemids",   "sessionitems", "items"};
inline constexpr std::array<std::string_view, 3> next_item_names = {"nextitem", "itemid", "target"};
inline constexpr std::array<std::string_view, 5> list_owner_names = {"sessionid", "session", "usersession", "userid",
                                                                     "user"};

/// The columns of the header line of a session table, by number.
class SessionColumns {
  public:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    explicit SessionColumns(const RecordFields& header) : columns_(names_of(header), true) {
        for (const std::string& name : columns_.names()) {
            plain_.push_back(plain_name(without_type(name)));
        }
    }

    [[nodiscard]] const std::string& name(std::size_t column) const noexcept { return columns_.names()[column]; }
    [[nodiscard]] std::string listed() const { return columns_.listed(); }

    /// The column of lists that the names tell, or `none`. `items` alone may as well be a number of pieces: next to a
    /// column of item ids it is not taken.
    [[nodiscard]] std::size_t find_items() const {
        const std::size_t named = find(items_names);
        const bool is_sure = named != none && plain_[named] != "items";
        if (is_sure) {
            return named;
        }
        std::size_t n_sequences = 0;
        std::size_t sequence = none;
        for (std::size_t i = 0; i < columns_.names().size(); ++i) {
            if (name(i).ends_with(":token_seq")) {
                ++n_sequences;
                sequence = i;
            }
        }
        if (n_sequences == 1) {
            return sequence;
        }
        return find(item_names) == none ? named : none;
    }

    /// The first of the names that a column has.
    [[nodiscard]] std::size_t find(std::span<const std::string_view> names) const noexcept {
        for (const std::string_view name : names) {
            for (std::size_t i = 0; i < plain_.size(); ++i) {
                if (plain_[i] == name) {
                    return i;
                }
            }
        }
        return none;
    }

    /// The column of exactly this name, with or without its type. @throws FormatError if it is missing or not the only
    [[nodiscard]] std::size_t find_given(const std::string& place, std::string_view name) const {
        std::size_t found = none;
        for (std::size_t i = 0; i < columns_.names().size(); ++i) {
            if (this->name(i) == name || without_type(this->name(i)) == name) {
                if (found != none) {
                    throw_format(place, "column " + quote(name) + " occurs more than once; rename all but one");
                }
                found = i;
            }
        }
        if (found == none) {
            throw_format(place, "column " + quote(name) + " is missing; the header line names " + listed());
        }
        return found;
    }

  private:
    [[nodiscard]] static std::vector<std::string> names_of(const RecordFields& header) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < header.size(); ++i) {
            names.emplace_back(header[i]);
        }
        return names;
    }

    ColumnFinder columns_;
    std::vector<std::string> plain_;
};

/// Writes sessions as events, a part at a time: a list may be far longer than what is read at once.
class SessionText {
  public:
    ItemList items;
    std::string session_id;

    /// Appends events until there are enough. @returns false if there were too few
    [[nodiscard]] bool append_events(std::string& text) {
        constexpr std::size_t enough = std::size_t{1} << 16U;
        while (next_ < items.size() && text.size() < enough) {
            append_field(text, session_id);
            text += '\t';
            append_field(text, items[next_++]);
            text += '\n';
        }
        return text.size() >= enough;
    }

    void begin_session() {
        items.clear();
        next_ = 0;
    }

    void begin_text(std::string& text) {
        if (!began_) {
            text += "SessionId\tItemId\n";
        }
        began_ = true;
    }

  private:
    std::size_t next_ = 0;
    bool began_ = false;
};

class SessionsOfLines {
  public:
    SessionsOfLines(TextStream text, char separator) : lines_(std::move(text)), separator_(separator) {}

    [[nodiscard]] bool append_to(std::string& text) {
        session_.begin_text(text);
        while (!session_.append_events(text)) {
            const auto line = lines_.next();
            if (!line) {
                return false;
            }
            if (line->find('\r') != std::string_view::npos) {
                throw_format(lines_.place(), "found CR within the line; lines must end with LF or CR LF, not CR alone");
            }
            session_.begin_session();
            session_.session_id = std::to_string(lines_.line());
            const std::string problem =
                separator_ == '\0' ? session_.items.parse(*line) : session_.items.parse_separated(*line, separator_);
            if (!problem.empty()) {
                throw_format(lines_.place(), problem + ": " + quote(*line));
            }
        }
        return true;
    }

  private:
    LineReader lines_;
    char separator_;
    SessionText session_;
};

class SessionsOfTable {
  public:
    SessionsOfTable(TextStream table, SessionTableColumns columns)
        : records_(std::move(table)), asked_(std::move(columns)) {}

    [[nodiscard]] bool append_to(std::string& text) {
        if (!header_) {
            read_header();
        }
        session_.begin_text(text);
        while (!session_.append_events(text)) {
            if (!records_.next()) {
                return false;
            }
            read_session();
        }
        return true;
    }

  private:
    static constexpr std::size_t none = SessionColumns::none;

    void read_header() {
        if (!records_.next()) {
            throw_format(records_.name(), "found no header line; the first line must name the columns");
        }
        header_.emplace(records_.fields());
        const std::string place = records_.place();
        items_ = asked_.items_key.empty() ? header_->find_items() : header_->find_given(place, asked_.items_key);
        if (items_ == none) {
            throw_format(place, "no column, or more than one, may hold lists of items; the header line names " +
                                    header_->listed() +
                                    "; name it (SessionTableColumns::items_key, option --item-key of the program)");
        }
        next_item_ = find_or_given(next_item_names, asked_.next_item_key);
        session_column_ = find_or_given(list_owner_names, asked_.session_key);
        if (next_item_ == items_ || session_column_ == items_) {
            throw_format(place, "column " + quote(header_->name(items_)) + " cannot be two things at once");
        }
    }

    [[nodiscard]] std::size_t find_or_given(std::span<const std::string_view> names,
                                            const std::optional<std::string>& given) const {
        if (!given) {
            const std::size_t found = header_->find(names);
            return found == items_ ? none : found;
        }
        return given->empty() ? none : header_->find_given(records_.place(), *given);
    }

    void read_session() {
        const RecordFields& fields = records_.fields();
        if (fields[items_] == header_->name(items_)) {
            throw_format(records_.place(), "found the header line again; remove it");
        }
        session_.begin_session();
        if (session_column_ == none) {
            session_.session_id = std::to_string(records_.line());
        } else {
            take_session_id(fields[session_column_]);
        }
        const std::string problem = session_.items.parse(fields[items_]);
        if (!problem.empty()) {
            throw_format(records_.place(),
                         "column " + quote(header_->name(items_)) + ": " + problem + ": " + quote(fields[items_]));
        }
        if (next_item_ != none && !fields[next_item_].empty()) {
            session_.items.add(fields[next_item_]);
        }
    }

    void take_session_id(std::string_view id) {
        constexpr std::size_t longest = 4096;  // it is written once for each item
        if (id.size() > longest) {
            throw_format(records_.place(), "column " + quote(header_->name(session_column_)) + ": the session id " +
                                               quote(id) + " has more than 4096 bytes");
        }
        if (id == session_.session_id && !id.empty()) {
            throw_format(records_.place(),
                         "column " + quote(header_->name(session_column_)) + ": the session " + quote(id) +
                             " has two lines in a row; expected one line per session, not one per beginning of it");
        }
        session_.session_id = id;
    }

    RecordReader records_;
    SessionTableColumns asked_;
    std::optional<SessionColumns> header_;
    std::size_t items_ = none;
    std::size_t next_item_ = none;
    std::size_t session_column_ = none;
    SessionText session_;
};

}  // namespace detail

GRU4REC_INLINE bool is_session_table(std::string_view header_line) {
    if (header_line.starts_with("\xef\xbb\xbf")) {
        header_line.remove_prefix(3);
    }
    header_line = header_line.substr(0, header_line.find('\n'));
    if (header_line.ends_with('\r')) {
        header_line.remove_suffix(1);
    }
    detail::RecordFields fields;
    const auto state =
        fields.add_line(header_line, detail::separator_or_none(header_line), detail::RecordReader::most_columns);
    return state == detail::RecordFields::State::complete &&
           detail::SessionColumns(fields).find_items() != detail::SessionColumns::none;
}

GRU4REC_INLINE TextStream sessions_of_lines(TextStream text, char separator) {
    std::string name = text.name;
    return converted_text(std::move(name), "event",
                          std::make_shared<detail::SessionsOfLines>(std::move(text), separator));
}

GRU4REC_INLINE TextStream sessions_of_table(TextStream table, const SessionTableColumns& columns) {
    std::string name = table.name;
    return converted_text(std::move(name), "event",
                          std::make_shared<detail::SessionsOfTable>(std::move(table), columns));
}

#endif

}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
