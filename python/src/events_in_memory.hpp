#ifndef GRU4REC_PYTHON_EVENTS_IN_MEMORY_HPP
#define GRU4REC_PYTHON_EVENTS_IN_MEMORY_HPP

#include "gru4rec/data/events.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "columns.hpp"
#include "dataset.hpp"
#include "table_columns.hpp"

namespace gru4rec_python {

/// Collects the events of columns in memory, batch by batch. Rows without a session or a time are left out and counted,
/// as the reader of files does.
class EventsInMemory {
  public:
    /// @param known_items  if set, events of other items are left out and counted
    explicit EventsInMemory(const gru4rec::ItemMap* known_items)
        : collector_(known_items), is_known_(known_items != nullptr) {}

    /// @param columns  of equal length: sessions, items and times; without sessions all rows are one session, without
    ///                 times they are in the order of time
    /// @throws gru4rec::ConfigError, gru4rec::FormatError naming the row
    void append(const std::array<std::unique_ptr<Column>, 3>& columns, gru4rec::Index n_rows);

    [[nodiscard]] PythonDataset take() &&;

  private:
    [[nodiscard]] gru4rec::detail::EventTime read_time(const Column& times, gru4rec::Index row);
    void find_time_format_of(const Column& times, gru4rec::Index row);
    void note_id(const Column& items, gru4rec::Index row);
    void skip(gru4rec::Index row, const char* what);

    gru4rec::detail::EventCollector collector_;
    bool is_known_;
    gru4rec::Index n_rows_ = 0;  // of the batches before
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
