#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/safetensors.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "model.hpp"
#include "parameters.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

using Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

[[nodiscard]] gru4rec::TensorView<const float> view_of(const std::string& name, const Array& array) {
    if (array.ndim() < 1 || array.ndim() > 2) {
        gru4rec::detail::throw_invalid("tensor " + gru4rec::detail::quote(name) + " has " +
                                       std::to_string(array.ndim()) + " dimensions; expected one or two");
    }
    const auto rows = static_cast<gru4rec::Index>(array.shape(0));
    const auto cols = array.ndim() == 1 ? gru4rec::Index{1} : static_cast<gru4rec::Index>(array.shape(1));
    return {.name = name,
            .rows = rows,
            .cols = cols,
            .is_vector = array.ndim() == 1,
            .data = array.data(),
            .row_stride = cols,
            .col_stride = 1};
}

template <class Values, class ToText>
[[nodiscard]] std::string tab_separated(const Values& values, const ToText& to_text) {
    std::string text;
    for (const auto& value : values) {
        text += (text.empty() ? "" : "\t") + to_text(value);
    }
    return text;
}

/// Makes a model from the weights of another program, by way of a file, so that there is only one import.
///
/// @param path      of the file, which the caller removes
/// @param supports  empty: 1 for every item
/// @returns the model, and what was assumed of it
[[nodiscard]] nb::tuple import_tensors(const std::filesystem::path& path, const nb::dict& tensors,
                                       const nb::list& items, const std::vector<std::int64_t>& supports,
                                       const ParameterTexts& parameters) {
    std::vector<Array> arrays;  // copies of those that were not contiguous
    std::vector<gru4rec::detail::TensorSource> sources;
    for (const auto& [key, tensor] : tensors) {
        std::string name;
        if (!nb::try_cast(key, name)) {
            gru4rec::detail::throw_invalid(std::string("a key of the state dict is of type ") +
                                           Py_TYPE(key.ptr())->tp_name +
                                           "; expected the names of the tensors, such as Wy.weight");
        }
        arrays.emplace_back();
        if (!nb::try_cast(tensor, arrays.back())) {
            gru4rec::detail::throw_invalid("tensor " + gru4rec::detail::quote(name) +
                                           ": expected an array of float32, found " + Py_TYPE(tensor.ptr())->tp_name);
        }
        sources.emplace_back(view_of(name, arrays.back()));
    }
    gru4rec::detail::Metadata metadata;
    metadata["items"] = tab_separated(items, [](nb::handle id) {
        if (is_missing(id)) {
            gru4rec::detail::throw_invalid("items contains a missing value, " + std::string(nb::repr(id).c_str()) +
                                           "; expected an id for each row of the tensors");
        }
        std::string buffer;
        const std::string_view text = id_text(id, buffer);
        if (const std::string_view problem = gru4rec::detail::item_id_problem(text); !problem.empty()) {
            gru4rec::detail::throw_invalid(gru4rec::detail::bad_item_id(text, problem));
        }
        return std::string(text);
    });
    if (!supports.empty()) {
        metadata["supports"] =
            tab_separated(supports, [](std::int64_t support) { return gru4rec::detail::format_number(support); });
    }
    gru4rec::detail::write_safetensors(path, metadata, sources);
    gru4rec::ImportOptions options;
    options.parameters = parameters;
    gru4rec::ImportedModel<float> imported = gru4rec::import_model<float>(path, options);
    ItemIds ids = ItemIds::of(items, imported.model.items());
    return nb::make_tuple(
        nb::cast(new PythonModel(std::move(imported.model), std::move(ids)), nb::rv_policy::take_ownership),
        imported.assumptions);
}

}  // namespace

void bind_state_dict(nb::module_& module) {
    module.def("import_tensors", &import_tensors, "path"_a, "tensors"_a, "items"_a, "supports"_a, "parameters"_a,
               nb::sig("def import_tensors(path: str | os.PathLike[str], tensors: dict[str, typing.Any], items: "
                       "list[typing.Any], supports: collections.abc.Sequence[int], parameters: "
                       "collections.abc.Sequence[tuple[str, str]]) -> tuple[Model, list[str]]"));
}

}  // namespace gru4rec_python
