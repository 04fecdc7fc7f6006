#include "columns.hpp"

#include "gru4rec/core/error.hpp"

#include <datetime.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "number_column.hpp"

namespace nb = nanobind;

namespace gru4rec_python {

namespace {

using gru4rec::detail::EventTime;

/// The exact time of a datetime, a subclass's of nanoseconds included. One without a zone is in UTC, as in files; its
/// timestamp() would take it to be in the machine's zone, where the hour that clocks skip in spring comes after the
/// next one.
[[nodiscard]] EventTime time_of_datetime(nb::handle date) {
    PyObject* const zone = date.attr("tzinfo").is_none() ? Py_None : PyDateTimeAPI->TimeZone_UTC;
    const nb::object epoch =
        nb::steal(PyDateTimeAPI->DateTime_FromDateAndTime(1970, 1, 1, 0, 0, 0, 0, zone, PyDateTimeAPI->DateTimeType));
    if (!epoch.is_valid()) {
        throw nb::python_error();
    }
    // That of the base class: a subclass may return something else than a timedelta.
    const nb::object since = nb::steal(PyDateTimeAPI->DateTimeType->tp_as_number->nb_subtract(date.ptr(), epoch.ptr()));
    if (!since.is_valid()) {
        throw nb::python_error();
    }
    int nanoseconds = 1000 * PyDateTime_DELTA_GET_MICROSECONDS(since.ptr());
    if (PyDateTime_CheckExact(date.ptr()) == 0 && nb::hasattr(date, "nanosecond")) {  // pandas.Timestamp: 0 to 999
        nanoseconds += nb::cast<int>(date.attr("nanosecond"));
    }
    return {std::int64_t{86400} * PyDateTime_DELTA_GET_DAYS(since.ptr()) + PyDateTime_DELTA_GET_SECONDS(since.ptr()),
            static_cast<std::uint32_t>(nanoseconds)};
}

/// Whether a value is a datetime with a year that fits; pandas has timestamps of later years, too.
[[nodiscard]] bool is_datetime(nb::handle value) {
    if (PyDateTimeAPI == nullptr) {
        PyDateTime_IMPORT;
    }
    return PyDateTime_CheckExact(value.ptr()) != 0 ||
           (PyDateTime_Check(value.ptr()) != 0 && value.attr("year").equal(nb::int_(PyDateTime_GET_YEAR(value.ptr()))));
}

[[nodiscard]] std::optional<EventTime> time_of_float(nb::handle number) {
    const double seconds = PyFloat_AsDouble(number.ptr());
    if (seconds == -1 && PyErr_Occurred() != nullptr) {
        throw nb::python_error();
    }
    return gru4rec::detail::to_event_time(seconds);
}

[[nodiscard]] std::optional<EventTime> time_of_integer(nb::handle number) {
    int overflow = 0;
    const long long whole = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    if (whole == -1 && PyErr_Occurred() != nullptr) {
        throw nb::python_error();
    }
    return overflow == 0 ? std::optional(EventTime{whole, 0}) : std::nullopt;
}

/// The time of a Decimal or a Fraction, to the nearest 1e-9.
[[nodiscard]] std::optional<EventTime> time_of_exact_number(nb::handle number) {
    constexpr std::uint32_t per_unit = 1'000'000'000;
    const nb::object whole = number.attr("__floor__")();
    std::optional<EventTime> time = time_of_integer(whole);
    if (time) {
        const double fraction = nb::cast<double>(nb::float_(nb::borrow(number) - whole));
        time->nanoseconds = std::min(static_cast<std::uint32_t>(std::round(fraction * per_unit)), per_unit - 1);
    }
    return time;
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
        if (PyIndex_Check(value.ptr()) != 0) {
            return time_of_integer(value);
        }
        if (is_datetime(value)) {
            return time_of_datetime(value);
        }
        if (times_are(row) == TimesAre::dates) {
            return time_of_float(value.attr("timestamp")());
        }
        // The text of a numpy.datetime64 is a date; as a number it is of any unit, or none.
        if (PyUnicode_Check(value.ptr()) != 0 || !nb::hasattr(value, "__float__") ||
            std::string_view(Py_TYPE(value.ptr())->tp_name) == "numpy.datetime64") {
            return std::nullopt;
        }
        return PyFloat_Check(value.ptr()) == 0 && nb::hasattr(value, "__floor__") ? time_of_exact_number(value)
                                                                                  : time_of_float(value);
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
