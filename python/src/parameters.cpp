#include "parameters.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>

#include "bindings.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

gru4rec::Hyperparameters parse_parameters(const ParameterTexts& texts) {
    gru4rec::Hyperparameters parameters;
    for (const auto& [name, value] : texts) {
        parameters.set(name, value);
    }
    parameters.validate();
    return parameters;
}

void bind_parameters(nb::module_& module) {
    module.def(
        "describe_parameters",
        [] {
            std::vector<std::tuple<std::string, std::string, std::string>> rows;
            for (const gru4rec::ParameterDescription& row : gru4rec::Hyperparameters::describe()) {
                rows.emplace_back(row.name, row.default_value, row.range);
            }
            return rows;
        },
        "Name, default and range of every parameter, in words.");
    module.def(
        "default_parameters", [] { return gru4rec::Hyperparameters().entries(); },
        "Names and default values as text, without parameters that are unset by default.");
    module.def(
        "check_parameters", [](const ParameterTexts& texts) { static_cast<void>(parse_parameters(texts)); }, "texts"_a,
        "Raises ValueError for an unknown name, a bad value, or values that do not go together.");
}

}  // namespace gru4rec_python
