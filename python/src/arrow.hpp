#ifndef GRU4REC_PYTHON_ARROW_HPP
#define GRU4REC_PYTHON_ARROW_HPP

#include <nanobind/nanobind.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "columns.hpp"

// The C data interface of Apache Arrow. Its specification fixes these structures, by which libraries in one process
// exchange tables.
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags;
    std::int64_t n_children;
    ArrowSchema** children;
    ArrowSchema* dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};

struct ArrowArray {
    std::int64_t length;
    std::int64_t null_count;
    std::int64_t offset;
    std::int64_t n_buffers;
    std::int64_t n_children;
    const void** buffers;
    ArrowArray** children;
    ArrowArray* dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(ArrowArrayStream*, ArrowSchema* out);
    int (*get_next)(ArrowArrayStream*, ArrowArray* out);
    const char* (*get_last_error)(ArrowArrayStream*);
    void (*release)(ArrowArrayStream*);
    void* private_data;
};

namespace gru4rec_python {

/// The batches of an Arrow stream, read in place.
class ArrowBatches {
  public:
    /// @param capsule  an "arrow_array_stream", which is used up
    /// @throws std::invalid_argument if it is something else, or not the stream of a table
    explicit ArrowBatches(nanobind::handle capsule);
    ArrowBatches(const ArrowBatches&) = delete;
    ArrowBatches& operator=(const ArrowBatches&) = delete;
    ~ArrowBatches();

    [[nodiscard]] std::vector<std::string> names() const;

    /// Reads the next batch.
    ///
    /// @param places   of the columns of sessions, items and times in the table; -1: no such column
    /// @param columns  the columns of the batch, valid until the next call [out]
    /// @param n_rows   number of rows of the batch [out]
    /// @returns false at the end
    /// @throws std::invalid_argument naming a column of a type that is neither numbers, text nor times
    [[nodiscard]] bool next(const std::array<int, 3>& places, std::array<std::unique_ptr<Column>, 3>& columns,
                            gru4rec::Index& n_rows);

  private:
    /// The message for a function of the stream that failed with this status.
    [[nodiscard]] std::string problem_of(int status);

    ArrowArrayStream stream_{};
    ArrowSchema schema_{};
    ArrowArray batch_{};
};

}  // namespace gru4rec_python

#endif
