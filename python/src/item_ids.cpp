#include "item_ids.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"
#include "gru4rec/core/types.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

namespace nb = nanobind;

namespace gru4rec_python {

namespace {

[[nodiscard]] std::string_view text_of(PyObject* string) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(string, &size);
    if (text == nullptr) {
        throw nb::python_error();
    }
    return {text, static_cast<std::size_t>(size)};
}

[[nodiscard]] bool is_integer(PyObject* id) noexcept { return PyIndex_Check(id) != 0 && PyBool_Check(id) == 0; }

/// Whether an id is a float or a NumPy floating-point scalar.
[[nodiscard]] bool is_real(PyObject* id) noexcept {
    return PyFloat_Check(id) != 0 ||
           (Py_TYPE(id)->tp_as_number != nullptr && std::string_view(Py_TYPE(id)->tp_name).starts_with("numpy.float"));
}

/// @throws ValueError that names two different ids with the same text, or an id that equals another one with a
///         different text
[[noreturn]] void throw_alike(const nb::dict& objects, const gru4rec::ItemMap& items) {
    constexpr const char* rule =
        "item ids must differ if and only if their str() does, unlike 1 and '1', which have the same, or 1 and True, "
        "which are equal";
    std::string buffer;
    std::vector<nb::handle> by_item(static_cast<std::size_t>(items.size()));
    for (const auto& [object, _] : objects) {
        if (const auto item = items.find(id_text(object, buffer))) {
            nb::handle& first = by_item[static_cast<std::size_t>(gru4rec::to_index(*item))];
            if (first.is_valid()) {
                PyErr_Format(PyExc_ValueError, "gru4rec: the item ids %R and %R have the same str(); %s", first.ptr(),
                             object.ptr(), rule);
                throw nb::python_error();
            }
            first = object;
        }
    }
    const auto none = std::find_if(by_item.begin(), by_item.end(), [](nb::handle id) { return !id.is_valid(); });
    const std::string_view text =
        none == by_item.end() ? std::string_view() : items.id(gru4rec::to_item(none - by_item.begin()));
    gru4rec::detail::throw_invalid("the item id of the text " + gru4rec::detail::quote(text) +
                                   " equals one of another text; " + rule);
}

}  // namespace

std::string_view id_text(nb::handle id, std::string& buffer) {
    PyObject* const object = id.ptr();
    if (PyUnicode_Check(object) != 0) {
        return text_of(object);
    }
    if (is_integer(object)) {
        const nb::object number = nb::steal(PyNumber_Index(object));
        if (!number.is_valid()) {
            throw nb::python_error();
        }
        int overflow = 0;
        const long long value = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
        if (overflow == 0) {
            buffer = gru4rec::detail::format_number(static_cast<std::int64_t>(value));
        } else {
            buffer = text_of(nb::str(number).ptr());
        }
        return buffer;
    }
    if (is_real(object)) {
        buffer = gru4rec::detail::format_number(nb::cast<double>(nb::float_(id)));
        return buffer;
    }
    buffer = text_of(nb::str(id).ptr());
    return buffer;
}

IdKind kind_of(nb::handle id) noexcept {
    PyObject* const object = id.ptr();
    return PyUnicode_CheckExact(object) != 0 ? IdKind::text
           : is_integer(object)              ? IdKind::integer
           : is_real(object)                 ? IdKind::real
                                             : IdKind::object;
}

bool is_missing(nb::handle value) {
    PyObject* const object = value.ptr();
    if (object == Py_None || (PyFloat_Check(object) != 0 && std::isnan(PyFloat_AS_DOUBLE(object)))) {
        return true;
    }
    if (PyUnicode_Check(object) != 0 || PyLong_Check(object) != 0) {
        return false;
    }
    if (std::string_view(Py_TYPE(object)->tp_name).ends_with("NAType")) {
        return true;  // it compares as missing, not as true or false
    }
    // NaN and NaT of NumPy, pandas and decimal, which have no type in common, are the values that differ from
    // themselves.
    const nb::object differs = nb::steal(PyObject_RichCompare(object, object, Py_NE));
    const int result = differs.is_valid() ? PyObject_IsTrue(differs.ptr()) : -1;
    if (result < 0) {
        throw nb::python_error();
    }
    return result != 0;
}

void note_distinct(nb::dict& distinct, nb::handle id) {
    if (PyDict_SetDefault(distinct.ptr(), id.ptr(), Py_None) == nullptr) {
        throw nb::python_error();
    }
}

void require_texts(const nb::dict& objects, const gru4rec::ItemMap& items) {
    std::string buffer;
    gru4rec::Index item = 0;
    bool same = static_cast<gru4rec::Index>(objects.size()) == items.size();
    for (const auto& [object, _] : objects) {
        same = same && id_text(object, buffer) == items.id(gru4rec::to_item(item++));
    }
    if (!same) {
        throw_alike(objects, items);
    }
}

ItemIds ItemIds::of(const nb::list& objects, const gru4rec::ItemMap& items) {
    std::optional<IdKind> kind;
    for (const nb::handle id : objects) {
        const IdKind own = kind_of(id);
        kind = kind && *kind != own ? IdKind::object : own;
    }
    if (kind != IdKind::object) {
        return ItemIds(kind.value_or(IdKind::text));
    }
    nb::dict distinct;
    for (const nb::handle id : objects) {
        note_distinct(distinct, id);
    }
    require_texts(distinct, items);
    return ItemIds(nb::list(objects));
}

nb::object ItemIds::id(const gru4rec::ItemMap& items, gru4rec::Index item) const {
    if (kind_ == IdKind::object) {
        return nb::borrow(PyList_GET_ITEM(objects_.ptr(), item));
    }
    const std::string_view text = items.id(gru4rec::to_item(item));
    PyObject* id = nullptr;
    if (kind_ == IdKind::text) {
        id = PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
    } else if (kind_ == IdKind::integer) {
        const auto number = gru4rec::detail::parse_number<std::int64_t>(text);
        id = number ? PyLong_FromLongLong(*number) : PyLong_FromString(std::string(text).c_str(), nullptr, 10);
    } else {
        id = PyFloat_FromDouble(gru4rec::detail::parse_number<double>(text).value_or(std::nan("")));
    }
    if (id == nullptr) {
        throw nb::python_error();
    }
    return nb::steal(id);
}

nb::list ItemIds::list(const gru4rec::ItemMap& items, gru4rec::Index begin) const {
    nb::list ids;
    for (gru4rec::Index item = begin; item < items.size(); ++item) {
        ids.append(id(items, item));
    }
    return ids;
}

ItemIds ItemIds::extended(const gru4rec::ItemMap& old, const gru4rec::ItemMap& all, const gru4rec::ItemMap& more,
                          const ItemIds& added) const {
    if (all.size() == old.size() || (kind_ == added.kind_ && kind_ != IdKind::object)) {
        return *this;
    }
    nb::list ids = list(old);
    for (gru4rec::Index item = old.size(); item < all.size(); ++item) {
        ids.append(added.id(more, to_index(*more.find(all.id(gru4rec::to_item(item))))));
    }
    return of(ids, all);
}

}  // namespace gru4rec_python
