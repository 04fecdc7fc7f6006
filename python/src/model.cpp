#include "model.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/io/file_format.hpp"
#include "gru4rec/io/import_model.hpp"
#include "gru4rec/io/model_file.hpp"

#include <nanobind/ndarray.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "bindings.hpp"
#include "dataset.hpp"
#include "interpreter_lock.hpp"
#include "parameters.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

using WeightsView = nb::ndarray<nb::numpy, const float>;
using WeightsArray = nb::ndarray<const float, nb::device::cpu>;
using Tensor = gru4rec::TensorView<float>;

[[nodiscard]] PythonModel* make_model(const ParameterTexts& parameters, const PythonDataset& train,
                                      std::uint64_t seed) {
    return new PythonModel(Model(train.data, parse_parameters(parameters), seed), train.ids);
}

[[nodiscard]] ItemIds ids_of(const gru4rec::ItemMap& items, std::string_view kind) {
    if (kind == "str") {
        return ItemIds(IdKind::text);
    }
    if (kind != "int") {
        gru4rec::detail::throw_invalid("item_type = " + gru4rec::detail::quote(kind) + ", expected str or int");
    }
    for (gru4rec::Index i = 0; i < items.size(); ++i) {
        const std::string_view id = items.id(gru4rec::to_item(i));
        const auto number = gru4rec::detail::parse_number<std::int64_t>(id);
        if (!number || gru4rec::detail::format_number(*number) != id) {
            gru4rec::detail::throw_invalid("item_type = int: the item " + gru4rec::detail::quote(id) +
                                           " is not an integer; load with item_type = str");
        }
    }
    return ItemIds(IdKind::integer);
}

[[nodiscard]] PythonModel* load(const std::filesystem::path& path, std::string_view item_type) {
    const auto read = [&] {
        const InterpreterUnlocked released;
        return gru4rec::load_model<float>(path);
    };
    Model model = read();
    ItemIds ids = ids_of(model.items(), item_type);
    return new PythonModel(std::move(model), std::move(ids));
}

/// A model with the items of newer data appended and their supports added.
[[nodiscard]] PythonModel* extended(const PythonModel& old, const PythonDataset& data, const ParameterTexts& parameters,
                                    std::uint64_t seed) {
    Model model = old.model().extended(data.data.items(), data.data.supports(), seed);
    model.set_hyperparameters(parse_parameters(parameters));
    ItemIds ids = old.ids().extended(old.model().items(), model.items(), data.data.items(), data.ids);
    return new PythonModel(std::move(model), std::move(ids));
}

/// The weights, under the names of the model file: views that keep the model alive.
[[nodiscard]] nb::dict weights(nb::handle_t<PythonModel> self) {
    nb::dict result;
    for (const gru4rec::TensorView<const float>& tensor :
         std::as_const(nb::cast<PythonModel&>(self).model()).tensors()) {
        const std::array<std::size_t, 2> shape{static_cast<std::size_t>(tensor.rows),
                                               static_cast<std::size_t>(tensor.cols)};
        const std::array<std::int64_t, 2> strides{tensor.row_stride, tensor.col_stride};
        result[tensor.name.c_str()] =
            WeightsView(tensor.data, tensor.is_vector ? 1 : 2, shape.data(), self, strides.data());
    }
    return result;
}

[[nodiscard]] std::string shape_text(const WeightsArray& array) {
    std::string text = "(";
    for (std::size_t i = 0; i < array.ndim(); ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(array.shape(i));
    }
    return text + ")";
}

void fill(const Tensor& tensor, const WeightsArray& array) {
    const std::size_t n_dimensions = tensor.is_vector ? 1 : 2;
    if (array.ndim() != n_dimensions || array.shape(0) != static_cast<std::size_t>(tensor.rows) ||
        (!tensor.is_vector && array.shape(1) != static_cast<std::size_t>(tensor.cols))) {
        gru4rec::detail::throw_invalid(
            "tensor " + gru4rec::detail::quote(tensor.name) + ": expected the shape (" + std::to_string(tensor.rows) +
            (tensor.is_vector ? "" : ", " + std::to_string(tensor.cols)) + "), found " + shape_text(array));
    }
    for (gru4rec::Index r = 0; r < tensor.rows; ++r) {
        for (gru4rec::Index c = 0; c < tensor.cols; ++c) {
            tensor(r, c) = array.data()[r * array.stride(0) + (tensor.is_vector ? 0 : c * array.stride(1))];
        }
    }
}

