#include "events_in_memory.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace gru4rec_python {

namespace {

[[nodiscard]] std::string row_text(gru4rec::Index row) { return "row " + std::to_string(row) + " of the table"; }

/// Throws an error of Python again, with the place before its text and the original error as the cause.
[[noreturn]] void throw_again(nb::python_error& error, const std::string& place) {
    nb::object cause = nb::borrow(error.value());
    if (!cause.is_valid() || !error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) {
        throw;  // such as KeyboardInterrupt, which has nothing to do with the row
    }
    const nb::handle type = error.matches(PyExc_TypeError) ? PyExc_TypeError : PyExc_ValueError;
    const nb::object text = nb::steal(PyUnicode_FromFormat("%s: %S", place.c_str(), cause.ptr()));
    if (!text.is_valid()) {
        throw nb::python_error();
    }
    const nb::object again = type(text);
    if (PyExceptionInstance_Check(cause.ptr()) != 0) {  // before Python 3.12 it may be only the text
        PyException_SetCause(again.ptr(), cause.release().ptr());
    }
    PyErr_SetObject(type.ptr(), again.ptr());
    throw nb::python_error();
}

}  // namespace

void EventsInMemory::append(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index n_rows) {
    constexpr std::array names{"sessions", "items", "times"};
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i] != nullptr && columns[i]->size() != n_rows) {
            gru4rec::detail::throw_invalid("the column of " + std::string(names[i]) + " has " +
                                           std::to_string(columns[i]->size()) + " rows, that of items " +
                                           std::to_string(n_rows) + "; they must be of equal length");
        }
    }
    for (gru4rec::Index row = 0; row < n_rows; ++row) {
        try {
            append_row(columns, row);
        } catch (nb::python_error& error) {
            throw_again(error, row_text(n_rows_ + row));
        }
    }
    n_rows_ += n_rows;
}

void EventsInMemory::append_row(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index row) {
    const auto& [sessions, items, times] = columns;
    if (sessions != nullptr && sessions->is_missing(row)) {
        return skip(row, "the session is missing");
    }
    if (times != nullptr && times->is_missing(row)) {
        return skip(row, "the time is missing");
    }
    if (items->is_missing(row)) {
        gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": the item is missing; leave such rows out");
    }
    const gru4rec::detail::EventTime time = times == nullptr ? gru4rec::detail::EventTime{} : read_time(*times, row);
    // Texts lie in the objects. Those are held, since a list may change while Python makes the text of another object.
    const nb::object session_object = sessions == nullptr ? nb::object() : nb::borrow(sessions->object(row));
    const std::string_view session = sessions == nullptr ? "1" : sessions->text(row, buffer_);
    const nb::object item_object = nb::borrow(items->object(row));
    const auto problem = collector_.add(session, items->text(row, item_buffer_), time);
    if (problem) {
        gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": " + problem.text);
    }
    if (!has_known_items_) {
        note_id(items->kind(), item_object);
    }
}

gru4rec::detail::EventTime EventsInMemory::read_time(const Column& times, gru4rec::Index row) {
    if (const auto time = times.time(row)) {
        if (time_unit_ != gru4rec::TimeUnit::automatic && times.times_are(row) == TimesAre::dates) {
            gru4rec::detail::throw_invalid(row_text(n_rows_ + row) +
                                           ": the time is a date, which has no unit; leave time_unit at auto");
        }
        return gru4rec::detail::to_seconds(*time, time_unit_);  // auto: only the order counts
    }
    if (!time_reader_) {
        time_format_ = time_unit_ == gru4rec::TimeUnit::automatic ? find_time_format_of(times, row)
                                                                  : gru4rec::detail::TimeFormat{.unit = time_unit_};
        time_reader_.emplace(*time_format_);
    }
    gru4rec::detail::EventTime time;
    const std::string_view text = times.text(row, buffer_);
    if (!time_reader_->read(text, time)) {
        gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": " + gru4rec::detail::bad_time(text, *time_format_));
    }
    return time;
}

gru4rec::detail::TimeFormat EventsInMemory::find_time_format_of(const Column& times, gru4rec::Index row) {
    constexpr gru4rec::Index n_first = 100;
    std::vector<std::string> texts;
    for (; row < times.size() && static_cast<gru4rec::Index>(texts.size()) < n_first; ++row) {
        if (!times.is_missing(row)) {
            texts.emplace_back(times.text(row, buffer_));
        }
    }
    return find_time_format({texts.begin(), texts.end()});
}

void EventsInMemory::note_id(IdKind kind, nb::handle object) {
    if (object.is_valid()) {
        kind = kind_of(object);
        note_distinct(objects_, object);
    }
    kind_ = kind_ && *kind_ != kind ? IdKind::object : kind;
}

void EventsInMemory::skip(gru4rec::Index row, const char* reason) {
    if (n_skipped_++ == 0) {
        first_skipped_ = row_text(n_rows_ + row) + ": " + reason;
    }
}

PythonDataset EventsInMemory::take() && {
    PythonDataset result;
    if (n_skipped_ > 0) {
        result.warnings.push_back(skipped_rows(n_skipped_, first_skipped_));
    }
    result.data = gru4rec::Dataset(std::move(collector_).take());
    result.ids = ItemIds(kind_.value_or(IdKind::text));
    if (result.ids.kind() == IdKind::object) {
        require_texts(objects_, result.data.items());
        result.ids = ItemIds(nb::list(objects_));
    }
    return result;
}

}  // namespace gru4rec_python
