#ifndef GRU4REC_TESTS_SUPPORT_NAIVE_TABLE_ROWS_HPP
#define GRU4REC_TESTS_SUPPORT_NAIVE_TABLE_ROWS_HPP

#include "gru4rec/data/read_options.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace naive {

inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

inline std::string trimmed(std::string text) {
    while (!text.empty() && is_blank(text.back())) {
        text.pop_back();
    }
    while (!text.empty() && is_blank(text.front())) {
        text.erase(0, 1);
    }
    return text;
}

template <class Values>
bool contains(const Values& values, std::string_view value) {
    return std::find(values.begin(), values.end(), value) != values.end();
}

/// A row: its fields, unless its quotes are broken.
struct Row {
    std::size_t line = 0;
    std::string text{};  ///< without the line end
    std::vector<std::string> fields{};
    bool is_broken = false;
};

/// Cuts text into rows.
class Rows {
  public:
    Rows(std::string text, char separator, gru4rec::Quotes quotes)
        : text_(std::move(text)), separator_(separator), quotes_(quotes) {}

    [[nodiscard]] bool done() const { return at_ == text_.size(); }

    /// A broken row ends at its first line end.
    [[nodiscard]] Row next() {
        Row row;
        row.line = line_;
        const std::size_t begin = at_;
        while (take_field(row)) {
        }
        if (row.is_broken) {
            at_ = (std::min)(text_.find('\n', begin), text_.size());
        }
        row.text = text_.substr(begin, at_ - begin);
        if (row.text.ends_with('\r')) {
            row.text.pop_back();
        }
        at_ += at_ < text_.size() ? 1U : 0U;
        line_ += 1 + static_cast<std::size_t>(std::count(row.text.begin(), row.text.end(), '\n'));
        return row;
    }

  private:
    [[nodiscard]] char now() const { return at_ < text_.size() ? text_[at_] : '\n'; }

    /// @returns whether another field follows
    [[nodiscard]] bool take_field(Row& row) {
        while ((now() == ' ' || now() == '\t') && now() != separator_) {
            ++at_;
        }
        std::string& field = row.fields.emplace_back();
        if (now() == '"' && quotes_ == gru4rec::Quotes::enclose) {
            row.is_broken = !take_quoted(field);
        } else {
            while (now() != separator_ && now() != '\n') {
                field += text_[at_++];
            }
            field = trimmed(field);
        }
        const bool more = !row.is_broken && now() == separator_;
        at_ += more ? 1U : 0U;
        return more;
    }

    [[nodiscard]] bool take_quoted(std::string& field) {
        const std::size_t begin = ++at_;
        for (;; ++at_) {
            if (at_ >= text_.size() || at_ - begin > std::size_t{1} << 20U) {
                return false;
            }
            if (text_[at_] == '"') {
                if (text_.substr(at_ + 1, 1) != "\"") {
                    break;
                }
                ++at_;
            }
            field += text_[at_];
        }
        ++at_;
        while (is_blank(now()) && now() != separator_) {
            ++at_;
        }
        return now() == separator_ || now() == '\n';
    }

    std::string text_;
    char separator_;
    gru4rec::Quotes quotes_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

inline char most_frequent_separator(const std::string& line, gru4rec::Quotes quotes) {
    std::map<char, int> n;
    bool quoted = false;
    for (const char c : line) {
        if (c == '"' && quotes == gru4rec::Quotes::enclose) {
            quoted = !quoted;
        } else if (!quoted) {
            ++n[c];
        }
    }
    const int most = (std::max)({n[','], n[';'], n['|']});
    return n['\t'] > 0 ? '\t' : (n[','] == most ? ',' : (n[';'] == most ? ';' : '|'));
}

}  // namespace naive

#endif
