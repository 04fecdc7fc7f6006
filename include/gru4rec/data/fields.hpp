#ifndef GRU4REC_DATA_FIELDS_HPP
#define GRU4REC_DATA_FIELDS_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/data/read_options.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Cuts the next line off `text`, without its LF or CR LF.
[[nodiscard]] inline std::string_view take_line(std::string_view& text) noexcept {
    const std::size_t length = (std::min)(text.find('\n'), text.size());
    std::string_view line = text.substr(0, length);
    text.remove_prefix((std::min)(length + 1, text.size()));
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// The text without blanks at both ends.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) noexcept {
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

inline constexpr std::string_view broken_quotes =
    "the quotes of a field do not match; a quoted field must end directly before a separator or a line end, with \"\" "
    "for a quote inside it; if quotation marks are part of the values, read them as they are (Quotes::literal, option "
    "--no-quotes of the program)";

/// Walks over the fields of one row. Blanks around a field are dropped. A field may be quoted, with "" for a quote; a
/// quoted field may contain separators and line breaks.
class FieldReader {
  public:
    enum class Found {
        field,       ///< another one follows
        last_field,  ///< the row ends after it
        open_quote,  ///< the text ends inside a quoted field
        bad_quote    ///< something follows the closing quote, or the field is too long
    };

    /// A quoted field of more than this many bytes has lost its closing quote.
    static constexpr std::size_t longest_quoted = std::size_t{1} << 20U;

    /// @param text  begins with the row; what follows it does not matter
    FieldReader(std::string_view text, char separator, Quotes quotes) noexcept
        : text_(text), separator_(separator), quotes_(quotes) {}

    /// @param unescaped  a field with "" is appended to it and viewed there; its capacity must suffice
    /// @param value      the field, unless its quotes are broken
    [[nodiscard]] Found next(std::string& unescaped, std::string_view& value) {
        std::size_t begin = position_;
        while (begin < text_.size() && is_blank(text_[begin])) {
            ++begin;
        }
        if (quotes_ == Quotes::enclose && begin < text_.size() && text_[begin] == '"') {
            return next_quoted(begin + 1, unescaped, value);
        }
        std::size_t end = begin;
        while (end < text_.size() && text_[end] != separator_ && text_[end] != '\n') {
            ++end;
        }
        value = trimmed(text_.substr(begin, end - begin));
        return end_field(end);
    }

    /// What follows the fields read so far.
    [[nodiscard]] std::string_view rest() const noexcept { return text_.substr(position_); }

  private:
    [[nodiscard]] bool is_blank(char c) const noexcept { return (c == ' ' || c == '\t') && c != separator_; }

    [[nodiscard]] Found next_quoted(std::size_t begin, std::string& unescaped, std::string_view& value) {
        std::size_t from = begin;
        const std::size_t copied = unescaped.size();
        const std::string_view searched = text_.substr(0, begin + longest_quoted + 1);
        while (true) {
            const std::size_t quote = searched.find('"', from);
            if ((std::min)(quote, searched.size()) - begin > longest_quoted) {
                return Found::bad_quote;
            }
            if (quote == std::string_view::npos) {
                return Found::open_quote;
            }
            if (quote + 1 < text_.size() && text_[quote + 1] == '"') {
                unescaped += text_.substr(from, quote + 1 - from);
                from = quote + 2;
                continue;
            }
            if (from == begin) {
                value = text_.substr(begin, quote - begin);
            } else {
                unescaped += text_.substr(from, quote - from);
                value = std::string_view(unescaped).substr(copied);
            }
            return end_quoted(quote + 1);
        }
    }

    [[nodiscard]] Found end_quoted(std::size_t end) noexcept {
        while (end < text_.size() && (is_blank(text_[end]) || text_[end] == '\r')) {
            ++end;
        }
        const bool ends = end == text_.size() || text_[end] == separator_ || text_[end] == '\n';
        return ends ? end_field(end) : Found::bad_quote;
    }

    [[nodiscard]] Found end_field(std::size_t end) noexcept {
        const bool more = end < text_.size() && text_[end] == separator_;
        position_ = (std::min)(end + 1, text_.size());
        return more ? Found::field : Found::last_field;
    }

    std::string_view text_;
    std::size_t position_ = 0;
    char separator_;
    Quotes quotes_;
};

/// The separator of a line: the one that occurs most outside of quotes; a TAB before all others.
[[nodiscard]] inline char separator_of(std::string_view line, Quotes quotes) noexcept {
    constexpr std::string_view candidates = "\t,;|";
    std::array<std::size_t, candidates.size()> n{};
    bool quoted = false;
    for (const char c : line) {
        quoted ^= c == '"' && quotes == Quotes::enclose;
        const std::size_t i = candidates.find(c);
        if (!quoted && i != std::string_view::npos) {
            ++n[i];
        }
    }
    std::size_t best = 1;
    for (std::size_t i = 2; i < n.size(); ++i) {
        best = n[i] > n[best] ? i : best;
    }
    return candidates[n[0] > 0 ? 0 : best];
}

/// 0x80 in every byte of `word` that equals the byte of `pattern` at its place, 0 elsewhere.
[[nodiscard]] constexpr std::uint64_t equal_bytes(std::uint64_t word, std::uint64_t pattern) noexcept {
    constexpr std::uint64_t low_bits = 0x7f7f7f7f7f7f7f7fULL;
    const std::uint64_t difference = word ^ pattern;
    return ~(((difference & low_bits) + low_bits) | difference | low_bits);
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
