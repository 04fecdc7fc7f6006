#ifndef GRU4REC_CORE_ERROR_HPP
#define GRU4REC_CORE_ERROR_HPP

#include "gru4rec/core/config.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/version.hpp"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

/// Checks the library's own contract; off under NDEBUG.
#define GRU4REC_ASSERT(condition) assert(condition)

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Something outside the program is not as it should be: a file, its content, the course of a training run.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The content of a file is malformed. The text names file, line or field, what was expected and what was found.
class FormatError : public Error {
  public:
    using Error::Error;
};

/// A file could not be opened, read or written.
class IoError : public Error {
  public:
    using Error::Error;
};

/// Training met a value that is not finite. The text names epoch, step and the likely setting.
class NonFiniteError : public Error {
  public:
    using Error::Error;
};

namespace detail {

/// One line, whatever text of unknown origin is in it: control characters as \xHH. A NUL would end it.
[[nodiscard]] inline std::string as_one_line(std::string_view message) {
    std::string line;
    for (const char c : message) {
        const auto byte = static_cast<unsigned char>(c);
        line += is_control(byte) ? escaped(byte) : std::string(1, c);
    }
    return line;
}

template <class Exception>
[[noreturn]] GRU4REC_COLD inline void raise(const std::string& message) {
#if defined(__cpp_exceptions)
    throw Exception(as_one_line(message));
#else
    std::fputs((as_one_line(message) + "\n").c_str(), stderr);
    std::abort();
#endif
}

/// A value for a message: a number as the shortest text that reads back as the same one, whatever the locale.
template <class Value>
[[nodiscard]] std::string text_of(const Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_arithmetic_v<Value>) {
        return format_number(value);
    } else {
        return std::string(value);
    }
}

/// `gru4rec: sample_alpha = 1.7, must satisfy 0 <= sample_alpha <= 1`
template <class Value>
[[noreturn]] GRU4REC_COLD void throw_invalid(std::string_view name, const Value& value, std::string_view allowed) {
    raise<std::invalid_argument>("gru4rec: " + std::string(name) + " = " + text_of(value) + ", must satisfy " +
                                 std::string(allowed));
}

[[noreturn]] GRU4REC_COLD inline void throw_invalid(const std::string& message) {
    raise<std::invalid_argument>("gru4rec: " + message);
}

/// `where` is a path, `path:line` or `path: field`.
[[noreturn]] GRU4REC_COLD inline void throw_format(std::string_view where, std::string_view problem) {
    raise<FormatError>(std::string(where) + ": " + std::string(problem));
}

[[noreturn]] GRU4REC_COLD inline void throw_io(std::string_view path, std::string_view problem) {
    raise<IoError>(std::string(path) + ": " + std::string(problem));
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
