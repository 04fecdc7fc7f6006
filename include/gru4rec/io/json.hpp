#ifndef GRU4REC_IO_JSON_HPP
#define GRU4REC_IO_JSON_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/error.hpp"
#include "gru4rec/core/function_ref.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/io/safetensors_header.hpp"
#include "gru4rec/version.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

/// Reads JSON in one pass: the caller asks for the value that must come next, and any other is refused. Stores only the
/// value that it returns and the names in the objects that are open. Does not recurse: the caller fixes the nesting.
///
/// Strict RFC 8259 in UTF-8; a byte order mark is skipped. A syntax error is reported by the byte, counted from 1, at
/// which reading stopped.
///
/// @throws FormatError from every function that reads. `expected` completes its message: "expected ..., found ...".
class JsonReader {
  public:
    /// @param place  `path: field`, for messages
    /// @param text   must outlive the reader
    /// @param hint   ends every message; must outlive the reader
    JsonReader(std::string place, std::string_view text, std::string_view hint = damaged_header)
        : place_(std::move(place)), text_(text), hint_(hint) {
        if (text.find('\0') != std::string_view::npos) {
            fail("expected JSON, found a NUL byte in it");
        }
        position_ = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
    }

    void set_place(std::string place) { place_ = std::move(place); }

    /// Enters an object. members() reads the rest of it.
    void begin_object(std::string_view expected) { begin('{', expected); }

    /// Calls `member(name)`, which must read one value, for each member, up to the end of the object. Names are unique.
    void members(std::string_view expected, FunctionRef<void(std::string&&)> member) {
        std::set<std::string> names;
        for (bool more = !take_next('}'); more; more = take_comma_or('}')) {
            check(take_next('"'));
            std::string name = read_string();
            if (!names.insert(name).second) {
                refuse(expected, quote(name) + " twice");
            }
            check(take_next(':'));
            member(std::move(name));
        }
    }

    /// Calls `element()`, which must read one value, for each element of a list.
    void list(std::string_view expected, FunctionRef<void()> element) {
        begin('[', expected);
        for (bool more = !take_next(']'); more; more = take_comma_or(']')) {
            element();
        }
    }

    [[nodiscard]] std::string string(std::string_view expected) {
        begin('"', expected);
        return read_string();
    }

    /// An integer from 0 to 2^64 - 1, written without sign, fraction and exponent.
    [[nodiscard]] std::uint64_t integer(std::string_view expected) {
        if (begins_number(next())) {
            const std::size_t begin = position_;
            if (const auto value = parse_number<std::uint64_t>(read_number())) {
                return *value;
            }
            position_ = begin;
        }
        refuse_next(expected);
    }

    /// A string, or an integer of 64 bits as its text.
    [[nodiscard]] std::string string_or_integer(std::string_view expected) {
        if (begins_number(next())) {
            const std::size_t begin = position_;
            const std::string_view number = read_number();
            if (parse_number<std::int64_t>(number) || parse_number<std::uint64_t>(number)) {
                return std::string(number);
            }
            position_ = begin;
            refuse_next(expected);
        }
        return string(expected);
    }

    /// Only blanks may follow.
    void end() {
        next();
        check(position_ == text_.size());
    }

    [[noreturn]] GRU4REC_COLD void refuse(std::string_view expected, std::string_view found) const {
        fail("expected " + std::string(expected) + ", found " + std::string(found));
    }

    [[noreturn]] GRU4REC_COLD void fail(const std::string& problem) const {
        throw_format(place_, problem + std::string(hint_));
    }

  private:
    [[nodiscard]] static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
    [[nodiscard]] static bool begins_number(char c) noexcept { return c == '-' || is_digit(c); }

    /// At the end of the text: NUL, which the text does not contain.
    [[nodiscard]] char current() const noexcept { return position_ < text_.size() ? text_[position_] : '\0'; }

    bool take(char c) noexcept {
        const bool found = current() == c;
        position_ += static_cast<std::size_t>(found);
        return found;
    }

    /// Skips blanks. @returns the character after them; NUL at the end of the text
    char next() noexcept {
        while (take(' ') || take('\n') || take('\r') || take('\t')) {
        }
        return current();
    }

    [[nodiscard]] bool take_next(char c) noexcept { return next() == c && take(c); }

