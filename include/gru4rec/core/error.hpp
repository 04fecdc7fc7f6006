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

/// Checks the library's own contract; off under NDEBUG. For kernels and private functions.
#define GRU4REC_ASSERT(condition) assert(condition)

/// Checks what a public function requires of its caller, in every build; throws ContractError(message) if it does not
/// hold. For conditions whose violation would read or write out of bounds. Costs a compare and a branch: `message`, a
/// string, is evaluated only on failure. The function must not be noexcept.
#define GRU4REC_REQUIRE(condition, message) \
    (static_cast<bool>(condition) ? static_cast<void>(0) : ::gru4rec::detail::throw_contract(message))

namespace gru4rec {
inline namespace GRU4REC_ABI {

/// Base of all exceptions that gru4rec throws: `catch (const gru4rec::Error&)` catches every one of them.
///
/// It does not derive from std::exception itself. The types below do, through the standard type that fits them, so
/// `catch (const std::exception&)` and `catch (const std::invalid_argument&)` work as well.
class Error {
  public:
    /// One line of text.
    [[nodiscard]] virtual const char* what() const noexcept = 0;

  protected:
    /// @{
    /// For the exception types below only.
    Error() = default;
    Error(const Error&) = default;
    Error& operator=(const Error&) = default;
    ~Error() = default;
    /// @}
};

namespace detail {

/// A standard exception that is an Error too.
template <class Standard>
class ErrorAs : public Standard, public Error {
  public:
    using Standard::Standard;

    [[nodiscard]] const char* what() const noexcept override { return Standard::what(); }
};

}  // namespace detail

/// A hyper-parameter, option or argument is invalid. The text names it, its value and what is allowed.
class ConfigError : public detail::ErrorAs<std::invalid_argument> {
  public:
    using ErrorAs::ErrorAs;
};

/// The calling program broke a precondition, such as an item index out of range. Nothing was read or written.
class ContractError : public detail::ErrorAs<std::logic_error> {
  public:
    using ErrorAs::ErrorAs;
};

/// The content of a file is malformed. The text names the file and the line or field, what was expected and what was
/// found.
class FormatError : public detail::ErrorAs<std::runtime_error> {
  public:
    using ErrorAs::ErrorAs;
};

/// A file could not be opened, read or written.
class IoError : public detail::ErrorAs<std::runtime_error> {
  public:
    using ErrorAs::ErrorAs;
};

/// A value that must be finite is not. In training the text names epoch, step and the likely setting.
class NonFiniteError : public detail::ErrorAs<std::runtime_error> {
  public:
    using ErrorAs::ErrorAs;
};

namespace detail {

/// Throws, or without exceptions prints the message and aborts. The message is made printable: a line break would split
/// it, and a NUL would cut what() short.
template <class Exception>
[[noreturn]] GRU4REC_COLD inline void raise(const std::string& message) {
#if defined(__cpp_exceptions)
    throw Exception(printable(message));
#else
    std::fputs((printable(message) + "\n").c_str(), stderr);
    std::abort();
#endif
}

/// A value for a message. Numbers in the shortest form that reads back as the same value, in any locale.
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

/// throw_invalid with the value as text: compiled once, not once for each type.
[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_invalid_text(std::string_view name, std::string_view value,
                                                                 std::string_view allowed);

/// `gru4rec: sample_alpha = 1.7, must satisfy 0 <= sample_alpha <= 1`
template <class Value>
[[noreturn]] GRU4REC_COLD void throw_invalid(std::string_view name, const Value& value, std::string_view allowed) {
    throw_invalid_text(name, text_of(value), allowed);
}

[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_invalid(const std::string& message);

/// For GRU4REC_REQUIRE.
[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_contract(std::string_view message);

/// @param place  a path, `path:line` or `path: field`
[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_format(std::string_view place, std::string_view problem);

[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_io(std::string_view path, std::string_view problem);

[[noreturn]] GRU4REC_COLD GRU4REC_INLINE void throw_not_finite(const std::string& message);

#if GRU4REC_DEFINITIONS

GRU4REC_INLINE void throw_invalid_text(std::string_view name, std::string_view value, std::string_view allowed) {
    raise<ConfigError>("gru4rec: " + std::string(name) + " = " + std::string(value) + ", must satisfy " +
                       std::string(allowed));
}

GRU4REC_INLINE void throw_invalid(const std::string& message) { raise<ConfigError>("gru4rec: " + message); }

GRU4REC_INLINE void throw_contract(std::string_view message) {
    raise<ContractError>("gru4rec: " + std::string(message));
}

GRU4REC_INLINE void throw_format(std::string_view place, std::string_view problem) {
    raise<FormatError>(std::string(place) + ": " + std::string(problem));
}

GRU4REC_INLINE void throw_io(std::string_view path, std::string_view problem) {
    raise<IoError>(std::string(path) + ": " + std::string(problem));
}

GRU4REC_INLINE void throw_not_finite(const std::string& message) { raise<NonFiniteError>(message); }

#endif

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
