#ifndef GRU4REC_PYTHON_ARROW_HPP
#define GRU4REC_PYTHON_ARROW_HPP

#include <nanobind/nanobind.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "columns.hpp"

// The C data interface of Apache Arrow: structures that its specification fixes for everyone who exchanges tables in
// one process.
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

/// The batches of an Arrow stream, each read where it is.
class ArrowBatches {
  public:
    /// @param capsule  an "arrow_array_stream", which is used up
    /// @throws std::invalid_argument if it is not one, or not a table
    explicit ArrowBatches(nanobind::handle capsule);
    ArrowBatches(const ArrowBatches&) = delete;
    ArrowBatches& operator=(const ArrowBatches&) = delete;
    ~ArrowBatches();

    [[nodiscard]] std::vector<std::string> names() const;

    /// Reads the next batch.
    ///
    /// @param places   of the columns; -1: no such column
    /// @param columns  gets those of the batch, which are valid until the next call [out]
    /// @param n_rows   gets the rows of the batch [out]
    /// @returns false at the end
    /// @throws std::invalid_argument naming a column of a type that is neither numbers, text nor times
    [[nodiscard]] bool next(const std::array<int, 3>& places, std::array<std::unique_ptr<Column>, 3>& columns,
                            gru4rec::Index& n_rows);

  private:
    /// What a function of the stream says of its failure.
    [[nodiscard]] std::string problem_of(int status);

    ArrowArrayStream stream_{};
    ArrowSchema schema_{};
    ArrowArray batch_{};
};

}  // namespace gru4rec_python

#endif