    void begin(char c, std::string_view expected) {
        if (!take_next(c)) {
            refuse_next(expected);
        }
    }

    /// @returns whether it was a comma
    [[nodiscard]] bool take_comma_or(char bracket) {
        const bool is_comma = take_next(',');
        check(is_comma || take_next(bracket));
        return is_comma;
    }

    /// After the quotation mark.
    [[nodiscard]] GRU4REC_NOINLINE std::string read_string() {
        std::string value;
        while (!take('"')) {
            const std::size_t begin = position_;
            while (const std::size_t length = verbatim_length()) {
                position_ += length;
            }
            value.append(text_, begin, position_ - begin);
            if (current() != '"') {
                append_escaped(value);
            }
        }
        return value;
    }

    /// Of the current character in a string; 0 for a quotation mark, a backslash and what a string must not contain.
    [[nodiscard]] std::size_t verbatim_length() const noexcept {
        const char c = current();
        const bool is_special = static_cast<unsigned char>(c) < 0x20U || c == '"' || c == '\\';
        return is_special ? 0 : utf8_sequence(text_.substr(position_));
    }

    /// At the backslash.
    void append_escaped(std::string& value) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view characters = "\"\\/\b\f\n\r\t";
        check(take('\\'));
        const std::size_t letter = letters.find(current());
        if (letter == std::string_view::npos) {
            append_utf8(value, read_code_point());
        } else {
            value += characters[letter];
            ++position_;
        }
    }

    [[nodiscard]] std::uint32_t read_code_point() {
        const std::uint32_t unit = read_code_unit();
        if (unit < 0xd800U || unit > 0xdfffU) {
            return unit;
        }
        const bool is_pair = unit < 0xdc00U && take('\\');  // of surrogates
        const std::uint32_t low = is_pair ? read_code_unit() : 0;
        check((low & 0xfc00U) == 0xdc00U);
        return 0x10000U + ((unit & 0x3ffU) << 10U | (low & 0x3ffU));
    }

    /// `u` and four hexadecimal digits.
    [[nodiscard]] std::uint32_t read_code_unit() {
        check(take('u'));
        const std::string_view digits = text_.substr(position_, 4);
        std::uint32_t unit = 0;
        const char* const end = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16).ptr;
        position_ += static_cast<std::size_t>(end - digits.data());
        check(end == digits.data() + 4);
        return unit;
    }

    /// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?
    [[nodiscard]] std::string_view read_number() {
        const std::size_t begin = position_;
        take('-');
        if (!take('0')) {
            skip_digits();
        }
        if (take('.')) {
            skip_digits();
        }
        if (take('e') || take('E')) {
            static_cast<void>(take('+') || take('-'));
            skip_digits();
        }
        return text_.substr(begin, position_ - begin);
    }

    /// At least one.
    void skip_digits() {
        check(is_digit(current()));
        while (is_digit(current())) {
            ++position_;
        }
    }

    /// Numbers other than integers of 64 bits are quoted.
    [[noreturn]] GRU4REC_COLD void refuse_next(std::string_view expected) {
        if (begins_number(current())) {
            const std::string_view number = read_number();
            const bool is_integer = parse_number<std::uint64_t>(number) || parse_number<std::int64_t>(number);
            refuse(expected, is_integer ? std::string(number) : quote(number));
        }
        if (take('"')) {
            refuse(expected, quote(read_string()));
        }
        const auto begins = [&](std::string_view word) { return text_.substr(position_).starts_with(word); };
        const std::string_view found = begins("{")                         ? "an object"
                                       : begins("[")                       ? "a list"
                                       : begins("null")                    ? "null"
                                       : begins("true") || begins("false") ? "true or false"
                                                                           : "";
        check(!found.empty());
        refuse(expected, found);
    }

    void check(bool is_json) const {
        if (!is_json) {
            fail_syntax();
        }
    }

    [[noreturn]] GRU4REC_COLD void fail_syntax() const {
        fail("expected JSON, found a syntax error or invalid UTF-8 at byte " + std::to_string(position_ + 1) +
             " of it");
    }

    std::string place_;
    std::string_view text_;
    std::string_view hint_;
    std::size_t position_ = 0;
};

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
