#ifndef GRU4REC_MODEL_PARAMETER_TEXT_HPP
#define GRU4REC_MODEL_PARAMETER_TEXT_HPP

#include "gru4rec/core/text.hpp"
#include "gru4rec/model/choices.hpp"
#include "gru4rec/nn/activation.hpp"
#include "gru4rec/version.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The types of hyper-parameters as text: field_text() writes a value; read_field() reads one, or returns false and may
// have changed the field; expected_text() says which texts are valid.
namespace gru4rec {
inline namespace GRU4REC_ABI {
namespace detail {

[[nodiscard]] inline std::string field_text(int value) { return format_number(value); }
[[nodiscard]] inline std::string field_text(double value) { return format_number(value); }
[[nodiscard]] inline std::string field_text(bool value) { return value ? "true" : "false"; }
[[nodiscard]] inline std::string field_text(std::string_view value) { return std::string(value); }
[[nodiscard]] inline std::string field_text(const Activation& value) { return to_string(value); }

template <NamedChoice Enum>
[[nodiscard]] std::string field_text(Enum value) {
    return std::string(name_of(value));
}

template <class Value>
[[nodiscard]] std::string field_text(const std::optional<Value>& value) {
    return value ? field_text(*value) : std::string();
}

template <class Value>
[[nodiscard]] std::string field_text(const std::vector<Value>& values) {
    std::string text;
    for (const Value& value : values) {
        text += (text.empty() ? "" : "/") + field_text(value);
    }
    return text;
}

[[nodiscard]] inline bool read_field(std::string_view text, int& field) {
    const auto value = parse_number<int>(text);
    return value && (field = *value, true);
}
[[nodiscard]] inline bool read_field(std::string_view text, double& field) {
    const auto value = parse_number<double>(text);
    return value && (field = *value, true);
}
[[nodiscard]] inline bool read_field(std::string_view text, bool& field) {
    field = text == "true" || text == "True" || text == "1";  // True and False are Python's
    return field || text == "false" || text == "False" || text == "0";
}
[[nodiscard]] inline bool read_field(std::string_view text, Activation& field) {
    const auto value = parse_activation(text);
    return value && (field = *value, true);
}

template <NamedChoice Enum>
[[nodiscard]] bool read_field(std::string_view text, Enum& field) {
    const auto choices = choices_of(field);
    const auto found =
        std::find_if(choices.begin(), choices.end(), [&](const Choice<Enum>& choice) { return choice.name == text; });
    return found != choices.end() && (field = found->value, true);
}

template <class Value>
[[nodiscard]] bool read_field(std::string_view text, std::optional<Value>& field) {
    return read_field(text, field.emplace());
}

template <class Value>
[[nodiscard]] bool read_field(std::string_view text, std::vector<Value>& field) {
    field.clear();
    for (const std::string_view part : split(text, '/')) {
        if (!read_field(part, field.emplace_back())) {
            return false;
        }
    }
    return true;
}

[[nodiscard]] inline std::string expected_text(int) { return "a 32-bit integer"; }
[[nodiscard]] inline std::string expected_text(double) { return "a finite number"; }
[[nodiscard]] inline std::string expected_text(bool) { return "true, false, 1 or 0"; }
[[nodiscard]] inline std::string expected_text(const std::vector<int>&) { return "32-bit integers, a/b/c"; }
[[nodiscard]] inline std::string expected_text(const std::vector<double>&) { return "finite numbers, a/b"; }
[[nodiscard]] inline std::string expected_text(const Activation&) {
    return "linear, relu, tanh, leaky-a, elu-a or selu-l-a with a >= 0, l > 0";
}
template <NamedChoice Enum>
[[nodiscard]] std::string expected_text(Enum) {
    return joined_names<Enum>(" or ");
}
template <class Value>
[[nodiscard]] std::string expected_text(const std::optional<Value>&) {
    return expected_text(Value{});
}

}  // namespace detail
}  // namespace GRU4REC_ABI
}  // namespace gru4rec

#endif
