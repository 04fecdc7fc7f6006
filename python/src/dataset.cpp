#include "dataset.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/data/files.hpp"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow.hpp"
#include "bindings.hpp"
#include "events_in_memory.hpp"
#include "interpreter_lock.hpp"
#include "model.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

[[nodiscard]] gru4rec::TimeUnit parse_unit(std::string_view name) {
    for (const auto& [text, unit] : gru4rec::time_unit_names) {
        if (text == name) {
            return unit;
        }
    }
    gru4rec::detail::throw_invalid("time_unit = " + gru4rec::detail::quote(name) +
                                   ", expected auto, s, ms, us, ns, number or none");
}

[[nodiscard]] gru4rec::ReadOptions read_options(const std::string& session_key, const std::string& item_key,
                                                const std::string& time_key, const std::string& time_unit) {
    gru4rec::ReadOptions options;
    options.columns.session_key = session_key;
    options.columns.item_key = item_key;
    options.columns.time_key = time_key;
    options.layout.time_unit = parse_unit(time_unit);
    return options;
}

[[nodiscard]] const gru4rec::ItemMap* items_of(const PythonModel* model) noexcept {
    return model == nullptr ? nullptr : &model->model().items();
}

[[nodiscard]] PythonDataset read_files(const std::vector<std::filesystem::path>& paths, const std::string& session_key,
                                       const std::string& item_key, const std::string& time_key,
                                       const std::string& time_unit, const PythonModel* model) {
    const InterpreterUnlocked released;
    gru4rec::ReadReport report;
    gru4rec::ReadOptions options = read_options(session_key, item_key, time_key, time_unit);
    options.known_items = items_of(model);
    options.report = &report;
    PythonDataset result{.data = gru4rec::read_sessions(std::span<const std::filesystem::path>(paths), options),
                         .ids = {},
                         .notes = report.notes,
                         .warnings = {}};
    if (report.n_skipped > 0) {
        result.warnings.push_back(skipped_rows(report.n_skipped, report.first_skipped));
    }
    return result;
}

[[nodiscard]] PythonDataset read_arrow(nb::handle capsule, const std::string& session_key, const std::string& item_key,
                                       const std::string& time_key, const std::string& time_unit,
                                       const PythonModel* model) {
    ArrowBatches batches(capsule);
    std::vector<std::string> notes;
    const gru4rec::ReadOptions options = read_options(session_key, item_key, time_key, time_unit);
    const ColumnPlaces places = find_columns(batches.names(), options, notes);
    EventsInMemory events(items_of(model), options.layout.time_unit);
    std::array<std::unique_ptr<Column>, 3> columns;
    gru4rec::Index n_rows = 0;
    while (batches.next(places, columns, n_rows)) {
        events.append(columns, n_rows);
    }
    PythonDataset result = std::move(events).take();
    result.notes = std::move(notes);
    return result;
}

[[nodiscard]] PythonDataset read_columns(nb::handle sessions, nb::handle items, nb::handle times,
                                         const std::string& time_unit, const PythonModel* model) {
    std::array<std::unique_ptr<Column>, 3> columns;
    columns[0] = sessions.is_none() ? nullptr : column_of(sessions, "sessions");
    columns[1] = column_of(items, "items");
    columns[2] = times.is_none() ? nullptr : column_of(times, "times");
    EventsInMemory events(items_of(model), parse_unit(time_unit));
    events.append(columns, columns[1]->size());
    return std::move(events).take();
}

}  // namespace

void bind_dataset(nb::module_& module) {
    nb::class_<PythonDataset>(module, "Dataset", "Sessions of items, read by one of the functions below.")
        .def_prop_ro("n_sessions", [](const PythonDataset& self) { return self.data.n_sessions(); })
        .def_prop_ro("n_events", [](const PythonDataset& self) { return self.data.n_events(); })
        .def_prop_ro("n_items", [](const PythonDataset& self) { return self.data.n_items(); })
        .def_prop_ro("n_pairs", [](const PythonDataset& self) { return self.data.n_pairs(); })
        .def_prop_ro("n_unknown_events", [](const PythonDataset& self) { return self.data.n_unknown_events(); })
        .def_ro("notes", &PythonDataset::notes)
        .def_ro("warnings", &PythonDataset::warnings);

    module.def("read_files", &read_files, "paths"_a, "session_key"_a, "item_key"_a, "time_key"_a, "time_unit"_a,
               "model"_a = nb::none(),
               nb::sig("def read_files(paths: collections.abc.Sequence[str | os.PathLike[str]], session_key: str, "
                       "item_key: str, time_key: str, time_unit: str, model: Model | None = None) -> Dataset"),
               "Reads tables as the program does. With a model, events of items that it does not know are left out.");
    module.def("read_arrow", &read_arrow, "stream"_a, "session_key"_a, "item_key"_a, "time_key"_a, "time_unit"_a,
               "model"_a = nb::none(), "Reads what __arrow_c_stream__ of a table returned.");
    module.def("read_columns", &read_columns, "sessions"_a.none(), "items"_a, "times"_a.none(), "time_unit"_a,
               "model"_a = nb::none(),
               "Reads arrays of numbers or lists of objects of equal length. Without sessions all events are one "
               "session, without times they are in the order of time.");
    module.def(
        "check_time_unit", [](const std::string& name) { static_cast<void>(parse_unit(name)); }, "name"_a,
        "Raises ValueError unless the name is that of a unit.");
    module.def(
        "find_columns",
        [](const std::vector<std::string>& names, const std::string& session_key, const std::string& item_key,
           const std::string& time_key, const std::string& time_unit) {
            std::vector<std::string> notes;
            const ColumnPlaces places =
                find_columns(names, read_options(session_key, item_key, time_key, time_unit), notes);
            return nb::make_tuple(places[0], places[1], places[2], notes);
        },
        "names"_a, "session_key"_a, "item_key"_a, "time_key"_a, "time_unit"_a,
        nb::sig("def find_columns(names: collections.abc.Sequence[str], session_key: str, item_key: str, time_key: "
                "str, time_unit: str) -> tuple[int, int, int, list[str]]"),
        "The places of the columns of sessions, items and times, -1 for none, and what was inferred.");
}

}  // namespace gru4rec_python
