#ifndef GRU4REC_TESTS_SUPPORT_RANDOM_TABLES_HPP
#define GRU4REC_TESTS_SUPPORT_RANDOM_TABLES_HPP

#include "gru4rec/core/random.hpp"
#include "gru4rec/data/column_names.hpp"
#include "gru4rec/data/read_options.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

struct RandomTable {
    std::string text;
    gru4rec::ReadOptions options;
};

/// Makes tables of all forms that the reader knows, most of them valid. One draw per statement: the order of two in an
/// expression is the compiler's, and so would be the tables.
class RandomTables {
  public:
    explicit RandomTables(std::uint64_t seed) : random_(seed, gru4rec::detail::Random::Stream::test) {}

    [[nodiscard]] RandomTable next(std::size_t n_rows) {
        options_ = {};
        choose_form();
        std::string text = below(8) == 0 ? "\xef\xbb\xbf" : "";
        header_.clear();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            header_ += (i == 0 ? "" : std::string(1, separator_)) + name_of(columns_[i]);
        }
        header_ = style_ == Style::numbers ? "" : header_;
        text += header_.empty() ? "" : header_ + line_end();
        for (std::size_t row = 0; row < n_rows; ++row) {
            text += below(30) == 0 && !header_.empty() ? header_ : random_row();
            text += line_end();
        }
        if (below(4) == 0) {
            text.resize(text.find_last_not_of("\r\n") + 1);
        }
        return {std::move(text), options_};
    }

    /// Changes a few bytes.
    void damage(std::string& text) {
        constexpr std::string_view bytes = "0129.-:TZ,;|\t\"\n\r ax\xc3\xff";
        for (std::uint64_t n = 1 + below(3); n > 0 && !text.empty(); --n) {
            const std::size_t at = below(text.size());
            switch (below(5)) {
                case 0: text[at] = bytes[below(bytes.size())]; break;
                case 1: text.insert(at, 1, bytes[below(bytes.size())]); break;
                case 2: text.erase(at, 1); break;
                case 3: text.insert(at, text.substr(at / 2, below(40))); break;
                default: text.erase(at, below(30));
            }
        }
    }

    [[nodiscard]] std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(n)); }

  private:
    enum class Style { usual, known, own, numbers, typed };
    enum class Column { session, item, time, offset, event, other };
    enum class Times { seconds, milliseconds, microseconds, nanoseconds, counter, dates, none };

    void choose_form() {
        separator_ = std::string_view("\t,;|")[below(4)];
        style_ = static_cast<Style>(below(5));
        times_ = static_cast<Times>(below(7));
        can_quote_ = below(4) != 0;
        auto& layout = options_.layout;
        layout.separator = below(3) == 0 ? separator_ : '\0';
        layout.quotes = can_quote_ || below(2) == 0 ? gru4rec::Quotes::enclose : gru4rec::Quotes::literal;
        columns_ = {Column::session, Column::item};
        if (times_ != Times::none) {
            columns_.push_back(Column::time);
        } else if (below(2) == 0) {
            layout.time_unit = gru4rec::TimeUnit::none;
        }
        if (times_ == Times::dates && below(2) == 0) {
            columns_.push_back(Column::offset);
        }
        if (times_ != Times::none || layout.time_unit == gru4rec::TimeUnit::none) {
            columns_.insert(columns_.end(), below(3), Column::other);
            columns_.insert(columns_.end(), below(2), Column::event);
        }
        if (times_ < Times::dates && below(3) == 0) {
            layout.time_unit = static_cast<gru4rec::TimeUnit>(static_cast<int>(times_) + 1);
        }
        for (std::size_t i = columns_.size(); i > 1; --i) {
            std::swap(columns_[i - 1], columns_[below(i)]);
        }
        choose_columns();
        choose_rows();
    }

    void choose_columns() {
        auto& names = options_.columns;
        if (style_ == Style::own) {
            names = {.session_key = "visit", .item_key = "thing", .time_key = "when", .time_offset_key = {}};
        }
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const std::string number = std::to_string(i + 1);
            const bool by_number = style_ == Style::numbers;
            switch (columns_[i]) {
                case Column::session: names.session_key = by_number ? number : names.session_key; break;
                case Column::item: names.item_key = by_number ? number : names.item_key; break;
                case Column::time: names.time_key = by_number ? number : names.time_key; break;
                case Column::offset: names.time_offset_key = by_number ? number : "offset"; break;
                case Column::event:
                    if (below(2) == 0) {
                        options_.where.push_back({by_number ? number : "event", {"view", "cart"}});
                    }
                    break;
                default: break;
            }
        }
        if (below(6) == 0 && style_ != Style::numbers) {
            options_.where.push_back({names_of_session(), {"s1", "s2", "s3", "s\"4"}});
        }
        if (style_ == Style::numbers && below(2) == 0) {
            options_.layout.header = gru4rec::HeaderLine::absent;
        }
        if (times_ == Times::none && style_ == Style::numbers) {
            options_.layout.header = gru4rec::HeaderLine::absent;
            options_.layout.time_unit = gru4rec::TimeUnit::none;
        }
    }

    [[nodiscard]] std::string names_of_session() { return style_ == Style::own ? "visit" : name_of(Column::session); }

    void choose_rows() {
        has_missing_ = below(2) == 0;
        if (below(4) == 0) {
            options_.missing = {"-", "0", "NA"};
        }
        options_.missing_rows = below(5) == 0 ? gru4rec::MissingRows::refuse : gru4rec::MissingRows::skip;
    }

    [[nodiscard]] std::string name_of(Column column) {
        if (style_ == Style::typed) {
            switch (column) {
                case Column::session: return "session_id:token";
                case Column::item: return "item_id:token";
                case Column::time: return "timestamp:float";
                case Column::offset: return "offset:float";
                case Column::event: return "event:token";
                default: return "price:float";
            }
        }
        const bool known = style_ == Style::known;
        switch (column) {
            case Column::session: return style_ == Style::own ? "visit" : (known ? "user_session" : "SessionId");
            case Column::item: return style_ == Style::own ? "thing" : (known ? "product-ID" : "ItemId");
            case Column::time: return style_ == Style::own ? "when" : (known ? "Event.Time" : "Time");
            case Column::offset: return "offset";
            case Column::event: return "event";
            default: return "price";
        }
    }

    [[nodiscard]] std::string line_end() {
        std::string text = below(6) == 0 ? "\r\n" : "\n";
        text += below(20) == 0 ? "\n" : "";
        return text;
    }

    [[nodiscard]] std::string random_row() {
        std::string row;
        if (below(6) == 0) {
            session_ = below(5);
        }
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            row += (i == 0 ? "" : std::string(1, separator_)) + written(value_of(columns_[i]), columns_[i]);
        }
        return row;
    }

    [[nodiscard]] std::string value_of(Column column) {
        const bool may_miss = column == Column::session || column == Column::time || column == Column::offset;
        if (may_miss && has_missing_ && below(20) == 0) {
            constexpr std::string_view markers[] = {"NA", "\\N", "", "null", "0", "-"};
            return std::string(markers[below(6)]);
        }
        std::string text;
        switch (column) {
            case Column::session: return "s" + std::to_string(session_);
            case Column::item:
                if (has_missing_ && below(400) == 0) {
                    return "";
                }
                text.assign(below(3) * 5, 'i');
                return text += std::to_string(below(12));
            case Column::time: return random_time();
            case Column::offset: text = std::to_string(below(5000)); return text += below(5) == 0 ? ".25" : "";
            case Column::event: return below(3) == 0 ? "buy" : (below(2) == 0 ? "view" : "cart");
            default: return below(4) == 0 ? "NA" : std::string(below(10), 'p');
        }
    }

    [[nodiscard]] std::string random_time() {
        const std::string second = std::to_string(1'431'235'000 + below(300));
        const std::string fraction = below(4) == 0 ? "." + std::to_string(below(1000)) : "";
        switch (times_) {
            case Times::seconds: return second + fraction;
            case Times::milliseconds: return second + std::to_string(100 + below(900)) + fraction;
            case Times::microseconds: return second + std::to_string(100'000 + below(900'000)) + fraction;
            case Times::nanoseconds: return second + std::to_string(100'000'000 + below(900'000'000)) + fraction;
            case Times::counter: {
                const std::string sign = below(5) == 0 ? "-" : "";
                return sign + std::to_string(below(1000)) + fraction;
            }
            default: return random_date();
        }
    }

    [[nodiscard]] std::string random_date() {
        std::string time = "2015-0" + std::to_string(1 + below(2));
        const auto add = [&](const char* before, std::size_t n) { time += before + std::to_string(10 + below(n)); };
        add("-", 3);
        if (below(10) == 0) {
            return time;
        }
        add(below(2) == 0 ? "T" : " ", 14);
        add(":", 50);
        if (below(8) == 0) {
            return time;
        }
        add(":", 50);
        constexpr std::string_view suffixes[] = {"", "Z", " UTC", "+02:00", ".5", ".404Z", ",25 +0130", ".1234567891"};
        return time += suffixes[below(8)];
    }

    /// A field with blanks around it, in quotes or not.
    [[nodiscard]] std::string written(std::string value, Column column) {
        if (!can_quote_) {
            const bool odd = options_.layout.quotes == gru4rec::Quotes::literal && column == Column::session;
            value = odd && below(3) == 0 ? "\"" + value : value;
        } else if (below(3) == 0) {
            if (column == Column::item && below(2) == 0) {
                const std::size_t at = below(value.size() + 1);
                value.insert(at, below(2) == 0 ? "\"\"" : std::string(1, separator_ == '\t' ? ' ' : separator_));
            }
            if ((column == Column::session || column == Column::other) && below(2) == 0) {
                constexpr std::string_view parts[] = {"\n", "\r\n", "\"\"", " ", "\n\n"};
                const std::size_t at = below(value.size() + 1);
                value.insert(at, parts[below(5)]);
            }
            value = "\"" + (below(6) == 0 ? " " + value : value) + "\"";
        }
        const std::string blank = separator_ != '\t' && below(3) == 0 ? "\t" : " ";
        value.insert(0, below(8) == 0 ? blank : "");
        return value += below(8) == 0 ? blank : "";
    }

    gru4rec::detail::Random random_;
    gru4rec::ReadOptions options_;
    std::vector<Column> columns_;
    std::string header_;
    char separator_ = '\t';
    Style style_ = Style::usual;
    Times times_ = Times::seconds;
    bool can_quote_ = false;
    bool has_missing_ = false;
    std::size_t session_ = 0;
};

}  // namespace support

#endif
