#include "columns.hpp"

#include "gru4rec/core/error.hpp"

#include <nanobind/ndarray.h>

#include <cstdint>

#include "number_column.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace gru4rec_python {

namespace {

/// The time of a datetime. One without a zone is in UTC, as in files; its timestamp() would take it to be in the
/// machine's zone, where the hour that clocks skip in spring comes after the next one.
[[nodiscard]] double seconds_of(nb::handle datetime) {
    nb::object date = nb::borrow(datetime);
    if (nb::hasattr(date, "tzinfo") && date.attr("tzinfo").is_none()) {
        const nb::object utc = nb::module_::import_("datetime").attr("timezone").attr("utc");
        date = date.attr("replace")("tzinfo"_a = utc);
    }
    return nb::cast<double>(date.attr("timestamp")());
}

class ObjectColumn final : public Column {
  public:
    /// @param sequence  a list or tuple
    explicit ObjectColumn(nb::handle sequence)
        : sequence_(nb::borrow(sequence)), size_(PySequence_Fast_GET_SIZE(sequence.ptr())) {}

    [[nodiscard]] gru4rec::Index size() const noexcept override { return size_; }
    [[nodiscard]] bool is_missing(gru4rec::Index row) const override { return gru4rec_python::is_missing(object(row)); }
    [[nodiscard]] std::string_view text(gru4rec::Index row, std::string& buffer) const override {
        return id_text(object(row), buffer);
    }
    [[nodiscard]] std::optional<gru4rec::detail::EventTime> time(gru4rec::Index row) const override {
        const nb::handle value = object(row);
        if (PyLong_Check(value.ptr()) != 0) {
            int overflow = 0;
            const long long number = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
            return overflow == 0 ? std::optional(gru4rec::detail::EventTime{number, 0}) : std::nullopt;
        }
        if (times_are(row) == TimesAre::dates) {
            return gru4rec::detail::to_event_time(seconds_of(value));
        }
        // The text of a numpy.datetime64 is a date; as a number it is of any unit, or none.
        if (PyUnicode_Check(value.ptr()) != 0 || !nb::hasattr(value, "__float__") ||
            std::string_view(Py_TYPE(value.ptr())->tp_name) == "numpy.datetime64") {
            return std::nullopt;
        }
        return gru4rec::detail::to_event_time(nb::cast<double>(nb::float_(value)));
    }
    [[nodiscard]] TimesAre times_are(gru4rec::Index row) const override {
        return nb::hasattr(object(row), "timestamp") ? TimesAre::dates : TimesAre::numbers;  // a datetime
    }
    [[nodiscard]] IdKind kind() const noexcept override { return IdKind::object; }
    /// The size is that of construction: a list that another thread has shortened since would be read beyond its end.
    [[nodiscard]] nb::handle object(gru4rec::Index row) const override {
        if (row >= PySequence_Fast_GET_SIZE(sequence_.ptr())) {
            gru4rec::detail::throw_invalid(
                "a list became shorter while it was read; let other threads change it only before or after");
        }
        return PySequence_Fast_GET_ITEM(sequence_.ptr(), row);
    }

  private:
    nb::object sequence_;
    gru4rec::Index size_;
};

using Array = nb::ndarray<nb::ro, nb::device::cpu>;

template <class Number>
[[nodiscard]] std::unique_ptr<Column> numbers_of(const Array& array) {
    return std::make_unique<NumberColumn<Number>>(array.data(), static_cast<gru4rec::Index>(array.shape(0)),
                                                  array.stride(0) * static_cast<gru4rec::Index>(sizeof(Number)));
}

[[nodiscard]] std::unique_ptr<Column> numbers_of(const Array& array, std::string_view name) {
    const nb::dlpack::dtype type = array.dtype();
    if (type == nb::dtype<std::int64_t>()) {
        return numbers_of<std::int64_t>(array);
    }
    if (type == nb::dtype<std::int32_t>()) {
        return numbers_of<std::int32_t>(array);
    }
    if (type == nb::dtype<std::uint64_t>()) {
        return numbers_of<std::uint64_t>(array);
    }
    if (type == nb::dtype<std::uint32_t>()) {
        return numbers_of<std::uint32_t>(array);
    }
    if (type == nb::dtype<double>()) {
        return numbers_of<double>(array);
    }
    gru4rec::detail::throw_invalid("column " + gru4rec::detail::quote(name) +
                                   ": expected integers of 32 or 64 bits, double, or a list of objects");
}

}  // namespace

std::unique_ptr<Column> column_of(nb::handle values, std::string_view name) {
    if (PyList_Check(values.ptr()) != 0 || PyTuple_Check(values.ptr()) != 0) {
        return std::make_unique<ObjectColumn>(values);
    }
    Array array;
    if (!nb::try_cast(values, array) || array.ndim() != 1) {
        gru4rec::detail::throw_invalid("column " + gru4rec::detail::quote(name) +
                                       ": expected a one-dimensional array of numbers or a list");
    }
    return numbers_of(array, name);
}

}  // namespace gru4rec_python
