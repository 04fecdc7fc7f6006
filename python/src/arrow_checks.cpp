#include "arrow_checks.hpp"

#include "gru4rec/core/error.hpp"
#include "gru4rec/core/text.hpp"

#include <limits>
#include <string>
#include <string_view>

namespace gru4rec_python {

namespace {

[[nodiscard]] std::string name_of(const ArrowSchema& schema) {
    return gru4rec::detail::quote(schema.name == nullptr ? "" : schema.name);
}

[[noreturn]] void throw_unfit(const std::string& column, const std::string& problem) {
    gru4rec::detail::throw_invalid("column " + column + ": a batch of the Arrow stream does not fit its schema: " +
                                   problem + "; the table is damaged");
}

[[nodiscard]] bool is_text(std::string_view format) { return format == "u" || format == "U" || format == "vu"; }

void require_length(const std::string& column, const ArrowArray& array, gru4rec::Index n_rows) {
    if (array.length < n_rows || array.length < 0) {
        throw_unfit(column,
                    "it has " + std::to_string(array.length) + " values for " + std::to_string(n_rows) + " rows");
    }
    if (array.offset < 0 || array.offset > std::numeric_limits<std::int64_t>::max() - array.length) {
        throw_unfit(column, "its offset is " + std::to_string(array.offset));
    }
}

void require_buffers(const std::string& column, std::string_view format, const ArrowArray& array) {
    const std::int64_t n_buffers = is_text(format) ? 3 : 2;
    if (array.n_buffers < n_buffers || (array.n_buffers > n_buffers && format != "vu") || array.buffers == nullptr) {
        throw_unfit(column, "it has " + std::to_string(array.n_buffers) + " buffers, not the " +
                                std::to_string(n_buffers) + " of the type " + gru4rec::detail::quote(format));
    }
    const bool has_views = format == "vu" && array.n_buffers > n_buffers;
    if ((array.length > 0 && array.buffers[1] == nullptr) ||
        (has_views && array.buffers[array.n_buffers - 1] == nullptr)) {
        throw_unfit(column, "a buffer is missing");
    }
}

}  // namespace

void require_fit(const ArrowSchema& table, const ArrowArray& batch) {
    require_length("of structures", batch, 0);
    if (batch.n_buffers != 1 || batch.buffers == nullptr) {
        throw_unfit("of structures", "it has " + std::to_string(batch.n_buffers) + " buffers, not 1");
    }
    for (std::int64_t i = 0; i < table.n_children; ++i) {
        if (i >= batch.n_children || batch.children[i] == nullptr) {
            throw_unfit(name_of(*table.children[i]), "it is missing");
        }
    }
    if (batch.n_children > table.n_children) {
        gru4rec::detail::throw_invalid("a batch of the Arrow stream has " + std::to_string(batch.n_children) +
                                       " columns, its schema " + std::to_string(table.n_children) +
                                       "; the table is damaged");
    }
}

void require_fit(const ArrowSchema& schema, const ArrowArray& array, gru4rec::Index n_rows) {
    const std::string column = name_of(schema);
    const std::string_view format(schema.format);
    require_length(column, array, n_rows);
    if ((schema.dictionary == nullptr) != (array.dictionary == nullptr)) {
        throw_unfit(column, schema.dictionary == nullptr ? "it has a dictionary" : "it has no dictionary");
    }
    if (schema.dictionary != nullptr &&
        (format.size() != 1 || std::string_view("cCsSiIlL").find(format[0]) == std::string_view::npos)) {
        throw_unfit(column, "its places in the dictionary are not integers");
    }
    if (schema.dictionary != nullptr) {
        require_length(column, *array.dictionary, 0);
    }
    const bool is_number =
        format.size() == 1 && std::string_view("cCsSiIlLfg").find(format[0]) != std::string_view::npos;
    if (is_number || is_text(format) || format.starts_with("ts") || format == "tdm" || format == "tdD") {
        require_buffers(column, format, array);
    }
}

}  // namespace gru4rec_python
