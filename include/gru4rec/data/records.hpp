#ifndef GRU4REC_DATA_RECORDS_HPP
#define GRU4REC_DATA_RECORDS_HPP

#include "gru4rec/core/error.hpp"
#include "gru4rec/data/fields.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/data/text_stream.hpp"
#include "gru4rec/version.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// As separator_of; '\n' if the header line has a single column.
[[nodiscard]] inline char separator_or_none(std::string_view header) noexcept {
    const char separator = separator_of(header, Quotes::enclose);
    return header.find(separator) == std::string_view::npos ? '\n' : separator;
}

/// The fields of one record of delimited text, line by line. A field in quotes may hold separators, doubled quotes and
/// line breaks; blanks around a field are dropped. FieldReader does the same in text that is there as a whole.
class RecordFields {
  public:
    enum class State { complete, open, broken };

    void clear() noexcept {
        text_.clear();
        ends_.clear();
        at_ = At::start;
    }

    /// Reads a line, the first of a record or one that follows an open quote.
    ///
    /// @param most  from this number of fields on, the rest of the line is not read
    /// @returns open: a quote is open at the end of the line
    [[nodiscard]] State add_line(std::string_view line, char separator, std::size_t most) {
        for (const char c : line) {
            if (c == separator && at_ != At::quoted) {
                end_field();
                if (size() > most) {
                    return State::complete;
                }
            } else if (!add(c)) {
                return State::broken;
            }
        }
        if (at_ == At::quoted) {
            text_ += '\n';
            return State::open;
        }
        end_field();
        return State::complete;
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

    /// Of the fields so far.
    [[nodiscard]] std::size_t n_bytes() const noexcept { return text_.size(); }

    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(text_).substr(begin, ends_[i] - begin);
    }

  private:
    enum class At { start, bare, quoted, quote, after };

    /// @returns false for what cannot stand there
    [[nodiscard]] bool add(char c) {
        const bool blank = c == ' ' || c == '\t';
        switch (at_) {
            case At::start:
                if (blank) {
                    return true;
                }
                at_ = c == '"' ? At::quoted : At::bare;
                break;
            case At::quoted:
                if (c == '"') {
                    at_ = At::quote;
                    return true;
                }
                text_ += c;
                return true;
            case At::quote:  // the end of the field, unless another one follows
                if (c != '"') {
                    at_ = At::after;
                    return blank;
                }
                at_ = At::quoted;
                text_ += c;
                return true;
            case At::after: return blank;
            case At::bare: break;
        }
        if (at_ == At::bare) {
            text_ += c;
        }
        return true;
    }

    void end_field() {
        const std::size_t begin = ends_.empty() ? 0 : ends_.back();
        while (at_ == At::bare && text_.size() > begin && (text_.back() == ' ' || text_.back() == '\t')) {
            text_.pop_back();
        }
        ends_.push_back(text_.size());
        at_ = At::start;
    }

    std::string text_;
    std::vector<std::size_t> ends_;
    At at_ = At::start;
};

/// Reads the records of delimited text, beginning with the header line. Memory in proportion to the longest record.
class RecordReader {
  public:
    static constexpr std::size_t most_columns = 10000;

    explicit RecordReader(TextStream source) : lines_(std::move(source)) {}

    /// The fields of the record at hand.
    [[nodiscard]] const RecordFields& fields() const noexcept { return fields_; }

    /// The line on which the record at hand begins.
    [[nodiscard]] std::size_t line() const noexcept { return first_line_; }
    [[nodiscard]] std::string place() const { return lines_.place(first_line_); }
    [[nodiscard]] const std::string& name() const noexcept { return lines_.name(); }

    /// Reads the next record; skips empty lines. The first one says what the separator is, and how many fields the
    /// others must have.
    ///
    /// @returns false at the end
    /// @throws FormatError for quotes that do not match, another number of fields, a record that is too long
    [[nodiscard]] bool next() {
        auto line = lines_.next();
        while (line && line->find_first_not_of(' ') == std::string_view::npos) {
            line = lines_.next();
        }
        if (!line) {
            return false;
        }
        first_line_ = lines_.line();
        const bool is_header = n_columns_ == 0;
        if (is_header) {
            separator_ = separator_or_none(*line);
        }
        const std::size_t most = is_header ? most_columns : n_columns_;
        fields_.clear();
        RecordFields::State state = fields_.add_line(*line, separator_, most);
        while (state == RecordFields::State::open && fields_.n_bytes() <= LineReader::longest_line) {
            line = lines_.next();
            if (!line) {
                break;
            }
            state = fields_.add_line(*line, separator_, most);
        }
        require_complete(state);
        check_size(is_header);
        return true;
    }

  private:
    void require_complete(RecordFields::State state) const {
        if (state == RecordFields::State::open) {
            throw_format(place(), "a quote that is opened on this line is not closed" +
                                      std::string(fields_.n_bytes() > LineReader::longest_line ? " within 64 MB" : ""));
        }
        if (state == RecordFields::State::broken) {
            throw_format(
                place(),
                "the quotes of a field do not match; a quoted field must end directly before a separator or at "
                "the end of its line, with \"\" for a quote inside it");
        }
    }

    void check_size(bool is_header) {
        if (is_header && fields_.size() > most_columns) {
            throw_format(place(), "the header line has more than " + std::to_string(most_columns) + " columns");
        }
        if (is_header) {
            n_columns_ = fields_.size();
        }
        if (fields_.size() != n_columns_) {
            const bool more = fields_.size() > n_columns_;
            throw_format(place(),
                         "the line has " +
                             (more ? "more than " + std::to_string(n_columns_) : std::to_string(fields_.size())) +
                             " fields, the header " + std::to_string(n_columns_) +
                             "; a list with separators in it must stand in double quotes");
        }
    }

    LineReader lines_;
    RecordFields fields_;
    char separator_ = ',';
    std::size_t n_columns_ = 0;
    std::size_t first_line_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
