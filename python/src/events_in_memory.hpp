#ifndef GRU4REC_PYTHON_EVENTS_IN_MEMORY_HPP
#define GRU4REC_PYTHON_EVENTS_IN_MEMORY_HPP

#include "gru4rec/data/events.hpp"
#include "gru4rec/data/read_options.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "columns.hpp"
#include "dataset.hpp"
#include "table_columns.hpp"

namespace gru4rec_python {

/// Collects the events of columns in memory, batch by batch. Rows without a session or a time are left out and counted,
/// as by the reader of files.
class EventsInMemory {
  public:
    /// @param known_items  if set, events of other items are left out and counted
    /// @param time_unit    of times that are numbers or numbers as text; dates have none, and giving one is an error
    EventsInMemory(const gru4rec::ItemMap* known_items, gru4rec::TimeUnit time_unit)
        : collector_(known_items), has_known_items_(known_items != nullptr), time_unit_(time_unit) {}

    /// @param columns  of equal length: sessions, items and times; without sessions all rows are one session, without
    ///                 times the rows are in time order
    /// @throws gru4rec::ConfigError, gru4rec::FormatError, ValueError or TypeError naming the row
    void append(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index n_rows);

    [[nodiscard]] PythonDataset take() &&;

  private:
    void append_row(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index row);
    [[nodiscard]] gru4rec::detail::EventTime read_time(const Column& times, gru4rec::Index row);
    [[nodiscard]] gru4rec::detail::TimeFormat find_time_format_of(const Column& times, gru4rec::Index row);
    /// @param kind    of the column
    /// @param object  the id, if it is a column of objects
    void note_id(IdKind kind, nanobind::handle object);
    void skip(gru4rec::Index row, const char* reason);

    gru4rec::detail::EventCollector collector_;
    bool has_known_items_;
    gru4rec::TimeUnit time_unit_;
    gru4rec::Index n_rows_ = 0;  // of the previous batches
    gru4rec::Index n_skipped_ = 0;
    std::string first_skipped_;
    std::optional<IdKind> kind_;
    nanobind::dict objects_;  // the ids of columns of objects, in the order of their first appearance
    std::optional<gru4rec::detail::TimeFormat> time_format_;
    std::optional<gru4rec::detail::TimeReader> time_reader_;
    std::string buffer_;
    std::string item_buffer_;
};

}  // namespace gru4rec_python

#endif
