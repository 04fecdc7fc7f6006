#include "events_in_memory.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace gru4rec_python {

namespace {

[[nodiscard]] std::string row_text(gru4rec::Index row) { return "row " + std::to_string(row) + " of the table"; }

}  // namespace

void EventsInMemory::append(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index n_rows) {
    const auto& [sessions, items, times] = columns;
    for (const auto& column : columns) {
        if (column != nullptr && column->size() != n_rows) {
            gru4rec::detail::throw_invalid("the columns have " + std::to_string(n_rows) + " and " +
                                           std::to_string(column->size()) + " rows; they must be of equal length");
        }
    }
    for (gru4rec::Index row = 0; row < n_rows; ++row) {
        if (sessions != nullptr && sessions->is_missing(row)) {
            skip(row, "the session is missing");
            continue;
        }
        if (times != nullptr && times->is_missing(row)) {
            skip(row, "the time is missing");
            continue;
        }
        if (items->is_missing(row)) {
            gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": the item is missing; leave such rows out");
        }
        const gru4rec::detail::EventTime time =
            times == nullptr ? gru4rec::detail::EventTime{} : read_time(*times, row);
        const std::string_view session = sessions == nullptr ? "1" : sessions->text(row, buffer_);
        const auto problem = collector_.add(session, items->text(row, item_buffer_), time);
        if (problem) {
            gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": " + problem.text);
        }
        if (!is_known_) {
            note_id(*items, row);
        }
    }
    n_rows_ += n_rows;
}

gru4rec::detail::EventTime EventsInMemory::read_time(const Column& times, gru4rec::Index row) {
    if (const auto time = times.time(row)) {
        return *time;
    }
    if (!time_reader_) {
        find_time_format_of(times, row);
    }
    gru4rec::detail::EventTime time;
    const std::string_view text = times.text(row, buffer_);
    if (!time_reader_->read(text, time)) {
        gru4rec::detail::throw_invalid(row_text(n_rows_ + row) + ": " + gru4rec::detail::bad_time(text, *time_format_));
    }
    return time;
}

void EventsInMemory::find_time_format_of(const Column& times, gru4rec::Index row) {
    constexpr gru4rec::Index n_first = 100;
    std::vector<std::string> texts;
    for (; row < times.size() && static_cast<gru4rec::Index>(texts.size()) < n_first; ++row) {
        if (!times.is_missing(row)) {
            texts.emplace_back(times.text(row, buffer_));
        }
    }
    time_format_ = find_time_format({texts.begin(), texts.end()});
    time_reader_.emplace(*time_format_);
}

void EventsInMemory::note_id(const Column& items, gru4rec::Index row) {
    IdKind kind = items.kind();
    if (const nb::handle object = items.object(row); object.is_valid()) {
        kind = kind_of(object);
        if (PyDict_SetDefault(objects_.ptr(), object.ptr(), Py_None) == nullptr) {
            throw nb::python_error();  // not hashable
        }
    }
    kind_ = kind_ && *kind_ != kind ? IdKind::object : kind;
}

void EventsInMemory::skip(gru4rec::Index row, const char* what) {
    if (n_skipped_++ == 0) {
        first_skipped_ = row_text(n_rows_ + row) + ": " + what;
    }
}

PythonDataset EventsInMemory::take() && {
    PythonDataset result;
    if (n_skipped_ > 0) {
        result.warnings.push_back(std::to_string(n_skipped_) + (n_skipped_ == 1 ? " row" : " rows") +
                                  " skipped, the first one: " + first_skipped_);
    }
    result.data = gru4rec::Dataset(std::move(collector_).take());
    result.ids = ItemIds(kind_.value_or(IdKind::text));
    if (result.ids.kind() == IdKind::object) {
        if (static_cast<gru4rec::Index>(objects_.size()) != result.data.n_items()) {
            gru4rec::detail::throw_invalid(std::to_string(objects_.size()) + " different item ids have only " +
                                           std::to_string(result.data.n_items()) +
                                           " different texts, as 1 and '1' have; make their str() distinct");
        }
        result.ids = ItemIds(nb::list(objects_));
    }
    return result;
}

}  // namespace gru4rec_python