/// Makes a model from what parts() returned.
///
/// @param ids  a list of the ids, or their IdKind as an integer
[[nodiscard]] PythonModel* restore(const ParameterTexts& parameters, const std::vector<std::string>& items,
                                   const std::vector<std::int64_t>& supports, const nb::dict& tensors,
                                   const nb::object& ids) {
    gru4rec::ItemMap item_map;
    for (const std::string& item : items) {
        item_map.insert(item);
    }
    Model model = Model::zeros(parse_parameters(parameters), std::move(item_map), supports);
    const std::vector<Tensor> views = model.tensors();
    for (const Tensor& tensor : views) {
        const nb::handle values = PyDict_GetItemString(tensors.ptr(), tensor.name.c_str());
        if (!values.is_valid()) {
            gru4rec::detail::throw_invalid("tensor " + gru4rec::detail::quote(tensor.name) + " is missing");
        }
        WeightsArray array;
        if (!nb::try_cast(values, array)) {
            gru4rec::detail::throw_invalid("tensor " + gru4rec::detail::quote(tensor.name) +
                                           ": expected an array of float32, found " + Py_TYPE(values.ptr())->tp_name);
        }
        fill(tensor, array);
    }
    if (nb::isinstance<nb::list>(ids)) {
        if (static_cast<gru4rec::Index>(nb::len(ids)) != model.n_items()) {
            gru4rec::detail::throw_invalid("there are " + std::to_string(nb::len(ids)) + " ids for " +
                                           std::to_string(model.n_items()) + " items; expected one for each");
        }
        return new PythonModel(std::move(model), ItemIds(nb::list(ids)));
    }
    int kind = -1;
    if (!nb::try_cast(ids, kind) || kind < static_cast<int>(IdKind::text) || kind >= static_cast<int>(IdKind::object)) {
        gru4rec::detail::throw_invalid(
            "the kind of the item ids is unknown; the model was pickled by another version of gru4rec, which can save "
            "it");
    }
    return new PythonModel(std::move(model), ItemIds(static_cast<IdKind>(kind)));
}

[[nodiscard]] std::vector<std::string> item_texts(const Model& model) {
    std::vector<std::string> texts;
    for (gru4rec::Index i = 0; i < model.n_items(); ++i) {
        texts.emplace_back(model.items().id(gru4rec::to_item(i)));
    }
    return texts;
}

/// The arguments of restore(), for pickling.
[[nodiscard]] nb::tuple parts(nb::handle_t<PythonModel> self) {
    const PythonModel& model = nb::cast<PythonModel&>(self);
    const nb::object ids = model.ids().kind() == IdKind::object ? nb::object(model.ids().list(model.model().items()))
                                                                : nb::cast(static_cast<int>(model.ids().kind()));
    const auto supports = model.model().supports();
    return nb::make_tuple(model.model().hyperparameters().entries(), item_texts(model.model()),
                          std::vector<std::int64_t>(supports.begin(), supports.end()), weights(self), ids);
}

}  // namespace

void bind_model(nb::module_& module) {
#define GRU4REC_PATH "str | os.PathLike[str]"
    nb::class_<PythonModel>(module, "Model", "A network with its items and parameters.")
        .def(nb::new_(&make_model), "parameters"_a, "train"_a, "seed"_a)
        .def_static("load", &load, "path"_a, "item_type"_a,
                    nb::sig("def load(path: " GRU4REC_PATH ", item_type: str) -> Model"))
        .def(
            "save",
            [](const PythonModel& self, const std::filesystem::path& path) { gru4rec::save_model(self.model(), path); },
            "path"_a, nb::call_guard<InterpreterUnlocked>(), nb::sig("def save(self, path: " GRU4REC_PATH ") -> None"))
        .def("extended", &extended, "data"_a, "parameters"_a, "seed"_a)
        .def("weights", &weights, nb::sig("def weights(self) -> dict[str, typing.Any]"))
        .def("parts", &parts, nb::sig("def parts(self) -> tuple[typing.Any, ...]"))
        .def(
            "items", [](const PythonModel& self) { return self.ids().list(self.model().items()); },
            nb::sig("def items(self) -> list[typing.Any]"))
        .def("supports",
             [](const PythonModel& self) {
                 return std::vector<std::int64_t>(self.model().supports().begin(), self.model().supports().end());
             })
        .def("parameters", [](const PythonModel& self) { return self.model().hyperparameters().entries(); })
        .def_prop_ro("n_items", [](const PythonModel& self) { return self.model().n_items(); });
    module.def("restore_model", &restore, "parameters"_a, "items"_a, "supports"_a, "tensors"_a, "ids"_a,
               nb::sig("def restore_model(parameters: collections.abc.Sequence[tuple[str, str]], items: "
                       "collections.abc.Sequence[str], supports: collections.abc.Sequence[int], tensors: dict[str, "
                       "typing.Any], ids: typing.Any) -> Model"));
    module.def("stored_dtype", &gru4rec::stored_dtype, "path"_a,
               nb::sig("def stored_dtype(path: " GRU4REC_PATH ") -> str"));
    module.def("has_content_hash", &gru4rec::has_content_hash, "path"_a,
               nb::sig("def has_content_hash(path: " GRU4REC_PATH ") -> bool"));
#undef GRU4REC_PATH
}

}  // namespace gru4rec_python
