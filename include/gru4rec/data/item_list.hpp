#ifndef GRU4REC_DATA_ITEM_LIST_HPP
#define GRU4REC_DATA_ITEM_LIST_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

[[nodiscard]] inline std::string_view without_blanks(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

/// The items of a list as tools print it: `['a' 'b']` (NumPy, also over several lines), `['a', 'b']` (Python),
/// `["a","b"]` (JSON), `[1, 2]`, `(1, 2)`, `{a,b}` (PostgreSQL), `[np.str_('a')]`, or without brackets `a b`, `a,b`.
///
/// Items are separated either all by blanks or all by commas, with or without blanks beside them.
class ItemList {
  public:
    /// @returns what is wrong, or an empty text. After an error do not use the items
    [[nodiscard]] std::string parse(std::string_view cell) {
        clear();
        rest_ = without_blanks(cell);
        if (std::string problem = take_brackets(); !problem.empty()) {
            return problem;
        }
        bool comma_before = false;
        for (rest_ = without_blanks(rest_); !rest_.empty();) {
            if (std::string problem = take_item(); !problem.empty()) {
                return problem;
            }
            if (std::string problem = take_separator(comma_before); !problem.empty()) {
                return problem;
            }
        }
        const bool tuple_of_one = closing_ == ')' && size() == 1;
        return comma_before && !tuple_of_one ? "an item is missing after the last comma" : "";
    }

    /// Parses items that are separated by one character or, if it is the space character, by any run of white space.
    /// Quotes are part of an item.
    /// @returns as parse
    [[nodiscard]] std::string parse_separated(std::string_view line, char separator) {
        clear();
        line = without_blanks(line);
        if (line.empty()) {
            return {};
        }
        bool missing = false;
        const auto take = [&](std::string_view part) {
            part = without_blanks(part);
            missing = missing || part.empty();
            add(part);
        };
        if (separator != ' ') {
            for_each_part(line, separator, take);
        }
        for (rest_ = separator == ' ' ? line : ""; !rest_.empty(); rest_ = without_blanks(rest_)) {
            const auto end =
                static_cast<std::size_t>(std::find_if(rest_.begin(), rest_.end(), is_blank) - rest_.begin());
            take(rest_.substr(0, end));
            rest_.remove_prefix(end);
        }
        return missing ? "an item is missing between two separators or at an end" : "";
    }

    void add(std::string_view item) {
        text_ += item;
        ends_.push_back(text_.size());
    }

    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

    /// Item i; valid until the next parse, add or clear. @pre i < size()
    [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(text_).substr(begin, ends_[i] - begin);
    }

    void clear() noexcept {
        text_.clear();
        ends_.clear();
        commas_.reset();
        closing_ = '\0';
    }

  private:
    [[nodiscard]] std::string take_brackets() {
        constexpr std::string_view opening = "[({";
        constexpr std::string_view closing = "])}";
        const std::size_t kind = rest_.empty() ? std::string_view::npos : opening.find(rest_.front());
        if (kind == std::string_view::npos) {
            return {};
        }
        closing_ = closing[kind];
        if (rest_.size() < 2 || rest_.back() != closing_) {
            return std::string("the list does not end with ") + closing_;
        }
        rest_ = rest_.substr(1, rest_.size() - 2);
        return {};
    }

    [[nodiscard]] std::string take_item() {
        if (rest_.front() == '\'' || rest_.front() == '"') {
            return take_quoted();
        }
        const std::string_view item = rest_.substr(0, bare_length());
        if (const std::size_t open = item.find('('); item.starts_with("np.") && open != std::string_view::npos) {
            rest_.remove_prefix(open + 1);
            return take_numpy_scalar();
        }
        if (item.empty()) {
            return "an item is missing before a comma";
        }
        if (item == "...") {
            return "NumPy has left out the items at \"...\"; write the lists after "
                   "numpy.set_printoptions(threshold=sys.maxsize)";
        }
        if (item.find_first_of("[]\"") != std::string_view::npos) {
            return "found " + quote(item) + "; an item with brackets or quotes in it must be in quotes";
        }
        rest_.remove_prefix(item.size());
        add(item);
        return {};
    }

    /// Up to the next blank or comma.
    [[nodiscard]] std::size_t bare_length() const noexcept {
        const auto ends_item = [](char c) { return is_blank(c) || c == ','; };
        return static_cast<std::size_t>(std::find_if(rest_.begin(), rest_.end(), ends_item) - rest_.begin());
    }

    /// `np.str_('a')`, `np.int64(1)`: how NumPy 2 prints scalars in a Python list. rest_ starts after the `(`.
    [[nodiscard]] std::string take_numpy_scalar() {
        if (rest_.starts_with('\'') || rest_.starts_with('"')) {
            if (std::string problem = take_quoted(); !problem.empty()) {
                return problem;
            }
        } else {
            const std::string_view item = rest_.substr(0, (std::min)(bare_length(), rest_.find(')')));
            if (item.empty()) {
                return "an item is empty";
            }
            add(item);
            rest_.remove_prefix(item.size());
        }
        if (!rest_.starts_with(')')) {
            return "the ) after an item is missing";
        }
        rest_.remove_prefix(1);
        return {};
    }

    [[nodiscard]] std::string take_quoted() {
        const char mark = rest_.front();
        const std::size_t begin = text_.size();
        rest_.remove_prefix(1);
        while (true) {
            const std::size_t plain = (std::min)(rest_.find_first_of(mark == '"' ? "\"\\" : "'\\"), rest_.size());
            text_ += rest_.substr(0, plain);
            rest_.remove_prefix(plain);
            if (rest_.empty()) {
                return std::string("the quote ") + mark + " of an item is not closed";
            }
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == mark) {
                break;
            }
            if (!take_escape()) {
                return "unknown escape after a backslash; expected the escapes of Python or JSON";
            }
        }
        if (text_.size() == begin) {
            return "an item is empty";
        }
        ends_.push_back(text_.size());
        return {};
    }

    /// What follows a backslash.
    [[nodiscard]] bool take_escape() {
        constexpr std::string_view letters = "\"'\\/nrtbf";
        constexpr std::string_view meanings = "\"'\\/\n\r\t\b\f";
        if (rest_.empty()) {
            return false;
        }
        const char letter = rest_.front();
        rest_.remove_prefix(1);
        if (const std::size_t found = letters.find(letter); found != std::string_view::npos) {
            text_ += meanings[found];
            return true;
        }
        auto code = take_hexadecimal(letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0);
        if (code && letter == 'u' && *code >= 0xd800 && *code < 0xdc00 && rest_.starts_with("\\u")) {
            rest_.remove_prefix(2);
            const auto low = take_hexadecimal(4);
            const bool pair = low && *low >= 0xdc00 && *low < 0xe000;
            code = pair ? std::optional(0x10000 + ((*code - 0xd800) << 10U) + (*low - 0xdc00)) : std::nullopt;
        }
        if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) {
            return false;
        }
        append_utf8(text_, *code);
        return true;
    }

    [[nodiscard]] std::optional<std::uint32_t> take_hexadecimal(std::size_t n_digits) {
        if (n_digits == 0 || rest_.size() < n_digits) {
            return std::nullopt;
        }
        std::uint32_t code = 0;
        const char* const end = rest_.data() + n_digits;
        const auto result = std::from_chars(rest_.data(), end, code, 16);
        if (result.ec != std::errc{} || result.ptr != end) {
            return std::nullopt;
        }
        rest_.remove_prefix(n_digits);
        return code;
    }

    /// Removes the separator after an item. @param comma  whether it was a comma [out]
    [[nodiscard]] std::string take_separator(bool& comma) {
        const std::size_t before = rest_.size();
        rest_ = without_blanks(rest_);
        comma = rest_.starts_with(',');
        if (comma) {
            rest_.remove_prefix(1);
            rest_ = without_blanks(rest_);
        }
        if (rest_.size() == before && !rest_.empty()) {
            return "a blank or a comma is missing after an item in quotes";
        }
        if (!rest_.empty() && commas_.value_or(comma) != comma) {
            return "some items are separated by commas and some by blanks; put items with blanks in quotes";
        }
        commas_ = comma;
        return {};
    }

    std::string_view rest_;
    std::string text_;
    std::vector<std::size_t> ends_;  // of the items in text_
    std::optional<bool> commas_;     // whether commas separate the items so far; empty before the first separator
    char closing_ = '\0';
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
